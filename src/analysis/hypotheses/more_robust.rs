//! Do the settings of one group lose less than those of another when they are carried to other tasks?
//!
//! The regret of a setting chosen on task s, used on task t, is the share of the time that t takes
//! longer than with the setting chosen on t itself: R(s, t) = ln(time with the choice of s / time with
//! the choice of t). Choices are made on one half of the prompts of s and of t, times are those of the
//! other half of t, both ways.

use crate::analysis::hypotheses::data::Arm;
use crate::analysis::hypotheses::field::{Field, Task};
use crate::analysis::hypotheses::paired::{bootstrap, detectable, effect_size};
use crate::analysis::hypotheses::verdict::{Answer, Decision, Finding, Scale};
use crate::analysis::hypotheses::words::percent;
use crate::config::experiment::{Group, Metric, MoreRobust};
use crate::stats::interval::Interval;
use crate::stats::permutation::Permutation;
use crate::stats::sample::Sample;

/// Mean regret on each task of the settings chosen on the others.
struct Regret {
    task: String,
    candidates: f64,
    baselines: f64,
    n_prompts: usize,
}

/// Fills the answer in. Tasks are the units: a claim about other tasks needs many of them.
pub fn judge(rule: &MoreRobust, field: &Field<'_>, mut answer: Answer) -> Answer {
    let regrets: Vec<Regret> = field
        .tasks
        .iter()
        .filter_map(|task| {
            Some(Regret {
                task: task.name.clone(),
                candidates: regret(field, task, &rule.candidates, rule.metric)?,
                baselines: regret(field, task, &rule.baselines, rule.metric)?,
                n_prompts: task.n_prompts(),
            })
        })
        .collect();
    let n = regrets.len();
    // Positive where the candidates lose less.
    let saved = regrets
        .iter()
        .map(|one| one.baselines - one.candidates)
        .collect();
    let Ok(saved) = Sample::new(saved) else {
        return answer.inconclusive(
            "no task has settings of both groups and another task to take them from",
        );
    };
    let effect = bootstrap(rule.alpha).mean(&saved).map(f64::exp);
    let null = (1.0 + rule.margin).ln();
    let against = Sample::new(saved.values().iter().map(|one| one - null).collect());
    let p = against
        .map(|values| Permutation::default().mean_difference(&values).p.two_sided)
        .ok();
    let threshold = 1.0 + rule.margin;
    let is_significant = p.is_some_and(|p| p <= rule.alpha.level());
    let decision = if n < rule.min_tasks {
        Decision::Inconclusive
    } else if effect.low > threshold && is_significant {
        Decision::Pass
    } else if effect.high < threshold {
        Decision::Fail
    } else {
        Decision::Inconclusive
    };
    let detectable = detectable(&saved, rule.alpha).map(|one| (null + one).exp());
    answer.decision = decision;
    answer.reason = reason(decision, n, rule, &regrets, detectable);
    let whole = Finding {
        name: "time lost elsewhere, baselines over candidates".to_owned(),
        candidates: Vec::new(),
        baselines: Vec::new(),
        scale: Scale::Ratio,
        effect: Some(effect),
        n,
        p,
        p_adjusted: None,
        effect_size: effect_size(&saved, null),
        detectable,
        decision,
        note: Some("units are tasks".to_owned()),
    };
    let parts = regrets.iter().map(|one| Finding {
        name: one.task.clone(),
        candidates: Vec::new(),
        baselines: Vec::new(),
        scale: Scale::Ratio,
        effect: Some(Interval::exact((one.baselines - one.candidates).exp())),
        n: one.n_prompts,
        p: None,
        p_adjusted: None,
        effect_size: None,
        detectable: None,
        decision: Decision::Inconclusive,
        note: Some(format!(
            "settings of other tasks cost the candidates {}, the baselines {} of the time",
            percent(one.candidates.exp_m1()),
            percent(one.baselines.exp_m1())
        )),
    });
    answer.findings = std::iter::once(whole).chain(parts).collect();
    answer
}

