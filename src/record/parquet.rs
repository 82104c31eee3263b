//! Rows to parquet files, each written beside its place and then renamed.

use std::fs::File;
use std::path::{Path, PathBuf};

use polars::prelude::{Column, DataFrame};
use polars_io::parquet::write::{BatchedWriter, ParquetWriter};

use crate::plan::shard::Shard;
use crate::record::digests::place;
use crate::record::schema::{
    CategoryRecord, Figures, GenerationRecord, Mode, PositionRecord, RoundRecord, SlotRecord,
    TrialRecord,
};

/// A table that could not be written, with its path.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be written: {reason}; free some space or choose another folder with --out", path.display())]
pub struct WriteError {
    pub path: PathBuf,
    pub reason: String,
}

impl WriteError {
    pub fn new(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self {
            path: path.to_path_buf(),
            reason: reason.to_string(),
        }
    }
}

/// One column per field: the field's value of every row.
macro_rules! columns {
    ($rows:expr, $($field:ident: $convert:expr),+ $(,)?) => {
        vec![$(Column::new(
            stringify!($field).into(),
            $rows.iter().map(|row| $convert(&row.$field)).collect::<Vec<_>>(),
        )),+]
    };
}

fn text(value: &str) -> String {
    value.to_string()
}

fn name(value: &Mode) -> String {
    value.name().to_string()
}

fn shard(value: &Option<Shard>) -> Option<String> {
    value.map(|shard| shard.to_string())
}

fn index(value: &usize) -> u64 {
    *value as u64
}

/// A file that grows by rows; it appears in its place when it is finished.
pub struct TableFile<R> {
    path: PathBuf,
    temporary: PathBuf,
    writer: BatchedWriter<File>,
    columns: fn(&[R]) -> Vec<Column>,
    waiting: Vec<R>,
}

/// Rows that are written at a time.
const ROW_GROUP: usize = 50_000;

impl<R> TableFile<R> {
    fn create(path: &Path, columns: fn(&[R]) -> Vec<Column>) -> Result<Self, WriteError> {
        let temporary = path.with_extension("parquet.tmp");
        let fail = |error: &dyn std::fmt::Display| WriteError::new(path, error);
        let empty = DataFrame::new(0, columns(&[])).map_err(|error| fail(&error))?;
        let file = File::create(&temporary).map_err(|error| fail(&error))?;
        let writer = ParquetWriter::new(file)
            .batched(empty.schema())
            .map_err(|error| fail(&error))?;
        Ok(Self {
            path: path.to_path_buf(),
            temporary,
            writer,
            columns,
            waiting: Vec::new(),
        })
    }

