//! What a report is made from: plain numbers of one sweep.

use serde::Serialize;

use crate::analysis::details::Details;
use crate::analysis::hypotheses::verdict::Verdict;
use crate::analysis::metrics::RunMetrics;
use crate::record::schema::Mode;
use crate::stats::interval::Interval;

/// One sweep, ready to be shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SweepView {
    pub name: String,
    /// The command line that made the numbers.
    pub command: String,
    /// Program version with git revision, such as `0.1.0 (git 1a2b3c4)`.
    pub version: String,
    /// Date of the run, as it is to be printed.
    pub date: String,
    /// Device, dtype and threads in words.
    pub device: String,
    /// Further lines of "how it was made": config hash, models, workload.
    pub provenance: Vec<(String, String)>,
    pub n_prompts: usize,
    pub repeats: usize,
    /// Autoregressive decoding of the same prompts; `None` when it was not measured or failed.
    pub baseline: Option<TrialView>,
    /// Every other trial in the order of the plan, failed ones included.
    pub trials: Vec<TrialView>,
    /// How the time of one forward grows with its number of tokens, per model or profile.
    pub cost_curves: Vec<CostCurve>,
    /// Replay against live; none when nothing was replayed.
    pub replay: Option<ReplayCheck>,
    /// Acceptance, cost, quality and latency in detail; empty where nothing ran here.
    pub metrics: RunMetrics,
    /// Name of the hardware profile behind [`Measures::speedup_projected`].
    pub hardware_profile: Option<String>,
    /// What the tables of generations, rounds and positions say of the trials in [`SweepView::chosen`].
    pub details: Details,
    /// What experiments that it was run for make of it.
    pub verdicts: Vec<Verdict>,
    /// Experiments that it was run for and that were not judged yet.
    pub unjudged: Vec<String>,
}

/// One point of the grid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialView {
    /// Short name, unique in the sweep.
    pub label: String,
    pub kind: TrialKind,
    /// Name of the decoder entry in the sweep file.
    pub family: String,
    /// Parameters by their path in the sweep file, such as `("stop.theta_abs", "1.5")`.
    pub axes: Vec<(String, String)>,
    /// Prompts that are decoded at a time.
    pub batch_size: usize,
    /// Whether the figures were measured or replayed.
    pub mode: Mode,
    /// Prompts after which it was dropped; its figures are of these alone.
    pub dropped_after: Option<usize>,
    /// Whether the output distribution is provably the verifier's.
    pub lossless: bool,
    /// The numbers, or why there are none.
    pub result: Result<Measures, String>,
}

/// How a trial decodes, as far as a report needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialKind {
    Autoregressive,
    /// The baseline as a trial of its own: its speedup shows how far noise goes.
    Duplicate,
    Speculative(DraftRule),
    Window,
}

/// What ends a draft, as far as a report needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftRule {
    /// Always the same draft length: the baseline that an entropy rule has to beat.
    FixedLength,
    /// Reads the drafter's entropy (EBSD).
    Entropy,
    /// Reads anything else that is known while drafting: probability, margin, past acceptance.
    OtherSignal,
    /// A floor or a ceiling, never a candidate for "best": random length, oracle.
    Reference,
}

