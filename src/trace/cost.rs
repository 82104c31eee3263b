//! How long rounds take: the time of forwards as a function of their size and context.
//!
//! A forward of m rows at a context of c tokens takes a_m + b_m·c seconds, a line over the context for
//! each size; between the sizes known, and beyond the last, the lines are linear in m. What happens
//! between the forwards of a round (entropies, stopping, acceptance, rolling back) is such a cost of the
//! rows verified. The first forward of a draft has a cost of its own: it finds the processor as the
//! verifier left it. So has a step of autoregressive decoding. The time of a generation is a sum over
//! the counts of a replay, whatever its rounds were.
//!
//! Prefill is not part of it: it is the same for every decoder of a pair.
//!
//! The model comes from timings on this machine ([`time_rounds`](super::timing::time_rounds),
//! [`CostModel::fit`]) or from a profile of another one ([`CostModel::given`]).

mod fit;

use std::ops::Add;

use serde::{Deserialize, Serialize};

pub use self::fit::{FitError, SizeFit};
use super::replay::{Forwards, Totals};
use crate::stats::bounds::percentile;
use crate::stats::interval::{Confidence, Interval};
use crate::stats::sample::Sample;

/// What of a round was timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A whole step of autoregressive decoding.
    Step,
    /// The first drafter forward of a round.
    DraftStart,
    /// A later drafter forward.
    Drafter,
    /// A verifier forward that returns the logits of every row.
    Verifier,
    /// A round without its forwards: entropies, stopping, acceptance, rolling back.
    Round,
}

/// One timing of a calibration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimingSample {
    pub part: Part,
    /// Rows fed; of a round, rows verified.
    pub n_rows: usize,
    /// Tokens committed when the round began, the prompt included.
    pub context_len: usize,
    /// Number of the pass. A pass times everything, so that what slows the machine down for a while
    /// slows all parts alike.
    pub pass: usize,
    pub seconds: f64,
}

/// Seconds of one forward, by the context that it has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub fixed_seconds: f64,
    pub seconds_per_context_token: f64,
}

/// Seconds of the forwards of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct ForwardCost {
    /// By rows fed, rising; at least one.
    by_rows: Vec<(usize, Line)>,
}

/// Seconds of everything that a round does.
#[derive(Debug, Clone, PartialEq)]
pub struct Costs {
    /// A step of autoregressive decoding.
    pub step: Line,
    /// The first drafter forward of a round, by rows fed.
    pub draft_start: ForwardCost,
    /// Every later one: it has one row.
    pub drafter: Line,
    pub verifier: ForwardCost,
    /// A round beyond its forwards, by rows verified.
    pub round: ForwardCost,
}

/// Costs with what is known of their error.
#[derive(Debug, Clone, PartialEq)]
pub struct CostModel {
    costs: Costs,
    spread: Spread,
    fits: Vec<SizeFit>,
}

#[derive(Debug, Clone, PartialEq)]
enum Spread {
    /// The costs are definitions.
    None,
    /// The costs that the passes give when they are drawn anew; none from a single pass.
    Resampled(Vec<Costs>),
}

impl Line {
    fn seconds(self, forwards: Forwards) -> f64 {
        forwards.n as f64 * self.fixed_seconds
            + forwards.context_sum as f64 * self.seconds_per_context_token
    }

    /// The point at `share` of the way to `other`, or beyond.
    fn towards(self, other: Self, share: f64) -> Self {
        let mix = |own: f64, other: f64| own + share * (other - own);
        Self {
            fixed_seconds: mix(self.fixed_seconds, other.fixed_seconds),
            seconds_per_context_token: mix(
                self.seconds_per_context_token,
                other.seconds_per_context_token,
            ),
        }
    }
}

impl Add for Line {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            fixed_seconds: self.fixed_seconds + other.fixed_seconds,
            seconds_per_context_token: self.seconds_per_context_token
                + other.seconds_per_context_token,
        }
    }
}

