//! Reads a value of a document, and names the exact key when it does not fit.
//!
//! Serde reports no path inside enums that are tagged by a field of their own (it buffers them
//! first), and every decoder and rule is one. So the key is found from outside: parts of the
//! document are left out until the message changes. That needs no more than the type itself, and
//! holds for every type, however it is written.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::{Fault, join};
use super::wording::{missing_field, reworded, unknown_field};

/// The field by which enums are tagged.
const TAG: &str = "kind";

/// Reads `value` as a `T`.
///
/// # Errors
/// The first key that does not fit, with what is allowed there.
pub fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Fault> {
    let attempt = |value: &Value| T::deserialize(value).err().map(|error| error.to_string());
    T::deserialize(value).map_err(|error| {
        let message = error.to_string();
        let probe = Probe {
            attempt: &attempt,
            message: &message,
        };
        probe.fault(value)
    })
}

/// What a document says when it is read.
type Attempt<'a> = &'a dyn Fn(&Value) -> Option<String>;

/// The search for the part of a document that causes `message`.
struct Probe<'a> {
    attempt: Attempt<'a>,
    message: &'a str,
}

impl Probe<'_> {
    fn fault(&self, root: &Value) -> Fault {
        let mut path = String::new();
        let mut trail = Vec::new();
        let mut node = root;
        while let Some((step, child)) = self.culprit(root, &trail, node) {
            path = join(&path, &step.to_string());
            trail.push(step);
            node = child;
        }
        let mut reason = reworded(self.message);
        if missing_field(self.message) == Some(TAG) {
            reason += &self.allowed_tags(root, &trail, node);
        }
        Fault {
            path,
            reason,
            unknown_field: unknown_field(self.message).map(str::to_owned),
        }
    }

    /// The child of `node` that causes the message, or none when `node` itself does.
    fn culprit<'v>(
        &self,
        root: &Value,
        trail: &[Step],
        node: &'v Value,
    ) -> Option<(Step, &'v Value)> {
        let causes =
            |node: Value| (self.attempt)(&with(root, trail, node)).as_deref() == Some(self.message);
        match node {
            Value::Object(map) => {
                // A message about a field that is here is about a mapping further down, and the
                // prefixes below keep that field so as not to cause such a message themselves.
                let is_kept = |key: &String| key == TAG || missing_field(self.message) == Some(key);
                let is_missed_below =
                    missing_field(self.message).is_some_and(|field| map.contains_key(field));
                if self.lies_in(map, &causes)
                    || (!is_missed_below && causes(Value::Object(Map::new())))
                {
                    return None;
                }
                let (first, rest): (Vec<&String>, Vec<&String>) =
                    map.keys().partition(|key| is_kept(key));
                let mut prefix = Map::new();
                for key in first.into_iter().chain(rest) {
                    let child = &map[key];
                    prefix.insert(key.clone(), child.clone());
                    if causes(Value::Object(prefix.clone())) {
                        return Some((Step::Key(key.clone()), child));
                    }
                }
                None
            }
            Value::Array(list) => {
                if causes(Value::Array(Vec::new())) {
                    return None;
                }
                (0..list.len())
                    .find(|&index| causes(Value::Array(list[..=index].to_vec())))
                    .map(|index| (Step::Index(index), &list[index]))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }

    /// Whether the message is about a field that this very mapping lacks or has too many.
    fn lies_in(&self, map: &Map<String, Value>, causes: &dyn Fn(Value) -> bool) -> bool {
        let mut changed = map.clone();
        if let Some(field) = missing_field(self.message) {
            // Appended last, so that a fault before it is still reported first.
            return changed.insert(field.to_owned(), Value::Null).is_none()
                && !causes(Value::Object(changed));
        }
        if let Some(field) = unknown_field(self.message) {
            return changed.shift_remove(field).is_some() && !causes(Value::Object(changed));
        }
        false
    }

    /// ", expected one of …" for a mapping whose tag is missing.
    fn allowed_tags(&self, root: &Value, trail: &[Step], node: &Value) -> String {
        let mut tagged = match node {
            Value::Object(map) => map.clone(),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                return String::new();
            }
        };
        tagged.insert(TAG.to_owned(), Value::String(String::new()));
        (self.attempt)(&with(root, trail, Value::Object(tagged)))
            .and_then(|message| {
                let (_, allowed) = message.split_once(", expected ")?;
                Some(format!(", expected {}", allowed.replace('`', "'")))
            })
            .unwrap_or_default()
    }
}

