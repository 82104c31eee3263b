//! Does the best value of an axis follow a property of the task?

use crate::analysis::hypotheses::data::Arm;
use crate::analysis::hypotheses::field::{Field, Task};
use crate::analysis::hypotheses::verdict::{Answer, Decision, Finding, Scale};
use crate::config::experiment::{Complexity, Correlates, Direction};
use crate::stats::correlation::{spearman, spearman_interval};
use crate::stats::interval::{Confidence, Interval};
use crate::stats::permutation::Permutation;
use crate::stats::sample::Sample;

/// The best setting of a task beside what the task is like.
struct Point {
    task: String,
    best: String,
    x: f64,
    y: f64,
    n_prompts: usize,
}

/// Fills the answer in. The best value of a task is that of all its prompts: nothing is judged on it.
pub fn judge(rule: &Correlates, field: &Field<'_>, mut answer: Answer) -> Answer {
    let points: Vec<Point> = field
        .tasks
        .iter()
        .filter_map(|task| point(rule, field, task))
        .collect();
    let parts = points.iter().map(|point| Finding {
        name: point.task.clone(),
        candidates: vec![point.best.clone()],
        baselines: Vec::new(),
        scale: Scale::Difference,
        effect: Some(Interval::exact(point.y)),
        n: point.n_prompts,
        p: None,
        p_adjusted: None,
        effect_size: None,
        detectable: None,
        decision: Decision::Inconclusive,
        note: Some(format!(
            "best {} is {}; {} is {:.3}",
            rule.axis,
            point.y,
            rule.complexity.words(),
            point.x
        )),
    });
    let parts: Vec<Finding> = parts.collect();
    let n = points.len();
    let column = |of: fn(&Point) -> f64| Sample::new(points.iter().map(of).collect());
    let (Ok(x), Ok(y)) = (column(|point| point.x), column(|point| point.y)) else {
        answer.findings = parts;
        return answer.inconclusive(format!(
            "no task has both a best {} and a {}",
            rule.axis,
            rule.complexity.words()
        ));
    };
    let correlation = spearman(&x, &y);
    let p = Permutation::default()
        .spearman(&x, &y)
        .map(|p| match rule.direction {
            Direction::Either => p.two_sided,
            Direction::Positive => p.greater,
            Direction::Negative => p.less,
        });
    let confidence = Confidence::new(1.0 - rule.alpha.level()).unwrap_or(Confidence::P95);
    let effect = correlation.map(|rho| spearman_interval(rho, n, confidence));
    let detectable = detectable(n, rule);
    let decision = match (effect, p) {
        (Some(effect), Some(p)) if n >= rule.min_tasks => decide(&effect, p, rule),
        (Some(_) | None, Some(_) | None) => Decision::Inconclusive,
    };
    let reason = match (decision, correlation) {
        (_, None) => format!(
            "all {n} tasks have the same best {}, or the same {}",
            rule.axis,
            rule.complexity.words()
        ),
        (_, Some(_)) if n < rule.min_tasks => format!(
            "{n} tasks are fewer than the {} that the rule asks for",
            rule.min_tasks
        ),
        (Decision::Pass, Some(_)) => {
            "the correlation is there, and as strong as asked for".to_owned()
        }
        (Decision::Fail, Some(_)) => {
            format!("the whole interval is weaker than {}", rule.min_correlation)
        }
        (Decision::Inconclusive, Some(_)) => {
            let found = detectable.map_or(String::new(), |rho| {
                format!("; {n} tasks find one of {rho:.2} with a probability of 0.8")
            });
            format!(
                "neither a correlation of {} nor its absence is shown{found}",
                rule.min_correlation
            )
        }
    };
    let whole = Finding {
        name: format!("best {} and {}", rule.axis, rule.complexity.words()),
        candidates: Vec::new(),
        baselines: Vec::new(),
        scale: Scale::Correlation,
        effect,
        n,
        p,
        p_adjusted: None,
        effect_size: None,
        detectable,
        decision,
        note: None,
    };
    (answer.decision, answer.reason) = (decision, reason);
    answer.findings = std::iter::once(whole).chain(parts).collect();
    answer
}

fn decide(effect: &Interval, p: f64, rule: &Correlates) -> Decision {
    let (strength, most) = match rule.direction {
        Direction::Either => (
            effect.estimate.abs(),
            effect.high.abs().max(effect.low.abs()),
        ),
        Direction::Positive => (effect.estimate, effect.high),
        Direction::Negative => (-effect.estimate, -effect.low),
    };
    if p <= rule.alpha.level() && strength >= rule.min_correlation {
        Decision::Pass
    } else if most < rule.min_correlation {
        Decision::Fail
    } else {
        Decision::Inconclusive
    }
}

fn point(rule: &Correlates, field: &Field<'_>, task: &Task) -> Option<Point> {
    let prompts: Vec<usize> = task.prompts().collect();
    let arms: Vec<&Arm> = field.arms(task.run, &rule.candidates);
    let best = field.best(&arms, &prompts, rule.tuned_by)?;
    let value = best
        .axes
        .iter()
        .find(|(axis, _)| *axis == rule.axis)?
        .1
        .parse()
        .ok()?;
    Some(Point {
        task: task.name.clone(),
        best: best.label.clone(),
        x: complexity(rule.complexity, field, task)?,
        y: value,
        n_prompts: prompts.len(),
    })
}

