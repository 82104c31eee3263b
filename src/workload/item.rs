//! One prompt with what is known about its right continuation.

use serde::{Deserialize, Serialize};

use super::extract::{Extraction, harness_match};
use super::metric::{ChrfKind, RougeKind, answer_f1, is_answer_exact, rouge, sentence_chrf};
use super::public::UnitTests;
use super::scoring::{exact_match, same_text};

/// One prompt of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Unique within a workload, stable for the same source and seed.
    pub id: String,
    /// The group that reports break results down by, e.g. `3-step`.
    pub category: String,
    /// The text given to the model, in the form of [`prompt_of`] unless it is a text to continue.
    pub prompt: String,
    /// The full reference answer, empty where there is none; the model's ideal continuation is a
    /// space followed by it, but of a program it as it stands.
    pub reference: String,
    /// The final answer, where the reference ends in one: a normalised number, or words.
    pub answer: Option<String>,
    /// What makes a generated text right.
    pub score: ScoreRule,
}

/// How a generated text is judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScoreRule {
    /// What follows the first `####` is the item's answer.
    FinalAnswer {},
    /// The answer that lm-evaluation-harness finds in the text is the reference's.
    Harness { rule: Extraction },
    /// The whole text is the reference, but for white space around it and at the ends of lines.
    WholeText {},
    /// The first line that is not blank, against short answers of which the best counts: F1 of
    /// words, and right where it matches exactly ([`squad`](super::metric::squad)).
    ShortAnswer { references: Vec<String> },
    /// ROUGE-L, F-measure, against the best of the summaries.
    Summary { references: Vec<String> },
    /// chrF of the first line that is not blank, against the best of the translations.
    Translation { references: Vec<String> },
    /// Whether prompt and text are a program that passes its tests. Only running it tells, which
    /// [`Item::score`] does not.
    UnitTests { tests: UnitTests },
    /// There is no right answer: only the text's perplexity says anything about it.
    Unscored {},
}

impl Item {
    /// How good a text is, 0 to 1; `None` where nothing says so, or only a run of the text does.
    pub fn score(&self, generated: &str) -> Option<f64> {
        match &self.score {
            ScoreRule::FinalAnswer {} | ScoreRule::Harness { .. } | ScoreRule::WholeText {} => {
                let is_right = self.is_correct(generated)?;
                Some(if is_right { 1.0 } else { 0.0 })
            }
            ScoreRule::ShortAnswer { references } => {
                Some(answer_f1(first_line(generated), references))
            }
            ScoreRule::Summary { references } => {
                Some(rouge(RougeKind::L, generated, references).f_measure)
            }
            ScoreRule::Translation { references } => {
                let chrf = sentence_chrf(ChrfKind::Chrf, first_line(generated), references);
                Some(chrf / 100.0)
            }
            ScoreRule::UnitTests { .. } | ScoreRule::Unscored {} => None,
        }
    }

    /// Whether a text is right; `None` where texts are better or worse, not right or wrong.
    pub fn is_correct(&self, generated: &str) -> Option<bool> {
        match &self.score {
            ScoreRule::FinalAnswer {} => Some(exact_match(generated, self.answer.as_deref()?)),
            ScoreRule::Harness { rule } => Some(harness_match(*rule, generated, &self.reference)),
            ScoreRule::WholeText {} => Some(same_text(generated, &self.reference)),
            ScoreRule::ShortAnswer { references } => {
                Some(is_answer_exact(first_line(generated), references))
            }
            ScoreRule::Summary { .. }
            | ScoreRule::Translation { .. }
            | ScoreRule::UnitTests { .. }
            | ScoreRule::Unscored {} => None,
        }
    }
}

/// The first line that is not blank. A model without an end token goes on behind its answer, and
/// what it says there is no part of it.
fn first_line(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| !line.is_empty()).unwrap_or("")
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
    fn what_follows_the_first_line_of_a_short_answer_does_not_count() {
        let references = vec!["blue whale".to_owned(), "whale".to_owned()];
        let answer = item(ScoreRule::ShortAnswer { references }, "blue whale", None);
        assert_eq!(answer.score(" The whale.\nQuestion: why?"), Some(1.0));
        assert_eq!(answer.is_correct(" The whale.\nQuestion: why?"), Some(true));
        // Of two words one is right, against either reference: 1/2 and 2/3.
        assert_eq!(answer.score(" grey whale"), Some(2.0 / 3.0));
        assert_eq!(answer.is_correct(" grey whale"), Some(false));
        assert_eq!(answer.score(""), Some(0.0));
    }

    #[test]
    fn summaries_and_translations_are_better_or_worse_but_not_right_or_wrong() {
        let references = vec!["a b c d".to_owned()];
        let summary = ScoreRule::Summary {
            references: references.clone(),
        };
        let summary = item(summary, "a b c d", None);
        assert_eq!(summary.score(" a c\n"), Some(2.0 / 3.0));
        assert_eq!(summary.is_correct(" a b c d"), None);
        let translation = item(ScoreRule::Translation { references }, "a b c d", None);
        assert_eq!(translation.score(" a b c d\nmore"), Some(1.0));
        assert_eq!(translation.score(" x"), Some(0.0));
        assert_eq!(translation.is_correct(" a b c d"), None);
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
