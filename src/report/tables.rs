//! The tables of a report, before they become HTML, LaTeX or Markdown: what stands in each cell, and from which
//! file and column it comes.

use self::parts::{categories, fills, replay};
use self::trials::{all, failures, main, window};
use crate::analysis::view::{SweepView, finite};
use crate::report::number;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;

mod best;
mod columns;
mod drafts;
mod metrics;
mod parts;
mod trials;
mod verdicts;
mod words;

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
    /// A piece of a model's text, to be shown as it is.
    Code(String),
    Count(u64),
    Number {
        value: f64,
        decimals: usize,
    },
    Interval {
        value: Interval,
        decimals: usize,
    },
    Nothing,
}

impl Value {
    /// As it is printed, without markup.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Code(text) => number::printable(text),
            Self::Count(count) => count.to_string(),
            Self::Number { value, decimals } => number::number(*value, *decimals),
            Self::Interval { value, decimals } => number::interval(value, *decimals),
            Self::Nothing => number::NOTHING.to_owned(),
        }
    }

    /// What a table is sorted by; none for text and for what is missing.
    pub fn sort_key(&self) -> Option<f64> {
        let key = match self {
            Self::Text(_) | Self::Code(_) | Self::Nothing => return None,
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

/// Tables with at least one row, in reading order. `bootstrap` says which trials are best within noise.
pub fn tables(view: &SweepView, bootstrap: &Bootstrap) -> Vec<TableView> {
    let tables = [
        main(view, bootstrap),
        categories(view),
        window(view, bootstrap),
        verdicts::verdicts(view),
        metrics::acceptance(view),
        metrics::cost(view),
        metrics::latency(view),
        metrics::forwards(view),
        metrics::tuned(view),
        drafts::hazard(view),
        drafts::by_entropy(view),
        drafts::signals(view),
        drafts::shapes(view),
        drafts::rejections(view),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::view::{DraftRule, TrialKind};
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
