//! Which models a sweep uses, and where they run.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::model::device::Dtype;
use crate::model::hub::{PREFIX, Repository};

/// A model by name: `embedded:NAME`, `hf:org/name[@revision]`, or a folder with `config.json`.
///
/// Only the form is checked here; whether there is such a model shows when it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName(String);

/// A text that cannot be the name of a model.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' names no model, expected 'embedded:NAME', 'hf:org/name[@revision]' or a folder")]
pub struct NotAModel(String);

impl ModelName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ModelName {
    type Error = NotAModel;

    fn try_from(text: String) -> Result<Self, NotAModel> {
        let is_name = match (text.strip_prefix("embedded:"), text.strip_prefix(PREFIX)) {
            (Some(name), _) => !name.is_empty(),
            (None, Some(repository)) => repository.parse::<Repository>().is_ok(),
            (None, None) => !text.trim().is_empty(),
        };
        if is_name {
            Ok(Self(text))
        } else {
            Err(NotAModel(text))
        }
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The models of a sweep. A role that no decoder uses may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelsSpec {
    /// The model whose output counts; the baseline always needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifier: Option<ModelName>,
    /// The model that guesses, for speculative decoders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drafter: Option<ModelName>,
    /// The model that fills masks, for window decoders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<ModelName>,
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Verifier,
    Drafter,
    Window,
}

impl Role {
    /// The key under `models`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Verifier => "verifier",
            Self::Drafter => "drafter",
            Self::Window => "window",
        }
    }
}

impl ModelsSpec {
    pub fn get(&self, role: Role) -> Option<&ModelName> {
        match role {
            Role::Verifier => self.verifier.as_ref(),
            Role::Drafter => self.drafter.as_ref(),
            Role::Window => self.window.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_a_model_name_are_kept_as_written() {
        for text in [
            "embedded:verifier",
            "hf:Qwen/Qwen2.5-0.5B@main",
            "hf:org/name@refs/pr/1",
            "models/tiny",
            "C:\\models",
        ] {
            assert_eq!(ModelName::try_from(text.to_owned()).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_name_without_a_model_is_refused_with_the_allowed_forms() {
        for text in ["", "embedded:", "hf:Qwen", "hf:a/b/c", "hf:/b", "hf:a/b@"] {
            let message = ModelName::try_from(text.to_owned())
                .unwrap_err()
                .to_string();
            assert_eq!(
                message,
                format!(
                    "'{text}' names no model, expected 'embedded:NAME', 'hf:org/name[@revision]' or a folder"
                )
            );
        }
    }
}
