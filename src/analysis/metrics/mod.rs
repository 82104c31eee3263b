//! The metrics of a run from its rows alone, whether they were measured just now or read back.
//!
//! `analysis/METRICS.md` in the repository gives formula, unit, source and pitfalls of each.

mod acceptance;
mod categories;
mod cost;
mod figures;
mod forward_speedup;
mod latency;
mod quality;
mod rejections;
mod signals;
mod trajectories;
pub mod tuning;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

pub use self::acceptance::{AcceptanceRates, EntropyBin};
pub use self::categories::{CategoryMetrics, by_category};
pub use self::cost::Cost;
pub use self::figures::{category_record, figures_of_replay, fill, replayed};
pub use self::forward_speedup::ForwardSpeedup;
pub use self::latency::Latency;
pub use self::quality::{Quality, quality};
pub use self::rejections::{Rejection, RejectionClass, RejectionKind};
pub use self::signals::Signal;
pub use self::trajectories::{Shape, ShapeClass};
pub use self::tuning::Tuned;
use crate::analysis::hazard::{HazardSlot, hazard};
use crate::analysis::rates::ratio_of_sums;
use crate::analysis::run_costs::RunCosts;
use crate::analysis::timed::timed_prompts;
use crate::plan::Trial;
use crate::record::journal::Entry;
use crate::record::schema::{GenerationRecord, Mode, PositionRecord, RoundRecord};
use crate::stats::bootstrap::{Bootstrap, Method};
use crate::stats::interval::Interval;

/// Resamples behind an interval that only this folder has: there are many, and most go into a table.
const N_RESAMPLES: NonZeroUsize = const { NonZeroUsize::new(1_000).unwrap() };
/// Fewest resamples, where there is so much data that each takes long.
const FEWEST_RESAMPLES: NonZeroUsize = const { NonZeroUsize::new(200).unwrap() };
/// Values that all resamples of an interval read together.
const MOST_VALUES: usize = 20_000_000;

/// Everything that the tables and the report show beside the summary.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunMetrics {
    /// The trials that ran here, in the order of the plan; in a report also the replayed ones that it
    /// compares.
    pub trials: Vec<TrialMetrics>,
    /// Per decoder entry the trial with the most tested tokens.
    pub drafts: Vec<DraftMetrics>,
    pub tuned: Vec<Tuned>,
}

/// One trial over all prompts, and by category.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrialMetrics {
    pub trial_id: String,
    pub label: String,
    pub family: String,
    #[serde(default)]
    pub mode: Mode,
    pub acceptance: AcceptanceRates,
    pub quality: Quality,
    pub cost: Cost,
    pub latency: Option<Latency>,
    #[serde(default)]
    pub forward_speedup: Option<ForwardSpeedup>,
    /// In alphabetical order; a single one when the workload has no kinds of prompts.
    pub categories: Vec<CategoryMetrics>,
}

/// What the drafts of one trial look like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DraftMetrics {
    pub label: String,
    pub family: String,
    pub hazard: Vec<HazardSlot>,
    pub by_entropy: Vec<EntropyBin>,
    pub signals: Vec<Signal>,
    pub shapes: Vec<ShapeClass>,
    pub rejections: Vec<RejectionClass>,
}

/// The first repeat of each prompt of a trial, in the order of the prompts.
#[derive(Debug, Clone, Default)]
pub struct TrialRows<'r> {
    pub generations: Vec<&'r GenerationRecord>,
    pub rounds: Vec<&'r RoundRecord>,
    pub positions: Vec<&'r PositionRecord>,
}

