//! From timings to costs.
//!
//! Per part, size and context the median over all passes; per size the line through these medians that
//! is closest in relative terms. The error comes from a bootstrap over passes: they are drawn with
//! replacement, whole, and everything is fitted anew. What the lines cannot follow is not in it:
//! [`SizeFit::misfit`] shows that.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{CostModel, Costs, ForwardCost, Line, Part, Spread, TimingSample};
use crate::stats::sample::Sample;

const N_RESAMPLES: usize = 1_000;
const SEED: u64 = 17;

/// Why timings do not make a cost model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    #[error("no forward of the {model} was timed")]
    NoSamples { model: &'static str },
    #[error("timing {index} is {seconds} seconds, not a positive number")]
    NotPositive { index: usize, seconds: f64 },
    #[error(
        "pass {pass} did not time {part:?} with {n_rows} rows at context {context_len}, another pass did"
    )]
    Incomplete {
        part: Part,
        n_rows: usize,
        context_len: usize,
        pass: usize,
    },
}

/// How well the timings of one size fit its line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizeFit {
    pub part: Part,
    pub n_rows: usize,
    pub n_samples: usize,
    /// Root mean square of the medians' relative deviations from the line, over the contexts timed.
    pub misfit: f64,
    /// Standard error of the line at the mean of these contexts over its value there, from the
    /// bootstrap; NaN from a single pass.
    pub relative_standard_error: f64,
}

/// All timings of one part, size and context.
struct Cell {
    size: Size,
    context_len: f64,
    /// Seconds, by pass.
    by_pass: Vec<Vec<f64>>,
}

/// A part, and the rows fed.
type Size = (Part, usize);

/// A median at a context.
#[derive(Debug, Clone, Copy)]
struct Point {
    context_len: f64,
    seconds: f64,
}

impl CostModel {
    /// Fits the costs to timings. Without timings of rounds these cost nothing beyond their forwards.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn fit(samples: &[TimingSample]) -> Result<Self, FitError> {
        let cells = cells(samples)?;
        for (part, model) in [(Part::Drafter, "drafter"), (Part::Verifier, "verifier")] {
            if !cells.iter().any(|cell| cell.size.0 == part) {
                return Err(FitError::NoSamples { model });
            }
        }
        let n_passes = cells[0].by_pass.len();
        let all: Vec<usize> = (0..n_passes).collect();
        let lines = lines(&cells, &all);
        let replicates = resample(&cells, n_passes);
        let fits = lines.keys().map(|&size| {
            let values: Vec<Line> = replicates.iter().map(|lines| lines[&size]).collect();
            size_fit(size, &cells, &all, lines[&size], &values)
        });
        Ok(Self {
            fits: fits.collect(),
            costs: costs(&lines),
            spread: Spread::Resampled(replicates.iter().map(costs).collect()),
        })
    }
}

fn cells(samples: &[TimingSample]) -> Result<Vec<Cell>, FitError> {
    let is_positive = |sample: &TimingSample| sample.seconds > 0.0 && sample.seconds.is_finite();
    if let Some(index) = samples.iter().position(|sample| !is_positive(sample)) {
        let seconds = samples[index].seconds;
        return Err(FitError::NotPositive { index, seconds });
    }
    let passes: BTreeSet<usize> = samples.iter().map(|sample| sample.pass).collect();
    let mut by_place: BTreeMap<(Part, usize, usize), BTreeMap<usize, Vec<f64>>> = BTreeMap::new();
    for sample in samples {
        let place = match sample.part {
            Part::Drafter | Part::Verifier => (sample.part, sample.n_rows, sample.context_len),
            Part::Round => (Part::Round, 0, 0),
        };
        let by_pass = by_place.entry(place).or_default();
        by_pass.entry(sample.pass).or_default().push(sample.seconds);
    }
    let cells = by_place.into_iter();
    cells
        .map(|((part, n_rows, context_len), by_pass)| {
            if let Some(&pass) = passes.iter().find(|pass| !by_pass.contains_key(pass)) {
                return Err(FitError::Incomplete {
                    part,
                    n_rows,
                    context_len,
                    pass,
                });
            }
            Ok(Cell {
                size: (part, n_rows),
                context_len: context_len as f64,
                by_pass: by_pass.into_values().collect(),
            })
        })
        .collect()
}

