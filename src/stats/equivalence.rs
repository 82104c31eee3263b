//! Two one-sided tests: are two decoders the same, up to a margin that does not matter?
//!
//! A difference that is not significant may only be one that could not be seen. Equivalence is
//! claimed the other way round: state beforehand which difference is too small to matter, then
//! reject both "at least that much less" and "at least that much more" (Schuirmann 1987). At level
//! α this is the same as an interval of 1 − 2α, 90 % for 0.05, that lies inside the margin; the
//! 95 % interval is stricter than needed.
//!
//! Pitfalls: the margin is a decision about relevance, made before the data are seen. An
//! equivalence and a difference can both be shown at once: many prompts make irrelevant differences
//! visible.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::interval::Interval;
use super::paired_outcomes::PairedOutcomes;
use super::sample::Sample;
use super::significance::Alpha;

/// Differences that do not matter: those strictly between `low` and `high`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Margin {
    low: f64,
    high: f64,
}

/// The two numbers do not enclose any difference.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "a margin needs two finite ends in rising order, such as -0.02 and 0.02, not {low} and {high}"
)]
pub struct NotAMargin {
    pub low: f64,
    pub high: f64,
}

impl Margin {
    /// # Errors
    /// [`NotAMargin`] unless both are finite and `low < high`.
    pub fn new(low: f64, high: f64) -> Result<Self, NotAMargin> {
        if low.is_finite() && high.is_finite() && low < high {
            Ok(Self { low, high })
        } else {
            Err(NotAMargin { low, high })
        }
    }

    /// From −`half_width` to `half_width`.
    ///
    /// # Errors
    /// [`NotAMargin`] unless `half_width` is positive and finite.
    pub fn symmetric(half_width: f64) -> Result<Self, NotAMargin> {
        Self::new(-half_width, half_width)
    }

    /// The margin of logarithms of ratios that differ from 1 by less than `factor`, up or down:
    /// 1.05 allows 1/1.05 to 1.05. For the differences of [`Pairs::log_ratios`].
    ///
    /// [`Pairs::log_ratios`]: super::sample::Pairs::log_ratios
    ///
    /// # Errors
    /// [`NotAMargin`] unless `factor` is above 1 and finite.
    pub fn of_log_ratio(factor: f64) -> Result<Self, NotAMargin> {
        Self::symmetric(factor.ln())
    }

    pub fn low(self) -> f64 {
        self.low
    }

    pub fn high(self) -> f64 {
        self.high
    }

    fn holds(self, interval: &Interval) -> bool {
        self.low < interval.low && interval.high < self.high
    }
}

/// The outcome of two one-sided tests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Equivalence {
    pub margin: Margin,
    pub alpha: Alpha,
    /// Against "the difference is at or below the low end of the margin".
    pub p_above_low: f64,
    /// Against "the difference is at or above the high end of the margin".
    pub p_below_high: f64,
    /// The difference with its interval of 1 − 2α.
    pub interval: Interval,
    /// Number of prompts.
    pub n: usize,
}

impl Equivalence {
    /// The p-value of equivalence: the greater of the two.
    pub fn p(&self) -> f64 {
        self.p_above_low.max(self.p_below_high)
    }

    /// Whether the interval of 1 − 2α lies inside the margin, which is when `p()` is below α.
    pub fn is_equivalent(&self) -> bool {
        self.margin.holds(&self.interval)
    }
}

