//! What can go wrong while a workload is loaded, each with the place and the remedy.

use std::path::PathBuf;

use thiserror::Error;

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

    #[error(
        "unknown workload source '{given}', expected 'synthetic:gsm8k', \
         'synthetic:gsm8k-new-templates' or 'gsm8k:PATH'"
    )]
    UnknownSource { given: String },
}
