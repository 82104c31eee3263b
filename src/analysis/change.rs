//! Two runs side by side: what changed of the trials that both have.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use crate::analysis::hypotheses::data::{Arm, Figures, Prompt, RunData};
use crate::analysis::hypotheses::paired::{Paired, Part, bootstrap, part, value};
use crate::config::experiment::Metric;
use crate::plan::is_duplicate;
use crate::record::schema::Mode;
use crate::stats::interval::Interval;
use crate::stats::multiplicity::holm;
use crate::stats::permutation::Permutation;
use crate::stats::significance::Alpha;

/// One trial before and after.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    pub label: String,
    pub mode: Mode,
    /// Whether both runs have the same prompts.
    pub is_paired: bool,
    pub n_before: usize,
    pub n_after: usize,
    /// Committed tokens per second of wall time, after over before.
    pub tokens_per_second: Option<Changed>,
    /// Each over the baseline of its own run, after over before: free of a change of the machine.
    pub speedup: Option<Changed>,
    /// After over before.
    pub acceptance_rate: Option<Changed>,
    /// After minus before, a difference of shares.
    pub exact_match: Option<Changed>,
}

/// One figure before and after, and the change with its interval of 95 % over prompts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    pub before: f64,
    pub after: f64,
    pub change: Interval,
    /// Two-sided, of no change.
    pub p: f64,
    /// By Holm among all trials compared by this figure.
    pub p_adjusted: f64,
}

/// What two runs have in common.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Changes {
    pub trials: Vec<Change>,
    /// Labels of trials of one run alone.
    pub only_before: Vec<String>,
    pub only_after: Vec<String>,
}

/// Compares the trials of two runs: those of one identity, or else of the same decoder on other prompts.
pub fn changes(before: &RunData, after: &RunData) -> Changes {
    let is_paired = items(before) == items(after);
    let mut matched = BTreeSet::new();
    let mut all = Changes::default();
    for one in &after.arms {
        let same = before.arms.iter().position(|other| other.id == one.id);
        let alike = || before.arms.iter().position(|other| is_alike(one, other));
        let Some(place) = same.or_else(alike) else {
            all.only_after.push(one.label.clone());
            continue;
        };
        matched.insert(place);
        for mode in [Mode::Live, Mode::Replay] {
            let theirs = before.arms[place]
                .figures(mode)
                .map(|figures| (before, figures));
            let own = one.figures(mode).map(|figures| (after, figures));
            if let (Some(theirs), Some(own)) = (theirs, own) {
                all.trials
                    .push(change(&one.label, mode, is_paired, theirs, own));
            }
        }
    }
    let unmatched = before.arms.iter().enumerate();
    let unmatched = unmatched.filter(|(place, _)| !matched.contains(place));
    all.only_before = unmatched.map(|(_, arm)| arm.label.clone()).collect();
    adjust(&mut all.trials, |one| one.tokens_per_second.as_mut());
    adjust(&mut all.trials, |one| one.speedup.as_mut());
    adjust(&mut all.trials, |one| one.acceptance_rate.as_mut());
    adjust(&mut all.trials, |one| one.exact_match.as_mut());
    all
}

fn items(run: &RunData) -> BTreeSet<(&str, &str)> {
    run.prompts.iter().map(Prompt::key).collect()
}

/// The same decoder; the baseline timed again is another trial than the baseline.
fn is_alike(one: &Arm, other: &Arm) -> bool {
    one.config == other.config && is_duplicate(&one.id) == is_duplicate(&other.id)
}

type Side<'d> = (&'d RunData, &'d [Figures]);

fn change(label: &str, mode: Mode, is_paired: bool, before: Side<'_>, after: Side<'_>) -> Change {
    let of = |metric: Metric, is_share: bool| {
        changed(before, after, is_paired, is_share, |figures| {
            part(metric, figures)
        })
    };
    let per_second = |figures: &Figures| {
        Some(Part {
            n: figures.committed,
            d: figures.ns / 1e9,
        })
    };
    Change {
        label: label.to_owned(),
        mode,
        is_paired,
        n_before: before.1.len(),
        n_after: after.1.len(),
        tokens_per_second: changed(before, after, is_paired, false, per_second),
        speedup: of(Metric::Speedup, false),
        acceptance_rate: of(Metric::Acceptance, false),
        exact_match: of(Metric::ExactMatch, true),
    }
}

fn changed(
    before: Side<'_>,
    after: Side<'_>,
    is_paired: bool,
    is_share: bool,
    part: impl Fn(&Figures) -> Option<Part>,
) -> Option<Changed> {
    let (theirs, own) = (parts(before, &part), parts(after, &part));
    // In the order of the prompts, so that the same runs meet the same resamples.
    let listed = |(run, _): Side<'_>, parts: &HashMap<(&str, &str), Part>| -> Vec<Part> {
        let prompts = run.prompts.iter();
        prompts
            .filter_map(|prompt| parts.get(&prompt.key()).copied())
            .collect()
    };
    let (one, other) = (listed(after, &own), listed(before, &theirs));
    let values = (value(other.iter().copied())?, value(one.iter().copied())?);
    let (change, p) = if is_paired {
        let mut paired = Paired::default();
        for prompt in &after.0.prompts {
            if let (Some(one), Some(other)) = (own.get(&prompt.key()), theirs.get(&prompt.key())) {
                paired.push(*one, *other);
            }
        }
        of_pairs(&paired, is_share)?
    } else {
        of_groups(one, other, is_share)?
    };
    Some(Changed {
        before: values.0,
        after: values.1,
        change,
        p,
        p_adjusted: p,
    })
}

