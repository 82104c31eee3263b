//! Where a workload comes from, as a sweep file names it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::WorkloadError;
use super::item::{Item, ScoreRule, prompt_of};
use super::jsonl::load_gsm8k;
use super::public::PublicSource;
use super::scoring::{final_answer, final_words};
use super::synthetic::{Families, Family, Problem, Split, problems};

const SYNTHETIC_PREFIX: &str = "synthetic:";
const SYNTHETIC_NEW_TEMPLATES: &str = "synthetic:gsm8k-new-templates";
const FILE_PREFIX: &str = "gsm8k:";

/// A source of prompts, written as one string in YAML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// `synthetic:FAMILY` or `synthetic:mix`: generated problems, unseen in training, from the
    /// templates of training.
    Synthetic { what: Families },
    /// `synthetic:gsm8k-new-templates`: generated word problems from templates unseen in training.
    SyntheticGsm8kNewTemplates {},
    /// `gsm8k:PATH`: a file in GSM8K's JSONL format.
    Gsm8k { path: PathBuf },
    /// `humaneval:PATH` and others: a file of a public data set in its own format.
    Public { source: PublicSource },
}

/// At most `limit` items of a source.
///
/// A synthetic source draws them from `seed`. A file gives its first `limit` problems in file
/// order, and `seed` is not used.
///
/// # Errors
///
/// Those of [`load_gsm8k`] and [`PublicSource::load`]; a source that was parsed from its string and is synthetic cannot fail.
pub fn load(source: &Source, limit: usize, seed: u64) -> Result<Vec<Item>, WorkloadError> {
    match source {
        &Source::Synthetic { what } => synthetic_items(what, Split::HeldOutSeed, seed, limit),
        Source::SyntheticGsm8kNewTemplates {} => {
            synthetic_items(Family::Gsm8k.into(), Split::HeldOutTemplate, seed, limit)
        }
        Source::Gsm8k { path } => load_gsm8k(path, limit),
        Source::Public { source } => source.load(limit),
    }
}

/// `n` generated problems as items.
///
/// Their category is the family in a mix; else the number of steps of a word problem, e.g.
/// `3-step`, and the template of any other.
///
/// # Errors
///
/// As [`problems`].
pub fn synthetic_items(
    what: Families,
    split: Split,
    seed: u64,
    n: usize,
) -> Result<Vec<Item>, WorkloadError> {
    let problems = problems(what, split, seed, n)?.into_iter().enumerate();
    let items = problems.map(|(index, problem)| Item {
        id: match what {
            Families::Only(Family::Gsm8k) => format!("{split}-{seed}-{index:04}"),
            Families::Only(_) | Families::Mix => format!("{what}-{split}-{seed}-{index:04}"),
        },
        category: category(what, &problem),
        prompt: prompt_of(&problem.question),
        answer: final_answer(&problem.answer).or_else(|| final_words(&problem.answer)),
        score: score_rule(problem.family()),
        reference: problem.answer,
    });
    Ok(items.collect())
}

fn category(what: Families, problem: &Problem) -> String {
    match what {
        Families::Mix => problem.family().to_string(),
        Families::Only(Family::Gsm8k) => format!("{}-step", problem.n_steps()),
        Families::Only(_) => problem.template().to_owned(),
    }
}

fn score_rule(family: Family) -> ScoreRule {
    match family {
        Family::Gsm8k | Family::Qa => ScoreRule::FinalAnswer {},
        Family::Code | Family::Counting | Family::Translation | Family::Summary => {
            ScoreRule::WholeText {}
        }
        Family::Story => ScoreRule::Unscored {},
    }
}

