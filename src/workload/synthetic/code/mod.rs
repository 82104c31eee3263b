//! Small Python functions: the question names the function, its arguments and its constants, the
//! answer is the function's text and a line that calls it.

mod arithmetic;
mod call;
mod choices;
mod lists;
mod loops;
mod names;
mod recursion;
mod text;

use super::task::Task;

pub(super) const TASKS: &[&[Task]] = &[
    arithmetic::TASKS,
    lists::TASKS,
    loops::TASKS,
    choices::TASKS,
    text::TASKS,
    recursion::TASKS,
];

#[cfg(test)]
mod tests;