/// The numbers of a trial that ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Measures {
    /// Σ baseline wall time / Σ own wall time over the same prompts, the baseline of the same batch
    /// size; `None` without one.
    pub speedup: Option<Interval>,
    /// Geometric mean over prompts of baseline wall time / own wall time; `None` for a baseline.
    pub speedup_geometric: Option<Interval>,
    /// The same ratio with the forward times of [`SweepView::hardware_profile`]: a model, not a
    /// measurement.
    pub speedup_projected: Option<f64>,
    /// Committed tokens per second of wall time.
    pub tokens_per_second: f64,
    /// Speculative: Σ accepted / Σ drafted. Window: share of filled tokens that equal the
    /// autoregressive choice.
    pub acceptance_rate: Option<Interval>,
    /// Committed tokens per verifier forward; 1 when autoregressive.
    pub block_efficiency: f64,
    /// Committed tokens per forward of the model whose output counts.
    pub tokens_per_forward: f64,
    pub drafted: u64,
    pub accepted: u64,
    pub committed: u64,
    /// Window: tokens written into masks per forward.
    pub filled_per_forward: Option<Interval>,
    /// Window: forwards that another trial had run on the same prompt, first repeats only.
    pub shared_forwards: u64,
    /// Window: how good the filled tokens are.
    pub fills: Option<Fills>,
    /// Share of prompts whose answer scores as right; `None` when the workload has no answers.
    pub exact_match: Option<Interval>,
    /// Share of prompts whose tokens are those of the baseline.
    pub same_text: Option<Interval>,
    /// Number of rounds by draft length: index 0 counts the rounds without a draft.
    pub draft_len_histogram: Vec<u64>,
    /// Wall time of each prompt in nanoseconds, repeats summarised; the same prompts in the same
    /// order in every trial of the sweep that was not dropped. In a merged sweep as if it had run
    /// beside the baseline shown: times the ratio of that baseline's time of the prompt to the one
    /// of the trial's own shard.
    pub prompt_ns: Vec<f64>,
}

/// Filled and committed tokens of a window decoder, in groups.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Fills {
    /// By the entropy at which they were filled, in nats.
    pub by_entropy: Vec<FillGroup>,
    /// By how many positions they stood behind the first mask.
    pub by_distance: Vec<FillGroup>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FillGroup {
    /// The bin, such as `0.1 to 0.2`.
    pub name: String,
    pub n: u64,
    /// Share that the window model would have chosen autoregressively.
    pub agreed: Option<Interval>,
    /// Share that the verifier would have chosen.
    pub verifier_agreed: Option<Interval>,
}

/// Trials that were replayed and ran live as well.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ReplayCheck {
    /// Trials that were replayed, checked or not.
    pub n_replayed: usize,
    /// Generations compared round by round, and their rounds.
    pub n_generations: usize,
    pub n_rounds: usize,
    /// Generations with a round that differs.
    pub n_different: usize,
    /// Of these, those whose verifier was near a tie somewhere in the text, so that rounding decides.
    pub n_near_ties: usize,
    pub trials: Vec<CheckedTrial>,
    /// Median and maximum over the checked trials of |predicted / measured speedup − 1|.
    pub median_error: Option<f64>,
    pub largest_error: Option<f64>,
    /// Spearman's correlation of predicted and measured speedups.
    pub rank_correlation: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckedTrial {
    pub label: String,
    pub predicted: Interval,
    pub measured: Interval,
}

/// How the time of one forward grows with the number of tokens fed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostCurve {
    /// Model and device, or the name of a hardware profile.
    pub label: String,
    pub points: Vec<CostPoint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CostPoint {
    /// Tokens fed in one forward.
    pub n_tokens: usize,
    /// Time of this forward / time of a forward of one token.
    pub ratio: Interval,
}

impl TrialView {
    pub fn measures(&self) -> Option<&Measures> {
        self.result.as_ref().ok()
    }

    /// Measured speedup, when it is a number.
    pub fn speedup(&self) -> Option<Interval> {
        finite(self.measures()?.speedup)
    }

    /// Acceptance rate (window: agreement), when it is a number.
    pub fn acceptance_rate(&self) -> Option<Interval> {
        finite(self.measures()?.acceptance_rate)
    }

    /// Value of the axis whose path ends in `name`, such as `theta_abs` for `stop.theta_abs`.
    pub fn axis(&self, name: &str) -> Option<&str> {
        self.axes
            .iter()
            .find(|(path, _)| path == name || path.rsplit('.').next() == Some(name))
            .map(|(_, value)| value.as_str())
    }

    /// `stop.theta_abs=1.5 entropy.kind=renyi`; empty without axes.
    pub fn parameters(&self) -> String {
        let assigned = |(path, value): &(String, String)| format!("{path}={value}");
        let parameters: Vec<String> = self.axes.iter().map(assigned).collect();
        parameters.join(" ")
    }

