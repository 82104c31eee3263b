//! What experiments make of a run.

use super::columns::{figure, on_screen, text};
use super::{Row, TableView, Value};
use crate::analysis::view::SweepView;
use crate::report::experiment::{decision, effect, p_values};

/// A row for each question of each experiment.
pub fn verdicts(view: &SweepView) -> TableView {
    let mut rows = Vec::new();
    for verdict in &view.verdicts {
        for answer in &verdict.answers {
            let first = answer.findings.first();
            let told = |of: fn(&crate::analysis::hypotheses::verdict::Finding) -> String| {
                first.map_or(Value::Nothing, |finding| Value::Text(of(finding)))
            };
            rows.push(Row {
                is_lossy: false,
                cells: vec![
                    Value::Text(verdict.experiment.clone()).into(),
                    Value::Text(answer.asks.clone()).into(),
                    told(effect).into(),
                    first
                        .map_or(Value::Nothing, |finding| Value::Count(finding.n as u64))
                        .into(),
                    told(p_values).into(),
                    Value::Text(answer.decision.word().to_owned()).into(),
                    Value::Text(decision(verdict)).into(),
                    Value::Text(answer.reason.clone()).into(),
                ],
            });
        }
    }
    TableView {
        id: "verdicts",
        title: "Verdicts of experiments",
        caption: "What the decision rules of experiments make of this run. Effects are ratios (×), \
                  differences or correlations with their intervals; p in brackets is adjusted for all \
                  tests of the question."
            .to_owned(),
        columns: vec![
            text("experiment", "verdicts.json: experiment"),
            on_screen(text("question", "verdicts.json: answers, asks")),
            text("effect", "verdicts.json: answers, findings, effect"),
            figure("n", "verdicts.json: answers, findings, n"),
            text("p", "verdicts.json: answers, findings, p, p_adjusted"),
            text("answer", "verdicts.json: answers, decision"),
            text("verdict", "verdicts.json: decision, registration"),
            on_screen(text("why", "verdicts.json: answers, reason")),
        ],
        rows,
    }
}
