//! The decision rules of an experiment, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::error::Fault;
use crate::stats::multiplicity::Adjustment;
use crate::stats::significance::Alpha;

/// How the numbers decide a question; `docs/experiments.md` has the formula of each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum DecisionRule {
    /// A tuned candidate against a tuned baseline.
    Beats(Beats),
    /// As good as a baseline, up to a margin that does not matter.
    Equivalent(Equivalent),
    /// The best value of an axis follows a property of the task.
    Correlates(Correlates),
    /// Settings of one group lose less than those of another when they are carried to another task.
    MoreRobust(MoreRobust),
    /// Groups differ from a reference.
    Differs(Differs),
    /// One group does better on some tasks than on the others.
    DiffersByTask(DiffersByTask),
}

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

    fn check(&self) -> Result<(), Fault> {
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

/// See [`DecisionRule::Beats`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beats {
    pub candidates: Group,
    pub baselines: Group,
    #[serde(default)]
    pub metric: Metric,
    #[serde(default)]
    pub tasks: Tasks,
    /// The gain that has to be exceeded: 0.1 asks for more than 10 %.
    #[serde(default)]
    pub margin: f64,
    /// Decide by the share of tasks with such a gain, not by all prompts together.
    #[serde(default)]
    pub share_of_tasks: Option<f64>,
    #[serde(default = "alpha")]
    pub alpha: Alpha,
    #[serde(default)]
    pub correction: Adjustment,
    /// Prompts below which nothing is decided, of a task or of all.
    #[serde(default = "ten")]
    pub min_prompts: usize,
}

/// See [`DecisionRule::Equivalent`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivalent {
    pub candidates: Group,
    pub baselines: Group,
    pub metric: Metric,
    /// What the best of each group is chosen by.
    #[serde(default)]
    pub tuned_by: Metric,
    #[serde(default)]
    pub tasks: Tasks,
    pub margin: Margin,
    #[serde(default)]
    pub side: Side,
    #[serde(default = "alpha")]
    pub alpha: Alpha,
    #[serde(default = "ten")]
    pub min_prompts: usize,
}

/// See [`DecisionRule::Correlates`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlates {
    pub candidates: Group,
    /// The axis whose best value is looked for, such as `stop.theta_abs`.
    pub axis: String,
    #[serde(rename = "with")]
    pub complexity: Complexity,
    #[serde(default)]
    pub tuned_by: Metric,
    #[serde(default)]
    pub tasks: Tasks,
    #[serde(default)]
    pub direction: Direction,
    /// A weaker correlation does not matter, even where it is there.
    #[serde(default = "half")]
    pub min_correlation: f64,
    #[serde(default = "alpha")]
    pub alpha: Alpha,
    #[serde(default = "five")]
    pub min_tasks: usize,
}

/// See [`DecisionRule::MoreRobust`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoreRobust {
    pub candidates: Group,
    pub baselines: Group,
    #[serde(default)]
    pub metric: Metric,
    #[serde(default)]
    pub tasks: Tasks,
    /// The difference of the losses that has to be exceeded, as a share of the speed.
    #[serde(default)]
    pub margin: f64,
    #[serde(default = "alpha")]
    pub alpha: Alpha,
    #[serde(default = "five")]
    pub min_tasks: usize,
}

/// See [`DecisionRule::Differs`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differs {
    pub levels: Vec<Level>,
    /// The name of the level that the others are compared with.
    pub reference: String,
    #[serde(default)]
    pub metric: Metric,
    #[serde(default)]
    pub tuned_by: Metric,
    #[serde(default)]
    pub tasks: Tasks,
    /// A smaller difference does not matter: 0.02 for 2 %.
    pub margin: f64,
    #[serde(default = "alpha")]
    pub alpha: Alpha,
    #[serde(default)]
    pub correction: Adjustment,
    #[serde(default = "ten")]
    pub min_prompts: usize,
}

/// One alternative of an ablation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    pub name: String,
    pub select: Group,
}

/// See [`DecisionRule::DiffersByTask`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffersByTask {
    pub candidates: Group,
    pub baselines: Group,
    #[serde(default)]
    pub metric: Metric,
    #[serde(default)]
    pub tasks: Tasks,
    pub margin: f64,
    #[serde(default = "alpha")]
    pub alpha: Alpha,
    #[serde(default)]
    pub correction: Adjustment,
    #[serde(default = "ten")]
    pub min_prompts: usize,
}

