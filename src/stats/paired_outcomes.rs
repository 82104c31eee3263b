//! Right and wrong answers of two decoders to the same prompts.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal};

use super::interval::{Confidence, Interval};

/// How many prompts both, one or neither of two decoders answered rightly. Only the two kinds of
/// prompts on which they disagree say anything about their difference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PairedOutcomes {
    pub both: u64,
    pub only_first: u64,
    pub only_second: u64,
    pub neither: u64,
}

impl PairedOutcomes {
    /// Counts the answers, prompt by prompt.
    ///
    /// # Panics
    /// When the slices differ in length.
    pub fn of(first: &[bool], second: &[bool]) -> Self {
        assert_eq!(
            first.len(),
            second.len(),
            "outcomes are of the same prompts"
        );
        let mut outcomes = Self::default();
        for pair in first.iter().zip(second) {
            let cell = match pair {
                (true, true) => &mut outcomes.both,
                (true, false) => &mut outcomes.only_first,
                (false, true) => &mut outcomes.only_second,
                (false, false) => &mut outcomes.neither,
            };
            *cell += 1;
        }
        outcomes
    }

    /// Number of prompts.
    pub fn n(&self) -> u64 {
        self.both + self.disagreements() + self.neither
    }

    pub fn disagreements(&self) -> u64 {
        self.only_first + self.only_second
    }

    /// The first's share of right answers minus the second's, in −1..=1. `None` without prompts.
    pub fn difference(&self) -> Option<f64> {
        let n = self.n();
        (n > 0).then(|| (self.only_first as f64 - self.only_second as f64) / n as f64)
    }

    /// Tango's score statistic of the hypothesis that the shares differ by `difference` (Tango
    /// 1998, Statistics in Medicine 17:891): standard normal for many prompts if it holds, falling
    /// in `difference`. The chance of "only the second" in its variance is the most likely one
    /// under the hypothesis, so it is defined even when the decoders never disagree. Infinite where
    /// no shares can differ by `difference`.
    pub(super) fn score(&self, difference: f64) -> f64 {
        if difference.abs() >= 1.0 {
            return -difference.signum() * f64::INFINITY;
        }
        let n = self.n() as f64;
        let (only_first, only_second) = (self.only_first as f64, self.only_second as f64);
        let spread = difference * (1.0 - difference);
        let a = 2.0 * n;
        let b = (2.0 * n - only_first + only_second) * difference - only_first - only_second;
        let c = -only_second * spread;
        let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
        let chance_only_second = (root - b) / (2.0 * a);
        let distance = only_first - only_second - n * difference;
        let variance = n * (2.0 * chance_only_second + spread);
        if distance == 0.0 {
            0.0
        } else {
            distance / variance.max(0.0).sqrt()
        }
    }

    /// Tango's score interval of the difference of the two shares, which inverts that statistic.
    /// Unlike the textbook interval it keeps its coverage with few disagreements and stays within
    /// −1..=1. `None` without prompts.
    pub fn difference_interval(&self, confidence: Confidence) -> Option<Interval> {
        let estimate = self.difference()?;
        let z = Normal::standard().inverse_cdf(1.0 - confidence.tail());
        Some(Interval {
            estimate,
            low: last_place(-1.0, estimate, |difference| self.score(difference) > z),
            high: last_place(estimate, 1.0, |difference| self.score(difference) > -z),
            confidence: confidence.level(),
        })
    }
}

/// Where `holds`, true on the left and false on the right, changes between `low` and `high`.
fn last_place(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    // 60 halvings of an interval of at most 2 end at the spacing of f64.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::fixture::{self, assert_close};

    #[test]
    fn outcomes_are_counted_by_who_was_right() {
        let outcomes = PairedOutcomes::of(
            &[true, true, true, false, false],
            &[true, false, false, true, false],
        );
        let expected = PairedOutcomes {
            both: 1,
            only_first: 2,
            only_second: 1,
            neither: 1,
        };
        assert_eq!(outcomes, expected);
        assert_close(outcomes.difference().unwrap(), 0.2, 1e-15);
    }

    #[test]
    fn intervals_are_those_of_the_constrained_likelihood() {
        for case in fixture::cases("paired_outcomes") {
            let outcomes = case.outcomes();
            for (level, key) in [(0.95, "interval_95"), (0.9, "interval_90")] {
                let interval = outcomes
                    .difference_interval(Confidence::new(level).unwrap())
                    .unwrap();
                let expected = case.numbers(key);
                assert_close(interval.low, expected[0], 1e-9);
                assert_close(interval.high, expected[1], 1e-9);
            }
        }
    }

    #[test]
    fn the_airway_data_give_the_published_interval() {
        // Fagerland, Lydersen and Laake 2014, Statistics in Medicine 33:2850: airway reactivity of
        // 21 children before and after a transplantation; Tango's interval is −0.517 to −0.026.
        let children = PairedOutcomes {
            both: 1,
            only_first: 1,
            only_second: 7,
            neither: 12,
        };
        let interval = children.difference_interval(Confidence::P95).unwrap();
        assert!((interval.low + 0.517).abs() < 5e-4, "{interval:?}");
        assert!((interval.high + 0.026).abs() < 5e-4, "{interval:?}");
    }

    #[test]
    fn decoders_that_never_disagree_may_still_differ_by_a_little() {
        // The score interval of 0 out of 40 in each direction: z² / (n + z²), as Wilson's.
        let same = PairedOutcomes {
            both: 30,
            neither: 10,
            ..PairedOutcomes::default()
        };
        let interval = same.difference_interval(Confidence::P95).unwrap();
        let z2 = 1.959963984540054f64.powi(2);
        assert_close(interval.high, z2 / (40.0 + z2), 1e-12);
        assert_close(interval.low, -z2 / (40.0 + z2), 1e-12);
    }

    #[test]
    fn without_prompts_there_is_no_difference() {
        let nothing = PairedOutcomes::default();
        assert_eq!(nothing.difference_interval(Confidence::P95), None);
    }

    proptest! {
        #[test]
        fn exchanging_the_decoders_mirrors_the_interval(
            both in 0u64..50, only_first in 0u64..50, only_second in 0u64..50, neither in 1u64..50,
        ) {
            let outcomes = PairedOutcomes { both, only_first, only_second, neither };
            let exchanged = PairedOutcomes {
                only_first: only_second,
                only_second: only_first,
                ..outcomes
            };
            let interval = outcomes.difference_interval(Confidence::P95).unwrap();
            let mirrored = exchanged.difference_interval(Confidence::P95).unwrap();
            prop_assert!((interval.low + mirrored.high).abs() < 1e-9);
            prop_assert!((interval.high + mirrored.low).abs() < 1e-9);
            prop_assert!(interval.contains(interval.estimate));
            prop_assert!(-1.0 <= interval.low && interval.high <= 1.0);
        }
    }
}
