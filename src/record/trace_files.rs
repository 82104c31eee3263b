//! A trace on disk: a folder with `trace.json` (what its texts have in common), `prompts.parquet` and
//! `slots.parquet`. `docs/trace-format.md` describes every column.

use std::path::{Path, PathBuf};

use polars::prelude::Column;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::record::folder::write_whole;
use crate::record::parquet::{WriteError, write};
use crate::record::table::Table;
use crate::trace::{Slots, Trace, TraceError, TraceHeader, TracedPrompt};

const HEADER: &str = "trace.json";
const PROMPTS: &str = "prompts.parquet";
const SLOTS: &str = "slots.parquet";

/// Why a trace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(
        "{}: cannot be read: {reason}; a trace is a folder with {HEADER}, {PROMPTS} and {SLOTS}, \
         as `wedlm-bench trace` writes it",
        path.display()
    )]
    File { path: PathBuf, reason: String },
    #[error("{}: {error}", folder.display())]
    Content { folder: PathBuf, error: TraceError },
}

/// Writes a trace into a folder, which is made.
///
/// # Errors
/// When a file cannot be written.
pub fn write_trace(folder: &Path, trace: &Trace) -> Result<(), WriteError> {
    std::fs::create_dir_all(folder).map_err(|error| WriteError::new(folder, error))?;
    let header = folder.join(HEADER);
    let text = serde_json::to_vec_pretty(trace.header())
        .map_err(|error| WriteError::new(&header, error))?;
    let prompts = trace.prompts();
    let of = |field: fn(&TracedPrompt) -> usize| -> Vec<u64> {
        prompts.iter().map(|prompt| field(prompt) as u64).collect()
    };
    let finishes: Vec<String> = prompts
        .iter()
        .map(|prompt| name(&prompt.finished_by))
        .collect();
    let seeds: Vec<u64> = prompts.iter().map(|prompt| prompt.seed).collect();
    let columns = vec![
        Column::new("id".into(), of(|prompt| prompt.id)),
        Column::new("prompt_len".into(), of(|prompt| prompt.prompt_len)),
        Column::new("max_new_tokens".into(), of(|prompt| prompt.max_new_tokens)),
        Column::new("text_len".into(), of(|prompt| prompt.text_len)),
        Column::new("finished_by".into(), finishes),
        Column::new("seed".into(), seeds),
    ];
    write(&folder.join(PROMPTS), columns)?;
    let slots = trace.slots();
    let mut columns = vec![
        Column::new("prompt".into(), &slots.prompt),
        Column::new("position".into(), &slots.position),
        Column::new("depth".into(), &slots.depth),
        Column::new("token".into(), &slots.token),
        Column::new("is_end".into(), &slots.is_end),
        Column::new("probability".into(), &slots.probability),
        Column::new("top1".into(), &slots.top1),
        Column::new("top2".into(), &slots.top2),
        Column::new("verifier_token".into(), &slots.verifier_token),
        Column::new("verifier_lead".into(), &slots.verifier_lead),
    ];
    for (number, entropy) in slots.entropies.iter().enumerate() {
        columns.push(Column::new(entropy_column(number).as_str().into(), entropy));
    }
    write(&folder.join(SLOTS), columns)?;
    // The header comes last: a folder that has one is whole.
    write_whole(&header, &text)
}

/// Reads a trace and checks that it is whole.
///
/// # Errors
/// [`ReadError`] names the file and what is wrong with it.
pub fn read_trace(folder: &Path) -> Result<Trace, ReadError> {
    let place = folder.join(HEADER);
    let header: TraceHeader = std::fs::read(&place)
        .map_err(|error| error.to_string())
        .and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()))
        .map_err(|reason| ReadError::File {
            path: place,
            reason,
        })?;
    let prompts = read_table(&folder.join(PROMPTS), read_prompts)?;
    let slots = read_table(&folder.join(SLOTS), |table| {
        read_slots(table, header.entropies.len())
    })?;
    Trace::new(header, prompts, slots).map_err(|error| ReadError::Content {
        folder: folder.to_path_buf(),
        error,
    })
}

fn entropy_column(number: usize) -> String {
    format!("entropy_{number}")
}

/// An enum without fields as JSON spells it.
fn name(value: &impl Serialize) -> String {
    let text = serde_json::to_value(value).unwrap_or_default();
    text.as_str().unwrap_or_default().to_owned()
}

