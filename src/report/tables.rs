//! The tables of a report, before they become HTML or LaTeX: what stands in each cell, and from which
//! file and column it comes.

use std::collections::HashSet;

use crate::analysis::view::{DraftRule, FillGroup, SweepView, TrialKind, TrialView, finite};
use crate::record::schema::Mode;
use crate::report::number;
use crate::report::verdict::{Call, compare};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;

/// One table. Every row has a cell for every column.
#[derive(Debug, Clone, PartialEq)]
pub struct TableView {
    /// Short and unique, for file names and anchors.
    pub id: &'static str,
    pub title: &'static str,
    /// What the reader must know of all numbers.
    pub caption: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    pub title: &'static str,
    /// File and columns that the numbers come from.
    pub source: &'static str,
    pub is_number: bool,
    /// Whether it is in the LaTeX table as well, whose lines are short.
    pub is_printed: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub cells: Vec<Cell>,
    /// The output distribution is not provably the verifier's.
    pub is_lossy: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    pub value: Value,
    /// Among the best within noise, as the caption defines it.
    pub is_best: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Count(u64),
    Number { value: f64, decimals: usize },
    Interval { value: Interval, decimals: usize },
    Nothing,
}

impl Value {
    /// As it is printed, without markup.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => number::printable(text),
            Self::Count(count) => count.to_string(),
            Self::Number { value, decimals } => number::number(*value, *decimals),
            Self::Interval { value, decimals } => number::interval(value, *decimals),
            Self::Nothing => number::NOTHING.to_owned(),
        }
    }

    /// What a table is sorted by; none for text and for what is missing.
    pub fn sort_key(&self) -> Option<f64> {
        let key = match self {
            Self::Text(_) | Self::Nothing => return None,
            Self::Count(count) => *count as f64,
            Self::Number { value, .. } => *value,
            Self::Interval { value, .. } => value.estimate,
        };
        key.is_finite().then_some(key)
    }

    fn interval(value: Option<Interval>, decimals: usize) -> Self {
        finite(value).map_or(Self::Nothing, |value| Self::Interval { value, decimals })
    }

    fn number(value: Option<f64>, decimals: usize) -> Self {
        let finite = value.filter(|value| value.is_finite());
        finite.map_or(Self::Nothing, |value| Self::Number { value, decimals })
    }
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        Self {
            value,
            is_best: false,
        }
    }
}

const fn text(title: &'static str, source: &'static str) -> Column {
    Column {
        title,
        source,
        is_number: false,
        is_printed: true,
    }
}

const fn figure(title: &'static str, source: &'static str) -> Column {
    Column {
        is_number: true,
        ..text(title, source)
    }
}

const fn on_screen(column: Column) -> Column {
    Column {
        is_printed: false,
        ..column
    }
}

const TRIAL: Column = text("trial", "trials.parquet: label");
const ENTRY: Column = on_screen(text("decoder entry", "trials.parquet: family"));
const OUTPUT: Column = on_screen(text("output", "trials.parquet: is_lossless, mode, note"));
const TOKENS_PER_SECOND: Column = figure("tokens/s", "trials.parquet: tokens_per_second");
const SPEEDUP: Column = figure(
    "speedup",
    "trials.parquet: speedup, speedup_low, speedup_high",
);
const GEOMETRIC: Column = on_screen(figure(
    "geometric mean",
    "trials.parquet: speedup_geometric, speedup_geometric_low, speedup_geometric_high",
));
const PROJECTED: Column = on_screen(figure("projected", "trials.parquet: speedup_projected"));
const ACCEPTANCE: Column = figure(
    "acceptance",
    "trials.parquet: acceptance_rate, acceptance_rate_low, acceptance_rate_high",
);
const AGREEMENT: Column = Column {
    title: "agreement",
    ..ACCEPTANCE
};
const TOKENS_PER_FORWARD: Column = figure("tokens/forward", "trials.parquet: tokens_per_forward");
const EXACT_MATCH: Column = figure(
    "exact match",
    "trials.parquet: exact_match, exact_match_low, exact_match_high",
);
const SAME_TEXT: Column = on_screen(figure(
    "same text",
    "trials.parquet: same_text, same_text_low, same_text_high",
));

/// Tables with at least one row, in reading order. `bootstrap` says which trials are best within noise.
pub fn tables(view: &SweepView, bootstrap: &Bootstrap) -> Vec<TableView> {
    let tables = [
        main(view, bootstrap),
        categories(view),
        window(view, bootstrap),
        fills(view),
        replay(view),
        all(view),
        failures(view),
    ];
    tables
        .into_iter()
        .filter(|table| !table.rows.is_empty())
        .map(without_empty_columns)
        .collect()
}

