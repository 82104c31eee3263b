//! Public data sets in their own formats: one loader a format.
//!
//! A loader keeps what its data set says (prompts, references, unit tests) and names the rule that
//! scores an answer to it; the scores themselves are [`metric`](super::metric)'s.

mod humaneval;
mod pairs;
mod plain;
mod qa;
mod spec_bench;
mod summaries;

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

use super::error::WorkloadError;
use super::item::Item;
use super::lines::Line;

pub use humaneval::{STOP_TEXTS, UnitTests, load_humaneval};
pub use pairs::{Direction, load_pairs};
pub use plain::load_plain;
pub use qa::load_qa;
pub use spec_bench::load_spec_bench;
pub use summaries::load_summaries;

/// Words of a paragraph that become the prompt where `plain:PATH` names no number.
pub const DEFAULT_PROMPT_WORDS: usize = 32;

/// The format of a file of prompts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    HumanEval {},
    MtBench {},
    SpecBench {},
    Qa {},
    Summaries {},
    /// Without a direction, from the first language of each line to the second.
    Pairs {
        direction: Option<Direction>,
    },
    /// `n_prompt_words`: at least 1.
    Plain {
        n_prompt_words: usize,
    },
}

/// A file and its format, written as one string: `FORMAT:PATH`, `pairs:de-en:PATH`, `plain:8:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicSource {
    pub format: Format,
    pub path: PathBuf,
}

impl PublicSource {
    /// The strings that [`parse`](Self::parse) takes, without options, for messages.
    pub const FORMS: [&str; 7] = [
        "humaneval:PATH",
        "mt-bench:PATH",
        "spec-bench:PATH",
        "qa:PATH",
        "summaries:PATH",
        "pairs:PATH",
        "plain:PATH",
    ];

    /// None for a text of another form.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once(':')?;
        let (format, path) = match name {
            "humaneval" => (Format::HumanEval {}, rest),
            "mt-bench" => (Format::MtBench {}, rest),
            "spec-bench" => (Format::SpecBench {}, rest),
            "qa" => (Format::Qa {}, rest),
            "summaries" => (Format::Summaries {}, rest),
            "pairs" => {
                let (direction, path) = option_before_path(rest, Direction::parse);
                (Format::Pairs { direction }, path)
            }
            "plain" => {
                let (n, path) = option_before_path(rest, |text| text.parse().ok());
                let n_prompt_words = n.unwrap_or(DEFAULT_PROMPT_WORDS);
                if n_prompt_words == 0 {
                    return None;
                }
                (Format::Plain { n_prompt_words }, path)
            }
            _other => return None,
        };
        (!path.is_empty()).then(|| Self {
            format,
            path: path.into(),
        })
    }

    /// The first `limit` items of the file, in file order.
    ///
    /// # Errors
    ///
    /// The file cannot be read or has no item, or a line of it is not in the format.
    pub fn load(&self, limit: usize) -> Result<Vec<Item>, WorkloadError> {
        let path = &self.path;
        match &self.format {
            Format::HumanEval {} => load_humaneval(path, limit),
            Format::MtBench {} => load_spec_bench(path, "mt-bench", limit),
            Format::SpecBench {} => load_spec_bench(path, "spec-bench", limit),
            Format::Qa {} => load_qa(path, limit),
            Format::Summaries {} => load_summaries(path, limit),
            Format::Pairs { direction } => load_pairs(path, direction.as_ref(), limit),
            Format::Plain { n_prompt_words } => load_plain(path, *n_prompt_words, limit),
        }
    }
}

impl fmt::Display for PublicSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.format {
            Format::HumanEval {} => f.write_str("humaneval:"),
            Format::MtBench {} => f.write_str("mt-bench:"),
            Format::SpecBench {} => f.write_str("spec-bench:"),
            Format::Qa {} => f.write_str("qa:"),
            Format::Summaries {} => f.write_str("summaries:"),
            Format::Pairs { direction: None } => f.write_str("pairs:"),
            Format::Pairs {
                direction: Some(direction),
            } => write!(f, "pairs:{direction}:"),
            Format::Plain { n_prompt_words } if *n_prompt_words == DEFAULT_PROMPT_WORDS => {
                f.write_str("plain:")
            }
            Format::Plain { n_prompt_words } => write!(f, "plain:{n_prompt_words}:"),
        }?;
        write!(f, "{}", self.path.display())
    }
}

/// `OPTION:PATH` where the part before the first colon is an option, else a path alone.
fn option_before_path<T>(text: &str, option: impl Fn(&str) -> Option<T>) -> (Option<T>, &str) {
    if let Some((first, path)) = text.split_once(':')
        && let Some(value) = option(first)
    {
        return (Some(value), path);
    }
    (None, text)
}

/// The ids of a file so far.
#[derive(Default)]
struct Ids(HashSet<String>);

impl Ids {
    /// The id, unless an earlier line has it.
    fn unique(&mut self, line: &Line, id: String) -> Result<String, WorkloadError> {
        if self.0.insert(id.clone()) {
            Ok(id)
        } else {
            Err(WorkloadError::RepeatedId {
                path: line.path().to_owned(),
                line: line.number,
                id,
            })
        }
    }
}

#[cfg(test)]
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/workloads")
        .join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_survives_the_way_through_its_string() {
        for text in [
            "humaneval:a.jsonl",
            "mt-bench:a.jsonl",
            "spec-bench:a.jsonl",
            "qa:a.jsonl",
            "summaries:a/b.jsonl",
            "pairs:a.jsonl",
            "pairs:de-en:a.jsonl",
            "pairs:C:/a.jsonl",
            "plain:a.txt",
            "plain:8:a.txt",
        ] {
            let source = PublicSource::parse(text).unwrap();
            assert_eq!(source.to_string(), text);
        }
        assert_eq!(
            PublicSource::parse("plain:32:a.txt"),
            PublicSource::parse("plain:a.txt")
        );
    }

    #[test]
    fn a_source_needs_a_known_format_and_a_path() {
        for text in [
            "qa",
            "qa:",
            "pairs:de-en:",
            "plain:0:a.txt",
            "plain:8:",
            "gsm8k:a",
            "",
        ] {
            assert_eq!(PublicSource::parse(text), None, "{text}");
        }
    }
}
