//! The middle and the tail of a distribution, with intervals.
//!
//! P50, P90 and P99 of the time of a token or a prompt. A mean hides the slow ones; a quantile
//! shows them. The point estimates are those of [`Sample::quantile`] (type 7, as NumPy).
//!
//! For independent values [`quantile_interval`] needs no resampling: the number of values below the
//! true quantile is binomial, so two of the values themselves are the ends. For values that share
//! prompts [`Bootstrap::clustered_quantile`] resamples prompts.
//!
//! Pitfalls: P99 of 100 values is nearly their maximum. An upper end needs 368 independent values
//! for P99 at 95 %, 36 for P90, 6 for P50; with fewer it is infinite, as it should be. The
//! bootstrap cannot know that: far in the tail, where the answer hangs on a few values, it is too
//! short.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

use super::bootstrap::Bootstrap;
use super::interval::{Confidence, Interval};
use super::sample::Sample;

/// Three quantiles with their intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    pub p50: Interval,
    pub p90: Interval,
    pub p99: Interval,
}

impl Percentiles {
    /// Of independent values, one per prompt.
    pub fn of(sample: &Sample, confidence: Confidence) -> Self {
        Self::by(|probability| quantile_interval(sample, probability, confidence))
    }

    /// Of all values of all prompts, prompts being resampled.
    pub fn clustered(clusters: &[Sample], bootstrap: &Bootstrap) -> Option<Self> {
        let clusters = Clusters::new(clusters)?;
        Some(Self::by(|probability| {
            clusters.quantile(probability, bootstrap)
        }))
    }

    fn by(quantile: impl Fn(f64) -> Interval) -> Self {
        Self {
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
        }
    }
}

/// A quantile with its distribution-free interval between two order statistics (David and Nagaraja
/// 2003, section 7.1): the ends leave at most half of 1 − `confidence` on either side whatever the
/// distribution, so the coverage is at least nominal. An end that the values cannot give is
/// infinite. For independent values.
///
/// # Panics
/// When `probability` is not in 0..=1.
pub fn quantile_interval(sample: &Sample, probability: f64, confidence: Confidence) -> Interval {
    let estimate = sample.quantile(probability);
    let mut sorted = sample.values().to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    let below = Binomial::new(probability, n as u64).expect("a probability");
    // The k-th smallest value (from 1) is above the quantile with probability P(B < k).
    let low = last_where(n, |k| below.cdf(k as u64 - 1) <= confidence.tail());
    let high = last_where(n, |k| below.sf(k as u64 - 1) > confidence.tail()) + 1;
    Interval {
        estimate,
        low: if low == 0 {
            f64::NEG_INFINITY
        } else {
            sorted[low - 1]
        },
        high: if high > n {
            f64::INFINITY
        } else {
            sorted[high - 1]
        },
        confidence: confidence.level(),
    }
}

