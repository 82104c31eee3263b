//! HumanEval (Chen et al., 2021): Python functions to complete, and tests that run them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::error::WorkloadError;
use super::super::item::{Item, ScoreRule};
use super::super::lines::read_lines;
use super::Ids;

/// Texts that end a completion: what follows the function at the margin (Chen et al., 2021, §3.2).
pub const STOP_TEXTS: [&str; 5] = ["\nclass", "\ndef", "\n#", "\nif", "\nprint"];

/// The tests of one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitTests {
    /// Python text that defines `check(candidate)`.
    pub test: String,
    /// The function that is checked.
    pub entry_point: String,
}

impl UnitTests {
    /// The program that checks a completion: it raises an exception unless the completion is right.
    ///
    /// The completion is cut at the first of [`STOP_TEXTS`].
    pub fn program(&self, prompt: &str, completion: &str) -> String {
        let Self { test, entry_point } = self;
        let completion = cut(completion);
        format!("{prompt}{completion}\n{test}\ncheck({entry_point})\n")
    }
}

/// The text before the first of [`STOP_TEXTS`].
fn cut(completion: &str) -> &str {
    let end = STOP_TEXTS
        .iter()
        .filter_map(|stop| completion.find(stop))
        .min();
    &completion[..end.unwrap_or(completion.len())]
}

/// The first `limit` tasks of a file: `task_id`, `prompt`, `canonical_solution`, `test` and
/// `entry_point`.
///
/// The prompt is given as it stands, without a question around it, and the model's ideal
/// continuation is the canonical solution as it stands.
///
/// # Errors
///
/// Those of a file of JSON lines, and a `task_id` that stands twice.
pub fn load_humaneval(path: &Path, limit: usize) -> Result<Vec<Item>, WorkloadError> {
    let form = "'task_id', 'prompt', 'canonical_solution', 'test' and 'entry_point'";
    let mut ids = Ids::default();
    read_lines(path, limit, form, |line| {
        Ok(Item {
            id: ids.unique(line, line.name("task_id")?)?,
            category: "humaneval".to_owned(),
            prompt: line.text("prompt")?.to_owned(),
            reference: line.text("canonical_solution")?.to_owned(),
            answer: None,
            score: ScoreRule::UnitTests {
                tests: UnitTests {
                    test: line.text("test")?.to_owned(),
                    entry_point: line.text("entry_point")?.to_owned(),
                },
            },
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn a_task_keeps_its_prompt_and_its_tests_as_they_stand() {
        let items = load_humaneval(&fixture("humaneval.jsonl"), 10).unwrap();
        assert_eq!(items.len(), 3);
        assert_eq!(items[0].id, "HumanEval/0");
        assert!(items[0].prompt.starts_with("def double(n: int)"));
        assert!(items[0].prompt.ends_with("\"\"\"\n"));
        assert_eq!(items[0].reference, "    return 2 * n\n");
        let ScoreRule::UnitTests { tests } = &items[0].score else {
            panic!("{:?}", items[0].score);
        };
        assert_eq!(tests.entry_point, "double");
        let program = tests.program(&items[0].prompt, &items[0].reference);
        assert!(program.ends_with("\ncheck(double)\n"), "{program}");
    }

    #[test]
    fn a_completion_ends_where_the_margin_holds_something_new() {
        assert_eq!(cut("    return 1\n\ndef other():\n"), "    return 1\n");
        assert_eq!(
            cut("    x = 1\n    if x:\n        print(x)\n"),
            "    x = 1\n    if x:\n        print(x)\n"
        );
        assert_eq!(cut("    return 1\nprint(f(1))\n# end"), "    return 1");
        assert_eq!(cut(""), "");
    }

    #[test]
    fn a_task_that_stands_twice_is_refused() {
        let error = load_humaneval(&fixture("humaneval-twice.jsonl"), 10).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("line 2: the id 'HumanEval/7'"),
            "{message}"
        );
    }
}
