//! Generated word problems in GSM8K's form, easy enough for a model of a few million parameters.
//!
//! A problem is drawn from one of 44 templates of 2 to 5 steps; its answer has one line per step,
//! `… 3*4=<<3*4=12>>12 …`, and ends in `#### N`. The wording of the answer is a function of the
//! question alone, so greedy decoding can reproduce it token by token. All values are integers from
//! 2 to 150; products and quotients stay within the times table, which `arithmetic` asserts.

mod arithmetic;
mod draw;
mod five_steps;
mod four_steps;
mod problem;
mod stream;
mod template;
mod three_steps_life;
mod three_steps_things;
mod two_steps_life;
mod two_steps_things;
mod vocabulary;

pub use problem::Problem;
pub use stream::{ProblemStream, Split, problems};