fn alpha() -> Alpha {
    Alpha::P05
}

fn ten() -> usize {
    10
}

fn five() -> usize {
    5
}

fn half() -> f64 {
    0.5
}

impl DecisionRule {
    /// As it is written in YAML.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Beats(_) => "beats",
            Self::Equivalent(_) => "equivalent",
            Self::Correlates(_) => "correlates",
            Self::MoreRobust(_) => "more_robust",
            Self::Differs(_) => "differs",
            Self::DiffersByTask(_) => "differs_by_task",
        }
    }

    /// Every group that it names, with its key.
    pub fn groups(&self) -> Vec<(String, &Group)> {
        let two = |candidates, baselines| {
            vec![
                ("candidates".to_owned(), candidates),
                ("baselines".to_owned(), baselines),
            ]
        };
        match self {
            Self::Beats(rule) => two(&rule.candidates, &rule.baselines),
            Self::Equivalent(rule) => two(&rule.candidates, &rule.baselines),
            Self::MoreRobust(rule) => two(&rule.candidates, &rule.baselines),
            Self::DiffersByTask(rule) => two(&rule.candidates, &rule.baselines),
            Self::Correlates(rule) => vec![("candidates".to_owned(), &rule.candidates)],
            Self::Differs(rule) => {
                let levels = rule.levels.iter().enumerate();
                levels
                    .map(|(index, level)| (format!("levels[{index}].select"), &level.select))
                    .collect()
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        for (path, group) in self.groups() {
            group.check().map_err(|fault| fault.below(&path))?;
        }
        match self {
            Self::Beats(rule) => {
                if let Some(share) = rule.share_of_tasks {
                    within("share_of_tasks", share, 0.0, 1.0)?;
                }
                check_tasks(rule.tasks)?;
                within("margin", rule.margin, -1.0, 10.0)
            }
            Self::Equivalent(rule) => {
                check_tasks(rule.tasks)?;
                match rule.margin {
                    Margin::Relative(share) => within("margin.relative", share, 0.0, 1.0),
                    Margin::Absolute(width) => within("margin.absolute", width, 0.0, 1e6),
                }
            }
            Self::Correlates(rule) => {
                check_tasks(rule.tasks)?;
                within("min_correlation", rule.min_correlation, 0.0, 1.0)
            }
            Self::MoreRobust(rule) => {
                check_tasks(rule.tasks)?;
                within("margin", rule.margin, -1.0, 1.0)
            }
            Self::Differs(rule) => {
                check_tasks(rule.tasks)?;
                let names: Vec<&str> = rule
                    .levels
                    .iter()
                    .map(|level| level.name.as_str())
                    .collect();
                if !names.contains(&rule.reference.as_str()) {
                    let reason = format!(
                        "'{}' is no level, expected one of {names:?}",
                        rule.reference
                    );
                    return Err(Fault::new("reference", reason));
                }
                if names.len() < 2 {
                    return Err(Fault::new("levels", "expected at least two levels"));
                }
                let twice = |name: &&&str| names.iter().filter(|one| one == name).count() > 1;
                if let Some(name) = names.iter().find(twice) {
                    let reason = format!("'{name}' is the name of two levels");
                    return Err(Fault::new("levels", reason));
                }
                within("margin", rule.margin, 0.0, 1.0)
            }
            Self::DiffersByTask(rule) => {
                check_tasks(rule.tasks)?;
                within("margin", rule.margin, 0.0, 1.0)
            }
        }
    }
}

fn check_tasks(tasks: Tasks) -> Result<(), Fault> {
    match tasks {
        Tasks::AnswerLen { n: 0 | 1 } => Err(Fault::new(
            "tasks.n",
            "one group is no division, expected 2 or more",
        )),
        Tasks::AnswerLen { .. } | Tasks::Category {} | Tasks::Sweep {} => Ok(()),
    }
}

fn within(key: &str, value: f64, low: f64, high: f64) -> Result<(), Fault> {
    if value.is_finite() && (low..=high).contains(&value) {
        Ok(())
    } else {
        let reason = format!("{value} is out of range, expected {low} to {high}");
        Err(Fault::new(key, reason))
    }
}
