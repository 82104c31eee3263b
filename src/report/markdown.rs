//! `report.md`: how the numbers were made, what they say, and what they do not say.

use crate::analysis::view::{SweepView, TrialView};
use crate::report::figures::Figure;
use crate::report::number;
use crate::report::tables::TableView;
use crate::report::verdict::ebsd_against_fixed;
use crate::stats::bootstrap::{Bootstrap, Method};

mod caveats;
mod metrics;
mod replay;
mod table;
mod trials;
mod verdicts;

/// The report of a sweep in GitHub's Markdown. `tables` are those of the view; `figures` are linked
/// relative to the folder `figures_folder`, such as `figures`; `bootstrap` gives the verdict.
pub fn report(
    view: &SweepView,
    tables: &[TableView],
    figures: &[Figure],
    figures_folder: &str,
    bootstrap: &Bootstrap,
) -> String {
    let sections = [
        format!("# {}", escaped(&view.name)),
        how_it_was_made(view),
        verdict(view, bootstrap),
        verdicts::section(view),
        trials::best(view),
        replay::section(view),
        figure_links(figures, figures_folder),
        caveats::section(view),
        fills(tables),
        metrics::section(tables),
        trials::all(view),
        failures(view),
    ];
    let filled: Vec<String> = sections
        .into_iter()
        .filter(|section| !section.is_empty())
        .collect();
    filled.join("\n\n") + "\n"
}

pub(super) fn how_it_was_made(view: &SweepView) -> String {
    let mut lines = vec![
        "## How it was made".to_owned(),
        String::new(),
        format!("- command: {}", code(&view.command)),
        format!("- version: wedlm-bench {}", escaped(&view.version)),
        format!("- device: {}", escaped(&view.device)),
        format!("- date: {}", escaped(&view.date)),
        format!("- size: {}, {} trials", view.size(), view.trials.len()),
    ];
    for (name, value) in &view.provenance {
        lines.push(format!("- {}: {}", escaped(name), escaped(value)));
    }
    lines.join("\n")
}

pub(super) fn verdict(view: &SweepView, bootstrap: &Bootstrap) -> String {
    let text = match ebsd_against_fixed(view, bootstrap) {
        Ok(verdict) => {
            let method = match bootstrap.method {
                Method::Percentile => "percentile",
                Method::Bca => "BCa",
            };
            format!(
                "**{verdict}.**\n\n\
                 EBSD is {}, fixed k is {}; both lossless, both the fastest of their kind on these \
                 prompts. The gain is the ratio of their summed wall times, with the interval of a \
                 paired bootstrap over prompts ({} resamples, {method}, {} %, seed {}).",
                code(&verdict.challenger),
                code(&verdict.incumbent),
                bootstrap.n_resamples,
                percent(bootstrap.confidence.level()),
                bootstrap.seed,
            )
        }
        Err(reason) => format!("No verdict on EBSD against fixed k: {reason}."),
    };
    format!("## EBSD against fixed k\n\n{text}")
}

/// What experiments make of the run.
pub(super) fn verdicts(view: &SweepView) -> String {
    verdicts::section(view)
}

/// The paragraphs on replay and on how to read the numbers.
pub(super) fn prose(view: &SweepView) -> String {
    format!("{}\n\n{}", replay::section(view), caveats::section(view))
}

fn figure_links(figures: &[Figure], folder: &str) -> String {
    if figures.is_empty() {
        return String::new();
    }
    let mut lines = vec!["## Figures".to_owned()];
    for figure in figures {
        let (title, stem) = (figure.kind.title(), figure.kind.stem());
        lines.push(match &figure.outcome {
            Ok(_) => {
                format!(
                    "![{title}]({folder}/{stem}.svg)\n\n\
                     {title} ([PNG]({folder}/{stem}.png), [PDF]({folder}/{stem}.pdf))"
                )
            }
            Err(reason) => format!("{title}: not drawn, {}.", escaped(&reason.to_string())),
        });
    }
    lines.join("\n\n")
}

/// What window decoders fill; empty without one.
fn fills(tables: &[TableView]) -> String {
    let fills = tables.iter().find(|table| table.id == "fills");
    fills.map_or(String::new(), |fills| table::section(fills, 2))
}

fn failures(view: &SweepView) -> String {
    let failed: Vec<String> = view
        .trials
        .iter()
        .chain(&view.baseline)
        .filter_map(|trial: &TrialView| {
            let error = trial.result.as_ref().err()?;
            Some(format!("- {}: {}", code(&trial.label), escaped(error)))
        })
        .collect();
    if failed.is_empty() {
        String::new()
    } else {
        format!("## Failed trials\n\n{}", failed.join("\n"))
    }
}

/// `95` for 0.95, `97.5` for 0.975.
fn percent(share: f64) -> f64 {
    (share * 1000.0).round() / 10.0
}

