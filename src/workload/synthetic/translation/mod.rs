//! Between English and Velu, a regular language made for this family.
//!
//! Velu has no articles and no irregular words. A plural ends in `-ri`, the past in `-ta`; an
//! adjective follows its noun; a sentence is place, subject, object, verb, where the place carries
//! its preposition as a suffix (`-na` in, `-su` near, `-pe` behind). `mu` before the verb denies,
//! `ka` behind it asks. Names stay as they are.

mod grammar;
mod lexicon;
mod tasks;

use super::task::Task;

pub(super) const TASKS: &[&[Task]] = &[tasks::TASKS];

#[cfg(test)]
mod tests;
