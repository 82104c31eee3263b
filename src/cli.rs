//! The command line.

mod single;
mod sweeps;

use clap::{Parser, Subcommand};

pub use self::single::{
    DataArgs, DtypeArg, GenerateArgs, InspectArgs, PromptArgs, ScoreArgs, SplitArg, TextArgs,
    TrainArgs,
};
pub use self::sweeps::{
    CompareArgs, ExperimentArgs, MergeArgs, PlanArgs, ReplayArgs, ReportArgs, SweepArgs, TraceArgs,
};

/// Experiments on entropy-based speculative decoding and WeDLM window decoding.
#[derive(Debug, Parser)]
#[command(name = "wedlm-bench", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run every point of a sweep file and write tables, figures and a report
    Sweep(SweepArgs),
    /// Run the sweeps of experiments and judge their claims by the rules written down before
    Experiment(ExperimentArgs),
    /// Compare the trials that two runs have in common
    Compare(CompareArgs),
    /// Join the runs of a sweep's shards into one run, with its tables, figures and report
    Merge(MergeArgs),
    /// Write the report of finished runs again: Markdown, HTML, LaTeX tables, figures
    Report(ReportArgs),
    /// Decode the prompts of a sweep once and note what every stopping rule would need
    Trace(TraceArgs),
    /// Answer a sweep from a trace instead of decoding
    Replay(ReplayArgs),
    /// Decode one prompt and show what was drafted, accepted, corrected and filled
    Generate(GenerateArgs),
    /// Log-probability and entropies of every token of a text
    Score(ScoreArgs),
    /// What a checkpoint is, what it takes to run it, and what is wrong with it
    Inspect(InspectArgs),
    /// Train one of the embedded models
    Train(TrainArgs),
    /// Write a synthetic workload as JSONL to standard output
    Data(DataArgs),
    /// List the devices that this program can use
    Devices {},
}
