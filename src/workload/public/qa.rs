//! Questions with short answers, in the form of Natural Questions (Kwiatkowski et al., 2019).

use std::path::Path;

use super::super::error::WorkloadError;
use super::super::item::{Item, ScoreRule, prompt_of};
use super::super::lines::read_lines;

/// The first `limit` questions of a file: `question`, `answer` (a text or a list of texts, each of
/// them right) and perhaps `context`, which then stands before the question.
///
/// # Errors
///
/// Those of a file of JSON lines.
pub fn load_qa(path: &Path, limit: usize) -> Result<Vec<Item>, WorkloadError> {
    read_lines(path, limit, "'question' and 'answer'", |line| {
        let question = line.text("question")?;
        let prompt = match line.optional_text("context")? {
            Some(context) => prompt_of(&format!("{context}\n{question}")),
            None => prompt_of(question),
        };
        let references = line.texts("answer")?;
        Ok(Item {
            id: format!("qa-{:05}", line.number),
            category: "qa".to_owned(),
            prompt,
            reference: references[0].clone(),
            answer: None,
            score: ScoreRule::ShortAnswer { references },
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn each_answer_of_a_list_is_right_and_a_context_stands_before_its_question() {
        let items = load_qa(&fixture("qa.jsonl"), 10).unwrap();
        assert_eq!(items.len(), 3);
        assert_eq!(items[0].reference, "14 December 1972");
        assert_eq!(items[0].score(" December 1972."), Some(1.0));
        assert_eq!(items[1].score(" seven"), Some(1.0));
        assert_eq!(items[2].id, "qa-00004");
        assert_eq!(
            items[2].prompt,
            "Question: The mill was built in 1840. It burned down in 1902.\nWhen did the mill burn down?\nAnswer:"
        );
    }

    #[test]
    fn an_answer_that_is_neither_text_nor_list_is_refused_with_what_is_allowed() {
        let error = load_qa(&fixture("qa-wrong.jsonl"), 10)
            .unwrap_err()
            .to_string();
        let expected = "qa-wrong.jsonl: line 2: the field 'answer' is 7, \
                        expected a text or a list of texts";
        assert!(error.ends_with(expected), "{error}");
        assert_eq!(load_qa(&fixture("qa-wrong.jsonl"), 1).unwrap().len(), 1);
    }
}
