//! What the experiments that a run was made for say of it.

use crate::analysis::view::SweepView;
use crate::report::experiment::{decision, summary};
use crate::report::markdown::{code, escaped};

/// Empty for a run that no experiment asked for.
pub fn section(view: &SweepView) -> String {
    if view.verdicts.is_empty() && view.unjudged.is_empty() {
        return String::new();
    }
    let mut parts = vec!["## Verdicts".to_owned()];
    for verdict in &view.verdicts {
        parts.push(format!(
            "{} **{}**: {}",
            code(&verdict.experiment),
            decision(verdict),
            escaped(&verdict.claim)
        ));
        parts.push(summary(verdict));
    }
    if !view.unjudged.is_empty() {
        let names: Vec<String> = view.unjudged.iter().map(|name| code(name)).collect();
        parts.push(format!(
            "Registered before the run and not judged yet: {}.",
            names.join(", ")
        ));
    }
    parts.join("\n\n")
}
