//! The sums and the two largest logits of a row, in one read of it.
//!
//! Terms are relative to a reference, a logit of the row near the largest so far. A block that holds
//! one far above it is read again with that one as the reference, and what is there is rescaled:
//! 2^(t + δ) = 2^t · 2^δ. That happens once or twice in a row without order.

use std::f64::consts::LN_2;

use super::exp::{LANES, clamped_exp2};
use super::sums::{Moments, SCALE};

/// Chunks whose terms are added up in single precision: few additions per lane keep the relative
/// error near 1e-7.
const CHUNKS: usize = 16;
/// How far a logit may lie above the reference, in nats: small enough for terms that are as exact as
/// those below it.
const HEADROOM: f32 = 8.0;

/// Where a row is largest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peak {
    pub largest: f32,
    /// Equal to `largest` when two tokens share the first place.
    pub second: f32,
    /// An index at or before the first largest logit, and less than a block before it.
    pub near: usize,
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

/// Largest and second largest logit of each lane. NaNs are passed over: the sums find them.
#[derive(Clone, Copy)]
struct Largest {
    first: [f32; LANES],
    second: [f32; LANES],
}

impl Largest {
    #[inline(always)]
    fn exceeds(&self, logit: f32) -> bool {
        self.first.iter().fold(false, |any, &x| any | (x > logit))
    }
}

#[inline(always)]
fn largest_of(logits: &[f32]) -> f32 {
    let larger = |a: f32, &b: &f32| if b > a { b } else { a };
    logits.iter().fold(f32::NEG_INFINITY, larger)
}

/// Sums of 2^t, t·2^t, t²·2^t and 2^2t, as many of them as asked for, by lane.
struct Sums<const N: usize>([[f64; LANES]; N]);

impl<const N: usize> Sums<N> {
    /// Every t so far grows by `delta` ≤ 0.
    fn shift(&mut self, delta: f64) {
        let scale = delta.exp2();
        for lane in 0..LANES {
            let mut of_lane = [0.0; 4];
            for (value, total) in of_lane.iter_mut().zip(&self.0) {
                *value = total[lane];
            }
            let [sum, first, second, squares] = of_lane;
            let shifted = [
                sum * scale,
                (first + delta * sum) * scale,
                (second + 2.0 * delta * first + delta * delta * sum) * scale,
                squares * scale * scale,
            ];
            for (total, value) in self.0.iter_mut().zip(shifted) {
                total[lane] = value;
            }
        }
    }

    #[inline(always)]
    fn add(&mut self, block: &[[f32; LANES]; N]) {
        for (total, block) in self.0.iter_mut().zip(block) {
            for (total, &x) in total.iter_mut().zip(block) {
                *total += f64::from(x);
            }
        }
    }
}

/// The largest logits up to and with the block, and the sums of its terms.
#[inline(always)]
fn look<const N: usize, const FMA: bool>(
    block: &[[f32; LANES]],
    largest: Largest,
    reference: f32,
    terms: &impl Fn(f32, f32) -> [f32; N],
) -> (Largest, [[f32; LANES]; N]) {
    // In arrays of their own, and lane by lane, LLVM keeps all of these in registers.
    let Largest {
        mut first,
        mut second,
    } = largest;
    let mut sums = [[0.0; LANES]; N];
    for chunk in block {
        for lane in 0..LANES {
            let (x, a, b) = (chunk[lane], first[lane], second[lane]);
            let loser = if x > a { a } else { x };
            second[lane] = if loser > b { loser } else { b };
            first[lane] = if x > a { x } else { a };
            let (t, e) = clamped_exp2::<FMA>((x - reference) * SCALE);
            let values = terms(t, e);
            for term in 0..N {
                sums[term][lane] += values[term];
            }
        }
    }
    (Largest { first, second }, sums)
}

#[inline(always)]
fn read<const N: usize, const FMA: bool>(
    row: &[f32],
    terms: impl Fn(f32, f32) -> [f32; N],
) -> (Peak, [f64; N]) {
    assert!(!row.is_empty(), "a row of logits has at least one entry");
    let delta = |from: f32, to: f32| (f64::from(from) - f64::from(to)) / LN_2;
    let mut sums = Sums([[0.0; LANES]; N]);
    let mut seen = Largest {
        first: [f32::NEG_INFINITY; LANES],
        second: [f32::NEG_INFINITY; LANES],
    };
    // Without a possible token so far, only a NaN counts.
    let mut reference = largest_of(&row[..row.len().min(LANES)]).max(f32::MIN);
    let mut largest = f32::NEG_INFINITY;
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
        let (mut with_block, mut of_block) = look::<N, FMA>(block, seen, reference, &terms);
        if with_block.exceeds(largest) {
            largest = largest_of(&with_block.first);
            near = start;
            if largest > reference + HEADROOM {
                sums.shift(delta(reference, largest));
                reference = largest;
                (with_block, of_block) = look::<N, FMA>(block, seen, reference, &terms);
            }
        }
        seen = with_block;
        sums.add(&of_block);
        start += block.len() * LANES;
    }
    if largest == f32::NEG_INFINITY {
        sums.0 = [[f64::NAN; LANES]; N];
    }
    sums.shift(delta(reference, largest));
    let mut candidates = [0.0; 2 * LANES];
    candidates[..LANES].copy_from_slice(&seen.first);
    candidates[LANES..].copy_from_slice(&seen.second);
    candidates.sort_unstable_by(|a, b| b.total_cmp(a));
    let peak = Peak {
        largest: candidates[0],
        second: candidates[1],
        near,
    };
    (peak, sums.0.map(|lanes| lanes.iter().sum()))
}