/// Median over the passes named, which may repeat.
fn point(cell: &Cell, passes: &[usize]) -> Point {
    let seconds = passes.iter().flat_map(|&pass| &cell.by_pass[pass]).copied();
    let sample = Sample::new(seconds.collect()).expect("every pass has positive timings");
    Point {
        context_len: cell.context_len,
        seconds: sample.median(),
    }
}

fn points(size: Size, cells: &[Cell], passes: &[usize]) -> Vec<Point> {
    let of_size = cells.iter().filter(|cell| cell.size == size);
    of_size.map(|cell| point(cell, passes)).collect()
}

fn lines(cells: &[Cell], passes: &[usize]) -> BTreeMap<Size, Line> {
    let sizes: BTreeSet<Size> = cells.iter().map(|cell| cell.size).collect();
    let line = |size| (size, line_through(&points(size, cells, passes)));
    sizes.into_iter().map(line).collect()
}

/// Least squares with weights 1/t²: the sum of squared relative deviations is smallest. Flat when there
/// is one context only.
fn line_through(points: &[Point]) -> Line {
    let sum = |term: &dyn Fn(&Point) -> f64| -> f64 {
        let terms = points.iter();
        terms.map(|point| term(point) / point.seconds.powi(2)).sum()
    };
    let weight = sum(&|_| 1.0);
    let context = sum(&|point| point.context_len) / weight;
    let seconds = sum(&|point| point.seconds) / weight;
    let spread = sum(&|point| (point.context_len - context).powi(2));
    let slope = if spread > 0.0 {
        sum(&|point| (point.context_len - context) * (point.seconds - seconds)) / spread
    } else {
        0.0
    };
    Line {
        fixed_seconds: seconds - slope * context,
        seconds_per_context_token: slope,
    }
}

fn at(line: Line, context_len: f64) -> f64 {
    line.fixed_seconds + line.seconds_per_context_token * context_len
}

/// The lines of [`N_RESAMPLES`] draws of as many passes as there are; none from one pass.
fn resample(cells: &[Cell], n_passes: usize) -> Vec<BTreeMap<Size, Line>> {
    if n_passes < 2 {
        return Vec::new();
    }
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut passes = vec![0; n_passes];
    (0..N_RESAMPLES)
        .map(|_| {
            passes.fill_with(|| random.random_range(0..n_passes));
            lines(cells, &passes)
        })
        .collect()
}

fn costs(lines: &BTreeMap<Size, Line>) -> Costs {
    let of = |part: Part| {
        let sizes = lines.iter().filter(move |((of, _), _)| *of == part);
        sizes.map(|(&(_, n_rows), &line)| (n_rows, line))
    };
    Costs {
        drafter: ForwardCost::new(of(Part::Drafter).collect()),
        verifier: ForwardCost::new(of(Part::Verifier).collect()),
        draft: Line::default(),
        round_seconds: of(Part::Round)
            .next()
            .map_or(0.0, |(_, line)| line.fixed_seconds),
    }
}

fn size_fit(
    size: Size,
    cells: &[Cell],
    passes: &[usize],
    line: Line,
    replicates: &[Line],
) -> SizeFit {
    let points = points(size, cells, passes);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let squares: Vec<f64> = points
        .iter()
        .map(|point| (at(line, point.context_len) / point.seconds - 1.0).powi(2))
        .collect();
    let contexts: Vec<f64> = points.iter().map(|point| point.context_len).collect();
    let context = mean(&contexts);
    let values: Vec<f64> = replicates.iter().map(|&line| at(line, context)).collect();
    let center = mean(&values);
    let deviations: Vec<f64> = values.iter().map(|v| (v - center).powi(2)).collect();
    let of_size = cells.iter().filter(|cell| cell.size == size);
    SizeFit {
        part: size.0,
        n_rows: size.1,
        n_samples: of_size.flat_map(|cell| &cell.by_pass).map(Vec::len).sum(),
        misfit: mean(&squares).sqrt(),
        relative_standard_error: mean(&deviations).sqrt() / at(line, context),
    }
}
