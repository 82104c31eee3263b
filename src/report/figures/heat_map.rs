//! How does the speedup depend on two parameters at a time?

use super::{NotShown, notes};
use crate::analysis::view::{SweepView, TrialView};
use crate::report::chart::{Axis, Chart, HeatCell, Layer, LegendEntry, Panel, Symbol};
use crate::report::number::number;
use crate::report::scale::is_drawable;
use crate::report::style::ramp;
use crate::stats::sample::Sample;

/// Two rows of two.
const MOST_PANELS: usize = 4;
/// More cells in a row or column have no numbers in them.
const MOST_ANNOTATED: usize = 12;
/// Steps of the ramp that the legend names.
const LEGEND_STEPS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// Trials of one decoder entry and stopping rule over two of their axes.
struct Grid<'a> {
    name: String,
    x: &'a str,
    y: &'a str,
    /// Rising values of the axes.
    columns: Vec<f64>,
    rows: Vec<f64>,
    /// Column, row, mean speedup, number of trials behind it.
    cells: Vec<(usize, usize, f64, usize)>,
}

/// One panel per decoder entry that has two numeric axes; a cell is the mean speedup of its trials.
pub fn chart(view: &SweepView) -> Result<Chart, NotShown> {
    let mut grids: Vec<Grid<'_>> = groups(view)
        .into_iter()
        .filter_map(|(name, trials)| grid(name, &trials))
        .collect();
    if grids.is_empty() {
        return Err(NotShown::because(
            "no decoder entry has a grid over two numeric axes",
        ));
    }
    grids.sort_by_key(|grid| std::cmp::Reverse(grid.cells.len()));
    let n_hidden = grids.len().saturating_sub(MOST_PANELS);
    grids.truncate(MOST_PANELS);
    let means = || grids.iter().flat_map(|grid| &grid.cells).map(|cell| cell.2);
    let low = means().fold(f64::INFINITY, f64::min);
    let high = means().fold(f64::NEG_INFINITY, f64::max);
    let share = |speedup: f64| match high > low {
        true => (speedup - low) / (high - low),
        false => 0.5,
    };
    let panels = grids.iter().map(|grid| panel(grid, share)).collect();
    let legend = LEGEND_STEPS
        .iter()
        .filter(|step| high > low || **step == 0.0);
    let most = grids.iter().flat_map(|grid| &grid.cells).map(|cell| cell.3);
    let averaged = most.max().filter(|most| *most > 1).map(|most| {
        format!("Cells are means over trials that differ in other axes, at most {most} each.")
    });
    let half_widths: Vec<f64> = view
        .trials
        .iter()
        .filter_map(TrialView::speedup)
        .filter(|speedup| speedup.is_bounded() && speedup.confidence < 1.0)
        .map(|speedup| (speedup.high - speedup.low) / 2.0)
        .collect();
    let noise = Sample::new(half_widths).ok().map(|widths| {
        let width = number(widths.median(), 2);
        format!("The interval of a single trial reaches ±{width} in the median.")
    });
    let decimals = if high - low < 0.1 { 3 } else { 2 };
    let hidden = (n_hidden > 0).then(|| format!("{n_hidden} more grids are not shown."));
    Ok(Chart {
        title: String::new(),
        subtitle: String::new(),
        n_columns: grids.len().min(2),
        panels,
        legend: legend
            .map(|step| LegendEntry {
                text: format!("{}×", number(low + step * (high - low), decimals)),
                symbol: Symbol::Swatch(ramp(share(low + step * (high - low)))),
            })
            .collect(),
        notes: notes([
            Some(
                "Colour: speedup over autoregressive decoding, one scale for all panels."
                    .to_owned(),
            ),
            averaged,
            noise,
            hidden,
        ]),
    })
}

/// Trials by decoder entry and stopping rule, in the order of the plan.
fn groups(view: &SweepView) -> Vec<(String, Vec<&TrialView>)> {
    let mut groups: Vec<(String, Vec<&TrialView>)> = Vec::new();
    let has_speedup = |trial: &&TrialView| {
        let speedup = trial.speedup();
        speedup.is_some_and(|speedup| is_drawable(speedup.estimate))
    };
    for trial in view.trials.iter().filter(has_speedup) {
        let rule = trial.axis("stopping_strategy").or_else(|| {
            trial
                .axes
                .iter()
                .find(|(path, _)| path == "stop.kind")
                .map(|(_, kind)| kind.as_str())
        });
        let name = match rule {
            Some(rule) if rule != trial.family => format!("{} · {rule}", trial.family),
            Some(_) | None => trial.family.clone(),
        };
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, trials)) => trials.push(trial),
            None => groups.push((name, vec![trial])),
        }
    }
    groups
}