impl FromStr for Source {
    type Err = WorkloadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || WorkloadError::UnknownSource {
            given: text.to_owned(),
        };
        if text == SYNTHETIC_NEW_TEMPLATES {
            return Ok(Self::SyntheticGsm8kNewTemplates {});
        }
        if let Some(families) = text.strip_prefix(SYNTHETIC_PREFIX) {
            let what = families.parse().map_err(|_| unknown())?;
            return Ok(Self::Synthetic { what });
        }
        match text.strip_prefix(FILE_PREFIX) {
            Some(path) if !path.is_empty() => Ok(Self::Gsm8k { path: path.into() }),
            Some(_) => Err(unknown()),
            None => {
                let source = PublicSource::parse(text).ok_or_else(unknown)?;
                Ok(Self::Public { source })
            }
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
            Self::Synthetic { what } => write!(f, "{SYNTHETIC_PREFIX}{what}"),
            Self::SyntheticGsm8kNewTemplates {} => f.write_str(SYNTHETIC_NEW_TEMPLATES),
            Self::Gsm8k { path } => write!(f, "{FILE_PREFIX}{}", path.display()),
            Self::Public { source } => write!(f, "{source}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synthetic(text: &str) -> Vec<Item> {
        load(&text.parse().unwrap(), 28, 17).unwrap()
    }

    #[test]
    fn a_source_survives_the_way_through_its_string() {
        let mut texts = vec![
            "humaneval:HumanEval.jsonl".to_owned(),
            "pairs:de-en:test.jsonl".to_owned(),
            "plain:8:book.txt".to_owned(),
            SYNTHETIC_NEW_TEMPLATES.to_owned(),
            "synthetic:mix".to_owned(),
            "gsm8k:data/test.jsonl".to_owned(),
        ];
        texts.extend(Family::ALL.map(|family| format!("synthetic:{family}")));
        for text in texts {
            let source: Source = serde_json::from_value(text.clone().into()).unwrap();
            assert_eq!(serde_json::to_value(&source).unwrap(), text);
        }
    }

    #[test]
    fn an_unknown_source_is_refused_with_the_allowed_ones() {
        for text in ["gsm8k", "gsm8k:", "synthetic:gsm9k", "synthetic:", ""] {
            let message = text.parse::<Source>().unwrap_err().to_string();
            assert_eq!(
                message,
                format!(
                    "unknown workload source '{text}', expected 'synthetic:gsm8k', \
                     'synthetic:gsm8k-new-templates', 'synthetic:code', 'synthetic:counting', \
                     'synthetic:qa', 'synthetic:translation', 'synthetic:summary', \
                     'synthetic:story', 'synthetic:mix', 'gsm8k:PATH', 'humaneval:PATH', \
                     'mt-bench:PATH', 'spec-bench:PATH', 'qa:PATH', 'summaries:PATH', \
                     'pairs:PATH' or 'plain:PATH'"
                )
            );
        }
    }

    #[test]
    fn the_word_problems_load_as_many_items_as_asked_each_with_an_answer() {
        for text in ["synthetic:gsm8k", SYNTHETIC_NEW_TEMPLATES] {
            let items = synthetic(text);
            assert_eq!(items.len(), 28);
            assert_eq!(items, synthetic(text));
            assert!(items.iter().all(|item| item.answer.is_some()));
            assert!(items.iter().all(|item| item.category.ends_with("-step")));
        }
    }

    #[test]
    fn a_mix_of_28_holds_four_items_of_each_family() {
        let items = synthetic("synthetic:mix");
        for family in Family::ALL {
            let name = family.to_string();
            let own: Vec<_> = items.iter().filter(|item| item.category == name).collect();
            assert_eq!(own.len(), 4, "{name}");
            let alone = synthetic(&format!("synthetic:{name}"));
            for (item, alone) in own.iter().zip(alone) {
                assert_eq!(item.prompt, alone.prompt);
                assert_eq!(item.reference, alone.reference);
            }
        }
    }

    #[test]
    fn every_reference_is_right_by_its_own_rule_and_a_cut_one_is_not() {
        for item in synthetic("synthetic:mix") {
            let cut = &item.reference[..item.reference.len() - 2];
            match &item.score {
                ScoreRule::FinalAnswer {} | ScoreRule::WholeText {} => {
                    assert_eq!(item.score(&format!(" {}", item.reference)), Some(1.0));
                    assert_eq!(item.score(cut), Some(0.0), "{cut}");
                }
                ScoreRule::Unscored {} => {
                    assert_eq!(item.score(&item.reference), None);
                    assert_eq!(item.answer, None);
                }
                ScoreRule::Harness { .. }
                | ScoreRule::ShortAnswer { .. }
                | ScoreRule::Summary { .. }
                | ScoreRule::Translation { .. }
                | ScoreRule::UnitTests { .. } => panic!("{} is of no family", item.id),
            }
        }
    }

    #[test]
    fn only_word_problems_have_held_out_templates() {
        for what in [Families::Mix, Family::Code.into()] {
            let message = synthetic_items(what, Split::HeldOutTemplate, 1, 1)
                .unwrap_err()
                .to_string();
            assert!(message.contains("only gsm8k"), "{message}");
        }
    }
}