/// The greatest k in 1..=n for which `holds`, which is true up to some k; 0 when it never does.
fn last_where(n: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if holds(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

impl Bootstrap {
    /// A quantile of all values of all prompts, one sample a prompt, with an interval over prompts.
    /// Every resampled quantile is exact (type 7 of the drawn values); the values are sorted once,
    /// and a resample is one pass over them. `None` without prompts.
    ///
    /// # Panics
    /// When `probability` is not in 0..=1.
    pub fn clustered_quantile(&self, clusters: &[Sample], probability: f64) -> Option<Interval> {
        Some(Clusters::new(clusters)?.quantile(probability, self))
    }
}

/// The values of all prompts in rising order, each with its prompt.
struct Clusters {
    sorted: Vec<(f64, usize)>,
    sizes: Vec<usize>,
}

impl Clusters {
    fn new(clusters: &[Sample]) -> Option<Self> {
        let values = |(prompt, sample)| {
            let sample: &Sample = sample;
            sample.values().iter().map(move |&value| (value, prompt))
        };
        let mut sorted: Vec<(f64, usize)> = clusters.iter().enumerate().flat_map(values).collect();
        sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
        (!clusters.is_empty()).then(|| Self {
            sorted,
            sizes: clusters.iter().map(Sample::len).collect(),
        })
    }

    fn quantile(&self, probability: f64, bootstrap: &Bootstrap) -> Interval {
        assert!(
            (0.0..=1.0).contains(&probability),
            "{probability} is not a probability"
        );
        let n_prompts = self.sizes.len();
        let estimate = self.weighted(&vec![1; n_prompts], probability);
        bootstrap.around(estimate, n_prompts, |prompts| {
            let mut weights = vec![0; n_prompts];
            for &prompt in prompts {
                weights[prompt] += 1;
            }
            Some(self.weighted(&weights, probability))
        })
    }

    /// The type 7 quantile when the values of prompt i are there `weights[i]` times.
    fn weighted(&self, weights: &[usize], probability: f64) -> f64 {
        let n: usize = self
            .sizes
            .iter()
            .zip(weights)
            .map(|(size, weight)| size * weight)
            .sum();
        let place = (n - 1) as f64 * probability;
        let below = place.floor() as usize;
        let (mut seen, mut lower) = (0, None);
        for &(value, prompt) in &self.sorted {
            seen += weights[prompt];
            if lower.is_none() && seen > below {
                lower = Some(value);
            }
            if let Some(lower) = lower
                && seen > (below + 1).min(n - 1)
            {
                return lower + (value - lower) * (place - below as f64);
            }
        }
        unreachable!("the weights count every value")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::bootstrap::Method;
    use crate::stats::fixture::{self, assert_close};

    #[test]
    fn intervals_are_those_of_scipy() {
        for case in fixture::cases("quantile") {
            let sample = case.sample("values");
            let confidence = Confidence::new(case.number("confidence")).unwrap();
            let interval = quantile_interval(&sample, case.number("probability"), confidence);
            assert_close(interval.estimate, case.number("estimate"), 1e-12);
            assert_eq!(
                interval.low,
                case.optional("low").unwrap_or(f64::NEG_INFINITY)
            );
            assert_eq!(
                interval.high,
                case.optional("high").unwrap_or(f64::INFINITY)
            );
        }
    }

    #[test]
    fn the_median_of_twenty_values_lies_between_the_sixth_and_the_fifteenth() {
        // Table of order statistics for medians (Conover 1999): n = 20, 95 %: 6th and 15th, 95.9 %.
        let values = Sample::new((1..=20).map(f64::from).collect()).unwrap();
        let interval = quantile_interval(&values, 0.5, Confidence::P95);
        assert_eq!((interval.low, interval.high), (6.0, 15.0));
    }

    #[test]
    fn the_number_of_values_that_bounds_a_quantile_from_above() {
        // The maximum is above the quantile with probability 1 − pⁿ: n = ⌈ln 0.025 / ln p⌉.
        for (probability, needed) in [(0.5, 6), (0.9, 36), (0.99, 368)] {
            let is_bounded = |n: i32| {
                let values = Sample::new((0..n).map(f64::from).collect()).unwrap();
                quantile_interval(&values, probability, Confidence::P95)
                    .high
                    .is_finite()
            };
            assert!(
                is_bounded(needed) && !is_bounded(needed - 1),
                "P{probability}"
            );
        }
    }

    #[test]
    fn order_statistics_cover_a_quantile_at_least_as_often_as_promised() {
        // Exponential values: the 90 % point is ln 10.
        let mut random = fixture::random(31);
        let covered = (0..2000).filter(|_| {
            let uniform = fixture::uniforms(80, &mut random);
            let values = Sample::new(uniform.iter().map(|u| -u.ln()).collect()).unwrap();
            quantile_interval(&values, 0.9, Confidence::P95).contains(10f64.ln())
        });
        let share = covered.count() as f64 / 2000.0;
        // Binomial(80, 0.9) puts 0.96 between the two order statistics; standard error 0.0045.
        assert!((0.945..0.99).contains(&share), "{share}");
    }

    #[test]
    fn prompts_are_resampled_whole_for_the_quantile_of_their_values() {
        // Each prompt has one speed: 400 values, but only 20 prompts' worth of knowledge.
        let mut random = fixture::random(32);
        let speeds = fixture::uniforms(20, &mut random);
        let clusters: Vec<Sample> = speeds
            .iter()
            .map(|&speed| Sample::new(vec![speed; 20]).unwrap())
            .collect();
        let pooled = Sample::new(speeds.iter().flat_map(|&speed| [speed; 20]).collect()).unwrap();
        let by_prompts = fixture::bootstrap(500)
            .clustered_quantile(&clusters, 0.5)
            .unwrap();
        let by_values = quantile_interval(&pooled, 0.5, Confidence::P95);
        assert_close(by_prompts.estimate, pooled.median(), 1e-12);
        assert!(by_prompts.high - by_prompts.low > 2.0 * (by_values.high - by_values.low));
    }

    #[test]
    fn a_clustered_median_covers_the_truth_nine_times_in_ten() {
        let mut random = fixture::random(33);
        let bootstrap = Bootstrap {
            method: Method::Percentile,
            ..fixture::bootstrap(300)
        };
        let covered = (0..200).filter(|_| {
            let clusters: Vec<Sample> = (0..40)
                .map(|_| {
                    let effect = fixture::normals(1, &mut random)[0];
                    let noise = fixture::normals(8, &mut random);
                    Sample::new(noise.iter().map(|noise| effect + noise).collect()).unwrap()
                })
                .collect();
            bootstrap
                .clustered_quantile(&clusters, 0.5)
                .unwrap()
                .contains(0.0)
        });
        let covered = covered.count();
        assert!(covered >= 180, "{covered} of 200");
    }

    #[test]
    fn three_percentiles_rise() {
        let values = Sample::new((0..500).map(f64::from).collect()).unwrap();
        let percentiles = Percentiles::of(&values, Confidence::P95);
        assert_close(percentiles.p50.estimate, 249.5, 1e-12);
        assert_close(percentiles.p90.estimate, 449.1, 1e-9);
        assert_close(percentiles.p99.estimate, 494.01, 1e-9);
        assert!(Percentiles::clustered(&[], &fixture::bootstrap(10)).is_none());
    }

    proptest! {
        #[test]
        fn a_weighted_quantile_is_that_of_the_repeated_values(
            clusters in prop::collection::vec(
                (prop::collection::vec(-9i32..9, 1..6), 0usize..4), 1..8),
            probability in 0.0..=1.0f64,
        ) {
            let mut weights: Vec<usize> = clusters.iter().map(|cluster| cluster.1).collect();
            weights[0] += 1;
            let samples: Vec<Sample> = clusters
                .iter()
                .map(|(values, _)| {
                    Sample::new(values.iter().map(|&value| f64::from(value)).collect()).unwrap()
                })
                .collect();
            let repeated = samples
                .iter()
                .zip(&weights)
                .flat_map(|(sample, &weight)| sample.values().repeat(weight))
                .collect();
            let expected = Sample::new(repeated).unwrap().quantile(probability);
            let weighted = Clusters::new(&samples).unwrap().weighted(&weights, probability);
            prop_assert!((weighted - expected).abs() < 1e-9);
        }
    }
}
