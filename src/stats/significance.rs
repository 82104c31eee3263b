//! The error rate that a decision accepts.

use serde::{Deserialize, Serialize};

use super::interval::Confidence;

/// A significance level α: the accepted probability of a false claim, strictly between 0 and 1/2.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Alpha(f64);

/// The number is not a significance level.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a significance level lies strictly between 0 and 0.5, such as 0.05; {0} does not")]
pub struct NotAnAlpha(f64);

impl Alpha {
    pub const P05: Self = Self(0.05);

    /// # Errors
    /// [`NotAnAlpha`] when `level` is not strictly between 0 and 1/2.
    pub fn new(level: f64) -> Result<Self, NotAnAlpha> {
        if level > 0.0 && level < 0.5 {
            Ok(Self(level))
        } else {
            Err(NotAnAlpha(level))
        }
    }

    /// 0.05 for a 5 % level.
    pub fn level(self) -> f64 {
        self.0
    }

    /// The interval that two one-sided tests at this level invert: 90 % for α = 0.05.
    pub fn two_one_sided(self) -> Confidence {
        Confidence::of_tails(self.0)
    }
}

impl TryFrom<f64> for Alpha {
    type Error = NotAnAlpha;

    fn try_from(level: f64) -> Result<Self, NotAnAlpha> {
        Self::new(level)
    }
}

impl From<Alpha> for f64 {
    fn from(alpha: Alpha) -> Self {
        alpha.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_of_5_or_of_a_half_is_refused() {
        assert!(Alpha::new(5.0).is_err());
        assert!(Alpha::new(0.5).is_err());
        assert!(serde_json::from_str::<Alpha>("0").is_err());
        let message = Alpha::new(f64::NAN).unwrap_err().to_string();
        assert!(message.contains("0.05; NaN does not"), "{message}");
    }

    #[test]
    fn two_one_sided_tests_at_5_percent_belong_to_a_90_percent_interval() {
        let interval = Alpha::P05.two_one_sided();
        assert!((interval.level() - 0.9).abs() < 1e-15);
        assert!((interval.tail() - 0.05).abs() < 1e-15);
    }
}
