//! Times and scores of single prompts: by category, and as latencies.

use std::collections::{BTreeMap, HashSet};

use super::{ALL_PROMPTS, Category, CategoryTrial, Chosen, Latency};
use crate::analysis::generations::Generations;
use crate::analysis::read_back::ReadBack;
use crate::analysis::view::{SweepView, TrialKind, TrialView};
use crate::record::schema::GenerationRecord;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::{Confidence, Interval};
use crate::stats::proportion::wilson;
use crate::stats::sample::{Pairs, Sample};

/// The trials that a report compares, prompt by prompt.
pub(super) struct OfPrompts<'a> {
    pub view: &'a SweepView,
    pub back: &'a ReadBack,
    pub chosen: &'a Chosen<'a>,
    pub bootstrap: &'a Bootstrap,
}

/// Nanoseconds and first generation by prompt.
type ByPrompt<'a> = BTreeMap<usize, (f64, &'a GenerationRecord)>;

impl OfPrompts<'_> {
    fn generations(&self) -> &Generations {
        &self.back.generations
    }

    /// The prompts of a trial with their times, when it has a time of each.
    fn by_prompt(&self, id: &str, trial: &TrialView) -> ByPrompt<'_> {
        let mut first: BTreeMap<usize, &GenerationRecord> = BTreeMap::new();
        for row in self.generations().of(id, trial.mode) {
            first.entry(row.prompt).or_insert(row);
        }
        let times = trial.measures().map_or(&[][..], |one| &one.prompt_ns);
        if times.len() != first.len() {
            return BTreeMap::new();
        }
        let timed = first.into_iter().zip(times);
        timed
            .map(|((prompt, row), ns)| (prompt, (*ns, row)))
            .collect()
    }

    /// What a trial is compared with: autoregressive decoding of its batch size, predicted where the
    /// trial is.
    fn baseline_ns(&self, trial: &TrialView) -> BTreeMap<usize, f64> {
        let baseline = self
            .view
            .baseline
            .iter()
            .chain(&self.view.trials)
            .find(|one| {
                one.kind == TrialKind::Autoregressive && one.batch_size == trial.batch_size
            });
        let Some((baseline, id)) =
            baseline.and_then(|baseline| Some((baseline, self.back.id(baseline)?)))
        else {
            return BTreeMap::new();
        };
        if trial.mode == baseline.mode {
            let timed = self.by_prompt(id, baseline).into_iter();
            return timed.map(|(prompt, (ns, _))| (prompt, ns)).collect();
        }
        let rows = self.generations().of(id, trial.mode);
        rows.map(|row| (row.prompt, row.wall_ns as f64)).collect()
    }

    pub fn categories(&self) -> Vec<Category> {
        let mut prompts: BTreeMap<&str, HashSet<usize>> = BTreeMap::new();
        let mut all = HashSet::new();
        for (id, trial) in &self.chosen.trials {
            for row in self.generations().of(id, trial.mode) {
                prompts.entry(&row.category).or_default().insert(row.prompt);
                all.insert(row.prompt);
            }
        }
        if prompts.len() < 2 {
            prompts.clear();
        }
        let all = Some((ALL_PROMPTS, all)).filter(|(_, all)| !all.is_empty());
        let fixed = self.view.best_fixed().and_then(|fixed| {
            let id = self.back.id(fixed)?;
            let timed = self.by_prompt(id, fixed).into_iter();
            let times: BTreeMap<usize, f64> = timed.map(|(prompt, (ns, _))| (prompt, ns)).collect();
            Some((fixed, times))
        });
        let trials: Vec<_> = self
            .chosen
            .trials
            .iter()
            .map(|(id, trial)| (*trial, self.by_prompt(id, trial), self.baseline_ns(trial)))
            .collect();
        all.into_iter()
            .chain(prompts)
            .map(|(name, prompts)| Category {
                name: name.to_owned(),
                n_prompts: prompts.len(),
                trials: trials
                    .iter()
                    .map(|(trial, own, baseline)| {
                        let own: ByPrompt<'_> = own
                            .iter()
                            .filter(|(prompt, _)| prompts.contains(prompt))
                            .map(|(prompt, both)| (*prompt, *both))
                            .collect();
                        let against = fixed
                            .as_ref()
                            .filter(|(fixed, _)| !std::ptr::eq(*fixed, *trial));
                        CategoryTrial {
                            label: trial.label.clone(),
                            family: trial.family.clone(),
                            lossless: trial.lossless,
                            speedup: self.ratio(baseline, &own),
                            against_fixed: against.and_then(|(_, times)| self.ratio(times, &own)),
                            acceptance_rate: self.acceptance_rate(trial, &own),
                            exact_match: exact_match(&own),
                        }
                    })
                    .collect(),
            })
            .collect()
    }

    /// Σ their time / Σ own over the prompts that both have.
    fn ratio(&self, theirs: &BTreeMap<usize, f64>, own: &ByPrompt<'_>) -> Option<Interval> {
        let both = own
            .iter()
            .filter_map(|(prompt, (ns, _))| Some((*theirs.get(prompt)?, *ns)));
        let (theirs, own) = both.unzip();
        let pairs = Pairs::new(theirs, own).ok()?;
        Some(self.bootstrap.ratio_of_sums(&pairs))
    }

    fn acceptance_rate(&self, trial: &TrialView, own: &ByPrompt<'_>) -> Option<Interval> {
        let is_window = trial.kind == TrialKind::Window;
        let counts = own.values().filter_map(|(_, row)| match is_window {
            true => Some((row.agreed? as f64, row.committed as f64)),
            false => Some((row.accepted as f64, row.drafted as f64)),
        });
        let (numerator, denominator) = counts.unzip();
        let pairs = Pairs::new(numerator, denominator).ok()?;
        Some(self.bootstrap.ratio_of_sums(&pairs))
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

fn exact_match(own: &ByPrompt<'_>) -> Option<Interval> {
    let answers: Vec<bool> = own.values().filter_map(|(_, row)| row.is_correct).collect();
    let right = answers.iter().filter(|answer| **answer).count() as u64;
    wilson(right, answers.len() as u64, Confidence::P95)
}
