//! Numbers that statistics may be computed from: never empty, never NaN.

/// Why numbers do not make a sample.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SampleError {
    #[error("a sample needs at least one value")]
    Empty,
    #[error("value {index} of the sample is {value}, not a finite number")]
    NotFinite { index: usize, value: f64 },
    #[error(
        "paired samples need one value per prompt on both sides, not {numerator} and {denominator}"
    )]
    LengthMismatch {
        numerator: usize,
        denominator: usize,
    },
    #[error("the sum of the denominators is {sum}, a ratio needs a positive one")]
    NoDenominator { sum: f64 },
    #[error("a geometric mean needs positive values, value {index} is {value}")]
    NotPositive { index: usize, value: f64 },
}

/// At least one finite number, in the order given (usually one per prompt).
#[derive(Debug, Clone, PartialEq)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// # Errors
    /// [`SampleError::Empty`], [`SampleError::NotFinite`].
    pub fn new(values: Vec<f64>) -> Result<Self, SampleError> {
        if values.is_empty() {
            return Err(SampleError::Empty);
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(SampleError::NotFinite {
                index,
                value: values[index],
            }),
            None => Ok(Self(values)),
        }
    }

    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// At least 1.
    #[expect(clippy::len_without_is_empty, reason = "a sample is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Two quantities of the same prompts, to be divided: times of two decoders, or counts such as
/// accepted and drafted tokens. A single denominator may be zero, their sum is positive.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    numerator: Sample,
    denominator: Sample,
}

impl Pairs {
    /// # Errors
    /// All of [`SampleError`] but [`SampleError::NotPositive`].
    pub fn new(numerator: Vec<f64>, denominator: Vec<f64>) -> Result<Self, SampleError> {
        if numerator.len() != denominator.len() {
            return Err(SampleError::LengthMismatch {
                numerator: numerator.len(),
                denominator: denominator.len(),
            });
        }
        let numerator = Sample::new(numerator)?;
        let denominator = Sample::new(denominator)?;
        let sum: f64 = denominator.values().iter().sum();
        if sum > 0.0 {
            Ok(Self {
                numerator,
                denominator,
            })
        } else {
            Err(SampleError::NoDenominator { sum })
        }
    }

    /// Number of prompts, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "pairs are never empty")]
    pub fn len(&self) -> usize {
        self.numerator.len()
    }

    /// Σ numerator / Σ denominator.
    pub fn ratio_of_sums(&self) -> f64 {
        self.numerator.values().iter().sum::<f64>() / self.denominator.values().iter().sum::<f64>()
    }

    /// Σ numerator / Σ denominator over the prompts at `indices`, which may repeat; `None` when
    /// these denominators add up to zero or less.
    pub(super) fn ratio_of_sums_at(&self, indices: &[usize]) -> Option<f64> {
        let (mut numerator, mut denominator) = (0.0, 0.0);
        for &index in indices {
            numerator += self.numerator.values()[index];
            denominator += self.denominator.values()[index];
        }
        (denominator > 0.0).then(|| numerator / denominator)
    }

    /// ln(numerator / denominator) of each prompt.
    ///
    /// # Errors
    /// [`SampleError::NotPositive`] names the first value that has no logarithm.
    pub fn log_ratios(&self) -> Result<Sample, SampleError> {
        let logarithms = |sample: &Sample| -> Result<Vec<f64>, SampleError> {
            let log = |(index, &value): (usize, &f64)| {
                if value > 0.0 {
                    Ok(value.ln())
                } else {
                    Err(SampleError::NotPositive { index, value })
                }
            };
            sample.values().iter().enumerate().map(log).collect()
        };
        let numerator = logarithms(&self.numerator)?;
        let denominator = logarithms(&self.denominator)?;
        Sample::new(
            numerator
                .iter()
                .zip(&denominator)
                .map(|(numerator, denominator)| numerator - denominator)
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_never_empty() {
        assert_eq!(Sample::new(vec![]), Err(SampleError::Empty));
    }

    #[test]
    fn a_sample_names_its_first_value_that_is_not_a_number() {
        let error = Sample::new(vec![1.0, f64::INFINITY, f64::NAN]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "value 1 of the sample is inf, not a finite number"
        );
        assert!(Sample::new(vec![f64::NAN]).is_err());
    }

    #[test]
    fn pairs_need_the_same_prompts_on_both_sides() {
        assert_eq!(
            Pairs::new(vec![1.0, 2.0], vec![1.0]),
            Err(SampleError::LengthMismatch {
                numerator: 2,
                denominator: 1
            })
        );
    }

    #[test]
    fn one_prompt_without_drafts_is_allowed_but_not_all_of_them() {
        let accepted_over_drafted = Pairs::new(vec![0.0, 3.0], vec![0.0, 4.0]).unwrap();
        assert_eq!(accepted_over_drafted.ratio_of_sums(), 0.75);
        assert_eq!(accepted_over_drafted.ratio_of_sums_at(&[0, 0]), None);
        assert_eq!(
            Pairs::new(vec![0.0, 0.0], vec![0.0, 0.0]),
            Err(SampleError::NoDenominator { sum: 0.0 })
        );
    }

    #[test]
    fn a_log_ratio_of_zero_time_is_an_error_with_its_place() {
        let pairs = Pairs::new(vec![1.0, 0.0], vec![1.0, 1.0]).unwrap();
        assert_eq!(
            pairs.log_ratios(),
            Err(SampleError::NotPositive {
                index: 1,
                value: 0.0
            })
        );
    }
}
