//! Some facts and a question about one of them, or a comparison of two.
//!
//! The answer quotes what it uses, word for word, and ends in `####` and the word asked for.

mod compare;
mod facts;
mod recall;

use super::task::Task;

pub(super) const TASKS: &[&[Task]] = &[recall::TASKS, compare::TASKS];

#[cfg(test)]
mod tests;