fn parts<'d>(
    (run, figures): Side<'d>,
    part: impl Fn(&Figures) -> Option<Part>,
) -> HashMap<(&'d str, &'d str), Part> {
    let prompts = run.prompts.iter().zip(figures);
    prompts
        .filter_map(|(prompt, figures)| Some((prompt.key(), part(figures)?)))
        .collect()
}

fn of_pairs(paired: &Paired, is_share: bool) -> Option<(Interval, f64)> {
    let test = Permutation::default();
    if is_share {
        let differences = paired.differences()?;
        let p = test.mean_difference(&differences).p.two_sided;
        return Some((bootstrap(Alpha::P05).mean(&differences), p));
    }
    let p = test.mean_difference(&paired.log_ratios()?).p.two_sided;
    Some((paired.ratio(Alpha::P05)?, p))
}

/// Independent prompts on either side.
fn of_groups(one: Vec<Part>, other: Vec<Part>, is_share: bool) -> Option<(Interval, f64)> {
    // Against a constant 1, whose logarithm and whose error are zero.
    let alone = |parts: Vec<Part>| Paired {
        other: vec![Part { n: 1.0, d: 1.0 }; parts.len()],
        one: parts,
    };
    let (one, other) = (alone(one), alone(other));
    let test = Permutation::default();
    if is_share {
        let (one, other) = (one.differences()?, other.differences()?);
        let mean = |sample| bootstrap(Alpha::P05).mean(sample);
        let change = mean(&one).minus_independent(&mean(&other));
        return Some((change, test.independent_means(&one, &other).two_sided));
    }
    let p = test
        .independent_means(&one.log_ratios()?, &other.log_ratios()?)
        .two_sided;
    let log = |paired: &Paired| {
        let ratio = paired.ratio(Alpha::P05)?;
        Some(ratio.map(|end| end.max(f64::MIN_POSITIVE).ln()))
    };
    Some((log(&one)?.minus_independent(&log(&other)?).map(f64::exp), p))
}

fn adjust(trials: &mut [Change], of: impl Fn(&mut Change) -> Option<&mut Changed>) {
    let p_values: Vec<f64> = trials
        .iter_mut()
        .filter_map(|one| of(one).map(|figure| figure.p))
        .collect();
    let mut adjusted = holm(&p_values).into_iter();
    for figure in trials.iter_mut().filter_map(of) {
        if let Some(p) = adjusted.next() {
            figure.p_adjusted = p;
        }
    }
}

impl Change {
    /// Whether the whole interval of the tokens per second lies below `loss`, such as −0.05.
    pub fn is_slower_than(&self, loss: f64) -> bool {
        let figure = self.tokens_per_second.as_ref();
        figure.is_some_and(|figure| figure.change.high < 1.0 + loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::hypotheses::made_up::{arm, noisy, run};

    fn one_run(factor: f64, salt: usize) -> RunData {
        let times = noisy(30, salt, 0.03, |prompt| (40.0 + prompt as f64) * factor);
        run(&["a"], 30, vec![arm("ebsd", times)])
    }

    fn only(changes: &Changes) -> &Change {
        let [one] = &changes.trials[..] else {
            panic!("{changes:?}")
        };
        one
    }

    #[test]
    fn a_tenth_more_time_is_slower_than_five_percent_beyond_doubt_and_not_than_twenty() {
        let changes = changes(&one_run(1.0, 1), &one_run(1.1, 2));
        let change = only(&changes);
        assert!(change.is_paired && change.n_after == 30);
        let speed = change.tokens_per_second.as_ref().unwrap();
        assert!(
            (speed.change.estimate - 1.0 / 1.1).abs() < 0.01,
            "{speed:?}"
        );
        assert!(speed.p_adjusted < 0.01);
        assert!(change.is_slower_than(-0.05) && !change.is_slower_than(-0.2));
        assert_eq!(change.exact_match.as_ref().unwrap().change.estimate, 0.0);
    }

    #[test]
    fn a_run_compared_with_itself_has_not_changed() {
        let same = one_run(1.0, 1);
        let changes = changes(&same, &same);
        let speed = only(&changes).tokens_per_second.clone().unwrap();
        assert!((speed.change.low - 1.0).abs() < 1e-9 && (speed.change.high - 1.0).abs() < 1e-9);
        assert_eq!(speed.p, 1.0);
        assert!(!only(&changes).is_slower_than(0.0));
    }

    #[test]
    fn other_prompts_are_compared_as_groups_with_a_wider_interval() {
        let (before, mut after) = (one_run(1.0, 1), one_run(1.1, 2));
        let paired = only(&changes(&before, &after))
            .tokens_per_second
            .clone()
            .unwrap();
        for (index, prompt) in after.prompts.iter_mut().enumerate() {
            prompt.item_id = format!("other-{index}");
        }
        let changes = changes(&before, &after);
        let change = only(&changes);
        let speed = change.tokens_per_second.clone().unwrap();
        assert!(!change.is_paired);
        assert!((speed.change.estimate - paired.change.estimate).abs() < 1e-9);
        let width = |figure: &Changed| figure.change.high - figure.change.low;
        assert!(width(&speed) > 2.0 * width(&paired), "{speed:?} {paired:?}");
    }

    #[test]
    fn trials_of_one_run_alone_are_named() {
        let mut after = one_run(1.0, 2);
        after.arms[0] = arm("other", vec![1.0; 30]);
        let changes = changes(&one_run(1.0, 1), &after);
        assert_eq!(
            (changes.only_before, changes.only_after),
            (vec!["ebsd".to_owned()], vec!["other".to_owned()])
        );
    }
}
