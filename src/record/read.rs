//! The tables of a run folder back into rows: the columns that a report needs.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::plan::shard::Shard;
use crate::record::schema::{
    FIGURES, Figures, GenerationRecord, Mode, PositionRecord, RoundRecord, TrialRecord,
};
use crate::record::table::Table;

/// A table that cannot be read, with its path.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be read: {reason}", path.display())]
pub struct TableError {
    pub path: PathBuf,
    pub reason: String,
}

fn in_file<T>(path: &Path, result: Result<T, String>) -> Result<T, TableError> {
    result.map_err(|reason| TableError {
        path: path.to_path_buf(),
        reason,
    })
}

/// Every row of `trials.parquet`. Columns that the version of the run did not write yet are none.
///
/// # Errors
/// [`TableError`].
pub fn read_trials(path: &Path) -> Result<Vec<TrialRecord>, TableError> {
    in_file(
        path,
        Table::read(path, None).and_then(|table| trials(&table)),
    )
}

/// Columns of `trials.parquet` that are no axis.
const TRIAL_COLUMNS: [&str; 49] = [
    "trial_id",
    "label",
    "names",
    "family",
    "kind",
    "config",
    "is_lossless",
    "mode",
    "shard",
    "n_prompts",
    "n_repeats",
    "drafted",
    "tested",
    "accepted",
    "committed",
    "filled",
    "shared_forwards",
    "rounds",
    "drafter_forwards",
    "verifier_forwards",
    "token_instances",
    "tokens_per_second",
    "speedup",
    "speedup_low",
    "speedup_high",
    "speedup_geometric",
    "speedup_geometric_low",
    "speedup_geometric_high",
    "speedup_projected",
    "acceptance_rate",
    "acceptance_rate_low",
    "acceptance_rate_high",
    "acceptance_rate_tested",
    "mean_draft_len",
    "block_efficiency",
    "tokens_per_forward",
    "filled_per_forward",
    "filled_per_forward_low",
    "filled_per_forward_high",
    "cache_efficiency",
    "exact_match",
    "exact_match_low",
    "exact_match_high",
    "same_text",
    "same_text_low",
    "same_text_high",
    "draft_lens",
    "note",
    "error",
];

fn trials(table: &Table) -> Result<Vec<TrialRecord>, String> {
    let n = table.n_rows();
    let number = |name: &str| match table.has(name) {
        true => table.optional_f64s(name),
        false => Ok(vec![None; n]),
    };
    let words = |name: &str| match table.has(name) {
        true => table.optional_strings(name),
        false => Ok(vec![None; n]),
    };
    let mut rows = vec![TrialRecord::default(); n];
    macro_rules! fill {
        ($read:expr, $($field:ident),+ $(,)?) => {
            $(for (row, value) in rows.iter_mut().zip($read(stringify!($field))?) {
                row.$field = value;
            })+
        };
    }
    fill!(
        |name| table.strings(name),
        trial_id,
        label,
        names,
        family,
        kind,
        config,
        mode,
    );
    fill!(|name| table.bools(name), is_lossless);
    fill!(
        |name| table.u64s(name),
        n_prompts,
        n_repeats,
        drafted,
        tested,
        accepted,
        committed,
        filled,
        rounds,
        drafter_forwards,
        verifier_forwards,
        token_instances,
    );
    // Runs of earlier versions shared nothing.
    if table.has("shared_forwards") {
        fill!(|name| table.u64s(name), shared_forwards);
    }
    fill!(
        number,
        tokens_per_second,
        speedup,
        speedup_low,
        speedup_high,
        speedup_geometric,
        speedup_geometric_low,
        speedup_geometric_high,
        speedup_projected,
        acceptance_rate,
        acceptance_rate_low,
        acceptance_rate_high,
        acceptance_rate_tested,
        mean_draft_len,
        block_efficiency,
        tokens_per_forward,
        filled_per_forward,
        filled_per_forward_low,
        filled_per_forward_high,
        cache_efficiency,
        exact_match,
        exact_match_low,
        exact_match_high,
        same_text,
        same_text_low,
        same_text_high,
    );
    fill!(words, draft_lens, note, error);
    for (row, shard) in rows.iter_mut().zip(words("shard")?) {
        row.shard = read_shard(shard)?;
    }
    let mut figures = Vec::new();
    let is_known = |name: &String| TRIAL_COLUMNS.contains(&name.as_str());
    for name in table.names().into_iter().filter(|name| !is_known(name)) {
        if FIGURES.iter().any(|figure| name.starts_with(figure)) {
            figures.push((name.clone(), table.optional_f64s(&name)?));
            continue;
        }
        for (row, value) in rows.iter_mut().zip(table.scalars(&name)?) {
            row.axes.push((name.clone(), value));
        }
    }
    for (row, figures) in rows.iter_mut().zip(Figures::rows(figures)) {
        row.figures = figures;
    }
    Ok(rows)
}

