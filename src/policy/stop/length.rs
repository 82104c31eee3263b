//! Rules that choose the length before the round.

use serde::{Deserialize, Serialize};

use super::range::require_weight;
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
