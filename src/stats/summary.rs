//! Means and quantiles of one sample.

use super::sample::{Sample, SampleError};

impl Sample {
    /// Arithmetic mean.
    pub fn mean(&self) -> f64 {
        self.values().iter().sum::<f64>() / self.len() as f64
    }

    /// The middle value, or the mean of the two middle ones.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Quantile of type 7 of Hyndman and Fan (1996), the default of R and NumPy.
    ///
    /// # Panics
    /// When `probability` is not in 0..=1.
    pub fn quantile(&self, probability: f64) -> f64 {
        let mut sorted = self.values().to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        quantile_of_sorted(&sorted, probability)
    }

    /// exp of the mean logarithm: the average of ratios that treats 2 and 1/2 alike.
    ///
    /// # Errors
    /// [`SampleError::NotPositive`].
    pub fn geometric_mean(&self) -> Result<f64, SampleError> {
        match self.values().iter().position(|&value| value <= 0.0) {
            Some(index) => Err(SampleError::NotPositive {
                index,
                value: self.values()[index],
            }),
            None => {
                let sum: f64 = self.values().iter().map(|value| value.ln()).sum();
                Ok((sum / self.len() as f64).exp())
            }
        }
    }
}

/// Type 7 quantile of values in rising order: linear between the order statistics
/// ⌊(n−1)·p⌋ and the next one.
///
/// # Panics
/// When `sorted` is empty or `probability` is not in 0..=1.
pub(super) fn quantile_of_sorted(sorted: &[f64], probability: f64) -> f64 {
    assert!(
        (0.0..=1.0).contains(&probability),
        "{probability} is not a probability"
    );
    let place = (sorted.len() - 1) as f64 * probability;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy 2.4.6: np.quantile([1, 2, 4, 8, 16], [0, .1, .25, .5, .9, 1])
        let shuffled = sample(&[8.0, 1.0, 16.0, 2.0, 4.0]);
        let expected = [
            (0.0, 1.0),
            (0.1, 1.4),
            (0.25, 2.0),
            (0.5, 4.0),
            (0.9, 12.8),
            (1.0, 16.0),
        ];
        for (probability, value) in expected {
            assert!((shuffled.quantile(probability) - value).abs() < 1e-12);
        }
    }

    #[test]
    fn the_median_of_an_even_number_of_values_lies_between_the_middle_two() {
        assert_eq!(sample(&[7.0, 1.0, 3.0, 10.0]).median(), 5.0);
    }

    #[test]
    fn doubling_and_halving_average_to_no_change() {
        let ratios = sample(&[2.0, 0.5]);
        assert!((ratios.geometric_mean().unwrap() - 1.0).abs() < 1e-15);
        assert_eq!(ratios.mean(), 1.25);
    }

    #[test]
    fn a_geometric_mean_refuses_zero() {
        assert!(sample(&[1.0, 0.0]).geometric_mean().is_err());
    }

    proptest! {
        #[test]
        fn a_quantile_grows_with_its_probability_and_stays_in_range(
            values in prop::collection::vec(-1e6..1e6f64, 1..40),
            low in 0.0..=1.0f64,
            high in 0.0..=1.0f64,
        ) {
            let (low, high) = (low.min(high), low.max(high));
            let sample = Sample::new(values).unwrap();
            prop_assert!(sample.quantile(low) <= sample.quantile(high) + 1e-9);
            prop_assert!(sample.quantile(0.0) <= sample.quantile(low));
            prop_assert!(sample.quantile(high) <= sample.quantile(1.0) + 1e-9);
        }

        #[test]
        fn the_geometric_mean_never_exceeds_the_arithmetic_one(
            values in prop::collection::vec(1e-3..1e3f64, 1..40),
        ) {
            let sample = Sample::new(values).unwrap();
            prop_assert!(sample.geometric_mean().unwrap() <= sample.mean() * (1.0 + 1e-12));
        }
    }
}
