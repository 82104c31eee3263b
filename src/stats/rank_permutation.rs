//! Permutation tests that shuffle values instead of signs: a rank correlation, and two independent
//! samples.
//!
//! If x has nothing to do with y, any order of y could have stood beside x; if two samples come from
//! one source, any split of their values could have been seen. The p-value is the share of orders (of
//! splits) at least as extreme as the one seen (Pitman 1937). No normal distribution is assumed; the
//! pairs, or the values, must be exchangeable, so independent.
//!
//! Pitfall: with n pairs no p is below 2/n! (two-sided): three pairs cannot reach 0.05, four only
//! just do not (2/24 = 0.083).

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::correlation::spearman;
use super::p_values::PValues;
use super::permutation::Permutation;
use super::sample::Sample;

/// Up to this many pairs every order is tried: 8! = 40,320.
const MAX_EXACT_PAIRS: usize = 8;

/// Statistics closer than this are equal: the order of additions is not evidence.
const TIE_TOLERANCE: f64 = 1e-12;

impl Permutation {
    /// Tests whether Spearman's correlation is zero. `None` where there is no correlation: fewer than
    /// two pairs, or a side that does not vary.
    ///
    /// # Panics
    /// When the samples differ in length.
    pub fn spearman(&self, one: &Sample, other: &Sample) -> Option<PValues> {
        let observed = spearman(one, other)?;
        let mut tails = Tails::of(observed);
        let mut values = other.values().to_vec();
        let add = |values: &[f64], tails: &mut Tails| {
            let shuffled = Sample::new(values.to_vec()).ok();
            tails.add(
                shuffled
                    .and_then(|shuffled| spearman(one, &shuffled))
                    .unwrap_or(0.0),
            );
        };
        if values.len() <= MAX_EXACT_PAIRS {
            let n = values.len();
            every_order(&mut values, n, &mut |order| add(order, &mut tails));
            return Some(tails.p_values(0));
        }
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        for _ in 0..self.n_resamples.get() {
            values.shuffle(&mut random);
            add(&values, &mut tails);
        }
        Some(tails.p_values(1))
    }

    /// Tests whether the means of two independent samples differ, by random splits of all their values;
    /// the split seen counts as one of them (Phipson and Smyth 2010).
    pub fn independent_means(&self, one: &Sample, other: &Sample) -> PValues {
        let n = one.len();
        let mut values: Vec<f64> = one.values().iter().chain(other.values()).copied().collect();
        let difference = |values: &[f64]| {
            let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
            mean(&values[..n]) - mean(&values[n..])
        };
        let mut tails = Tails::of(difference(&values));
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        for _ in 0..self.n_resamples.get() {
            values.shuffle(&mut random);
            tails.add(difference(&values));
        }
        tails.p_values(1)
    }
}

/// Every order of the first `n` values, by Heap's method (Heap 1963).
fn every_order(values: &mut [f64], n: usize, visit: &mut impl FnMut(&[f64])) {
    if n <= 1 {
        visit(values);
        return;
    }
    for index in 0..n {
        every_order(values, n - 1, visit);
        let other = if n.is_multiple_of(2) { index } else { 0 };
        if index + 1 < n {
            values.swap(other, n - 1);
        }
    }
}

/// Counts of statistics as extreme as the one seen.
struct Tails {
    observed: f64,
    n: u64,
    two_sided: u64,
    greater: u64,
    less: u64,
}

impl Tails {
    fn of(observed: f64) -> Self {
        Self {
            observed,
            n: 0,
            two_sided: 0,
            greater: 0,
            less: 0,
        }
    }

    fn add(&mut self, statistic: f64) {
        let tolerance = TIE_TOLERANCE * (1.0 + self.observed.abs());
        self.n += 1;
        self.two_sided += u64::from(statistic.abs() >= self.observed.abs() - tolerance);
        self.greater += u64::from(statistic >= self.observed - tolerance);
        self.less += u64::from(statistic <= self.observed + tolerance);
    }

    /// `seen` is 1 when the order seen is to be counted beside the random ones.
    fn p_values(&self, seen: u64) -> PValues {
        let share = |hits: u64| (hits + seen) as f64 / (self.n + seen) as f64;
        PValues {
            two_sided: share(self.two_sided),
            greater: share(self.greater),
            less: share(self.less),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture::{self, assert_close};

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    #[test]
    fn five_pairs_in_the_same_order_have_a_p_of_two_in_120() {
        let rising = sample(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        let p = Permutation::default().spearman(&rising, &rising).unwrap();
        assert_close(p.two_sided, 2.0 / 120.0, 1e-15);
        assert_close(p.greater, 1.0 / 120.0, 1e-15);
        assert_close(p.less, 1.0, 1e-15);
    }

    #[test]
    fn every_order_is_visited_once() {
        let mut seen = std::collections::BTreeSet::new();
        let mut values = [1.0, 2.0, 3.0, 4.0];
        every_order(&mut values, 4, &mut |order| {
            seen.insert(order.iter().map(|value| *value as u8).collect::<Vec<_>>());
        });
        assert_eq!(seen.len(), 24);
    }

    #[test]
    fn a_side_that_does_not_vary_has_no_correlation_to_test() {
        let flat = sample(&[1.0, 1.0, 1.0]);
        let rising = sample(&[1.0, 2.0, 3.0]);
        assert_eq!(Permutation::default().spearman(&flat, &rising), None);
    }

    #[test]
    fn twelve_pairs_by_lot_agree_with_the_t_approximation_to_a_hundredth() {
        let mut random = fixture::random(5);
        let one = sample(&fixture::normals(12, &mut random));
        let other: Vec<f64> = one
            .values()
            .iter()
            .zip(fixture::normals(12, &mut random))
            .map(|(a, b)| 0.8 * a + b)
            .collect();
        let other = sample(&other);
        let rho = spearman(&one, &other).unwrap();
        let p = Permutation::default()
            .spearman(&one, &other)
            .unwrap()
            .two_sided;
        let expected = crate::stats::correlation::p_value(rho, 12).unwrap();
        assert!((p - expected).abs() < 0.015, "{p} {expected}");
    }

    #[test]
    fn two_samples_apart_are_told_apart_and_two_of_one_source_are_not() {
        let mut random = fixture::random(8);
        let one = sample(&fixture::normals(20, &mut random));
        let other = sample(&fixture::normals(15, &mut random));
        let far: Vec<f64> = other.values().iter().map(|value| value + 3.0).collect();
        let test = Permutation::default();
        assert!(test.independent_means(&one, &other).two_sided > 0.05);
        let p = test.independent_means(&one, &sample(&far));
        assert!(p.two_sided < 0.001 && p.less < 0.001 && p.greater > 0.99);
    }
}
