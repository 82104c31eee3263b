//! The journal of a run: one line per finished generation, on disk before the next one starts.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::lm::TokenId;
use crate::plan::halving::Tally;
use crate::record::parquet::WriteError;
use crate::record::schema::{GenerationRecord, PositionRecord, RoundRecord};

/// A generation with its rounds and slots (first repeat only).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub generation: GenerationRecord,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<RoundRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<PositionRecord>,
    /// The committed tokens, until somebody has looked back at them.
    #[serde(skip)]
    pub ids: Vec<TokenId>,
}

/// What identifies a generation within a run.
pub type Key = (String, usize, usize);

impl Entry {
    pub fn key(&self) -> Key {
        let generation = &self.generation;
        (
            generation.trial_id.clone(),
            generation.prompt,
            generation.repeat,
        )
    }
}

/// An open `journal.jsonl`; this process is its only writer.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the journal of a run folder and reads what is in it. A last line that was cut off by
    /// a crash is dropped.
    ///
    /// # Errors
    /// When another process has the run open, or the file cannot be used.
    pub fn open(folder: &Path) -> Result<(Self, Vec<Entry>), WriteError> {
        let path = folder.join("journal.jsonl");
        let fail = |error: &dyn std::fmt::Display| WriteError::new(&path, error);
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)
            .map_err(|error| fail(&error))?;
        if file.try_lock().is_err() {
            return Err(fail(&"another process is writing this run"));
        }
        let (entries, whole) = read(&file).map_err(|error| fail(&error))?;
        file.set_len(whole).map_err(|error| fail(&error))?;
        Ok((Self { path, file }, entries))
    }

    /// Appends one line.
    ///
    /// # Errors
    /// When the disk is full or the folder is gone.
    pub fn append(&mut self, entry: &Entry) -> Result<(), WriteError> {
        let mut line =
            serde_json::to_vec(entry).map_err(|error| WriteError::new(&self.path, error))?;
        line.push(b'\n');
        self.file
            .write_all(&line)
            .map_err(|error| WriteError::new(&self.path, error))
    }
}

/// What is in the journal of a run that nobody writes; a last line that was cut off is left out.
///
/// # Errors
/// When there is none, it cannot be read, or a process is writing it.
pub fn read_closed(folder: &Path) -> std::io::Result<Vec<Entry>> {
    let file = File::open(folder.join("journal.jsonl"))?;
    if file.try_lock_shared().is_err() {
        return Err(std::io::Error::other("another process is writing this run"));
    }
    let (entries, _) = read(&file)?;
    Ok(entries)
}

/// Keys of generations that are done.
pub fn keys(entries: &[Entry]) -> HashSet<Key> {
    entries.iter().map(Entry::key).collect()
}

/// What each trial did on the first `n_prompts` prompts, by its id.
pub fn tallies(entries: &[Entry], n_prompts: usize) -> HashMap<&str, Tally> {
    let mut tallies: HashMap<&str, Tally> = HashMap::new();
    let rows = entries.iter().map(|entry| &entry.generation);
    for row in rows.filter(|row| row.prompt < n_prompts) {
        let tally = tallies.entry(&row.trial_id).or_default();
        tally.n_generations += 1;
        tally.n_failed += usize::from(row.error.is_some());
        tally.committed += row.committed;
        tally.wall_ns += row.wall_ns;
    }
    tallies
}

/// Whole lines, and how many bytes they take.
fn read(file: &File) -> std::io::Result<(Vec<Entry>, u64)> {
    let mut reader = BufReader::new(file);
    let mut entries = Vec::new();
    let mut whole = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let n = reader.read_until(b'\n', &mut line)?;
        if n == 0 || line.last() != Some(&b'\n') {
            return Ok((entries, whole));
        }
        match serde_json::from_slice(&line) {
            Ok(entry) => entries.push(entry),
            Err(_) => return Ok((entries, whole)),
        }
        whole += n as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(prompt: usize) -> Entry {
        Entry {
            generation: GenerationRecord {
                trial_id: "t".into(),
                prompt,
                ..GenerationRecord::default()
            },
            ..Entry::default()
        }
    }

    #[test]
    fn a_line_cut_off_by_a_crash_is_dropped_and_writing_goes_on_behind_the_whole_ones() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path()).unwrap();
        journal.append(&entry(0)).unwrap();
        journal.append(&entry(1)).unwrap();
        drop(journal);
        let path = folder.path().join("journal.jsonl");
        let bytes = std::fs::read(&path).unwrap();
        for cut in 1..bytes.len() / 2 {
            std::fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
            let (mut journal, entries) = Journal::open(folder.path()).unwrap();
            assert_eq!(entries, [entry(0)]);
            journal.append(&entry(2)).unwrap();
            drop(journal);
            let (_, entries) = Journal::open(folder.path()).unwrap();
            assert_eq!(entries, [entry(0), entry(2)]);
        }
    }

    #[test]
    fn a_second_writer_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Journal::open(folder.path()).unwrap();
        let error = Journal::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another process is writing"), "{error}");
    }
}
