//! An experiment: a claim, the sweeps that it needs, and the rules that decide it, written down before
//! anything runs. `docs/experiments.md` describes every key.

mod rules;
mod terms;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{ConfigError, Fault};
use super::load::{load, load_sweep};
use super::sweep::SweepSpec;
pub use rules::{
    Beats, Correlates, DecisionRule, Differs, DiffersByTask, Equivalent, Level, MoreRobust,
};
pub use terms::{Complexity, Direction, Group, Margin, Metric, Side, Tasks, Tuning};

/// Name of the file in the folder of an experiment.
pub const FILE_NAME: &str = "experiment.yaml";

/// Everything that an `experiment.yaml` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentSpec {
    /// What is claimed, in a sentence that can be wrong.
    pub claim: String,
    pub sweeps: Vec<SweepRef>,
    #[serde(default)]
    pub passes_when: PassesWhen,
    pub questions: Vec<Question>,
}

/// A sweep file beside the experiment, with what is changed of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepRef {
    /// Path below the folder of the experiment.
    pub file: PathBuf,
    /// Overrides as `--set` takes them.
    #[serde(default)]
    pub set: Vec<String>,
}

/// How the answers of the questions make one decision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassesWhen {
    /// Every question passes; one that fails fails the claim.
    #[default]
    All,
    /// One question passes; all have to fail to fail the claim.
    Any,
}

/// One thing that is asked of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Short and unique in the experiment.
    pub name: String,
    /// The question in words.
    pub asks: String,
    pub rule: DecisionRule,
}

/// An experiment with its sweeps, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// The name of its folder.
    pub slug: String,
    pub folder: PathBuf,
    pub spec: ExperimentSpec,
    /// One per entry of [`ExperimentSpec::sweeps`].
    pub sweeps: Vec<SweepSpec>,
}

impl Experiment {
    /// Reads `experiment.yaml` of a folder and the sweeps that it names, with `overrides` on each.
    ///
    /// # Errors
    /// Any [`ConfigError`]; each names file, key, what is wrong and what is allowed.
    pub fn load(folder: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        let place = folder.join(FILE_NAME);
        let file = place.display().to_string();
        let spec: ExperimentSpec = load(&place, &[])?;
        spec.check().map_err(|fault| fault.in_file(&file))?;
        let mut sweeps = Vec::new();
        for sweep in &spec.sweeps {
            let all: Vec<String> = sweep.set.iter().chain(overrides).cloned().collect();
            sweeps.push(load_sweep(folder.join(&sweep.file), &all)?);
        }
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        let slug = absolute.file_name().unwrap_or_default();
        let experiment = Self {
            slug: slug.to_string_lossy().into_owned(),
            folder: folder.to_path_buf(),
            spec,
            sweeps,
        };
        experiment
            .check_names()
            .map_err(|fault| fault.in_file(&file))?;
        Ok(experiment)
    }

    /// The whole experiment with every default filled in, as text: what its hash is of.
    pub fn canonical(&self) -> String {
        // A struct of plain values always has a JSON form.
        serde_json::to_string(&self.spec).unwrap_or_default()
    }

    /// Sweeps and decoder entries that groups name have to be there.
    fn check_names(&self) -> Result<(), Fault> {
        let mut names = BTreeSet::new();
        for (index, sweep) in self.sweeps.iter().enumerate() {
            if !names.insert(sweep.name.as_str()) {
                let reason = format!(
                    "a second sweep with the name '{}'; give it one of its own with set: [name=…]",
                    sweep.name
                );
                return Err(Fault::new(format!("sweeps[{index}]"), reason));
            }
        }
        for (index, question) in self.spec.questions.iter().enumerate() {
            for (path, group) in question.rule.groups() {
                let path = format!("questions[{index}].rule.{path}");
                self.check_group(group)
                    .map_err(|fault| fault.below(&path))?;
            }
        }
        Ok(())
    }

    fn check_group(&self, group: &Group) -> Result<(), Fault> {
        let known: Vec<&str> = self.sweeps.iter().map(|one| one.name.as_str()).collect();
        for (index, name) in group.sweeps.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let reason = format!("unknown sweep '{name}', expected one of {}", list(&known));
                return Err(Fault::new(format!("sweeps[{index}]"), reason));
            }
        }
        let of_group = |sweep: &&SweepSpec| group.names_sweep(&sweep.name);
        for sweep in self.sweeps.iter().filter(of_group) {
            // The names of a flat grid are those of its rules; a trial that is missing shows in the plan.
            if sweep.param_grid.is_some() {
                continue;
            }
            let entries: Vec<&str> = sweep.decoders.iter().map(|one| one.name.as_str()).collect();
            for (index, name) in group.entries.iter().enumerate() {
                if name != AUTOREGRESSIVE && !entries.contains(&name.as_str()) {
                    let reason = format!(
                        "the sweep '{}' has no decoder entry '{name}', expected {AUTOREGRESSIVE} or one of {}",
                        sweep.name,
                        list(&entries)
                    );
                    return Err(Fault::new(format!("entries[{index}]"), reason));
                }
            }
        }
        Ok(())
    }
}

/// The entry that every sweep has.
pub const AUTOREGRESSIVE: &str = "autoregressive";

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    quoted.join(", ")
}

