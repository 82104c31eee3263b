//! From the rows of a run to the figures of each trial.

pub mod bins;
pub mod change;
pub mod cost;
pub mod details;
mod fills;
pub mod flops;
pub mod generations;
pub mod hazard;
pub mod hypotheses;
pub mod measured;
pub mod metrics;
mod rates;
pub mod read_back;
pub mod replay_check;
pub mod run_costs;
pub mod summary;
mod timed;
mod trial_row;
pub mod view;
