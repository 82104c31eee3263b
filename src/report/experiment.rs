//! Verdicts as READMEs and a terminal show them.

use crate::analysis::hypotheses::verdict::{Answer, Finding, Registration, Scale, Verdict};
use crate::report::markdown::{code, escaped};
use crate::report::number::{NOTHING, interval, number, optional_number};

/// Name of the block in the README of an experiment.
pub const BLOCK: &str = "verdict";
/// Name of the block with the table of all experiments.
pub const OVERVIEW: &str = "verdicts";

/// One experiment in the table of all.
#[derive(Debug, Clone)]
pub struct Row {
    pub name: String,
    pub claim: String,
    pub verdict: Option<Verdict>,
}

/// The table of all experiments; `prefix` leads from the file to their folders.
pub fn overview(rows: &[Row], prefix: &str) -> String {
    let mut lines = vec![
        "| experiment | claim | verdict | what decides | n | p | run |".to_owned(),
        "|---|---|---|---|--:|--:|---|".to_owned(),
    ];
    for row in rows {
        let link = format!("[{}]({prefix}{}/README.md)", row.name, row.name);
        let claim = escaped(&row.claim);
        let rest = match &row.verdict {
            None => format!("not judged yet | {NOTHING} | {NOTHING} | {NOTHING} | {NOTHING}"),
            Some(verdict) => {
                let first = verdict
                    .answers
                    .first()
                    .and_then(|answer| answer.findings.first());
                format!(
                    "{} | {} | {} | {} | {}",
                    decision(verdict),
                    first.map_or(NOTHING.to_owned(), |one| format!(
                        "{}: {}",
                        escaped(&one.name),
                        effect(one)
                    )),
                    first.map_or(NOTHING.to_owned(), |one| one.n.to_string()),
                    first.map_or(NOTHING.to_owned(), p_values),
                    runs(verdict)
                )
            }
        };
        lines.push(format!("| {link} | {claim} | {rest} |"));
    }
    lines.join("\n")
}

/// The block of an experiment's README.
pub fn block(verdict: &Verdict) -> String {
    let mut parts = vec![format!(
        "**{}**: {}",
        decision(verdict),
        escaped(&verdict.claim)
    )];
    parts.push(summary(verdict));
    parts.extend(verdict.answers.iter().map(|answer| section(answer, "###")));
    parts.push(made_by(verdict));
    parts.join("\n\n")
}

/// A row for each question: what was asked, found, decided.
pub fn summary(verdict: &Verdict) -> String {
    let mut lines = vec![
        "| question | rule | effect | n | p (adjusted) | answer | why |".to_owned(),
        "|---|---|---|--:|--:|---|---|".to_owned(),
    ];
    for answer in &verdict.answers {
        let first = answer.findings.first();
        lines.push(format!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            escaped(&answer.asks),
            code(&answer.rule),
            first.map_or(NOTHING.to_owned(), effect),
            first.map_or(NOTHING.to_owned(), |one| one.n.to_string()),
            first.map_or(NOTHING.to_owned(), p_values),
            answer.decision.word(),
            escaped(&answer.reason)
        ));
    }
    lines.join("\n")
}

/// All comparisons of a question under a heading of this level.
fn section(answer: &Answer, level: &str) -> String {
    let times = answer
        .times
        .as_ref()
        .map_or(String::new(), |times| format!("; times {times}"));
    let mut lines = vec![
        format!(
            "{level} {}: {}",
            escaped(&answer.name),
            answer.decision.word()
        ),
        String::new(),
        format!(
            "{} Compared: {}; α = {}{times}. {}.",
            escaped(&answer.asks),
            escaped(&answer.measure),
            answer.alpha,
            capitalised(&escaped(&answer.reason))
        ),
        String::new(),
        "| | effect | n | p (adjusted) | effect size | detectable | candidate | baseline | note |"
            .to_owned(),
        "|---|---|--:|--:|--:|--:|---|---|---|".to_owned(),
    ];
    let labels = |labels: &[String]| match labels {
        [] => NOTHING.to_owned(),
        // One of each task would fill the page.
        [_, _, _, ..] => format!("{} settings", labels.len()),
        [_] | [_, _] => labels
            .iter()
            .map(|label| code(label))
            .collect::<Vec<_>>()
            .join(", "),
    };
    for one in &answer.findings {
        lines.push(format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            escaped(&one.name),
            effect(one),
            one.n,
            p_values(one),
            optional_number(one.effect_size, 2),
            optional_number(one.detectable, 3),
            labels(&one.candidates),
            labels(&one.baselines),
            one.note.as_deref().map_or(NOTHING.to_owned(), escaped)
        ));
    }
    if answer.findings.is_empty() {
        lines.truncate(3);
    }
    lines.join("\n")
}

fn made_by(verdict: &Verdict) -> String {
    let mut lines = vec![
        format!(
            "- {} (SHA-256 of the rule: {})",
            verdict.registration.words(),
            digits(&verdict.rule_hash)
        ),
        format!("- rule and sweeps: SHA-256 {}", digits(&verdict.hash)),
    ];
    for run in &verdict.runs {
        let error = run.prediction_error.map_or(String::new(), |error| {
            let percent = number(error * 100.0, 1);
            format!(
                "; predicted speedups off by {percent} % in the median of {} trials that also ran live",
                run.n_checked
            )
        });
        lines.push(format!(
            "- run: {}, {} prompts, started {}, on {}, version {} (git {}), sweep SHA-256 {}{error}",
            code(&run.run),
            run.n_prompts,
            escaped(&run.started),
            escaped(&run.device),
            escaped(&run.version),
            escaped(&run.git_revision),
            digits(&run.config_hash)
        ));
    }
    lines.join("\n")
}

