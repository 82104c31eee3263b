//! What stands between the products of a forward, on rows of f32. LLVM vectorises these loops for the
//! processor that they run on; what they call is inlined, or it would be compiled without its vectors.

use std::f32::consts::LOG2_E;

use pulp::{Arch, Simd, WithSimd};

use crate::policy::entropy::exp::{LANES, clamped_exp2};

/// x + y, in place of x.
pub fn add_to(x: &mut [f32], y: &[f32]) {
    assert_eq!(x.len(), y.len());
    struct Add<'a>(&'a mut [f32], &'a [f32]);
    impl WithSimd for Add<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for (x, y) in self.0.iter_mut().zip(self.1) {
                *x += y;
            }
        }
    }
    Arch::new().dispatch(Add(x, y));
}

/// x / √(mean(x²) + ε) · weight
pub fn rms_norm(x: &[f32], weight: &[f32], epsilon: f64, out: &mut [f32]) {
    assert!(x.len() == weight.len() && x.len() == out.len());
    struct Norm<'a>(&'a [f32], &'a [f32], f64, &'a mut [f32]);
    impl WithSimd for Norm<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            normalize(self.0, self.1, self.2, self.3);
        }
    }
    Arch::new().dispatch(Norm(x, weight, epsilon, out));
}

/// gate · σ(gate) · up, where `width` gates and as many values of the up projection take turns.
pub fn gate(projected: &[f32], width: usize, out: &mut [f32]) {
    assert!(projected.len() >= 2 * out.len());
    struct Gate<'a>(&'a [f32], usize, &'a mut [f32]);
    impl WithSimd for Gate<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            let pairs = self.0.chunks_exact(2 * self.1);
            for (pair, out) in pairs.zip(self.2.chunks_mut(self.1)) {
                let (gates, ups) = pair.split_at(self.1);
                for ((out, &x), &up) in out.iter_mut().zip(gates).zip(ups) {
                    let e = exp_below_zero(-x.abs());
                    let numerator = if x < 0.0 { e } else { 1.0 };
                    *out = x * (numerator / (1.0 + e)) * up;
                }
            }
        }
    }
    Arch::new().dispatch(Gate(projected, width, out));
}

/// One head of a row, on its way from the projection to a query or the cache.
#[derive(Debug)]
pub struct Head<'a> {
    pub x: &'a [f32],
    /// Weight and ε, where heads are normalised.
    pub norm: Option<(&'a [f32], f64)>,
    /// See [`Rope::tables`](crate::model::rope::Rope::tables).
    pub cos: &'a [f32],
    pub sin: &'a [f32],
    pub scale: f32,
    pub out: &'a mut [f32],
}

impl Head<'_> {
    /// Norms, turns and scales `x`.
    pub fn place(self) {
        let len = self.x.len();
        assert!([self.cos.len(), self.sin.len(), self.out.len()] == [len; 3]);
        assert!(len.is_multiple_of(2));
        Arch::new().dispatch(self);
    }
}

impl WithSimd for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        match self.norm {
            Some((weight, epsilon)) => normalize(self.x, weight, epsilon, self.out),
            None => self.out.copy_from_slice(self.x),
        }
        let half = self.x.len() / 2;
        let (first, second) = self.out.split_at_mut(half);
        let turns = self.cos.split_at(half);
        let turns = (turns, self.sin.split_at(half));
        for index in 0..half {
            let (x, y) = (first[index], second[index]);
            let ((cos, cos_of_second), (sin, sin_of_second)) = turns;
            first[index] = (x * cos[index] + y * sin[index]) * self.scale;
            second[index] = (y * cos_of_second[index] + x * sin_of_second[index]) * self.scale;
        }
    }
}

