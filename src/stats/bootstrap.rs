//! The paired cluster bootstrap: resample prompts with replacement, keep the pairs together.
//!
//! A prompt is a cluster: everything measured on it moves together, so the interval speaks about
//! other prompts of the same kind and not about other runs on these prompts.

use std::num::NonZeroUsize;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::bounds::{bca, percentile};
use super::interval::{Confidence, Interval};
use super::sample::{Pairs, Sample, SampleError};

/// How resampled statistics become an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    Percentile,
    /// Corrected for bias and skew; falls back to the percentile where the correction does not
    /// exist.
    #[default]
    Bca,
}

/// A bootstrap with everything that decides its result. The same values and the same numbers give
/// the same interval on every machine, and two trials with the same number of prompts meet the
/// same resamples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bootstrap {
    pub n_resamples: NonZeroUsize,
    pub confidence: Confidence,
    pub seed: u64,
    pub method: Method,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            n_resamples: const { NonZeroUsize::new(10_000).unwrap() },
            confidence: Confidence::P95,
            seed: 17,
            method: Method::Bca,
        }
    }
}

impl Bootstrap {
    /// Σ numerator / Σ denominator: a speedup from wall times (baseline over trial), or a rate from
    /// counts (accepted over drafted).
    pub fn ratio_of_sums(&self, pairs: &Pairs) -> Interval {
        self.around(pairs.ratio_of_sums(), pairs.len(), |indices| {
            pairs.ratio_of_sums_at(indices)
        })
    }

    /// Geometric mean of numerator / denominator of each prompt: every prompt counts the same,
    /// however long its text.
    ///
    /// # Errors
    /// [`SampleError::NotPositive`].
    pub fn geometric_mean_ratio(&self, pairs: &Pairs) -> Result<Interval, SampleError> {
        Ok(self.mean(&pairs.log_ratios()?).map(f64::exp))
    }

    /// Arithmetic mean of one value per prompt.
    pub fn mean(&self, sample: &Sample) -> Interval {
        self.around(sample.mean(), sample.len(), |indices| {
            let sum: f64 = indices.iter().map(|&index| sample.values()[index]).sum();
            Some(sum / indices.len() as f64)
        })
    }

    /// The interval around `estimate` of any `statistic` of `n_prompts` prompts. The statistic
    /// receives the indices of the prompts to use, with repetition; it gives `None` where it is
    /// undefined, and such resamples are left out.
    ///
    /// Fewer than two prompts carry no information about their spread: the interval is unbounded.
    pub fn around(
        &self,
        estimate: f64,
        n_prompts: usize,
        statistic: impl Fn(&[usize]) -> Option<f64>,
    ) -> Interval {
        let unbounded = Interval::unbounded(estimate, self.confidence);
        if n_prompts < 2 {
            return unbounded;
        }
        let Ok(distribution) = Sample::new(self.resample(n_prompts, &statistic)) else {
            return unbounded;
        };
        let corrected = match self.method {
            Method::Percentile => None,
            Method::Bca => leave_one_out(n_prompts, &statistic)
                .and_then(|jackknife| bca(&distribution, estimate, &jackknife, self.confidence)),
        };
        let bounds = corrected.unwrap_or_else(|| percentile(&distribution, self.confidence));
        Interval {
            estimate,
            low: bounds.low,
            high: bounds.high,
            confidence: self.confidence.level(),
        }
    }

    fn resample(&self, n_prompts: usize, statistic: impl Fn(&[usize]) -> Option<f64>) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut indices = vec![0; n_prompts];
        (0..self.n_resamples.get())
            .filter_map(|_| {
                indices.fill_with(|| random.random_range(0..n_prompts));
                statistic(&indices)
            })
            .collect()
    }
}

/// The statistic without each prompt in turn; `None` when one of these is undefined.
fn leave_one_out(n_prompts: usize, statistic: impl Fn(&[usize]) -> Option<f64>) -> Option<Sample> {
    let mut kept: Vec<usize> = (1..n_prompts).collect();
    let mut values = Vec::with_capacity(n_prompts);
    for left_out in 0..n_prompts {
        values.push(statistic(&kept)?);
        if left_out + 1 < n_prompts {
            kept[left_out] = left_out;
        }
    }
    Sample::new(values).ok()
}

#[cfg(test)]
#[path = "bootstrap_tests.rs"]
mod tests;