impl ForwardCost {
    /// Lines for some numbers of rows.
    ///
    /// # Panics
    /// When there is none, or the numbers do not rise.
    pub fn new(by_rows: Vec<(usize, Line)>) -> Self {
        assert!(!by_rows.is_empty(), "a cost has at least one size");
        assert!(by_rows.is_sorted_by(|a, b| a.0 < b.0), "sizes rise");
        Self { by_rows }
    }

    /// `line` for a forward of no rows and `seconds_per_row` more for each row.
    pub fn linear(line: Line, seconds_per_row: f64) -> Self {
        let of = |n_rows: usize| Line {
            fixed_seconds: line.fixed_seconds + n_rows as f64 * seconds_per_row,
            ..line
        };
        Self::new(vec![(0, of(0)), (1, of(1))])
    }

    /// The line of forwards of `n_rows` rows.
    pub fn line(&self, n_rows: usize) -> Line {
        let above = self.by_rows.partition_point(|&(size, _)| size < n_rows);
        let above = above.clamp(1, self.by_rows.len().max(2) - 1);
        let (low, line) = self.by_rows[above - 1];
        match self.by_rows.get(above) {
            None => line,
            Some(&(high, next)) => {
                let share = (n_rows as f64 - low as f64) / (high - low) as f64;
                line.towards(next, share)
            }
        }
    }

    fn seconds(&self, by_rows: &[Forwards]) -> f64 {
        let forwards = by_rows.iter().enumerate();
        forwards
            .filter(|(_, forwards)| forwards.n > 0)
            .map(|(n_rows, &forwards)| self.line(n_rows).seconds(forwards))
            .sum()
    }
}

impl Costs {
    /// Seconds of all rounds. Without a single draft they are steps of autoregressive decoding.
    pub fn seconds(&self, totals: &Totals) -> f64 {
        if totals.draft_starts.is_empty() {
            return self.step.seconds(totals.steps());
        }
        self.draft_start.seconds(&totals.draft_starts)
            + self.drafter.seconds(totals.drafter)
            + self.verifier.seconds(&totals.verifier)
            + self.round.seconds(&totals.verifier)
    }
}

impl CostModel {
    /// Costs without error, such as those of a hardware profile.
    pub fn given(costs: Costs) -> Self {
        Self {
            costs,
            spread: Spread::None,
            fits: Vec::new(),
        }
    }

    /// The costs themselves, for the time of each prompt.
    pub fn costs(&self) -> &Costs {
        &self.costs
    }

    /// How well each size was fitted; empty for given costs.
    pub fn fits(&self) -> &[SizeFit] {
        &self.fits
    }

    /// Seconds of all rounds. The 95 % interval holds the error of the calibration alone: it says what
    /// other passes on this machine would have predicted for the same rounds.
    pub fn seconds(&self, totals: &Totals) -> Interval {
        self.interval(|costs| costs.seconds(totals))
    }

    /// Seconds of `baseline` over seconds of `trial`, with the interval of [`seconds`](Self::seconds);
    /// narrower than those of its parts suggest, because one calibration prices both.
    pub fn speedup(&self, baseline: &Totals, trial: &Totals) -> Interval {
        self.interval(|costs| costs.seconds(baseline) / costs.seconds(trial))
    }

    fn interval(&self, quantity: impl Fn(&Costs) -> f64) -> Interval {
        let estimate = quantity(&self.costs);
        let replicates = match &self.spread {
            Spread::None => return Interval::exact(estimate),
            Spread::Resampled(replicates) => replicates,
        };
        let confidence = Confidence::P95;
        let Ok(distribution) = Sample::new(replicates.iter().map(&quantity).collect()) else {
            return Interval::unbounded(estimate, confidence);
        };
        let bounds = percentile(&distribution, confidence);
        Interval {
            estimate,
            low: bounds.low,
            high: bounds.high,
            confidence: confidence.level(),
        }
    }
}

#[cfg(test)]
mod tests;