/// A column without a single number, because nothing of the kind was measured, only takes room.
fn without_empty_columns(mut table: TableView) -> TableView {
    let is_kept: Vec<bool> = (0..table.columns.len())
        .map(|place| {
            let mut rows = table.rows.iter();
            rows.any(|row| row.cells[place].value != Value::Nothing)
        })
        .collect();
    let mut kept = is_kept.iter();
    table.columns.retain(|_| kept.next() == Some(&true));
    for row in &mut table.rows {
        let mut kept = is_kept.iter();
        row.cells.retain(|_| kept.next() == Some(&true));
    }
    table
}

/// What is said of intervals and of their n.
fn intervals(view: &SweepView) -> String {
    let mut known = view.trials.iter().filter_map(TrialView::speedup);
    let confidence = known.find(|interval| interval.confidence < 1.0);
    let brackets = confidence.map_or(String::new(), |interval| {
        let percent = (interval.confidence * 1000.0).round() / 10.0;
        format!(" Brackets hold {percent} % intervals over prompts.")
    });
    format!("n = {}.{brackets}", view.size())
}

const LOSSY: &str = "A tilde (~) marks lossy output: not provably the verifier's distribution.";

fn row(trial: &TrialView, cells: Vec<Cell>) -> Row {
    Row {
        cells,
        is_lossy: !trial.lossless,
    }
}

fn output(trial: &TrialView) -> Value {
    let mut words = vec![if trial.lossless { "lossless" } else { "lossy" }.to_owned()];
    if trial.mode == Mode::Replay {
        words.push("replayed".to_owned());
    }
    words.extend(
        trial
            .dropped_after
            .map(|n| format!("dropped after {n} prompts")),
    );
    Value::Text(words.join(", "))
}

fn label(trial: &TrialView) -> Value {
    Value::Text(trial.label.clone())
}

