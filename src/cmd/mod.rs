//! The verbs, one a file.

pub mod agreement;
pub mod calibrate;
pub mod compare;
pub mod data;
pub mod devices;
pub mod download;
pub mod experiment;
pub mod failure;
pub mod generate;
pub mod inspect;
pub mod interrupt;
pub mod judge;
pub mod look_back;
pub mod measure;
pub mod measure_all;
pub mod merge;
pub mod metrics;
pub mod models;
pub mod plan_view;
pub mod predict;
pub mod prompts;
pub mod replay;
pub mod replay_check;
pub mod replay_sweep;
pub mod replayable;
pub mod report;
pub mod resume;
pub mod round_times;
pub mod rows;
pub mod run_folder;
pub mod score;
pub mod setup;
pub mod sweep;
pub mod sweep_view;
pub mod trace;
pub mod train;

use crate::cli::Verb;
use crate::model::threads::build_pool;
pub use failure::Failure;

/// Runs a verb.
///
/// # Errors
/// What the user is told, with its exit code.
pub fn run(verb: Verb) -> Result<(), Failure> {
    match &verb {
        // They run models. Where there is a pool already, that one will do.
        Verb::Trace(_) | Verb::Replay(_) | Verb::Generate(_) | Verb::Score(_) | Verb::Train(_) => {
            drop(build_pool(None));
        }
        // They say how many threads they want.
        Verb::Sweep(_) | Verb::Experiment(_) => {}
        // They compute next to nothing.
        Verb::Compare(_)
        | Verb::Merge(_)
        | Verb::Report(_)
        | Verb::Inspect(_)
        | Verb::Data(_)
        | Verb::Devices {} => {}
    }
    match verb {
        Verb::Sweep(args) => sweep::run(&args),
        Verb::Experiment(args) => experiment::run(&args),
        Verb::Compare(args) => compare::run(&args),
        Verb::Merge(args) => merge::run(&args),
        Verb::Report(args) => report::run(&args),
        Verb::Trace(args) => trace::run(&args),
        Verb::Replay(args) => replay::run(&args),
        Verb::Generate(args) => generate::run(&args),
        Verb::Score(args) => score::run(&args),
        Verb::Inspect(args) => inspect::run(&args),
        Verb::Train(args) => train::run(&args),
        Verb::Data(args) => data::run(&args),
        Verb::Devices {} => devices::run(),
    }
}
