//! What made a run: program, command, models, machine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::shard::Shard;

/// `manifest.json` of a run folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    pub program: String,
    pub version: String,
    pub git_revision: String,
    /// The command line as given.
    pub command: Vec<String>,
    pub started: String,
    pub finished: Option<String>,
    pub status: Status,
    /// SHA-256 of `sweep.yaml`.
    pub config_hash: String,
    /// Role → name, parameters and SHA-256 of the weights.
    pub models: BTreeMap<String, Value>,
    pub machine: Machine,
    pub device: String,
    pub dtype: String,
    pub threads: usize,
    pub seed: u64,
    pub n_prompts: usize,
    pub n_trials: usize,
    /// The part of the sweep that it ran; none for the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// The runs that it was merged from; its machine and costs are those of the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged_from: Vec<Manifest>,
    /// Time of a verifier forward over m tokens relative to one token, and the drafter's step.
    pub costs: Option<Value>,
    /// Clock drift: mean wall time of the baseline in the second half over the first half.
    pub baseline_drift: Option<f64>,
    /// What comparing replayed rounds with live ones gave; none when nothing was replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_check: Option<ReplayCounts>,
    /// The experiments that it was run for, by name: noted before anything was measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub experiments: BTreeMap<String, Registered>,
}

/// A claim and its decision rule as they were before the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// SHA-256 of claim, questions and rules with every default filled in.
    pub rule_hash: String,
    /// SHA-256 of that and of the configurations of all sweeps of the experiment.
    pub hash: String,
}

/// Replayed trials that ran live as well, compared round by round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayCounts {
    /// Trials that were replayed, checked or not.
    pub n_replayed: usize,
    pub n_generations: usize,
    pub n_rounds: usize,
    /// Generations with a round that differs.
    pub n_different: usize,
    /// Of these, those whose verifier was near a tie somewhere in the text.
    pub n_near_ties: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Running,
    Interrupted,
    Finished,
    /// Merged from runs that lack something of the sweep.
    Partial,
}

impl Status {
    /// Whether the run can go on.
    pub fn is_open(self) -> bool {
        match self {
            Self::Running | Self::Interrupted => true,
            Self::Finished | Self::Partial => false,
        }
    }
}

impl Manifest {
    /// Why generations of `other` may not stand beside those of this run, as in `version 0.1.0, not 0.2.0`:
    /// what it measured is something else. Configurations are compared by
    /// their hashes, and named first; machines may differ.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        if other.config_hash != self.config_hash {
            differences.push("another configuration".to_owned());
        }
        if other.version != self.version {
            differences.push(format!("version {}, not {}", other.version, self.version));
        }
        for role in self.models.keys().chain(other.models.keys()) {
            let weights = |run: &Self| {
                run.models
                    .get(role)
                    .map(|facts| facts["weights_sha256"].clone())
            };
            let difference = format!("other weights of the {role}");
            if weights(self) != weights(other) && !differences.contains(&difference) {
                differences.push(difference);
            }
        }
        if other.n_prompts != self.n_prompts {
            differences.push(format!(
                "{} prompts, not {}",
                other.n_prompts, self.n_prompts
            ));
        }
        differences
    }
}

/// The computer, as far as it says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    pub os: String,
    pub architecture: String,
    pub cpu: Option<String>,
    pub n_cores: usize,
    /// One-minute load average at the start.
    pub load_average: Option<f64>,
}

impl Machine {
    pub fn here() -> Self {
        let cpu = std::fs::read_to_string("/proc/cpuinfo")
            .ok()
            .and_then(|text| {
                let line = text.lines().find(|line| line.starts_with("model name"))?;
                Some(line.split_once(':')?.1.trim().to_string())
            });
        let load_average = std::fs::read_to_string("/proc/loadavg")
            .ok()
            .and_then(|text| text.split_whitespace().next()?.parse().ok());
        Self {
            os: std::env::consts::OS.to_string(),
            architecture: std::env::consts::ARCH.to_string(),
            cpu,
            n_cores: std::thread::available_parallelism().map_or(1, usize::from),
            load_average,
        }
    }
}

/// Version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Revision of the source that was built; `unknown` outside of a git checkout.
pub const GIT_REVISION: &str = env!("WEDLM_BENCH_GIT_REVISION");
