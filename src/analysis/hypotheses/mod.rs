//! Claims and what a run says of them: data, tasks, decision rules, verdicts.
//!
//! Every rule is a pure function from the figures of trials on prompts to an [`verdict::Answer`], tried
//! on made-up data whose answer is known. `docs/experiments.md` has the formulas and their sources.

mod beats;
mod correlates;
pub mod data;
mod differs;
mod equivalent;
mod field;
pub mod judge;
#[cfg(test)]
pub(super) mod made_up;
mod more_robust;
pub mod paired;
pub mod select;
pub mod verdict;
mod words;
