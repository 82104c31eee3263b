//! Where a workload comes from, as a sweep file names it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::WorkloadError;
use super::item::{Item, prompt_of};
use super::jsonl::load_gsm8k;
use super::scoring::final_answer;
use super::synthetic::{Split, problems};

const SYNTHETIC: &str = "synthetic:gsm8k";
const SYNTHETIC_NEW_TEMPLATES: &str = "synthetic:gsm8k-new-templates";
const FILE_PREFIX: &str = "gsm8k:";

/// A source of prompts, written as one string in YAML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// `synthetic:gsm8k`: generated problems, unseen in training, from the templates of training.
    SyntheticGsm8k {},
    /// `synthetic:gsm8k-new-templates`: generated problems from templates unseen in training.
    SyntheticGsm8kNewTemplates {},
    /// `gsm8k:PATH`: a file in GSM8K's JSONL format.
    Gsm8k { path: PathBuf },
}

/// At most `limit` items of a source.
///
/// A synthetic source draws them from `seed`. A file gives its first `limit` problems in file
/// order, and `seed` is not used.
///
/// # Errors
///
/// Those of [`load_gsm8k`]; a synthetic source cannot fail.
pub fn load(source: &Source, limit: usize, seed: u64) -> Result<Vec<Item>, WorkloadError> {
    match source {
        Source::SyntheticGsm8k {} => Ok(synthetic_items(Split::HeldOutSeed, seed, limit)),
        Source::SyntheticGsm8kNewTemplates {} => {
            Ok(synthetic_items(Split::HeldOutTemplate, seed, limit))
        }
        Source::Gsm8k { path } => load_gsm8k(path, limit),
    }
}

/// `n` generated problems as items; their category is the number of steps, e.g. `3-step`.
pub fn synthetic_items(split: Split, seed: u64, n: usize) -> Vec<Item> {
    problems(split, seed, n)
        .into_iter()
        .enumerate()
        .map(|(index, problem)| Item {
            id: format!("{split}-{seed}-{index:04}"),
            category: format!("{}-step", problem.n_steps()),
            prompt: prompt_of(&problem.question),
            answer: final_answer(&problem.answer),
            reference: problem.answer,
        })
        .collect()
}

impl FromStr for Source {
    type Err = WorkloadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            SYNTHETIC => Ok(Self::SyntheticGsm8k {}),
            SYNTHETIC_NEW_TEMPLATES => Ok(Self::SyntheticGsm8kNewTemplates {}),
            other => match other.strip_prefix(FILE_PREFIX) {
                Some(path) if !path.is_empty() => Ok(Self::Gsm8k { path: path.into() }),
                Some(_) | None => Err(WorkloadError::UnknownSource {
                    given: other.to_owned(),
                }),
            },
        }
    }
}

impl TryFrom<String> for Source {
    type Error = WorkloadError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SyntheticGsm8k {} => f.write_str(SYNTHETIC),
            Self::SyntheticGsm8kNewTemplates {} => f.write_str(SYNTHETIC_NEW_TEMPLATES),
            Self::Gsm8k { path } => write!(f, "{FILE_PREFIX}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_survives_the_way_through_its_string() {
        for text in [SYNTHETIC, SYNTHETIC_NEW_TEMPLATES, "gsm8k:data/test.jsonl"] {
            let source: Source = serde_json::from_value(text.into()).unwrap();
            assert_eq!(serde_json::to_value(&source).unwrap(), text);
        }
    }

    #[test]
    fn an_unknown_source_is_refused_with_the_allowed_ones() {
        for text in ["gsm8k", "gsm8k:", "synthetic:gsm9k", ""] {
            let message = text.parse::<Source>().unwrap_err().to_string();
            assert!(message.contains(&format!("'{text}'")), "{message}");
            assert!(message.contains("'synthetic:gsm8k'"), "{message}");
            assert!(message.contains("'gsm8k:PATH'"), "{message}");
        }
    }

    #[test]
    fn the_synthetic_sources_load_as_many_items_as_asked_each_with_an_answer() {
        for source in [
            Source::SyntheticGsm8k {},
            Source::SyntheticGsm8kNewTemplates {},
        ] {
            let items = load(&source, 25, 17).unwrap();
            assert_eq!(items.len(), 25);
            assert_eq!(items, load(&source, 25, 17).unwrap());
            assert!(items.iter().all(|item| item.answer.is_some()));
            assert!(items.iter().all(|item| item.category.ends_with("-step")));
        }
    }
}
