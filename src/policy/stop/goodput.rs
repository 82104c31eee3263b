use serde::{Deserialize, Serialize};

use super::range::{require_share, require_weight};
use super::{MemoryScope, RoundOutcome};
use crate::policy::{OutOfRange, require};

/// The length K that maximises (1 + Σ_{i≤K} Π_{j≤i} α_j) / (1 + K·c + overhead), with α_j the moving
/// mean of the acceptance of draft position j given that it was compared. With probability `epsilon`
/// a length is drawn uniformly from 1..=max, so that long positions keep being observed.
///
/// Constants of the adaptive-k proposal to vLLM; its cooldown and its
/// batch-size penalty are not modelled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Goodput {
    /// Drafter forward / verifier forward.
    pub cost_ratio: f64,
    /// Cost of judging a draft beyond the forward, in verifier forwards.
    pub overhead: f64,
    pub ema: f64,
    /// Acceptance of a position never compared.
    pub prior: f64,
    pub epsilon: f64,
    pub scope: MemoryScope,
}

impl Default for Goodput {
    fn default() -> Self {
        Self {
            cost_ratio: 0.1144,
            overhead: 0.0,
            ema: 0.3,
            prior: 0.85,
            epsilon: 0.1,
            scope: MemoryScope::Prompt,
        }
    }
}

impl Goodput {
    pub(super) fn validate(&self) -> Result<(), OutOfRange> {
        let is_cost = |cost: f64| cost >= 0.0 && cost.is_finite();
        require(
            is_cost(self.cost_ratio),
            "stop.cost_ratio",
            self.cost_ratio,
            "0 or positive and finite",
        )?;
        require(
            is_cost(self.overhead),
            "stop.overhead",
            self.overhead,
            "0 or positive and finite",
        )?;
        require_weight(self.ema, "stop.ema")?;
        require_share(self.prior, "stop.prior")?;
        require_share(self.epsilon, "stop.epsilon")
    }

    /// The length for the next round, given the acceptance by position.
    ///
    /// K = 0 is not chosen: without a draft the acceptance would never be seen again.
    pub(super) fn choose(&self, acceptance: &[f64], max_draft_len: usize, u: [f64; 2]) -> usize {
        if u[0] < self.epsilon {
            return 1 + (u[1] * max_draft_len as f64) as usize;
        }
        let (mut best, mut best_goodput) = (1, f64::NEG_INFINITY);
        let (mut survival, mut expected) = (1.0, 1.0);
        for length in 1..=max_draft_len {
            survival *= acceptance.get(length - 1).copied().unwrap_or(self.prior);
            expected += survival;
            let goodput = expected / (1.0 + length as f64 * self.cost_ratio + self.overhead);
            if goodput > best_goodput {
                (best, best_goodput) = (length, goodput);
            }
        }
        best
    }

    pub(super) fn learn(&self, acceptance: &mut Vec<f64>, outcome: &RoundOutcome<'_>) {
        for position in 0..outcome.tested() {
            if acceptance.len() == position {
                acceptance.push(self.prior);
            }
            let accepted = f64::from(u8::from(position < outcome.accepted));
            acceptance[position] += self.ema * (accepted - acceptance[position]);
        }
    }
}
