//! Is a tuned candidate better than a tuned baseline?

use crate::analysis::hypotheses::field::{Field, parts};
use crate::analysis::hypotheses::paired::{Paired, detectable, effect_size};
use crate::analysis::hypotheses::verdict::{Answer, Decision, Finding, Scale};
use crate::analysis::hypotheses::words::{joined, percent};
use crate::analysis::view::ALL_PROMPTS;
use crate::config::experiment::Beats;
use crate::stats::permutation::Permutation;
use crate::stats::sample::Sample;
use crate::stats::significance::Alpha;

/// One pair of groups on some prompts, before it is judged.
pub(super) struct Contest {
    pub name: String,
    pub candidates: Vec<String>,
    pub baselines: Vec<String>,
    pub paired: Paired,
}

/// All prompts first, then each task; a task on which a group has no choice is left out.
pub(super) fn contests(rule: &Beats, field: &Field<'_>) -> Vec<Contest> {
    let mut all = Contest {
        name: ALL_PROMPTS.to_owned(),
        candidates: Vec::new(),
        baselines: Vec::new(),
        paired: Paired::default(),
    };
    let mut contests = Vec::new();
    for task in &field.tasks {
        let choose = |group| field.choose(group, task, rule.metric);
        let (Some(one), Some(other)) = (choose(&rule.candidates), choose(&rule.baselines)) else {
            continue;
        };
        let mut paired = Paired::default();
        for (one, other) in parts(&one, &other, rule.metric) {
            paired.push(one, other);
        }
        all.paired.extend(&paired);
        joined(&mut all.candidates, one.labels());
        joined(&mut all.baselines, other.labels());
        contests.push(Contest {
            name: task.name.clone(),
            candidates: one.labels(),
            baselines: other.labels(),
            paired,
        });
    }
    contests.insert(0, all);
    contests
}

/// Fills the answer in.
pub fn judge(rule: &Beats, field: &Field<'_>, mut answer: Answer) -> Answer {
    let contests = contests(rule, field);
    let threshold = 1.0 + rule.margin;
    let mut findings: Vec<Finding> = contests
        .iter()
        .map(|one| finding(one, rule, threshold))
        .collect();
    let p_values: Vec<f64> = findings[1..].iter().filter_map(|one| one.p).collect();
    let mut adjusted = rule.correction.adjust(&p_values).into_iter();
    for one in &mut findings[1..] {
        one.p_adjusted = one.p.and_then(|_| adjusted.next());
        // One of many tasks has to stand up to all of them being looked at.
        let is_significant = one.p_adjusted.is_some_and(|p| p <= rule.alpha.level());
        if one.decision == Decision::Pass && !is_significant {
            one.decision = Decision::Inconclusive;
        }
    }
    let whole = findings[0].clone();
    (answer.decision, answer.reason) = match rule.share_of_tasks {
        None => (whole.decision, reason(&whole, rule)),
        Some(share) => by_share(&findings[1..], share, rule),
    };
    answer.findings = findings;
    answer
}

fn finding(contest: &Contest, rule: &Beats, threshold: f64) -> Finding {
    let paired = &contest.paired;
    let effect = paired.ratio(rule.alpha);
    let logs = paired.log_ratios();
    // The interval and the test come from different resamplings; few prompts need both.
    let null = threshold.ln();
    let p = logs.as_ref().map(|logs| p_against(logs, null));
    let is_shown = paired.n() >= rule.min_prompts && p.is_some_and(|p| p <= rule.alpha.level());
    let decision = match effect {
        Some(effect) if is_shown && effect.low > threshold => Decision::Pass,
        Some(effect) if is_shown && effect.high < threshold => Decision::Fail,
        Some(_) | None => Decision::Inconclusive,
    };
    Finding {
        name: contest.name.clone(),
        candidates: contest.candidates.clone(),
        baselines: contest.baselines.clone(),
        scale: Scale::Ratio,
        effect,
        n: paired.n(),
        p,
        p_adjusted: None,
        effect_size: logs.as_ref().and_then(|logs| effect_size(logs, null)),
        detectable: logs
            .as_ref()
            .and_then(|logs| ratio_detectable(logs, null, rule.alpha)),
        decision,
        note: (paired.n() < rule.min_prompts)
            .then(|| format!("fewer than {} prompts", rule.min_prompts)),
    }
}

