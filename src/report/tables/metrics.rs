//! Tables of what lies behind the speedups: acceptance, operations, quality, waiting times, what forwards
//! allow, and a threshold chosen fairly.

use super::columns::{figure, on_screen, text};
use super::words::{LOSSY, intervals, label, row};
use super::{Column, Row, TableView, Value};
use crate::analysis::metrics::TrialMetrics;
use crate::analysis::view::{SweepView, TrialView};
use crate::stats::interval::Interval;

/// Replayed trials have the same numbers in columns of trials.parquet.
const TRIAL: Column = text(
    "trial",
    "metrics.json: trials[].label (replayed: trials.parquet, columns of the same names)",
);

/// The trials that a report compares, with their metrics.
fn shown(view: &SweepView) -> Vec<(&TrialView, &TrialMetrics)> {
    let compared = view.baseline.iter().chain(view.chosen());
    compared
        .filter_map(|trial| {
            let is_its_own =
                |one: &&TrialMetrics| one.label == trial.label && one.mode == trial.mode;
            Some((trial, view.metrics.trials.iter().find(is_its_own)?))
        })
        .collect()
}

/// A row for each trial that `cells` says something of, behind its label.
fn rows(view: &SweepView, cells: impl Fn(&TrialMetrics) -> Option<Vec<Value>>) -> Vec<Row> {
    shown(view)
        .into_iter()
        .filter_map(|(trial, metrics)| {
            let values = std::iter::once(label(trial)).chain(cells(metrics)?);
            Some(row(trial, values.map(Into::into).collect()))
        })
        .collect()
}

/// Three answers to "how much is accepted".
pub fn acceptance(view: &SweepView) -> TableView {
    TableView {
        id: "acceptance",
        title: "Three acceptance rates",
        caption: format!(
            "Of drafted tokens, of those that the verifier reached, and expected: Σ min(p, q) of the two \
             distributions at the slots that it reached. {} {LOSSY}",
            intervals(view)
        ),
        columns: vec![
            TRIAL,
            figure("of drafted", "metrics.json: trials[].acceptance.of_drafted"),
            figure("of tested", "metrics.json: trials[].acceptance.of_tested"),
            figure("overlap", "metrics.json: trials[].acceptance.overlap"),
        ],
        rows: rows(view, |trial| {
            let rates = &trial.acceptance;
            rates.of_drafted?;
            Some(vec![
                Value::interval(rates.of_drafted, 3),
                Value::interval(rates.of_tested, 3),
                Value::interval(rates.overlap, 3),
            ])
        }),
    }
}

/// Operations for what they give, beside the quality of the text.
pub fn cost(view: &SweepView) -> TableView {
    let mega = |flops: Option<Interval>| Value::interval(flops.map(in_millions), 2);
    TableView {
        id: "cost",
        title: "Cost and quality",
        caption: format!(
            "Operations of both models in all decode forwards, counted, not timed; wasted are those on draft \
             tokens that were not accepted. The perplexity is that of the text under the verifier. {} {LOSSY}",
            intervals(view)
        ),
        columns: vec![
            TRIAL,
            figure(
                "MFLOP per committed token",
                "metrics.json: trials[].cost.flops_per_committed",
            ),
            on_screen(figure(
                "MFLOP per accepted token",
                "metrics.json: trials[].cost.flops_per_accepted",
            )),
            figure("wasted share", "metrics.json: trials[].cost.wasted_share"),
            figure("score", "metrics.json: trials[].quality.score"),
            figure("perplexity", "metrics.json: trials[].quality.perplexity"),
        ],
        rows: rows(view, |trial| {
            let (cost, quality) = (&trial.cost, &trial.quality);
            cost.flops_per_committed
                .or(quality.score)
                .or(quality.perplexity)?;
            Some(vec![
                mega(cost.flops_per_committed),
                mega(cost.flops_per_accepted),
                Value::interval(cost.wasted_share, 3),
                Value::interval(quality.score, 3),
                Value::interval(quality.perplexity, 3),
            ])
        }),
    }
}

