//! What the models are asked, and how often it is timed.

use serde::{Deserialize, Serialize};

use super::error::Fault;
use crate::workload::Source;

/// The prompts of a sweep and the length of the answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadSpec {
    pub source: Source,
    /// Number of prompts; none means all of a file.
    #[serde(default)]
    pub limit: Option<usize>,
    /// Draws the problems of a synthetic source; a file ignores it.
    #[serde(default)]
    pub seed: u64,
    /// Most tokens committed per prompt.
    #[serde(default = "default_max_new_tokens")]
    pub max_new_tokens: usize,
    /// Texts that end an answer; the one met stays in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

impl WorkloadSpec {
    /// [`limit`](Self::limit), or more than any file holds.
    pub fn n_prompts_at_most(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// # Errors
    /// An endless source without a limit, and counts of zero.
    pub fn check(&self) -> Result<(), Fault> {
        let is_endless = match self.source {
            Source::Synthetic { .. } | Source::SyntheticGsm8kNewTemplates {} => true,
            Source::Gsm8k { .. } | Source::Public { .. } => false,
        };
        if is_endless && self.limit.is_none() {
            let reason = format!("missing field 'limit': {} has no end", self.source);
            return Err(Fault::new("", reason));
        }
        if self.limit == Some(0) {
            return Err(Fault::new(
                "limit",
                "0 prompts measure nothing, expected 1 or more",
            ));
        }
        if self.max_new_tokens == 0 {
            return Err(Fault::new(
                "max_new_tokens",
                "0 tokens measure nothing, expected 1 or more",
            ));
        }
        if let Some(index) = self.stop.iter().position(String::is_empty) {
            let reason = "an empty string would end every answer before it begins";
            return Err(Fault::new(format!("stop[{index}]"), reason));
        }
        Ok(())
    }
}

/// How often each prompt is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimingSpec {
    /// Timed generations of each prompt by each trial.
    pub repeats: usize,
    /// Prompts decoded by each trial before the clock counts.
    pub warmup: usize,
    /// Time the baseline as a second trial too: its speedup over itself is noise.
    pub duplicate_baseline: bool,
    /// After the first repeat, read each distinct text once more with verifier and drafter, outside of
    /// the timing: perplexity, every entropy of tested slots, overlap.
    pub look_back: bool,
    /// Run a forward once for all window trials that need it on a prompt in a repeat, and charge each of
    /// them the time that it took.
    pub share_forwards: bool,
}

impl Default for TimingSpec {
    fn default() -> Self {
        Self {
            repeats: 3,
            warmup: 1,
            duplicate_baseline: true,
            look_back: true,
            share_forwards: true,
        }
    }
}

impl TimingSpec {
    /// # Errors
    /// No repeat at all.
    pub fn check(&self) -> Result<(), Fault> {
        if self.repeats == 0 {
            return Err(Fault::new(
                "repeats",
                "0 repeats measure nothing, expected 1 or more",
            ));
        }
        Ok(())
    }
}

fn default_max_new_tokens() -> usize {
    96
}
