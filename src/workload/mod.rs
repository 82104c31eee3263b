//! What the models are asked: prompts, most of them with checkable answers.
//!
//! A workload is a list of [`Item`]s, either generated (`synthetic:FAMILY`) or read from a file in
//! its data set's own format (`gsm8k:PATH`, `humaneval:PATH` and others, see [`public`]). Both use
//! the same prompt form, [`prompt_of`], so that a model trained on the one can be run on the other.

mod error;
#[cfg(unix)]
pub mod execute;
mod extract;
mod few_shot;
mod item;
mod jsonl;
mod lines;
pub mod metric;
pub mod public;
mod scoring;
mod source;
pub mod synthetic;

pub use error::WorkloadError;
pub use extract::{Extraction, extracted, harness_match};
pub use few_shot::FewShot;
pub use item::{Item, ScoreRule, prompt_of, training_document};
pub use jsonl::load_gsm8k;
pub use public::PublicSource;
pub use scoring::{exact_match, final_answer, final_words, same_text};
pub use source::{Source, load, synthetic_items};
pub use synthetic::{Families, Family, Problem, ProblemStream, Split, problems};
