//! Ablations: do alternatives differ from a reference, or tasks from the other tasks?

use std::collections::BTreeMap;

use crate::analysis::hypotheses::beats::{Contest, contests, p_against, ratio_detectable};
use crate::analysis::hypotheses::field::Field;
use crate::analysis::hypotheses::paired::{Paired, Part, effect_size, part};
use crate::analysis::hypotheses::verdict::{Answer, Decision, Finding, Scale};
use crate::analysis::hypotheses::words::{joined, percent};
use crate::config::experiment::{Beats, Differs, DiffersByTask, Level};
use crate::stats::interval::Interval;
use crate::stats::multiplicity::Adjustment;
use crate::stats::permutation::Permutation;
use crate::stats::sample::Sample;
use crate::stats::significance::Alpha;

/// What decides whether effects differ.
#[derive(Clone, Copy)]
struct Terms {
    margin: f64,
    alpha: Alpha,
    correction: Adjustment,
    min_units: usize,
}

/// A level on every prompt: by the place of the run among the level's runs, and the prompt.
type Values<'d> = BTreeMap<(usize, (&'d str, &'d str)), Part>;

/// Fills the answer in: each level against the reference, on the prompts that both have.
pub fn judge(rule: &Differs, field: &Field<'_>, mut answer: Answer) -> Answer {
    let terms = Terms {
        margin: rule.margin,
        alpha: rule.alpha,
        correction: rule.correction,
        min_units: rule.min_prompts,
    };
    let levels: Vec<(&Level, Values<'_>, Vec<String>)> = rule
        .levels
        .iter()
        .map(|level| {
            let (values, labels) = values(rule, level, field);
            (level, values, labels)
        })
        .collect();
    let Some((_, reference, theirs)) = levels
        .iter()
        .find(|(level, ..)| level.name == rule.reference)
    else {
        return answer.inconclusive("the reference has no trials");
    };
    let others = levels
        .iter()
        .filter(|(level, ..)| level.name != rule.reference);
    let mut findings: Vec<Finding> = others
        .map(|(level, values, labels)| {
            let mut paired = Paired::default();
            for (key, one) in values {
                if let Some(other) = reference.get(key) {
                    paired.push(*one, *other);
                }
            }
            let contest = Contest {
                name: format!("{} against {}", level.name, rule.reference),
                candidates: labels.clone(),
                baselines: theirs.clone(),
                paired,
            };
            against_reference(contest, terms)
        })
        .collect();
    adjust(&mut findings, terms);
    (answer.decision, answer.reason) = decide(&findings, terms, "level");
    answer.findings = findings;
    answer
}

fn values<'d>(rule: &Differs, level: &Level, field: &Field<'d>) -> (Values<'d>, Vec<String>) {
    let own: Vec<usize> = (0..field.runs.len())
        .filter(|&run| !field.arms(run, &level.select).is_empty())
        .collect();
    let (mut values, mut labels) = (Values::new(), Vec::new());
    for task in &field.tasks {
        let Some(place) = own.iter().position(|&run| run == task.run) else {
            continue;
        };
        let Some(choice) = field.choose(&level.select, task, rule.tuned_by) else {
            continue;
        };
        joined(&mut labels, choice.labels());
        for (prompt, figures) in task.prompts().zip(&choice.figures) {
            if let Some(part) = part(rule.metric, figures) {
                values.insert((place, field.prompt(task, prompt).key()), part);
            }
        }
    }
    (values, labels)
}

fn against_reference(contest: Contest, terms: Terms) -> Finding {
    let paired = &contest.paired;
    let logs = paired.log_ratios();
    Finding {
        name: contest.name,
        candidates: contest.candidates,
        baselines: contest.baselines,
        scale: Scale::Ratio,
        effect: paired.ratio(terms.alpha),
        n: paired.n(),
        p: logs.as_ref().map(|logs| p_against(logs, 0.0)),
        p_adjusted: None,
        effect_size: logs.as_ref().and_then(|logs| effect_size(logs, 0.0)),
        detectable: logs
            .as_ref()
            .and_then(|logs| ratio_detectable(logs, 0.0, terms.alpha)),
        decision: Decision::Inconclusive,
        note: None,
    }
}

/// Fills the answer in: the gain of each task against that of all others, on prompts of their own.
pub fn judge_by_task(rule: &DiffersByTask, field: &Field<'_>, mut answer: Answer) -> Answer {
    let terms = Terms {
        margin: rule.margin,
        alpha: rule.alpha,
        correction: rule.correction,
        min_units: rule.min_prompts,
    };
    let as_beats = Beats {
        candidates: rule.candidates.clone(),
        baselines: rule.baselines.clone(),
        metric: rule.metric,
        tasks: rule.tasks,
        margin: 0.0,
        share_of_tasks: None,
        alpha: rule.alpha,
        correction: rule.correction,
        min_prompts: rule.min_prompts,
    };
    let tasks = contests(&as_beats, field).split_off(1);
    if tasks.len() < 2 {
        return answer.inconclusive("there is one task, so there are no others to differ from");
    }
    let mut findings: Vec<Finding> = (0..tasks.len())
        .map(|place| against_others(&tasks, place, terms))
        .collect();
    adjust(&mut findings, terms);
    (answer.decision, answer.reason) = decide(&findings, terms, "task");
    answer.findings = findings;
    answer
}

