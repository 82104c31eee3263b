//! One entry of `decoders:`: a decoder and the axes along which it is varied.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::axes::{Axes, Setting, alternatives};
use super::decoder::DecoderSpec;
use super::dotted::{dotted, lookup, remove, same, set};
use super::error::{Fault, join};
use super::strict;
use super::wording::nearest;
use crate::policy::accept::AcceptRule;
use crate::policy::entropy::EntropyRule;
use crate::policy::select::SelectRule;

/// The keys of an entry that belong to the entry itself; all others are the decoder's.
const OWN_KEYS: [&str; 5] = ["name", "grid", "zip", "list", "exclude"];

/// A decoder with its axes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecoderEntry {
    /// The name under which all its points are reported.
    pub name: String,
    /// The decoder as written: `kind` and any of its fields, the rest by default.
    #[serde(flatten)]
    pub decoder: Map<String, Value>,
    /// Alternatives, each a mapping from dotted path to value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<Map<String, Value>>,
    /// Axes that advance together.
    #[serde(default, skip_serializing_if = "Axes::is_empty")]
    pub zip: Axes,
    /// Axes of which every combination is taken.
    #[serde(default, skip_serializing_if = "Axes::is_empty")]
    pub grid: Axes,
    /// Points to leave out: those that have all values of one of these mappings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Map<String, Value>>,
}

/// One decoder of a sweep, with the values that distinguish it from its siblings.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub decoder: DecoderSpec,
    /// Dotted path and value, in the order of the axes.
    pub axes: Vec<(String, Value)>,
    /// Its place among all combinations of the axes, those left out included, the last axis fastest.
    pub number: usize,
}

/// A point, and the document that it was read from.
struct Resolved {
    point: Point,
    document: Value,
}

impl DecoderEntry {
    /// All points: `list` slowest, then `zip`, then `grid` with its last axis fastest.
    ///
    /// Where `kind` is an axis (`stop.kind`, say), a field that the kind of a point does not have
    /// is left out of that point, as long as the kind of some other point has it.
    ///
    /// # Errors
    /// The first key that is wrong, as a path below this entry.
    pub fn points(&self) -> Result<Vec<Point>, Fault> {
        let mut foreign = Vec::new();
        let resolved = self
            .settings()?
            .iter()
            .map(|(number, settings)| self.resolve(*number, settings, &mut foreign))
            .collect::<Result<Vec<_>, _>>()?;
        let is_known = |key: &str| {
            resolved
                .iter()
                .any(|point| lookup(&point.document, key).is_some())
        };
        match foreign.into_iter().find(|(key, _)| !is_known(key)) {
            Some((_, fault)) => Err(fault),
            None => Ok(resolved
                .into_iter()
                .map(|resolved| resolved.point)
                .collect()),
        }
    }

    /// Values of each axis that points are numbered by: the alternatives of `list`, the rows of `zip`,
    /// the axes of `grid`.
    pub fn shape(&self) -> Vec<usize> {
        let rows = [self.list.len(), self.zip.lens().next().unwrap_or(0)];
        let rows = rows.into_iter().filter(|n_rows| *n_rows > 0);
        rows.chain(self.grid.lens()).collect()
    }

    /// The combinations of the axes that `exclude` leaves, with their numbers.
    fn settings(&self) -> Result<Vec<(usize, Vec<Setting>)>, Fault> {
        let all = alternatives(&self.list, &self.zip, &self.grid)?;
        let mut combinations: Vec<_> = all.into_iter().enumerate().collect();
        for (index, excluded) in self.exclude.iter().enumerate() {
            let fault = |reason: &str| Err(Fault::new(format!("exclude[{index}]"), reason));
            let n_before = combinations.len();
            combinations.retain(|(_, settings)| {
                !excluded.iter().all(|(axis, value)| {
                    settings
                        .iter()
                        .any(|setting| setting.axis == *axis && same(&setting.value, value))
                })
            });
            if combinations.is_empty() {
                return fault("no point is left");
            }
            if combinations.len() == n_before {
                return fault("no point has these values, so none is excluded");
            }
        }
        Ok(combinations)
    }

