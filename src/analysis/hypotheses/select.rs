//! Which trials a group of an experiment names.

use crate::config::experiment::{AUTOREGRESSIVE, Group};
use crate::plan::Trial;

/// Whether a group admits a trial with these names and axes.
pub(super) fn selects(group: &Group, names: &[String], axes: &[(String, String)]) -> bool {
    let of_entry = |entry: &String| {
        let begins = |name: &String| {
            let rest = name.strip_prefix(entry.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        names.iter().any(begins) && !(entry == AUTOREGRESSIVE && is_again(names))
    };
    let of_axis = |(axis, allowed): (&String, &Vec<serde_json::Value>)| {
        let own = axes.iter().find(|(name, _)| name == axis);
        own.is_some_and(|(_, own)| allowed.iter().any(|value| same_value(own, value)))
    };
    (group.entries.is_empty() || group.entries.iter().any(of_entry))
        && (group.labels.is_empty() || group.labels.iter().any(|label| names.contains(label)))
        && group.axes.iter().all(of_axis)
}

/// The baseline that is timed once more is nobody's candidate.
fn is_again(names: &[String]) -> bool {
    names.first().is_some_and(|name| name.ends_with(" again"))
}

/// Whether a planned trial is in a group, the sweep aside.
pub fn is_planned_in(group: &Group, trial: &Trial) -> bool {
    let axes: Vec<(String, String)> = trial
        .axes
        .iter()
        .map(|(name, value)| (name.clone(), plain(value)))
        .collect();
    selects(group, &trial.names, &axes)
}

pub(super) fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

/// Numbers by value, so that `1` selects `1.0`; anything else by its text.
fn same_value(own: &str, allowed: &serde_json::Value) -> bool {
    match (own.parse::<f64>(), allowed.as_f64()) {
        (Ok(own), Some(allowed)) => own == allowed,
        (Ok(_) | Err(_), Some(_) | None) => own == plain(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::hypotheses::data::Arm;
    use serde_json::json;

    fn arm(names: &[&str], axes: &[(&str, &str)]) -> Arm {
        let own = |&(axis, value): &(&str, &str)| (axis.to_owned(), value.to_owned());
        Arm {
            label: names[0].to_owned(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
            axes: axes.iter().map(own).collect(),
            ..Arm::default()
        }
    }

    fn group(value: serde_json::Value) -> Group {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_group_takes_whole_names_of_entries_and_those_of_merged_points() {
        let entry = group(json!({"entries": ["ebsd"]}));
        assert!(arm(&["ebsd θ=1.0"], &[]).is_in(&entry));
        assert!(arm(&["ebsd"], &[]).is_in(&entry));
        assert!(!arm(&["ebsd-warm θ=1.0"], &[]).is_in(&entry));
        assert!(arm(&["fixed-k max=8", "ebsd θ=9.0"], &[]).is_in(&entry));
    }

    #[test]
    fn axes_are_compared_by_value() {
        let low = group(json!({"entries": ["ebsd"], "axes": {"stop.theta_abs": [1, 0.5]}}));
        let with = |theta| arm(&["ebsd"], &[("stop.theta_abs", theta)]);
        assert!(with("1.0").is_in(&low) && with("0.5").is_in(&low));
        assert!(!with("2.0").is_in(&low) && !arm(&["ebsd"], &[]).is_in(&low));
    }

    #[test]
    fn the_baseline_timed_again_is_not_the_baseline() {
        let baseline = group(json!({"entries": [AUTOREGRESSIVE]}));
        assert!(arm(&["autoregressive"], &[]).is_in(&baseline));
        assert!(!arm(&["autoregressive again"], &[]).is_in(&baseline));
    }
}
