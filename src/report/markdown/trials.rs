//! The tables of a report: the best of each decoder entry, then every trial.

use crate::analysis::view::{Measures, SweepView, TrialView};
use crate::record::schema::Mode;
use crate::report::number::{number, optional_interval, optional_number};

use super::escaped;

/// Families with more trials are folded.
const MOST_OPEN_ROWS: usize = 20;

/// Baseline, best fixed k and the fastest trial of every decoder entry.
pub fn best(view: &SweepView) -> String {
    let best_fixed = view.best_fixed();
    let mut chosen: Vec<(String, &TrialView)> = Vec::new();
    chosen.extend(view.baseline.iter().map(|one| ("baseline".to_owned(), one)));
    chosen.extend(best_fixed.map(|one| ("best fixed k".to_owned(), one)));
    for family in view.families() {
        let best = view.best(|trial| trial.family == family);
        if let Some(trial) =
            best.filter(|&best| !best_fixed.is_some_and(|fixed| std::ptr::eq(fixed, best)))
        {
            let role = match view.n_trials(family) {
                1 => family.to_owned(),
                n => format!("best of {n} {family}"),
            };
            chosen.push((role, trial));
        }
    }
    let mut lines = vec![
        "## The best of each decoder".to_owned(),
        String::new(),
        "| | trial | output | tokens/s | speedup (ratio of sums) | speedup (geometric mean over prompts) \
         | acceptance | tokens per forward | exact match | same text as baseline |"
            .to_owned(),
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|".to_owned(),
    ];
    for (role, trial) in &chosen {
        let Some(measures) = trial.measures() else {
            continue;
        };
        lines.push(format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            escaped(role),
            escaped(&trial.label),
            output(trial),
            number(measures.tokens_per_second, 1),
            optional_interval(measures.speedup, 2),
            optional_interval(measures.speedup_geometric, 2),
            optional_interval(measures.acceptance_rate, 3),
            number(measures.tokens_per_forward, 2),
            optional_interval(measures.exact_match, 2),
            optional_interval(measures.same_text, 2),
        ));
    }
    lines.push(String::new());
    lines.push(format!("n = {}; {}.", view.size(), intervals(view)));
    lines.join("\n")
}

/// One table per decoder entry with every trial that ran, in the order of the plan.
pub fn all(view: &SweepView) -> String {
    let mut sections = vec!["## All trials".to_owned()];
    sections.extend(view.unlisted());
    let listed = view.listed();
    for family in view.families() {
        let rows: Vec<String> = listed
            .iter()
            .filter(|trial| trial.family == family)
            .filter_map(|trial| Some(row(trial, trial.measures()?)))
            .collect();
        if rows.is_empty() {
            continue;
        }
        let projected = match &view.hardware_profile {
            Some(profile) => format!("projected for {}", escaped(profile)),
            None => "projected".to_owned(),
        };
        let header = format!(
            "| trial | output | tokens/s | speedup | {projected} | acceptance | block efficiency \
             | filled per forward | drafted | accepted | committed | exact match |\n\
             |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
        );
        let table = format!("{header}\n{}", rows.join("\n"));
        sections.push(format!("### {}", escaped(family)));
        sections.push(if rows.len() > MOST_OPEN_ROWS {
            let n = rows.len();
            format!("<details><summary>{n} trials</summary>\n\n{table}\n\n</details>")
        } else {
            table
        });
    }
    if listed.iter().all(|trial| trial.measures().is_none()) {
        sections.push("No trial ran.".to_owned());
    } else {
        sections.push(format!("n = {}; {}.", view.size(), intervals(view)));
    }
    sections.join("\n\n")
}

fn row(trial: &TrialView, measures: &Measures) -> String {
    let dropped = trial
        .dropped_after
        .map_or(String::new(), |n| format!(", dropped after {n} prompts"));
    format!(
        "| {}{dropped} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        escaped(&trial.label),
        output(trial),
        number(measures.tokens_per_second, 1),
        optional_interval(measures.speedup, 2),
        optional_number(measures.speedup_projected, 2),
        optional_interval(measures.acceptance_rate, 3),
        number(measures.block_efficiency, 2),
        optional_interval(measures.filled_per_forward, 2),
        measures.drafted,
        measures.accepted,
        measures.committed,
        optional_interval(measures.exact_match, 2),
    )
}

fn output(trial: &TrialView) -> &'static str {
    match (trial.lossless, trial.mode) {
        (true, Mode::Live) => "lossless",
        (true, Mode::Replay) => "lossless, replayed",
        (false, Mode::Live | Mode::Replay) => "**lossy**",
    }
}

fn intervals(view: &SweepView) -> String {
    let confidence = view
        .trials
        .iter()
        .filter_map(TrialView::speedup)
        .map(|interval| interval.confidence)
        .find(|&confidence| confidence < 1.0);
    match confidence {
        Some(confidence) => format!("brackets hold {} % intervals", super::percent(confidence)),
        None => "no intervals".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::view::DraftRule;
    use crate::report::small_view;

    #[test]
    fn of_too_many_trials_the_fastest_are_listed_in_the_order_of_the_plan() {
        // The slowest comes first, the fastest second.
        let trial = |place: usize| {
            let speedup = [0.5, 3.0].get(place).copied().unwrap_or(1.0);
            let label = format!("trial {place:04}");
            let mut trial = small_view::trial(&label, DraftRule::Entropy, speedup, vec![1.0]);
            trial.family = "grid".to_owned();
            trial
        };
        let few = small_view::view((0..3_000).map(trial).collect());
        assert_eq!((few.listed().len(), few.unlisted()), (3_000, None));
        let many = small_view::view((0..3_001).map(trial).collect());
        let listed: Vec<&str> = many.listed().iter().map(|trial| &*trial.label).collect();
        assert_eq!(listed.len(), 3_000);
        assert_eq!(listed[..2], ["trial 0001", "trial 0002"]);
        let text = all(&many);
        assert!(text.contains("The fastest 3000 of 3001 trials are listed"));
        assert!(!text.contains("trial 0000"));
    }
}