/// The fastest of `competitors` and all of them that it does not beat, by label: the paired bootstrap
/// over prompts of the verdict. Where the times of single prompts are not known, intervals that overlap
/// decide.
fn best_within_noise(
    competitors: &[&TrialView],
    bootstrap: &Bootstrap,
) -> (HashSet<String>, Criterion) {
    let speedup = |trial: &TrialView| trial.speedup();
    let fastest = competitors
        .iter()
        .filter_map(|trial| Some((*trial, speedup(trial)?)))
        .max_by(|(_, one), (_, other)| one.estimate.total_cmp(&other.estimate));
    let Some((fastest, best)) = fastest else {
        return (HashSet::new(), Criterion::Paired);
    };
    let mut criterion = Criterion::Paired;
    let mut level = HashSet::from([fastest.label.clone()]);
    for trial in competitors
        .iter()
        .filter(|trial| trial.label != fastest.label)
    {
        let Some(own) = speedup(trial) else {
            continue;
        };
        let is_level = match compare(fastest, trial, bootstrap) {
            Ok(verdict) => match verdict.call {
                Call::Faster => false,
                Call::Slower | Call::NotDistinguishable => true,
                Call::TooFewPrompts => verdict.ratio.low <= 1.0,
            },
            Err(_) => {
                criterion = Criterion::Overlap;
                own.high >= best.low
            }
        };
        if is_level {
            level.insert(trial.label.clone());
        }
    }
    (level, criterion)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Criterion {
    Paired,
    Overlap,
}

impl Criterion {
    fn words(self, of: &str) -> String {
        match self {
            Self::Paired => format!(
                "Bold: the fastest {of} and all whose paired bootstrap over prompts does not tell them \
                 from it."
            ),
            Self::Overlap => {
                format!("Bold: the fastest {of} and all whose interval overlaps with its own.")
            }
        }
    }
}

fn speedup_cell(trial: &TrialView, best: &HashSet<String>) -> Cell {
    Cell {
        value: Value::interval(trial.speedup(), 2),
        is_best: best.contains(&trial.label),
    }
}

/// Baseline, best fixed k, and the fastest trial of every decoder entry.
fn main(view: &SweepView, bootstrap: &Bootstrap) -> TableView {
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

/// Per category of prompts: the trials of the main table.
fn categories(view: &SweepView) -> TableView {
    let mut rows = Vec::new();
    for category in &view.details.categories {
        let fastest = category
            .trials
            .iter()
            .filter(|trial| trial.lossless && !is_reference(view, &trial.label))
            .filter_map(|trial| finite(trial.speedup))
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
                    Value::Text(category.name.clone()).into(),
                    Value::Count(category.n_prompts as u64).into(),
                    Value::Text(trial.label.clone()).into(),
                    Cell {
                        value: Value::interval(trial.speedup, 2),
                        is_best,
                    },
                    Value::interval(trial.against_fixed, 2).into(),
                    Value::interval(trial.acceptance_rate, 3).into(),
                    Value::interval(trial.exact_match, 2).into(),
                ],
            });
        }
    }
    TableView {
        id: "categories",
        title: "By category of prompts",
        caption: format!(
            "The same trials on each category of prompts. {} {} {LOSSY}",
            intervals(view),
            Criterion::Overlap
                .words("lossless trial of the category (but for oracle and random drafts)"),
        ),
        columns: vec![
            text("category", "generations.parquet: category"),
            figure(
                "prompts",
                "generations.parquet: prompt, counted by category",
            ),
            TRIAL,
            figure(
                "speedup",
                "generations.parquet: wall_ns, baseline over trial, by category",
            ),
            figure(
                "over best fixed k",
                "generations.parquet: wall_ns, best fixed draft length over trial, by category",
            ),
            figure(
                "acceptance",
                "generations.parquet: accepted / drafted (window decoders: agreed / committed)",
            ),
            figure("exact match", "generations.parquet: is_correct"),
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

/// Every window decoder, which a speed alone does not describe.
fn window(view: &SweepView, bootstrap: &Bootstrap) -> TableView {
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

/// How good filled tokens are, by entropy and by distance.
fn fills(view: &SweepView) -> TableView {
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
            "Filled and committed tokens of the fastest window trial of each decoder entry, by the entropy \
             at which they were filled and by how many positions they stood behind the first mask. {}",
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
fn replay(view: &SweepView) -> TableView {
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

/// Every trial that ran.
fn all(view: &SweepView) -> TableView {
    let rows = view.trials.iter().filter_map(|trial| {
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
            "Every trial that ran, in the order of the plan. {} {LOSSY}",
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

fn failures(view: &SweepView) -> TableView {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::small_view::{trial, twelve, view};

    fn bold(table: &TableView) -> Vec<String> {
        let is_bold = |row: &&Row| row.cells.iter().any(|cell| cell.is_best);
        let rows = table.rows.iter().filter(is_bold);
        rows.map(|row| row.cells[0].value.text()).collect()
    }

    #[test]
    fn every_row_has_a_cell_for_every_column() {
        let mut view = view(vec![
            trial("fixed k=4", DraftRule::FixedLength, 1.5, twelve(1.0)),
            trial("ebsd", DraftRule::Entropy, 1.65, twelve(1.1)),
        ]);
        view.trials[1].kind = TrialKind::Window;
        let tables = tables(&view, &Bootstrap::default());
        let ids: Vec<&str> = tables.iter().map(|table| table.id).collect();
        assert_eq!(ids, ["main", "window", "all"]);
        for table in &tables {
            for row in &table.rows {
                assert_eq!(row.cells.len(), table.columns.len(), "{}", table.id);
            }
        }
    }

    #[test]
    fn a_column_without_a_number_is_left_out() {
        let shown = view(vec![trial("k", DraftRule::FixedLength, 1.5, twelve(1.0))]);
        let tables = tables(&shown, &Bootstrap::default());
        let titles: Vec<&str> = tables[0]
            .columns
            .iter()
            .map(|column| column.title)
            .collect();
        assert!(titles.contains(&"speedup") && !titles.contains(&"projected"));
    }

    #[test]
    fn a_trial_that_is_always_ten_percent_slower_is_not_among_the_best() {
        // The intervals of 1.50 and 1.55 overlap, but on every prompt one is slower.
        let shown = view(vec![
            trial("slower", DraftRule::FixedLength, 1.5, twelve(1.0)),
            trial("faster", DraftRule::Entropy, 1.55, twelve(1.1)),
            trial("oracle", DraftRule::Reference, 1.9, twelve(1.4)),
        ]);
        let paired = main(&shown, &Bootstrap::default());
        assert_eq!(bold(&paired), ["faster"]);
        assert!(paired.caption.contains("paired bootstrap"));

        let mut without_times = shown;
        for trial in &mut without_times.trials {
            if let Ok(measures) = &mut trial.result {
                measures.prompt_ns.clear();
            }
        }
        let overlapping = main(&without_times, &Bootstrap::default());
        assert_eq!(bold(&overlapping), ["slower", "faster"]);
        assert!(overlapping.caption.contains("overlaps"));
    }

    #[test]
    fn a_missing_number_is_a_dash_without_a_key() {
        let nothing = Value::interval(Some(Interval::exact(f64::NAN)), 2);
        assert_eq!((nothing.text().as_str(), nothing.sort_key()), ("–", None));
    }
}
