//! Is a candidate as good as a baseline, up to a margin that does not matter?

use crate::analysis::hypotheses::field::{Field, parts};
use crate::analysis::hypotheses::paired::{Paired, detectable, effect_size};
use crate::analysis::hypotheses::verdict::{Answer, Decision, Finding, Scale};
use crate::analysis::hypotheses::words::{joined, percent};
use crate::analysis::view::ALL_PROMPTS;
use crate::config::experiment::{Equivalent, Margin, Metric, Side};
use crate::stats::equivalence::{self, Equivalence, paired_means, paired_shares};
use crate::stats::paired_outcomes::PairedOutcomes;
use crate::stats::sample::Sample;

/// Fills the answer in.
pub fn judge(rule: &Equivalent, field: &Field<'_>, mut answer: Answer) -> Answer {
    let mut all = (Vec::new(), Vec::new(), Paired::default());
    let mut findings = Vec::new();
    for task in &field.tasks {
        let choose = |group| field.choose(group, task, rule.tuned_by);
        let (Some(one), Some(other)) = (choose(&rule.candidates), choose(&rule.baselines)) else {
            continue;
        };
        let mut paired = Paired::default();
        for (one, other) in parts(&one, &other, rule.metric) {
            paired.push(one, other);
        }
        joined(&mut all.0, one.labels());
        joined(&mut all.1, other.labels());
        all.2.extend(&paired);
        findings.push(finding(
            &task.name,
            one.labels(),
            other.labels(),
            &paired,
            rule,
        ));
    }
    let whole = finding(ALL_PROMPTS, all.0, all.1, &all.2, rule);
    answer.decision = whole.decision;
    answer.reason = reason(&whole, rule);
    findings.insert(0, whole);
    answer.findings = findings;
    answer
}

fn finding(
    name: &str,
    candidates: Vec<String>,
    baselines: Vec<String>,
    paired: &Paired,
    rule: &Equivalent,
) -> Finding {
    let scale = match rule.margin {
        Margin::Relative(_) => Scale::Ratio,
        Margin::Absolute(_) => Scale::Difference,
    };
    let tested = test(paired, rule);
    let values = match rule.margin {
        Margin::Relative(_) => paired.log_ratios(),
        Margin::Absolute(_) => paired.differences(),
    };
    let p = tested.as_ref().map(|tested| p_value(tested, rule));
    let effect = tested.as_ref().map(|tested| match scale {
        Scale::Ratio => tested.interval.map(f64::exp),
        Scale::Difference | Scale::Correlation => tested.interval,
    });
    let is_enough = paired.n() >= rule.min_prompts;
    let decision = match (&tested, p) {
        (Some(tested), Some(p)) if is_enough => decide(tested, p, rule),
        (Some(_) | None, Some(_) | None) => Decision::Inconclusive,
    };
    Finding {
        name: name.to_owned(),
        candidates,
        baselines,
        scale,
        effect,
        n: paired.n(),
        p,
        p_adjusted: None,
        effect_size: values.as_ref().and_then(|values| effect_size(values, 0.0)),
        detectable: values.as_ref().and_then(|values| {
            let smallest = detectable(values, rule.alpha)?;
            Some(match scale {
                Scale::Ratio => smallest.exp(),
                Scale::Difference | Scale::Correlation => smallest,
            })
        }),
        decision,
        note: note(paired, rule),
    }
}

/// Two one-sided tests: of logarithms for a relative margin, of shares of prompts by Tango's score, of
/// differences for anything else.
fn test(paired: &Paired, rule: &Equivalent) -> Option<Equivalence> {
    match rule.margin {
        Margin::Relative(share) => {
            let margin = equivalence::Margin::new((1.0 - share).ln(), (1.0 + share).ln()).ok()?;
            paired_means(&paired.log_ratios()?, margin, rule.alpha)
        }
        Margin::Absolute(width) => {
            let margin = equivalence::Margin::symmetric(width).ok()?;
            if rule.metric.is_share() {
                paired_shares(&outcomes(paired), margin, rule.alpha)
            } else {
                let differences: Sample = paired.differences()?;
                paired_means(&differences, margin, rule.alpha)
            }
        }
    }
}

fn outcomes(paired: &Paired) -> PairedOutcomes {
    let right = |parts: &[super::paired::Part]| -> Vec<bool> {
        parts.iter().map(|part| part.n > 0.5).collect()
    };
    PairedOutcomes::of(&right(&paired.one), &right(&paired.other))
}

/// Of both sides, or of "not worse" alone.
fn p_value(tested: &Equivalence, rule: &Equivalent) -> f64 {
    match (rule.side, rule.metric.rises()) {
        (Side::Both, _) => tested.p(),
        (Side::NotWorse, true) => tested.p_above_low,
        (Side::NotWorse, false) => tested.p_below_high,
    }
}

fn decide(tested: &Equivalence, p: f64, rule: &Equivalent) -> Decision {
    let (interval, margin) = (&tested.interval, tested.margin);
    let is_below = interval.high < margin.low();
    let is_above = interval.low > margin.high();
    let is_outside = match (rule.side, rule.metric.rises()) {
        (Side::Both, _) => is_below || is_above,
        (Side::NotWorse, true) => is_below,
        (Side::NotWorse, false) => is_above,
    };
    if p <= rule.alpha.level() {
        Decision::Pass
    } else if is_outside {
        Decision::Fail
    } else {
        Decision::Inconclusive
    }
}