    /// Which entropy the rule reads, under the names that the two sweep formats give it.
    pub fn entropy_kind(&self) -> Option<&str> {
        let full = self.axes.iter().find(|(path, _)| path == "entropy.kind");
        full.map(|(_, value)| value.as_str())
            .or_else(|| self.axis("entropy_type"))
    }
}

/// Name of what is said of every prompt, beside the names of categories.
pub const ALL_PROMPTS: &str = "all prompts";

/// `None` for an estimate that is not a number.
pub fn finite(interval: Option<Interval>) -> Option<Interval> {
    interval.filter(|interval| interval.estimate.is_finite())
}

impl SweepView {
    /// Names of the decoder entries in the order of their first trial.
    pub fn families(&self) -> Vec<&str> {
        let mut families: Vec<&str> = Vec::new();
        for trial in &self.trials {
            if !families.contains(&trial.family.as_str()) {
                families.push(&trial.family);
            }
        }
        families
    }

    /// Trials of a decoder entry, failed ones included.
    pub fn n_trials(&self, family: &str) -> usize {
        let of_family = |trial: &&TrialView| trial.family == family;
        self.trials.iter().filter(of_family).count()
    }

    /// The trial with the largest measured speedup among those that `is_candidate` admits and that ran
    /// on all prompts.
    pub fn best(&self, is_candidate: impl Fn(&TrialView) -> bool) -> Option<&TrialView> {
        self.trials
            .iter()
            .filter(|trial| trial.dropped_after.is_none() && is_candidate(trial))
            .filter_map(|trial| Some((trial, trial.speedup()?.estimate)))
            .max_by(|(_, one), (_, other)| one.total_cmp(other))
            .map(|(trial, _)| trial)
    }

    /// The fastest fixed draft length, then the fastest trial of every other decoder entry: those that a
    /// report compares.
    pub fn chosen(&self) -> Vec<&TrialView> {
        let mut chosen: Vec<&TrialView> = self.best_fixed().into_iter().collect();
        for family in self.families() {
            let of_family = |trial: &TrialView| trial.family == family;
            let fastest = self.best(of_family).or_else(|| {
                let mut trials = self.trials.iter();
                trials.find(|trial| of_family(trial) && trial.measures().is_some())
            });
            let is_new = |trial: &&TrialView| !chosen.iter().any(|one| std::ptr::eq(*one, *trial));
            chosen.extend(fastest.filter(is_new));
        }
        chosen
    }

    pub fn best_fixed(&self) -> Option<&TrialView> {
        self.best(|trial| trial.kind == TrialKind::Speculative(DraftRule::FixedLength))
    }

    /// The trials that a table of all of them shows, in the order of the plan: the fastest ones where a
    /// reader could not look through all.
    pub fn listed(&self) -> Vec<&TrialView> {
        let speed = |trial: &TrialView| {
            let speedup = trial.speedup();
            speedup.map_or(f64::NEG_INFINITY, |speedup| speedup.estimate)
        };
        let mut places: Vec<usize> = (0..self.trials.len()).collect();
        if places.len() > Self::MOST_LISTED {
            places.sort_by(|&a, &b| {
                let (one, other) = (speed(&self.trials[a]), speed(&self.trials[b]));
                other.total_cmp(&one)
            });
            places.truncate(Self::MOST_LISTED);
            places.sort_unstable();
        }
        places.iter().map(|&place| &self.trials[place]).collect()
    }

    /// What a table says that does not show every trial.
    pub fn unlisted(&self) -> Option<String> {
        let n = self.trials.len();
        (n > Self::MOST_LISTED).then(|| {
            format!(
                "The fastest {} of {n} trials are listed; trials.parquet holds all.",
                Self::MOST_LISTED
            )
        })
    }

    const MOST_LISTED: usize = 3_000;

    /// `60 prompts × 3 repeats`.
    pub fn size(&self) -> String {
        let plural = |n: usize, noun: &str| match n {
            1 => format!("1 {noun}"),
            _ => format!("{n} {noun}s"),
        };
        format!(
            "{} × {}",
            plural(self.n_prompts, "prompt"),
            plural(self.repeats, "repeat")
        )
    }
}
