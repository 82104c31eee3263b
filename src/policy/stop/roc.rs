use serde::{Deserialize, Serialize};

use super::{MemoryScope, RoundOutcome};
use crate::policy::{OutOfRange, require};

/// Hugging Face's online threshold: once more than `min_samples` drafted tokens were compared and
/// both outcomes occurred, θ is the probability that minimises false-positive rate + 3 · false-negative
/// rate of "accepted if p_k ≥ θ". Until then `theta`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfidenceRoc {
    pub theta: f64,
    pub min_samples: usize,
    pub scope: MemoryScope,
}

impl Default for ConfidenceRoc {
    fn default() -> Self {
        Self {
            theta: 0.4,
            min_samples: 5,
            scope: MemoryScope::Prompt,
        }
    }
}

/// What [`ConfidenceRoc`] remembers: drafted probability and outcome, by falling probability.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RocSamples {
    sorted: Vec<(f64, bool)>,
}

impl ConfidenceRoc {
    /// Weight of a false negative against a false positive: 75 % to 25 % in transformers.
    const FALSE_NEGATIVE_WEIGHT: f64 = 3.0;

    pub(super) fn validate(&self) -> Result<(), OutOfRange> {
        require(
            self.theta.is_finite(),
            "stop.theta",
            self.theta,
            "a finite number",
        )
    }

    /// The threshold after the round.
    pub(super) fn next(
        &self,
        threshold: f64,
        samples: &mut RocSamples,
        outcome: &RoundOutcome<'_>,
    ) -> f64 {
        let tested = &outcome.probabilities[..outcome.tested()];
        for (position, &p) in tested.iter().enumerate() {
            let at = samples.sorted.partition_point(|&(other, _)| other > p);
            samples.sorted.insert(at, (p, position < outcome.accepted));
        }
        if samples.sorted.len() <= self.min_samples {
            return threshold;
        }
        samples.cheapest_threshold().unwrap_or(threshold)
    }
}

impl RocSamples {
    /// None while only one outcome was seen.
    fn cheapest_threshold(&self) -> Option<f64> {
        let positives = self.sorted.iter().filter(|&&(_, matched)| matched).count();
        let negatives = self.sorted.len() - positives;
        if positives == 0 || negatives == 0 {
            return None;
        }
        let (mut hits, mut false_alarms) = (0, 0);
        let mut best: Option<(f64, f64)> = None;
        for (index, &(p, matched)) in self.sorted.iter().enumerate() {
            if matched {
                hits += 1;
            } else {
                false_alarms += 1;
            }
            // A threshold takes in all samples of equal probability.
            if self
                .sorted
                .get(index + 1)
                .is_some_and(|&(next, _)| next == p)
            {
                continue;
            }
            let missed = (positives - hits) as f64 / positives as f64;
            let cost = false_alarms as f64 / negatives as f64
                + ConfidenceRoc::FALSE_NEGATIVE_WEIGHT * missed;
            if best.is_none_or(|(_, lowest)| cost < lowest) {
                best = Some((p, cost));
            }
        }
        best.map(|(p, _)| p)
    }
}
