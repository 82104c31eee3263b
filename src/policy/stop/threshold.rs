//! Rules whose threshold follows the acceptance of earlier rounds.

use serde::{Deserialize, Serialize};

use super::range::require_share;
use super::{MemoryScope, RoundOutcome};
use crate::policy::{OutOfRange, require};

/// AdaEDL (arXiv 2410.18351): stop when 1 − √(γ·H_k) < λ, that is H_k > (1 − λ)²/γ.
///
/// After a round, with r = accepted / drafted: AR ← β1·AR + (1 − β1)·r; λ′ = λ + ε if AR < α,
/// λ − ε if AR ≥ α and not everything up to `max_draft_len` was accepted, else λ;
/// λ ← β2·λ + (1 − β2)·λ′. AR starts at 0 (the sources name no other value). `lambda` is swept from
/// 0.3 to 0.9 in the paper; 0.6 is the middle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdaEdl {
    pub gamma: f64,
    pub lambda: f64,
    pub alpha: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub scope: MemoryScope,
}

impl Default for AdaEdl {
    fn default() -> Self {
        Self {
            gamma: 0.2,
            lambda: 0.6,
            alpha: 0.9,
            beta1: 0.5,
            beta2: 0.9,
            epsilon: 0.01,
            scope: MemoryScope::Prompt,
        }
    }
}

/// What [`AdaEdl`] and [`DraftVerify`] remember.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Controlled {
    pub threshold: f64,
    /// Moving mean of accepted / drafted.
    pub acceptance: f64,
}

impl AdaEdl {
    pub(super) fn validate(&self) -> Result<(), OutOfRange> {
        require(
            self.gamma > 0.0 && self.gamma.is_finite(),
            "stop.gamma",
            self.gamma,
            "positive and finite",
        )?;
        require(
            self.lambda.is_finite(),
            "stop.lambda",
            self.lambda,
            "a finite number",
        )?;
        require_share(self.beta1, "stop.beta1")?;
        require_share(self.beta2, "stop.beta2")?;
        require(
            self.epsilon >= 0.0,
            "stop.epsilon",
            self.epsilon,
            "0 or positive",
        )
    }

    pub(super) fn fires(&self, lambda: f64, entropy: f64) -> bool {
        1.0 - (self.gamma * entropy).sqrt() < lambda
    }

    pub(super) fn next(&self, state: Controlled, outcome: &RoundOutcome<'_>) -> Controlled {
        let Some(rate) = outcome.acceptance() else {
            return state;
        };
        let acceptance = self.beta1 * state.acceptance + (1.0 - self.beta1) * rate;
        let target = if acceptance < self.alpha {
            state.threshold + self.epsilon
        } else if outcome.accepted != outcome.max_draft_len {
            state.threshold - self.epsilon
        } else {
            state.threshold
        };
        Controlled {
            threshold: self.beta2 * state.threshold + (1.0 - self.beta2) * target,
            acceptance,
        }
    }
}

/// Draft & Verify: stop when p_k < θ; θ follows the matchness m.
///
/// `auto_parameters = [1, 0.5, 0.9, 1e-2, 0.9]` of `decoding.py` (dilab-zju/self-speculative-decoding)
/// are the interval of one verification, β1, α, ε and β2:
/// m ← β1·m + (1 − β1)·r from m = 0; θ′ = θ + ε if m < α, θ if the draft had `max_draft_len` tokens,
/// else θ − ε; θ ← β2·θ + (1 − β2)·θ′. `theta` starts at 0.8 when greedy there, 0.5 when sampling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DraftVerify {
    pub theta: f64,
    pub alpha: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub scope: MemoryScope,
}

impl Default for DraftVerify {
    fn default() -> Self {
        Self {
            theta: 0.8,
            alpha: 0.9,
            beta1: 0.5,
            beta2: 0.9,
            epsilon: 0.01,
            scope: MemoryScope::Prompt,
        }
    }
}

impl DraftVerify {
    pub(super) fn validate(&self) -> Result<(), OutOfRange> {
        require(
            self.theta.is_finite(),
            "stop.theta",
            self.theta,
            "a finite number",
        )?;
        require_share(self.beta1, "stop.beta1")?;
        require_share(self.beta2, "stop.beta2")?;
        require(
            self.epsilon >= 0.0,
            "stop.epsilon",
            self.epsilon,
            "0 or positive",
        )
    }

    pub(super) fn next(&self, state: Controlled, outcome: &RoundOutcome<'_>) -> Controlled {
        let Some(rate) = outcome.acceptance() else {
            return state;
        };
        let acceptance = self.beta1 * state.acceptance + (1.0 - self.beta1) * rate;
        let target = if acceptance < self.alpha {
            state.threshold + self.epsilon
        } else if outcome.drafted == outcome.max_draft_len {
            state.threshold
        } else {
            state.threshold - self.epsilon
        };
        Controlled {
            threshold: self.beta2 * state.threshold + (1.0 - self.beta2) * target,
            acceptance,
        }
    }
}
