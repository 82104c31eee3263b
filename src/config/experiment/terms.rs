//! What decision rules speak of: groups of trials, metrics, tasks, margins.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::error::Fault;

/// Trials of a sweep, by what they are called in it. Conditions are joined by "and".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Names of sweeps; empty for all of the experiment.
    #[serde(default)]
    pub sweeps: Vec<String>,
    /// Names of decoder entries; empty for any.
    #[serde(default)]
    pub entries: Vec<String>,
    /// Labels of trials, as tables show them; empty for any.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Values that axes may have.
    #[serde(default)]
    pub axes: BTreeMap<String, Vec<Value>>,
    /// On which prompts the best of the group is chosen.
    #[serde(default)]
    pub tune: Tuning,
}

impl Group {
    /// Whether trials of the sweep of that name may be in the group.
    pub fn names_sweep(&self, name: &str) -> bool {
        self.sweeps.is_empty() || self.sweeps.iter().any(|one| one == name)
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.entries.is_empty() && self.labels.is_empty() {
            let reason = "selects nothing in particular, expected 'entries' or 'labels'";
            return Err(Fault::new("", reason));
        }
        match self.axes.iter().find(|(_, values)| values.is_empty()) {
            Some((axis, _)) => Err(Fault::new(
                format!("axes.{axis}"),
                "an empty list admits no trial, expected at least one value",
            )),
            None => Ok(()),
        }
    }
}

/// On which prompts the best of a group is chosen; always on others than those that judge it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tuning {
    /// Those of the task, so that each task has a choice of its own.
    #[default]
    Task,
    /// Those of all tasks, so that there is one choice.
    All,
}

/// What is compared, per prompt; a group's value is Σ numerator / Σ denominator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Wall time of autoregressive decoding over own wall time. Within a sweep the ratio of two of these
    /// is that of the wall times.
    #[default]
    Speedup,
    /// Accepted over drafted tokens.
    Acceptance,
    /// Committed tokens over verifier forwards.
    BlockEfficiency,
    /// Right answers over answers that can be right.
    ExactMatch,
    /// Scores, 0 to 1, over scored answers.
    Score,
    /// Texts equal to the autoregressive one over texts.
    SameText,
    /// −ln p of the committed tokens under the verifier over committed tokens; less is better.
    NatsPerToken,
}

impl Metric {
    /// As it is written in YAML.
    pub fn name(self) -> &'static str {
        match self {
            Self::Speedup => "speedup",
            Self::Acceptance => "acceptance",
            Self::BlockEfficiency => "block_efficiency",
            Self::ExactMatch => "exact_match",
            Self::Score => "score",
            Self::SameText => "same_text",
            Self::NatsPerToken => "nats_per_token",
        }
    }

    /// Whether more is better.
    pub fn rises(self) -> bool {
        match self {
            Self::Speedup
            | Self::Acceptance
            | Self::BlockEfficiency
            | Self::ExactMatch
            | Self::Score
            | Self::SameText => true,
            Self::NatsPerToken => false,
        }
    }

    /// Whether each prompt is right or wrong.
    pub fn is_share(self) -> bool {
        match self {
            Self::ExactMatch | Self::SameText => true,
            Self::Speedup
            | Self::Acceptance
            | Self::BlockEfficiency
            | Self::Score
            | Self::NatsPerToken => false,
        }
    }
}

/// What a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Tasks {
    /// The category of a prompt, in each sweep.
    Category {},
    /// All prompts of a sweep, so that a task is a pair of models.
    Sweep {},
    /// Prompts in `n` groups of about equal size, by the length of the autoregressive answer.
    AnswerLen { n: usize },
}

impl Default for Tasks {
    fn default() -> Self {
        Self::Category {}
    }
}

/// A difference that does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Margin {
    /// A share of the baseline: 0.1 allows ratios from 0.9 to 1.1.
    Relative(f64),
    /// In the unit of the metric: 0.02 allows two points of exact match.
    Absolute(f64),
}

/// Which differences count against an equivalence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Better and worse.
    #[default]
    Both,
    /// Worse alone.
    NotWorse,
}

/// The sign that a correlation is claimed to have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    #[default]
    Either,
    Positive,
    Negative,
}

/// A property of a task that might ask for another threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Complexity {
    /// Mean Shannon entropy of the drafter, in nats, over slots whose context is the final text.
    DrafterEntropy,
    /// Mean −ln p of the autoregressive text under the verifier, in nats per token.
    VerifierNats,
    /// Mean length of the autoregressive answer, in tokens.
    AnswerLen,
    /// Number of steps that the category names, as in `3-step`.
    Steps,
}

impl Complexity {
    /// As a report prints it.
    pub fn words(self) -> &'static str {
        match self {
            Self::DrafterEntropy => "mean entropy of the drafter",
            Self::VerifierNats => "mean −ln p of the verifier's own text",
            Self::AnswerLen => "mean length of the answer",
            Self::Steps => "number of steps",
        }
    }
}

pub(super) fn check_tasks(tasks: Tasks) -> Result<(), Fault> {
    match tasks {
        Tasks::AnswerLen { n: 0 | 1 } => Err(Fault::new(
            "tasks.n",
            "one group is no division, expected 2 or more",
        )),
        Tasks::AnswerLen { .. } | Tasks::Category {} | Tasks::Sweep {} => Ok(()),
    }
}

pub(super) fn within(key: &str, value: f64, low: f64, high: f64) -> Result<(), Fault> {
    if value.is_finite() && (low..=high).contains(&value) {
        Ok(())
    } else {
        let reason = format!("{value} is out of range, expected {low} to {high}");
        Err(Fault::new(key, reason))
    }
}
