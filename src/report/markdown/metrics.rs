//! What lies behind the speedups: by kind of prompt, in operations and in time, and where drafts fail.

use crate::analysis::metrics::tuning::Tuned;
use crate::analysis::metrics::{
    DraftMetrics, RejectionKind, RunMetrics, Shape, Signal, TrialMetrics,
};
use crate::analysis::view::{SweepView, TrialView};
use crate::record::schema::Mode;
use crate::report::number::{NOTHING, interval, number, optional_interval, optional_number};
use crate::stats::interval::Interval;

use super::{code, escaped};

/// Longest text of an example, in characters from its end.
const EXAMPLE_LEN: usize = 40;

/// Empty when nothing ran here.
pub fn section(view: &SweepView) -> String {
    let metrics = &view.metrics;
    let shown = shown(view);
    let sections: Vec<String> = [
        by_category(&shown),
        acceptance(&shown),
        cost(&shown),
        latency(&shown),
        tuned(metrics),
        drafts(metrics),
    ]
    .into_iter()
    .filter(|section| !section.is_empty())
    .collect();
    if shown.is_empty() || sections.is_empty() {
        return String::new();
    }
    format!(
        "## Metrics in detail\n\n\
         Baseline, best fixed k and the fastest trial of every decoder entry, as far as they ran here; \
         all trials: `trials.parquet`, `categories.parquet` and `metrics.json`. Intervals are over \
         prompts unless a table says otherwise.\n\n{}",
        sections.join("\n\n")
    )
}

/// The trials that a report compares, with their metrics.
fn shown(view: &SweepView) -> Vec<&TrialMetrics> {
    let mut labels: Vec<&str> = Vec::new();
    let best = view.families().into_iter().map(|family| {
        let of_family = |trial: &TrialView| trial.family == family;
        view.best(of_family)
    });
    let chosen = view.baseline.iter().chain(view.best_fixed());
    for trial in chosen.chain(best.flatten()) {
        if trial.mode == Mode::Live && !labels.contains(&trial.label.as_str()) {
            labels.push(&trial.label);
        }
    }
    let of = |label: &&str| {
        let mut trials = view.metrics.trials.iter();
        trials.find(|trial| trial.label == **label)
    };
    labels.iter().filter_map(of).collect()
}

/// The first `n_names` columns and examples are text, the others numbers.
fn table(header: &[&str], n_names: usize, rows: Vec<Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
    let names: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    let rule = header.iter().enumerate().map(|(place, name)| {
        let is_text = place < n_names || *name == "example";
        if is_text { "---" } else { "--:" }
    });
    let rule: Vec<&str> = rule.collect();
    let mut lines = vec![line(&names), format!("|{}|", rule.join("|"))];
    lines.extend(rows.iter().map(|cells| line(cells)));
    lines.join("\n")
}

fn by_category(shown: &[&TrialMetrics]) -> String {
    if shown.iter().all(|trial| trial.categories.len() < 2) {
        return String::new();
    }
    let rows = shown.iter().flat_map(|trial| {
        trial.categories.iter().map(|row| {
            vec![
                escaped(&trial.label),
                escaped(&row.category),
                row.n_prompts.to_string(),
                optional_interval(row.speedup, 2),
                optional_interval(row.acceptance_rate, 3),
                optional_interval(row.quality.score, 3),
                optional_interval(row.quality.exact_match, 2),
                optional_interval(row.quality.perplexity, 3),
            ]
        })
    });
    let header = [
        "trial",
        "category",
        "prompts",
        "speedup",
        "acceptance",
        "score",
        "exact match",
        "perplexity",
    ];
    format!("### By category\n\n{}", table(&header, 2, rows.collect()))
}

