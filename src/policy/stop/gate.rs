use serde::{Deserialize, Serialize};

use super::range::require_weight;
use super::{MemoryScope, RoundOutcome};
use crate::policy::{OutOfRange, require};

/// Drafts as long as allowed while the gate is open, and as little as allowed while it is shut.
///
/// The gate follows the moving mean of the rounds' mean entropies (weight 0.35 as in the gate
/// proposed to vLLM): it shuts above `high` and opens again below `low` (thresholds ours). A shut gate
/// fires at every slot, so in order `before` with `min_draft_len: 0` nothing is drafted, and the one
/// drafter forward spent is the probe that can open it again.
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
