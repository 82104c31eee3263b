//! Does more acceptance mean more speed? Measured, and projected onto another machine.

use super::{NotShown, error_bar_note, not_shown_note, notes};
use crate::analysis::view::{DraftRule, SweepView, TrialKind, TrialView};
use crate::record::schema::Mode;
use crate::report::chart::{Across, Axis, Chart, Layer, LegendEntry, Panel, Point, Symbol};
use crate::report::scale::Limits;
use crate::report::style::{INK, Look, Stroke};
use crate::stats::interval::Interval;

const X_LABEL: &str = "acceptance rate (window decoders: agreement)";

const FRONT: Stroke = Stroke::solid(INK, 2.5);

/// A trial at its place in one of the panels.
struct Placed<'a> {
    trial: &'a TrialView,
    acceptance: Interval,
    speedup: Interval,
}

/// Left: measured speedup over acceptance; right: projected speedup, when the view has any. One
/// look per decoder entry; the best fixed draft length of each panel is ringed.
pub fn chart(view: &SweepView) -> Result<Chart, NotShown> {
    let measured = placed(view, TrialView::speedup);
    let projected = placed(view, |trial| {
        let ratio = trial.measures()?.speedup_projected?;
        ratio.is_finite().then(|| Interval::exact(ratio))
    });
    if measured.is_empty() && projected.is_empty() {
        return Err(NotShown::because(
            "no trial has both an acceptance rate and a speedup",
        ));
    }
    let families = view.families();
    let mut panels = Vec::new();
    let mut best = Vec::new();
    if !measured.is_empty() {
        let is_replayed = |one: &Placed<'_>| one.trial.mode == Mode::Replay;
        let title = match (
            measured.iter().any(is_replayed),
            measured.iter().all(is_replayed),
        ) {
            (false, _) => "measured",
            (true, false) => "measured, or predicted where replayed",
            (true, true) => "replayed: predicted for this device",
        };
        panels.push(panel(
            title,
            "speedup over autoregressive (×)",
            &measured,
            &families,
            false,
        ));
        best.extend(best_fixed(&measured).map(|one| format!("on the left {}", one.trial.label)));
    }
    if !projected.is_empty() {
        let profile = view
            .hardware_profile
            .as_deref()
            .unwrap_or("an unnamed profile");
        let title = format!("projected for {profile}: a model, not measured");
        panels.push(panel(
            &title,
            "projected speedup (×)",
            &projected,
            &families,
            true,
        ));
        best.extend(best_fixed(&projected).map(|one| format!("projected {}", one.trial.label)));
    }
    let shown = |family: &str| {
        let of_family = |one: &Placed<'_>| one.trial.family == family;
        measured.iter().chain(&projected).any(of_family)
    };
    let mut legend = vec![LegendEntry {
        text: "autoregressive baseline (1×)".to_owned(),
        symbol: Symbol::Rule(Stroke::reference()),
    }];
    if !best.is_empty() {
        legend.push(LegendEntry {
            text: "best fixed k of the panel".to_owned(),
            symbol: Symbol::Ring,
        });
    }
    if front(&measured).len() > 1 || front(&projected).len() > 1 {
        legend.push(LegendEntry {
            text: if measured.iter().any(|one| one.trial.lossless) {
                "Pareto front of lossless trials (oracle, random k aside)".to_owned()
            } else {
                "Pareto front".to_owned()
            },
            symbol: Symbol::Rule(FRONT),
        });
    }
    for (index, family) in families.iter().enumerate() {
        if shown(family) {
            legend.push(LegendEntry {
                text: (*family).to_owned(),
                symbol: Symbol::Marker(Look::of_series(index)),
            });
        }
    }
    let with_bars: &[Placed<'_>] = if is_crowded(&measured) {
        &[]
    } else {
        &measured
    };
    let intervals = with_bars
        .iter()
        .flat_map(|one| [one.acceptance, one.speedup]);
    let no_bars = is_crowded(&measured).then(|| {
        format!(
            "{} trials, without error bars; trials.parquet has them.",
            measured.len()
        )
    });
    let best = (!best.is_empty()).then(|| format!("Best fixed k: {}.", best.join(", ")));
    let n_left_out = view.trials.len() - measured.len().max(projected.len());
    Ok(Chart {
        title: String::new(),
        subtitle: String::new(),
        n_columns: panels.len(),
        panels,
        legend,
        notes: notes([
            error_bar_note(intervals),
            no_bars,
            best,
            not_shown_note(n_left_out, "without acceptance or speedup"),
        ]),
    })
}

/// Trials beyond which error bars hide the marks.
const MOST_BARS: usize = 80;

