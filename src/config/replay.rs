//! Which trials of a sweep are decoded, and which are read off a trace.

use serde::{Deserialize, Serialize};

/// How the trials of a sweep get their figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepMode {
    /// Every trial decodes every prompt.
    #[default]
    Live,
    /// Every trial is read off one trace per prompt; those that a trace does not determine are refused.
    Replay,
    /// What a trace determines is replayed, the rest runs live.
    Auto,
}

/// Options of the modes that replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaySpec {
    /// Replayed trials that also run live, to check rounds and predicted times: half of them from the
    /// frontier of speedup and acceptance, the rest evenly over the ranks by speed, from a random start.
    #[serde(default = "default_check")]
    pub check: usize,
    /// Write rounds and positions of every replayed trial, not only of those that also run live.
    #[serde(default)]
    pub rounds: bool,
}

impl Default for ReplaySpec {
    fn default() -> Self {
        Self {
            check: default_check(),
            rounds: false,
        }
    }
}

fn default_check() -> usize {
    12
}
