//! Solved examples in front of a prompt, in lm-evaluation-harness's form.

use serde::{Deserialize, Serialize};

use super::error::WorkloadError;
use super::item::Item;
use super::jsonl::load_gsm8k;
use super::source::{Source, synthetic_items};
use super::synthetic::Split;

/// How many examples, and where they come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FewShot {
    /// Examples in front of each prompt, the same for all.
    pub n: usize,
    /// A training split: `gsm8k:train.jsonl`, whose first problems are taken, or a synthetic family,
    /// whose training problems are.
    pub source: Source,
}

impl FewShot {
    /// Puts the examples in front of every prompt: each a prompt, a space and its answer, with an empty
    /// line behind it.
    ///
    /// # Errors
    /// When the source holds too few examples, or one of the prompts among them.
    pub fn apply(&self, items: &mut [Item]) -> Result<(), WorkloadError> {
        let examples = self.examples()?;
        let shown: Vec<String> = examples
            .iter()
            .map(|example| format!("{} {}\n\n", example.prompt, example.reference))
            .collect();
        let preamble = shown.concat();
        for item in items {
            if examples.iter().any(|example| example.prompt == item.prompt) {
                return Err(WorkloadError::PromptIsExample {
                    id: item.id.clone(),
                    examples: self.source.to_string(),
                });
            }
            item.prompt.insert_str(0, &preamble);
        }
        Ok(())
    }

    fn examples(&self) -> Result<Vec<Item>, WorkloadError> {
        let examples = match &self.source {
            Source::Gsm8k { path } => load_gsm8k(path, self.n)?,
            &Source::Synthetic { what } => synthetic_items(what, Split::Train, 0, self.n)?,
            source @ (Source::SyntheticGsm8kNewTemplates {} | Source::Public { .. }) => {
                return Err(WorkloadError::NoExamples {
                    given: source.to_string(),
                });
            }
        };
        if examples.len() < self.n {
            return Err(WorkloadError::TooFewExamples {
                given: self.source.to_string(),
                n: self.n,
                found: examples.len(),
            });
        }
        Ok(examples)
    }
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::*;

    fn few_shot(n: usize, source: &str) -> FewShot {
        FewShot {
            n,
            source: source.parse().unwrap(),
        }
    }

    #[test]
    fn examples_stand_in_file_order_with_an_empty_line_behind_each() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.jsonl");
        let lines = [
            ("Q1?", "So 1.\\n#### 1"),
            ("Q2?", "#### 2"),
            ("Q3?", "#### 3"),
        ]
        .map(|(question, answer)| format!(r#"{{"question": "{question}", "answer": "{answer}"}}"#));
        std::fs::write(&path, lines.join("\n")).unwrap();
        let source = format!("gsm8k:{}", path.display());
        let mut items = load(&"synthetic:gsm8k".parse().unwrap(), 2, 1).unwrap();
        let bare = items.clone();
        few_shot(2, &source).apply(&mut items).unwrap();
        assert_eq!(
            items[1].prompt,
            format!(
                "Question: Q1?\nAnswer: So 1.\n#### 1\n\nQuestion: Q2?\nAnswer: #### 2\n\n{}",
                bare[1].prompt
            )
        );
        let error = few_shot(4, &source).apply(&mut items).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("holds 3 examples, few_shot.n is 4"),
            "{error}"
        );
        let mut own = load(&source.parse().unwrap(), 3, 0).unwrap();
        let error = few_shot(2, &source).apply(&mut own).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("'gsm8k-00001' is among its own examples"),
            "{error}"
        );
    }

    #[test]
    fn synthetic_examples_come_from_the_training_split() {
        let mut items = load(&"synthetic:gsm8k".parse().unwrap(), 20, 17).unwrap();
        few_shot(5, "synthetic:gsm8k").apply(&mut items).unwrap();
        assert_eq!(items[0].prompt.matches("Question: ").count(), 6);
        assert_eq!(items[0].prompt.matches("#### ").count(), 5);
        let error = few_shot(1, "humaneval:a.jsonl")
            .apply(&mut items)
            .unwrap_err();
        assert!(error.to_string().contains("'humaneval:a.jsonl'"), "{error}");
    }
}