    /// # Errors
    /// When the file cannot be written.
    pub fn extend(&mut self, rows: impl IntoIterator<Item = R>) -> Result<(), WriteError> {
        for row in rows {
            self.waiting.push(row);
            if self.waiting.len() == ROW_GROUP {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let columns = (self.columns)(&self.waiting);
        let written = DataFrame::new(self.waiting.len(), columns)
            .and_then(|frame| self.writer.write_batch(&frame));
        self.waiting.clear();
        written.map_err(|error| WriteError::new(&self.path, error))
    }

    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<(), WriteError> {
        if !self.waiting.is_empty() {
            self.flush()?;
        }
        let finished = self.writer.finish();
        finished.map_err(|error| WriteError::new(&self.path, error))?;
        place(&self.temporary, &self.path)
    }
}

/// # Errors
/// When the file cannot be created.
pub fn generations_file(path: &Path) -> Result<TableFile<GenerationRecord>, WriteError> {
    TableFile::create(path, |rows| {
        columns!(rows,
        trial_id: text, mode: name, shard: shard, prompt: index, item_id: text, category: text, repeat: index,
        prompt_len: index, wall_ns: u64::clone, latency_ns: u64::clone, prefill_ns: u64::clone,
        draft_ns: u64::clone, verify_ns: u64::clone, policy_ns: u64::clone, rounds: u64::clone, drafted: u64::clone,
        tested: u64::clone, accepted: u64::clone, committed: u64::clone, filled: u64::clone,
        drafter_forwards: u64::clone, verifier_forwards: u64::clone,
        drafter_token_instances: u64::clone, token_instances: u64::clone,
        forced_mask_commits: u64::clone, shared_forwards: u64::clone, verifier_flops: Option::clone, drafter_flops: Option::clone,
        wasted_flops: Option::clone, log_prob_nats: Option::clone, perplexity: Option::clone,
        agreed: Option::clone, verifier_agreed: Option::clone,
        finished_by: text,
        is_correct: Option::clone, score: Option::clone, text_hash: text, text: text, error: Option::clone,
        )
    })
}

/// # Errors
/// When the file cannot be created.
pub fn rounds_file(path: &Path) -> Result<TableFile<RoundRecord>, WriteError> {
    TableFile::create(path, |rows| {
        columns!(rows,
        trial_id: text, prompt: index, round: index, context_len: index, draft_len: index,
        tested: index, accepted: index, committed: index, filled: index,
        drafter_forwards: index, n_rows: index, stopped_by: text, wall_ns: u64::clone,
        draft_ns: u64::clone, verify_ns: u64::clone, policy_ns: u64::clone,
        )
    })
}

/// # Errors
/// When the file cannot be created.
pub fn positions_file(path: &Path) -> Result<TableFile<PositionRecord>, WriteError> {
    TableFile::create(path, |rows| {
        let mut columns = columns!(rows,
        trial_id: text, prompt: index, round: index, slot: index, position: u32::clone,
        distance: u32::clone, token: u32::clone, entropy_nats: f64::clone, adjusted_nats: f64::clone, top1: f64::clone,
        margin: f64::clone, outcome: text, text: text, text_before: Option::clone,
        verifier_text: Option::clone, agrees: Option::clone, verifier_agrees: Option::clone,
        );
        columns.extend(slot_columns(rows));
        columns
    })
}

/// What a look back saw, a column per number.
fn slot_columns(rows: &[PositionRecord]) -> Vec<Column> {
    let column = |name: &str, field: fn(&SlotRecord) -> f64| {
        let values = rows.iter().map(|row| row.seen.as_ref().map(field));
        Column::new(name.into(), values.collect::<Vec<_>>())
    };
    vec![
        column("shannon_nats", |seen| seen.shannon_nats),
        column("renyi_2_nats", |seen| seen.renyi_2_nats),
        column("tsallis_2", |seen| seen.tsallis_2),
        column("topk_10_nats", |seen| seen.topk_10_nats),
        column("min_nats", |seen| seen.min_nats),
        column("varentropy_nats2", |seen| seen.varentropy_nats2),
        column("overlap", |seen| seen.overlap),
    ]
}

/// One column per name of the first row; every row has the same ones.
fn figure_columns<'r>(rows: impl Iterator<Item = &'r Figures>) -> Vec<Column> {
    let rows: Vec<&Figures> = rows.collect();
    let names = rows.first().map_or(&[][..], |figures| figures.names());
    let is_alike = |figures: &&Figures| figures.names() == names;
    assert!(rows.iter().all(is_alike), "every row has the same figures");
    names
        .iter()
        .enumerate()
        .map(|(place, name)| {
            let values = rows.iter().map(|figures| figures.values()[place]);
            Column::new(name.as_str().into(), values.collect::<Vec<_>>())
        })
        .collect()
}

/// A row per trial and category.
///
/// # Errors
/// When the file cannot be written.
pub fn write_categories(path: &Path, rows: &[CategoryRecord]) -> Result<(), WriteError> {
    let mut columns = columns!(rows,
        trial_id: text, label: text, family: text, category: text, n_prompts: u64::clone,
        drafted: u64::clone, tested: u64::clone, accepted: u64::clone, committed: u64::clone,
    );
    columns.extend(figure_columns(rows.iter().map(|row| &row.figures)));
    write(path, columns)
}

/// The values as numbers, if they all are; the `none` of a threshold becomes a null.
fn numbers(values: &[Option<String>]) -> Option<Vec<Option<f64>>> {
    let mut numbers = Vec::with_capacity(values.len());
    for value in values {
        numbers.push(match value.as_deref() {
            None | Some("none") => None,
            Some(text) => Some(text.parse::<f64>().ok()?),
        });
    }
    numbers.iter().any(Option::is_some).then_some(numbers)
}

/// Axes become columns of their own, under their path in the sweep file; numbers where all values are.
///
/// # Errors
/// When the file cannot be written.
pub fn write_trials(path: &Path, rows: &[TrialRecord]) -> Result<(), WriteError> {
    let mut columns = columns!(rows,
        trial_id: text, label: text, names: text, family: text, kind: text, config: text,
        is_lossless: bool::clone, mode: text, shard: shard, n_prompts: u64::clone, n_repeats: u64::clone,
        drafted: u64::clone, tested: u64::clone, accepted: u64::clone, committed: u64::clone,
        filled: u64::clone, shared_forwards: u64::clone, rounds: u64::clone, drafter_forwards: u64::clone,
        verifier_forwards: u64::clone, token_instances: u64::clone,
        tokens_per_second: Option::clone, speedup: Option::clone, speedup_low: Option::clone,
        speedup_high: Option::clone, speedup_geometric: Option::clone,
        speedup_geometric_low: Option::clone, speedup_geometric_high: Option::clone,
        speedup_projected: Option::clone,
        acceptance_rate: Option::clone, acceptance_rate_low: Option::clone,
        acceptance_rate_high: Option::clone, acceptance_rate_tested: Option::clone,
        mean_draft_len: Option::clone, block_efficiency: Option::clone,
        tokens_per_forward: Option::clone, filled_per_forward: Option::clone,
        filled_per_forward_low: Option::clone, filled_per_forward_high: Option::clone,
        cache_efficiency: Option::clone,
        exact_match: Option::clone, exact_match_low: Option::clone,
        exact_match_high: Option::clone, same_text: Option::clone, same_text_low: Option::clone,
        same_text_high: Option::clone, draft_lens: Option::clone, note: Option::clone, error: Option::clone,
    );
    columns.extend(figure_columns(rows.iter().map(|row| &row.figures)));
    let axes: Vec<&String> = rows
        .first()
        .into_iter()
        .flat_map(|row| &row.axes)
        .map(|(name, _)| name)
        .collect();
    for (place, name) in axes.into_iter().enumerate() {
        let values: Vec<Option<String>> =
            rows.iter().map(|row| row.axes[place].1.clone()).collect();
        columns.push(match numbers(&values) {
            Some(numbers) => Column::new(name.as_str().into(), numbers),
            None => Column::new(name.as_str().into(), values),
        });
    }
    write(path, columns)
}

pub(super) fn write(path: &Path, columns: Vec<Column>) -> Result<(), WriteError> {
    let temporary = path.with_extension("parquet.tmp");
    let height = columns.first().map_or(0, Column::len);
    let written = DataFrame::new(height, columns)
        .map_err(|error| error.to_string())
        .and_then(|mut frame| {
            let file = File::create(&temporary).map_err(|error| error.to_string())?;
            let finished = ParquetWriter::new(file).finish(&mut frame);
            finished.map_err(|error| error.to_string())
        });
    written.map_err(|reason| WriteError::new(path, reason))?;
    place(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[Option<&str>]) -> Option<Vec<Option<f64>>> {
        let values: Vec<Option<String>> = values.iter().map(|v| v.map(str::to_owned)).collect();
        numbers(&values)
    }

    #[test]
    fn an_axis_is_numeric_when_all_its_values_are() {
        assert_eq!(
            column(&[Some("0.5"), None, Some("none"), Some("2")]),
            Some(vec![Some(0.5), None, None, Some(2.0)])
        );
        assert_eq!(column(&[Some("0.5"), Some("renyi")]), None);
        assert_eq!(column(&[None, None]), None);
    }
}
