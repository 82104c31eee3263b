//! Successive halving over prompts: which trials go on, decided by what is measured so far and nothing else.
//!
//! After the first rung of prompts one in η trials goes on to η times as many, and so on until the prompts
//! are used up: K. Jamieson and A. Talwalkar, Non-stochastic best arm identification and hyperparameter
//! optimization, AISTATS 2016. Trials compete within their decoder entry and batch size, because that is
//! what a report compares: every entry arrives at the last prompt with its best.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use super::Trial;
use crate::config::decoder::DecoderSpec;
use crate::config::reduce::HalvingSpec;
use crate::config::sweep::SweepSpec;

/// The rungs of a sweep; a sweep without `halving` has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Prompts that a trial has run at the end of each rung, in ascending order.
    ends: Vec<usize>,
    eta: usize,
    n_repeats: usize,
}

/// What a trial did on the first prompts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub n_generations: usize,
    pub n_failed: usize,
    pub committed: u64,
    pub wall_ns: u64,
}

/// One rung with the trials that run in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// Prompts at its end, those of the rungs before included.
    pub n_prompts: usize,
    pub n_trials: usize,
}

impl Course {
    pub fn of(sweep: &SweepSpec, n_prompts: usize) -> Self {
        let HalvingSpec { eta, min_prompts } = sweep.halving.unwrap_or_default();
        let first = match sweep.halving {
            Some(_) => min_prompts,
            None => n_prompts,
        };
        let grown = std::iter::successors(Some(first), |end| end.checked_mul(eta));
        Self {
            ends: grown
                .take_while(|end| *end < n_prompts)
                .chain([n_prompts])
                .collect(),
            eta,
            n_repeats: sweep.timing.repeats,
        }
    }

    /// The prompts of each rung.
    pub fn rungs(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(start, end)| *start..*end)
    }

    /// The trials that go on no more, with the number of prompts after which they were dropped, by id.
    ///
    /// Of each group of n competitors the ⌈n/η⌉ with the most committed tokens per second go on, at a tie the
    /// first of the plan. One that failed does not. Baselines and lossy trials do not compete: the former are
    /// what all others are measured by, and the speed of the latter says nothing without their texts. A rung
    /// that is not complete decides nothing.
    ///
    /// `tallies` counts the generations of the first so many prompts, by id of the trial.
    pub fn dropped<'t, 'e>(
        &self,
        trials: &'t [Trial],
        tallies: impl Fn(usize) -> HashMap<&'e str, Tally>,
    ) -> HashMap<&'t str, usize> {
        let mut dropped = HashMap::new();
        for &end in &self.ends[..self.ends.len() - 1] {
            let tallies = tallies(end);
            let tally = |trial: &Trial| tallies.get(trial.id.as_str()).copied().unwrap_or_default();
            let running = trials
                .iter()
                .filter(|trial| !dropped.contains_key(trial.id.as_str()));
            let running: Vec<&Trial> = running.collect();
            let is_complete = |trial: &&Trial| tally(trial).n_generations >= end * self.n_repeats;
            if !running.iter().all(is_complete) {
                break;
            }
            for group in groups(&running) {
                let mut sound: Vec<(&Trial, Tally)> = group
                    .iter()
                    .map(|trial| (*trial, tally(trial)))
                    .filter(|(_, tally)| tally.n_failed == 0)
                    .collect();
                sound.sort_by(|(_, one), (_, other)| faster_first(one, other));
                sound.truncate(self.n_kept(group.len()));
                let goes_on = |trial: &Trial| sound.iter().any(|(kept, _)| kept.id == trial.id);
                let out = group.into_iter().filter(|trial| !goes_on(trial));
                dropped.extend(out.map(|trial| (trial.id.as_str(), end)));
            }
        }
        dropped
    }

    /// The rungs of these trials, unless some fail: then there are fewer in later rungs.
    pub fn schedule(&self, trials: &[Trial]) -> Vec<Rung> {
        let running: Vec<&Trial> = trials.iter().collect();
        let mut sizes: Vec<usize> = groups(&running).iter().map(Vec::len).collect();
        let n_others = trials.len() - sizes.iter().sum::<usize>();
        self.ends
            .iter()
            .map(|&n_prompts| {
                let n_trials = n_others + sizes.iter().sum::<usize>();
                sizes.iter_mut().for_each(|size| *size = self.n_kept(*size));
                Rung {
                    n_prompts,
                    n_trials,
                }
            })
            .collect()
    }

    /// Generations that these trials take, repeats included, unless some fail.
    pub fn n_generations(&self, trials: &[Trial]) -> usize {
        let rungs = self.rungs().zip(self.schedule(trials));
        let per_repeat: usize = rungs
            .map(|(prompts, rung)| prompts.len() * rung.n_trials)
            .sum();
        per_repeat * self.n_repeats
    }

    fn n_kept(&self, n: usize) -> usize {
        n.div_ceil(self.eta)
    }
}

