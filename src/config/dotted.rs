//! Dotted paths into a JSON value: `stop.theta_abs`, `stop.any.0.theta_abs`.

use serde_json::{Map, Value};

/// The value at `path`, if there is one.
pub fn lookup<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    if path.is_empty() {
        return Some(value);
    }
    path.split('.').try_fold(value, |node, name| match node {
        Value::Object(map) => map.get(name),
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// Writes `new` at `path`; mappings on the way are made where they are missing.
///
/// # Errors
/// When the path leads through a value that has no keys, or past the end of a list.
pub fn set(value: &mut Value, path: &str, new: Value) -> Result<(), String> {
    let mut node = value;
    for name in path.split('.') {
        if name.is_empty() {
            return Err(format!(
                "'{path}' is not a dotted path such as stop.theta_abs"
            ));
        }
        if node.is_null() {
            *node = Value::Object(Map::new());
        }
        node = match node {
            Value::Object(map) => map.entry(name).or_insert(Value::Null),
            Value::Array(list) => {
                let n_entries = list.len();
                name.parse()
                    .ok()
                    .and_then(|index: usize| list.get_mut(index))
                    .ok_or_else(|| format!("'{name}' is no index of the list of {n_entries}"))?
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(format!("{node} has no key '{name}'"));
            }
        };
    }
    *node = new;
    Ok(())
}

/// Takes `field` out of the mapping at `path`.
pub fn remove(value: &mut Value, path: &str, field: &str) {
    let mut names = path.split('.').filter(|name| !name.is_empty());
    let mapping = names.try_fold(value, |node, name| match node {
        Value::Object(map) => map.get_mut(name),
        Value::Array(list) => list.get_mut(name.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    });
    if let Some(Value::Object(map)) = mapping {
        map.shift_remove(field);
    }
}

/// The path of a fault, `stop.any[0]`, as the axes spell it: `stop.any.0`.
pub fn dotted(path: &str) -> String {
    path.replace('[', ".").replace(']', "")
}

/// Equality of values in which `1` is `1.0`.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        (Some(_), None) | (None, Some(_)) => false,
        (None, None) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_written_value_is_found_again_at_its_path() {
        let mut value = json!({"stop": {"any": [{"theta_abs": 1}]}});
        set(&mut value, "stop.any.0.theta_abs", json!(2)).unwrap();
        set(&mut value, "entropy.kind", json!("renyi")).unwrap();
        assert_eq!(lookup(&value, "stop.any.0.theta_abs"), Some(&json!(2)));
        assert_eq!(lookup(&value, "entropy"), Some(&json!({"kind": "renyi"})));
        assert_eq!(lookup(&value, "entropy.alpha"), None);
    }

    #[test]
    fn a_removed_field_is_gone_and_its_neighbours_stay() {
        let mut value =
            json!({"stop": {"any": [{"theta_abs": 1, "kind": "absolute"}]}, "order": "after"});
        remove(&mut value, &dotted("stop.any[0]"), "theta_abs");
        remove(&mut value, "", "order");
        assert_eq!(value, json!({"stop": {"any": [{"kind": "absolute"}]}}));
    }

    #[test]
    fn a_path_through_a_scalar_or_past_a_list_is_refused() {
        let mut value = json!({"stop": "fixed", "list": [1]});
        assert_eq!(
            set(&mut value, "stop.kind", json!(1)).unwrap_err(),
            "\"fixed\" has no key 'kind'"
        );
        assert_eq!(
            set(&mut value, "list.1", json!(1)).unwrap_err(),
            "'1' is no index of the list of 1"
        );
        assert!(set(&mut value, "a..b", json!(1)).is_err());
    }

    #[test]
    fn whole_and_decimal_spellings_of_a_number_are_the_same() {
        assert!(same(&json!(1), &json!(1.0)));
        assert!(!same(&json!(1), &json!("1")));
        assert!(same(&json!(null), &json!(null)));
    }
}
