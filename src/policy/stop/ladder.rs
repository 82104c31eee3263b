use serde::{Deserialize, Serialize};

use super::range::require_weight;
use super::{MemoryScope, RoundOutcome};
use crate::policy::{OutOfRange, require};

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
