//! From the rows of a run to the figures of each trial.

pub mod cost;
mod fills;
pub mod flops;
pub mod measured;
pub mod metrics;
pub mod summary;
mod trial_row;
pub mod view;
