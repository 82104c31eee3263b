//! In which keys two resolved sweeps differ.

use serde_json::Value;

use super::error::join;

/// The keys whose values differ, with the values there and here, as in `workload.limit: 2, not 1`; the first
/// [`MOST`] of them. None when one of the texts is no YAML.
pub fn differing_keys(there: &str, here: &str) -> Option<String> {
    let [there, here] = [there, here].map(|text| serde_yaml::from_str::<Value>(text).ok());
    let mut keys = Vec::new();
    collect("", &there?, &here?, &mut keys);
    let n_more = keys.len().saturating_sub(MOST);
    keys.truncate(MOST);
    if n_more > 0 {
        keys.push(format!("{n_more} more"));
    }
    Some(keys.join("; "))
}

/// Keys to name; when there are more, it is another file rather than a change of one.
const MOST: usize = 5;

fn collect(path: &str, there: &Value, here: &Value, keys: &mut Vec<String>) {
    match (there, here) {
        (Value::Object(there), Value::Object(here)) => {
            let only_here = here.keys().filter(|key| !there.contains_key(*key));
            for key in there.keys().chain(only_here) {
                let value = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or(Value::Null)
                };
                collect(&join(path, key), &value(there), &value(here), keys);
            }
        }
        (Value::Array(there), Value::Array(here)) => {
            for index in 0..there.len().max(here.len()) {
                let value = |list: &[Value]| list.get(index).cloned().unwrap_or(Value::Null);
                let place = join(path, &format!("[{index}]"));
                collect(&place, &value(there), &value(here), keys);
            }
        }
        (there, here) if there == here => {}
        (there, here) => keys.push(format!("{path}: {there}, not {here}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_differing_value_is_named_with_its_path() {
        let there =
            "{name: x, workload: {limit: 2, seed: 1}, decoders: [{a: 1}, {a: 2}], hardware: null}";
        let here = "{name: x, workload: {limit: 1, seed: 1}, decoders: [{a: 1}, {a: 3}, {b: 1}], sample: {n: 3}}";
        assert_eq!(
            differing_keys(there, here).unwrap(),
            "workload.limit: 2, not 1; decoders[1].a: 2, not 3; decoders[2]: null, not {\"b\":1}; \
             sample: null, not {\"n\":3}"
        );
        assert_eq!(differing_keys(there, there).unwrap(), "");
    }

    #[test]
    fn of_many_differences_the_first_five_are_named() {
        let list = |n: usize| format!("a: {:?}", (0..n).collect::<Vec<_>>());
        let text = differing_keys(&list(0), &list(9)).unwrap();
        assert!(
            text.starts_with("a[0]: null, not 0; ") && text.ends_with("; 4 more"),
            "{text}"
        );
        assert_eq!(differing_keys("[", "a: 1"), None);
    }
}
