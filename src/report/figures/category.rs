//! On which kinds of prompts is a decoder faster than the best fixed draft length?

use super::{Compared, NotShown, error_bar_note, notes, place_of};
use crate::analysis::details::{Category, CategoryTrial};
use crate::analysis::view::{SweepView, finite};
use crate::report::chart::{Across, Axis, Chart, Layer, LegendEntry, Panel, Point, Symbol};
use crate::report::scale::Limits;
use crate::report::style::{Look, Stroke};
use crate::report::verdict::MIN_PROMPTS;

/// More rows or more marks in a row would touch each other.
const MOST_CATEGORIES: usize = 10;
const MOST_TRIALS: usize = 7;
/// Share of a row that its marks take.
const SPREAD: f64 = 0.76;

/// A row per category, a mark per trial: the ratio of summed wall times with its interval.
pub fn chart(view: &SweepView) -> Result<Chart, NotShown> {
    let categories = &view.details.categories;
    if categories.is_empty() {
        return Err(NotShown::because(
            "the run folder holds no generations (generations.parquet)",
        ));
    }
    let has_ratio = |label: &str| {
        let mut trials = categories.iter().flat_map(|category| &category.trials);
        trials.any(|trial| trial.label == label && trial.against_fixed.is_some())
    };
    let compared = Compared::of(view, MOST_TRIALS, has_ratio);
    if compared.trials.is_empty() {
        return Err(NotShown::because(
            "no trial was timed on the same prompts as a fixed draft length",
        ));
    }
    let shown = &categories[..categories.len().min(MOST_CATEGORIES)];
    let ratio = |category: &Category, label: &str| {
        let of_trial = |trial: &&CategoryTrial| trial.label == label;
        finite(category.trials.iter().find(of_trial)?.against_fixed)
    };
    let step = SPREAD / compared.trials.len() as f64;
    let mut layers = vec![Layer::Rule {
        across: Across::X(1.0),
        stroke: Stroke::reference(),
    }];
    let mut legend = vec![LegendEntry {
        text: format!(
            "best fixed k ({})",
            view.best_fixed().map_or("none", |fixed| &fixed.label)
        ),
        symbol: Symbol::Rule(Stroke::reference()),
    }];
    for (number, trial) in compared.trials.iter().enumerate() {
        let look = Look::of_series(place_of(view, &trial.family));
        let shift = SPREAD / 2.0 - step * (number as f64 + 0.5);
        let points = shown
            .iter()
            .rev()
            .enumerate()
            .filter_map(|(row, category)| {
                let ratio = ratio(category, &trial.label)?;
                Some(Point::with_x_interval(ratio, row as f64 + shift))
            });
        layers.push(Layer::Series {
            points: points.collect(),
            look: if trial.lossless { look } else { look.hollow() },
            is_joined: false,
        });
        let mark = if trial.lossless { "" } else { "~" };
        legend.push(LegendEntry {
            text: format!("{mark}{}", trial.label),
            symbol: Symbol::Marker(if trial.lossless { look } else { look.hollow() }),
        });
    }
    let names = shown
        .iter()
        .rev()
        .map(|category| format!("{} (n = {})", category.name, category.n_prompts));
    let intervals = shown.iter().flat_map(|category| {
        let ratio = &ratio;
        let trials = compared.trials.iter();
        trials.filter_map(move |trial| ratio(category, &trial.label))
    });
    let has_few = shown
        .iter()
        .any(|category| category.n_prompts < MIN_PROMPTS);
    let few = has_few.then(|| {
        format!("Intervals over fewer than {MIN_PROMPTS} prompts are narrower than they should be.")
    });
    let n_hidden = categories.len() - shown.len();
    let hidden = (n_hidden > 0).then(|| format!("{n_hidden} more categories are not shown."));
    let lossy = compared.trials.iter().any(|trial| !trial.lossless);
    let lossy = lossy.then(|| "Open marks and ~: lossy output.".to_owned());
    Ok(Chart {
        title: String::new(),
        subtitle: String::new(),
        n_columns: 1,
        legend,
        notes: notes([
            error_bar_note(intervals),
            compared.note(),
            lossy,
            few,
            hidden,
        ]),
        panels: vec![Panel {
            title: String::new(),
            detail: String::new(),
            x: Axis::new(
                "wall time of the best fixed k / wall time of the trial (×)",
                Limits::SPEEDUP,
            ),
            y: Axis::of_names("", names.collect()),
            layers,
        }],
    })
}
