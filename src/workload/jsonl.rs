//! The loader for files in GSM8K's own format: one `{"question": …, "answer": …}` per line.

use std::path::Path;

use super::error::WorkloadError;
use super::item::{Item, ScoreRule, prompt_of};
use super::lines::{Line, read_lines};
use super::scoring::final_answer;

/// The first `limit` problems of a GSM8K file, in file order.
///
/// Blank lines are skipped, further fields are ignored, and nothing after the last problem needed
/// is read. An item's id carries its line number in the file.
///
/// # Errors
///
/// The file cannot be read or holds no problem; a line is not JSON, lacks a field, or its answer
/// has no number after `####`.
pub fn load_gsm8k(path: &Path, limit: usize) -> Result<Vec<Item>, WorkloadError> {
    read_lines(path, limit, "'question' and 'answer'", item_of)
}

fn item_of(line: &Line) -> Result<Item, WorkloadError> {
    let question = line.text("question")?;
    let reference = line.text("answer")?;
    let answer = final_answer(reference).ok_or_else(|| WorkloadError::NoFinalAnswer {
        path: line.path().to_owned(),
        line: line.number,
    })?;
    Ok(Item {
        id: format!("gsm8k-{:05}", line.number),
        category: "gsm8k".to_owned(),
        prompt: prompt_of(question),
        reference: reference.to_owned(),
        answer: Some(answer),
        score: ScoreRule::FinalAnswer {},
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A file in the system's temporary folder that goes away with the test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, text: &str) -> Self {
            let file = format!("wedlm-workload-{}-{name}.jsonl", std::process::id());
            let path = std::env::temp_dir().join(file);
            std::fs::write(&path, text).unwrap();
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    const GOOD: &str = r#"{"question": "Q1?", "answer": "1000+5=<<1000+5=1005>>1005.\n#### 1,005"}

{"question": "Q2?", "answer": "It costs $3.\n#### $3", "source": "test"}
"#;

    fn message(name: &str, text: &str) -> String {
        let file = Scratch::new(name, text);
        load_gsm8k(&file.0, 10).unwrap_err().to_string()
    }

    #[test]
    fn items_keep_file_order_line_numbers_and_a_plain_number_as_answer() {
        let file = Scratch::new("good", GOOD);
        let items = load_gsm8k(&file.0, 10).unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].answer.as_deref(), Some("1005"));
        assert_eq!(items[0].prompt, "Question: Q1?\nAnswer:");
        assert_eq!(items[1].id, "gsm8k-00003");
        assert_eq!(items[1].answer.as_deref(), Some("3"));
    }

    #[test]
    fn the_limit_takes_the_first_problems() {
        let file = Scratch::new("limit", GOOD);
        let items = load_gsm8k(&file.0, 1).unwrap();
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].id, "gsm8k-00001");
    }

    #[test]
    fn errors_name_the_file_the_line_and_the_field() {
        let broken = message(
            "broken",
            "{\"question\": \"Q\", \"answer\": \"#### 1\"}\n{oops\n",
        );
        assert!(
            broken.contains("broken.jsonl: line 2 is not JSON"),
            "{broken}"
        );
        let missing = message("missing", "{\"question\": \"Q\"}\n");
        assert!(
            missing.contains("line 1 has no text field 'answer'"),
            "{missing}"
        );
        let unmarked = message("unmarked", "{\"question\": \"Q\", \"answer\": \"7\"}\n");
        assert!(
            unmarked.contains("line 1") && unmarked.contains("'####'"),
            "{unmarked}"
        );
        let empty = message("empty", "\n\n");
        assert!(empty.contains("holds no problems"), "{empty}");
        let absent = load_gsm8k(Path::new("/no/such/test.jsonl"), 1).unwrap_err();
        assert!(
            absent.to_string().contains("/no/such/test.jsonl"),
            "{absent}"
        );
    }
}