/// exp(x) / Σ exp(x), in place.
pub fn softmax(scores: &mut [f32]) {
    struct Softmax<'a>(&'a mut [f32]);
    impl WithSimd for Softmax<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            let largest = largest(self.0);
            for score in self.0.iter_mut() {
                *score = exp_below_zero(*score - largest);
            }
            let factor = 1.0 / lane_sum(self.0, |x| x);
            for score in self.0.iter_mut() {
                *score *= factor;
            }
        }
    }
    Arch::new().dispatch(Softmax(scores));
}

#[inline(always)]
fn normalize(x: &[f32], weight: &[f32], epsilon: f64, out: &mut [f32]) {
    let mean_square = lane_sum(x, |x| x * x) / x.len() as f32;
    let factor = 1.0 / (mean_square + epsilon as f32).sqrt();
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * factor * weight;
    }
}

/// For x ≤ 0; a relative error of 10⁻⁶ at x = −20.
#[inline(always)]
fn exp_below_zero(x: f32) -> f32 {
    // A processor with vector instructions multiplies and adds in one.
    let (t, power) = clamped_exp2::<true>(x * LOG2_E);
    // The power of a NaN is any number; t is one still.
    power + 0.0 * t
}

/// Σ term(x), in as many chains as a vector has lanes.
#[inline(always)]
fn lane_sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += term(x);
        }
    }
    for (sum, &x) in sums.iter_mut().zip(rest) {
        *sum += term(x);
    }
    sums.iter().sum()
}

#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = larger(*lane, x);
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Between −3 and 3, no multiple of a lane long.
    fn row() -> Vec<f32> {
        (0..45)
            .map(|index| (index as f32 * 0.7).sin() * 3.0)
            .collect()
    }

    fn assert_near(ours: &[f32], exact: impl Iterator<Item = f64>) {
        let exact: Vec<f64> = exact.collect();
        assert_eq!(ours.len(), exact.len());
        for (&ours, exact) in ours.iter().zip(exact) {
            let error = (f64::from(ours) - exact).abs();
            assert!(error <= 1e-6 * exact.abs().max(1e-3), "{ours} {exact}");
        }
    }

    #[test]
    fn each_agrees_with_its_formula_in_double_precision() {
        let x = row();
        let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        let mut out = vec![0.0; x.len()];

        // Two panels of 32 gates and 32 values each, the second pair filled up with zeros.
        let (first, second) = x.split_at(32);
        let rest = [second, &[0.0; 32 - 13]].concat();
        gate(&[first, first, &rest, &rest].concat(), 32, &mut out);
        assert_near(&out, wide.iter().map(|x| x * x / (1.0 + (-x).exp())));

        rms_norm(&x, &vec![2.0; x.len()], 1e-6, &mut out);
        let mean = wide.iter().map(|x| x * x).sum::<f64>() / wide.len() as f64;
        assert_near(&out, wide.iter().map(|x| 2.0 * x / (mean + 1e-6).sqrt()));

        out.copy_from_slice(&x);
        softmax(&mut out);
        let sum: f64 = wide.iter().map(|x| x.exp()).sum();
        assert_near(&out, wide.iter().map(|x| x.exp() / sum));
    }

    #[test]
    fn a_quarter_turn_swaps_the_halves_of_a_head() {
        let mut out = [0.0; 4];
        let head = Head {
            x: &[1.0, 2.0, 3.0, 4.0],
            norm: None,
            cos: &[0.0; 4],
            sin: &[-1.0, -1.0, 1.0, 1.0],
            scale: 0.5,
            out: &mut out,
        };
        head.place();
        assert_eq!(out, [-1.5, -2.0, 0.5, 1.0]);
    }

    #[test]
    fn far_below_zero_silu_vanishes_and_not_a_number_stays_one() {
        let mut out = [0.0; 3];
        gate(&[-1e30, -300.0, f32::NAN, 1.0, 1.0, 1.0], 3, &mut out);
        assert!(
            out[0].abs() < 1e-6 && out[1].abs() < 1e-30 && out[2].is_nan(),
            "{out:?}"
        );
    }
}
