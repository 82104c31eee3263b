//! From the rows of a run to the figures of each trial.

pub mod cost;
mod fills;
pub mod measured;
pub mod summary;
mod trial_row;
pub mod view;
