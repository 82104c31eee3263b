//! From rules and data to answers.

use crate::analysis::hypotheses::data::RunData;
use crate::analysis::hypotheses::field::{Field, in_words};
use crate::analysis::hypotheses::verdict::{Answer, Decision};
use crate::analysis::hypotheses::{beats, correlates, differs, equivalent, more_robust};
use crate::config::experiment::{
    DecisionRule, ExperimentSpec, Group, Margin, Metric, PassesWhen, Question, Tasks,
};

/// The answers of an experiment and what they make together.
pub fn judged(spec: &ExperimentSpec, data: &[RunData]) -> (Decision, Vec<Answer>) {
    let answers: Vec<Answer> = spec
        .questions
        .iter()
        .map(|one| answer_to(one, data))
        .collect();
    let decisions = answers.iter().map(|answer| answer.decision);
    let decision = match spec.passes_when {
        PassesWhen::All => Decision::all(decisions),
        PassesWhen::Any => Decision::any(decisions),
    };
    (decision, answers)
}

/// The answer to one question. Data that do not allow one give a reason.
pub fn answer_to(question: &Question, data: &[RunData]) -> Answer {
    let rule = &question.rule;
    let (tasks, metrics, alpha) = terms(rule);
    let groups = rule.groups();
    let groups: Vec<&Group> = groups.iter().map(|(_, group)| *group).collect();
    let mut answer = Answer {
        name: question.name.clone(),
        asks: question.asks.clone(),
        rule: rule.name().to_owned(),
        measure: measure(rule),
        times: None,
        alpha,
        decision: Decision::Inconclusive,
        reason: String::new(),
        findings: Vec::new(),
    };
    let field = match Field::new(data, &groups, tasks) {
        Ok(field) => field,
        Err(reason) => return answer.inconclusive(reason),
    };
    if metrics.contains(&Metric::Speedup) {
        answer.times = Some(field.times().to_owned());
    }
    match rule {
        DecisionRule::Beats(rule) => beats::judge(rule, &field, answer),
        DecisionRule::Equivalent(rule) => equivalent::judge(rule, &field, answer),
        DecisionRule::Correlates(rule) => correlates::judge(rule, &field, answer),
        DecisionRule::MoreRobust(rule) => more_robust::judge(rule, &field, answer),
        DecisionRule::Differs(rule) => differs::judge(rule, &field, answer),
        DecisionRule::DiffersByTask(rule) => differs::judge_by_task(rule, &field, answer),
    }
}

fn terms(rule: &DecisionRule) -> (Tasks, Vec<Metric>, f64) {
    let (tasks, metrics, alpha) = match rule {
        DecisionRule::Beats(rule) => (rule.tasks, vec![rule.metric], rule.alpha),
        DecisionRule::Equivalent(rule) => {
            (rule.tasks, vec![rule.metric, rule.tuned_by], rule.alpha)
        }
        DecisionRule::Correlates(rule) => (rule.tasks, vec![rule.tuned_by], rule.alpha),
        DecisionRule::MoreRobust(rule) => (rule.tasks, vec![rule.metric], rule.alpha),
        DecisionRule::Differs(rule) => (rule.tasks, vec![rule.metric, rule.tuned_by], rule.alpha),
        DecisionRule::DiffersByTask(rule) => (rule.tasks, vec![rule.metric], rule.alpha),
    };
    (tasks, metrics, alpha.level())
}

/// What is compared, in words.
fn measure(rule: &DecisionRule) -> String {
    let two = |metric: Metric, one: &Group, other: &Group| {
        format!(
            "{}: {} over {}",
            metric.name(),
            in_words(one),
            in_words(other)
        )
    };
    match rule {
        DecisionRule::Beats(rule) => two(rule.metric, &rule.candidates, &rule.baselines),
        DecisionRule::MoreRobust(rule) => two(rule.metric, &rule.candidates, &rule.baselines),
        DecisionRule::DiffersByTask(rule) => two(rule.metric, &rule.candidates, &rule.baselines),
        DecisionRule::Equivalent(rule) => {
            let sign = match rule.margin {
                Margin::Relative(_) => "over",
                Margin::Absolute(_) => "minus",
            };
            let (one, other) = (in_words(&rule.candidates), in_words(&rule.baselines));
            format!("{}: {one} {sign} {other}", rule.metric.name())
        }
        DecisionRule::Correlates(rule) => {
            format!(
                "best {} of {}, and {}",
                rule.axis,
                in_words(&rule.candidates),
                rule.complexity.words()
            )
        }
        DecisionRule::Differs(rule) => {
            let names: Vec<&str> = rule
                .levels
                .iter()
                .map(|level| level.name.as_str())
                .collect();
            format!("{}: {}", rule.metric.name(), names.join(", "))
        }
    }
}
