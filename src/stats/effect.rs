//! How large a difference is, in units that do not depend on the machine.
//!
//! A p-value says whether a difference exists, an effect size whether anybody should care.
//! [`cohen_dz`] measures the mean difference in standard deviations of the differences,
//! [`cliffs_delta`] how often a value of one decoder exceeds one of the other, and
//! [`win_balance`] how often a prompt does.
//!
//! Pitfalls: d_z grows as pairing removes variation, so it must not be compared with the d of two
//! independent groups nor with Cohen's labels "small" and "large", which were made for those.
//! Report the ratio or the difference itself beside it.

use statrs::function::gamma::ln_gamma;

use super::bootstrap::Bootstrap;
use super::interval::Interval;
use super::sample::Sample;

/// Cohen's d_z of paired `differences`: their mean over their standard deviation with n − 1
/// (Cohen 1988, chapter 2). `None` for fewer than two, or when they do not vary.
pub fn cohen_dz(differences: &Sample) -> Option<f64> {
    let everything: Vec<usize> = (0..differences.len()).collect();
    dz_at(differences.values(), &everything)
}

/// d_z without its bias upwards in small samples: d_z times [`hedges_correction`] of n − 1 degrees
/// of freedom (Hedges' g_z). `None` as for [`cohen_dz`].
pub fn hedges_gz(differences: &Sample) -> Option<f64> {
    Some(cohen_dz(differences)? * hedges_correction(differences.len() - 1))
}

/// Hedges' exact factor Γ(ν/2) / (√(ν/2)·Γ((ν−1)/2)) for ν degrees of freedom (Hedges 1981),
/// close to 1 − 3/(4ν − 1). 0 for ν = 1, where the mean of d_z does not exist.
///
/// # Panics
/// When `degrees_of_freedom` is 0.
pub fn hedges_correction(degrees_of_freedom: usize) -> f64 {
    assert!(degrees_of_freedom > 0, "one value has no spread");
    if degrees_of_freedom == 1 {
        return 0.0;
    }
    let half = degrees_of_freedom as f64 / 2.0;
    (ln_gamma(half) - ln_gamma(half - 0.5)).exp() / half.sqrt()
}

/// Cliff's δ of two samples: the probability that a value of `one` exceeds a value of `other`,
/// minus that of the reverse, over all n·m pairs (Cliff 1993). In −1..=1, untouched by outliers and
/// by any growing transformation. It ignores the pairing; for pairs see [`win_balance`].
pub fn cliffs_delta(one: &Sample, other: &Sample) -> f64 {
    delta_of_sorted(&sorted(one.values()), &sorted(other.values()))
}

/// The share of prompts with a positive difference minus the share with a negative one, in −1..=1:
/// Cliff's δ within pairs (Cliff 1993, d_w).
pub fn win_balance(differences: &Sample) -> f64 {
    differences.values().iter().map(|&d| sign(d)).sum::<f64>() / differences.len() as f64
}

impl Bootstrap {
    /// [`cohen_dz`] with its interval; resamples without variation are left out. `None` as there.
    pub fn cohen_dz(&self, differences: &Sample) -> Option<Interval> {
        let estimate = cohen_dz(differences)?;
        Some(self.around(estimate, differences.len(), |indices| {
            dz_at(differences.values(), indices)
        }))
    }

    /// [`cliffs_delta`] of two decoders on the same prompts, with its interval: prompts are
    /// resampled with both their values.
    ///
    /// # Panics
    /// When the samples differ in length.
    pub fn cliffs_delta(&self, one: &Sample, other: &Sample) -> Interval {
        assert_eq!(one.len(), other.len(), "both decoders saw the same prompts");
        let at = |sample: &Sample, indices: &[usize]| {
            let drawn: Vec<f64> = indices.iter().map(|&i| sample.values()[i]).collect();
            sorted(&drawn)
        };
        self.around(cliffs_delta(one, other), one.len(), |indices| {
            Some(delta_of_sorted(&at(one, indices), &at(other, indices)))
        })
    }

    /// [`win_balance`] with its interval.
    pub fn win_balance(&self, differences: &Sample) -> Interval {
        self.around(win_balance(differences), differences.len(), |indices| {
            let sum: f64 = indices.iter().map(|&i| sign(differences.values()[i])).sum();
            Some(sum / indices.len() as f64)
        })
    }
}

fn dz_at(differences: &[f64], indices: &[usize]) -> Option<f64> {
    let n = indices.len() as f64;
    let first = differences[indices[0]];
    if indices.iter().all(|&index| differences[index] == first) {
        return None;
    }
    let mean = indices.iter().map(|&i| differences[i]).sum::<f64>() / n;
    let squares: f64 = indices
        .iter()
        .map(|&i| (differences[i] - mean).powi(2))
        .sum();
    Some(mean / (squares / (n - 1.0)).sqrt())
}

fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn delta_of_sorted(one: &[f64], other: &[f64]) -> f64 {
    let (mut below, mut not_above, mut balance) = (0, 0, 0.0);
    for &value in one {
        while below < other.len() && other[below] < value {
            below += 1;
        }
        while not_above < other.len() && other[not_above] <= value {
            not_above += 1;
        }
        balance += below as f64 - (other.len() - not_above) as f64;
    }
    balance / (one.len() as f64 * other.len() as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::fixture::{self, assert_close};

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    #[test]
    fn effect_sizes_are_those_of_numpy_and_scipy() {
        for case in fixture::cases("effect") {
            let (one, other) = (case.sample("one"), case.sample("other"));
            let differences = case.sample("differences");
            assert_close(cohen_dz(&differences).unwrap(), case.number("dz"), 1e-12);
            assert_close(hedges_gz(&differences).unwrap(), case.number("gz"), 1e-9);
            assert_close(cliffs_delta(&one, &other), case.number("delta"), 1e-12);
            assert_close(win_balance(&differences), case.number("balance"), 1e-12);
        }
    }

    #[test]
    fn hedges_factors_have_closed_forms_and_approach_1() {
        use std::f64::consts::PI;
        // Γ(1) / Γ(1/2), (√π/2) / (√1.5·Γ(1)), Γ(2) / (√2·√π/2).
        let closed = [
            (2, PI.powf(-0.5)),
            (3, (PI / 6.0).sqrt()),
            (4, (2.0 / PI).sqrt()),
        ];
        for (freedom, factor) in closed {
            assert_close(hedges_correction(freedom), factor, 1e-12);
        }
        assert_eq!(hedges_correction(1), 0.0);
        assert_close(hedges_correction(100), 1.0 - 3.0 / 399.0, 2e-5);
    }

    #[test]
    fn a_difference_of_one_standard_deviation() {
        // Mean 2, standard deviation 2.
        assert_close(cohen_dz(&sample(&[0.0, 2.0, 4.0])).unwrap(), 1.0, 1e-15);
        assert_eq!(cohen_dz(&sample(&[1.0, 1.0, 1.0])), None);
        assert_eq!(cohen_dz(&sample(&[1.0])), None);
    }

    #[test]
    fn six_of_nine_comparisons_won_and_one_drawn() {
        // 3 beats 1 and 2, draws with 3; 5 beats all; 2 beats 1, draws with 2, loses to 3.
        let delta = cliffs_delta(&sample(&[3.0, 5.0, 2.0]), &sample(&[1.0, 2.0, 3.0]));
        assert_close(delta, (6.0 - 1.0) / 9.0, 1e-15);
    }

    #[test]
    fn a_decoder_that_wins_on_every_prompt_can_have_a_small_delta() {
        // Prompts differ far more than the decoders: only the pairs show that one always wins.
        let baseline: Vec<f64> = (0..20).map(|i| 10.0 * f64::from(i)).collect();
        let faster: Vec<f64> = baseline.iter().map(|time| time - 1.0).collect();
        let delta = cliffs_delta(&sample(&baseline), &sample(&faster));
        assert_close(delta, 20.0 / 400.0, 1e-15);
        assert_eq!(win_balance(&sample(&[1.0; 20])), 1.0);
    }

    #[test]
    fn an_interval_of_dz_holds_its_estimate_and_shrinks_with_more_prompts() {
        let bootstrap = fixture::bootstrap(400);
        let width = |n: usize| {
            let mut random = fixture::random(3);
            let shifted = fixture::normals(n, &mut random)
                .iter()
                .map(|v| v + 0.5)
                .collect();
            let interval = bootstrap.cohen_dz(&Sample::new(shifted).unwrap()).unwrap();
            assert!(interval.contains(interval.estimate));
            interval.high - interval.low
        };
        assert!(width(400) < 0.5 * width(40));
    }

    proptest! {
        #[test]
        fn exchanging_the_samples_changes_only_the_sign_of_delta(
            one in prop::collection::vec(-4i32..=4, 1..30),
            other in prop::collection::vec(-4i32..=4, 1..30),
        ) {
            let sample = |values: &[i32]| {
                Sample::new(values.iter().map(|&v| f64::from(v)).collect()).unwrap()
            };
            let (one, other) = (sample(&one), sample(&other));
            let delta = cliffs_delta(&one, &other);
            prop_assert!((delta + cliffs_delta(&other, &one)).abs() < 1e-12);
            prop_assert!((-1.0..=1.0).contains(&delta));
        }
    }
}
