//! How long does a prompt take, at best, usually, and at worst?

use super::{Compared, NotShown, notes, place_of};
use crate::analysis::details::Latency;
use crate::analysis::view::SweepView;
use crate::record::schema::Mode;
use crate::report::chart::{Axis, Chart, Layer, LegendEntry, Panel, Point, Symbol};
use crate::report::scale::Limits;
use crate::report::style::{Dash, INK, Look, Marker};
use crate::stats::sample::Sample;

/// With the baseline.
const MOST_CURVES: usize = 7;
/// Quantiles that have a mark.
const QUANTILES: [f64; 13] = [
    0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0,
];

/// Quantiles of the time from a prompt's start to its end, one curve per decoder.
pub fn chart(view: &SweepView) -> Result<Chart, NotShown> {
    let latencies = &view.details.latencies;
    if latencies.is_empty() {
        return Err(NotShown::because(
            "the run folder holds no generations (generations.parquet)",
        ));
    }
    let of = |label: &str| {
        let is_trial = |one: &&Latency| one.label == label && one.family.is_some();
        latencies.iter().find(is_trial)
    };
    let baseline = latencies.iter().filter(|one| one.family.is_none());
    let n_baselines = baseline.clone().count();
    let compared = Compared::of(view, MOST_CURVES - n_baselines, |label| of(label).is_some());
    let mut curves: Vec<(&Latency, Look)> = baseline.map(|one| (one, BASELINE)).collect();
    curves.extend(compared.trials.iter().filter_map(|trial| {
        let look = Look::of_series(place_of(view, &trial.family));
        Some((
            of(&trial.label)?,
            Look {
                marker_size: 8.0,
                ..look
            },
        ))
    }));
    let longest = curves.iter().flat_map(|(one, _)| one.seconds.last());
    let is_short = longest.fold(0.0, |one: f64, other| one.max(*other)) < 1.0;
    let (unit, factor) = if is_short { ("ms", 1e3) } else { ("s", 1.0) };
    let layers = curves.iter().filter_map(|(latency, look)| {
        let sample = Sample::new(latency.seconds.clone()).ok()?;
        let point = |&share: &f64| Point::bare(100.0 * share, factor * sample.quantile(share));
        Some(Layer::Series {
            points: QUANTILES.iter().map(point).collect(),
            look: *look,
            is_joined: true,
        })
    });
    let is_replayed = |latency: &Latency| latency.mode == Mode::Replay;
    let replayed = curves.iter().any(|(latency, _)| is_replayed(latency));
    let legend = curves.iter().map(|(latency, look)| LegendEntry {
        text: match is_replayed(latency) {
            true => format!("{} (predicted)", latency.label),
            false => latency.label.clone(),
        },
        symbol: Symbol::Joined(*look),
    });
    Ok(Chart {
        title: String::new(),
        subtitle: String::new(),
        n_columns: 1,
        panels: vec![Panel {
            title: String::new(),
            detail: String::new(),
            x: Axis::new(
                "prompts that take at most so long (%)",
                Limits {
                    floor: Some(0.0),
                    ceiling: Some(100.0),
                    ..Limits::NONE
                },
            ),
            y: Axis::new(
                format!("latency of a prompt ({unit})"),
                Limits {
                    include: Some(0.0),
                    floor: Some(0.0),
                    ..Limits::NONE
                },
            ),
            layers: layers.collect(),
        }],
        legend: legend.collect(),
        notes: notes([
            Some(format!(
                "Quantiles over {} prompts, of each the median of its repeats.",
                view.n_prompts
            )),
            replayed.then(|| "Latencies of replayed trials are predictions.".to_owned()),
            compared.note(),
        ]),
    })
}

const BASELINE: Look = Look {
    colour: INK,
    marker: Marker::Circle,
    dash: Dash::Dashed,
    is_hollow: true,
    has_core: false,
    marker_size: 8.0,
};
