//! Names of trials for tables and legends.

use std::collections::HashSet;

use serde_json::Value;

use super::trial::Trial;

/// Field names and the symbols that stand for them; the fields named by their value alone have none.
const SYMBOLS: [(&str, &str); 15] = [
    ("theta_abs", "θ"),
    ("theta", "θ"),
    ("theta_rel", "θ_rel"),
    ("theta_window", "θ_window"),
    ("theta_base", "θ_base"),
    ("entropy_threshold", "τ"),
    ("pos_penalty", "λ"),
    ("window_size", "w"),
    ("min_draft_len", "min"),
    ("max_draft_len", "max"),
    ("n_fill_steps", "steps"),
    ("batch_size", "batch"),
    ("kind", ""),
    ("entropy_type", ""),
    ("variant", ""),
];

/// The family and the value of each axis: `ebsd θ=1.0 renyi`.
pub(super) fn label(family: &str, axes: &[(String, Value)]) -> String {
    let mut label = family.to_owned();
    for (axis, value) in axes {
        label.push(' ');
        label += &axis_text(axis, value);
    }
    label
}

fn axis_text(axis: &str, value: &Value) -> String {
    let field = axis.rsplit('.').next().unwrap_or(axis);
    let symbol = SYMBOLS
        .iter()
        .find(|(name, _)| *name == field)
        .map_or(field, |(_, symbol)| *symbol);
    if symbol.is_empty() || value.is_object() {
        value_text(value)
    } else {
        format!("{symbol}={}", value_text(value))
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(value_text).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(map) => {
            let fields: Vec<String> = map
                .iter()
                .map(|(key, value)| axis_text(key, value))
                .collect();
            format!("({})", fields.join(" "))
        }
    }
}

/// Adds the start of its id to the label of a trial whose label an earlier one has.
pub(super) fn tell_apart(trials: &mut [Trial]) {
    let mut taken = HashSet::new();
    for trial in trials {
        if !taken.insert(trial.label.clone()) {
            trial.label = format!("{} #{}", trial.label, &trial.id[..4]);
            trial.names[0].clone_from(&trial.label);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(axes: &[(&str, Value)]) -> String {
        let axes: Vec<_> = axes
            .iter()
            .map(|(axis, value)| ((*axis).to_owned(), value.clone()))
            .collect();
        label("x", &axes)
    }

    #[test]
    fn a_label_is_the_family_and_the_value_of_each_axis() {
        assert_eq!(of(&[]), "x");
        assert_eq!(
            of(&[
                ("stop.theta_abs", json!(1.0)),
                ("entropy.kind", json!("renyi"))
            ]),
            "x θ=1.0 renyi"
        );
        assert_eq!(
            of(&[
                ("select.entropy_threshold", json!(null)),
                ("window_size", json!(16))
            ]),
            "x τ=none w=16"
        );
    }

    #[test]
    fn a_mapping_as_a_value_is_spelt_out() {
        let stop = json!({"kind": "combined", "any": [{"kind": "svip", "h": 0.3}]});
        assert_eq!(of(&[("stop", stop)]), "x (combined any=[(svip h=0.3)])");
    }
}
