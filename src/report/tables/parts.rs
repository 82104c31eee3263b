//! Tables of parts of trials: categories of prompts, filled slots, replay against live.

use super::best::Criterion;
use super::columns::{TRIAL, figure, on_screen, text};
use super::words::{LOSSY, intervals, label, row};
use super::{Cell, Row, TableView, Value};
use crate::analysis::view::{DraftRule, FillGroup, SweepView, TrialKind, finite};
use crate::stats::interval::Interval;

/// Per category of prompts: the trials of the main table.
pub fn categories(view: &SweepView) -> TableView {
    let mut rows = Vec::new();
    for category in &view.details.categories {
        let fastest = category
            .trials
            .iter()
            .filter(|trial| trial.lossless && !is_reference(view, &trial.label))
            .filter_map(|trial| finite(trial.speedup))
            .filter(Interval::is_bounded)
            .max_by(|one, other| one.estimate.total_cmp(&other.estimate));
        for trial in &category.trials {
            let competes = trial.lossless && !is_reference(view, &trial.label);
            let is_best = competes
                && finite(trial.speedup)
                    .zip(fastest)
                    .is_some_and(|(own, best)| own.high >= best.low);
            rows.push(Row {
                is_lossy: !trial.lossless,
                cells: vec![
                    Value::Text(format!("{} (n = {})", category.name, category.n_prompts)).into(),
                    Value::Text(trial.label.clone()).into(),
                    Cell {
                        value: Value::interval(trial.speedup, 2),
                        is_best,
                    },
                    Value::interval(trial.against_fixed, 2).into(),
                    Value::interval(trial.acceptance_rate, 3).into(),
                    Value::interval(trial.quality.score, 3).into(),
                    Value::interval(trial.quality.exact_match, 2).into(),
                    Value::interval(trial.quality.perplexity, 3).into(),
                ],
            });
        }
    }
    TableView {
        id: "categories",
        title: "By category of prompts",
        caption: format!(
            "The same trials on each category of prompts. Exact match has Wilson's interval. {} {} {LOSSY}",
            intervals(view),
            Criterion::Overlap
                .words("lossless trial of the category (but for oracle and random drafts)"),
        ),
        columns: vec![
            text(
                "category",
                "generations.parquet: category, and its number of prompts",
            ),
            TRIAL,
            figure(
                "speedup",
                "generations.parquet: wall_ns, baseline over trial (by category: categories.parquet: speedup)",
            ),
            figure(
                "over best fixed k",
                "generations.parquet: wall_ns, best fixed draft length over trial, by category",
            ),
            figure(
                "acceptance",
                "generations.parquet: accepted / drafted, of window decoders agreed / committed (by category: categories.parquet: acceptance_rate)",
            ),
            on_screen(figure(
                "score",
                "generations.parquet: score (by category: categories.parquet: score)",
            )),
            figure(
                "exact match",
                "generations.parquet: is_correct (by category: categories.parquet: exact_match)",
            ),
            on_screen(figure(
                "perplexity",
                "generations.parquet: log_prob_nats, committed (by category: categories.parquet: perplexity)",
            )),
        ],
        rows,
    }
}

fn is_reference(view: &SweepView, label: &str) -> bool {
    let kind = TrialKind::Speculative(DraftRule::Reference);
    view.trials
        .iter()
        .any(|trial| trial.label == label && trial.kind == kind)
}

/// How good filled tokens are, by entropy and by distance.
pub fn fills(view: &SweepView) -> TableView {
    let mut rows = Vec::new();
    for trial in view.chosen() {
        let Some(fills) = trial.measures().and_then(|one| one.fills.as_ref()) else {
            continue;
        };
        for (name, groups) in [
            ("entropy (nats)", &fills.by_entropy),
            ("distance", &fills.by_distance),
        ] {
            rows.extend(groups.iter().map(|group: &FillGroup| {
                row(
                    trial,
                    vec![
                        label(trial).into(),
                        Value::Text(name.to_owned()).into(),
                        Value::Text(group.name.clone()).into(),
                        Value::Count(group.n).into(),
                        Value::interval(group.agreed, 3).into(),
                        Value::interval(group.verifier_agreed, 3).into(),
                    ],
                )
            }));
        }
    }
    TableView {
        id: "fills",
        title: "What window decoders fill",
        caption: format!(
            "Filled and committed tokens of the fastest trial of each decoder entry, by the entropy at which \
             they were filled and by how many positions they stood behind the first mask. Own choice: the \
             window model would have chosen the same token autoregressively on the final text. Verifier's \
             choice: the verifier would have. Other trials: columns agrees and verifier_agrees of \
             positions.parquet. {} {LOSSY}",
            intervals(view)
        ),
        columns: vec![
            TRIAL,
            text("by", "positions.parquet: entropy_nats, distance"),
            text("bin", "positions.parquet: entropy_nats, distance"),
            figure("filled", "positions.parquet: outcome"),
            figure("own choice", "positions.parquet: agrees"),
            figure("verifier's choice", "positions.parquet: verifier_agrees"),
        ],
        rows,
    }
}

/// Predicted against measured speedups.
pub fn replay(view: &SweepView) -> TableView {
    let checked = view.replay.iter().flat_map(|check| &check.trials);
    let rows = checked.map(|trial| Row {
        is_lossy: false,
        cells: vec![
            Value::Text(trial.label.clone()).into(),
            Value::interval(Some(trial.predicted), 2).into(),
            Value::interval(Some(trial.measured), 2).into(),
        ],
    });
    TableView {
        id: "replay",
        title: "Replay against live",
        caption: format!(
            "Trials that were replayed and ran live as well. {}",
            intervals(view)
        ),
        columns: vec![
            TRIAL,
            figure(
                "predicted speedup",
                "trials.parquet: speedup of the row with mode = replay",
            ),
            figure(
                "measured speedup",
                "trials.parquet: speedup of the row with mode = live",
            ),
        ],
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::view::Fills;
    use crate::report::small_view::{trial, view};

    #[test]
    fn what_a_window_fills_is_told_by_entropy_and_by_distance() {
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
        let table = fills(&view(vec![window]));
        let texts: Vec<Vec<String>> = table
            .rows
            .iter()
            .map(|row| row.cells.iter().map(|cell| cell.value.text()).collect())
            .collect();
        let expected = [
            ["wedlm", "entropy (nats)", "below 0.01", "7", "0.500", "–"],
            ["wedlm", "distance", "0", "7", "0.500", "–"],
        ];
        assert_eq!(texts, expected);
        let other = trial("fixed", DraftRule::FixedLength, 1.5, vec![1.0; 12]);
        assert!(fills(&view(vec![other])).rows.is_empty());
    }
}