/// Operations as MFLOP, or nanoseconds as milliseconds.
fn in_millions(interval: Interval) -> Interval {
    interval.map(|value| value * 1e-6)
}

/// How long a round takes, and how long one waits for a token.
pub fn latency(view: &SweepView) -> TableView {
    let ms = |ns: Interval| Value::interval(Some(in_millions(ns)), 2);
    TableView {
        id: "latency",
        title: "Latency (ms)",
        caption: format!(
            "Of a round, and of a token: its share of the round that committed it. First repeat, prefill not \
             included. An interval of P99 is too short where few rounds lie beyond it. {} {LOSSY}",
            intervals(view)
        ),
        columns: vec![
            TRIAL,
            figure("round P50", "metrics.json: trials[].latency.round_ns.p50"),
            on_screen(figure(
                "round P90",
                "metrics.json: trials[].latency.round_ns.p90",
            )),
            figure("round P99", "metrics.json: trials[].latency.round_ns.p99"),
            figure("token P50", "metrics.json: trials[].latency.token_ns.p50"),
            on_screen(figure(
                "token P90",
                "metrics.json: trials[].latency.token_ns.p90",
            )),
            figure("token P99", "metrics.json: trials[].latency.token_ns.p99"),
        ],
        rows: rows(view, |trial| {
            let latency = trial.latency.as_ref()?;
            let both = [&latency.round_ns, &latency.token_ns];
            let each = both.map(|times| [times.p50, times.p90, times.p99]);
            Some(each.into_iter().flatten().map(ms).collect())
        }),
    }
}

/// How much of the speedup that the forwards allow is there.
pub fn forwards(view: &SweepView) -> TableView {
    TableView {
        id: "forwards",
        title: "Speedup that the forwards allow",
        caption: format!(
            "Expected: what the forwards of a trial would give if nothing else took time, as in Leviathan et al. \
             2023, but of the rounds that it ran and with the measured time of a forward of as many rows. \
             Realised: the measured speedup. Both are without prefill. Forwards were timed at one context, \
             before the trials and between prompts, so a little more than 1 is possible. {} {LOSSY}",
            intervals(view)
        ),
        columns: vec![
            TRIAL,
            figure(
                "expected",
                "metrics.json: trials[].forward_speedup.expected",
            ),
            figure(
                "realised",
                "metrics.json: trials[].forward_speedup.realised",
            ),
            figure(
                "realised / expected",
                "metrics.json: trials[].forward_speedup.share",
            ),
        ],
        rows: rows(view, |trial| {
            let speedup = trial.forward_speedup?;
            Some(vec![
                Value::interval(Some(speedup.expected), 2),
                Value::interval(Some(speedup.realised), 2),
                Value::interval(Some(speedup.share), 3),
            ])
        }),
    }
}

