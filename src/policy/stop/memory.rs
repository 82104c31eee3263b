use serde::{Deserialize, Serialize};

/// How long a rule remembers what it learned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryScope {
    /// Each prompt starts anew, so that trials do not depend on the order of prompts.
    #[default]
    Prompt,
    /// From prompt to prompt, as in a server.
    Stream,
}