/// Equivalence of the mean of paired `differences` with zero, by two one-sided t tests. `None` for
/// fewer than two prompts. The mean should be close to normal: few prompts with heavy tails call
/// for logarithms or for a bootstrap interval of 1 − 2α held against the margin.
pub fn paired_means(differences: &Sample, margin: Margin, alpha: Alpha) -> Option<Equivalence> {
    let n = differences.len();
    if n < 2 {
        return None;
    }
    let mean = differences.mean();
    let squares: f64 = differences
        .values()
        .iter()
        .map(|d| (d - mean).powi(2))
        .sum();
    let freedom = (n - 1) as f64;
    let error = (squares / freedom / n as f64).sqrt();
    let t = StudentsT::new(0.0, 1.0, freedom).expect("at least one degree of freedom");
    // Differences that all agree leave no doubt on which side of the margin they lie.
    let p = |distance: f64| {
        if error > 0.0 {
            t.sf(distance / error)
        } else {
            f64::from(u8::from(distance <= 0.0))
        }
    };
    let half_width = t.inverse_cdf(1.0 - alpha.level()) * error;
    Some(Equivalence {
        margin,
        alpha,
        p_above_low: p(mean - margin.low),
        p_below_high: p(margin.high - mean),
        interval: Interval {
            estimate: mean,
            low: mean - half_width,
            high: mean + half_width,
            confidence: alpha.two_one_sided().level(),
        },
        n,
    })
}