fn reason(
    decision: Decision,
    n: usize,
    rule: &MoreRobust,
    regrets: &[Regret],
    detectable: Option<f64>,
) -> String {
    let mean = |of: fn(&Regret) -> f64| regrets.iter().map(of).sum::<f64>() / n.max(1) as f64;
    let told = format!(
        "settings of other tasks cost the candidates {} and the baselines {} of the time in the mean",
        percent(mean(|one| one.candidates).exp_m1()),
        percent(mean(|one| one.baselines).exp_m1())
    );
    match decision {
        Decision::Pass | Decision::Fail => told,
        Decision::Inconclusive if n < rule.min_tasks => {
            format!(
                "{n} tasks are fewer than the {} that the rule asks for; {told}",
                rule.min_tasks
            )
        }
        Decision::Inconclusive => {
            let found = detectable.map_or(String::new(), |ratio| {
                format!("; {n} tasks find a ratio of {ratio:.3} with a probability of 0.8")
            });
            format!("{told}, too uneven to tell{found}")
        }
    }
}

/// Mean over the other tasks and both halves of ln(value with the own choice / with theirs).
fn regret(field: &Field<'_>, task: &Task, group: &Group, metric: Metric) -> Option<f64> {
    let mut losses = Vec::new();
    for half in 0..2 {
        let judged = &task.halves[1 - half];
        let arms: Vec<&Arm> = field.arms(task.run, group);
        let of = |arm: &Arm| {
            let own = arms.iter().find(|one| one.label == arm.label)?;
            field
                .value(own, judged, metric)
                .filter(|value| *value > 0.0)
        };
        let own = of(field.best(&arms, &task.halves[half], metric)?)?;
        for other in field.tasks.iter().filter(|other| other.name != task.name) {
            let theirs = field.best(&field.arms(other.run, group), &other.halves[half], metric)?;
            let loss = (own / of(theirs)?).ln();
            losses.push(if metric.rises() { loss } else { -loss });
        }
    }
    (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::hypotheses::data::RunData;
    use crate::analysis::hypotheses::judge::answer_to;
    use crate::analysis::hypotheses::made_up::{arm, noisy, run};
    use crate::config::experiment::Question;

    const FAMILIES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

    /// Setting i is the best of task i; elsewhere it takes `fixed` or `relative` times as long.
    fn data(absolute: f64, relative: f64) -> [RunData; 1] {
        let n = 6 * 8;
        let family = |name: &str, factor: f64, salt: usize| {
            let settings = (0..6).map(|setting| {
                let times = noisy(n, salt + setting, 0.01, |prompt| {
                    let uneven = 1.0 + 0.02 * (prompt % 6) as f64;
                    if prompt % 6 == setting {
                        50.0
                    } else {
                        50.0 * factor * uneven
                    }
                });
                arm(&format!("{name} {setting}"), times)
            });
            settings.collect::<Vec<_>>()
        };
        let arms = [
            family("absolute", absolute, 0),
            family("relative", relative, 50),
        ]
        .concat();
        [run(&FAMILIES, 8, arms)]
    }

    fn ask(data: &[RunData]) -> Answer {
        let rule = serde_json::json!({
            "kind": "more_robust",
            "candidates": {"entries": ["relative"]}, "baselines": {"entries": ["absolute"]}
        });
        let rule = serde_json::from_value(rule).unwrap();
        answer_to(
            &Question {
                name: "h3".into(),
                asks: "?".into(),
                rule,
            },
            data,
        )
    }

    #[test]
    fn settings_that_lose_less_elsewhere_are_more_robust() {
        let answer = ask(&data(1.3, 1.1));
        assert_eq!(answer.decision, Decision::Pass, "{answer:?}");
        let whole = &answer.findings[0];
        assert!((whole.effect.unwrap().estimate - 1.3 / 1.1).abs() < 0.02);
        // Six tasks that all agree: 2 / 2⁶.
        assert_eq!((whole.n, whole.p), (6, Some(2.0 / 64.0)));
        assert_eq!(ask(&data(1.1, 1.3)).decision, Decision::Fail);
    }

    #[test]
    fn equal_losses_are_not_more_robust() {
        let answer = ask(&data(1.2, 1.2));
        assert_ne!(answer.decision, Decision::Pass, "{answer:?}");
    }

    #[test]
    fn three_tasks_are_too_few_to_speak_of_tasks() {
        let n = 24;
        let arms = vec![
            arm("absolute 1", noisy(n, 1, 0.1, |_| 50.0)),
            arm("absolute 2", noisy(n, 2, 0.1, |_| 50.0)),
            arm("relative 1", noisy(n, 3, 0.1, |_| 50.0)),
        ];
        let answer = ask(&[run(&["a", "b", "c"], 8, arms)]);
        assert_eq!(answer.decision, Decision::Inconclusive);
        assert!(
            answer.reason.starts_with("3 tasks are fewer than the 5"),
            "{}",
            answer.reason
        );
    }
}