/// Trials that compete with each other, in the order of the plan.
fn groups<'t>(trials: &[&'t Trial]) -> Vec<Vec<&'t Trial>> {
    let mut groups: BTreeMap<(&str, usize), Vec<&Trial>> = BTreeMap::new();
    for &trial in trials {
        let is_baseline = matches!(trial.decoder, DecoderSpec::Autoregressive { .. });
        if trial.decoder.is_lossless() && !is_baseline {
            let group = (trial.family.as_str(), trial.decoder.batch_size());
            groups.entry(group).or_default().push(trial);
        }
    }
    groups.into_values().collect()
}

/// By committed tokens per wall time, without rounding.
fn faster_first(one: &Tally, other: &Tally) -> Ordering {
    let product =
        |tokens: &Tally, time: &Tally| u128::from(tokens.committed) * u128::from(time.wall_ns);
    product(other, one).cmp(&product(one, other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::parse_sweep;
    use crate::plan::plan;

    /// Three repeats; the baseline, nine trials of one entry, a single one, and a lossy one.
    fn sweep(halving: &str) -> SweepSpec {
        let text = format!(
            "name: test
models: {{verifier: 'embedded:v', drafter: 'embedded:d', window: 'embedded:w'}}
workload: {{source: 'synthetic:gsm8k', limit: 50}}
timing: {{duplicate_baseline: false}}
decoders:
  - {{name: k, kind: speculative, stop: {{kind: fixed}}, grid: {{max_draft_len: [1, 2, 3, 4, 5, 6, 7, 8, 9]}}}}
  - {{name: oracle, kind: speculative, stop: {{kind: oracle}}}}
  - {{name: w, kind: window}}
{halving}"
        );
        parse_sweep("test.yaml", &text, &[], &|_| None).unwrap()
    }

    fn trials() -> Vec<Trial> {
        plan(&sweep("")).unwrap().trials
    }

    fn course(n_prompts: usize) -> Course {
        Course::of(&sweep("halving: {eta: 3, min_prompts: 4}"), n_prompts)
    }

    fn tally(n_prompts: usize, committed: u64, wall_ns: u64) -> Tally {
        Tally {
            n_generations: 3 * n_prompts,
            n_failed: 0,
            committed,
            wall_ns,
        }
    }

    /// k max=5 is the fastest, then max=4, then max=6 and so on; slower with every prompt, all alike.
    fn tallies(trials: &[Trial], n_prompts: usize) -> HashMap<&str, Tally> {
        let distance = [9, 4, 3, 2, 1, 0, 1, 2, 3, 4, 9, 9];
        let pairs = trials.iter().zip(distance);
        pairs
            .map(|(trial, distance)| {
                let wall = (100 + distance) * n_prompts as u64;
                (trial.id.as_str(), tally(n_prompts, 100, wall))
            })
            .collect()
    }

    fn labels<'t>(
        trials: &'t [Trial],
        dropped: &HashMap<&str, usize>,
        after: usize,
    ) -> Vec<&'t str> {
        trials
            .iter()
            .filter(|trial| dropped.get(trial.id.as_str()) == Some(&after))
            .map(|trial| trial.label.as_str())
            .collect()
    }

    #[test]
    fn rungs_grow_by_eta_until_the_prompts_are_used_up() {
        let rungs = |n_prompts| course(n_prompts).rungs().collect::<Vec<_>>();
        assert_eq!(rungs(50), [0..4, 4..12, 12..36, 36..50]);
        assert_eq!(rungs(36), [0..4, 4..12, 12..36]);
        assert_eq!(rungs(3), vec![0..3; 1]);
        let whole = Course::of(&sweep(""), 50);
        assert_eq!(whole.rungs().collect::<Vec<_>>(), vec![0..50; 1]);
    }

    #[test]
    fn the_fastest_third_of_an_entry_goes_on_and_the_first_of_the_plan_wins_a_tie() {
        let trials = trials();
        let dropped = course(50).dropped(&trials, |n| tallies(&trials, n));
        let after = |n| labels(&trials, &dropped, n);
        assert_eq!(
            after(4),
            [
                "k max=1", "k max=2", "k max=3", "k max=7", "k max=8", "k max=9"
            ]
        );
        assert_eq!(after(12), ["k max=4", "k max=6"]);
        assert_eq!(
            dropped.len(),
            8,
            "the best, the single and the lossy one stay"
        );
    }

    #[test]
    fn a_rung_that_is_not_complete_decides_nothing() {
        let trials = trials();
        let unfinished = |n: usize| {
            let mut tallies = tallies(&trials, n);
            if n == 12 {
                // One generation of one survivor is missing.
                tallies
                    .get_mut(trials[5].id.as_str())
                    .unwrap()
                    .n_generations -= 1;
            }
            tallies
        };
        let dropped = course(50).dropped(&trials, unfinished);
        assert_eq!((dropped.len(), labels(&trials, &dropped, 4).len()), (6, 6));
        assert!(course(50).dropped(&trials, |_| HashMap::new()).is_empty());
    }

    #[test]
    fn one_that_failed_goes_no_further_even_alone() {
        let trials = trials();
        let failing = |n: usize| {
            let mut tallies = tallies(&trials, n);
            for trial in [&trials[5], &trials[10], &trials[11]] {
                tallies.get_mut(trial.id.as_str()).unwrap().n_failed = 1;
            }
            tallies
        };
        let dropped = course(12).dropped(&trials, failing);
        assert_eq!(dropped[trials[5].id.as_str()], 4);
        assert_eq!(dropped[trials[10].id.as_str()], 4);
        assert!(
            !dropped.contains_key(trials[11].id.as_str()),
            "lossy trials do not compete"
        );
        // Its place goes to the next one.
        assert_eq!(trials[3].label, "k max=3");
        assert!(!dropped.contains_key(trials[3].id.as_str()));
    }

    #[test]
    fn batch_sizes_compete_among_themselves() {
        let text = "name: test
models: {verifier: 'embedded:v', drafter: 'embedded:d'}
workload: {source: 'synthetic:gsm8k', limit: 12}
timing: {duplicate_baseline: false}
halving: {}
decoders:
  - {name: k, kind: speculative, stop: {kind: fixed}, grid: {batch_size: [1, 4], max_draft_len: [2, 4]}}";
        let sweep = parse_sweep("test.yaml", text, &[], &|_| None).unwrap();
        let trials = plan(&sweep).unwrap().trials;
        // Larger batches are faster, shorter drafts are faster.
        let speeds = |n: usize| {
            let walls = [9, 9, 5, 6, 1, 2];
            let pairs = trials.iter().zip(walls);
            pairs
                .map(|(trial, wall)| (trial.id.as_str(), tally(n, 1, wall)))
                .collect()
        };
        let dropped = Course::of(&sweep, 12).dropped(&trials, speeds);
        assert_eq!(
            labels(&trials, &dropped, 4),
            ["k batch=1 max=4", "k batch=4 max=4"]
        );
    }

    #[test]
    fn the_schedule_counts_what_runs_when_nothing_fails() {
        let trials = trials();
        let rung = |n_prompts, n_trials| Rung {
            n_prompts,
            n_trials,
        };
        let course = course(50);
        assert_eq!(
            course.schedule(&trials),
            [rung(4, 12), rung(12, 6), rung(36, 4), rung(50, 4)]
        );
        let n_generations = 3 * (4 * 12 + 8 * 6 + 24 * 4 + 14 * 4);
        assert_eq!(course.n_generations(&trials), n_generations);
        // The same from the decisions themselves.
        let dropped = course.dropped(&trials, |n| tallies(&trials, n));
        let prompts = |trial: &Trial| dropped.get(trial.id.as_str()).copied().unwrap_or(50);
        assert_eq!(3 * trials.iter().map(prompts).sum::<usize>(), n_generations);
        assert_eq!(
            Course::of(&sweep(""), 50).n_generations(&trials),
            3 * 50 * 12
        );
    }
}
