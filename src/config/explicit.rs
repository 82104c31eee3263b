//! A sweep with every default written out, as a run folder keeps it.

use serde_json::{Map, Value};

use super::decoder_entry::DecoderEntry;
use super::error::{ConfigError, Fault};
use super::sweep::SweepSpec;

impl SweepSpec {
    /// The sweep as YAML with every default filled in; it plans the same trials.
    ///
    /// A default that depends on an axis, such as θ where `stop.kind` is varied, stays with the
    /// axis: it is written where all points of an entry share it.
    ///
    /// # Errors
    /// Those of the points of a decoder; a loaded sweep has none.
    pub fn to_yaml(&self) -> Result<String, ConfigError> {
        let mut explicit = self.clone();
        for (index, entry) in explicit.decoders.iter_mut().enumerate() {
            entry.fill_defaults().map_err(|fault| {
                fault
                    .below(&format!("decoders[{index}]"))
                    .in_file(&self.file)
            })?;
        }
        serde_yaml::to_string(&explicit).map_err(|error| ConfigError::Unreadable {
            file: self.file.clone(),
            reason: error.to_string(),
        })
    }
}

impl DecoderEntry {
    fn fill_defaults(&mut self) -> Result<(), Fault> {
        let points = self.points()?;
        let mut documents = points
            .iter()
            .map(|point| match serde_json::to_value(&point.decoder) {
                Ok(Value::Object(map)) => Ok(map),
                Ok(other) => Err(Fault::new("", format!("{other} is no decoder"))),
                Err(error) => Err(Fault::new("", error.to_string())),
            });
        let Some(first) = documents.next() else {
            return Ok(());
        };
        let mut shared = first?;
        for document in documents {
            shared = common(&shared, &document?);
        }
        fill(&mut self.decoder, &shared);
        Ok(())
    }
}

/// What two mappings say alike. Of mappings of different kinds nothing: their fields mean
/// different things.
fn common(a: &Map<String, Value>, b: &Map<String, Value>) -> Map<String, Value> {
    if a.get("kind") != b.get("kind") {
        return Map::new();
    }
    let mut shared = Map::new();
    for (key, value) in a {
        match (value, b.get(key)) {
            (Value::Object(a), Some(Value::Object(b))) => {
                let inner = common(a, b);
                if !inner.is_empty() {
                    shared.insert(key.clone(), Value::Object(inner));
                }
            }
            (value, Some(other)) if value == other => {
                shared.insert(key.clone(), value.clone());
            }
            (_, Some(_) | None) => {}
        }
    }
    shared
}

/// Adds what is missing; what is written stays as written.
fn fill(map: &mut Map<String, Value>, defaults: &Map<String, Value>) {
    for (key, default) in defaults {
        match (map.get_mut(key), default) {
            (Some(Value::Object(inner)), Value::Object(default)) => fill(inner, default),
            (Some(_), _) => {}
            (None, default) => {
                map.insert(key.clone(), default.clone());
            }
        }
    }
}
