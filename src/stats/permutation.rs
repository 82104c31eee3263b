//! The paired sign-flip permutation test: is a mean difference between two decoders more than
//! chance?
//!
//! If two decoders were the same, either could have produced either number of a pair, so each
//! difference could as well have had the other sign. The p-value is the share of all 2ⁿ sign
//! patterns whose mean is at least as extreme as the one seen (Fisher 1935, *The Design of
//! Experiments*, section 21). No normal distribution is assumed.
//!
//! Pitfalls: the null hypothesis is that the differences are symmetric around zero, not only that
//! their mean is zero. The pairs must be independent, so give one number per prompt, not one per
//! repeat or round. With n prompts the exact p-value is never below 2/2ⁿ (two-sided): five prompts
//! cannot reach 0.05.

use std::num::NonZeroUsize;

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::p_values::PValues;
use super::sample::{Pairs, Sample, SampleError};

/// Up to this many pairs every sign pattern is tried: 2¹⁶ sums cost less than a millisecond.
const MAX_EXACT_PAIRS: usize = 16;

/// Sums closer than this share of Σ|difference| are equal: the order of additions is not evidence.
const TIE_TOLERANCE: f64 = 1e-12;

/// A permutation test with everything that decides its result. Beyond 16 pairs `n_resamples` random
/// sign patterns stand for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Permutation {
    pub n_resamples: NonZeroUsize,
    pub seed: u64,
}

impl Default for Permutation {
    fn default() -> Self {
        Self {
            n_resamples: const { NonZeroUsize::new(10_000).unwrap() },
            seed: 17,
        }
    }
}

/// The outcome of a sign-flip test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SignFlip {
    /// Mean difference, in the unit of the differences.
    pub mean: f64,
    /// Number of pairs.
    pub n: usize,
    pub p: PValues,
    /// Whether every sign pattern was tried; otherwise the p-values carry Monte Carlo error of
    /// about √(p·(1−p)/`n_resamples`).
    pub is_exact: bool,
}

impl Permutation {
    /// Tests whether the mean of `differences` (first minus second of each prompt) is zero.
    pub fn mean_difference(&self, differences: &Sample) -> SignFlip {
        let is_exact = differences.len() <= MAX_EXACT_PAIRS;
        let p = if is_exact {
            exact(differences.values())
        } else {
            self.monte_carlo(differences.values())
        };
        SignFlip {
            mean: differences.mean(),
            n: differences.len(),
            p,
            is_exact,
        }
    }

    /// Tests whether the mean of ln(numerator / denominator) is zero, so whether the geometric mean
    /// ratio is 1; the `mean` of the result is that mean logarithm. For times and speedups, whose
    /// ratios are more alike between prompts than their differences.
    ///
    /// # Errors
    /// [`SampleError::NotPositive`].
    pub fn mean_log_ratio(&self, pairs: &Pairs) -> Result<SignFlip, SampleError> {
        Ok(self.mean_difference(&pairs.log_ratios()?))
    }

    /// Random sign patterns. The pattern seen counts as one of them, so that no p-value is zero and
    /// the test keeps its level: p = (hits + 1) / (`n_resamples` + 1) (Phipson and Smyth 2010).
    fn monte_carlo(&self, differences: &[f64]) -> PValues {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut hits = Hits::of(differences);
        for _ in 0..self.n_resamples.get() {
            hits.add(flipped_sum(differences, &mut random));
        }
        hits.p_values(1)
    }
}

/// Every sign pattern once. The pattern seen is among them, so no correction is needed.
fn exact(differences: &[f64]) -> PValues {
    let mut sums = vec![0.0];
    for &difference in differences {
        sums = sums
            .iter()
            .flat_map(|sum| [sum + difference, sum - difference])
            .collect();
    }
    let mut hits = Hits::of(differences);
    for sum in sums {
        hits.add(sum);
    }
    hits.p_values(0)
}

fn flipped_sum(differences: &[f64], random: &mut ChaCha8Rng) -> f64 {
    let mut sum = 0.0;
    for block in differences.chunks(64) {
        let signs = random.next_u64();
        for (bit, difference) in block.iter().enumerate() {
            sum += if signs >> bit & 1 == 1 {
                -difference
            } else {
                *difference
            };
        }
    }
    sum
}

/// Counts of the sums that are as extreme as the one seen. Sums stand for means: n is the same.
struct Hits {
    observed: f64,
    tolerance: f64,
    n: u64,
    two_sided: u64,
    greater: u64,
    less: u64,
}

impl Hits {
    fn of(differences: &[f64]) -> Self {
        Self {
            observed: differences.iter().sum(),
            tolerance: TIE_TOLERANCE * differences.iter().map(|value| value.abs()).sum::<f64>(),
            n: 0,
            two_sided: 0,
            greater: 0,
            less: 0,
        }
    }

    fn add(&mut self, sum: f64) {
        self.n += 1;
        self.two_sided += u64::from(sum.abs() >= self.observed.abs() - self.tolerance);
        self.greater += u64::from(sum >= self.observed - self.tolerance);
        self.less += u64::from(sum <= self.observed + self.tolerance);
    }

