//! One prompt with what is known about its right continuation.

use serde::{Deserialize, Serialize};

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
    /// The final answer as a normalised number, where there is one to check.
    pub answer: Option<String>,
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

    #[test]
    fn a_training_document_is_the_prompt_and_its_continuation() {
        assert_eq!(
            training_document("How many?", "2+2=<<2+2=4>>4.\n#### 4"),
            "Question: How many?\nAnswer: 2+2=<<2+2=4>>4.\n#### 4"
        );
    }
}
