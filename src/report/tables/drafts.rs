//! Tables of what drafts look like and where they fail, of one trial of each decoder entry.

use super::columns::{figure, text};
use super::words::{LOSSY, intervals};
use super::{Cell, Column, Row, TableView, Value};
use crate::analysis::metrics::{DraftMetrics, RejectionKind, Shape};
use crate::analysis::view::SweepView;
use crate::report::number::number;

const TRIAL: Column = text("trial", "metrics.json: drafts[].label");
/// What the rows of all tables here are of.
const LONGEST: &str = "Of each decoder entry the trial with the most tested tokens.";
/// Longest text of an example, in characters from its end.
const EXAMPLE_LEN: usize = 40;

/// A row for each of the `parts` of each trial, behind its label.
fn rows<'v, P: 'v>(
    view: &'v SweepView,
    parts: impl Fn(&'v DraftMetrics) -> &'v [P],
    cells: impl Fn(&'v P) -> Vec<Value>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for draft in &view.metrics.drafts {
        let is_lossy = view
            .trials
            .iter()
            .any(|trial| trial.label == draft.label && !trial.lossless);
        for part in parts(draft) {
            let label = std::iter::once(Value::Text(draft.label.clone()));
            rows.push(Row {
                is_lossy,
                cells: label.chain(cells(part)).map(Cell::from).collect(),
            });
        }
    }
    rows
}

pub fn hazard(view: &SweepView) -> TableView {
    TableView {
        id: "hazard",
        title: "Hazard by slot",
        caption: format!(
            "Rounds that rejected their draft at the slot, of those in which the verifier reached it. \
             {LONGEST} {} {LOSSY}",
            intervals(view)
        ),
        columns: vec![
            TRIAL,
            figure("slot", "metrics.json: drafts[].hazard[].slot"),
            figure("reached", "metrics.json: drafts[].hazard[].reached"),
            figure("rejected", "metrics.json: drafts[].hazard[].rejected"),
            figure(
                "rejected / reached",
                "metrics.json: drafts[].hazard[].share",
            ),
        ],
        rows: rows(
            view,
            |draft| &draft.hazard,
            |slot| {
                vec![
                    Value::Count(slot.slot as u64),
                    Value::Count(slot.reached),
                    Value::Count(slot.rejected),
                    Value::interval(Some(slot.share), 3),
                ]
            },
        ),
    }
}

pub fn by_entropy(view: &SweepView) -> TableView {
    TableView {
        id: "entropy",
        title: "Acceptance by entropy",
        caption: format!(
            "Tested tokens by the drafter's entropy at their slot. {LONGEST} {} {LOSSY}",
            intervals(view)
        ),
        columns: vec![
            TRIAL,
            text("entropy (nats)", "metrics.json: drafts[].by_entropy[].name"),
            figure("tested", "metrics.json: drafts[].by_entropy[].tested"),
            figure("accepted", "metrics.json: drafts[].by_entropy[].accepted"),
        ],
        rows: rows(
            view,
            |draft| &draft.by_entropy,
            |bin| {
                vec![
                    Value::Text(bin.name.clone()),
                    Value::Count(bin.tested),
                    Value::interval(bin.accepted, 3),
                ]
            },
        ),
    }
}

pub fn signals(view: &SweepView) -> TableView {
    TableView {
        id: "signals",
        title: "What tells a rejection",
        caption: format!(
            "Numbers that are known while drafting against the verifier's answer: the chance that a rejected \
             token has the greater one, and correlations with acceptance. {LONGEST} {} {LOSSY}",
            intervals(view)
        ),
        columns: vec![
            TRIAL,
            text("signal", "metrics.json: drafts[].signals[].name"),
            figure("tested", "metrics.json: drafts[].signals[].tested"),
            figure("rejected", "metrics.json: drafts[].signals[].rejected"),
            figure(
                "AUROC of rejection",
                "metrics.json: drafts[].signals[].auroc",
            ),
            figure(
                "point-biserial with acceptance",
                "metrics.json: drafts[].signals[].point_biserial",
            ),
            figure(
                "Spearman with acceptance",
                "metrics.json: drafts[].signals[].spearman",
            ),
        ],
        rows: rows(
            view,
            |draft| &draft.signals,
            |signal| {
                vec![
                    Value::Text(signal.name.clone()),
                    Value::Count(signal.tested),
                    Value::Count(signal.rejected),
                    Value::interval(signal.auroc, 3),
                    Value::interval(signal.point_biserial, 3),
                    Value::interval(signal.spearman, 3),
                ]
            },
        ),
    }
}

pub fn shapes(view: &SweepView) -> TableView {
    TableView {
        id: "shapes",
        title: "Shapes of drafts",
        caption: format!(
            "Entropy over the slots of a draft (three tokens and more). {LONGEST} {} {LOSSY}",
            intervals(view)
        ),
        columns: vec![
            TRIAL,
            text("shape", "metrics.json: drafts[].shapes[].shape"),
            figure("drafts", "metrics.json: drafts[].shapes[].drafts"),
            figure("share", "metrics.json: drafts[].shapes[].share"),
            figure(
                "acceptance",
                "metrics.json: drafts[].shapes[].acceptance_rate",
            ),
            text(
                "nats from first to last slot",
                "metrics.json: drafts[].shapes[].profile_nats",
            ),
            text("example", "metrics.json: drafts[].shapes[].example"),
            figure(
                "of it accepted",
                "metrics.json: drafts[].shapes[].example_accepted",
            ),
        ],
        rows: rows(
            view,
            |draft| &draft.shapes,
            |class| {
                let profile = class.profile_nats.iter().map(|nats| number(*nats, 2));
                vec![
                    Value::Text(shape(class.shape).to_owned()),
                    Value::Count(class.drafts),
                    Value::interval(class.share, 3),
                    Value::interval(class.acceptance_rate, 3),
                    Value::Text(profile.collect::<Vec<_>>().join(", ")),
                    example(&class.example),
                    Value::Count(class.example_accepted as u64),
                ]
            },
        ),
    }
}

pub fn rejections(view: &SweepView) -> TableView {
    TableView {
        id: "rejections",
        title: "Where drafts fail",
        caption: format!(
            "Rejected tokens by the first class that fits, with the first of each as an example. {LONGEST} n = \
             {}. {LOSSY}",
            view.size()
        ),
        columns: vec![
            TRIAL,
            text("rejected", "metrics.json: drafts[].rejections[].kind"),
            figure("count", "metrics.json: drafts[].rejections[].rejections"),
            figure("share", "metrics.json: drafts[].rejections[].share"),
            figure(
                "wasted tokens",
                "metrics.json: drafts[].rejections[].wasted_tokens",
            ),
            figure(
                "share of waste",
                "metrics.json: drafts[].rejections[].wasted_share",
            ),
            text(
                "example: behind",
                "metrics.json: drafts[].rejections[].example.before",
            ),
            text(
                "drafted",
                "metrics.json: drafts[].rejections[].example.drafted",
            ),
            text(
                "verifier",
                "metrics.json: drafts[].rejections[].example.instead",
            ),
        ],
        rows: rows(
            view,
            |draft| &draft.rejections,
            |class| {
                let one = &class.example;
                vec![
                    Value::Text(kind(class.kind).to_owned()),
                    Value::Count(class.rejections),
                    Value::number(Some(class.share), 3),
                    Value::Count(class.wasted_tokens),
                    Value::number(Some(class.wasted_share), 3),
                    example(&one.before),
                    example(&one.drafted),
                    example(&one.instead),
                ]
            },
        ),
    }
}

fn shape(shape: Shape) -> &'static str {
    match shape {
        Shape::Flat => "flat",
        Shape::Peak => "peak",
        Shape::Dip => "dip",
        Shape::Rising => "rising",
        Shape::Falling => "falling",
    }
}