fn acceptance(shown: &[&TrialMetrics]) -> String {
    let rows: Vec<Vec<String>> = shown
        .iter()
        .filter(|trial| trial.acceptance.of_drafted.is_some())
        .map(|trial| {
            let rates = &trial.acceptance;
            vec![
                escaped(&trial.label),
                optional_interval(rates.of_drafted, 3),
                optional_interval(rates.of_tested, 3),
                optional_interval(rates.overlap, 3),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = ["trial", "of drafted", "of tested", "overlap"];
    format!(
        "### Three acceptance rates\n\n\
         Of drafted tokens, of those that the verifier reached, and expected: Σ min(p, q) of the two \
         distributions at the slots that it reached.\n\n{}",
        table(&header, 1, rows)
    )
}

fn cost(shown: &[&TrialMetrics]) -> String {
    if shown.iter().all(|trial| trial.cost.flops.is_none()) {
        return String::new();
    }
    let mega = |interval: Option<Interval>| optional_interval(interval.map(in_millions), 2);
    let rows = shown.iter().map(|trial| {
        vec![
            escaped(&trial.label),
            mega(trial.cost.flops_per_committed),
            mega(trial.cost.flops_per_accepted),
            optional_interval(trial.cost.wasted_share, 3),
            optional_interval(trial.quality.score, 3),
            optional_interval(trial.quality.perplexity, 3),
        ]
    });
    let header = [
        "trial",
        "MFLOP per committed token",
        "MFLOP per accepted token",
        "wasted share",
        "score",
        "perplexity",
    ];
    format!(
        "### Cost and quality\n\n\
         Operations of both models in all decode forwards, counted, not timed; wasted are those on draft \
         tokens that were not accepted. The perplexity is that of the text under the verifier.\n\n{}",
        table(&header, 1, rows.collect())
    )
}

fn in_millions(flops: Interval) -> Interval {
    scaled(flops, 1e-6)
}

fn in_ms(ns: Interval) -> Interval {
    scaled(ns, 1e-6)
}

fn scaled(interval: Interval, factor: f64) -> Interval {
    Interval {
        estimate: interval.estimate * factor,
        low: interval.low * factor,
        high: interval.high * factor,
        ..interval
    }
}

fn latency(shown: &[&TrialMetrics]) -> String {
    let rows: Vec<Vec<String>> = shown
        .iter()
        .filter_map(|trial| {
            let latency = trial.latency.as_ref()?;
            let ms = |ns: Interval| interval(&in_ms(ns), 2);
            let (round, token) = (&latency.round_ns, &latency.token_ns);
            Some(vec![
                escaped(&trial.label),
                ms(round.p50),
                ms(round.p90),
                ms(round.p99),
                ms(token.p50),
                ms(token.p90),
                ms(token.p99),
            ])
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = [
        "trial",
        "round P50",
        "P90",
        "P99",
        "token P50",
        "P90",
        "P99",
    ];
    format!(
        "### Latency (ms)\n\n\
         Of a round, and of a token: its share of the round that committed it. First repeat, prefill not \
         included. An interval of P99 is too short where few rounds lie beyond it.\n\n{}",
        table(&header, 1, rows)
    )
}

fn tuned(metrics: &RunMetrics) -> String {
    if metrics.tuned.is_empty() {
        return String::new();
    }
    let row = |one: &Tuned| {
        vec![
            escaped(&one.category),
            escaped(&one.family),
            format!("{} on {} prompts", one.candidates, one.n_tuned),
            number(one.tuning_seconds, 1),
            escaped(&one.chosen),
            one.n_judged.to_string(),
            optional_interval(one.speedup, 2),
            number(100.0 * one.regret, 1),
            optional_interval(one.against_fixed, 3),
        ]
    };
    let header = [
        "category",
        "candidates of",
        "tuned",
        "seconds",
        "chosen",
        "judged on",
        "speedup",
        "regret %",
        "against fixed k",
    ];
    format!(
        "### A threshold chosen on one half of the prompts, judged on the other\n\n\
         Regret: time lost against the candidate that turns out to be the fastest on the judged half. \
         Seconds: what the candidates took on the other half, once each. The best fixed k is chosen in the \
         same way.\n\n{}",
        table(&header, 2, metrics.tuned.iter().map(row).collect())
    )
}

fn drafts(metrics: &RunMetrics) -> String {
    let parts = metrics.drafts.iter().map(|draft| {
        let body: Vec<String> = [
            hazard(draft),
            by_entropy(draft),
            signals(draft),
            shapes(draft),
            rejections(draft),
        ]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
        format!(
            "<details><summary>{}</summary>\n\n{}\n\n</details>",
            escaped(&draft.label),
            body.join("\n\n")
        )
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() {
        return String::new();
    }
    format!(
        "### What drafts look like, and where they fail\n\n\
         Of each decoder entry the trial with the most tested tokens.\n\n{}",
        parts.join("\n\n")
    )
}

fn hazard(draft: &DraftMetrics) -> String {
    let rows: Vec<Vec<String>> = draft
        .hazard
        .iter()
        .map(|slot| {
            vec![
                slot.slot.to_string(),
                slot.reached.to_string(),
                slot.rejected.to_string(),
                interval(&slot.share, 3),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = ["slot", "reached", "rejected", "rejected / reached (Wilson)"];
    format!("Hazard by slot:\n\n{}", table(&header, 1, rows))
}

fn by_entropy(draft: &DraftMetrics) -> String {
    let rows: Vec<Vec<String>> = draft
        .by_entropy
        .iter()
        .map(|bin| {
            vec![
                bin.name.clone(),
                bin.tested.to_string(),
                optional_interval(bin.accepted, 3),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = ["entropy (nats)", "tested", "accepted"];
    format!("Acceptance by entropy:\n\n{}", table(&header, 1, rows))
}

fn signals(draft: &DraftMetrics) -> String {
    let row = |signal: &Signal| {
        vec![
            escaped(&signal.name),
            signal.tested.to_string(),
            signal.rejected.to_string(),
            optional_interval(signal.auroc, 3),
            optional_interval(signal.point_biserial, 3),
            optional_interval(signal.spearman, 3),
        ]
    };
    if draft.signals.is_empty() {
        return String::new();
    }
    let header = [
        "signal",
        "tested",
        "rejected",
        "AUROC of rejection",
        "point-biserial with acceptance",
        "Spearman with acceptance",
    ];
    let rows = draft.signals.iter().map(row).collect();
    format!("What tells a rejection:\n\n{}", table(&header, 1, rows))
}

fn shapes(draft: &DraftMetrics) -> String {
    let rows: Vec<Vec<String>> = draft
        .shapes
        .iter()
        .map(|class| {
            let profile = class.profile_nats.iter().map(|nats| number(*nats, 2));
            vec![
                shape(class.shape).to_owned(),
                class.drafts.to_string(),
                optional_interval(class.share, 3),
                optional_interval(class.acceptance_rate, 3),
                profile.collect::<Vec<_>>().join(", "),
                format!(
                    "{} ({} accepted)",
                    example(&class.example),
                    class.example_accepted
                ),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = [
        "shape",
        "drafts",
        "share",
        "acceptance",
        "nats from first to last slot",
        "example",
    ];
    format!(
        "Entropy over the slots of a draft (three tokens and more):\n\n{}",
        table(&header, 1, rows)
    )
}

fn rejections(draft: &DraftMetrics) -> String {
    let rows: Vec<Vec<String>> = draft
        .rejections
        .iter()
        .map(|class| {
            let one = &class.example;
            vec![
                kind(class.kind).to_owned(),
                class.rejections.to_string(),
                optional_number(Some(class.share), 3),
                class.wasted_tokens.to_string(),
                number(class.wasted_share, 3),
                format!(
                    "{} drafted {}, verifier {}",
                    example(&one.before),
                    example(&one.drafted),
                    example(&one.instead)
                ),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = [
        "rejected",
        "count",
        "share",
        "wasted tokens",
        "share of waste",
        "example",
    ];
    format!(
        "Where drafts fail (the first class that fits):\n\n{}",
        table(&header, 1, rows)
    )
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

/// The end of a text as a code span, line ends shown.
fn example(text: &str) -> String {
    let text = text.replace('\n', "↵");
    let n = text.chars().count();
    let end: String = text.chars().skip(n.saturating_sub(EXAMPLE_LEN)).collect();
    if end.is_empty() {
        NOTHING.to_owned()
    } else {
        // A bar ends a cell even within a code span.
        code(&end).replace('|', "\\|")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::metrics::{CategoryMetrics, Hazard, Rejection, RejectionClass};
    use crate::analysis::view::DraftRule;
    use crate::report::small_view::{trial, twelve, view};

    fn category(name: &str, speedup: f64) -> CategoryMetrics {
        CategoryMetrics {
            category: name.into(),
            n_prompts: 6,
            speedup: Some(Interval::exact(speedup)),
            ..CategoryMetrics::default()
        }
    }

    fn small(categories: Vec<CategoryMetrics>) -> SweepView {
        let mut view = view(vec![trial("ebsd", DraftRule::Entropy, 1.5, twelve(1.0))]);
        let mut metrics = TrialMetrics {
            label: "ebsd".into(),
            categories,
            ..TrialMetrics::default()
        };
        metrics.cost.flops = Some(9);
        metrics.cost.flops_per_committed = Some(Interval::exact(2_500_000.0));
        view.metrics.trials = vec![metrics];
        view
    }

    #[test]
    fn categories_are_shown_when_there_are_several() {
        let text = section(&small(vec![category("code", 2.0), category("story", 1.1)]));
        assert!(
            text.contains("| ebsd | code | 6 | 2.00 | – | – | – | – |"),
            "{text}"
        );
        assert!(text.contains("| ebsd | story | 6 | 1.10 |"), "{text}");
        assert!(text.contains("| ebsd | 2.50 | – |"), "MFLOP: {text}");
        let one = section(&small(vec![category("code", 2.0)]));
        assert!(!one.contains("By category"), "{one}");
    }

    #[test]
    fn hazards_and_failures_are_folded_below_their_trial() {
        let mut view = small(Vec::new());
        view.metrics.drafts = vec![DraftMetrics {
            label: "ebsd".into(),
            hazard: vec![Hazard {
                slot: 0,
                reached: 40,
                rejected: 10,
                share: Interval::exact(0.25),
            }],
            rejections: vec![RejectionClass {
                kind: RejectionKind::Digit,
                rejections: 10,
                share: 1.0,
                wasted_tokens: 30,
                wasted_share: 1.0,
                example: Rejection {
                    before: "a|b\n3*4=".into(),
                    drafted: "13".into(),
                    instead: "12".into(),
                    entropy_nats: 0.5,
                },
            }],
            ..DraftMetrics::default()
        }];
        let text = section(&view);
        assert!(text.contains("<details><summary>ebsd</summary>"), "{text}");
        assert!(text.contains("| 0 | 40 | 10 | 0.250 |"), "{text}");
        let row =
            r"| at a digit | 10 | 1.000 | 30 | 1.000 | `a\|b↵3*4=` drafted `13`, verifier `12` |";
        assert!(text.contains(row), "{text}");
    }

    #[test]
    fn without_metrics_there_is_no_section() {
        let only = trial("fixed", DraftRule::FixedLength, 1.5, twelve(1.0));
        assert_eq!(section(&view(vec![only])), "");
    }
}
