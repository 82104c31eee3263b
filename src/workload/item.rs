//! One prompt with what is known about its right continuation.

use serde::{Deserialize, Serialize};

use super::scoring::{exact_match, same_text};

/// One prompt of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Unique within a workload, stable for the same source and seed.
    pub id: String,
    /// The group that reports break results down by, e.g. `3-step`.
    pub category: String,
    /// The text given to the model, in the form of [`prompt_of`].
    pub prompt: String,
    /// The full reference answer; the model's ideal continuation is a space followed by it.
    pub reference: String,
    /// The final answer, where the reference ends in one: a normalised number, or words.
    pub answer: Option<String>,
    /// What makes a generated text right.
    pub score: ScoreRule,
}

/// How a generated text is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScoreRule {
    /// What follows the first `####` is the item's answer.
    FinalAnswer {},
    /// The whole text is the reference, but for white space around it and at the ends of lines.
    WholeText {},
    /// There is no right answer: only the text's perplexity says anything about it.
    Unscored {},
}

impl Item {
    /// 1 for a right text, 0 for a wrong one, `None` where no text is right or wrong.
    pub fn score(&self, generated: &str) -> Option<f64> {
        let is_right = match self.score {
            ScoreRule::FinalAnswer {} => exact_match(generated, self.answer.as_deref()?),
            ScoreRule::WholeText {} => same_text(generated, &self.reference),
            ScoreRule::Unscored {} => return None,
        };
        Some(if is_right { 1.0 } else { 0.0 })
    }
}

/// The prompt of a question: the one form used for training, synthetic and real problems.
///
/// It ends without a space; the continuation is `" "` followed by the answer, so that the space
/// can be part of the continuation's first token.
pub fn prompt_of(question: &str) -> String {
    format!("Question: {question}\nAnswer:")
}

/// The text that a model is trained on: the prompt and its continuation, without an end token.
pub fn training_document(question: &str, answer: &str) -> String {
    format!("{} {answer}", prompt_of(question))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(score: ScoreRule, reference: &str, answer: Option<&str>) -> Item {
        Item {
            id: "1".into(),
            category: "test".into(),
            prompt: prompt_of("Q?"),
            reference: reference.into(),
            answer: answer.map(str::to_owned),
            score,
        }
    }

    #[test]
    fn a_final_answer_is_all_that_counts_of_a_worked_text() {
        let number = item(ScoreRule::FinalAnswer {}, "2+2=4.\n#### 4", Some("4"));
        assert_eq!(number.score(" I guess\n#### 4"), Some(1.0));
        assert_eq!(number.score(" 2+2=4."), Some(0.0));
        let word = item(
            ScoreRule::FinalAnswer {},
            "It is red.\n#### red",
            Some("red"),
        );
        assert_eq!(word.score(" So.\n#### red \nQuestion:"), Some(1.0));
        assert_eq!(word.score(" So.\n#### red pen"), Some(0.0));
    }

    #[test]
    fn a_whole_text_may_differ_in_white_space_at_the_ends_only() {
        let code = item(ScoreRule::WholeText {}, "def f(a):\n    return a", None);
        assert_eq!(code.score(" def f(a): \n    return a\n"), Some(1.0));
        assert_eq!(code.score(" def f(a):\n  return a"), Some(0.0));
        assert_eq!(code.score(" def f(a):"), Some(0.0));
    }

    #[test]
    fn an_open_ended_item_has_no_score() {
        let story = item(ScoreRule::Unscored {}, "Once.", None);
        assert_eq!(story.score("Once."), None);
    }

    #[test]
    fn a_score_rule_is_written_as_its_kind() {
        let text = serde_json::to_string(&ScoreRule::WholeText {}).unwrap();
        assert_eq!(text, r#"{"kind":"whole_text"}"#);
    }

    #[test]
    fn a_training_document_is_the_prompt_and_its_continuation() {
        assert_eq!(
            training_document("How many?", "2+2=<<2+2=4>>4.\n#### 4"),
            "Question: How many?\nAnswer: 2+2=<<2+2=4>>4.\n#### 4"
        );
    }
}