/// A threshold chosen on one half of the prompts, judged on the other.
pub fn tuned(view: &SweepView) -> TableView {
    let rows = view.metrics.tuned.iter().map(|one| {
        let values = vec![
            Value::Text(one.category.clone()),
            Value::Text(one.family.clone()),
            Value::Count(one.candidates as u64),
            Value::Count(one.n_tuned as u64),
            Value::number(Some(one.tuning_seconds), 1),
            Value::Text(one.chosen.clone()),
            Value::Count(one.n_judged as u64),
            Value::interval(one.speedup, 2),
            Value::number(Some(100.0 * one.regret), 1),
            Value::interval(one.against_fixed, 3),
        ];
        Row {
            is_lossy: false,
            cells: values.into_iter().map(Into::into).collect(),
        }
    });
    TableView {
        id: "tuned",
        title: "A threshold chosen on one half of the prompts, judged on the other",
        caption: format!(
            "Regret: time lost against the candidate that turns out to be the fastest on the judged half. \
             Seconds: what the candidates took on the other half, once each. The best fixed k is chosen in the \
             same way. {}",
            intervals(view)
        ),
        columns: vec![
            text("category", "metrics.json: tuned[].category"),
            text("candidates of", "metrics.json: tuned[].family"),
            on_screen(figure("candidates", "metrics.json: tuned[].candidates")),
            on_screen(figure("tuned on", "metrics.json: tuned[].n_tuned")),
            on_screen(figure("seconds", "metrics.json: tuned[].tuning_seconds")),
            text("chosen", "metrics.json: tuned[].chosen"),
            on_screen(figure("judged on", "metrics.json: tuned[].n_judged")),
            figure("speedup", "metrics.json: tuned[].speedup"),
            figure("regret %", "metrics.json: tuned[].regret"),
            figure("against fixed k", "metrics.json: tuned[].against_fixed"),
        ],
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::metrics::{ForwardSpeedup, Tuned};
    use crate::analysis::view::DraftRule;
    use crate::record::schema::Mode;
    use crate::report::small_view::{trial, twelve, view};
    use crate::report::{latex, tables};
    use crate::stats::bootstrap::Bootstrap;

    fn small() -> SweepView {
        let mut view = view(vec![trial("ebsd", DraftRule::Entropy, 1.5, twelve(1.0))]);
        let mut metrics = TrialMetrics {
            label: "ebsd".into(),
            ..TrialMetrics::default()
        };
        metrics.cost.flops_per_committed = Some(Interval::exact(2_500_000.0));
        metrics.acceptance.of_drafted = Some(Interval::exact(0.5));
        view.metrics.trials = vec![metrics];
        view
    }

    fn texts(table: &TableView) -> Vec<Vec<String>> {
        let text = |row: &Row| row.cells.iter().map(|cell| cell.value.text()).collect();
        table.rows.iter().map(text).collect()
    }

    #[test]
    fn operations_are_given_in_millions() {
        assert_eq!(
            texts(&cost(&small())),
            [["ebsd", "2.50", "–", "–", "–", "–"]]
        );
        assert_eq!(texts(&acceptance(&small())), [["ebsd", "0.500", "–", "–"]]);
        assert!(
            latency(&small()).rows.is_empty(),
            "its rounds were not timed"
        );
        assert!(forwards(&small()).rows.is_empty(), "nor were its forwards");
    }

    #[test]
    fn realised_and_expected_speedup_stand_side_by_side() {
        let mut view = small();
        view.metrics.trials[0].forward_speedup = Some(ForwardSpeedup {
            expected: Interval::exact(2.0),
            realised: Interval::exact(1.9),
            share: Interval::exact(0.95),
        });
        let table = forwards(&view);
        assert_eq!(texts(&table), [["ebsd", "2.00", "1.90", "0.950"]]);
        assert!(table.caption.contains("without prefill"));
    }

    #[test]
    fn a_trial_that_was_replayed_does_not_show_what_its_check_measured() {
        let mut view = small();
        view.trials[0].mode = Mode::Replay;
        assert!(cost(&view).rows.is_empty());
    }

    #[test]
    fn a_paper_gets_what_was_measured() {
        let mut view = small();
        view.metrics.tuned = vec![Tuned {
            category: "all prompts".into(),
            family: "ebsd".into(),
            mode: Mode::Live,
            candidates: 4,
            n_tuned: 6,
            n_judged: 6,
            chosen: "ebsd theta=1".into(),
            best: "ebsd theta=2".into(),
            speedup: Some(Interval::exact(1.25)),
            regret: 0.015,
            against_fixed: None,
            tuning_seconds: 3.0,
        }];
        let tables = tables::tables(&view, &Bootstrap::default());
        let files = latex::files(&tables, "made up");
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        let expected = [
            "main.tex",
            "acceptance.tex",
            "cost.tex",
            "tuned.tex",
            "preview.tex",
        ];
        assert_eq!(names, expected);
        let row = "all prompts & ebsd & ebsd theta=1 & 1.25 & 1.5 \\\\";
        assert!(files[3].1.contains(row), "{}", files[3].1);
    }

    #[test]
    fn without_metrics_there_is_no_table() {
        let only = view(vec![trial(
            "fixed",
            DraftRule::FixedLength,
            1.5,
            twelve(1.0),
        )]);
        for table in [
            acceptance(&only),
            cost(&only),
            latency(&only),
            forwards(&only),
            tuned(&only),
        ] {
            assert!(table.rows.is_empty(), "{}", table.id);
        }
    }
}
