//! How long are the drafts that a rule lets through?

use super::{NotShown, importance};
use crate::analysis::view::{SweepView, TrialKind, TrialView};
use crate::report::chart::{Across, Axis, Bar, Chart, Layer, LegendEntry, Panel, Symbol};
use crate::report::scale::Limits;
use crate::report::style::{Dash, INK, Look, Stroke};

/// Two rows of three.
const MOST_PANELS: usize = 6;

const MEAN: Stroke = Stroke {
    colour: INK,
    width: 3.0,
    dash: Dash::Dashed,
};

/// Shares of the rounds by draft length: one panel for the best trial of each speculative decoder
/// entry, on common axes.
pub fn chart(view: &SweepView) -> Result<Chart, NotShown> {
    let families = view.families();
    let mut best: Vec<(usize, &TrialView)> = families
        .iter()
        .enumerate()
        .filter_map(|(index, family)| Some((index, best_of(view, family)?)))
        .collect();
    // The comparison that the sweep is about comes first, also when not all entries fit.
    best.sort_by_key(|(_, trial)| importance(trial.kind));
    if best.is_empty() {
        return Err(NotShown::because("no trial drafted any token"));
    }
    let shown = &best[..best.len().min(MOST_PANELS)];
    let longest = shown
        .iter()
        .filter_map(|(_, trial)| histogram(trial).iter().rposition(|&count| count > 0))
        .max()
        .unwrap_or(0);
    let tallest = shown
        .iter()
        .flat_map(|(_, trial)| shares(trial))
        .fold(0.0, f64::max);
    let panels: Vec<Panel> = shown
        .iter()
        .map(|&(index, trial)| panel(trial, Look::of_series(index), longest, tallest))
        .collect();
    let mut notes = vec!["The fastest trial of each speculative decoder entry.".to_owned()];
    if best.len() > shown.len() {
        let n = best.len() - shown.len();
        let verb = if n == 1 { "entry is" } else { "entries are" };
        notes[0] += &format!(" {n} more {verb} not shown.");
    }
    Ok(Chart {
        title: String::new(),
        subtitle: String::new(),
        n_columns: panels.len().min(3),
        panels,
        legend: vec![LegendEntry {
            text: "mean draft length".to_owned(),
            symbol: Symbol::Rule(MEAN),
        }],
        notes,
    })
}

/// The fastest speculative trial of the entry that drafted; the first one when none was timed.
fn best_of<'a>(view: &'a SweepView, family: &str) -> Option<&'a TrialView> {
    let is_candidate = |trial: &TrialView| {
        trial.family == family
            && matches!(trial.kind, TrialKind::Speculative(_))
            && histogram(trial).iter().skip(1).any(|&count| count > 0)
    };
    view.best(is_candidate)
        .or_else(|| view.trials.iter().find(|trial| is_candidate(trial)))
}

fn histogram(trial: &TrialView) -> &[u64] {
    trial
        .measures()
        .map_or(&[], |measures| &measures.draft_len_histogram)
}

fn shares(trial: &TrialView) -> impl Iterator<Item = f64> {
    let counts = histogram(trial);
    let n_rounds: f64 = counts.iter().map(|&count| count as f64).sum();
    counts.iter().map(move |&count| count as f64 / n_rounds)
}

fn panel(trial: &TrialView, look: Look, longest: usize, tallest: f64) -> Panel {
    let mean: f64 = shares(trial)
        .enumerate()
        .map(|(length, share)| length as f64 * share)
        .sum();
    let bars = shares(trial)
        .take(longest + 1)
        .enumerate()
        .map(|(length, height)| Bar {
            x: length as f64,
            height,
        })
        .collect();
    Panel {
        title: format!("{} (mean {mean:.1})", trial.family),
        // Every panel has the line, so that the frames stay level.
        detail: if trial.axes.is_empty() {
            "no grid".to_owned()
        } else {
            trial.parameters()
        },
        x: Axis::new(
            "draft length (tokens)",
            Limits {
                include: Some(longest as f64 + 0.5),
                floor: Some(-0.8),
                is_whole: true,
                ..Limits::NONE
            },
        ),
        y: Axis::new(
            "share of rounds",
            Limits {
                include: Some(tallest),
                ..Limits::SHARE
            },
        ),
        layers: vec![
            Layer::Bars {
                bars,
                // Pale, so that the mean is seen on every bar.
                colour: look.pale(),
                half_width: 0.42,
            },
            Layer::Rule {
                across: Across::X(mean),
                stroke: MEAN,
            },
        ],
    }
}