fn complexity(what: Complexity, field: &Field<'_>, task: &Task) -> Option<f64> {
    let prompts: Vec<_> = task
        .prompts()
        .map(|index| field.prompt(task, index))
        .collect();
    // Weighted, so that each slot and each token counts once.
    let mean = |pairs: Vec<(f64, f64)>| {
        let (sum, weight) = pairs
            .iter()
            .fold((0.0, 0.0), |(sum, all), (value, weight)| {
                (sum + value * weight, all + weight)
            });
        (weight > 0.0).then(|| sum / weight)
    };
    match what {
        Complexity::DrafterEntropy => {
            let slots = prompts.iter().filter_map(|prompt| prompt.drafter_entropy);
            mean(slots.map(|(entropy, n)| (entropy, n as f64)).collect())
        }
        Complexity::VerifierNats => {
            let texts = prompts.iter().filter(|prompt| prompt.answer_len > 0.0);
            mean(
                texts
                    .filter_map(|prompt| {
                        Some((prompt.verifier_nats? / prompt.answer_len, prompt.answer_len))
                    })
                    .collect(),
            )
        }
        Complexity::AnswerLen => mean(
            prompts
                .iter()
                .map(|prompt| (prompt.answer_len, 1.0))
                .collect(),
        ),
        Complexity::Steps => {
            let steps = |category: &str| category.split_once("-step")?.0.parse::<f64>().ok();
            mean(
                prompts
                    .iter()
                    .filter_map(|prompt| Some((steps(&prompt.category)?, 1.0)))
                    .collect(),
            )
        }
    }
}

/// The weakest true correlation whose test at α fires with a probability of 0.8, by the normal
/// approximation of Bonett and Wright (2000): tanh((z_{1−α/2} + z_{0.8}) · √(1.06 / (n − 3))).
fn detectable(n: usize, rule: &Correlates) -> Option<f64> {
    const Z_80: f64 = 0.841_621_233_572_914;
    let alone = Confidence::new(1.0 - rule.alpha.level()).ok()?;
    // The half width at a correlation of zero is z · 1/√(n − 3) on Fisher's scale.
    let half_width = spearman_interval(0.0, n, alone).high.atanh();
    (n > 3 && half_width.is_finite())
        .then(|| ((half_width + Z_80 / ((n - 3) as f64).sqrt()) * 1.06_f64.sqrt()).tanh())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::hypotheses::data::RunData;
    use crate::analysis::hypotheses::judge::answer_to;
    use crate::analysis::hypotheses::made_up::{arm, run};
    use crate::config::experiment::Question;

    const FAMILIES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

    /// Task i has a drafter entropy of i; its best threshold is `best(i)` of 0 to 5.
    fn data(best: impl Fn(usize) -> usize) -> [RunData; 1] {
        let n = 6 * 4;
        let arms = (0..6).map(|theta| {
            let times = (0..n).map(|prompt| {
                if best(prompt % 6) == theta {
                    40.0
                } else {
                    50.0
                }
            });
            let mut one = arm(&format!("ebsd {theta}"), times.collect());
            one.axes = vec![("stop.theta_abs".to_owned(), format!("{theta}.0"))];
            one
        });
        let mut data = run(&FAMILIES, 4, arms.collect());
        for (index, prompt) in data.prompts.iter_mut().enumerate() {
            prompt.drafter_entropy = Some(((index % 6) as f64, 10));
        }
        [data]
    }

    fn ask(data: &[RunData], more: &str) -> Answer {
        let rule = format!(
            "{{\"kind\": \"correlates\", \"candidates\": {{\"entries\": [\"ebsd\"]}}, \
             \"axis\": \"stop.theta_abs\", \"with\": \"drafter_entropy\"{more}}}"
        );
        let rule = serde_json::from_str(&rule).unwrap();
        answer_to(
            &Question {
                name: "h2".into(),
                asks: "?".into(),
                rule,
            },
            data,
        )
    }

    #[test]
    fn thresholds_that_rise_with_the_entropy_of_six_tasks_correlate() {
        let answer = ask(&data(|task| task), "");
        assert_eq!(answer.decision, Decision::Pass, "{answer:?}");
        let whole = &answer.findings[0];
        assert!((whole.effect.unwrap().estimate - 1.0).abs() < 1e-12);
        assert!((whole.p.unwrap() - 2.0 / 720.0).abs() < 1e-12);
        assert_eq!(answer.findings.len(), 7);
        let falling = ask(&data(|task| 5 - task), ", \"direction\": \"positive\"");
        assert_eq!(falling.decision, Decision::Fail, "{falling:?}");
    }

    #[test]
    fn one_threshold_for_all_tasks_says_nothing() {
        let answer = ask(&data(|_| 3), "");
        assert_eq!(answer.decision, Decision::Inconclusive);
        assert!(
            answer
                .reason
                .starts_with("all 6 tasks have the same best stop.theta_abs"),
            "{}",
            answer.reason
        );
    }

    #[test]
    fn a_weak_correlation_of_six_tasks_is_neither_shown_nor_excluded() {
        let shuffled = [2, 5, 0, 3, 1, 4];
        let answer = ask(&data(|task| shuffled[task]), "");
        assert_eq!(answer.decision, Decision::Inconclusive);
        let detectable = answer.findings[0].detectable.unwrap();
        // tanh((1.960 + 0.842) · √(1.06 / 3)).
        assert!((detectable - 0.931).abs() < 0.001, "{detectable}");
        let few = ask(&data(|task| task), ", \"min_tasks\": 7");
        assert!(
            few.reason.starts_with("6 tasks are fewer than the 7"),
            "{}",
            few.reason
        );
    }
}
