//! What does the entropy threshold of a window decoder buy, and what does it cost?

use super::curve::{Curve, Observation, curves, dodge};
use super::{NotShown, error_bar_note, not_shown_note, notes};
use crate::analysis::view::{Measures, SweepView, TrialKind, TrialView, finite};
use crate::report::chart::{Across, Axis, Chart, Layer, LegendEntry, Panel, Symbol};
use crate::report::scale::Limits;
use crate::report::style::{GREY, Look, Stroke};
use crate::stats::interval::Interval;
use crate::stats::sample::Sample;

const AXIS: &str = "entropy_threshold";
/// Trials without a threshold are level lines, thinner than every curve.
const LEVEL_WIDTH: f64 = 1.5;
const X_LABEL: &str = "entropy threshold τ (nats)";

/// One panel: what it shows of a trial, and how.
struct Question {
    title: &'static str,
    y_label: &'static str,
    limits: Limits,
    of: fn(&Measures) -> Option<Interval>,
    /// The value of the autoregressive baseline.
    baseline: Option<f64>,
}

/// Four panels over τ: agreement, tokens filled per forward, speedup, exact match; one curve per
/// decoder entry. Trials with τ = null (no threshold) are level lines, at their mean if an entry has
/// several.
pub fn chart(view: &SweepView) -> Result<Chart, NotShown> {
    let trials: Vec<&TrialView> = view
        .trials
        .iter()
        .filter(|trial| trial.kind == TrialKind::Window && trial.axis(AXIS).is_some())
        .collect();
    if trials.is_empty() {
        return Err(NotShown::because(
            "no window trial has an entropy threshold (entropy_threshold)",
        ));
    }
    let families: Vec<&str> = view.families();
    let questions = questions(view);
    let panels: Vec<Panel> = questions
        .iter()
        .map(|question| panel(question, &trials, &families))
        .collect();

    let measured: Vec<&Measures> = trials.iter().filter_map(|trial| trial.measures()).collect();
    let intervals = questions.iter().flat_map(|question| {
        measured
            .iter()
            .filter_map(|&measures| (question.of)(measures))
    });
    let bars = error_bar_note(intervals);
    let n_failed = trials.len() - measured.len();
    let n_others = view
        .trials
        .iter()
        .filter(|trial| trial.kind == TrialKind::Window && trial.axis(AXIS).is_none())
        .count();
    let is_averaged = questions.iter().any(|question| {
        let has_repeated_x = |curve: &Curve| curve.has_repeated_x();
        curves(observations(question, &trials))
            .iter()
            .any(has_repeated_x)
    });
    let averaged = is_averaged
        .then(|| "Lines: means over the other axes; small open marks: single trials.".to_owned());
    Ok(Chart {
        title: String::new(),
        subtitle: String::new(),
        panels,
        n_columns: 2,
        legend: legend(&trials, &families),
        notes: notes([
            averaged.or(bars),
            not_shown_note(n_failed, "that failed"),
            not_shown_note(n_others, "with another selection rule"),
        ]),
    })
}

fn questions(view: &SweepView) -> [Question; 4] {
    let baseline = view.baseline.as_ref().and_then(TrialView::measures);
    let baseline_match = baseline.and_then(|measures| finite(measures.exact_match));
    [
        Question {
            title: "agreement with the autoregressive choice",
            y_label: "share of fills",
            limits: Limits::SHARE,
            of: |measures| measures.acceptance_rate,
            baseline: None,
        },
        Question {
            title: "tokens filled per forward",
            y_label: "tokens",
            limits: Limits {
                floor: Some(0.0),
                ..Limits::NONE
            },
            of: |measures| measures.filled_per_forward,
            baseline: None,
        },
        Question {
            title: "measured speedup over autoregressive",
            y_label: "speedup (×)",
            limits: Limits::SPEEDUP,
            of: |measures| measures.speedup,
            baseline: baseline.map(|_| 1.0),
        },
        Question {
            title: "exact match of the answer",
            y_label: "share of prompts",
            limits: Limits::SHARE,
            of: |measures| measures.exact_match,
            baseline: baseline_match.map(|interval| interval.estimate),
        },
    ]
}

/// The threshold of a trial; `None` for null, which switches the rule off.
fn threshold(trial: &TrialView) -> Option<f64> {
    let value: f64 = trial.axis(AXIS)?.parse().ok()?;
    value.is_finite().then_some(value)
}

fn value(question: &Question, trial: &TrialView) -> Option<Interval> {
    finite((question.of)(trial.measures()?))
}

fn observations(question: &Question, trials: &[&TrialView]) -> Vec<Observation> {
    trials
        .iter()
        .filter_map(|trial| {
            Some(Observation {
                curve: trial.family.clone(),
                x: threshold(trial)?,
                y: value(question, trial)?,
            })
        })
        .collect()
}

fn panel(question: &Question, trials: &[&TrialView], families: &[&str]) -> Panel {
    let look_of = |family: &str| {
        let index = families.iter().position(|&name| name == family);
        Look::of_series(index.unwrap_or(families.len()))
    };
    let mut layers = Vec::new();
    if let Some(baseline) = question.baseline {
        layers.push(Layer::Rule {
            across: Across::Y(baseline),
            stroke: Stroke::reference(),
        });
    }
    for family in families {
        let levels: Vec<f64> = trials
            .iter()
            .filter(|trial| trial.family == *family && threshold(trial).is_none())
            .filter_map(|trial| Some(value(question, trial)?.estimate))
            .collect();
        if let Ok(levels) = Sample::new(levels) {
            layers.push(Layer::Rule {
                across: Across::Y(levels.mean()),
                stroke: Stroke::solid(look_of(family).colour, LEVEL_WIDTH),
            });
        }
    }
    let curves = curves(observations(question, trials));
    let step = dodge(&curves);
    let middle = (curves.len().saturating_sub(1)) as f64 / 2.0;
    for (index, curve) in curves.iter().enumerate() {
        let shift = step * (index as f64 - middle);
        layers.extend(curve.layers(look_of(&curve.name), shift));
    }
    Panel {
        title: question.title.to_owned(),
        detail: String::new(),
        x: Axis::new(X_LABEL, Limits::NONE),
        y: Axis::new(question.y_label, question.limits),
        layers,
    }
}

fn legend(trials: &[&TrialView], families: &[&str]) -> Vec<LegendEntry> {
    let has = |family: &str, is_level: bool| {
        trials
            .iter()
            .any(|trial| trial.family == family && threshold(trial).is_none() == is_level)
    };
    let mut legend: Vec<LegendEntry> = families
        .iter()
        .enumerate()
        .filter(|(_, family)| has(family, false))
        .map(|(index, family)| LegendEntry {
            text: (*family).to_owned(),
            symbol: Symbol::Joined(Look::of_series(index)),
        })
        .collect();
    if families.iter().any(|family| has(family, true)) {
        legend.push(LegendEntry {
            text: "no threshold (τ = null)".to_owned(),
            symbol: Symbol::Rule(Stroke::solid(GREY, LEVEL_WIDTH)),
        });
    }
    legend.push(LegendEntry {
        text: "autoregressive baseline".to_owned(),
        symbol: Symbol::Rule(Stroke::reference()),
    });
    legend
}
