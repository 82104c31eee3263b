//! Times and scores of single prompts: by category, and as latencies.

use std::collections::{BTreeMap, HashSet};

use super::{Category, CategoryTrial, Chosen, Latency};
use crate::analysis::generations::Generations;
use crate::analysis::metrics::quality;
use crate::analysis::rates::{acceptance_rate, ratio_of_sums};
use crate::analysis::read_back::ReadBack;
use crate::analysis::timed::{TimedPrompt, timed_prompts};
use crate::analysis::view::{ALL_PROMPTS, SweepView, TrialKind, TrialView};
use crate::record::journal::Entry;
use crate::record::schema::{GenerationRecord, Mode};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;
use crate::stats::sample::Sample;

/// The trials that a report compares, prompt by prompt.
pub(super) struct OfPrompts<'a> {
    pub view: &'a SweepView,
    pub back: &'a ReadBack,
    pub chosen: &'a Chosen<'a>,
    pub bootstrap: &'a Bootstrap,
}

/// One of these trials with its prompts.
struct OfTrial<'a> {
    trial: &'a TrialView,
    is_baseline: bool,
    prompts: Vec<TimedPrompt<'a>>,
    /// Times by prompt that are comparable between trials, see
    /// [`prompt_ns`](crate::analysis::view::Measures::prompt_ns).
    comparable_ns: BTreeMap<usize, f64>,
}