/// Equivalence of two decoders' shares of right answers to the same prompts, by Tango's score test
/// (1998) against either end of the margin, which is a difference of shares (0.02 for two points).
/// `None` without prompts.
///
/// A one-sided question ("not worse by more than two points") is `p_above_low` alone.
pub fn paired_shares(
    outcomes: &PairedOutcomes,
    margin: Margin,
    alpha: Alpha,
) -> Option<Equivalence> {
    let normal = Normal::standard();
    Some(Equivalence {
        margin,
        alpha,
        p_above_low: normal.sf(outcomes.score(margin.low)),
        p_below_high: normal.cdf(outcomes.score(margin.high)),
        interval: outcomes.difference_interval(alpha.two_one_sided())?,
        n: outcomes.n() as usize,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::fixture::{self, assert_close};
    use crate::stats::sample::Pairs;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    #[test]
    fn paired_p_values_and_intervals_are_those_of_statsmodels() {
        for case in fixture::cases("tost") {
            let margin = Margin::new(case.number("low"), case.number("high")).unwrap();
            let test = paired_means(&case.sample("differences"), margin, Alpha::P05).unwrap();
            assert_close(test.p_above_low, case.number("p_above_low"), 1e-9);
            assert_close(test.p_below_high, case.number("p_below_high"), 1e-9);
            assert_close(test.p(), case.number("p"), 1e-9);
            let interval = case.numbers("interval_90");
            assert_close(test.interval.low, interval[0], 1e-9);
            assert_close(test.interval.high, interval[1], 1e-9);
        }
    }

    #[test]
    fn score_tests_of_shares_are_those_of_the_constrained_likelihood() {
        for case in fixture::cases("paired_outcomes") {
            let margin = Margin::symmetric(case.number("margin")).unwrap();
            let test = paired_shares(&case.outcomes(), margin, Alpha::P05).unwrap();
            assert_close(test.p_above_low, case.number("p_above_low"), 1e-9);
            assert_close(test.p_below_high, case.number("p_below_high"), 1e-9);
        }
    }

    #[test]
    fn a_margin_of_all_shares_is_always_kept_and_one_beyond_them_never() {
        let outcomes = PairedOutcomes {
            both: 3,
            only_first: 2,
            only_second: 1,
            neither: 0,
        };
        let p = |low, high| {
            let margin = Margin::new(low, high).unwrap();
            paired_shares(&outcomes, margin, Alpha::P05).unwrap().p()
        };
        assert_eq!((p(-1.0, 1.0), p(-1.2, 1.1)), (0.0, 0.0));
        assert_eq!((p(1.0, 2.0), p(1.1, 1.5)), (1.0, 1.0));
    }

    #[test]
    fn too_few_prompts_show_neither_a_difference_nor_its_absence() {
        let differences = sample(&[-3.0, 4.0, 1.0, -2.0, 2.0]);
        let margin = Margin::symmetric(1.0).unwrap();
        let test = paired_means(&differences, margin, Alpha::P05).unwrap();
        assert!(test.interval.contains(0.0) && !test.is_equivalent());
    }

    #[test]
    fn many_prompts_can_show_a_difference_that_does_not_matter() {
        let differences: Vec<f64> = (0..400).map(|i| 0.3 + f64::from(i % 5 - 2)).collect();
        let margin = Margin::symmetric(0.5).unwrap();
        let test = paired_means(&sample(&differences), margin, Alpha::P05).unwrap();
        assert!(!test.interval.contains(0.0) && test.is_equivalent());
    }

    #[test]
    fn times_within_five_percent_are_equivalent_as_ratios() {
        let baseline: Vec<f64> = (1..=30).map(f64::from).collect();
        let trial = baseline
            .iter()
            .enumerate()
            .map(|(i, time)| time * if i % 2 == 0 { 1.03 } else { 0.99 });
        let log_ratios = Pairs::new(trial.collect(), baseline)
            .unwrap()
            .log_ratios()
            .unwrap();
        let claim = |factor| {
            let margin = Margin::of_log_ratio(factor).unwrap();
            paired_means(&log_ratios, margin, Alpha::P05)
                .unwrap()
                .is_equivalent()
        };
        assert!(claim(1.05) && !claim(1.005));
    }

    #[test]
    fn a_difference_as_large_as_the_margin_is_called_equivalent_one_time_in_twenty() {
        let mut random = fixture::random(41);
        let margin = Margin::symmetric(1.0).unwrap();
        let claims = (0..4000).filter(|_| {
            let noise = fixture::normals(15, &mut random);
            let differences = noise.iter().map(|noise| 1.0 + noise).collect();
            paired_means(&Sample::new(differences).unwrap(), margin, Alpha::P05)
                .unwrap()
                .is_equivalent()
        });
        // Four standard errors: 4·√(0.05·0.95 / 4000) = 0.014.
        let share = claims.count() as f64 / 4000.0;
        assert!((share - 0.05).abs() < 0.014, "{share}");
    }

    #[test]
    fn differences_that_all_agree_leave_no_doubt() {
        let margin = Margin::symmetric(1.0).unwrap();
        let inside = paired_means(&sample(&[0.5; 4]), margin, Alpha::P05).unwrap();
        let outside = paired_means(&sample(&[1.0; 4]), margin, Alpha::P05).unwrap();
        assert_eq!((inside.p(), outside.p()), (0.0, 1.0));
        assert!(inside.is_equivalent() && !outside.is_equivalent());
    }

    #[test]
    fn a_margin_without_inside_is_refused() {
        assert!(Margin::symmetric(0.0).is_err());
        assert!(Margin::of_log_ratio(0.9).is_err());
        let message = Margin::new(0.02, -0.02).unwrap_err().to_string();
        assert!(message.contains("not 0.02 and -0.02"), "{message}");
    }

    proptest! {
        #[test]
        fn the_test_of_means_and_its_interval_agree(
            differences in prop::collection::vec(-10.0..10.0f64, 3..40),
            half_width in 0.1..10.0f64,
        ) {
            let margin = Margin::symmetric(half_width).unwrap();
            let test = paired_means(&sample(&differences), margin, Alpha::P05).unwrap();
            prop_assume!((test.p() - 0.05).abs() > 1e-9);
            prop_assert_eq!(test.is_equivalent(), test.p() < 0.05);
        }

        #[test]
        fn the_test_of_shares_and_its_interval_agree(
            both in 0u64..80, only_first in 0u64..20, only_second in 0u64..20,
            half_width in 0.01..0.5f64,
        ) {
            let outcomes = PairedOutcomes { both, only_first, only_second, neither: 5 };
            let margin = Margin::symmetric(half_width).unwrap();
            let test = paired_shares(&outcomes, margin, Alpha::P05).unwrap();
            prop_assume!((test.p() - 0.05).abs() > 1e-9);
            prop_assert_eq!(test.is_equivalent(), test.p() < 0.05);
        }
    }
}
