//! What can go wrong while a workload is loaded, each with the place and the remedy.

use std::path::PathBuf;

use thiserror::Error;

use super::synthetic::Family;

/// A workload that cannot be used. Lines count from 1.
#[derive(Debug, Error)]
pub enum WorkloadError {
    #[error(
        "cannot read the workload file {}: {source}; check the path after 'gsm8k:'",
        path.display()
    )]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },

    #[error(
        "{}: line {line} is not JSON ({reason}); write one object with 'question' and 'answer' per line",
        path.display()
    )]
    NotJson {
        path: PathBuf,
        line: usize,
        reason: String,
    },

    #[error(
        "{}: line {line} has no text field '{field}'; each line needs 'question' and 'answer'",
        path.display()
    )]
    MissingField {
        path: PathBuf,
        line: usize,
        field: &'static str,
    },

    #[error(
        "{}: line {line}: the answer has no number after '####'; end it with a line such as '#### 42'",
        path.display()
    )]
    NoFinalAnswer { path: PathBuf, line: usize },

    #[error("{}: the file holds no problems; put one JSON object on each line", path.display())]
    Empty { path: PathBuf },

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
