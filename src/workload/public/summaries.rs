//! Articles with summaries, in the form of CNN/DailyMail (Hermann et al., 2015; See et al., 2017).

use std::path::Path;

use super::super::error::WorkloadError;
use super::super::item::{Item, ScoreRule, prompt_of};
use super::super::lines::read_lines;

const INSTRUCTION: &str = "Summarize the article in a few sentences, one a line.";

/// The first `limit` articles of a file: `article` and `highlights`, whose lines are the sentences
/// of the summary.
///
/// # Errors
///
/// Those of a file of JSON lines.
pub fn load_summaries(path: &Path, limit: usize) -> Result<Vec<Item>, WorkloadError> {
    read_lines(path, limit, "'article' and 'highlights'", |line| {
        let article = line.text("article")?;
        let references = line.texts("highlights")?;
        Ok(Item {
            id: format!("summaries-{:05}", line.number),
            category: "summaries".to_owned(),
            prompt: prompt_of(&format!("{INSTRUCTION}\n{article}")),
            reference: references[0].clone(),
            answer: None,
            score: ScoreRule::Summary { references },
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn the_article_follows_the_instruction_and_the_highlights_are_the_reference() {
        let items = load_summaries(&fixture("summaries.jsonl"), 10).unwrap();
        assert_eq!(items.len(), 2);
        assert!(
            items[0]
                .prompt
                .starts_with("Question: Summarize the article")
        );
        assert!(items[0].prompt.ends_with("opens again on Monday.\nAnswer:"));
        assert_eq!(items[0].reference.lines().count(), 2);
    }

    #[test]
    fn an_article_without_highlights_is_refused() {
        let error = load_summaries(&fixture("qa.jsonl"), 10)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(
                "line 1 has no text field 'article'; each line needs 'article' and 'highlights'"
            ),
            "{error}"
        );
    }
}