fn against_others(tasks: &[Contest], place: usize, terms: Terms) -> Finding {
    let own = &tasks[place];
    let mut rest = Paired::default();
    for (_, other) in tasks
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != place)
    {
        rest.extend(&other.paired);
    }
    let interval = |paired: &Paired| paired.ratio(terms.alpha).filter(|one| one.low > 0.0);
    let logs = own.paired.log_ratios().zip(rest.log_ratios());
    let (here, elsewhere) = (interval(&own.paired), interval(&rest));
    let effect = here.zip(elsewhere).map(|(one, other)| {
        // Prompts of their own on each side, so the two errors are independent.
        let (one, other) = (one.map(f64::ln), other.map(f64::ln));
        one.minus_independent(&other).map(f64::exp)
    });
    let test = |(one, other): &(Sample, Sample)| {
        Permutation::default()
            .independent_means(one, other)
            .two_sided
    };
    let told = |ratio: Option<Interval>| {
        ratio.map_or("none".to_owned(), |one| format!("{:.3}", one.estimate))
    };
    Finding {
        name: format!("{} against the others", own.name),
        candidates: own.candidates.clone(),
        baselines: own.baselines.clone(),
        scale: Scale::Ratio,
        effect,
        n: own.paired.n(),
        p: logs.as_ref().map(test),
        p_adjusted: None,
        effect_size: None,
        detectable: None,
        decision: Decision::Inconclusive,
        note: Some(format!(
            "candidate over baseline {} here, {} elsewhere",
            told(here),
            told(elsewhere)
        )),
    }
}

fn adjust(findings: &mut [Finding], terms: Terms) {
    let p_values: Vec<f64> = findings.iter().filter_map(|one| one.p).collect();
    let mut adjusted = terms.correction.adjust(&p_values).into_iter();
    for one in findings.iter_mut() {
        one.p_adjusted = one.p.and_then(|_| adjusted.next());
        let is_enough = one.n >= terms.min_units;
        let is_significant = one.p_adjusted.is_some_and(|p| p <= terms.alpha.level());
        one.decision = match one.effect {
            Some(effect) if is_enough && is_significant && !is_within(effect.estimate, terms) => {
                Decision::Pass
            }
            Some(effect)
                if is_enough && is_within(effect.low, terms) && is_within(effect.high, terms) =>
            {
                Decision::Fail
            }
            Some(_) | None => Decision::Inconclusive,
        };
    }
    // One that differs is enough, and what decides comes first.
    findings.sort_by_key(|one| one.decision != Decision::Pass);
}

/// Whether a ratio is too near to 1 to matter, up or down.
fn is_within(ratio: f64, terms: Terms) -> bool {
    ratio > 0.0 && ratio.ln().abs() <= terms.margin.ln_1p()
}

