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
    live: HashMap<String, Vec<Entry>>,
    /// In the order of trials and prompts; there may be very many.
    replayed: Vec<GenerationRecord>,
}

impl Generations {
    /// # Errors
    /// When the table is there and cannot be read.
    pub fn read(folder: &Path) -> Result<Self, TableError> {
        let path = folder.join("generations.parquet");
        if !path.is_file() {
            return Ok(Self::default());
        }
        let mut replayed = read_generations(&path)?;
        let mut live: HashMap<String, Vec<Entry>> = HashMap::new();
        let is_live = |row: &mut GenerationRecord| row.mode == Mode::Live;
        for generation in replayed.extract_if(.., is_live) {
            let entries = live.entry(generation.trial_id.clone()).or_default();
            entries.push(Entry {
                generation,
                ..Entry::default()
            });
        }
        for entries in live.values_mut() {
            entries.sort_by_key(|entry| (entry.generation.prompt, entry.generation.repeat));
        }
        replayed.sort_unstable_by(|one, other| {
            (&one.trial_id, one.prompt).cmp(&(&other.trial_id, other.prompt))
        });
        Ok(Self { live, replayed })
    }

    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.replayed.is_empty()
    }

    /// Those of one trial, of all repeats and shards, in the order of prompts and repeats.
    pub fn of(&self, trial_id: &str, mode: Mode) -> impl Iterator<Item = &GenerationRecord> {
        let (live, replayed): (&[Entry], &[GenerationRecord]) = match mode {
            Mode::Live => (self.live(trial_id), &[]),
            Mode::Replay => (&[], self.replayed(trial_id)),
        };
        let live = live.iter().map(|entry| &entry.generation);
        live.chain(replayed)
    }

    /// What ran here of one trial, as [`of`](Self::of).
    pub fn live(&self, trial_id: &str) -> &[Entry] {
        self.live.get(trial_id).map_or(&[], Vec::as_slice)
    }

    fn replayed(&self, trial_id: &str) -> &[GenerationRecord] {
        let rows = &self.replayed;
        let start = rows.partition_point(|row| row.trial_id.as_str() < trial_id);
        let n = rows[start..].partition_point(|row| row.trial_id == trial_id);
        &rows[start..start + n]
    }

    /// What a trial that ran here did, by the shard that it ran in.
    pub fn measured(&self, trial_id: &str) -> BTreeMap<Option<Shard>, Measured<'_>> {
        let mut by_shard: BTreeMap<Option<Shard>, Vec<&Entry>> = BTreeMap::new();
        for entry in self.live(trial_id) {
            let shard = by_shard.entry(entry.generation.shard).or_default();
            shard.push(entry);
        }
        by_shard
            .into_iter()
            .filter_map(|(shard, entries)| Some((shard, Measured::live(&entries, None).ok()?)))
            .collect()
    }
}
