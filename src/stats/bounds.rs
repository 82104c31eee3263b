//! From a bootstrap distribution to the two ends of an interval.

use statrs::distribution::{ContinuousCDF, Normal};

use super::interval::Confidence;
use super::sample::Sample;
use super::summary::quantile_of_sorted;

/// Low and high end, `low <= high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    pub low: f64,
    pub high: f64,
}

/// The middle `confidence` of the resampled statistics (Efron and Tibshirani 1993, chapter 13).
pub fn percentile(distribution: &Sample, confidence: Confidence) -> Bounds {
    let tail = confidence.tail();
    between(distribution, tail, 1.0 - tail)
}

/// Bias-corrected and accelerated bounds (Efron 1987; Efron and Tibshirani 1993, chapter 14).
///
/// `estimate` is the statistic of the whole sample, `jackknife` the statistic with each prompt
/// left out in turn. The bias correction is the normal quantile of the share of resampled
/// statistics below the estimate, ties counted half; the acceleration is Σu³ / (6·(Σu²)^1.5) with
/// u = mean of `jackknife` − its value.
///
/// `None` when the correction does not exist: every resampled statistic lies on one side of the
/// estimate, or the acceleration is too strong for this confidence.
pub fn bca(
    distribution: &Sample,
    estimate: f64,
    jackknife: &Sample,
    confidence: Confidence,
) -> Option<Bounds> {
    let normal = Normal::standard();
    let n = distribution.len() as f64;
    let below = count(distribution, |value| value < estimate);
    let not_above = count(distribution, |value| value <= estimate);
    let share = (below + not_above) as f64 / (2.0 * n);
    if share <= 0.0 || share >= 1.0 {
        return None;
    }
    let bias = normal.inverse_cdf(share);
    let acceleration = acceleration(jackknife);
    let corrected = |z: f64| {
        let shifted = bias + z;
        let divisor = 1.0 - acceleration * shifted;
        (divisor > 0.0).then(|| normal.cdf(bias + shifted / divisor))
    };
    let z = normal.inverse_cdf(1.0 - confidence.tail());
    Some(between(distribution, corrected(-z)?, corrected(z)?))
}

fn acceleration(jackknife: &Sample) -> f64 {
    let mean = jackknife.mean();
    let moment = |power: i32| -> f64 {
        jackknife
            .values()
            .iter()
            .map(|value| (mean - value).powi(power))
            .sum()
    };
    let spread = moment(2);
    if spread > 0.0 {
        moment(3) / (6.0 * spread.powf(1.5))
    } else {
        0.0
    }
}

fn between(distribution: &Sample, low: f64, high: f64) -> Bounds {
    let mut sorted = distribution.values().to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Bounds {
        low: quantile_of_sorted(&sorted, low),
        high: quantile_of_sorted(&sorted, high),
    }
}

fn count(sample: &Sample, holds: impl Fn(f64) -> bool) -> usize {
    sample
        .values()
        .iter()
        .filter(|&&value| holds(value))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::sample::Pairs;

    const X: [f64; 5] = [9.0, 11.5, 8.2, 20.0, 14.1];
    const Y: [f64; 5] = [6.1, 7.0, 6.9, 9.5, 9.9];

    /// The statistic of each of the 5⁵ resamples of five prompts: the bootstrap without chance.
    fn every_resample(statistic: impl Fn(&[usize]) -> f64) -> Sample {
        let digits = |number: usize| [625, 125, 25, 5, 1].map(|place| number / place % 5);
        Sample::new((0..3125).map(|number| statistic(&digits(number))).collect()).unwrap()
    }

    fn left_out(statistic: impl Fn(&[usize]) -> f64) -> Sample {
        let without = |index: usize| (0..5).filter(|&i| i != index).collect::<Vec<_>>();
        Sample::new((0..5).map(|index| statistic(&without(index))).collect()).unwrap()
    }

    fn assert_close(bounds: Bounds, low: f64, high: f64) {
        assert!((bounds.low - low).abs() < 1e-9, "{bounds:?}");
        assert!((bounds.high - high).abs() < 1e-9, "{bounds:?}");
    }

    // Expected values of the next two tests: scipy 1.17.1,
    // bootstrap(data, statistic, paired=True, n_resamples=0, method=..., confidence_level=...,
    //           bootstrap_result=SimpleNamespace(bootstrap_distribution=...))
    // with the same 3125 resamples from itertools.product(range(5), repeat=5).

    #[test]
    fn bounds_of_a_ratio_of_sums_are_those_of_scipy() {
        let pairs = Pairs::new(X.to_vec(), Y.to_vec()).unwrap();
        let ratio = |indices: &[usize]| pairs.ratio_of_sums_at(indices).unwrap();
        let (distribution, jackknife) = (every_resample(ratio), left_out(ratio));
        let estimate = pairs.ratio_of_sums();
        assert!((estimate - 1.5939086294416245).abs() < 1e-12);

        let p90 = Confidence::new(0.9).unwrap();
        assert_close(
            percentile(&distribution, p90),
            1.350974930362117,
            1.8414322250639386,
        );
        assert_close(
            percentile(&distribution, Confidence::P95),
            1.3351063829787233,
            1.8854625550660793,
        );
        assert_close(
            bca(&distribution, estimate, &jackknife, p90).unwrap(),
            1.3934426229508199,
            1.9164619164619163,
        );
        assert_close(
            bca(&distribution, estimate, &jackknife, Confidence::P95).unwrap(),
            1.3817733990147782,
            1.9643652561247218,
        );
    }

    #[test]
    fn bounds_of_a_mean_are_those_of_scipy() {
        let mean =
            |indices: &[usize]| indices.iter().map(|&i| X[i]).sum::<f64>() / indices.len() as f64;
        let (distribution, jackknife) = (every_resample(mean), left_out(mean));
        assert_close(percentile(&distribution, Confidence::P95), 9.18, 16.6);
        assert_close(
            bca(&distribution, 12.56, &jackknife, Confidence::P95).unwrap(),
            9.7,
            17.64,
        );
    }

    #[test]
    fn without_skew_or_bias_both_methods_agree() {
        let symmetric = Sample::new((-500..=500).map(f64::from).collect()).unwrap();
        let jackknife = Sample::new(vec![-1.0, 0.0, 1.0]).unwrap();
        let corrected = bca(&symmetric, 0.0, &jackknife, Confidence::P95).unwrap();
        let plain = percentile(&symmetric, Confidence::P95);
        assert!((corrected.low - plain.low).abs() < 1e-6);
        assert!((corrected.high - plain.high).abs() < 1e-6);
    }

    #[test]
    fn an_estimate_beside_its_whole_distribution_has_no_correction() {
        let distribution = Sample::new(vec![1.0, 2.0, 3.0]).unwrap();
        let jackknife = Sample::new(vec![1.0, 2.0, 3.0]).unwrap();
        assert_eq!(bca(&distribution, 9.0, &jackknife, Confidence::P95), None);
    }
}
