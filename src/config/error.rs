//! What is wrong with a configuration, in one sentence that names file and key.

use std::fmt;

use crate::policy::OutOfRange;

/// A configuration that cannot be used: the user's input, exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{file}: {reason}")]
    Unreadable { file: String, reason: String },
    /// Not YAML, or the same key twice. Lines and columns count from 1.
    #[error("{file}: line {line}, column {column}: {reason}")]
    Syntax {
        file: String,
        line: usize,
        column: usize,
        reason: String,
    },
    /// YAML, but not what is expected at a key.
    #[error("{file}: {fault}")]
    Invalid { file: String, fault: Fault },
    /// A `--set` that cannot be applied.
    #[error("--set {assignment}: {reason}")]
    Override { assignment: String, reason: String },
}

/// One wrong key of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Path of the key, such as `decoders[2].stop`; empty for the whole document.
    pub path: String,
    /// What is wrong and what is allowed.
    pub reason: String,
    /// The field that the mapping at `path` does not know, where that is what is wrong.
    pub unknown_field: Option<String>,
}

impl Fault {
    pub fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            reason: reason.into(),
            unknown_field: None,
        }
    }

    /// The same fault seen from the mapping that holds this document under `prefix`.
    #[must_use]
    pub fn below(mut self, prefix: &str) -> Self {
        self.path = join(prefix, &self.path);
        self
    }

    /// Attaches the name of the file.
    pub fn in_file(self, file: &str) -> ConfigError {
        ConfigError::Invalid {
            file: file.to_owned(),
            fault: self,
        }
    }
}

/// A parameter of a rule, at its path below the decoder.
impl From<OutOfRange> for Fault {
    fn from(error: OutOfRange) -> Self {
        // Some fields are descriptions, such as "stop.any or stop.all".
        match error.field.split_once(' ') {
            Some(_) => Self::new(
                error.field.split('.').next().unwrap_or_default(),
                error.to_string(),
            ),
            None => Self::new(
                error.field,
                format!(
                    "{} is out of range, expected {}",
                    error.value, error.allowed
                ),
            ),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.reason)
        } else {
            write!(f, "{}: {}", self.path, self.reason)
        }
    }
}

impl std::error::Error for Fault {}

/// `a` and `b` as `a.b`, `a` and `[0]` as `a[0]`; an empty side adds nothing.
pub fn join(prefix: &str, rest: &str) -> String {
    let needs_dot = !prefix.is_empty() && !rest.is_empty() && !rest.starts_with('[');
    format!("{prefix}{}{rest}", if needs_dot { "." } else { "" })
}
