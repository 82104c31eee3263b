//! Generated problems of seven families, easy enough for a model of a few million parameters.
//!
//! Every answer but that of a story is a function of its question, and every family asks in the one
//! prompt form of [`prompt_of`](super::prompt_of). The families share their names and things, so
//! that a small vocabulary spells them all.
//!
//! Word problems: a problem of [`Family::Gsm8k`] is drawn from one of 44 templates of 2 to 5 steps; its answer has one line per step,
//! `… 3*4=<<3*4=12>>12 …`, and ends in `#### N`. The wording of the answer is a function of the
//! question alone, so greedy decoding can reproduce it token by token. All values are integers from
//! 2 to 150; products and quotients stay within the times table, which `arithmetic` asserts.

mod arithmetic;
mod code;
mod counting;
mod draw;
mod family;
mod five_steps;
mod four_steps;
mod problem;
mod qa;
mod story;
mod stream;
mod summary;
mod task;
mod template;
mod three_steps_life;
mod three_steps_things;
mod translation;
mod two_steps_life;
mod two_steps_things;
mod vocabulary;
mod words;

pub use family::{Families, Family};
pub use problem::Problem;
pub use stream::{ProblemStream, Split, problems};

#[cfg(test)]
mod family_tests;
