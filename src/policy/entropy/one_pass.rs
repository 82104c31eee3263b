//! The sums and the two largest logits of a row, in one read of it.
//!
//! Terms are relative to the largest logit so far. A block that holds a larger one rescales what is
//! there: 2^(t + δ) = 2^t · 2^δ. That happens about ln(V / block) times in a row without order.

use std::f64::consts::LN_2;

use super::exp::{LANES, clamped_exp2};
use super::sums::{Moments, SCALE, add_chunks};

/// Chunks that are looked at twice while they are in the nearest cache.
const CHUNKS: usize = 64;

/// Where a row is largest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peak {
    pub largest: f32,
    /// Equal to `largest` when two tokens share the first place.
    pub second: f32,
    /// An index at or before the first largest logit, and less than a block before it.
    pub near: usize,
}

/// Largest and second largest by lane. NaNs are passed over: the sums find them.
#[derive(Clone, Copy)]
struct Lanes {
    first: [f32; LANES],
    second: [f32; LANES],
}

impl Lanes {
    #[inline(always)]
    fn look(&mut self, chunk: &[f32; LANES]) {
        for (lane, &x) in chunk.iter().enumerate() {
            let first = self.first[lane];
            let loser = if x > first { first } else { x };
            let second = self.second[lane];
            self.second[lane] = if loser > second { loser } else { second };
            self.first[lane] = if x > first { x } else { first };
        }
    }

    #[inline(always)]
    fn largest(&self) -> f32 {
        let larger = |a: f32, b: f32| if b > a { b } else { a };
        self.first.iter().copied().fold(f32::NEG_INFINITY, larger)
    }
}

/// Reads the row once, at temperature 1. `second` and `squares` of the moments are NaN unless
/// `all_sums`.
///
/// # Panics
/// When the row is empty.
#[inline(always)]
pub(super) fn read_once<const FMA: bool>(row: &[f32], all_sums: bool) -> (Peak, Moments) {
    if all_sums {
        let (peak, [sum, first, second, squares]) = read::<4, FMA>(row, |t, e| {
            let weighted = t * e;
            [e, weighted, t * weighted, e * e]
        });
        (peak, Moments::new(1.0, [sum, first, second, squares]))
    } else {
        let (peak, [sum, first]) = read::<2, FMA>(row, |t, e| [e, t * e]);
        (peak, Moments::new(1.0, [sum, first, f64::NAN, f64::NAN]))
    }
}

/// Sums of 2^t, t·2^t, t²·2^t and 2^2t, as many of them as asked for, by lane.
struct Sums<const N: usize> {
    totals: [[f64; LANES]; N],
}

impl<const N: usize> Sums<N> {
    /// Every t so far grows by `delta` ≤ 0; by −∞ it vanishes, unless it is a NaN.
    fn shift(&mut self, delta: f64) {
        if delta == f64::NEG_INFINITY {
            let all = self.totals.iter_mut().flatten();
            return all.for_each(|total| *total *= 0.0);
        }
        let scale = delta.exp2();
        for lane in 0..LANES {
            let mut of_lane = [0.0; 4];
            for (value, total) in of_lane.iter_mut().zip(&self.totals) {
                *value = total[lane];
            }
            let [sum, first, second, squares] = of_lane;
            let shifted = [
                sum * scale,
                (first + delta * sum) * scale,
                (second + 2.0 * delta * first + delta * delta * sum) * scale,
                squares * scale * scale,
            ];
            for (total, value) in self.totals.iter_mut().zip(shifted) {
                total[lane] = value;
            }
        }
    }

    #[inline(always)]
    fn add<const FMA: bool>(
        &mut self,
        block: &[[f32; LANES]],
        reference: f32,
        terms: &impl Fn(f32, f32) -> [f32; N],
    ) {
        add_chunks(&mut self.totals, block, &|logit| {
            let (t, e) = clamped_exp2::<FMA>((logit - reference) * SCALE);
            terms(t, e)
        });
    }
}

#[inline(always)]
fn read<const N: usize, const FMA: bool>(
    row: &[f32],
    terms: impl Fn(f32, f32) -> [f32; N],
) -> (Peak, [f64; N]) {
    assert!(!row.is_empty(), "a row of logits has at least one entry");
    let mut sums = Sums {
        totals: [[0.0; LANES]; N],
    };
    let mut lanes = Lanes {
        first: [f32::NEG_INFINITY; LANES],
        second: [f32::NEG_INFINITY; LANES],
    };
    let mut reference = f32::NEG_INFINITY;
    let (mut start, mut near) = (0, 0);
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut padded = [f32::NEG_INFINITY; LANES];
    padded[..rest.len()].copy_from_slice(rest);
    let last = if rest.is_empty() {
        &[][..]
    } else {
        std::slice::from_ref(&padded)
    };
    for block in chunks.chunks(CHUNKS).chain([last]) {
        for chunk in block {
            lanes.look(chunk);
        }
        let largest = lanes.largest();
        if largest > reference {
            sums.shift((f64::from(reference) - f64::from(largest)) / LN_2);
            reference = largest;
            near = start;
        }
        // Without a possible token so far, only a NaN counts.
        sums.add::<FMA>(block, reference.max(f32::MIN), &terms);
        start += block.len() * LANES;
    }
    if reference == f32::NEG_INFINITY {
        sums.totals = [[f64::NAN; LANES]; N];
    }
    let mut candidates = [0.0; 2 * LANES];
    candidates[..LANES].copy_from_slice(&lanes.first);
    candidates[LANES..].copy_from_slice(&lanes.second);
    candidates.sort_unstable_by(|a, b| b.total_cmp(a));
    let peak = Peak {
        largest: candidates[0],
        second: candidates[1],
        near,
    };
    (peak, sums.totals.map(|lanes| lanes.iter().sum()))
}
