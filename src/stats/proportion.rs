//! Shares of prompts, such as exact match.

use statrs::distribution::{ContinuousCDF, Normal};

use super::interval::{Confidence, Interval};

/// Wilson score interval of `successes` out of `n` independent prompts (Wilson 1927, without
/// continuity correction); it stays within 0 and 1 and has a width even at 0 or `n` successes.
/// `None` when `n` is 0.
///
/// # Panics
/// When `successes > n`.
pub fn wilson(successes: u64, n: u64, confidence: Confidence) -> Option<Interval> {
    assert!(
        successes <= n,
        "{successes} successes out of {n} are too many"
    );
    if n == 0 {
        return None;
    }
    let n = n as f64;
    let share = successes as f64 / n;
    let z = Normal::standard().inverse_cdf(1.0 - confidence.tail());
    let denominator = 1.0 + z * z / n;
    let centre = (share + z * z / (2.0 * n)) / denominator;
    let half_width = z / denominator * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    // Rounding may leave 1e-17 beside the exact ends at no or only successes.
    let low = if successes == 0 {
        0.0
    } else {
        centre - half_width
    };
    let high = if share == 1.0 {
        1.0
    } else {
        centre + half_width
    };
    Some(Interval {
        estimate: share,
        low,
        high,
        confidence: confidence.level(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_intervals_are_those_of_newcombe_and_of_scipy() {
        // Four decimals: Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
        // All digits: scipy 1.17.1, binomtest(k, n).proportion_ci(0.95, method="wilson").
        let expected = [
            (81, 263, 0.2552885198782742, 0.3662095769828),
            (15, 148, 0.06238639953073629, 0.16048724172330803),
            (0, 20, 0.0, 0.16112515805281935),
            (1, 29, 0.006113214292762667, 0.17175521879320282),
            (60, 60, 0.9398281478579101, 1.0),
        ];
        for (successes, n, low, high) in expected {
            let interval = wilson(successes, n, Confidence::P95).unwrap();
            assert_eq!(interval.estimate, successes as f64 / n as f64);
            assert!((interval.low - low).abs() < 1e-9, "{interval:?}");
            assert!((interval.high - high).abs() < 1e-9, "{interval:?}");
        }
    }

    #[test]
    fn no_prompts_give_no_interval() {
        assert_eq!(wilson(0, 0, Confidence::P95), None);
    }

    proptest! {
        #[test]
        fn the_interval_holds_its_estimate_and_stays_a_share(n in 1u64..2000, part in 0.0..=1.0f64) {
            let successes = (part * n as f64) as u64;
            let interval = wilson(successes, n, Confidence::P95).unwrap();
            prop_assert!(0.0 <= interval.low && interval.high <= 1.0);
            prop_assert!(interval.contains(interval.estimate));
            prop_assert!(interval.low < interval.high);
        }
    }
}
