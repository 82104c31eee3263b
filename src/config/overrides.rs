//! `--set a.b[2].c=value`: changes to a document from the command line.

use serde_json::{Map, Value};

use super::error::ConfigError;

/// Keys whose own keys are dotted paths, such as `grid: {stop.theta_abs: [1, 2]}`.
const DOTTED: [&str; 2] = ["grid", "zip"];

/// Applies one `KEY=VALUE` to `document`; the value is read as YAML.
///
/// A key is a path of names and list indices, `decoders[0].stop.theta_abs` or
/// `decoders.0.stop.theta_abs`. Mappings on the way are made where they are missing; a list has
/// the entries that it has.
///
/// # Errors
/// [`ConfigError::Override`] with the assignment as it was given.
pub fn apply(document: &mut Value, assignment: &str) -> Result<(), ConfigError> {
    let fail = |reason: String| ConfigError::Override {
        assignment: assignment.to_owned(),
        reason,
    };
    let (key, value) = assignment
        .split_once('=')
        .ok_or_else(|| fail("expected KEY=VALUE, such as workload.limit=10".to_owned()))?;
    let value: Value = serde_yaml::from_str(value)
        .map_err(|error| fail(format!("the value '{value}' is not YAML: {error}")))?;
    let names = names(key).map_err(fail)?;
    set(document, &names, value).map_err(fail)
}

/// The names and indices of a path: `a[0].b` and `a.0.b` are `a`, `0`, `b`.
fn names(key: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = key
        .trim()
        .replace('[', ".")
        .replace(']', "")
        .split('.')
        .map(str::to_owned)
        .collect();
    if names.iter().any(String::is_empty) {
        return Err(format!(
            "'{key}' is not a key, expected names and indices such as decoders[0].max_draft_len"
        ));
    }
    Ok(names)
}

fn set(document: &mut Value, names: &[String], value: Value) -> Result<(), String> {
    let mut place = document;
    let mut done = 0;
    while done < names.len() {
        let so_far = match done {
            0 => "the document".to_owned(),
            done => format!("'{}'", names[..done].join(".")),
        };
        let parent = done.checked_sub(1).map(|last| names[last].as_str());
        match place {
            Value::Object(map) => {
                let n = n_names_of_key(map, &names[done..], parent);
                let key = names[done..done + n].join(".");
                place = map.entry(key).or_insert(Value::Null);
                done += n;
            }
            Value::Null => *place = Value::Object(Map::new()),
            Value::Array(list) => {
                let n_entries = list.len();
                let entry = names[done]
                    .parse()
                    .ok()
                    .and_then(|index: usize| list.get_mut(index));
                place = entry.ok_or_else(|| {
                    format!(
                        "{so_far} is a list of {n_entries}, expected an index below {n_entries} in place of '{}'",
                        names[done]
                    )
                })?;
                done += 1;
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(format!(
                    "{so_far} is {place} and has no key '{}'",
                    names[done]
                ));
            }
        }
    }
    *place = value;
    Ok(())
}

/// How many of the names make up the next key: the longest dotted key that exists, all of them
/// where dotted keys belong, else one.
fn n_names_of_key(map: &Map<String, Value>, names: &[String], parent: Option<&str>) -> usize {
    let existing = (2..=names.len())
        .rev()
        .find(|&n| map.contains_key(&names[..n].join(".")));
    let holds_dotted = parent.is_some_and(|parent| DOTTED.contains(&parent));
    existing.unwrap_or(if holds_dotted { names.len() } else { 1 })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({
            "device": "cpu",
            "decoders": [
                {"stop": {"kind": "absolute", "theta_abs": 1.0}, "grid": {"stop.theta_abs": [1, 2]}},
                {"stop": {"kind": "fixed"}},
            ],
        })
    }

    fn after(assignment: &str) -> Result<Value, String> {
        let mut document = document();
        apply(&mut document, assignment).map_err(|error| error.to_string())?;
        Ok(document)
    }

    #[test]
    fn a_list_entry_is_reached_by_brackets_and_by_a_dot() {
        for key in [
            "decoders[0].stop.theta_abs=2.5",
            "decoders.0.stop.theta_abs=2.5",
        ] {
            let changed = after(key).unwrap();
            assert_eq!(
                changed["decoders"][0]["stop"],
                json!({"kind": "absolute", "theta_abs": 2.5})
            );
        }
    }

    #[test]
    fn the_value_is_read_as_yaml() {
        assert_eq!(after("a=[1, null, x]").unwrap()["a"], json!([1, null, "x"]));
        assert_eq!(after("a={b: true}").unwrap()["a"], json!({"b": true}));
        assert_eq!(after("a==").unwrap()["a"], json!("="));
        assert_eq!(after("a=").unwrap()["a"], Value::Null);
    }

    #[test]
    fn a_grid_keeps_its_dotted_keys() {
        let changed = after("decoders[0].grid.stop.theta_abs=[3]").unwrap();
        assert_eq!(
            changed["decoders"][0]["grid"],
            json!({"stop.theta_abs": [3]})
        );
        let changed = after("decoders[1].grid.entropy.kind=[min]").unwrap();
        assert_eq!(
            changed["decoders"][1]["grid"],
            json!({"entropy.kind": ["min"]})
        );
    }

    #[test]
    fn missing_mappings_on_the_way_are_made() {
        assert_eq!(
            after("workload.limit=3").unwrap()["workload"],
            json!({"limit": 3})
        );
    }

    #[test]
    fn an_assignment_that_leads_nowhere_says_why() {
        for (assignment, sentence) in [
            (
                "device",
                "--set device: expected KEY=VALUE, such as workload.limit=10",
            ),
            (
                "device.x=1",
                "--set device.x=1: 'device' is \"cpu\" and has no key 'x'",
            ),
            (
                "decoders[2].name=x",
                "--set decoders[2].name=x: 'decoders' is a list of 2, \
                 expected an index below 2 in place of '2'",
            ),
            (
                "a..b=1",
                "--set a..b=1: 'a..b' is not a key, \
                 expected names and indices such as decoders[0].max_draft_len",
            ),
        ] {
            assert_eq!(after(assignment).unwrap_err(), sentence);
        }
    }
}
