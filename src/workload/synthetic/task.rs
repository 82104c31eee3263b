//! A template of the families other than word problems.

use rand_chacha::ChaCha8Rng;

use super::draw::Draw;
use super::family::Family;
use super::problem::Problem;

/// One kind of question: the same wording around drawn names, words and numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub name: &'static str,
    pub make: fn(&mut Draw) -> Exchange,
}

/// A question and its answer, not yet attributed to a task.
pub(super) struct Exchange {
    pub question: String,
    pub answer: String,
}

impl Exchange {
    pub(super) fn new(question: impl Into<String>, answer: impl Into<String>) -> Self {
        Self {
            question: question.into(),
            answer: answer.into(),
        }
    }
}

impl Task {
    pub(super) fn draw(&self, family: Family, rng: &mut ChaCha8Rng) -> Problem {
        let Exchange { question, answer } = (self.make)(&mut Draw::new(rng));
        Problem::new(family, question, answer, self.name)
    }
}

pub(super) const fn task(name: &'static str, make: fn(&mut Draw) -> Exchange) -> Task {
    Task { name, make }
}

/// Lines, each a format string, joined by line breaks.
macro_rules! lines {
    ($($line:literal),+ $(,)?) => {
        [$(format!($line)),+].join("\n")
    };
}
pub(super) use lines;
