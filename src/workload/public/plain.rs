//! Plain text: the beginning of each paragraph is a prompt, the rest its reference.

use std::path::Path;

use super::super::error::WorkloadError;
use super::super::item::{Item, ScoreRule};
use super::super::lines::unreadable;

/// The first `limit` paragraphs of a text file that have more than `n_prompt_words` words.
///
/// Blank lines separate paragraphs. The first `n_prompt_words` words are the prompt, with the white
/// space between them as it stands, and the rest is the reference; a shorter paragraph leaves
/// nothing to continue and is passed over. An id has the number of the paragraph's first line.
///
/// # Errors
///
/// The file cannot be read, is empty, or has no paragraph that is long enough.
pub fn load_plain(
    path: &Path,
    n_prompt_words: usize,
    limit: usize,
) -> Result<Vec<Item>, WorkloadError> {
    let text = std::fs::read_to_string(path).map_err(|source| unreadable(path, source))?;
    let paragraphs = paragraphs(&text);
    if paragraphs.is_empty() {
        return Err(WorkloadError::Empty {
            path: path.to_owned(),
        });
    }
    let mut items = paragraphs
        .into_iter()
        .filter_map(|(line, paragraph)| {
            let (prompt, rest) = split_after(paragraph, n_prompt_words)?;
            Some(Item {
                id: format!("plain-{line:05}"),
                category: "plain".to_owned(),
                prompt: prompt.to_owned(),
                reference: rest.to_owned(),
                answer: None,
                score: ScoreRule::Unscored {},
            })
        })
        .peekable();
    if items.peek().is_none() {
        return Err(WorkloadError::NothingToContinue {
            path: path.to_owned(),
            n_prompt_words,
        });
    }
    Ok(items.take(limit).collect())
}

/// Each paragraph without white space around it, and the number of its first line from 1.
fn paragraphs(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if line.trim().is_empty() {
            found.extend(
                open.take()
                    .map(|(number, start)| (number, &text[start..at])),
            );
        } else if open.is_none() {
            open = Some((index + 1, at));
        }
        at += line.len();
    }
    found.extend(open.map(|(number, start)| (number, &text[start..])));
    found
        .into_iter()
        .map(|(number, paragraph)| (number, paragraph.trim()))
        .collect()
}

/// The first `n` words and the rest without the white space between; None where there is no rest.
fn split_after(text: &str, n: usize) -> Option<(&str, &str)> {
    let mut end = 0;
    for _ in 0..n {
        let word = text[end..].find(|c: char| !c.is_whitespace())? + end;
        end = text[word..].find(char::is_whitespace)? + word;
    }
    let (prompt, rest) = (&text[..end], text[end..].trim_start());
    (!rest.is_empty()).then_some((prompt, rest))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn a_paragraph_splits_after_its_first_words_and_a_short_one_is_passed_over() {
        let items = load_plain(&fixture("plain.txt"), 4, 10).unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].id, "plain-00003");
        assert_eq!(items[0].prompt, "The ferry  left the");
        assert_eq!(items[0].reference, "harbour at dawn,\nhalf empty.");
        assert_eq!(items[1].id, "plain-00007");
        assert_eq!(load_plain(&fixture("plain.txt"), 4, 1).unwrap().len(), 1);
    }

    #[test]
    fn a_file_of_short_paragraphs_is_refused_with_the_remedy() {
        let error = load_plain(&fixture("plain.txt"), 50, 10).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("more than the 50 words"), "{message}");
        assert!(message.contains("'plain:8:PATH'"), "{message}");
    }

    #[test]
    fn exactly_as_many_words_leave_nothing() {
        assert_eq!(split_after("a b", 2), None);
        assert_eq!(split_after("a b c", 2), Some(("a b", "c")));
        assert_eq!(paragraphs("a\nb\n\n \n\tc\r\n"), [(1, "a\nb"), (5, "c")]);
    }
}
