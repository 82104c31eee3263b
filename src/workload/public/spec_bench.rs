//! MT-Bench (Zheng et al., 2023) and Spec-Bench (Xia et al., 2024), which share a form.

use std::path::Path;

use super::super::error::WorkloadError;
use super::super::item::{Item, ScoreRule, prompt_of};
use super::super::lines::read_lines;
use super::Ids;

/// The first `limit` questions of a file: `question_id`, `category`, `turns` and perhaps
/// `reference`, a list with one entry for each turn.
///
/// Only the first turn is asked, and only its reference is kept: a later turn needs the model's
/// answer to the one before. Both data sets leave the score to a judge, so there is none here.
/// `name` begins the ids, e.g. `mt-bench-81`.
///
/// # Errors
///
/// Those of a file of JSON lines, and a `question_id` that stands twice.
pub fn load_spec_bench(path: &Path, name: &str, limit: usize) -> Result<Vec<Item>, WorkloadError> {
    let mut ids = Ids::default();
    read_lines(
        path,
        limit,
        "'question_id', 'category' and 'turns'",
        |line| {
            let id = format!("{name}-{}", line.name("question_id")?);
            let turns = line.texts("turns")?;
            let mut references = line.optional_texts("reference")?.into_iter();
            Ok(Item {
                id: ids.unique(line, id)?,
                category: line.text("category")?.to_owned(),
                prompt: prompt_of(&turns[0]),
                reference: references.next().unwrap_or_default(),
                answer: None,
                score: ScoreRule::Unscored {},
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn only_the_first_turn_is_asked() {
        let items = load_spec_bench(&fixture("mt-bench.jsonl"), "mt-bench", 10).unwrap();
        assert_eq!(items.len(), 3);
        assert_eq!(items[0].id, "mt-bench-81");
        assert_eq!(items[0].category, "writing");
        assert_eq!(
            items[0].prompt,
            "Question: Write two lines about rain.\nAnswer:"
        );
        assert_eq!(items[0].reference, "");
        assert_eq!(items[1].reference, "You are in second place.");
        assert_eq!(items[2].reference, "The house is red.");
    }
}