fn is_crowded(placed: &[Placed<'_>]) -> bool {
    placed.len() > MOST_BARS
}

fn placed(view: &SweepView, speedup: impl Fn(&TrialView) -> Option<Interval>) -> Vec<Placed<'_>> {
    view.trials
        .iter()
        .filter_map(|trial| {
            Some(Placed {
                trial,
                acceptance: trial.acceptance_rate()?,
                speedup: speedup(trial)?,
            })
        })
        .collect()
}

fn best_fixed<'a, 'b>(placed: &'b [Placed<'a>]) -> Option<&'b Placed<'a>> {
    placed
        .iter()
        .filter(|one| one.trial.kind == TrialKind::Speculative(DraftRule::FixedLength))
        .max_by(|one, other| one.speedup.estimate.total_cmp(&other.speedup.estimate))
}

/// Acceptance and speedup of the trials to which no other is superior in both, by rising acceptance.
/// Oracle and random drafts stand aside, because nobody can or would run them; so do lossy trials beside
/// lossless ones, because what a window decoder agrees with is no acceptance.
fn front(placed: &[Placed<'_>]) -> Vec<(f64, f64)> {
    let lossless = placed.iter().any(|one| one.trial.lossless);
    let mut by_speed: Vec<(f64, f64)> = placed
        .iter()
        .filter(|one| one.trial.lossless == lossless)
        .filter(|one| one.trial.kind != TrialKind::Speculative(DraftRule::Reference))
        .filter(|one| one.trial.dropped_after.is_none())
        .map(|one| (one.acceptance.estimate, one.speedup.estimate))
        .collect();
    by_speed.sort_by(|one, other| other.1.total_cmp(&one.1).then(other.0.total_cmp(&one.0)));
    let mut most_accepted = f64::NEG_INFINITY;
    by_speed.retain(|(acceptance, _)| {
        let is_on_front = *acceptance > most_accepted;
        most_accepted = most_accepted.max(*acceptance);
        is_on_front
    });
    by_speed
}

fn panel(
    title: &str,
    y_label: &str,
    placed: &[Placed<'_>],
    families: &[&str],
    is_hollow: bool,
) -> Panel {
    let mut layers = vec![Layer::Rule {
        across: Across::Y(1.0),
        stroke: Stroke::reference(),
    }];
    let mut order: Vec<(usize, &str)> = families.iter().copied().enumerate().collect();
    if is_crowded(placed) {
        // Large entries would cover small ones.
        let n_trials = |family: &str| {
            placed
                .iter()
                .filter(|one| one.trial.family == family)
                .count()
        };
        order.sort_by_key(|(_, family)| std::cmp::Reverse(n_trials(family)));
    }
    for (index, family) in order {
        let look = Look::of_series(index);
        layers.push(Layer::Series {
            points: placed
                .iter()
                .filter(|one| one.trial.family == family)
                .map(|one| {
                    if is_crowded(placed) {
                        Point::bare(one.acceptance.estimate, one.speedup.estimate)
                    } else {
                        Point::with_intervals(one.acceptance, one.speedup)
                    }
                })
                .collect(),
            look: match (is_hollow, is_crowded(placed)) {
                (false, false) => look,
                (true, false) => look.hollow(),
                (false | true, true) => look.small().hollow(),
            },
            is_joined: false,
        });
    }
    layers.extend(front(placed).windows(2).map(|pair| Layer::Line {
        ends: [pair[0], pair[1]],
        stroke: FRONT,
    }));
    layers.extend(best_fixed(placed).map(|one| Layer::Ring {
        x: one.acceptance.estimate,
        y: one.speedup.estimate,
    }));
    Panel {
        title: title.to_owned(),
        detail: String::new(),
        x: Axis::new(X_LABEL, Limits::SHARE),
        y: Axis::new(y_label, Limits::SPEEDUP),
        layers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::small_view::{trial, twelve};

    #[test]
    fn the_front_holds_what_nothing_else_beats_in_both() {
        let rules = [
            (1.8, 0.5, DraftRule::Entropy),
            (1.5, 0.4, DraftRule::FixedLength),
            (1.4, 0.9, DraftRule::FixedLength),
            (2.5, 1.0, DraftRule::Reference),
        ];
        let trials = rules.map(|(speedup, _, rule)| trial("any", rule, speedup, twelve(1.0)));
        let placed: Vec<Placed<'_>> = rules
            .iter()
            .zip(&trials)
            .map(|((speedup, acceptance, _), trial)| Placed {
                trial,
                acceptance: Interval::exact(*acceptance),
                speedup: Interval::exact(*speedup),
            })
            .collect();
        assert_eq!(front(&placed), [(0.5, 1.8), (0.9, 1.4)]);
    }
}
