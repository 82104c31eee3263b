//! The decision rules of an experiment, as data.

use serde::{Deserialize, Serialize};

use super::terms::{
    Complexity, Direction, Group, Margin, Metric, Side, Tasks, check_tasks, within,
};
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