/// One step from a node to its child.
#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Index(usize),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// `root` with the node at the end of `trail` replaced.
fn with(root: &Value, trail: &[Step], node: Value) -> Value {
    let mut changed = root.clone();
    let mut place = &mut changed;
    for step in trail {
        place = match step {
            Step::Key(key) => &mut place[key.as_str()],
            Step::Index(index) => &mut place[*index],
        };
    }
    *place = node;
    changed
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
    #[allow(dead_code, reason = "only read")]
    enum Rule {
        Fixed {},
        Absolute { theta: f64 },
        Any { of: Vec<Rule> },
        Named { name: String },
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only read")]
    struct Document {
        name: String,
        rules: Vec<Rule>,
    }

    fn complaint(document: Value) -> String {
        read::<Document>(&document).unwrap_err().to_string()
    }

    #[test]
    fn the_key_of_a_fault_inside_a_tagged_enum_is_found_at_any_depth() {
        let deep = json!({"name": "x", "rules": [
            {"kind": "fixed"},
            {"kind": "any", "of": [{"kind": "fixed"}, {"kind": "absolute", "theta": "high"}]},
        ]});
        assert_eq!(
            complaint(deep),
            "rules[1].of[1].theta: invalid type: string \"high\", expected a number"
        );
    }

    /// Every path to a scalar below `value`.
    fn leaves(value: &Value, path: &str) -> Vec<String> {
        match value {
            Value::Object(map) => map
                .iter()
                .flat_map(|(key, item)| leaves(item, &join(path, key)))
                .collect(),
            Value::Array(list) => {
                let items = list.iter().enumerate();
                items
                    .flat_map(|(index, item)| leaves(item, &format!("{path}[{index}]")))
                    .collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                vec![path.to_owned()]
            }
        }
    }

    #[test]
    fn whichever_scalar_is_spoilt_the_fault_names_its_path() {
        let document = json!({"name": "x", "rules": [
            {"theta": 1.0, "kind": "absolute"},
            {"kind": "any", "of": [
                {"kind": "absolute", "theta": 1.0},
                {"kind": "any", "of": [{"kind": "named", "name": "y"}, {"kind": "absolute", "theta": 1.0}]},
            ]},
        ]});
        assert!(read::<Document>(&document).is_ok());
        let leaves = leaves(&document, "");
        assert_eq!(leaves.len(), 11);
        for path in leaves {
            let mut spoilt = document.clone();
            let pointer = format!(
                "/{}",
                path.replace('[', "/").replace(']', "").replace('.', "/")
            );
            *spoilt.pointer_mut(&pointer).unwrap() = json!([[]]);
            assert_eq!(read::<Document>(&spoilt).unwrap_err().path, path);
        }
    }

    #[test]
    fn an_unknown_field_is_reported_at_the_mapping_that_holds_it() {
        assert_eq!(
            complaint(json!({"name": "x", "rules": [{"thetta": 1, "kind": "absolute"}]})),
            "rules[0]: unknown field 'thetta', expected 'theta'"
        );
        assert_eq!(
            complaint(json!({"name": "x", "rules": [], "nmae": "y"})),
            "unknown field 'nmae', expected 'name' or 'rules'; did you mean 'name'?"
        );
    }

    #[test]
    fn a_missing_field_is_reported_at_the_mapping_that_lacks_it() {
        assert_eq!(complaint(json!({"rules": []})), "missing field 'name'");
        assert_eq!(
            complaint(
                json!({"name": "x", "rules": [{"kind": "any", "of": [{"kind": "absolute"}]}]})
            ),
            "rules[0].of[0]: missing field 'theta'"
        );
    }

    #[test]
    fn a_missing_field_that_another_mapping_has_is_not_confused_with_it() {
        assert_eq!(
            complaint(json!({"rules": [{"kind": "named"}], "name": "x"})),
            "rules[0]: missing field 'name'"
        );
    }

    #[test]
    fn a_missing_kind_lists_the_kinds() {
        assert_eq!(
            complaint(json!({"name": "x", "rules": [{"theta": 1}]})),
            "rules[0]: missing field 'kind', expected one of 'fixed', 'absolute', 'any', 'named'"
        );
    }

    #[test]
    fn a_wrong_kind_is_reported_at_the_kind_with_the_nearest_one() {
        assert_eq!(
            complaint(json!({"name": "x", "rules": [{"kind": "fixed"}, {"kind": "fixde"}]})),
            "rules[1].kind: unknown value 'fixde', expected one of 'fixed', 'absolute', 'any', 'named'; \
             did you mean 'fixed'?"
        );
    }

    #[test]
    fn of_two_equal_faults_the_first_is_reported() {
        assert_eq!(
            complaint(
                json!({"name": "x", "rules": [{"kind": "absolute", "theta": "a"},
                                                    {"kind": "absolute", "theta": "a"}]})
            ),
            "rules[0].theta: invalid type: string \"a\", expected a number"
        );
    }

    #[test]
    fn a_scalar_in_place_of_a_rule_asks_for_a_mapping() {
        assert_eq!(
            complaint(json!({"name": "x", "rules": ["fixed"]})),
            "rules[0]: invalid type: string \"fixed\", expected a mapping with a 'kind'"
        );
    }
}