/// Two-sided p of a mean logarithm against `null`.
pub(super) fn p_against(logs: &Sample, null: f64) -> f64 {
    let shifted = logs.values().iter().map(|log| log - null).collect();
    Sample::new(shifted).map_or(1.0, |shifted| {
        Permutation::default().mean_difference(&shifted).p.two_sided
    })
}

/// The smallest ratio beyond e^null that so many prompts find.
pub(super) fn ratio_detectable(logs: &Sample, null: f64, alpha: Alpha) -> Option<f64> {
    detectable(logs, alpha).map(|effect| (null + effect).exp())
}

fn reason(whole: &Finding, rule: &Beats) -> String {
    let asked = match rule.margin == 0.0 {
        true => "no gain".to_owned(),
        false => format!("a gain of {}", percent(rule.margin)),
    };
    match (whole.decision, whole.effect) {
        (Decision::Pass, Some(_)) => format!("the whole interval lies above {asked}"),
        (Decision::Fail, Some(_)) => format!("the whole interval lies below {asked}"),
        (Decision::Inconclusive, _) if whole.n < rule.min_prompts => {
            format!(
                "{} prompts are fewer than the {} that the rule asks for",
                whole.n, rule.min_prompts
            )
        }
        (Decision::Inconclusive, Some(effect)) => {
            let found = whole.detectable.map_or(String::new(), |ratio| {
                format!("; so many prompts find a ratio of {ratio:.3} with a probability of 0.8")
            });
            let what = match effect.contains(1.0 + rule.margin) {
                true => "the interval holds",
                false => "the test does not exclude",
            };
            format!("{what} {asked}{found}")
        }
        (Decision::Pass | Decision::Fail | Decision::Inconclusive, None) => {
            "there is nothing to divide: no prompt has the metric in both groups".to_owned()
        }
    }
}