fn read_shard(text: Option<String>) -> Result<Option<Shard>, String> {
    let parsed = text.map(|text| text.parse::<Shard>());
    parsed.transpose().map_err(|error| error.to_string())
}

fn read_mode(name: &str) -> Result<Mode, String> {
    [Mode::Live, Mode::Replay]
        .into_iter()
        .find(|mode| mode.name() == name)
        .ok_or_else(|| format!("column 'mode' holds '{name}', expected 'live' or 'replay'"))
}

/// The rows of `generations.parquet`, without texts and without times of their parts.
///
/// # Errors
/// [`TableError`].
pub fn read_generations(path: &Path) -> Result<Vec<GenerationRecord>, TableError> {
    let columns = [
        "trial_id",
        "mode",
        "shard",
        "prompt",
        "item_id",
        "category",
        "repeat",
        "wall_ns",
        "latency_ns",
        "drafted",
        "accepted",
        "committed",
        "verifier_forwards",
        "log_prob_nats",
        "agreed",
        "is_correct",
        "score",
        "text_hash",
        "error",
    ];
    let table = Table::read(path, Some(&columns));
    in_file(path, table.and_then(|table| generations(&table)))
}

fn generations(table: &Table) -> Result<Vec<GenerationRecord>, String> {
    let mut rows = vec![GenerationRecord::default(); table.n_rows()];
    macro_rules! fill {
        ($($field:ident: $values:expr),+ $(,)?) => {
            $(for (row, value) in rows.iter_mut().zip($values) {
                row.$field = value;
            })+
        };
    }
    let index = |name| -> Result<_, String> {
        Ok(table.u64s(name)?.into_iter().map(|value| value as usize))
    };
    fill!(
        trial_id: table.strings("trial_id")?,
        item_id: table.strings("item_id")?,
        category: table.strings("category")?,
        prompt: index("prompt")?,
        repeat: index("repeat")?,
        wall_ns: table.u64s("wall_ns")?,
        latency_ns: table.u64s("latency_ns")?,
        drafted: table.u64s("drafted")?,
        accepted: table.u64s("accepted")?,
        committed: table.u64s("committed")?,
        verifier_forwards: table.u64s("verifier_forwards")?,
        log_prob_nats: table.optional_f64s("log_prob_nats")?,
        agreed: table.optional_u64s("agreed")?,
        is_correct: table.optional_bools("is_correct")?,
        score: table.optional_f64s("score")?,
        text_hash: table.strings("text_hash")?,
        error: table.optional_strings("error")?,
    );
    for (row, mode) in rows.iter_mut().zip(table.strings("mode")?) {
        row.mode = read_mode(&mode)?;
    }
    for (row, shard) in rows.iter_mut().zip(table.optional_strings("shard")?) {
        row.shard = read_shard(shard)?;
    }
    Ok(rows)
}