/// `PASS  h1: …` for a terminal.
pub fn line(verdict: &Verdict) -> String {
    let reason = verdict
        .answers
        .iter()
        .find(|answer| answer.decision == verdict.decision);
    format!(
        "{:<12} {}: {}{}",
        verdict.decision.word(),
        verdict.experiment,
        reason.map_or("", |answer| answer.reason.as_str()),
        match verdict.registration {
            Registration::BeforeTheRun => String::new(),
            Registration::ChangedAfterTheRun
            | Registration::OtherSweeps
            | Registration::NotRegistered => format!(" ({})", verdict.registration.words()),
        }
    )
}

/// The decision; with what speaks against it, where the rule came after the run.
pub fn decision(verdict: &Verdict) -> String {
    let word = verdict.decision.word();
    match verdict.registration {
        Registration::BeforeTheRun => word.to_owned(),
        Registration::ChangedAfterTheRun
        | Registration::OtherSweeps
        | Registration::NotRegistered => format!("{word} ({})", verdict.registration.words()),
    }
}

fn runs(verdict: &Verdict) -> String {
    let names: Vec<String> = verdict.runs.iter().map(|run| code(&run.run)).collect();
    names.join(", ")
}

/// Effect with its interval, in words of its scale.
pub fn effect(finding: &Finding) -> String {
    finding
        .effect
        .map_or(NOTHING.to_owned(), |effect| match finding.scale {
            Scale::Ratio => format!("× {}", interval(&effect, 3)),
            Scale::Difference => interval(&effect, 3),
            Scale::Correlation => format!("ρ = {}", interval(&effect, 2)),
        })
}

/// `0.012 (0.084)`.
pub fn p_values(finding: &Finding) -> String {
    let text = |p: f64| match p < 0.0005 {
        true => "< 0.0005".to_owned(),
        false => number(p, 3),
    };
    match (finding.p, finding.p_adjusted) {
        (Some(p), Some(adjusted)) => format!("{} ({})", text(p), text(adjusted)),
        (Some(p), None) => text(p),
        (None, Some(_) | None) => NOTHING.to_owned(),
    }
}

fn digits(hash: &str) -> &str {
    hash.get(..16).unwrap_or(hash)
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::analysis::hypotheses::verdict::Decision;
    use crate::stats::interval::Interval;

    pub(crate) fn verdict() -> Verdict {
        Verdict {
            experiment: "h1".into(),
            claim: "It is faster.".into(),
            decision: Decision::Inconclusive,
            registration: Registration::BeforeTheRun,
            rule_hash: "0123456789abcdef0123".into(),
            hash: "fedcba98765432100123".into(),
            runs: vec![],
            answers: vec![Answer {
                name: "speed".into(),
                asks: "Is it faster?".into(),
                rule: "beats".into(),
                measure: "speedup: ebsd over fixed".into(),
                times: Some("measured".into()),
                alpha: 0.05,
                decision: Decision::Inconclusive,
                reason: "the interval holds no gain".into(),
                findings: vec![Finding {
                    name: "all prompts".into(),
                    candidates: vec!["ebsd θ=1.0".into()],
                    baselines: vec!["fixed-k max=8".into()],
                    scale: Scale::Ratio,
                    effect: Some(Interval {
                        estimate: 1.02,
                        low: 0.97,
                        high: 1.07,
                        confidence: 0.95,
                    }),
                    n: 70,
                    p: Some(0.4),
                    p_adjusted: None,
                    effect_size: Some(0.1),
                    detectable: Some(1.08),
                    decision: Decision::Inconclusive,
                    note: None,
                }],
            }],
        }
    }

    #[test]
    fn a_block_holds_the_effect_with_interval_n_p_and_what_could_be_found() {
        let block = block(&verdict());
        for part in [
            "**INCONCLUSIVE**: It is faster.",
            "× 1.020 [0.970, 1.070] | 70 | 0.400 |",
            "| 1.080 |",
            "The interval holds no gain.",
        ] {
            assert!(block.contains(part), "{part}\n{block}");
        }
    }

    #[test]
    fn a_rule_that_was_changed_shows_wherever_the_decision_does() {
        let mut changed = verdict();
        changed.registration = Registration::ChangedAfterTheRun;
        let row = Row {
            name: "h1".into(),
            claim: "c".into(),
            verdict: Some(changed.clone()),
        };
        for text in [
            block(&changed),
            line(&changed),
            overview(&[row], "experiments/"),
        ] {
            assert!(
                text.contains("INCONCLUSIVE") && text.contains("rule changed after the run"),
                "{text}"
            );
        }
    }

    #[test]
    fn an_experiment_without_a_verdict_is_in_the_table() {
        let row = Row {
            name: "h9".into(),
            claim: "a | b".into(),
            verdict: None,
        };
        let table = overview(&[row], "experiments/");
        assert!(
            table.contains("| [h9](experiments/h9/README.md) | a \\| b | not judged yet |"),
            "{table}"
        );
    }
}
