//! One decoder against another on the same prompts: the line of a table of hypotheses.

use serde::Serialize;

use super::bootstrap::Bootstrap;
use super::interval::Interval;
use super::multiplicity::Adjustment;
use super::permutation::Permutation;
use super::sample::{Pairs, Sample, SampleError};
use super::significance::Alpha;

/// An effect with its interval, the p-value that chance alone does it, and how many prompts say so.
///
/// The interval and the p-value come from different resamplings (prompts, and signs), so near α one
/// may exclude what the other does not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comparison {
    pub effect: Interval,
    /// Two-sided.
    pub p: f64,
    /// The p-value among all tests of its family; `None` until [`adjust_family`] has seen them.
    pub p_adjusted: Option<f64>,
    /// Number of prompts.
    pub n: usize,
}

impl Comparison {
    /// The mean of `differences` (first minus second of each prompt) against zero.
    pub fn of_differences(
        differences: &Sample,
        bootstrap: &Bootstrap,
        permutation: &Permutation,
    ) -> Self {
        Self {
            effect: bootstrap.mean(differences),
            p: permutation.mean_difference(differences).p.two_sided,
            p_adjusted: None,
            n: differences.len(),
        }
    }

    /// The geometric mean of numerator / denominator against 1.
    ///
    /// # Errors
    /// [`SampleError::NotPositive`].
    pub fn of_ratios(
        pairs: &Pairs,
        bootstrap: &Bootstrap,
        permutation: &Permutation,
    ) -> Result<Self, SampleError> {
        Ok(Self {
            effect: bootstrap.geometric_mean_ratio(pairs)?,
            p: permutation.mean_log_ratio(pairs)?.p.two_sided,
            p_adjusted: None,
            n: pairs.len(),
        })
    }

    /// Whether the p-value, adjusted if it was, is at most `alpha`.
    pub fn is_significant(&self, alpha: Alpha) -> bool {
        self.p_adjusted.unwrap_or(self.p) <= alpha.level()
    }
}

/// Fills in `p_adjusted`: `family` is every comparison that could have been reported.
///
/// # Panics
/// When a p-value is not in 0..=1.
pub fn adjust_family(family: &mut [Comparison], adjustment: Adjustment) {
    let p_values: Vec<f64> = family.iter().map(|comparison| comparison.p).collect();
    for (comparison, adjusted) in family.iter_mut().zip(adjustment.adjust(&p_values)) {
        comparison.p_adjusted = Some(adjusted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture::{self, assert_close};

    #[test]
    fn twelve_prompts_that_all_gain_are_significant_even_among_twenty_tests() {
        let baseline: Vec<f64> = (1..=12).map(f64::from).collect();
        let trial = baseline
            .iter()
            .enumerate()
            .map(|(i, t)| t / (1.5 + 0.01 * i as f64));
        let pairs = Pairs::new(baseline.clone(), trial.collect()).unwrap();
        let gain = Comparison::of_ratios(&pairs, &fixture::bootstrap(500), &Permutation::default())
            .unwrap();
        assert_close(gain.p, 2.0 / 4096.0, 1e-15);
        assert!(gain.effect.low > 1.5 && gain.effect.high < 1.61);

        let nothing = Comparison { p: 0.6, ..gain };
        let mut family = vec![nothing; 20];
        family[7] = gain;
        adjust_family(&mut family, Adjustment::Holm);
        assert_close(family[7].p_adjusted.unwrap(), 20.0 * 2.0 / 4096.0, 1e-15);
        assert!(family[7].is_significant(Alpha::P05));
        assert!(!family[0].is_significant(Alpha::P05));
        assert_eq!(family[0].p_adjusted, Some(1.0));
    }

    #[test]
    fn a_p_of_4_percent_does_not_survive_a_second_test() {
        let one = Comparison {
            effect: Interval::exact(0.1),
            p: 0.04,
            p_adjusted: None,
            n: 30,
        };
        assert!(one.is_significant(Alpha::P05));
        let mut family = [one, Comparison { p: 0.5, ..one }];
        adjust_family(&mut family, Adjustment::Holm);
        assert!(!family[0].is_significant(Alpha::P05));
    }

    #[test]
    fn a_difference_is_in_its_own_unit() {
        let differences = Sample::new(vec![1.0, 2.0, 3.0, 2.0]).unwrap();
        let comparison = Comparison::of_differences(
            &differences,
            &fixture::bootstrap(200),
            &Permutation::default(),
        );
        assert_eq!((comparison.effect.estimate, comparison.n), (2.0, 4));
        assert_close(comparison.p, 2.0 / 16.0, 1e-15);
    }
}
