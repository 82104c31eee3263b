//! Passes over a row of logits.

use std::f64::consts::{LN_2, LOG2_E};

use super::exp::{LANES, clamped_exp2};

/// Sums over the row, with x = (logit − largest) / temperature.
pub(super) struct Moments {
    pub temperature: f64,
    /// Σ e^x.
    pub sum: f64,
    /// Σ x·e^x.
    pub first: f64,
    /// Σ x²·e^x.
    pub second: f64,
    /// Σ e^2x.
    pub squares: f64,
}

/// Bits per nat, at temperature 1.
pub(super) const SCALE: f32 = LOG2_E as f32;

impl Moments {
    /// From Σ 2^t, Σ t·2^t, Σ t²·2^t and Σ 2^2t, where t is x in bits.
    #[inline(always)]
    pub fn new(temperature: f64, [sum, first, second, squares]: [f64; 4]) -> Self {
        Self {
            temperature,
            // A power of NaN may look like a number, a product with NaN does not.
            sum: if first.is_nan() { f64::NAN } else { sum },
            first: first * LN_2,
            second: second * (LN_2 * LN_2),
            squares,
        }
    }

    /// `second` and `squares` are NaN unless `all_sums`.
    #[inline(always)]
    pub fn read<const FMA: bool>(
        row: &[f32],
        largest: f32,
        temperature: f64,
        all_sums: bool,
    ) -> Self {
        let sums = if all_sums {
            block_sums::<4, FMA>(row, largest, temperature, |t, e| {
                let weighted = t * e;
                [e, weighted, t * weighted, e * e]
            })
        } else {
            let [sum, first] = block_sums::<2, FMA>(row, largest, temperature, |t, e| [e, t * e]);
            [sum, first, f64::NAN, f64::NAN]
        };
        Self::new(temperature, sums)
    }
}

/// Sums `terms(t, 2^t)` over the row, with t = (logit − largest) / temperature in bits: 2^t is e^x,
/// and t·ln 2 is x.
#[inline(always)]
pub(super) fn block_sums<const N: usize, const FMA: bool>(
    row: &[f32],
    largest: f32,
    temperature: f64,
    terms: impl Fn(f32, f32) -> [f32; N],
) -> [f64; N] {
    let scale = (LOG2_E / temperature) as f32;
    let terms = |logit: f32| {
        let (t, e) = clamped_exp2::<FMA>((logit - largest) * scale);
        terms(t, e)
    };
    let mut totals = [[0.0; LANES]; N];
    let (chunks, rest) = row.as_chunks::<LANES>();
    add_chunks(&mut totals, chunks, &terms);
    if !rest.is_empty() {
        let mut padded = [f32::NEG_INFINITY; LANES];
        padded[..rest.len()].copy_from_slice(rest);
        add_chunks(&mut totals, &[padded], &terms);
    }
    totals.map(|lanes| lanes.iter().sum())
}

/// Adds up in single precision by blocks, the blocks in double, each lane apart.
#[inline(always)]
fn add_chunks<const N: usize>(
    totals: &mut [[f64; LANES]; N],
    chunks: &[[f32; LANES]],
    terms: &impl Fn(f32) -> [f32; N],
) {
    /// Few additions per lane keep the relative error of a block near 1e-7.
    const CHUNKS_PER_BLOCK: usize = 16;
    for block in chunks.chunks(CHUNKS_PER_BLOCK) {
        let mut lanes = [[0.0_f32; LANES]; N];
        for chunk in block {
            for lane in 0..LANES {
                let values = terms(chunk[lane]);
                for term in 0..N {
                    lanes[term][lane] += values[term];
                }
            }
        }
        for (total, block) in totals.iter_mut().zip(&lanes) {
            for (total, &x) in total.iter_mut().zip(block) {
                *total += f64::from(x);
            }
        }
    }
}

/// The `k` largest logits in falling order (all of them when there are fewer); those that are no number
/// are passed over.
///
/// The k-th largest of the maxima of groups is a bound below the k-th largest logit, and with many more
/// groups than k few logits more than k reach it.
#[inline(always)]
pub(super) fn largest_values(row: &[f32], k: usize) -> Vec<f32> {
    let k = k.min(row.len());
    if k == 0 {
        return Vec::new();
    }
    let falling = |a: &f32, b: &f32| b.total_cmp(a);
    let bound = bound_below(row, k);
    let mut kept = Vec::with_capacity(2 * k + LANES);
    for chunk in row.chunks(LANES) {
        if !chunk.iter().fold(false, |any, &x| any | (x >= bound)) {
            continue;
        }
        // Every value is written, and the next one over it unless it counts: no branch to guess.
        let mut values = [0.0; LANES];
        let mut n = 0;
        for &x in chunk {
            values[n] = x;
            n += usize::from(x >= bound);
        }
        kept.extend_from_slice(&values[..n]);
    }
    if kept.len() > k {
        kept.select_nth_unstable_by(k - 1, falling);
        kept.truncate(k);
    }
    kept.sort_unstable_by(falling);
    kept
}

/// A number that at least `k` logits reach, where that many are numbers.
#[inline(always)]
fn bound_below(row: &[f32], k: usize) -> f32 {
    const GROUPS_PER_VALUE: usize = 4;
    let n_groups = (GROUPS_PER_VALUE * k).next_multiple_of(LANES);
    if row.len() <= n_groups {
        return f32::NEG_INFINITY;
    }
    let mut largest = vec![f32::NEG_INFINITY; n_groups];
    for stretch in row.chunks(n_groups) {
        for (largest, &x) in largest.iter_mut().zip(stretch) {
            *largest = if x > *largest { x } else { *largest };
        }
    }
    let falling = |a: &f32, b: &f32| b.total_cmp(a);
    *largest.select_nth_unstable_by(k - 1, falling).1
}
