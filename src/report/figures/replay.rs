//! How far are predicted speedups from measured ones?

use super::{NotShown, error_bar_note, notes, place_of};
use crate::analysis::view::{CheckedTrial, SweepView};
use crate::report::chart::{Axis, Chart, Layer, LegendEntry, Panel, Point, Symbol};
use crate::report::number::optional_number;
use crate::report::scale::{Limits, is_drawable};
use crate::report::style::{Look, Stroke};
use crate::stats::interval::Interval;

/// Measured speedup over predicted speedup of the trials that were replayed and ran live as well.
pub fn chart(view: &SweepView) -> Result<Chart, NotShown> {
    let Some(check) = &view.replay else {
        return Err(NotShown::because("no trial of the sweep was replayed"));
    };
    if check.trials.is_empty() {
        return Err(NotShown::because("no replayed trial ran live as well"));
    }
    let family = |checked: &CheckedTrial| {
        let mut trials = view.trials.iter();
        let trial = trials.find(|trial| trial.label == checked.label);
        trial.map_or("", |trial| trial.family.as_str())
    };
    let mut families: Vec<&str> = Vec::new();
    for checked in &check.trials {
        if !families.contains(&family(checked)) {
            families.push(family(checked));
        }
    }
    let within = |of: fn(&CheckedTrial) -> Interval| {
        let ends = check.trials.iter().flat_map(|checked| {
            let interval = of(checked);
            [interval.estimate, interval.low, interval.high]
        });
        let ends: Vec<f64> = ends.filter(|value| is_drawable(*value)).collect();
        let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
        (low, ends.into_iter().fold(f64::NEG_INFINITY, f64::max))
    };
    let (predicted, measured) = (
        within(|checked| checked.predicted),
        within(|checked| checked.measured),
    );
    // As far as both axes reach.
    let (low, high) = (predicted.0.max(measured.0), predicted.1.min(measured.1));
    let diagonal = (low < high).then_some(Layer::Line {
        ends: [(low, low), (high, high)],
        stroke: Stroke::reference(),
    });
    let mut layers: Vec<Layer> = diagonal.into_iter().collect();
    let mut legend = vec![LegendEntry {
        text: "predicted as measured".to_owned(),
        symbol: Symbol::Rule(Stroke::reference()),
    }];
    for name in families {
        let look = Look::of_series(place_of(view, name));
        let own = check
            .trials
            .iter()
            .filter(|checked| family(checked) == name);
        layers.push(Layer::Series {
            points: own
                .map(|checked| Point::with_intervals(checked.predicted, checked.measured))
                .collect(),
            look,
            is_joined: false,
        });
        legend.push(LegendEntry {
            text: name.to_owned(),
            symbol: Symbol::Marker(look),
        });
    }
    let percent = |share: Option<f64>| optional_number(share.map(|share| 100.0 * share), 1);
    let summary = format!(
        "Median error {} %, largest {} %, rank correlation {}, n = {} trials.",
        percent(check.median_error),
        percent(check.largest_error),
        optional_number(check.rank_correlation, 3),
        check.trials.len()
    );
    let intervals = check.trials.iter();
    let intervals = intervals.flat_map(|checked| [checked.predicted, checked.measured]);
    Ok(Chart {
        title: String::new(),
        subtitle: String::new(),
        n_columns: 1,
        legend,
        notes: notes([error_bar_note(intervals), Some(summary)]),
        panels: vec![Panel {
            title: String::new(),
            detail: String::new(),
            x: Axis::new("predicted speedup (×)", Limits::NONE),
            y: Axis::new("measured speedup (×)", Limits::NONE),
            layers,
        }],
    })
}
