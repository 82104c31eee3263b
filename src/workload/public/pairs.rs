//! Sentences with translations, in the forms of the WMT data sets.

use std::fmt;
use std::path::Path;

use super::super::error::WorkloadError;
use super::super::item::{Item, ScoreRule, prompt_of};
use super::super::lines::{Line, read_lines};

/// From one language to another, each by its code; written `de-en`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direction {
    pub source: String,
    pub target: String,
}

impl Direction {
    /// Two codes of two or three lower-case letters with a dash between; None for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (source, target) = text.split_once('-')?;
        let is_code = |code: &str| {
            (2..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase())
        };
        (is_code(source) && is_code(target)).then(|| Self {
            source: source.to_owned(),
            target: target.to_owned(),
        })
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.source, self.target)
    }
}

/// The first `limit` sentences of a file, each with its translations.
///
/// A line has either `source` and `target` (a text, or a list of right translations), or
/// `translation`, an object with one text for each language: `{"de": …, "en": …}`. In the latter,
/// `direction` says from which to which; without one, the first language is the source and the
/// second the target.
///
/// # Errors
///
/// Those of a file of JSON lines, and a `translation` without the languages asked for.
pub fn load_pairs(
    path: &Path,
    direction: Option<&Direction>,
    limit: usize,
) -> Result<Vec<Item>, WorkloadError> {
    let form = "'source' and 'target', or 'translation' with two languages,";
    read_lines(path, limit, form, |line| {
        let (direction, source, references) = match line.named_texts("translation")? {
            Some(texts) => {
                let (direction, source, target) = sides(line, &texts, direction)?;
                (Some(direction), source, vec![target.to_owned()])
            }
            None => (
                direction.cloned(),
                line.text("source")?,
                line.texts("target")?,
            ),
        };
        let direction = direction.as_ref();
        Ok(Item {
            id: format!("pairs-{:05}", line.number),
            category: direction.map_or_else(|| "pairs".to_owned(), Direction::to_string),
            prompt: prompt(source, direction),
            reference: references[0].clone(),
            answer: None,
            score: ScoreRule::Translation { references },
        })
    })
}

fn sides<'a>(
    line: &Line,
    texts: &[(&str, &'a str)],
    direction: Option<&Direction>,
) -> Result<(Direction, &'a str, &'a str), WorkloadError> {
    let direction = match (direction, texts) {
        (Some(direction), _) => direction.clone(),
        (None, [(source, _), (target, _)]) => Direction {
            source: (*source).to_owned(),
            target: (*target).to_owned(),
        },
        (None, _) => return Err(line.wrong("translation", "an object with two languages")),
    };
    let text_in = |code: &str| {
        let found = texts.iter().find(|(name, _)| *name == code);
        found.map(|(_, text)| *text).ok_or_else(|| {
            let Direction { source, target } = &direction;
            let allowed = format!("an object with the texts '{source}' and '{target}'");
            line.wrong("translation", allowed)
        })
    };
    let (source, target) = (text_in(&direction.source)?, text_in(&direction.target)?);
    Ok((direction, source, target))
}

fn prompt(text: &str, direction: Option<&Direction>) -> String {
    prompt_of(&match direction {
        Some(Direction { source, target }) => format!(
            "Translate from {} to {}: {text}",
            language(source),
            language(target)
        ),
        None => format!("Translate: {text}"),
    })
}

/// The English name of a language of the WMT news tasks; any other is named by its code.
fn language(code: &str) -> &str {
    match code {
        "cs" => "Czech",
        "de" => "German",
        "en" => "English",
        "es" => "Spanish",
        "et" => "Estonian",
        "fi" => "Finnish",
        "fr" => "French",
        "gu" => "Gujarati",
        "hi" => "Hindi",
        "ja" => "Japanese",
        "kk" => "Kazakh",
        "lt" => "Lithuanian",
        "lv" => "Latvian",
        "ro" => "Romanian",
        "ru" => "Russian",
        "tr" => "Turkish",
        "uk" => "Ukrainian",
        "zh" => "Chinese",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn the_first_language_is_the_source_unless_a_direction_says_otherwise() {
        let path = fixture("pairs-wmt.jsonl");
        let items = load_pairs(&path, None, 10).unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].category, "de-en");
        assert_eq!(
            items[0].prompt,
            "Question: Translate from German to English: Der Zug kommt um acht.\nAnswer:"
        );
        assert_eq!(items[0].reference, "The train comes at eight.");
        let back = load_pairs(&path, Direction::parse("en-de").as_ref(), 10).unwrap();
        assert_eq!(back[0].reference, "Der Zug kommt um acht.");
        let error = load_pairs(&path, Direction::parse("en-fr").as_ref(), 10).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("expected an object with the texts 'en' and 'fr'"),
            "{message}"
        );
    }

    #[test]
    fn source_and_target_need_no_languages_and_may_have_several_translations() {
        let items = load_pairs(&fixture("pairs.jsonl"), None, 10).unwrap();
        assert_eq!(
            items[0].prompt,
            "Question: Translate: Guten Morgen.\nAnswer:"
        );
        assert_eq!(items[0].score(" Morning."), Some(1.0));
        assert_eq!(items[1].reference, "Where is the station?");
    }
}