impl ExperimentSpec {
    fn check(&self) -> Result<(), Fault> {
        if self.claim.trim().is_empty() {
            return Err(Fault::new(
                "claim",
                "the claim is empty, expected a sentence",
            ));
        }
        if self.sweeps.is_empty() {
            return Err(Fault::new(
                "sweeps",
                "an experiment needs at least one sweep",
            ));
        }
        if self.questions.is_empty() {
            return Err(Fault::new(
                "questions",
                "an experiment needs at least one question",
            ));
        }
        let mut names = BTreeSet::new();
        for (index, question) in self.questions.iter().enumerate() {
            let path = format!("questions[{index}]");
            if question.name.trim().is_empty() || !names.insert(&question.name) {
                let reason = "expected a name that no other question has";
                return Err(Fault::new(format!("{path}.name"), reason));
            }
            let rule = question.rule.check();
            rule.map_err(|fault| fault.below(&format!("{path}.rule")))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWEEP: &str = "name: tiny\nmodels: {verifier: \"embedded:verifier\", drafter: \"embedded:drafter-10\"}\n\
        workload: {source: \"synthetic:mix\", limit: 7}\n\
        decoders:\n\
        - {name: fixed-k, kind: speculative, stop: {kind: fixed}, grid: {max_draft_len: [4, 8]}}\n\
        - {name: absolute, kind: speculative, stop: {kind: absolute}, grid: {stop.theta_abs: [0.5, 1.0]}}\n";

    fn load_text(experiment: &str) -> Result<Experiment, ConfigError> {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("claim");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(root.path().join("tiny.yaml"), SWEEP).unwrap();
        std::fs::write(folder.join(FILE_NAME), experiment).unwrap();
        Experiment::load(&folder, &["workload.limit=14".to_owned()])
    }

    fn with_rule(rule: &str) -> String {
        format!(
            "claim: it is faster\nsweeps: [{{file: ../tiny.yaml}}]\n\
             questions:\n- {{name: speed, asks: is it, rule: {rule}}}\n"
        )
    }

    const BEATS: &str =
        "{kind: beats, candidates: {entries: [absolute]}, baselines: {entries: [fixed-k]}}";

    #[test]
    fn defaults_are_those_of_the_documentation_and_are_part_of_what_is_hashed() {
        let experiment = load_text(&with_rule(BEATS)).unwrap();
        assert_eq!(experiment.slug, "claim");
        assert_eq!(experiment.sweeps[0].workload.limit, Some(14));
        let DecisionRule::Beats(rule) = &experiment.spec.questions[0].rule else {
            panic!("{:?}", experiment.spec)
        };
        assert_eq!((rule.margin, rule.alpha.level()), (0.0, 0.05));
        assert_eq!(rule.min_prompts, 10);
        let text = experiment.canonical();
        assert!(text.contains("\"min_prompts\":10"), "{text}");
        assert!(text.contains("\"correction\":\"holm\""), "{text}");
        let other = load_text(&with_rule(&BEATS.replace("beats,", "beats, margin: 0.1,"))).unwrap();
        assert_ne!(other.canonical(), text);
    }

    #[test]
    fn what_is_wrong_is_named_with_file_key_and_what_is_allowed() {
        let cases = [
            (
                BEATS.replace("beats,", "beats, marign: 0.1,"),
                "questions[0].rule: unknown field 'marign'",
            ),
            (
                BEATS.replace("beats", "wins"),
                "questions[0].rule.kind: unknown value 'wins'",
            ),
            (
                BEATS.replace("[absolute]", "[absolut]"),
                "questions[0].rule.candidates.entries[0]: the sweep 'tiny' has no decoder entry 'absolut'",
            ),
            (
                BEATS.replace("{entries: [absolute]}", "{}"),
                "questions[0].rule.candidates: ",
            ),
            (
                BEATS.replace("beats,", "beats, alpha: 5,"),
                "questions[0].rule.alpha: ",
            ),
            (
                BEATS.replace("beats,", "beats, margin: -1.5,"),
                "questions[0].rule.margin: ",
            ),
            (
                BEATS.replace("beats,", "beats, share_of_tasks: 1.5,"),
                "questions[0].rule.share_of_tasks: ",
            ),
            (
                BEATS.replace(
                    "{entries: [fixed-k]}",
                    "{entries: [fixed-k], sweeps: [other]}",
                ),
                "questions[0].rule.baselines.sweeps[0]: unknown sweep 'other', expected one of 'tiny'",
            ),
        ];
        for (rule, expected) in cases {
            let message = load_text(&with_rule(&rule)).unwrap_err().to_string();
            assert!(message.contains("experiment.yaml: "), "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn two_sweeps_of_one_name_are_refused_with_the_remedy() {
        let text = with_rule(BEATS).replace(
            "[{file: ../tiny.yaml}]",
            "[{file: ../tiny.yaml}, {file: ../tiny.yaml, set: [seed=1]}]",
        );
        let message = load_text(&text).unwrap_err().to_string();
        assert!(message.contains("sweeps[1]: a second sweep"), "{message}");
        let named = text.replace("[seed=1]", "[name=other]");
        assert_eq!(load_text(&named).unwrap().sweeps[1].name, "other");
    }
}
