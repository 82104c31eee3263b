//! `${NAME}` and `${NAME:-default}` in the scalars of a document.

use serde_json::Value;

use super::error::Fault;

/// Looks a variable up; the environment when a program runs, a table in tests.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Replaces variables in every string below `value`; keys stay as they are.
///
/// A scalar that is one variable and nothing else is read as YAML after the replacement, so that
/// `limit: ${LIMIT:-60}` is a number. `$${` stands for a literal `${`. As in a shell, `:-` also
/// replaces a variable that is set to nothing.
///
/// # Errors
/// A variable without value and default, or a `${` that is not closed.
pub fn interpolate(value: &mut Value, lookup: Lookup<'_>) -> Result<(), Fault> {
    match value {
        Value::String(text) => {
            if text.contains("${") {
                *value = scalar(text, lookup).map_err(|reason| Fault::new("", reason))?;
            }
            Ok(())
        }
        Value::Array(list) => list.iter_mut().enumerate().try_for_each(|(index, item)| {
            interpolate(item, lookup).map_err(|fault| fault.below(&format!("[{index}]")))
        }),
        Value::Object(map) => map.iter_mut().try_for_each(|(key, item)| {
            interpolate(item, lookup).map_err(|fault| fault.below(key))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn scalar(text: &str, lookup: Lookup<'_>) -> Result<Value, String> {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if let Some(before) = rest[..start].strip_suffix('$') {
            replaced += before;
            replaced += "${";
            rest = &rest[start + 2..];
            continue;
        }
        let body = &rest[start + 2..];
        let end = body
            .find('}')
            .ok_or_else(|| format!("'{text}' opens a '${{' that no '}}' closes"))?;
        let replacement = variable(&body[..end], lookup)?;
        if start == 0 && end + 3 == text.len() {
            return serde_yaml::from_str(&replacement)
                .map_err(|_| format!("'{replacement}', the value of '{text}', is not YAML"));
        }
        replaced += &rest[..start];
        replaced += &replacement;
        rest = &body[end + 1..];
    }
    Ok(Value::String(replaced + rest))
}

fn variable(expression: &str, lookup: Lookup<'_>) -> Result<String, String> {
    let (name, default) = match expression.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (expression, None),
    };
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if !is_name {
        return Err(format!(
            "'${{{expression}}}' is not a variable, expected '${{NAME}}' or '${{NAME:-default}}'"
        ));
    }
    match (lookup(name).filter(|value| !value.is_empty()), default) {
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(format!(
            "the environment variable {name} is not set; set it or write '${{{name}:-default}}'"
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(mut value: Value) -> Result<Value, String> {
        let lookup = |name: &str| match name {
            "LIMIT" => Some("12".to_owned()),
            "EMPTY" => Some(String::new()),
            "HOST" => Some("h100".to_owned()),
            _ => None,
        };
        interpolate(&mut value, &lookup).map_err(|fault| fault.to_string())?;
        Ok(value)
    }

    #[test]
    fn a_scalar_that_is_one_variable_gets_the_type_of_its_value() {
        let given =
            json!({"a": "${LIMIT}", "b": "${NONE:-0.5}", "c": "${NONE:-null}", "d": "${HOST}"});
        let wanted = json!({"a": 12, "b": 0.5, "c": null, "d": "h100"});
        assert_eq!(filled(given), Ok(wanted));
    }

    #[test]
    fn variables_inside_a_text_leave_it_a_text() {
        assert_eq!(
            filled(json!("run-${LIMIT}-${NONE:-x}")),
            Ok(json!("run-12-x"))
        );
        assert_eq!(filled(json!("${LIMIT}${LIMIT}")), Ok(json!("1212")));
    }

    #[test]
    fn an_empty_variable_takes_the_default_and_two_dollars_stay_literal() {
        assert_eq!(filled(json!("${EMPTY:-7}")), Ok(json!(7)));
        assert_eq!(filled(json!("a $${LIMIT}")), Ok(json!("a ${LIMIT}")));
    }

    #[test]
    fn a_variable_without_value_is_named_with_its_key() {
        assert_eq!(
            filled(json!({"workload": [{"limit": "${NONE}"}]})).unwrap_err(),
            "workload[0].limit: the environment variable NONE is not set; \
             set it or write '${NONE:-default}'"
        );
        assert_eq!(
            filled(json!("${LIMIT")).unwrap_err(),
            "'${LIMIT' opens a '${' that no '}' closes"
        );
    }
}
