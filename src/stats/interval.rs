//! An estimate with what is known about its error.

use serde::{Deserialize, Deserializer, Serialize};

/// A confidence level: a number strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Confidence(f64);

/// The number is not a confidence level.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a confidence level lies strictly between 0 and 1, such as 0.95; {0} does not")]
pub struct NotAConfidence(f64);

impl Confidence {
    pub const P95: Self = Self(0.95);

    /// # Errors
    /// [`NotAConfidence`] when `level` is not strictly between 0 and 1.
    pub fn new(level: f64) -> Result<Self, NotAConfidence> {
        if level > 0.0 && level < 1.0 {
            Ok(Self(level))
        } else {
            Err(NotAConfidence(level))
        }
    }

    /// The level that leaves `tail` on either side, for a tail strictly between 0 and 1/2.
    pub(super) fn of_tails(tail: f64) -> Self {
        Self(1.0 - 2.0 * tail)
    }

    /// 0.95 for a 95 % interval.
    pub fn level(self) -> f64 {
        self.0
    }

    /// Probability left in each tail: 0.025 for a 95 % interval.
    pub fn tail(self) -> f64 {
        (1.0 - self.0) / 2.0
    }
}

impl TryFrom<f64> for Confidence {
    type Error = NotAConfidence;

    fn try_from(level: f64) -> Result<Self, NotAConfidence> {
        Self::new(level)
    }
}

impl From<Confidence> for f64 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

/// A point estimate and its two-sided confidence interval, all in the unit of the estimate.
///
/// `low <= high`. An interval that the data cannot give (one prompt only) has infinite ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub estimate: f64,
    #[serde(deserialize_with = "low_end")]
    pub low: f64,
    #[serde(deserialize_with = "high_end")]
    pub high: f64,
    /// Nominal coverage, such as 0.95.
    pub confidence: f64,
}

/// JSON has no infinity and writes null.
fn low_end<'de, D: Deserializer<'de>>(end: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(end)?.unwrap_or(f64::NEG_INFINITY))
}

/// As [`low_end`].
fn high_end<'de, D: Deserializer<'de>>(end: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(end)?.unwrap_or(f64::INFINITY))
}

impl Interval {
    /// A number without error: a definition (the baseline's speedup is 1) or a given constant.
    pub fn exact(estimate: f64) -> Self {
        Self {
            estimate,
            low: estimate,
            high: estimate,
            confidence: 1.0,
        }
    }

    /// An estimate of whose error nothing is known.
    pub fn unbounded(estimate: f64, confidence: Confidence) -> Self {
        Self {
            estimate,
            low: f64::NEG_INFINITY,
            high: f64::INFINITY,
            confidence: confidence.level(),
        }
    }

    /// From the columns of a table; unbounded where it has no ends.
    pub fn read(
        estimate: Option<f64>,
        low: Option<f64>,
        high: Option<f64>,
        confidence: Confidence,
    ) -> Option<Self> {
        let unbounded = Self::unbounded(estimate?, confidence);
        Some(match (low, high) {
            (Some(low), Some(high)) => Self {
                low,
                high,
                ..unbounded
            },
            (None | Some(_), None) | (None, Some(_)) => unbounded,
        })
    }

    /// Whether both ends are finite.
    pub fn is_bounded(&self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }

    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// The difference of two independent estimates from their intervals of equal confidence: each end
    /// adds the squares of the distances that matter for it (MOVER, Zou and Donner 2008, Statistics in
    /// Medicine 27:1693).
    pub fn minus_independent(&self, other: &Self) -> Self {
        let estimate = self.estimate - other.estimate;
        Self {
            estimate,
            low: estimate - (self.estimate - self.low).hypot(other.high - other.estimate),
            high: estimate + (self.high - self.estimate).hypot(other.estimate - other.low),
            confidence: self.confidence.min(other.confidence),
        }
    }

    /// The same interval after a growing function, such as `exp` from logarithms to ratios.
    pub fn map(self, growing: impl Fn(f64) -> f64) -> Self {
        Self {
            estimate: growing(self.estimate),
            low: growing(self.low),
            high: growing(self.high),
            confidence: self.confidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confidence_of_one_or_of_95_is_refused() {
        assert!(Confidence::new(1.0).is_err());
        assert!(Confidence::new(f64::NAN).is_err());
        let message = Confidence::new(95.0).unwrap_err().to_string();
        assert!(message.contains("0.95; 95 does not"), "{message}");
    }

    #[test]
    fn a_95_percent_interval_leaves_two_and_a_half_percent_in_each_tail() {
        assert!((Confidence::P95.tail() - 0.025).abs() < 1e-15);
    }

    #[test]
    fn the_difference_of_two_independent_estimates_adds_the_distances_in_squares() {
        let of = |estimate: f64, below: f64, above: f64| Interval {
            estimate,
            low: estimate - below,
            high: estimate + above,
            confidence: 0.95,
        };
        // 3 and 4 make 5; 6 and 8 make 10.
        let difference = of(10.0, 3.0, 6.0).minus_independent(&of(4.0, 8.0, 4.0));
        assert_eq!(
            (difference.estimate, difference.low, difference.high),
            (6.0, 1.0, 16.0)
        );
    }

    #[test]
    fn an_unbounded_interval_contains_everything() {
        let interval = Interval::unbounded(1.5, Confidence::P95);
        assert!(interval.contains(-1e300) && interval.contains(1e300));
        assert!(!interval.is_bounded());
    }
}
