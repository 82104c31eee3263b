use serde::{Deserialize, Serialize};

use super::{MemoryScope, RoundOutcome};
use crate::policy::{OutOfRange, require};

/// Stops when the chance that one more token is accepted no longer pays for its draft.
///
/// The acceptance of a token is learned by bins of its drafter probability, each a Beta posterior that
/// starts at Beta(`prior`, `prior`) (10 bins and Beta(2, 2) as in Afterimage). S_k = Π_{j≤k} α̂(p_j) is
/// the chance that the whole draft survives; the next token, not known yet, is taken to be as likely
/// as this one. Fires when S_k·α̂(p_k) ≤ `cost_ratio`, the drafter's forward in verifier forwards
/// (0.1144 as in `goodput`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CostawareHazard {
    pub cost_ratio: f64,
    pub bins: usize,
    pub prior: f64,
    pub scope: MemoryScope,
}

impl Default for CostawareHazard {
    fn default() -> Self {
        Self {
            cost_ratio: 0.1144,
            bins: 10,
            prior: 2.0,
            scope: MemoryScope::Prompt,
        }
    }
}

/// Compared and accepted tokens of one bin of drafter probability.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Bin {
    tested: u64,
    accepted: u64,
}

impl CostawareHazard {
    pub(super) fn validate(&self) -> Result<(), OutOfRange> {
        require(
            self.cost_ratio >= 0.0 && self.cost_ratio.is_finite(),
            "stop.cost_ratio",
            self.cost_ratio,
            "0 or positive and finite",
        )?;
        require(self.bins > 0, "stop.bins", self.bins, "at least 1")?;
        require(
            self.prior > 0.0 && self.prior.is_finite(),
            "stop.prior",
            self.prior,
            "positive and finite",
        )
    }

    pub(super) fn fires(&self, bins: &[Bin], probabilities: &[f64]) -> bool {
        let survival: f64 = probabilities
            .iter()
            .map(|&p| self.acceptance(bins, p))
            .product();
        let next = probabilities
            .last()
            .map_or(1.0, |&p| self.acceptance(bins, p));
        survival * next <= self.cost_ratio
    }

    pub(super) fn learn(&self, bins: &mut [Bin], outcome: &RoundOutcome<'_>) {
        let tested = &outcome.probabilities[..outcome.tested()];
        for (position, &p) in tested.iter().enumerate() {
            let bin = &mut bins[self.bin(p)];
            bin.tested += 1;
            bin.accepted += u64::from(position < outcome.accepted);
        }
    }

    fn bin(&self, p: f64) -> usize {
        ((p * self.bins as f64) as usize).min(self.bins - 1)
    }

    /// Posterior mean.
    fn acceptance(&self, bins: &[Bin], p: f64) -> f64 {
        let bin = bins[self.bin(p)];
        (bin.accepted as f64 + self.prior) / (bin.tested as f64 + 2.0 * self.prior)
    }
}
