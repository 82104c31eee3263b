//! Does a stricter entropy threshold raise the share of drafts that the verifier accepts?

use super::curve::{Observation, curves, dodge};
use super::{NotShown, error_bar_note, not_shown_note, notes};
use crate::analysis::view::{SweepView, TrialKind, TrialView};
use crate::report::chart::{Axis, Chart, LegendEntry, Panel, Symbol};
use crate::report::scale::Limits;
use crate::report::style::Look;

/// x: θ_abs; y: acceptance rate; one curve per entropy type, and per decoder entry and strategy
/// where a sweep holds several of these with a θ_abs.
pub fn chart(view: &SweepView) -> Result<Chart, NotShown> {
    let candidates: Vec<(&TrialView, f64)> = view
        .trials
        .iter()
        .filter(|trial| matches!(trial.kind, TrialKind::Speculative(_)))
        .filter_map(|trial| Some((trial, threshold(trial)?)))
        .collect();
    if candidates.is_empty() {
        return Err(NotShown::because(
            "no speculative trial has an absolute entropy threshold (theta_abs)",
        ));
    }
    let name = curve_names(&candidates);
    let observations: Vec<Observation> = candidates
        .iter()
        .filter_map(|&(trial, x)| {
            Some(Observation {
                curve: name(trial),
                x,
                y: trial.acceptance_rate()?,
            })
        })
        .collect();
    let n_left_out = candidates.len() - observations.len();
    let bars = error_bar_note(observations.iter().map(|observation| observation.y));

    let curves = curves(observations);
    let step = dodge(&curves);
    let middle = (curves.len().saturating_sub(1)) as f64 / 2.0;
    let mut layers = Vec::new();
    let mut legend = Vec::new();
    for (index, curve) in curves.iter().enumerate() {
        let look = Look::of_series(index);
        layers.extend(curve.layers(look, step * (index as f64 - middle)));
        legend.push(LegendEntry {
            text: curve.name.clone(),
            symbol: Symbol::Joined(look),
        });
    }
    let is_averaged = curves.iter().any(|curve| curve.has_repeated_x());
    let averaged = is_averaged
        .then(|| "Lines: means over the other axes; small open marks: single trials.".to_owned());
    let moved = (step > 0.0)
        .then(|| "Neighbouring curves are moved sideways to keep them apart.".to_owned());
    Ok(Chart {
        title: String::new(),
        subtitle: String::new(),
        panels: vec![Panel {
            title: String::new(),
            detail: String::new(),
            x: Axis::new("entropy threshold θ_abs (nats)", Limits::NONE),
            y: Axis::new("acceptance rate (accepted / drafted)", Limits::SHARE),
            layers,
        }],
        n_columns: 1,
        legend,
        notes: notes([
            averaged.or(bars),
            moved,
            not_shown_note(n_left_out, "without an acceptance rate"),
        ]),
    })
}

fn threshold(trial: &TrialView) -> Option<f64> {
    let value: f64 = trial.axis("theta_abs")?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// Names curves by their entropy type, and by entry and strategy only where these differ.
fn curve_names(candidates: &[(&TrialView, f64)]) -> impl Fn(&TrialView) -> String {
    let differ = |part: fn(&TrialView) -> Option<String>| {
        let mut parts = candidates.iter().map(|(trial, _)| part(trial));
        let first = parts.next();
        parts.any(|other| Some(other) != first)
    };
    let family: fn(&TrialView) -> Option<String> = |trial| Some(trial.family.clone());
    let has_families = differ(family);
    let has_strategies = differ(strategy);
    move |trial| {
        let entropy = trial.entropy_kind().unwrap_or("entropy").to_owned();
        [
            has_families.then(|| trial.family.clone()),
            has_strategies.then(|| strategy(trial)).flatten(),
            Some(entropy),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" · ")
    }
}

fn strategy(trial: &TrialView) -> Option<String> {
    let named = trial.axis("stopping_strategy");
    let typed = || {
        let axis = trial.axes.iter().find(|(path, _)| path == "stop.kind");
        axis.map(|(_, value)| value.as_str())
    };
    named.or_else(typed).map(str::to_owned)
}
