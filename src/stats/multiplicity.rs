//! P-values when many hypotheses are tested at once.
//!
//! Twenty rules without any effect give one p below 0.05 on average. [`holm`] keeps the
//! probability of even one false claim below α: use it for the hypotheses of a paper.
//! [`benjamini_hochberg`] keeps the expected share of false claims among the claims below α: use it
//! to screen a grid. Both return adjusted p-values, to be compared with α as they are.
//!
//! Pitfalls: the family is every test that could have been reported, not those that were. Holm
//! holds under any dependence; Benjamini–Hochberg under independence or positive dependence, which
//! decoders on the same prompts against the same baseline usually show.

use serde::{Deserialize, Serialize};

/// How a family of p-values is adjusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// Family-wise error rate.
    #[default]
    Holm,
    /// False discovery rate.
    BenjaminiHochberg,
}

impl Adjustment {
    /// Adjusted p-values in the order given.
    ///
    /// # Panics
    /// When a p-value is not in 0..=1.
    pub fn adjust(self, p_values: &[f64]) -> Vec<f64> {
        match self {
            Self::Holm => holm(p_values),
            Self::BenjaminiHochberg => benjamini_hochberg(p_values),
        }
    }
}

/// Holm's step-down procedure (Holm 1979): the i-th smallest of m p-values times m − i + 1, never
/// below a smaller one's, at most 1. In the order given.
///
/// # Panics
/// When a p-value is not in 0..=1.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let m = p_values.len();
    let mut adjusted = vec![0.0; m];
    let mut largest = 0.0f64;
    for (rank, index) in rising(p_values).into_iter().enumerate() {
        largest = largest.max(p_values[index] * (m - rank) as f64).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

/// Benjamini and Hochberg's step-up procedure (1995): the i-th smallest of m p-values times m / i,
/// never above a larger one's, at most 1. In the order given.
///
/// # Panics
/// When a p-value is not in 0..=1.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let m = p_values.len();
    let mut adjusted = vec![0.0; m];
    let mut smallest = 1.0f64;
    for (rank, index) in rising(p_values).into_iter().enumerate().rev() {
        smallest = smallest.min(p_values[index] * m as f64 / (rank + 1) as f64);
        adjusted[index] = smallest;
    }
    adjusted
}

fn rising(p_values: &[f64]) -> Vec<usize> {
    for p in p_values {
        assert!((0.0..=1.0).contains(p), "{p} is not a p-value");
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::fixture::{self, assert_close};

    #[test]
    fn adjusted_p_values_are_those_of_statsmodels() {
        for case in fixture::cases("multiplicity") {
            let p_values = case.numbers("p");
            for (adjustment, key) in [
                (Adjustment::Holm, "holm"),
                (Adjustment::BenjaminiHochberg, "benjamini_hochberg"),
            ] {
                let expected = case.numbers(key);
                for (ours, theirs) in adjustment.adjust(&p_values).iter().zip(expected) {
                    assert_close(*ours, theirs, 1e-14);
                }
            }
        }
    }

    #[test]
    fn four_p_values_by_hand() {
        // Holm: 4·0.005, 3·0.01, 2·0.03, then 0.04 raised to its predecessor.
        assert_eq!(holm(&[0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02]);
        // Step-up: 4·0.005/1, 4·0.01/2, 4·0.03/3, 4·0.04/4.
        let adjusted = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005]);
        for (ours, expected) in adjusted.iter().zip([0.02, 0.04, 0.04, 0.02]) {
            assert_close(*ours, expected, 1e-15);
        }
    }

    #[test]
    fn an_empty_family_has_nothing_to_adjust() {
        assert!(holm(&[]).is_empty() && benjamini_hochberg(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn adjusting_never_lowers_a_p_and_screening_is_never_stricter_than_holm(
            p_values in prop::collection::vec(0.0..=1.0f64, 1..40),
        ) {
            let (strict, screening) = (holm(&p_values), benjamini_hochberg(&p_values));
            for index in 0..p_values.len() {
                prop_assert!(p_values[index] <= screening[index] + 1e-15);
                prop_assert!(screening[index] <= strict[index] + 1e-15);
                prop_assert!(strict[index] <= 1.0);
            }
        }

        #[test]
        fn adjusting_keeps_the_order(p_values in prop::collection::vec(0.0..=1.0f64, 2..40)) {
            for adjusted in [holm(&p_values), benjamini_hochberg(&p_values)] {
                let order = rising(&p_values);
                prop_assert!(order.is_sorted_by(|&a, &b| adjusted[a] <= adjusted[b]));
            }
        }
    }
}