impl<'r> TrialRows<'r> {
    /// Of the entries of one trial; a prompt that several shards ran counts once, and one that failed
    /// not at all.
    pub fn of(entries: &[&'r Entry]) -> Self {
        let mut first: BTreeMap<usize, &'r Entry> = BTreeMap::new();
        for &entry in entries {
            let row = &entry.generation;
            let is_earlier = |other: &&'r Entry| row.repeat < other.generation.repeat;
            if row.error.is_none() && first.get(&row.prompt).is_none_or(is_earlier) {
                first.insert(row.prompt, entry);
            }
        }
        Self {
            generations: first.values().map(|entry| &entry.generation).collect(),
            rounds: first.values().flat_map(|entry| &entry.rounds).collect(),
            positions: first.values().flat_map(|entry| &entry.positions).collect(),
        }
    }
}

impl RunMetrics {
    /// Of the trials that ran here. What compares trials with each other is added by
    /// [`tuning::tuned`]. `costs` are those of the forwards on the machines that ran them.
    pub fn of(
        trials: &[Trial],
        entries: &[Entry],
        costs: &RunCosts,
        bootstrap: &Bootstrap,
    ) -> Self {
        let by_trial = crate::analysis::summary::by_trial(entries);
        let mut metrics = Self::default();
        let mut longest: Vec<(u64, &Trial, TrialRows<'_>)> = Vec::new();
        for trial in trials {
            let own = by_trial.get(trial.id.as_str());
            let own = own.map_or(&[][..], Vec::as_slice);
            let rows = TrialRows::of(own);
            if rows.generations.is_empty() {
                continue;
            }
            let baseline = trials.iter().find(|other| {
                categories::is_baseline(other)
                    && other.decoder.batch_size() == trial.decoder.batch_size()
            });
            let baseline = baseline.and_then(|one| by_trial.get(one.id.as_str()));
            let baseline = baseline.map_or(&[][..], Vec::as_slice);
            metrics.trials.push(TrialMetrics {
                trial_id: trial.id.clone(),
                label: trial.label.clone(),
                family: trial.family.clone(),
                mode: Mode::Live,
                acceptance: acceptance::rates(&rows, bootstrap),
                quality: quality(&rows.generations, bootstrap),
                cost: cost::cost(&rows.generations, bootstrap),
                latency: latency::latency(&rows, bootstrap),
                forward_speedup: forward_speedup::forward_speedup(
                    trial,
                    &timed_prompts(own, baseline),
                    &rows,
                    costs,
                    bootstrap,
                ),
                categories: by_category(own, baseline, bootstrap),
            });
            let tested: u64 = rows.generations.iter().map(|row| row.tested).sum();
            let has_drafts = rows.generations.iter().any(|row| row.drafted > 0);
            match longest
                .iter_mut()
                .find(|(_, other, _)| other.family == trial.family)
            {
                _ if !has_drafts => {}
                Some(other) if other.0 >= tested => {}
                Some(other) => *other = (tested, trial, rows),
                None => longest.push((tested, trial, rows)),
            }
        }
        let drafts = longest.iter();
        metrics.drafts = drafts
            .map(|(_, trial, rows)| DraftMetrics {
                label: trial.label.clone(),
                family: trial.family.clone(),
                hazard: hazard(&rows.rounds, bootstrap),
                by_entropy: acceptance::by_entropy(&rows.positions, bootstrap),
                signals: signals::signals(&rows.positions, bootstrap),
                shapes: trajectories::shapes(&rows.positions, bootstrap),
                rejections: rejections::rejections(rows),
            })
            .collect();
        metrics
    }
}

/// The bootstrap for an interval over `n_values` numbers.
fn light(bootstrap: &Bootstrap, n_values: usize) -> Bootstrap {
    let affordable = NonZeroUsize::new(MOST_VALUES / n_values.max(1));
    let n_resamples =
        affordable.map_or(FEWEST_RESAMPLES, |n| n.clamp(FEWEST_RESAMPLES, N_RESAMPLES));
    Bootstrap {
        n_resamples: n_resamples.min(bootstrap.n_resamples),
        method: Method::Percentile,
        ..*bootstrap
    }
}

/// Σ one / Σ other of pairs, one pair a prompt, with an interval over prompts; none where the second
/// sum is zero.
fn ratio(pairs: impl Iterator<Item = (f64, f64)>, bootstrap: &Bootstrap) -> Option<Interval> {
    let pairs: Vec<(f64, f64)> = pairs.collect();
    let bootstrap = light(bootstrap, pairs.len());
    ratio_of_sums(pairs.into_iter(), &bootstrap)
}

/// Adds up `terms` of each prompt.
fn sums_by_prompt<R>(
    rows: impl Iterator<Item = R>,
    prompt: impl Fn(&R) -> usize,
    terms: impl Fn(&R) -> (f64, f64),
) -> BTreeMap<usize, (f64, f64)> {
    let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for row in rows {
        let (one, other) = terms(&row);
        let sum = sums.entry(prompt(&row)).or_default();
        sum.0 += one;
        sum.1 += other;
    }
    sums
}

/// 1 for yes.
fn one_if(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}
