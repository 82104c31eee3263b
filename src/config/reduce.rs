//! Two ways to run less than a whole grid: a sample of its trials, and fewer prompts for the trials that
//! fall behind.

use serde::{Deserialize, Serialize};

use super::error::Fault;

/// Which of the distinct trials of a sweep run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleSpec {
    pub kind: SampleKind,
    /// Trials to keep, the baselines not counted; all of them when there are no more.
    pub n: usize,
    #[serde(default)]
    pub seed: u64,
}

/// How a sample is spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleKind {
    /// Evenly over the axes of each decoder entry, which gets a share in proportion to its trials.
    Sobol,
    /// Every subset of the trials is equally likely.
    Random,
}

impl SampleKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sobol => "sobol",
            Self::Random => "random",
        }
    }
}

impl SampleSpec {
    /// # Errors
    /// No trial at all.
    pub fn check(&self) -> Result<(), Fault> {
        at_least("n", self.n, 1)
    }
}

/// Successive halving over prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HalvingSpec {
    /// One in so many trials goes on after each rung, which has so many times the prompts of the last one.
    pub eta: usize,
    /// Prompts of the first rung.
    pub min_prompts: usize,
}

impl Default for HalvingSpec {
    fn default() -> Self {
        Self {
            eta: 3,
            min_prompts: 4,
        }
    }
}

impl HalvingSpec {
    /// # Errors
    /// An eta that drops nobody, or a first rung without prompts.
    pub fn check(&self) -> Result<(), Fault> {
        at_least("eta", self.eta, 2)?;
        at_least("min_prompts", self.min_prompts, 1)
    }
}

fn at_least(key: &str, value: usize, least: usize) -> Result<(), Fault> {
    if value < least {
        let reason = format!("{value} is out of range, expected {least} or more");
        return Err(Fault::new(key, reason));
    }
    Ok(())
}
