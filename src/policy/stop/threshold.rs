//! Rules whose threshold follows the acceptance of earlier rounds.

use serde::{Deserialize, Serialize};

use super::length::{require_share, require_weight};
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

/// Drafts as long as allowed while the gate is open, and as little as allowed while it is shut.
///
/// The gate follows the moving mean of the rounds' mean entropies (weight 0.35 as in the gate
/// proposed to vLLM, its issue 54082): it shuts above `high` and opens again below `low` (thresholds
/// ours). A shut gate fires at every slot, so in order `before` with `min_draft_len: 0` nothing is
/// drafted, and the one drafter forward spent is the probe that can open it again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SchmittGate {
    pub low: f64,
    pub high: f64,
    pub ema: f64,
    pub scope: MemoryScope,
}

impl Default for SchmittGate {
    fn default() -> Self {
        Self {
            low: 1.0,
            high: 2.0,
            ema: 0.35,
            scope: MemoryScope::Prompt,
        }
    }
}

/// What [`SchmittGate`] remembers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Gate {
    pub entropy: Option<f64>,
    pub is_shut: bool,
}

impl SchmittGate {
    pub(super) fn validate(&self) -> Result<(), OutOfRange> {
        require(
            self.low <= self.high,
            "stop.low",
            self.low,
            "at most stop.high",
        )?;
        require_weight(self.ema, "stop.ema")
    }

    pub(super) fn next(&self, gate: Gate, outcome: &RoundOutcome<'_>) -> Gate {
        if outcome.entropies.is_empty() {
            return gate;
        }
        let seen = outcome.entropies.iter().sum::<f64>() / outcome.entropies.len() as f64;
        let mean = gate
            .entropy
            .map_or(seen, |old| (1.0 - self.ema) * old + self.ema * seen);
        Gate {
            entropy: Some(mean),
            is_shut: if gate.is_shut {
                mean >= self.low
            } else {
                mean > self.high
            },
        }
    }
}
