//! From timings to costs.
//!
//! Per part and size the line over the context with the least squares: it goes through the mean, and
//! what is predicted are sums. Timings far above the median of their size were interrupted and are left
//! out, unless their pass has no better one. The error comes from a bootstrap over passes: they are drawn with replacement, whole, and
//! everything is fitted anew. [`SizeFit`] shows how far single timings are from their line.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{CostModel, Costs, ForwardCost, Line, Part, Spread, TimingSample};
use crate::stats::sample::Sample;

const N_RESAMPLES: usize = 1_000;
const SEED: u64 = 17;
/// A timing of more medians than this was interrupted.
const INTERRUPTED: f64 = 3.0;

/// Why timings do not make a cost model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    #[error("{part:?} was not timed with the same number of rows in every pass")]
    NoSamples { part: Part },
    #[error("timing {index} is {seconds} seconds, not a positive number")]
    NotPositive { index: usize, seconds: f64 },
}

/// How well the timings of one size fit its line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizeFit {
    pub part: Part,
    pub n_rows: usize,
    /// Timings used.
    pub n_samples: usize,
    /// Timings left out: interrupted.
    pub n_left_out: usize,
    /// Root mean square of the timings' distances from the line, over their mean.
    pub residual: f64,
    /// Standard error of the line at the mean context over its value there, from the bootstrap; NaN from
    /// a single pass.
    pub relative_standard_error: f64,
}

/// A part, and the rows fed.
type Size = (Part, usize);

/// Sums over timings, enough for a line.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    n: f64,
    context: f64,
    seconds: f64,
    context_context: f64,
    context_seconds: f64,
    seconds_seconds: f64,
}

/// The timings of one size.
#[derive(Debug, Clone, Default)]
struct Cell {
    by_pass: Vec<Moments>,
    n_left_out: usize,
}

impl CostModel {
    /// Fits the costs to timings. Sizes that some pass did not time are left out.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn fit(samples: &[TimingSample]) -> Result<Self, FitError> {
        let cells = cells(samples)?;
        let n_passes = cells.values().map(|cell| cell.by_pass.len()).max();
        let n_passes = n_passes.unwrap_or(0);
        let all: Vec<usize> = (0..n_passes).collect();
        let lines = lines(&cells, &all);
        let replicates = resample(&cells, n_passes);
        let fits = cells.iter().map(|(&size, cell)| {
            let values: Vec<Line> = replicates.iter().map(|lines| lines[&size]).collect();
            size_fit(size, cell, lines[&size], &values)
        });
        let fits = fits.collect();
        let replicates = replicates.iter().map(costs).collect::<Result<_, _>>()?;
        Ok(Self {
            fits,
            costs: costs(&lines)?,
            spread: Spread::Resampled(replicates),
        })
    }
}

impl Moments {
    fn add(&mut self, context: f64, seconds: f64) {
        *self += Self {
            n: 1.0,
            context,
            seconds,
            context_context: context * context,
            context_seconds: context * seconds,
            seconds_seconds: seconds * seconds,
        };
    }

    /// The least squares. Flat where the contexts do not differ, or where a longer one would be cheaper.
    fn line(&self) -> Line {
        let spread = self.context_context - self.context * self.context / self.n;
        let shared = self.context_seconds - self.context * self.seconds / self.n;
        // Below that the contexts are one, up to rounding.
        let is_spread = spread > 1e-9 * self.context_context;
        let slope = if is_spread {
            (shared / spread).max(0.0)
        } else {
            0.0
        };
        Line {
            fixed_seconds: (self.seconds - slope * self.context) / self.n,
            seconds_per_context_token: slope,
        }
    }

    /// Mean square of the distances from `line`.
    fn mean_square_from(&self, line: Line) -> f64 {
        let (a, b) = (line.fixed_seconds, line.seconds_per_context_token);
        let sum = self.seconds_seconds - 2.0 * a * self.seconds - 2.0 * b * self.context_seconds
            + self.n * a * a
            + 2.0 * a * b * self.context
            + b * b * self.context_context;
        (sum / self.n).max(0.0)
    }
}

impl AddAssign for Moments {
    fn add_assign(&mut self, other: Self) {
        self.n += other.n;
        self.context += other.context;
        self.seconds += other.seconds;
        self.context_context += other.context_context;
        self.context_seconds += other.context_seconds;
        self.seconds_seconds += other.seconds_seconds;
    }
}

