//! A trial by kind of prompt.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::quality::{Quality, quality};
use super::ratio;
use crate::analysis::measured::{Baseline, Measured};
use crate::config::decoder::DecoderSpec;
use crate::plan::shard::Shard;
use crate::plan::{Trial, is_duplicate};
use crate::record::journal::Entry;
use crate::record::schema::GenerationRecord;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;

/// Intervals are over the prompts of the category.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CategoryMetrics {
    pub category: String,
    pub n_prompts: u64,
    pub drafted: u64,
    pub tested: u64,
    pub accepted: u64,
    pub committed: u64,
    /// Σ baseline wall time / Σ own, on the prompts that both have, each against the baseline of its
    /// own shard; none for the baseline itself.
    pub speedup: Option<Interval>,
    pub acceptance_rate: Option<Interval>,
    pub acceptance_rate_tested: Option<Interval>,
    pub quality: Quality,
}

/// The plan's baselines, not the one that is timed again.
pub(super) fn is_baseline(trial: &Trial) -> bool {
    let is_autoregressive = match &trial.decoder {
        DecoderSpec::Autoregressive { .. } => true,
        DecoderSpec::Speculative { .. }
        | DecoderSpec::Window { .. }
        | DecoderSpec::WindowDraft { .. } => false,
    };
    is_autoregressive && !is_duplicate(&trial.id)
}

/// A row per category, in alphabetical order. `own` and `baseline` are the entries of a trial and of
/// the trial that it is compared with; a trial that failed has no row.
pub fn by_category(
    own: &[&Entry],
    baseline: &[&Entry],
    bootstrap: &Bootstrap,
) -> Vec<CategoryMetrics> {
    let mut rows: BTreeMap<&str, Vec<&GenerationRecord>> = BTreeMap::new();
    let mut times: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (shard, entries) in by_shard(own) {
        let Ok(measured) = Measured::live(&entries, None) else {
            continue;
        };
        let theirs = by_shard(baseline).remove(&shard);
        let theirs = theirs.and_then(|entries| Measured::live(&entries, None).ok());
        let theirs = theirs.map(|measured| Baseline::of(&measured));
        for (&row, &ns) in measured.rows.iter().zip(&measured.prompt_ns) {
            if !seen.insert(row.prompt) {
                continue;
            }
            rows.entry(&row.category).or_default().push(row);
            let paired = theirs.as_ref().and_then(|theirs| theirs.ns(row.prompt));
            if let Some(theirs) = paired {
                let of_category = times.entry(&row.category).or_default();
                of_category.push((theirs, ns));
            }
        }
    }
    let is_itself = std::ptr::eq(own.as_ptr(), baseline.as_ptr());
    let empty = Vec::new();
    rows.into_iter()
        .map(|(category, rows)| {
            let sum = |field: fn(&GenerationRecord) -> u64| rows.iter().map(|row| field(row)).sum();
            let share = |of: fn(&GenerationRecord) -> u64| {
                let pairs = rows.iter().map(|row| (row.accepted as f64, of(row) as f64));
                // A window decoder counts its agreements in `accepted`, but drafts nothing.
                ratio(pairs, bootstrap).filter(|_| rows.iter().any(|row| row.drafted > 0))
            };
            let times = times.get(category).unwrap_or(&empty);
            CategoryMetrics {
                category: category.to_owned(),
                n_prompts: rows.len() as u64,
                drafted: sum(|row| row.drafted),
                tested: sum(|row| row.tested),
                accepted: sum(|row| row.accepted),
                committed: sum(|row| row.committed),
                speedup: ratio(times.iter().copied(), bootstrap).filter(|_| !is_itself),
                acceptance_rate: share(|row| row.drafted),
                acceptance_rate_tested: share(|row| row.tested),
                quality: quality(&rows, bootstrap),
            }
        })
        .collect()
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

    fn entry(prompt: usize, category: &str, wall_ns: u64, score: f64) -> Entry {
        Entry {
            generation: GenerationRecord {
                prompt,
                category: category.into(),
                wall_ns,
                drafted: 10,
                tested: 5,
                accepted: 4,
                committed: 6,
                score: Some(score),
                ..GenerationRecord::default()
            },
            ..Entry::default()
        }
    }

    #[test]
    fn each_kind_of_prompt_has_its_own_speedup_and_score() {
        let baseline = [
            entry(0, "code", 100, 1.0),
            entry(1, "story", 300, 0.0),
            entry(2, "story", 100, 0.0),
        ];
        let own = [
            entry(0, "code", 50, 1.0),
            entry(1, "story", 300, 0.5),
            entry(2, "story", 200, 0.0),
        ];
        let (own, baseline): (Vec<_>, Vec<_>) = (own.iter().collect(), baseline.iter().collect());
        let rows = by_category(&own, &baseline, &Bootstrap::default());
        let names: Vec<_> = rows.iter().map(|row| row.category.as_str()).collect();
        assert_eq!(names, ["code", "story"]);
        let speedups: Vec<_> = rows
            .iter()
            .map(|row| row.speedup.unwrap().estimate)
            .collect();
        assert_eq!(speedups, [2.0, 0.8]);
        assert_eq!((rows[1].n_prompts, rows[1].drafted), (2, 20));
        assert_eq!(rows[1].quality.score.unwrap().estimate, 0.25);
        assert_eq!(rows[1].acceptance_rate.unwrap().estimate, 0.4);
        assert_eq!(rows[1].acceptance_rate_tested.unwrap().estimate, 0.8);
    }

    #[test]
    fn the_baseline_is_not_compared_with_itself() {
        let entries = [entry(0, "code", 100, 1.0), entry(1, "code", 100, 1.0)];
        let baseline: Vec<_> = entries.iter().collect();
        let rows = by_category(&baseline, &baseline, &Bootstrap::default());
        assert_eq!(rows[0].speedup, None);
    }

    #[test]
    fn a_prompt_is_compared_with_the_baseline_of_its_own_machine() {
        let on = |shard: &str, entry: Entry| {
            let mut entry = entry;
            entry.generation.shard = Some(shard.parse().unwrap());
            entry
        };
        let baseline = [
            on("1/2", entry(0, "a", 100, 1.0)),
            on("2/2", entry(0, "a", 400, 1.0)),
        ];
        let own = [on("2/2", entry(0, "a", 200, 1.0))];
        let (own, baseline): (Vec<_>, Vec<_>) = (own.iter().collect(), baseline.iter().collect());
        let rows = by_category(&own, &baseline, &Bootstrap::default());
        assert_eq!(rows[0].speedup.unwrap().estimate, 2.0);
    }
}
