//! A trial by kind of prompt.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::quality::{Quality, quality};
use crate::analysis::rates::{acceptance_rate, acceptance_rate_tested, ratio_of_sums};
use crate::analysis::timed::{TimedPrompt, timed_prompts};
use crate::config::decoder::DecoderSpec;
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
    /// Window decoders: agreement.
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
    let is_itself = std::ptr::eq(own.as_ptr(), baseline.as_ptr());
    let mut categories: BTreeMap<&str, Vec<TimedPrompt<'_>>> = BTreeMap::new();
    for prompt in timed_prompts(own, baseline) {
        let of_category = categories.entry(&prompt.row.category).or_default();
        of_category.push(prompt);
    }
    categories
        .into_iter()
        .map(|(category, prompts)| {
            let rows: Vec<&GenerationRecord> = prompts.iter().map(|prompt| prompt.row).collect();
            let sum = |field: fn(&GenerationRecord) -> u64| rows.iter().map(|row| field(row)).sum();
            let times = prompts.iter().filter_map(TimedPrompt::pair);
            CategoryMetrics {
                category: category.to_owned(),
                n_prompts: rows.len() as u64,
                drafted: sum(|row| row.drafted),
                tested: sum(|row| row.tested),
                accepted: sum(|row| row.accepted),
                committed: sum(|row| row.committed),
                speedup: ratio_of_sums(times, bootstrap).filter(|_| !is_itself),
                acceptance_rate: acceptance_rate(&rows, bootstrap),
                acceptance_rate_tested: acceptance_rate_tested(&rows, bootstrap),
                quality: quality(&rows, bootstrap),
            }
        })
        .collect()
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
}