fn decide(findings: &[Finding], terms: Terms, noun: &str) -> (Decision, String) {
    let margin = percent(terms.margin);
    let of = |decision| findings.iter().filter(move |one| one.decision == decision);
    let differing: Vec<&str> = of(Decision::Pass).map(|one| one.name.as_str()).collect();
    if !differing.is_empty() {
        return (
            Decision::Pass,
            format!("by more than {margin}: {}", differing.join("; ")),
        );
    }
    if !findings.is_empty() && of(Decision::Fail).count() == findings.len() {
        return (Decision::Fail, format!("every {noun} is within {margin}"));
    }
    let few = findings
        .iter()
        .filter(|one| one.n < terms.min_units)
        .count();
    let reason = if few > 0 {
        format!(
            "{few} of {} {noun}s have fewer than {} prompts",
            findings.len(),
            terms.min_units
        )
    } else {
        let widest = findings
            .iter()
            .filter_map(|one| one.detectable)
            .reduce(f64::max);
        let found = widest.map_or(String::new(), |ratio| {
            format!("; so many prompts find a ratio of {ratio:.3} with a probability of 0.8")
        });
        format!(
            "no {noun} differs by more than {margin} beyond doubt, and not all are within it{found}"
        )
    };
    (Decision::Inconclusive, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::hypotheses::data::RunData;
    use crate::analysis::hypotheses::judge::answer_to;
    use crate::analysis::hypotheses::made_up::{arm, noisy, run};
    use crate::config::experiment::Question;

    fn ask(rule: serde_json::Value, data: &[RunData]) -> Answer {
        let rule = serde_json::from_value(rule).unwrap();
        answer_to(
            &Question {
                name: "ablation".into(),
                asks: "?".into(),
                rule,
            },
            data,
        )
    }

    fn levels(margin: f64) -> serde_json::Value {
        serde_json::json!({
            "kind": "differs", "reference": "shannon", "margin": margin,
            "levels": [
                {"name": "shannon", "select": {"entries": ["shannon"]}},
                {"name": "renyi", "select": {"entries": ["renyi"]}},
                {"name": "topk", "select": {"entries": ["topk"]}},
            ]
        })
    }

    fn entropies(renyi: f64) -> [RunData; 1] {
        let times = |salt, factor: f64| noisy(40, salt, 0.02, |_| 50.0 * factor);
        [run(
            &["a", "b"],
            20,
            vec![
                arm("shannon", times(1, 1.0)),
                arm("renyi", times(2, renyi)),
                arm("topk", times(3, 1.0)),
            ],
        )]
    }

    #[test]
    fn one_level_that_differs_is_found_by_name_and_the_others_are_not() {
        let answer = ask(levels(0.02), &entropies(1.2));
        assert_eq!(answer.decision, Decision::Pass, "{answer:?}");
        assert_eq!(answer.reason, "by more than 2 %: renyi against shannon");
        let [renyi, topk] = &answer.findings[..] else {
            panic!("{answer:?}")
        };
        assert!((renyi.effect.unwrap().estimate - 1.0 / 1.2).abs() < 0.01);
        assert_eq!(topk.decision, Decision::Fail);
    }

    #[test]
    fn the_level_that_differs_comes_first() {
        let times = |salt, factor: f64| noisy(40, salt, 0.02, |_| 50.0 * factor);
        let arms = vec![
            arm("shannon", times(1, 1.0)),
            arm("renyi", times(2, 1.0)),
            arm("topk", times(3, 1.2)),
        ];
        let answer = ask(levels(0.02), &[run(&["a", "b"], 20, arms)]);
        assert_eq!(answer.decision, Decision::Pass, "{answer:?}");
        let names: Vec<&str> = answer
            .findings
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        assert_eq!(names, ["topk against shannon", "renyi against shannon"]);
    }

    #[test]
    fn levels_within_the_margin_do_not_differ_and_noise_decides_nothing() {
        assert_eq!(ask(levels(0.02), &entropies(1.0)).decision, Decision::Fail);
        let times = |salt| noisy(40, salt, 0.5, |_| 50.0);
        let noise = [run(
            &["a"],
            40,
            vec![
                arm("shannon", times(1)),
                arm("renyi", times(2)),
                arm("topk", times(3)),
            ],
        )];
        let answer = ask(levels(0.02), &noise);
        assert_eq!(answer.decision, Decision::Inconclusive, "{answer:?}");
        assert!(
            answer.reason.contains("find a ratio of"),
            "{}",
            answer.reason
        );
    }

    #[test]
    fn levels_in_sweeps_of_their_own_are_paired_by_item() {
        let of = |name: &str, factor: f64, salt| {
            let mut one = run(
                &["a"],
                20,
                vec![arm("fixed", noisy(20, salt, 0.02, |_| 50.0 * factor))],
            );
            one.sweep = name.to_owned();
            one
        };
        let mut data = [of("pair-10", 1.0, 1), of("pair-50", 0.8, 2)];
        // Another order of the same items.
        data[1].prompts.reverse();
        let rule = serde_json::json!({
            "kind": "differs", "reference": "1:10", "margin": 0.02,
            "levels": [
                {"name": "1:10", "select": {"entries": ["fixed"], "sweeps": ["pair-10"]}},
                {"name": "1:50", "select": {"entries": ["fixed"], "sweeps": ["pair-50"]}},
            ]
        });
        let answer = ask(rule, &data);
        assert_eq!(answer.decision, Decision::Pass, "{answer:?}");
        assert_eq!(answer.findings[0].n, 20);
        assert!((answer.findings[0].effect.unwrap().estimate - 1.25).abs() < 0.02);
    }

    #[test]
    fn a_task_with_a_gain_of_its_own_differs_from_the_others() {
        let times = |salt, a: f64| {
            noisy(60, salt, 0.03, move |prompt| {
                if prompt % 3 == 0 { 50.0 * a } else { 50.0 }
            })
        };
        let data = |a| {
            [run(
                &["a", "b", "c"],
                20,
                vec![arm("ebsd", times(1, a)), arm("fixed", times(2, 1.0))],
            )]
        };
        let rule = serde_json::json!({
            "kind": "differs_by_task", "margin": 0.05,
            "candidates": {"entries": ["ebsd"]}, "baselines": {"entries": ["fixed"]}
        });
        let answer = ask(rule.clone(), &data(0.7));
        assert_eq!(answer.decision, Decision::Pass, "{answer:?}");
        assert!((answer.findings[0].effect.unwrap().estimate - 1.0 / 0.7).abs() < 0.03);
        assert_eq!(ask(rule, &data(1.0)).decision, Decision::Fail);
    }
}