fn kind(kind: RejectionKind) -> &'static str {
    match kind {
        RejectionKind::Confident => "although confident",
        RejectionKind::AfterRejection => "directly after a rejection",
        RejectionKind::Digit => "at a digit",
        RejectionKind::SentenceStart => "at a sentence start",
        RejectionKind::EndOfText => "at the end of the text",
        RejectionKind::Other => "elsewhere",
    }
}

/// The end of a text, line ends shown.
fn example(text: &str) -> Value {
    let n = text.chars().count();
    let end = text.chars().skip(n.saturating_sub(EXAMPLE_LEN));
    let end: String = end.map(|one| if one == '\n' { '↵' } else { one }).collect();
    if end.is_empty() {
        Value::Nothing
    } else {
        Value::Code(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::hazard::HazardSlot;
    use crate::analysis::metrics::{Rejection, RejectionClass};
    use crate::report::small_view;
    use crate::stats::interval::Interval;

    #[test]
    fn the_trials_of_all_decoder_entries_share_a_table() {
        let mut view = small_view::view(Vec::new());
        let draft = |label: &str| DraftMetrics {
            label: label.into(),
            hazard: vec![HazardSlot {
                slot: 0,
                reached: 40,
                rejected: 10,
                share: Interval::exact(0.25),
            }],
            ..DraftMetrics::default()
        };
        view.metrics.drafts = vec![draft("fixed"), draft("ebsd")];
        let table = hazard(&view);
        let texts: Vec<Vec<String>> = table
            .rows
            .iter()
            .map(|row| row.cells.iter().map(|cell| cell.value.text()).collect())
            .collect();
        let numbers = ["0", "40", "10", "0.250"];
        assert_eq!(texts[0][0], "fixed");
        assert_eq!(texts[1][0], "ebsd");
        assert_eq!(
            (&texts[0][1..], &texts[1][1..]),
            (
                &numbers.map(String::from)[..],
                &numbers.map(String::from)[..]
            )
        );
    }

    #[test]
    fn an_example_is_the_end_of_its_text_with_line_ends_shown() {
        let mut view = small_view::view(Vec::new());
        view.metrics.drafts = vec![DraftMetrics {
            rejections: vec![RejectionClass {
                kind: RejectionKind::Digit,
                rejections: 10,
                share: 1.0,
                wasted_tokens: 30,
                wasted_share: 1.0,
                example: Rejection {
                    before: format!("{}\n3*4=", "x".repeat(99)),
                    drafted: "13".into(),
                    instead: String::new(),
                    entropy_nats: 0.5,
                },
            }],
            ..DraftMetrics::default()
        }];
        let table = rejections(&view);
        let cells = &table.rows[0].cells;
        assert_eq!(cells[1].value.text(), "at a digit");
        let before = format!("{}↵3*4=", "x".repeat(35));
        assert_eq!(cells[6].value, Value::Code(before));
        assert_eq!(cells[8].value, Value::Nothing);
    }
}
