//! Open-ended stories: a stochastic grammar with a choice at almost every word.
//!
//! The question fixes the people, the thing and the place; what happens is drawn. No continuation
//! is right or wrong, and the reference is one of very many.

mod grammar;
mod rules;
mod tasks;

use super::task::Task;

pub(super) const TASKS: &[&[Task]] = &[tasks::TASKS];
