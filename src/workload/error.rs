//! What can go wrong while a workload is loaded, each with the place and the remedy.

use std::path::PathBuf;

use thiserror::Error;

use super::public::PublicSource;
use super::synthetic::Family;

/// A workload that cannot be used. Lines count from 1.
#[derive(Debug, Error)]
pub enum WorkloadError {
    #[error(
        "cannot read the workload file {}: {source}; check the path after the source's ':'",
        path.display()
    )]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },

    #[error(
        "{}: line {line} is not JSON ({reason}); write one object with {form} per line",
        path.display()
    )]
    NotJson {
        path: PathBuf,
        line: usize,
        reason: String,
        form: &'static str,
    },

    #[error(
        "{}: line {line} has no text field '{field}'; each line needs {form}",
        path.display()
    )]
    MissingField {
        path: PathBuf,
        line: usize,
        field: &'static str,
        form: &'static str,
    },

    #[error(
        "{}: line {line}: the field '{field}' is {given}, expected {allowed}",
        path.display()
    )]
    WrongField {
        path: PathBuf,
        line: usize,
        field: &'static str,
        given: String,
        allowed: String,
    },

    #[error("{}: line {line}: the id '{id}' stands on an earlier line too; ids are unique", path.display())]
    RepeatedId {
        path: PathBuf,
        line: usize,
        id: String,
    },

    #[error("{}: compressed files are not read; unpack it first (gunzip)", path.display())]
    Compressed { path: PathBuf },

    #[error(
        "{}: no paragraph has more than the {n_prompt_words} words of a prompt; \
         ask for fewer, as in 'plain:8:PATH'",
        path.display()
    )]
    NothingToContinue {
        path: PathBuf,
        n_prompt_words: usize,
    },

    #[error(
        "{}: line {line}: the answer has no number after '####'; end it with a line such as '#### 42'",
        path.display()
    )]
    NoFinalAnswer { path: PathBuf, line: usize },

    #[error("{}: the file holds no problems; put one JSON object on each line", path.display())]
    Empty { path: PathBuf },

    #[error(
        "few_shot.source is '{given}', which has no training split; expected 'gsm8k:PATH' or 'synthetic:FAMILY'"
    )]
    NoExamples { given: String },

    #[error("few_shot.source {given} holds {found} examples, few_shot.n is {n}; lower it")]
    TooFewExamples {
        given: String,
        n: usize,
        found: usize,
    },

    #[error(
        "the prompt '{id}' is among its own examples of few_shot.source {examples}; take them from another split"
    )]
    PromptIsExample { id: String, examples: String },

    #[error("unknown workload source '{given}', expected {}", expected_sources())]
    UnknownSource { given: String },

    #[error("unknown family '{given}', expected {}", either(&names("")))]
    UnknownFamily { given: String },

    #[error("{families} has no held-out templates; only gsm8k holds templates back from training")]
    NoNewTemplates { families: String },
}

fn names(prefix: &str) -> Vec<String> {
    Family::ALL
        .iter()
        .map(|family| format!("'{prefix}{family}'"))
        .collect()
}

fn expected_sources() -> String {
    let mut sources = names("synthetic:");
    sources.insert(1, "'synthetic:gsm8k-new-templates'".to_owned());
    sources.extend(["'synthetic:mix'", "'gsm8k:PATH'"].map(str::to_owned));
    sources.extend(PublicSource::FORMS.map(|form| format!("'{form}'")));
    either(&sources)
}

/// The words as an enumeration that ends in "or".
fn either(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [word] => word.clone(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
    }
}