fn note(paired: &Paired, rule: &Equivalent) -> Option<String> {
    let both: Vec<_> = paired.one.iter().zip(&paired.other).collect();
    let n_equal = both.iter().filter(|(one, other)| one == other).count();
    if rule.metric == Metric::SameText || rule.metric == Metric::ExactMatch {
        return Some(format!("equal on {n_equal} of {} prompts", both.len()));
    }
    (paired.n() < rule.min_prompts).then(|| format!("fewer than {} prompts", rule.min_prompts))
}

fn reason(whole: &Finding, rule: &Equivalent) -> String {
    let margin = match rule.margin {
        Margin::Relative(share) => percent(share),
        Margin::Absolute(width) => width.to_string(),
    };
    let side = match rule.side {
        Side::Both => "within",
        Side::NotWorse => "not worse than by",
    };
    match whole.decision {
        Decision::Pass => format!("{side} {margin}: what lies outside is rejected at α"),
        Decision::Fail => format!("the interval lies outside of the margin of {margin}"),
        Decision::Inconclusive if whole.effect.is_none() => {
            "no prompt has the metric in both groups".to_owned()
        }
        Decision::Inconclusive if whole.n < rule.min_prompts => format!(
            "{} prompts are fewer than the {} that the rule asks for",
            whole.n, rule.min_prompts
        ),
        Decision::Inconclusive => format!("the interval reaches beyond the margin of {margin}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::hypotheses::data::{Arm, RunData};
    use crate::analysis::hypotheses::judge::answer_to;
    use crate::analysis::hypotheses::made_up::{arm, run, wobble};
    use crate::config::experiment::{DecisionRule, Question};

    fn ask(rule: &str, data: &[RunData]) -> Answer {
        let text = format!(
            "{{\"kind\": \"equivalent\", \"candidates\": {{\"entries\": [\"ebsd\"]}}, \
             \"baselines\": {{\"entries\": [\"fixed\"]}}, {rule}}}"
        );
        let rule: DecisionRule = serde_json::from_str(&text).unwrap();
        let question = Question {
            name: "quality".into(),
            asks: "?".into(),
            rule,
        };
        answer_to(&question, data)
    }

    /// Of 8 tokens drafted per prompt these are accepted, give or take a third of one.
    fn accepting(label: &str, accepted: f64, salt: usize) -> Arm {
        let mut one = arm(label, vec![50.0; 30]);
        for (prompt, figures) in one.live.iter_mut().flatten().enumerate() {
            figures.accepted = accepted + wobble(prompt, salt) / 3.0;
        }
        one
    }

    fn right(label: &str, n_wrong: usize) -> Arm {
        let mut one = arm(label, vec![50.0; 100]);
        for figures in one.live.iter_mut().flatten().take(n_wrong) {
            figures.is_correct = Some(false);
        }
        one
    }

    const ACCEPTANCE: &str = "\"metric\": \"acceptance\", \"margin\": {\"relative\": 0.1}";

    #[test]
    fn an_acceptance_three_percent_lower_is_within_ten_percent_and_one_a_quarter_lower_is_not() {
        let near = [run(
            &["a"],
            30,
            vec![accepting("ebsd", 5.82, 1), accepting("fixed", 6.0, 2)],
        )];
        let answer = ask(ACCEPTANCE, &near);
        assert_eq!(answer.decision, Decision::Pass, "{answer:?}");
        assert!((answer.findings[0].effect.unwrap().estimate - 0.97).abs() < 0.02);
        let far = [run(
            &["a"],
            30,
            vec![accepting("ebsd", 4.5, 1), accepting("fixed", 6.0, 2)],
        )];
        assert_eq!(ask(ACCEPTANCE, &far).decision, Decision::Fail);
        let edge = [run(
            &["a"],
            30,
            vec![accepting("ebsd", 5.4, 1), accepting("fixed", 6.0, 2)],
        )];
        assert_eq!(ask(ACCEPTANCE, &edge).decision, Decision::Inconclusive);
    }

    #[test]
    fn a_higher_acceptance_is_not_within_but_it_is_not_worse() {
        let higher = [run(
            &["a"],
            30,
            vec![accepting("ebsd", 7.5, 1), accepting("fixed", 6.0, 2)],
        )];
        assert_eq!(ask(ACCEPTANCE, &higher).decision, Decision::Fail);
        let not_worse = format!("{ACCEPTANCE}, \"side\": \"not_worse\"");
        assert_eq!(ask(&not_worse, &higher).decision, Decision::Pass);
    }

    #[test]
    fn a_hundred_equal_answers_are_within_five_points_and_ten_are_too_few_to_say() {
        let rule = "\"metric\": \"exact_match\", \"margin\": {\"absolute\": 0.05}";
        let same = |n| [run(&["a"], n, vec![right("ebsd", 3), right("fixed", 3)])];
        let answer = ask(rule, &same(100));
        assert_eq!(answer.decision, Decision::Pass, "{answer:?}");
        assert_eq!(
            answer.findings[0].note.as_deref(),
            Some("equal on 100 of 100 prompts")
        );
        assert_eq!(ask(rule, &same(10)).decision, Decision::Inconclusive);
        let worse = [run(&["a"], 100, vec![right("ebsd", 40), right("fixed", 3)])];
        assert_eq!(ask(rule, &worse).decision, Decision::Fail);
    }
}
