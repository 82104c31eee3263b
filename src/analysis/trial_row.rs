//! The row of a trial in `trials.parquet`.

use crate::analysis::measured::Measured;
use crate::analysis::summary::{ratio, sum};
use crate::analysis::view::Measures;
use crate::config::decoder::DecoderSpec;
use crate::plan::Trial;
use crate::record::schema::{Mode, TrialRecord};

/// Every axis of the sweep, in the order in which trials first have it.
pub(super) fn axis_names(trials: &[Trial]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in trials.iter().flat_map(|trial| &trial.axes) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

pub(super) fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "none".to_string(),
        other => other.to_string(),
    }
}

pub(super) fn record(
    trial: &Trial,
    mode: Mode,
    measured: Option<&Measured<'_>>,
    result: &Result<Measures, String>,
    axis_names: &[String],
) -> TrialRecord {
    let axes = axis_names
        .iter()
        .map(|name| {
            let value = trial.axes.iter().find(|(axis, _)| axis == name);
            (name.clone(), value.map(|(_, value)| plain(value)))
        })
        .collect();
    let kind = match trial.decoder {
        DecoderSpec::Autoregressive { .. } => "autoregressive",
        DecoderSpec::Speculative { .. } => "speculative",
        DecoderSpec::Window { .. } => "window",
        DecoderSpec::WindowDraft { .. } => "window_draft",
    };
    let mut record = TrialRecord {
        trial_id: trial.id.clone(),
        label: trial.label.clone(),
        names: trial.names.join(" | "),
        family: trial.family.clone(),
        kind: kind.to_string(),
        config: serde_json::to_string(&trial.decoder).unwrap_or_default(),
        is_lossless: trial.decoder.is_lossless(),
        mode: mode.name().to_string(),
        axes,
        error: result.as_ref().err().cloned(),
        ..TrialRecord::default()
    };
    if let (Some(measured), Ok(measures)) = (measured, result) {
        record.shard = measured.shard();
        fill(&mut record, measured, measures);
    }
    record
}

fn fill(record: &mut TrialRecord, measured: &Measured<'_>, measures: &Measures) {
    let rows = measured.rows.as_slice();
    record.n_prompts = rows.len() as u64;
    record.n_repeats = measured.n_repeats as u64;
    record.drafted = measures.drafted;
    record.tested = sum(rows, |row| row.tested);
    record.accepted = measures.accepted;
    record.committed = measures.committed;
    record.filled = sum(rows, |row| row.filled);
    record.shared_forwards = sum(rows, |row| row.shared_forwards);
    record.rounds = sum(rows, |row| row.rounds);
    record.drafter_forwards = sum(rows, |row| row.drafter_forwards);
    record.verifier_forwards = sum(rows, |row| row.verifier_forwards);
    record.token_instances = sum(rows, |row| row.token_instances);
    record.tokens_per_second = Some(measures.tokens_per_second);
    record.speedup = measures.speedup.map(|interval| interval.estimate);
    record.speedup_low = measures.speedup.map(|interval| interval.low);
    record.speedup_high = measures.speedup.map(|interval| interval.high);
    let geometric = measures.speedup_geometric;
    record.speedup_geometric = geometric.map(|interval| interval.estimate);
    record.speedup_geometric_low = geometric.map(|interval| interval.low);
    record.speedup_geometric_high = geometric.map(|interval| interval.high);
    record.speedup_projected = measures.speedup_projected;
    record.acceptance_rate = measures.acceptance_rate.map(|interval| interval.estimate);
    record.acceptance_rate_low = measures.acceptance_rate.map(|interval| interval.low);
    record.acceptance_rate_high = measures.acceptance_rate.map(|interval| interval.high);
    record.acceptance_rate_tested = ratio(record.accepted, record.tested);
    record.mean_draft_len = ratio(record.drafted, record.rounds).filter(|_| record.drafted > 0);
    record.block_efficiency = Some(measures.block_efficiency);
    record.tokens_per_forward = Some(measures.tokens_per_forward);
    let filled = measures.filled_per_forward;
    record.filled_per_forward = filled.map(|interval| interval.estimate);
    record.filled_per_forward_low = filled.map(|interval| interval.low);
    record.filled_per_forward_high = filled.map(|interval| interval.high);
    record.cache_efficiency = ratio(record.committed, record.token_instances);
    record.exact_match = measures.exact_match.map(|interval| interval.estimate);
    record.exact_match_low = measures.exact_match.map(|interval| interval.low);
    record.exact_match_high = measures.exact_match.map(|interval| interval.high);
    record.same_text = measures.same_text.map(|interval| interval.estimate);
    record.same_text_low = measures.same_text.map(|interval| interval.low);
    record.same_text_high = measures.same_text.map(|interval| interval.high);
    let draft_lens = &measures.draft_len_histogram;
    record.draft_lens = serde_json::to_string(draft_lens).ok();
}

/// What [`TrialRecord::note`] says of a trial that did not run on all prompts.
pub(super) fn dropped_note(n_prompts: usize) -> String {
    format!("dropped after {n_prompts} prompts")
}

/// The number in a [`dropped_note`].
pub(super) fn dropped_after(note: &str) -> Option<usize> {
    let words = note.strip_prefix("dropped after ")?;
    words.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_prompts_is_read_from_the_note_that_says_it() {
        assert_eq!(dropped_after(&dropped_note(12)), Some(12));
        assert_eq!(dropped_after("anything else"), None);
    }
}