    /// `foreign` collects the fields left out, each with the fault that it would be.
    fn resolve(
        &self,
        number: usize,
        settings: &[Setting],
        foreign: &mut Vec<(String, Fault)>,
    ) -> Result<Resolved, Fault> {
        let mut document = Value::Object(self.decoder.clone());
        for setting in settings {
            set(&mut document, &setting.axis, setting.value.clone())
                .map_err(|reason| Fault::new(setting.origin(), reason))?;
        }
        name_default_kinds(&mut document);
        let decoder = loop {
            let fault = match strict::read::<DecoderSpec>(&document) {
                Ok(decoder) => break decoder,
                Err(fault) => fault,
            };
            let mapping = dotted(&fault.path);
            let kind = join(&mapping, "kind");
            match &fault.unknown_field {
                Some(field) if settings.iter().any(|setting| setting.axis == kind) => {
                    let key = join(&mapping, field);
                    remove(&mut document, &mapping, field);
                    if foreign.iter().all(|(known, _)| *known != key) {
                        foreign.push((key, blamed(fault, settings)));
                    }
                }
                Some(_) | None => return Err(blamed(fault, settings)),
            }
        };
        decoder.check().map_err(|fault| blamed(fault, settings))?;
        let typed = serde_json::to_value(&decoder).unwrap_or_default();
        let axes = settings
            .iter()
            .filter(|setting| lookup(&document, &setting.axis).is_some())
            .map(|setting| (setting.axis.clone(), as_typed(setting, &typed)))
            .collect();
        Ok(Resolved {
            point: Point {
                decoder,
                axes,
                number,
            },
            document,
        })
    }
}

/// A rule that is written without its kind is of the default kind, so that
/// `select: {entropy_threshold: 0.3}` is enough. A stopping rule has no default.
fn name_default_kinds(document: &mut Value) {
    let defaults = [
        ("entropy", json!(EntropyRule::default())),
        ("accept", json!(AcceptRule::default())),
        ("select", json!(SelectRule::default())),
    ];
    for (key, default) in defaults {
        if let Some(Value::Object(rule)) = document.get_mut(key)
            && let Some(kind) = default.get("kind")
        {
            rule.entry("kind").or_insert_with(|| kind.clone());
        }
    }
}

/// The value of an axis as its field holds it: 1 written for a number with decimals is 1.0.
fn as_typed(setting: &Setting, decoder: &Value) -> Value {
    match lookup(decoder, &setting.axis) {
        Some(number @ Value::Number(_)) => number.clone(),
        Some(
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_),
        )
        | None => setting.value.clone(),
    }
}

/// The fault at the key that the user wrote: an axis, if the value came from one.
fn blamed(mut fault: Fault, settings: &[Setting]) -> Fault {
    let field = fault.unknown_field.as_deref().unwrap_or_default();
    let key = join(&dotted(&fault.path), field);
    let lies_in = |inner: &str, outer: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let mapping = dotted(&fault.path);
    let setting = settings.iter().find(|setting| {
        lies_in(&key, &setting.axis)
            || (fault.unknown_field.is_some() && lies_in(&setting.axis, &key))
    });
    match setting {
        Some(setting) => {
            fault.path = match mapping.strip_prefix(&setting.axis) {
                Some(rest) => setting.origin() + rest,
                None => setting.key(),
            };
        }
        None => suggest_own_key(&mut fault),
    }
    fault
}

/// A decoder knows nothing of the entry around it, so it cannot suggest `grid` for `gird`.
fn suggest_own_key(fault: &mut Fault) {
    let Some(field) = &fault.unknown_field else {
        return;
    };
    if fault.path.is_empty()
        && !fault.reason.contains("did you mean")
        && let Some(key) = nearest(field, OWN_KEYS)
    {
        fault.reason += &format!("; did you mean '{key}'?");
    }
}