    /// `seen` is 1 when the pattern seen is to be counted beside the random ones.
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
    use proptest::prelude::*;

    use super::*;
    use crate::stats::fixture::{self, assert_close};

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    fn with_resamples(n_resamples: usize) -> Permutation {
        Permutation {
            n_resamples: NonZeroUsize::new(n_resamples).unwrap(),
            ..Permutation::default()
        }
    }

    #[test]
    fn exact_p_values_are_those_of_scipy() {
        for case in fixture::cases("sign_flip") {
            let test = Permutation::default().mean_difference(&case.sample("differences"));
            assert!(test.is_exact);
            assert_close(test.mean, case.number("mean"), 1e-12);
            assert_close(test.p.two_sided, case.number("two_sided"), 1e-12);
            assert_close(test.p.greater, case.number("greater"), 1e-12);
            assert_close(test.p.less, case.number("less"), 1e-12);
        }
    }

    #[test]
    fn darwins_maize_has_the_p_value_that_fisher_counted() {
        // Heights in eighths of an inch, crossed minus self-fertilised, 15 pairs. Fisher 1935,
        // section 21: 1726 of 2¹⁵ sign patterns are as extreme in either direction, 5.267 %.
        let differences = [
            49.0, -67.0, 8.0, 16.0, 6.0, 23.0, 28.0, 41.0, 14.0, 29.0, 56.0, 24.0, 75.0, 60.0,
            -48.0,
        ];
        let p = Permutation::default()
            .mean_difference(&sample(&differences))
            .p;
        assert_close(p.two_sided, 1726.0 / 32768.0, 1e-15);
    }

    #[test]
    fn random_patterns_come_close_to_all_patterns() {
        let differences = [0.3, -0.1, 0.8, 0.4, -0.2, 0.9, 0.05, 0.6, -0.5, 0.2];
        let all = exact(&differences);
        let random = with_resamples(200_000).monte_carlo(&differences);
        // Four standard errors of the larger p-value: 4·√(0.25 / 200,000) = 0.0045.
        assert!(
            (all.two_sided - random.two_sided).abs() < 0.0045,
            "{all:?} {random:?}"
        );
        assert!((all.greater - random.greater).abs() < 0.0045);
        assert!((all.less - random.less).abs() < 0.0045);
    }

    #[test]
    fn seventeen_pairs_are_sampled_and_never_give_a_p_of_zero() {
        let test = with_resamples(999).mean_difference(&sample(&[1.0; 17]));
        assert!(!test.is_exact);
        // 2/2¹⁷ of the patterns are as extreme: 999 random ones hit at most a few of them.
        assert!(test.p.two_sided >= 0.001 && test.p.two_sided <= 0.004);
        assert_eq!(test.p.less, 1.0);
    }

    #[test]
    fn two_decoders_that_never_differ_give_a_p_of_1() {
        let p = Permutation::default().mean_difference(&sample(&[0.0; 8])).p;
        assert_eq!((p.two_sided, p.greater, p.less), (1.0, 1.0, 1.0));
    }

    #[test]
    fn a_ratio_and_its_inverse_are_the_same_evidence() {
        let fast = vec![2.0, 3.0, 1.5, 1.2];
        let slow = vec![3.0, 3.3, 2.5, 1.1];
        let one = Pairs::new(fast.clone(), slow.clone()).unwrap();
        let other = Pairs::new(slow, fast).unwrap();
        let test = |pairs: &Pairs| Permutation::default().mean_log_ratio(pairs).unwrap();
        assert_eq!(test(&one).p.two_sided, test(&other).p.two_sided);
        assert_eq!(test(&one).p.less, test(&other).p.greater);
        assert_close(test(&one).mean, -test(&other).mean, 1e-15);
    }

    #[test]
    fn p_values_are_uniform_when_nothing_differs() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let p = |differences: Vec<f64>| {
            with_resamples(200)
                .mean_difference(&Sample::new(differences).unwrap())
                .p
                .two_sided
        };
        for n in [10, 30] {
            let p_values = (0..800).map(|_| p(fixture::normals(n, &mut random)));
            let distance = fixture::distance_from_uniform(p_values.collect());
            // Kolmogorov's 0.1 % point at 800 values is 1.95/√800 = 0.069; steps of 1/200 add.
            assert!(distance < 0.075, "n = {n}: {distance}");
        }
    }

    proptest! {
        #[test]
        fn the_two_sided_p_is_twice_the_smaller_tail(
            differences in prop::collection::vec(-5i32..=5, 1..=10),
        ) {
            let differences: Vec<f64> = differences.into_iter().map(f64::from).collect();
            let p = exact(&differences);
            let doubled = PValues::from_tails(p.greater, p.less);
            prop_assert!((p.two_sided - doubled.two_sided).abs() < 1e-12);
            prop_assert!(p.greater + p.less >= 1.0);
        }
    }
}