fn by_share(tasks: &[Finding], share: f64, rule: &Beats) -> (Decision, String) {
    let count = |decision| tasks.iter().filter(|one| one.decision == decision).count();
    let (n, passed, failed) = (tasks.len(), count(Decision::Pass), count(Decision::Fail));
    let needed = (share * n as f64).ceil().max(1.0) as usize;
    let gain = percent(rule.margin);
    let told = format!(
        "of {n} tasks {passed} show a gain above {gain}, {failed} one below it, {} neither; {needed} are needed",
        n - passed - failed
    );
    let decision = if n == 0 {
        Decision::Inconclusive
    } else if passed >= needed {
        Decision::Pass
    } else if n - failed < needed {
        Decision::Fail
    } else {
        Decision::Inconclusive
    };
    (decision, told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::hypotheses::data::RunData;
    use crate::analysis::hypotheses::judge::answer_to;
    use crate::analysis::hypotheses::made_up::{arm, noisy, run};
    use crate::config::experiment::{DecisionRule, Question};

    const FAMILIES: [&str; 4] = ["code", "counting", "qa", "story"];

    fn rule(json: serde_json::Value) -> Question {
        let mut whole = serde_json::json!({
            "kind": "beats", "candidates": {"entries": ["ebsd"]}, "baselines": {"entries": ["fixed"]}
        });
        for (key, value) in json.as_object().unwrap() {
            whole[key] = value.clone();
        }
        let rule: DecisionRule = serde_json::from_value(whole).unwrap();
        Question {
            name: "speed".into(),
            asks: "is it?".into(),
            rule,
        }
    }

    /// EBSD takes `factor(category)` of the time of fixed k, give or take 3 %.
    fn data(factor: impl Fn(usize) -> f64, n_each: usize) -> [RunData; 1] {
        let n = 4 * n_each;
        [run(
            &FAMILIES,
            n_each,
            vec![
                arm("fixed 1", noisy(n, 1, 0.03, |_| 80.0)),
                arm("fixed 2", noisy(n, 2, 0.03, |_| 60.0)),
                arm(
                    "ebsd 1",
                    noisy(n, 3, 0.03, |prompt| 60.0 * factor(prompt % 4)),
                ),
                arm("ebsd 2", noisy(n, 4, 0.03, |_| 90.0)),
            ],
        )]
    }

    #[test]
    fn a_fifth_less_time_beats_and_is_not_thirty_percent_less() {
        let data = data(|_| 0.8, 10);
        let answer = answer_to(&rule(serde_json::json!({})), &data);
        assert_eq!(answer.decision, Decision::Pass, "{answer:?}");
        let whole = &answer.findings[0];
        assert!((whole.effect.unwrap().estimate - 1.25).abs() < 0.02);
        assert_eq!(
            (whole.n, &whole.baselines),
            (40, &vec!["fixed 2".to_owned()])
        );
        let answer = answer_to(&rule(serde_json::json!({"margin": 0.3})), &data);
        assert_eq!(answer.decision, Decision::Fail);
    }

    #[test]
    fn the_best_of_twenty_equal_rules_does_not_beat_one() {
        let n = 40;
        let mut arms: Vec<_> = (0..20)
            .map(|k| arm(&format!("ebsd {k}"), noisy(n, k, 0.2, |_| 60.0)))
            .collect();
        arms.push(arm("fixed", noisy(n, 99, 0.2, |_| 60.0)));
        let answer = answer_to(&rule(serde_json::json!({})), &[run(&FAMILIES, 10, arms)]);
        assert_ne!(answer.decision, Decision::Pass, "{answer:?}");
        assert!(answer.findings[0].effect.unwrap().contains(1.0));
    }

    #[test]
    fn few_prompts_decide_nothing_and_say_so() {
        let answer = answer_to(&rule(serde_json::json!({})), &data(|_| 0.5, 2));
        assert_eq!(answer.decision, Decision::Inconclusive);
        assert!(
            answer.reason.starts_with("8 prompts are fewer than the 10"),
            "{}",
            answer.reason
        );
    }

    #[test]
    fn half_of_the_tasks_with_a_large_gain_are_enough_and_a_quarter_is_not() {
        let half = serde_json::json!({"margin": 0.1, "share_of_tasks": 0.5});
        let two = data(|category| if category < 2 { 0.7 } else { 1.0 }, 12);
        let answer = answer_to(&rule(half.clone()), &two);
        assert_eq!(answer.decision, Decision::Pass, "{answer:?}");
        let adjusted = |one: &Finding| one.p_adjusted.unwrap() >= one.p.unwrap();
        assert!(answer.findings[1..].iter().all(adjusted));
        let one = data(|category| if category < 1 { 0.7 } else { 1.0 }, 12);
        let answer = answer_to(&rule(half), &one);
        assert_eq!(answer.decision, Decision::Fail, "{answer:?}");
        assert!(
            answer
                .reason
                .starts_with("of 4 tasks 1 show a gain above 10 %, 3"),
            "{}",
            answer.reason
        );
    }

    #[test]
    fn a_group_without_trials_is_a_reason_not_a_crash() {
        let question = rule(serde_json::json!({"candidates": {"entries": ["nobody"]}}));
        let answer = answer_to(&question, &data(|_| 0.5, 10));
        assert_eq!(answer.decision, Decision::Inconclusive);
        assert_eq!(
            answer.reason,
            "no trial of entries nobody ran on all prompts"
        );
    }
}
