//! Reference numbers and reproducible chance for the tests of this folder.

use std::num::NonZeroUsize;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use statrs::distribution::{ContinuousCDF, Normal};

use super::bootstrap::Bootstrap;
use super::paired_outcomes::PairedOutcomes;
use super::sample::Sample;

const EXPECTED: &str = include_str!("../../tests/fixtures/stats/expected.json");

/// One case of a group: inputs and expected values by name.
pub struct Case(Value);

/// The cases of a group of `expected.json`, at least one.
pub fn cases(group: &str) -> Vec<Case> {
    let mut expected: Value = serde_json::from_str(EXPECTED).unwrap();
    let Value::Array(cases) = expected[group].take() else {
        panic!("expected.json has no cases of {group}");
    };
    assert!(!cases.is_empty());
    cases.into_iter().map(Case).collect()
}

impl Case {
    pub fn number(&self, key: &str) -> f64 {
        self.optional(key)
            .unwrap_or_else(|| panic!("no number {key} in {}", self.0))
    }

    /// `None` for null.
    pub fn optional(&self, key: &str) -> Option<f64> {
        self.0[key].as_f64()
    }

    pub fn numbers(&self, key: &str) -> Vec<f64> {
        serde_json::from_value(self.0[key].clone()).unwrap()
    }

    pub fn labels(&self, key: &str) -> Vec<bool> {
        serde_json::from_value(self.0[key].clone()).unwrap()
    }

    pub fn sample(&self, key: &str) -> Sample {
        Sample::new(self.numbers(key)).unwrap()
    }

    pub fn outcomes(&self) -> PairedOutcomes {
        let count = |key: &str| self.0[key].as_u64().unwrap();
        PairedOutcomes {
            both: count("both"),
            only_first: count("only_first"),
            only_second: count("only_second"),
            neither: count("neither"),
        }
    }
}

#[track_caller]
pub fn assert_close(ours: f64, expected: f64, tolerance: f64) {
    assert!(
        (ours - expected).abs() <= tolerance,
        "{ours} is not {expected}"
    );
}

pub fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

pub fn bootstrap(n_resamples: usize) -> Bootstrap {
    Bootstrap {
        n_resamples: NonZeroUsize::new(n_resamples).unwrap(),
        ..Bootstrap::default()
    }
}

/// Strictly between 0 and 1.
pub fn uniforms(n: usize, random: &mut ChaCha8Rng) -> Vec<f64> {
    (0..n).map(|_| random.random_range(1e-12..1.0)).collect()
}

/// Standard normal values.
pub fn normals(n: usize, random: &mut ChaCha8Rng) -> Vec<f64> {
    let uniform = uniforms(n, random);
    uniform
        .iter()
        .map(|&u| Normal::standard().inverse_cdf(u))
        .collect()
}

/// Kolmogorov's distance between the distribution of `p_values` and the uniform one.
pub fn distance_from_uniform(mut p_values: Vec<f64>) -> f64 {
    p_values.sort_by(f64::total_cmp);
    let n = p_values.len() as f64;
    let steps = p_values.iter().enumerate();
    steps
        .map(|(i, p)| (p - i as f64 / n).abs().max(((i + 1) as f64 / n - p).abs()))
        .fold(0.0, f64::max)
}
