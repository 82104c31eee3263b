//! Rows to parquet files, each written beside its place and then renamed.

use std::fs::File;
use std::path::{Path, PathBuf};

use polars::prelude::{Column, DataFrame};
use polars_io::parquet::write::ParquetWriter;

use crate::record::schema::{GenerationRecord, PositionRecord, RoundRecord, TrialRecord};

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

fn index(value: &usize) -> u64 {
    *value as u64
}

/// # Errors
/// When the file cannot be written.
pub fn write_generations(path: &Path, rows: &[GenerationRecord]) -> Result<(), WriteError> {
    let columns = columns!(rows,
        trial_id: text, prompt: index, item_id: text, category: text, repeat: index,
        prompt_len: index, wall_ns: u64::clone, latency_ns: u64::clone, prefill_ns: u64::clone,
        draft_ns: u64::clone, verify_ns: u64::clone, policy_ns: u64::clone, rounds: u64::clone, drafted: u64::clone,
        tested: u64::clone, accepted: u64::clone, committed: u64::clone, filled: u64::clone,
        drafter_forwards: u64::clone, verifier_forwards: u64::clone,
        drafter_token_instances: u64::clone, token_instances: u64::clone,
        forced_mask_commits: u64::clone, agreed: Option::clone, verifier_agreed: Option::clone,
        finished_by: text,
        is_correct: Option::clone, text_hash: text, text: text, error: Option::clone,
    );
    write(path, columns)
}

/// # Errors
/// When the file cannot be written.
pub fn write_rounds(path: &Path, rows: &[RoundRecord]) -> Result<(), WriteError> {
    let columns = columns!(rows,
        trial_id: text, prompt: index, round: index, context_len: index, draft_len: index,
        tested: index, accepted: index, committed: index, filled: index,
        drafter_forwards: index, n_rows: index, stopped_by: text, wall_ns: u64::clone,
        draft_ns: u64::clone, verify_ns: u64::clone, policy_ns: u64::clone,
    );
    write(path, columns)
}

/// # Errors
/// When the file cannot be written.
pub fn write_positions(path: &Path, rows: &[PositionRecord]) -> Result<(), WriteError> {
    let columns = columns!(rows,
        trial_id: text, prompt: index, round: index, slot: index, position: u32::clone,
        distance: u32::clone, token: u32::clone, entropy_nats: f64::clone, adjusted_nats: f64::clone, top1: f64::clone,
        margin: f64::clone, outcome: text, agrees: Option::clone, verifier_agrees: Option::clone,
    );
    write(path, columns)
}

/// Axes become columns of their own, under their path in the sweep file.
///
/// # Errors
/// When the file cannot be written.
pub fn write_trials(path: &Path, rows: &[TrialRecord]) -> Result<(), WriteError> {
    let mut columns = columns!(rows,
        trial_id: text, label: text, names: text, family: text, kind: text, config: text,
        is_lossless: bool::clone, mode: text, n_prompts: u64::clone, n_repeats: u64::clone,
        drafted: u64::clone, tested: u64::clone, accepted: u64::clone, committed: u64::clone,
        filled: u64::clone, rounds: u64::clone, drafter_forwards: u64::clone,
        verifier_forwards: u64::clone, token_instances: u64::clone,
        tokens_per_second: Option::clone, speedup: Option::clone, speedup_low: Option::clone,
        speedup_high: Option::clone, speedup_projected: Option::clone,
        acceptance_rate: Option::clone, acceptance_rate_low: Option::clone,
        acceptance_rate_high: Option::clone, acceptance_rate_tested: Option::clone,
        mean_draft_len: Option::clone, block_efficiency: Option::clone,
        tokens_per_forward: Option::clone, cache_efficiency: Option::clone,
        exact_match: Option::clone, exact_match_low: Option::clone,
        exact_match_high: Option::clone, same_text: Option::clone, error: Option::clone,
    );
    let axes: Vec<&String> = rows
        .first()
        .into_iter()
        .flat_map(|row| &row.axes)
        .map(|(name, _)| name)
        .collect();
    for (place, name) in axes.into_iter().enumerate() {
        let values: Vec<Option<String>> =
            rows.iter().map(|row| row.axes[place].1.clone()).collect();
        columns.push(Column::new(name.as_str().into(), values));
    }
    write(path, columns)
}

fn write(path: &Path, columns: Vec<Column>) -> Result<(), WriteError> {
    let temporary = path.with_extension("parquet.tmp");
    let height = columns.first().map_or(0, Column::len);
    let result = DataFrame::new(height, columns)
        .map_err(|error| error.to_string())
        .and_then(|mut frame| {
            let file = File::create(&temporary).map_err(|error| error.to_string())?;
            ParquetWriter::new(&file)
                .finish(&mut frame)
                .map_err(|error| error.to_string())?;
            file.sync_all().map_err(|error| error.to_string())?;
            std::fs::rename(&temporary, path).map_err(|error| error.to_string())
        });
    result.map_err(|reason| WriteError::new(path, reason))
}
