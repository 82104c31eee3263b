//! The generations of a run, by trial.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::analysis::measured::Measured;
use crate::plan::shard::Shard;
use crate::record::journal::Entry;
use crate::record::read::{TableError, read_generations};
use crate::record::schema::{GenerationRecord, Mode};

/// Generations of a run by trial and mode.
#[derive(Debug, Default)]
pub struct Generations {
    by_trial: HashMap<(String, Mode), Vec<Entry>>,
}

impl Generations {
    /// # Errors
    /// When the table is there and cannot be read.
    pub fn read(folder: &Path) -> Result<Self, TableError> {
        let path = folder.join("generations.parquet");
        let mut by_trial: HashMap<(String, Mode), Vec<Entry>> = HashMap::new();
        if path.is_file() {
            for generation in read_generations(&path)? {
                let key = (generation.trial_id.clone(), generation.mode);
                let entries = by_trial.entry(key).or_default();
                entries.push(Entry {
                    generation,
                    ..Entry::default()
                });
            }
        }
        for entries in by_trial.values_mut() {
            entries.sort_by_key(|entry| (entry.generation.prompt, entry.generation.repeat));
        }
        Ok(Self { by_trial })
    }

    pub fn is_empty(&self) -> bool {
        self.by_trial.is_empty()
    }

    /// Those of one trial, of all repeats and shards, in the order of prompts and repeats.
    pub fn of(&self, trial_id: &str, mode: Mode) -> impl Iterator<Item = &GenerationRecord> {
        self.entries(trial_id, mode)
            .iter()
            .map(|entry| &entry.generation)
    }

    pub fn entries(&self, trial_id: &str, mode: Mode) -> &[Entry] {
        let key = (trial_id.to_owned(), mode);
        self.by_trial.get(&key).map_or(&[], Vec::as_slice)
    }

    /// What a trial that ran here did, by the shard that it ran in.
    pub fn measured(&self, trial_id: &str) -> BTreeMap<Option<Shard>, Measured<'_>> {
        let mut by_shard: BTreeMap<Option<Shard>, Vec<&Entry>> = BTreeMap::new();
        for entry in self.entries(trial_id, Mode::Live) {
            let shard = by_shard.entry(entry.generation.shard).or_default();
            shard.push(entry);
        }
        by_shard
            .into_iter()
            .filter_map(|(shard, entries)| Some((shard, Measured::live(&entries, None).ok()?)))
            .collect()
    }
}