/// The rounds of some trials: trial, prompt and counts of tokens.
///
/// # Errors
/// [`TableError`].
pub fn read_rounds(path: &Path, trials: &HashSet<&str>) -> Result<Vec<RoundRecord>, TableError> {
    let columns = ["trial_id", "prompt", "draft_len", "tested", "accepted"];
    let read = || -> Result<Vec<RoundRecord>, String> {
        let table = Table::read(path, Some(&columns))?;
        let (prompts, drafts) = (table.u64s("prompt")?, table.u64s("draft_len")?);
        let (tested, accepted) = (table.u64s("tested")?, table.u64s("accepted")?);
        let ids = table.strings("trial_id")?.into_iter().enumerate();
        Ok(ids
            .filter(|(_, id)| trials.contains(id.as_str()))
            .map(|(row, trial_id)| RoundRecord {
                trial_id,
                prompt: prompts[row] as usize,
                draft_len: drafts[row] as usize,
                tested: tested[row] as usize,
                accepted: accepted[row] as usize,
                ..RoundRecord::default()
            })
            .collect())
    };
    in_file(path, read())
}

/// The slots that some trials looked at: entropy, distance, and what became of them.
///
/// # Errors
/// [`TableError`].
pub fn read_positions(
    path: &Path,
    trials: &HashSet<&str>,
) -> Result<Vec<PositionRecord>, TableError> {
    let columns = [
        "trial_id",
        "prompt",
        "slot",
        "distance",
        "entropy_nats",
        "outcome",
        "agrees",
        "verifier_agrees",
    ];
    let read = || -> Result<Vec<PositionRecord>, String> {
        let table = Table::read(path, Some(&columns))?;
        let (prompts, slots) = (table.u64s("prompt")?, table.u64s("slot")?);
        let (distances, entropies) = (table.u32s("distance")?, table.f64s("entropy_nats")?);
        let outcomes = table.strings("outcome")?;
        let agrees = table.optional_bools("agrees")?;
        let verifier_agrees = table.optional_bools("verifier_agrees")?;
        let ids = table.strings("trial_id")?.into_iter().enumerate();
        Ok(ids
            .filter(|(_, id)| trials.contains(id.as_str()))
            .map(|(row, trial_id)| PositionRecord {
                trial_id,
                prompt: prompts[row] as usize,
                slot: slots[row] as usize,
                distance: distances[row],
                entropy_nats: entropies[row],
                outcome: outcomes[row].clone(),
                agrees: agrees[row],
                verifier_agrees: verifier_agrees[row],
                ..PositionRecord::default()
            })
            .collect())
    };
    in_file(path, read())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::parquet::{generations_file, write_trials};

    fn row(id: &str, theta: Option<&str>) -> TrialRecord {
        TrialRecord {
            trial_id: id.to_owned(),
            mode: "live".to_owned(),
            is_lossless: true,
            n_prompts: 3,
            speedup: Some(1.5),
            speedup_low: Some(f64::NEG_INFINITY),
            draft_lens: Some("[0,2]".to_owned()),
            note: Some("dropped after 3 prompts".to_owned()),
            shard: Some("2/3".parse().unwrap()),
            axes: vec![("stop.theta_abs".to_owned(), theta.map(str::to_owned))],
            ..TrialRecord::default()
        }
    }

    #[test]
    fn trials_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.parquet");
        let rows = [row("a", Some("0.5")), row("b", None)];
        write_trials(&path, &rows).unwrap();
        assert_eq!(read_trials(&path).unwrap(), rows);
    }

    #[test]
    fn generations_are_read_without_their_texts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("generations.parquet");
        let written = GenerationRecord {
            trial_id: "a".to_owned(),
            mode: Mode::Replay,
            prompt: 7,
            repeat: 1,
            wall_ns: 12,
            agreed: Some(3),
            is_correct: Some(true),
            ..GenerationRecord::default()
        };
        let mut file = generations_file(&path).unwrap();
        let with_text = GenerationRecord {
            text: "long".to_owned(),
            ..written.clone()
        };
        file.extend([with_text]).unwrap();
        file.finish().unwrap();
        assert_eq!(read_generations(&path).unwrap(), [written]);
    }

    #[test]
    fn a_file_that_is_no_table_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.parquet");
        std::fs::write(&path, "no table").unwrap();
        let error = read_trials(&path).unwrap_err().to_string();
        assert!(error.contains("trials.parquet: cannot be read"), "{error}");
    }
}