/// Text that Markdown shows as it is, also within a table.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '*' | '`' | '[' | ']' | '\\' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            _ if character.is_control() => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A code span, with a fence that the text itself does not hold.
pub(super) fn code(text: &str) -> String {
    let text = number::printable(text);
    let longest_run = text
        .split(|c| c != '`')
        .map(|run| run.len())
        .max()
        .unwrap_or(0);
    let fence = "`".repeat(longest_run + 1);
    if longest_run == 0 && !text.is_empty() {
        format!("{fence}{text}{fence}")
    } else {
        format!("{fence} {text} {fence}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::view::{CostCurve, CostPoint, DraftRule};
    use crate::report::small_view::{failed, trial, twelve, view};
    use crate::report::tables::tables;
    use crate::stats::interval::Interval;

    fn small() -> SweepView {
        let mut view = view(vec![
            trial("fixed-k k=4", DraftRule::FixedLength, 1.5, twelve(1.0)),
            trial("ebsd theta=1", DraftRule::Entropy, 1.65, twelve(1.1)),
        ]);
        view.baseline = Some(trial(
            "autoregressive",
            DraftRule::Reference,
            1.0,
            twelve(2.0 / 3.0),
        ));
        view
    }

    fn text(view: &SweepView) -> String {
        let bootstrap = Bootstrap::default();
        report(view, &tables(view, &bootstrap), &[], "figures", &bootstrap)
    }

    #[test]
    fn the_report_says_how_it_was_made() {
        let text = text(&small());
        for line in [
            "- command: `wedlm-bench sweep configs/smoke.yaml`",
            "- version: wedlm-bench 0.1.0",
            "- device: cpu",
            "- date: 2026-11-21",
            "- size: 12 prompts × 1 repeat, 2 trials",
        ] {
            assert!(text.contains(line), "{line}");
        }
    }

    #[test]
    fn every_row_of_a_table_has_as_many_cells_as_its_header() {
        let mut view = small();
        view.trials[0].label = "k|4".to_owned();
        let text = text(&view).replace(r"\|", "");
        let bars = |line: &str| line.matches('|').count();
        let mut width = None;
        for line in text.lines() {
            if line.starts_with('|') {
                assert_eq!(bars(line), *width.get_or_insert(bars(line)), "{line}");
            } else {
                width = None;
            }
        }
    }

    #[test]
    fn the_verdict_names_both_trials_its_n_and_its_method() {
        let text = text(&small());
        assert!(text.contains(
            "**best EBSD against best fixed k: +10.0 % [+10.0, +10.0], n = 12 prompts: faster.**"
        ));
        assert!(text.contains("EBSD is `ebsd theta=1`, fixed k is `fixed-k k=4`"));
        assert!(text.contains("10000 resamples, BCa, 95 %, seed 17"));
    }

    #[test]
    fn both_averages_of_the_speedup_are_given_by_name() {
        let text = text(&small());
        assert!(text.contains("speedup (ratio of sums)"));
        assert!(text.contains("| 1.50 [1.45, 1.55] | 1.50 [1.50, 1.50] |"));
    }

    #[test]
    fn a_forward_that_costs_more_with_more_tokens_is_explained() {
        let mut view = small();
        let point = |n_tokens, ratio| CostPoint {
            n_tokens,
            ratio: Interval::exact(ratio),
        };
        view.cost_curves = vec![CostCurve {
            label: "verifier".to_owned(),
            points: vec![point(1, 1.0), point(4, 1.9), point(16, 6.0)],
        }];
        let dear = text(&view);
        assert!(
            dear.contains(
                "- verifier: a forward of 4 tokens takes 1.90 times as long as one of 1."
            )
        );
        assert!(dear.contains("a measured speedup can be under 1"));

        view.cost_curves[0].points = vec![point(4, 1.02)];
        assert!(text(&view).contains("cost almost nothing"));
    }

    #[test]
    fn a_projection_is_labelled_with_its_profile() {
        let mut view = small();
        view.hardware_profile = Some("h100-8b".to_owned());
        if let Ok(measures) = &mut view.trials[1].result {
            measures.speedup_projected = Some(2.25);
        }
        let text = text(&view);
        assert!(text.contains("projected for h100-8b"));
        assert!(text.contains("profile *h100-8b*. They are a model"));
    }

    #[test]
    fn trials_that_share_the_times_of_forwards_are_pointed_out() {
        let mut view = small();
        assert!(!text(&view).contains("Shared forwards"));
        for (trial, n) in view.trials.iter_mut().zip([30, 12]) {
            if let Ok(measures) = &mut trial.result {
                measures.shared_forwards = n;
            }
        }
        assert!(text(&view).contains("**Shared forwards.** 42 forwards of window trials"));
    }

    #[test]
    fn a_lossless_trial_with_another_text_raises_a_warning() {
        let mut view = small();
        assert!(!text(&view).contains("Warning"));
        if let Ok(measures) = &mut view.trials[1].result {
            measures.same_text = Some(Interval::exact(0.5));
        }
        assert!(text(&view).contains("**Warning.** 1 lossless trial"));
    }

    #[test]
    fn failures_are_listed_with_their_errors() {
        let mut view = small();
        view.trials.push(failed("svip", "the logits hold NaN"));
        assert!(text(&view).contains("## Failed trials\n\n- `svip`: the logits hold NaN"));
    }

    #[test]
    fn an_empty_sweep_gives_a_report_that_says_so() {
        let text = text(&view(vec![]));
        assert!(text.contains("No trial ran."));
        assert!(text.contains("No verdict on EBSD against fixed k"));
    }

    #[test]
    fn text_cannot_break_out_of_its_table_cell() {
        assert_eq!(escaped("a|b\nc"), r"a\|b c");
        assert_eq!(escaped("<img> & *x*"), r"&lt;img&gt; &amp; \*x\*");
    }

    #[test]
    fn a_code_span_may_hold_backticks() {
        assert_eq!(code("a b"), "`a b`");
        assert_eq!(code("echo `date`"), "`` echo `date` ``");
    }
}
