//! What is said of a claim, with every number that it rests on.

use serde::{Deserialize, Serialize};

use crate::stats::interval::Interval;

/// What the data allow to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Pass,
    Fail,
    /// Neither was shown: data are missing, too few, or too noisy.
    Inconclusive,
}

impl Decision {
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Inconclusive => "INCONCLUSIVE",
        }
    }

    /// All have to pass; one that fails decides.
    pub fn all(decisions: impl IntoIterator<Item = Self>) -> Self {
        decisions
            .into_iter()
            .fold(Self::Pass, |one, other| match (one, other) {
                (Self::Fail, _) | (_, Self::Fail) => Self::Fail,
                (Self::Inconclusive, _) | (_, Self::Inconclusive) => Self::Inconclusive,
                (Self::Pass, Self::Pass) => Self::Pass,
            })
    }

    /// One has to pass; all have to fail.
    pub fn any(decisions: impl IntoIterator<Item = Self>) -> Self {
        decisions
            .into_iter()
            .fold(Self::Fail, |one, other| match (one, other) {
                (Self::Pass, _) | (_, Self::Pass) => Self::Pass,
                (Self::Inconclusive, _) | (_, Self::Inconclusive) => Self::Inconclusive,
                (Self::Fail, Self::Fail) => Self::Fail,
            })
    }
}

/// The unit of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// First over second; 1 is no difference.
    Ratio,
    /// First minus second, in the unit of the metric.
    Difference,
    /// −1 to 1.
    Correlation,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Task or level that it is about.
    pub name: String,
    /// Labels of the trials compared; two of a side where the halves of the prompts chose differently.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<String>,
    pub scale: Scale,
    pub effect: Option<Interval>,
    /// Number of units: prompts, or tasks.
    pub n: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// Among all tests of the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_adjusted: Option<f64>,
    /// Standardised size: Hedges' g_z of the values per unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect_size: Option<f64>,
    /// The smallest effect, on this scale, that so many units find with a probability of 0.8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detectable: Option<f64>,
    pub decision: Decision,
    /// What else is to be known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub name: String,
    pub asks: String,
    /// Kind of the decision rule.
    pub rule: String,
    /// What is compared.
    pub measure: String,
    /// Whether times were measured or predicted; none where no time matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<String>,
    pub alpha: f64,
    pub decision: Decision,
    /// Why, in a sentence.
    pub reason: String,
    /// What decides first, then the parts.
    pub findings: Vec<Finding>,
}

impl Answer {
    pub fn inconclusive(mut self, reason: impl Into<String>) -> Self {
        self.decision = Decision::Inconclusive;
        self.reason = reason.into();
        self
    }
}

/// Whether the rule that judges is the one that was written into the manifest before the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// The same rule, on the sweeps that it was registered with.
    BeforeTheRun,
    /// Another rule was registered: this one was changed after the run.
    ChangedAfterTheRun,
    /// The same rule, but on other sweeps or other settings of them.
    OtherSweeps,
    /// The run names no rule: it was not made for this experiment.
    NotRegistered,
}

impl Registration {
    pub fn words(self) -> &'static str {
        match self {
            Self::BeforeTheRun => "the rule is the one registered before the run",
            Self::ChangedAfterTheRun => "rule changed after the run",
            Self::OtherSweeps => "the rule was registered before the run, with other sweeps",
            Self::NotRegistered => "the rule was not registered before the run",
        }
    }
}

/// Where the data come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    pub sweep: String,
    /// Folder of the run: sweep, date and number.
    pub run: String,
    pub config_hash: String,
    pub started: String,
    pub device: String,
    pub version: String,
    pub git_revision: String,
    pub n_prompts: usize,
    /// Wall time of the baseline in its last repeat over that in its first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_drift: Option<f64>,
    /// Of trials that were replayed and ran live: median of |predicted / measured speedup − 1|.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction_error: Option<f64>,
    /// How many trials that is of.
    #[serde(default)]
    pub n_checked: usize,
}

/// `verdict.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Name of the folder of the experiment.
    pub experiment: String,
    pub claim: String,
    pub decision: Decision,
    pub registration: Registration,
    /// SHA-256 of the claim, its questions and rules.
    pub rule_hash: String,
    /// SHA-256 of the rule and of its sweeps as they ran.
    pub hash: String,
    pub runs: Vec<RunFacts>,
    pub answers: Vec<Answer>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use Decision::{Fail, Inconclusive, Pass};

    #[test]
    fn all_questions_have_to_pass_or_one_of_them() {
        assert_eq!(Decision::all([Pass, Pass]), Pass);
        assert_eq!(Decision::all([Pass, Inconclusive]), Inconclusive);
        assert_eq!(Decision::all([Inconclusive, Fail]), Fail);
        assert_eq!(Decision::any([Fail, Pass, Inconclusive]), Pass);
        assert_eq!(Decision::any([Fail, Inconclusive]), Inconclusive);
        assert_eq!(Decision::any([Fail, Fail]), Fail);
    }
}