impl Cell {
    /// All timings of the passes named, which may repeat.
    fn moments(&self, passes: &[usize]) -> Moments {
        let mut sum = Moments::default();
        for &pass in passes {
            sum += self.by_pass[pass];
        }
        sum
    }
}

/// The sizes that every pass has timed.
fn cells(samples: &[TimingSample]) -> Result<BTreeMap<Size, Cell>, FitError> {
    let is_positive = |sample: &TimingSample| sample.seconds > 0.0 && sample.seconds.is_finite();
    if let Some(index) = samples.iter().position(|sample| !is_positive(sample)) {
        let seconds = samples[index].seconds;
        return Err(FitError::NotPositive { index, seconds });
    }
    let n_passes = samples.iter().map(|sample| sample.pass + 1).max();
    let mut by_size: BTreeMap<Size, Vec<&TimingSample>> = BTreeMap::new();
    for sample in samples {
        let size = (sample.part, sample.n_rows);
        by_size.entry(size).or_default().push(sample);
    }
    let mut cells = BTreeMap::new();
    for (size, timings) in by_size {
        let seconds = timings.iter().map(|sample| sample.seconds).collect();
        let median = Sample::new(seconds).map_or(f64::INFINITY, |all| all.median());
        let mut cell = Cell {
            by_pass: vec![Moments::default(); n_passes.unwrap_or(0)],
            n_left_out: 0,
        };
        let mut fastest: BTreeMap<usize, f64> = BTreeMap::new();
        for sample in &timings {
            let least = fastest.entry(sample.pass).or_insert(f64::INFINITY);
            *least = least.min(sample.seconds);
        }
        for sample in timings {
            // Of a pass that was interrupted throughout, the least disturbed timing has to do: without
            // any, the size would be lost.
            let most = (INTERRUPTED * median).max(fastest[&sample.pass]);
            if sample.seconds > most {
                cell.n_left_out += 1;
            } else {
                cell.by_pass[sample.pass].add(sample.context_len as f64, sample.seconds);
            }
        }
        if cell.by_pass.iter().all(|moments| moments.n > 0.0) {
            cells.insert(size, cell);
        }
    }
    Ok(cells)
}

fn lines(cells: &BTreeMap<Size, Cell>, passes: &[usize]) -> BTreeMap<Size, Line> {
    let line = |(&size, cell): (&Size, &Cell)| (size, cell.moments(passes).line());
    cells.iter().map(line).collect()
}

/// The lines of [`N_RESAMPLES`] draws of as many passes as there are; none from one pass.
fn resample(cells: &BTreeMap<Size, Cell>, n_passes: usize) -> Vec<BTreeMap<Size, Line>> {
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

fn costs(lines: &BTreeMap<Size, Line>) -> Result<Costs, FitError> {
    let by_rows = |part: Part| {
        let sizes = lines.iter().filter(|((of, _), _)| *of == part);
        let by_rows: Vec<(usize, Line)> =
            sizes.map(|(&(_, n_rows), &line)| (n_rows, line)).collect();
        match by_rows.is_empty() {
            true => Err(FitError::NoSamples { part }),
            false => Ok(ForwardCost::new(by_rows)),
        }
    };
    Ok(Costs {
        step: by_rows(Part::Step)?.line(1),
        draft_start: by_rows(Part::DraftStart)?,
        drafter: by_rows(Part::Drafter)?.line(1),
        verifier: by_rows(Part::Verifier)?,
        round: by_rows(Part::Round)?,
    })
}

fn size_fit((part, n_rows): Size, cell: &Cell, line: Line, replicates: &[Line]) -> SizeFit {
    let all: Vec<usize> = (0..cell.by_pass.len()).collect();
    let moments = cell.moments(&all);
    let mean_seconds = moments.seconds / moments.n;
    let at = |line: Line| {
        line.fixed_seconds + line.seconds_per_context_token * moments.context / moments.n
    };
    let values: Vec<f64> = replicates.iter().copied().map(at).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let center = mean(&values);
    let deviations: Vec<f64> = values.iter().map(|v| (v - center).powi(2)).collect();
    SizeFit {
        part,
        n_rows,
        n_samples: moments.n as usize,
        n_left_out: cell.n_left_out,
        residual: moments.mean_square_from(line).sqrt() / mean_seconds,
        relative_standard_error: mean(&deviations).sqrt() / mean_seconds,
    }
}