fn value(trial: &TrialView, axis: &str) -> Option<f64> {
    let (_, text) = trial.axes.iter().find(|(path, _)| path == axis)?;
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Rising distinct values of an axis.
fn values(trials: &[&TrialView], axis: &str) -> Vec<f64> {
    let mut values: Vec<f64> = trials
        .iter()
        .filter_map(|trial| value(trial, axis))
        .collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// The pair of numeric axes with the most cells; `None` when fewer than two axes vary.
fn grid<'a>(name: String, trials: &[&'a TrialView]) -> Option<Grid<'a>> {
    let mut axes: Vec<&'a str> = Vec::new();
    for (path, _) in trials.iter().flat_map(|trial| &trial.axes) {
        if !axes.contains(&path.as_str()) && values(trials, path).len() > 1 {
            axes.push(path);
        }
    }
    let pairs = axes
        .iter()
        .enumerate()
        .flat_map(|(place, x)| axes[place + 1..].iter().map(move |y| (*x, *y)));
    let n_cells = |(x, y): (&str, &str)| filled(trials, x, y).len();
    let (x, y) = pairs.reduce(|best, next| match n_cells(next) > n_cells(best) {
        true => next,
        false => best,
    })?;
    let (columns, rows) = (values(trials, x), values(trials, y));
    Some(Grid {
        name,
        x,
        y,
        columns,
        rows,
        cells: filled(trials, x, y),
    })
}

fn filled(trials: &[&TrialView], x: &str, y: &str) -> Vec<(usize, usize, f64, usize)> {
    let (columns, rows) = (values(trials, x), values(trials, y));
    let mut cells = Vec::new();
    for (column, &at_x) in columns.iter().enumerate() {
        for (row, &at_y) in rows.iter().enumerate() {
            let speedups: Vec<f64> = trials
                .iter()
                .filter(|trial| value(trial, x) == Some(at_x) && value(trial, y) == Some(at_y))
                .filter_map(|trial| Some(trial.speedup()?.estimate))
                .collect();
            if !speedups.is_empty() {
                let mean = speedups.iter().sum::<f64>() / speedups.len() as f64;
                cells.push((column, row, mean, speedups.len()));
            }
        }
    }
    cells
}

fn panel(grid: &Grid<'_>, share: impl Fn(f64) -> f64) -> Panel {
    let is_annotated = grid.columns.len().max(grid.rows.len()) <= MOST_ANNOTATED;
    let cells = grid
        .cells
        .iter()
        .map(|&(column, row, speedup, _)| HeatCell {
            x: column as f64,
            y: row as f64,
            colour: ramp(share(speedup)),
            text: if is_annotated {
                number(speedup, 2)
            } else {
                String::new()
            },
        });
    let names = |values: &[f64]| values.iter().map(f64::to_string).collect();
    Panel {
        title: grid.name.clone(),
        detail: String::new(),
        x: Axis::of_names(grid.x, names(&grid.columns)),
        y: Axis::of_names(grid.y, names(&grid.rows)),
        layers: vec![Layer::Cells(cells.collect())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::view::DraftRule;
    use crate::report::small_view::{trial, view};

    fn point(theta: &str, max: &str, kind: &str, speedup: f64) -> TrialView {
        let axis = |path: &str, value: &str| (path.to_owned(), value.to_owned());
        TrialView {
            label: format!("{theta} {max} {kind}"),
            family: "ebsd".to_owned(),
            axes: vec![
                axis("theta_abs", theta),
                axis("max_draft_len", max),
                axis("entropy_type", kind),
            ],
            ..trial("", DraftRule::Entropy, speedup, vec![])
        }
    }

    #[test]
    fn a_cell_is_the_mean_over_the_axes_that_are_not_shown() {
        let view = view(vec![
            point("0.5", "10", "shannon", 1.0),
            point("0.5", "10", "renyi", 2.0),
            point("0.5", "8", "shannon", 1.2),
            point("1.0", "8", "shannon", 1.4),
        ]);
        let chart = chart(&view).unwrap();
        let Layer::Cells(cells) = &chart.panels[0].layers[0] else {
            panic!("a heat map has cells");
        };
        let facts: Vec<(f64, f64, &str)> = cells
            .iter()
            .map(|cell| (cell.x, cell.y, cell.text.as_str()))
            .collect();
        // Draft lengths are in the order of numbers: 8 before 10.
        assert_eq!(
            facts,
            [(0.0, 0.0, "1.20"), (0.0, 1.0, "1.50"), (1.0, 0.0, "1.40")]
        );
        assert_eq!(chart.panels[0].y.names, ["8", "10"]);
        assert!(chart.notes[0].contains("at most 2 each"));
    }

    #[test]
    fn one_numeric_axis_makes_no_heat_map() {
        let view = view(vec![
            point("0.5", "8", "shannon", 1.0),
            point("1.0", "8", "renyi", 2.0),
        ]);
        assert!(chart(&view).is_err());
    }
}
