//! What the fastest window decoders fill, and whether an autoregressive model would agree.

use crate::analysis::view::{FillGroup, Fills, SweepView, TrialKind, TrialView};
use crate::report::number::optional_interval;

use super::code;

/// One pair of tables for the fastest window trial of each decoder entry; empty without one.
pub fn section(view: &SweepView) -> String {
    let tables: Vec<String> = view
        .families()
        .into_iter()
        .filter_map(|family| {
            view.best(|trial| trial.family == family && trial.kind == TrialKind::Window)
        })
        .filter_map(|trial| Some(tables(trial, trial.measures()?.fills.as_ref()?)))
        .collect();
    if tables.is_empty() {
        return String::new();
    }
    format!(
        "## What window decoders fill\n\n\
         Filled and committed tokens of the fastest trial of each decoder entry. `own choice`: the window \
         model would have chosen the same token autoregressively on the final text. `verifier's choice`: \
         the verifier would have. Other trials: columns `agrees` and `verifier_agrees` of \
         `positions.parquet`.\n\n{}",
        tables.join("\n\n")
    )
}

fn tables(trial: &TrialView, fills: &Fills) -> String {
    format!(
        "{}, by the entropy at which a slot was filled (nats):\n\n{}\n\n\
         {}, by positions behind the first mask:\n\n{}",
        code(&trial.label),
        table("entropy", &fills.by_entropy),
        code(&trial.label),
        table("distance", &fills.by_distance),
    )
}

fn table(name: &str, groups: &[FillGroup]) -> String {
    let mut lines = vec![
        format!("| {name} | filled | own choice | verifier's choice |"),
        "|---|--:|--:|--:|".to_owned(),
    ];
    lines.extend(groups.iter().map(|group| {
        format!(
            "| {} | {} | {} | {} |",
            group.name,
            group.n,
            optional_interval(group.agreed, 3),
            optional_interval(group.verifier_agreed, 3),
        )
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::view::DraftRule;
    use crate::report::small_view::{trial, view};
    use crate::stats::interval::Interval;

    #[test]
    fn a_window_trial_gets_its_two_tables() {
        let mut window = trial("wedlm", DraftRule::Entropy, 1.5, vec![1.0; 12]);
        window.kind = TrialKind::Window;
        let group = |name: &str| FillGroup {
            name: name.to_owned(),
            n: 7,
            agreed: Some(Interval::exact(0.5)),
            verifier_agreed: None,
        };
        if let Ok(measures) = &mut window.result {
            measures.fills = Some(Fills {
                by_entropy: vec![group("below 0.01")],
                by_distance: vec![group("0")],
            });
        }
        let text = section(&view(vec![window]));
        assert!(text.contains("| below 0.01 | 7 | 0.500 | – |"), "{text}");
        assert!(text.contains("| 0 | 7 |"), "{text}");
    }

    #[test]
    fn without_window_trials_there_is_no_section() {
        let only = trial("fixed", DraftRule::FixedLength, 1.5, vec![1.0; 12]);
        assert_eq!(section(&view(vec![only])), "");
    }
}
