//! Tables with a row per trial.

use std::collections::HashSet;

use super::best::best_within_noise;
use super::columns::{
    ACCEPTANCE, AGREEMENT, ENTRY, EXACT_MATCH, GEOMETRIC, OUTPUT, PROJECTED, SAME_TEXT, SPEEDUP,
    TOKENS_PER_FORWARD, TOKENS_PER_SECOND, TRIAL, figure, text,
};
use super::words::{LOSSY, intervals, label, output, row};
use super::{Cell, Row, TableView, Value};
use crate::analysis::view::{DraftRule, SweepView, TrialKind, TrialView};
use crate::stats::bootstrap::Bootstrap;

fn speedup_cell(trial: &TrialView, best: &HashSet<String>) -> Cell {
    Cell {
        value: Value::interval(trial.speedup(), 2),
        is_best: best.contains(&trial.label),
    }
}

/// Baseline, best fixed k, and the fastest trial of every decoder entry.
pub fn main(view: &SweepView, bootstrap: &Bootstrap) -> TableView {
    let shown: Vec<&TrialView> = view.baseline.iter().chain(view.chosen()).collect();
    let competitors: Vec<&TrialView> = shown
        .iter()
        .copied()
        .filter(|trial| trial.lossless && trial.dropped_after.is_none())
        .filter(|trial| trial.kind != TrialKind::Speculative(DraftRule::Reference))
        .collect();
    let (best, criterion) = best_within_noise(&competitors, bootstrap);
    let rows = shown.iter().filter_map(|trial| {
        let measures = trial.measures()?;
        Some(row(
            trial,
            vec![
                label(trial).into(),
                Value::Text(trial.family.clone()).into(),
                output(trial).into(),
                Value::number(Some(measures.tokens_per_second), 1).into(),
                speedup_cell(trial, &best),
                Value::interval(measures.speedup_geometric, 2).into(),
                Value::number(measures.speedup_projected, 2).into(),
                Value::interval(measures.acceptance_rate, 3).into(),
                Value::number(Some(measures.tokens_per_forward), 2).into(),
                Value::interval(measures.exact_match, 2).into(),
                Value::interval(measures.same_text, 2).into(),
            ],
        ))
    });
    TableView {
        id: "main",
        title: "The best of each decoder",
        caption: format!(
            "The baseline, the best fixed draft length, and the fastest trial of every decoder entry, \
             picked on the prompts that they are measured on. {} {} {LOSSY}",
            intervals(view),
            criterion.words("lossless trial (but for oracle and random drafts)"),
        ),
        columns: vec![
            TRIAL,
            ENTRY,
            OUTPUT,
            TOKENS_PER_SECOND,
            SPEEDUP,
            GEOMETRIC,
            PROJECTED,
            ACCEPTANCE,
            TOKENS_PER_FORWARD,
            EXACT_MATCH,
            SAME_TEXT,
        ],
        rows: rows.collect(),
    }
}

/// Every window decoder, which a speed alone does not describe.
pub fn window(view: &SweepView, bootstrap: &Bootstrap) -> TableView {
    let shown: Vec<&TrialView> = view
        .trials
        .iter()
        .filter(|trial| trial.kind == TrialKind::Window)
        .collect();
    let (best, criterion) = best_within_noise(&shown, bootstrap);
    let rows = shown.iter().filter_map(|trial| {
        let measures = trial.measures()?;
        Some(row(
            trial,
            vec![
                label(trial).into(),
                output(trial).into(),
                speedup_cell(trial, &best),
                Value::interval(measures.acceptance_rate, 3).into(),
                Value::interval(measures.filled_per_forward, 2).into(),
                Value::number(Some(measures.tokens_per_forward), 2).into(),
                Value::interval(measures.exact_match, 2).into(),
                Value::interval(measures.same_text, 2).into(),
            ],
        ))
    });
    TableView {
        id: "window",
        title: "Window decoders",
        caption: format!(
            "Every window decoder. Agreement: share of committed tokens that the window model would have \
             chosen autoregressively. {} {} {LOSSY}",
            intervals(view),
            criterion.words("window decoder, whatever its quality"),
        ),
        columns: vec![
            TRIAL,
            OUTPUT,
            SPEEDUP,
            AGREEMENT,
            figure(
                "filled/forward",
                "trials.parquet: filled_per_forward, filled_per_forward_low, filled_per_forward_high",
            ),
            TOKENS_PER_FORWARD,
            EXACT_MATCH,
            SAME_TEXT,
        ],
        rows: rows.collect(),
    }
}

/// Every trial that ran.
pub fn all(view: &SweepView) -> TableView {
    let rows = view.listed().into_iter().filter_map(|trial| {
        let measures = trial.measures()?;
        Some(row(
            trial,
            vec![
                label(trial).into(),
                Value::Text(trial.family.clone()).into(),
                output(trial).into(),
                Value::number(Some(measures.tokens_per_second), 1).into(),
                Value::interval(trial.speedup(), 2).into(),
                Value::number(measures.speedup_projected, 2).into(),
                Value::interval(measures.acceptance_rate, 3).into(),
                Value::number(Some(measures.block_efficiency), 2).into(),
                Value::Count(measures.drafted).into(),
                Value::Count(measures.accepted).into(),
                Value::Count(measures.committed).into(),
                Value::interval(measures.exact_match, 2).into(),
            ],
        ))
    });
    TableView {
        id: "all",
        title: "All trials",
        caption: format!(
            "{} {} {LOSSY}",
            view.unlisted()
                .unwrap_or_else(|| "Every trial that ran, in the order of the plan.".to_owned()),
            intervals(view)
        ),
        columns: vec![
            TRIAL,
            ENTRY,
            OUTPUT,
            TOKENS_PER_SECOND,
            SPEEDUP,
            PROJECTED,
            ACCEPTANCE,
            figure("block efficiency", "trials.parquet: block_efficiency"),
            figure("drafted", "trials.parquet: drafted"),
            figure("accepted", "trials.parquet: accepted"),
            figure("committed", "trials.parquet: committed"),
            EXACT_MATCH,
        ],
        rows: rows.collect(),
    }
}

/// Trials without numbers.
pub fn failures(view: &SweepView) -> TableView {
    let rows = view
        .baseline
        .iter()
        .chain(&view.trials)
        .filter_map(|trial| {
            let error = trial.result.as_ref().err()?;
            let cells = vec![label(trial).into(), Value::Text(error.clone()).into()];
            Some(Row {
                cells,
                is_lossy: false,
            })
        });
    TableView {
        id: "failures",
        title: "Failed trials",
        caption: "Trials without numbers, and why.".to_owned(),
        columns: vec![TRIAL, text("error", "trials.parquet: error")],
        rows: rows.collect(),
    }
}