fn named<T: DeserializeOwned>(name: &str) -> Result<T, String> {
    serde_json::from_value(name.into()).map_err(|error| error.to_string())
}

fn read_table<T>(
    path: &Path,
    read: impl FnOnce(&Table) -> Result<T, String>,
) -> Result<T, ReadError> {
    let result = Table::read(path, None).and_then(|table| read(&table));
    result.map_err(|reason| ReadError::File {
        path: path.to_path_buf(),
        reason,
    })
}

fn read_prompts(table: &Table) -> Result<Vec<TracedPrompt>, String> {
    let (ids, lens) = (table.u64s("id")?, table.u64s("prompt_len")?);
    let (budgets, text_lens) = (table.u64s("max_new_tokens")?, table.u64s("text_len")?);
    let (finishes, seeds) = (table.strings("finished_by")?, table.u64s("seed")?);
    (0..ids.len())
        .map(|row| {
            Ok(TracedPrompt {
                id: ids[row] as usize,
                prompt_len: lens[row] as usize,
                max_new_tokens: budgets[row] as usize,
                text_len: text_lens[row] as usize,
                finished_by: named(&finishes[row])?,
                seed: seeds[row],
            })
        })
        .collect()
}

fn read_slots(table: &Table, n_entropies: usize) -> Result<Slots, String> {
    Ok(Slots {
        prompt: table.u32s("prompt")?,
        position: table.u32s("position")?,
        depth: table.u32s("depth")?,
        token: table.u32s("token")?,
        is_end: table.bools("is_end")?,
        probability: table.f64s("probability")?,
        top1: table.f64s("top1")?,
        top2: table.f64s("top2")?,
        entropies: (0..n_entropies)
            .map(|number| table.f64s(&entropy_column(number)))
            .collect::<Result<_, _>>()?,
        verifier_token: table.optional_u32s("verifier_token")?,
        verifier_lead: table.optional_f64s("verifier_lead")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::step::Finish;
    use crate::policy::entropy::EntropyRule;
    use crate::policy::sample::Sampling;

    /// Two tokens of text; the first is drafted wrong, and one slot behind it is known.
    fn trace() -> Trace {
        let header = TraceHeader {
            max_draft_len: 2,
            entropies: vec![EntropyRule::default()],
            sampling: Sampling::default(),
        };
        let prompts = vec![TracedPrompt {
            id: 4,
            prompt_len: 3,
            max_new_tokens: 3,
            text_len: 2,
            finished_by: Finish::StopToken,
            seed: u64::MAX,
        }];
        let slots = Slots {
            prompt: vec![0, 0, 0],
            position: vec![3, 4, 4],
            depth: vec![0, 0, 1],
            token: vec![7, 9, 8],
            is_end: vec![false, true, true],
            probability: vec![0.5, 0.25, 0.125],
            top1: vec![0.5, 0.25, 0.125],
            top2: vec![0.25, 0.125, 0.0625],
            entropies: vec![vec![0.1, 0.2, 1.0 / 3.0]],
            verifier_token: vec![Some(6), Some(9), None],
            verifier_lead: vec![Some(0.5), Some(1.5), None],
        };
        Trace::new(header, prompts, slots).unwrap()
    }

    #[test]
    fn a_trace_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("traces");
        write_trace(&place, &trace()).unwrap();
        assert_eq!(read_trace(&place).unwrap(), trace());
    }

    #[test]
    fn a_missing_or_truncated_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = read_trace(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("trace.json") && error.contains("wedlm-bench trace"),
            "{error}"
        );
        write_trace(folder.path(), &trace()).unwrap();
        let slots = folder.path().join(SLOTS);
        let bytes = std::fs::read(&slots).unwrap();
        std::fs::write(&slots, &bytes[..bytes.len() / 2]).unwrap();
        let error = read_trace(folder.path()).unwrap_err().to_string();
        assert!(error.contains("slots.parquet"), "{error}");
    }

    #[test]
    fn a_table_with_one_bit_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        write_trace(folder.path(), &trace()).unwrap();
        let prompts = folder.path().join(PROMPTS);
        let mut bytes = std::fs::read(&prompts).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&prompts, &bytes).unwrap();
        let error = read_trace(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("prompts.parquet: cannot be read: it is damaged"),
            "{error}"
        );
    }
}
