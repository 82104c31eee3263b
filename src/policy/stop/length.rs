//! Rules that choose the length before the round.

use serde::{Deserialize, Serialize};

use super::{MemoryScope, RoundOutcome};
use crate::policy::noise::Noise;
use crate::policy::{OutOfRange, require};

/// A length drawn uniformly from 1..=`max_draft_len` for each round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RandomLength {
    /// Of the generation, unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl RandomLength {
    /// The length in round `round`.
    pub(super) fn draw(noise: &Noise, round: u64, max_draft_len: usize) -> usize {
        1 + (noise.uniform(round) * max_draft_len as f64) as usize
    }
}

/// Hugging Face's schedule `heuristic`: two more after a fully accepted draft, else one fewer, in
/// 1..=`max_draft_len`. `num_assistant_tokens` starts at 20 in transformers now.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HfHeuristic {
    pub start: usize,
    pub scope: MemoryScope,
}

impl Default for HfHeuristic {
    fn default() -> Self {
        Self {
            start: 20,
            scope: MemoryScope::Prompt,
        }
    }
}

impl HfHeuristic {
    pub(super) fn validate(&self) -> Result<(), OutOfRange> {
        require(self.start > 0, "stop.start", self.start, "at least 1")
    }

    pub(super) fn next(length: usize, outcome: &RoundOutcome<'_>) -> usize {
        // Above the cap the length would rise unseen, and take as long to come down again.
        let cap = outcome.max_draft_len.max(1);
        let length = length.min(cap);
        if outcome.drafted == 0 {
            length
        } else if outcome.accepted == outcome.drafted {
            (length + 2).min(cap)
        } else {
            (length - 1).max(1)
        }
    }
}

/// One more when the moving mean of accepted / drafted is at least `raise_at`, one fewer when it is
/// at most `lower_at` (arXiv 2504.00030; constants as in the Afterimage implementation, the start is
/// ours).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GammaTune {
    pub start: usize,
    /// Weight of the newest round.
    pub ema: f64,
    pub raise_at: f64,
    pub lower_at: f64,
    pub scope: MemoryScope,
}

impl Default for GammaTune {
    fn default() -> Self {
        Self {
            start: 4,
            ema: 0.3,
            raise_at: 0.7,
            lower_at: 0.4,
            scope: MemoryScope::Prompt,
        }
    }
}

impl GammaTune {
    pub(super) fn validate(&self) -> Result<(), OutOfRange> {
        require(self.start > 0, "stop.start", self.start, "at least 1")?;
        require_weight(self.ema, "stop.ema")?;
        require(
            self.lower_at < self.raise_at,
            "stop.lower_at",
            self.lower_at,
            "below stop.raise_at",
        )
    }

    /// New mean acceptance and length. The first round sets the mean.
    pub(super) fn next(
        &self,
        acceptance: Option<f64>,
        length: usize,
        outcome: &RoundOutcome<'_>,
    ) -> (Option<f64>, usize) {
        let Some(rate) = outcome.acceptance() else {
            return (acceptance, length);
        };
        let mean = acceptance.map_or(rate, |old| (1.0 - self.ema) * old + self.ema * rate);
        let length = if mean >= self.raise_at {
            (length + 1).min(outcome.max_draft_len.max(1))
        } else if mean <= self.lower_at {
            (length - 1).max(1)
        } else {
            length
        };
        (Some(mean), length)
    }
}

/// SGLang's adaptive steps: a ladder of lengths, climbed when the moving mean of the accepted length
/// exceeds the current step − 0.5 + `up_hysteresis`, descended when it is at most the step below
/// − 0.5 + `down_hysteresis`. The first `warmup` rounds and all but every `interval`-th only feed the
/// mean. Constants of SGLang's `adaptive_spec_params.py`, its ladder for batch size 1; the start is
/// ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SglangEma {
    /// Lengths, rising.
    pub steps: Vec<usize>,
    /// One of `steps`.
    pub start: usize,
    pub ema: f64,
    pub warmup: u64,
    pub interval: u64,
    pub up_hysteresis: f64,
    pub down_hysteresis: f64,
    pub scope: MemoryScope,
}

impl Default for SglangEma {
    fn default() -> Self {
        Self {
            steps: vec![1, 3, 5, 7],
            start: 3,
            ema: 0.2,
            warmup: 10,
            interval: 5,
            up_hysteresis: 0.0,
            down_hysteresis: -0.25,
            scope: MemoryScope::Prompt,
        }
    }
}

/// What [`SglangEma`] remembers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ladder {
    /// Index into `steps`.
    pub step: usize,
    pub accepted_len: Option<f64>,
    pub rounds: u64,
}

impl SglangEma {
    pub(super) fn validate(&self) -> Result<(), OutOfRange> {
        require(
            self.steps.is_sorted_by(|a, b| a < b) && self.steps.first().is_some_and(|&s| s > 0),
            "stop.steps",
            format!("{:?}", self.steps),
            "a rising list of lengths of at least 1",
        )?;
        require(
            self.steps.contains(&self.start),
            "stop.start",
            self.start,
            "one of stop.steps",
        )?;
        require_weight(self.ema, "stop.ema")?;
        require(
            self.interval > 0,
            "stop.interval",
            self.interval,
            "at least 1",
        )?;
        let hysteresis = self.up_hysteresis - self.down_hysteresis;
        require(
            hysteresis >= 0.0,
            "stop.down_hysteresis",
            self.down_hysteresis,
            "at most stop.up_hysteresis",
        )
    }

    pub(super) fn ladder(&self) -> Ladder {
        Ladder {
            step: self
                .steps
                .iter()
                .position(|&s| s == self.start)
                .unwrap_or(0),
            accepted_len: None,
            rounds: 0,
        }
    }

    pub(super) fn next(&self, ladder: Ladder, outcome: &RoundOutcome<'_>) -> Ladder {
        let accepted = outcome.accepted as f64;
        let mean = ladder
            .accepted_len
            .map_or(accepted, |old| (1.0 - self.ema) * old + self.ema * accepted);
        let rounds = ladder.rounds + 1;
        let step = if rounds <= self.warmup || !rounds.is_multiple_of(self.interval) {
            ladder.step
        } else {
            self.step_for(ladder.step, mean)
        };
        Ladder {
            step,
            accepted_len: Some(mean),
            rounds,
        }
    }

    fn step_for(&self, step: usize, mean: f64) -> usize {
        let exceeds =
            |index: usize, hysteresis: f64| mean > self.steps[index] as f64 - 0.5 + hysteresis;
        if step + 1 < self.steps.len() && exceeds(step, self.up_hysteresis) {
            step + 1
        } else if step > 0 && !exceeds(step - 1, self.down_hysteresis) {
            step - 1
        } else {
            step
        }
    }
}

/// The length K that maximises (1 + Σ_{i≤K} Π_{j≤i} α_j) / (1 + K·c + overhead), with α_j the moving
/// mean of the acceptance of draft position j given that it was compared. With probability `epsilon`
/// a length is drawn uniformly from 1..=max, so that long positions keep being observed.
///
/// Constants of the adaptive-k proposal to vLLM (its pull request 44336); its cooldown and its
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

pub(super) fn require_weight(value: f64, field: &'static str) -> Result<(), OutOfRange> {
    require(value > 0.0 && value <= 1.0, field, value, "in (0, 1]")
}

pub(super) fn require_share(value: f64, field: &'static str) -> Result<(), OutOfRange> {
    require((0.0..=1.0).contains(&value), field, value, "in [0, 1]")
}