impl OfPrompts<'_> {
    fn generations(&self) -> &Generations {
        &self.back.generations
    }

    fn of_trial<'s>(&'s self, id: &str, trial: &'s TrialView) -> OfTrial<'s> {
        let rows = self.generations().of(id, trial.mode);
        let prompts: Vec<usize> = rows.map(|row| row.prompt).collect();
        let prompts = prompts.chunk_by(|one, other| one == other);
        let prompts: Vec<usize> = prompts.map(|repeats| repeats[0]).collect();
        let times = trial.measures().map_or(&[][..], |one| &one.prompt_ns);
        let comparable_ns = match prompts.len() == times.len() {
            true => prompts.into_iter().zip(times.iter().copied()).collect(),
            false => BTreeMap::new(),
        };
        OfTrial {
            trial,
            is_baseline: trial.kind == TrialKind::Autoregressive,
            prompts: self.timed(id, trial),
            comparable_ns,
        }
    }

    /// The prompts of a trial beside autoregressive decoding of its batch size, which is predicted where
    /// the trial is.
    fn timed(&self, id: &str, trial: &TrialView) -> Vec<TimedPrompt<'_>> {
        let mut known = self.view.baseline.iter().chain(&self.view.trials);
        let baseline = known.find(|one| {
            one.kind == TrialKind::Autoregressive && one.batch_size == trial.batch_size
        });
        let baseline = baseline.and_then(|baseline| self.back.id(baseline));
        let baseline = baseline.unwrap_or_default();
        match trial.mode {
            Mode::Live => {
                let entries =
                    |id: &str| -> Vec<&Entry> { self.generations().live(id).iter().collect() };
                timed_prompts(&entries(id), &entries(baseline))
            }
            Mode::Replay => {
                let theirs = self.generations().of(baseline, Mode::Replay);
                let theirs: BTreeMap<usize, f64> =
                    theirs.map(|row| (row.prompt, row.wall_ns as f64)).collect();
                let rows = self.generations().of(id, Mode::Replay);
                rows.map(|row| TimedPrompt {
                    row,
                    ns: row.wall_ns as f64,
                    baseline_ns: theirs.get(&row.prompt).copied(),
                    decoded: None,
                })
                .collect()
            }
        }
    }

    /// The baseline and the trials that are compared, on all prompts and on each kind.
    pub fn categories(&self) -> Vec<Category> {
        let baseline = self.view.baseline.iter();
        let baseline = baseline.filter_map(|trial| Some((self.back.id(trial)?, trial)));
        let compared: Vec<OfTrial<'_>> = baseline
            .chain(self.chosen.trials.iter().copied())
            .map(|(id, trial)| self.of_trial(id, trial))
            .collect();
        let mut prompts: BTreeMap<&str, HashSet<usize>> = BTreeMap::new();
        let mut all = HashSet::new();
        for row in compared.iter().flat_map(|one| &one.prompts) {
            let row = row.row;
            prompts.entry(&row.category).or_default().insert(row.prompt);
            all.insert(row.prompt);
        }
        if prompts.len() < 2 {
            prompts.clear();
        }
        let all = Some((ALL_PROMPTS, all)).filter(|(_, all)| !all.is_empty());
        let fixed = self.view.best_fixed().and_then(|fixed| {
            let mut compared = compared.iter();
            compared.find(|one| std::ptr::eq(one.trial, fixed))
        });
        all.into_iter()
            .chain(prompts)
            .map(|(name, prompts)| Category {
                name: name.to_owned(),
                n_prompts: prompts.len(),
                trials: compared
                    .iter()
                    .map(|one| self.on_prompts(one, fixed, &prompts))
                    .collect(),
            })
            .collect()
    }

    fn on_prompts(
        &self,
        one: &OfTrial<'_>,
        fixed: Option<&OfTrial<'_>>,
        prompts: &HashSet<usize>,
    ) -> CategoryTrial {
        let own = one.prompts.iter();
        let own = own.filter(|prompt| prompts.contains(&prompt.row.prompt));
        let rows: Vec<&GenerationRecord> = own.clone().map(|prompt| prompt.row).collect();
        let speedup = ratio_of_sums(own.filter_map(TimedPrompt::pair), self.bootstrap);
        let other = fixed.filter(|fixed| !std::ptr::eq(fixed.trial, one.trial));
        CategoryTrial {
            label: one.trial.label.clone(),
            family: one.trial.family.clone(),
            lossless: one.trial.lossless,
            speedup: speedup.filter(|_| !one.is_baseline),
            against_fixed: other.and_then(|fixed| self.against(fixed, one, &rows)),
            acceptance_rate: acceptance_rate(&rows, self.bootstrap),
            quality: quality(&rows, self.bootstrap),
        }
    }

    /// Σ time of the fixed draft length / Σ own over the prompts that both have.
    fn against(
        &self,
        fixed: &OfTrial<'_>,
        own: &OfTrial<'_>,
        rows: &[&GenerationRecord],
    ) -> Option<Interval> {
        let pairs = rows.iter().filter_map(|row| {
            let theirs = fixed.comparable_ns.get(&row.prompt)?;
            Some((*theirs, *own.comparable_ns.get(&row.prompt)?))
        });
        ratio_of_sums(pairs, self.bootstrap)
    }

    pub fn latencies(&self) -> Vec<Latency> {
        let baseline = self.view.baseline.iter().filter_map(|baseline| {
            let id = self.back.id(baseline)?;
            Some((id, baseline, None))
        });
        let others = self.chosen.trials.iter();
        let others = others.map(|(id, trial)| (*id, *trial, Some(trial.family.clone())));
        baseline
            .chain(others)
            .filter_map(|(id, trial, family)| {
                let mut by_prompt: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
                for row in self.generations().of(id, trial.mode) {
                    let repeats = by_prompt.entry(row.prompt).or_default();
                    repeats.push(row.latency_ns as f64 / 1e9);
                }
                let mut seconds: Vec<f64> = by_prompt
                    .into_values()
                    .filter_map(|repeats| Some(Sample::new(repeats).ok()?.median()))
                    .collect();
                seconds.sort_by(f64::total_cmp);
                (!seconds.is_empty()).then(|| Latency {
                    label: trial.label.clone(),
                    family,
                    mode: trial.mode,
                    seconds,
                })
            })
            .collect()
    }
}
