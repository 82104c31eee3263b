//! The prompts of a trial beside those of its baseline.

use std::collections::{BTreeMap, HashSet};

use crate::analysis::measured::{Baseline, Measured};
use crate::plan::shard::Shard;
use crate::record::journal::Entry;
use crate::record::schema::GenerationRecord;

/// One prompt of a trial.
#[derive(Debug, Clone, Copy)]
pub struct TimedPrompt<'e> {
    /// The first repeat.
    pub row: &'e GenerationRecord,
    /// Wall time, the median of the repeats.
    pub ns: f64,
    /// The same of the baseline in the trial's own shard; none where it was not timed.
    pub baseline_ns: Option<f64>,
    /// The two without prefill; none where the baseline was not timed, or the trial was replayed.
    pub decoded: Option<Decoded>,
}

/// A prompt from the end of its prefill on, as a trial and its baseline decoded it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decoded {
    /// Wall time, the median over the repeats of what is left without prefill.
    pub ns: f64,
    pub baseline_ns: f64,
    /// Tokens that the baseline committed.
    pub baseline_committed: u64,
}

impl TimedPrompt<'_> {
    /// Wall times of baseline and trial, for a speedup.
    pub fn pair(&self) -> Option<(f64, f64)> {
        Some((self.baseline_ns?, self.ns))
    }
}

/// The prompts of a trial that ran here, given by its entries and those of the trial that it is compared
/// with. A prompt that several shards ran counts once; of a shard in which it failed nothing counts.
pub fn timed_prompts<'e>(own: &[&'e Entry], baseline: &[&'e Entry]) -> Vec<TimedPrompt<'e>> {
    let mut seen = HashSet::new();
    let mut baselines = by_shard(baseline);
    let mut prompts = Vec::new();
    for (shard, entries) in by_shard(own) {
        let Ok(measured) = Measured::live(&entries, None) else {
            continue;
        };
        let theirs = baselines.remove(&shard);
        let theirs = theirs.and_then(|entries| Measured::live(&entries, None).ok());
        let theirs = theirs.map(|measured| Baseline::of(&measured));
        for (index, &row) in measured.rows.iter().enumerate() {
            if seen.insert(row.prompt) {
                let theirs = theirs.as_ref().and_then(|theirs| theirs.prompt(row.prompt));
                prompts.push(TimedPrompt {
                    row,
                    ns: measured.prompt_ns[index],
                    baseline_ns: theirs.map(|theirs| theirs.ns),
                    decoded: theirs.map(|theirs| Decoded {
                        ns: measured.decode_ns[index],
                        baseline_ns: theirs.decode_ns,
                        baseline_committed: theirs.committed,
                    }),
                });
            }
        }
    }
    prompts
}

fn by_shard<'e>(entries: &[&'e Entry]) -> BTreeMap<Option<Shard>, Vec<&'e Entry>> {
    let mut by_shard: BTreeMap<Option<Shard>, Vec<&Entry>> = BTreeMap::new();
    for &entry in entries {
        let shard = by_shard.entry(entry.generation.shard).or_default();
        shard.push(entry);
    }
    by_shard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_compared_with_the_baseline_of_its_own_machine() {
        let on = |shard: &str, wall_ns: u64| Entry {
            generation: GenerationRecord {
                shard: Some(shard.parse().unwrap()),
                wall_ns,
                ..GenerationRecord::default()
            },
            ..Entry::default()
        };
        let baseline = [on("1/2", 100), on("2/2", 400)];
        let own = [on("2/2", 200)];
        let (own, baseline): (Vec<_>, Vec<_>) = (own.iter().collect(), baseline.iter().collect());
        let prompts = timed_prompts(&own, &baseline);
        assert_eq!(prompts.len(), 1);
        assert_eq!(prompts[0].pair(), Some((400.0, 200.0)));
        assert_eq!(timed_prompts(&own, &[])[0].pair(), None);
    }
}
