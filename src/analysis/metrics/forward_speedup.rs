//! How much of the speedup that the forwards of a trial allow is really there.
//!
//! Leviathan et al. 2023 expect (1 − α^(γ+1)) / ((1 − α)(γc + 1)) of drafts of γ tokens, each accepted
//! with chance α. That takes a forward of γ + 1 rows to cost as much as one of a single row. Here the
//! rounds that a trial ran are counted in the place of α and γ, and each forward is given the time that
//! one of its size took on this machine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{TrialRows, light};
use crate::analysis::run_costs::{RoleCosts, RunCosts};
use crate::analysis::timed::TimedPrompt;
use crate::config::decoder::DecoderSpec;
use crate::plan::Trial;
use crate::record::schema::RoundRecord;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;
use crate::trace::cost::ForwardCost;

/// Speedups over the baseline without prefill, on the prompts that both have. Intervals are over prompts;
/// the error of the forward times is not in them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ForwardSpeedup {
    /// Σ tokens of the baseline · t_v(1) / Σ over rounds (drafter forwards · t_d(1) + t(rows)): the speedup
    /// if nothing but forwards took time.
    pub expected: Interval,
    /// Σ baseline wall time / Σ own.
    pub realised: Interval,
    /// `realised` / `expected`.
    pub share: Interval,
}

/// Times of one prompt, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    /// From the end of the prefill on, as measured.
    baseline: f64,
    own: f64,
    /// Of the forwards alone.
    baseline_forwards: f64,
    own_forwards: f64,
}

/// Costs of what the rounds of one decoder are made of.
struct RoundCosts<'c> {
    /// Seconds of a step of the baseline.
    step: f64,
    /// Seconds of a drafter forward; 0 for a decoder that has none.
    drafter: f64,
    /// Of the model whose output counts.
    own: &'c ForwardCost,
}

/// Of a trial that ran here. None where its prompts or those of the baseline were not timed, where its models
/// were not, of a batch, of the baseline, and of a window that drafts: the sizes of its forwards are not
/// recorded.
pub(super) fn forward_speedup(
    trial: &Trial,
    prompts: &[TimedPrompt<'_>],
    rows: &TrialRows<'_>,
    costs: &RunCosts,
    bootstrap: &Bootstrap,
) -> Option<ForwardSpeedup> {
    if trial.decoder.batch_size() > 1 {
        return None;
    }
    let mut rounds: BTreeMap<usize, Vec<&RoundRecord>> = BTreeMap::new();
    for &round in &rows.rounds {
        rounds.entry(round.prompt).or_default().push(round);
    }
    let times: Vec<Times> = prompts
        .iter()
        .filter_map(|prompt| {
            let costs = RoundCosts::of(&trial.decoder, costs.on(prompt.row.shard)?)?;
            costs.times(prompt, rounds.get(&prompt.row.prompt)?)
        })
        .collect();
    let bootstrap = light(bootstrap, 4 * times.len());
    let interval = |statistic: fn(&Times) -> Option<f64>| {
        let of = |indices: &[usize]| statistic(&sum(indices.iter().map(|&index| &times[index])));
        let estimate = statistic(&sum(times.iter()))?;
        Some(bootstrap.around(estimate, times.len(), of))
    };
    Some(ForwardSpeedup {
        expected: interval(Times::expected)?,
        realised: interval(Times::realised)?,
        share: interval(Times::share)?,
    })
}

impl<'c> RoundCosts<'c> {
    fn of(decoder: &DecoderSpec, costs: &'c RoleCosts) -> Option<Self> {
        let step = seconds(costs.verifier.as_ref()?, 1);
        match decoder {
            DecoderSpec::Speculative { .. } => Some(Self {
                step,
                drafter: seconds(costs.drafter.as_ref()?, 1),
                own: costs.verifier.as_ref()?,
            }),
            DecoderSpec::Window { .. } => Some(Self {
                step,
                drafter: 0.0,
                own: costs.window.as_ref()?,
            }),
            DecoderSpec::Autoregressive { .. } | DecoderSpec::WindowDraft { .. } => None,
        }
    }

    fn times(&self, prompt: &TimedPrompt<'_>, rounds: &[&RoundRecord]) -> Option<Times> {
        let decoded = prompt.decoded?;
        let forwards = |round: &&RoundRecord| {
            round.drafter_forwards as f64 * self.drafter + seconds(self.own, round.n_rows)
        };
        Some(Times {
            baseline: decoded.baseline_ns / 1e9,
            own: decoded.ns / 1e9,
            baseline_forwards: decoded.baseline_committed as f64 * self.step,
            own_forwards: rounds.iter().map(forwards).sum(),
        })
    }
}

fn seconds(cost: &ForwardCost, n_rows: usize) -> f64 {
    cost.line(n_rows).fixed_seconds
}

impl Times {
    fn expected(&self) -> Option<f64> {
        ratio(self.baseline_forwards, self.own_forwards)
    }

    fn realised(&self) -> Option<f64> {
        ratio(self.baseline, self.own)
    }

    fn share(&self) -> Option<f64> {
        ratio(self.realised()?, self.expected()?)
    }
}

fn ratio(one: f64, other: f64) -> Option<f64> {
    (other > 0.0).then(|| one / other)
}

fn sum<'t>(times: impl Iterator<Item = &'t Times>) -> Times {
    times.fold(Times::default(), |sum, one| Times {
        baseline: sum.baseline + one.baseline,
        own: sum.own + one.own,
        baseline_forwards: sum.baseline_forwards + one.baseline_forwards,
        own_forwards: sum.own_forwards + one.own_forwards,
    })
}

#[cfg(test)]
mod tests;
