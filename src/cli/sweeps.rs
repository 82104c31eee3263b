//! Arguments of the verbs that run sweeps, and of those that read runs.

use std::path::PathBuf;

use clap::Args;

use crate::plan::shard::Shard;

#[derive(Debug, Args)]
pub struct SweepArgs {
    #[command(flatten)]
    pub sweep: PlanArgs,
    /// Print the trials and the estimated work, run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Folder for run folders
    #[arg(long, default_value = "results")]
    pub out: PathBuf,
    /// Continue the newest unfinished run of this sweep, if there is one, or the one in =FOLDER
    // With a space, the sweep file behind a bare `--resume` would be taken for the folder.
    #[arg(long, value_name = "FOLDER", require_equals = true)]
    pub resume: Option<Option<PathBuf>>,
    /// Run part I of N equal ones, and the baselines; `merge` joins the parts
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Stop at the first generation that fails, with exit code 1; what is done is kept
    #[arg(long)]
    pub fail_fast: bool,
    /// Run generated programs to score them, where the workload has unit tests; no sandbox
    #[arg(long)]
    pub allow_code_execution: bool,
    /// Interpreter that generated programs run in
    #[arg(
        long,
        value_name = "NAME",
        default_value = "python3",
        requires = "allow_code_execution"
    )]
    pub python: String,
}

#[derive(Debug, Args)]
pub struct ExperimentArgs {
    /// Folders with an experiment.yaml; files and other folders beside them are passed over
    #[arg(required = true, value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// Override a key of every sweep: --set workload.max_new_tokens=64
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// At most this many prompts of each sweep
    #[arg(long)]
    pub limit: Option<usize>,
    /// cpu, cuda, cuda:N or wgpu
    #[arg(long)]
    pub device: Option<String>,
    /// Fetch `hf:` models that are not in the local cache
    #[arg(long)]
    pub download: bool,
    /// Folder for run folders
    #[arg(long, default_value = "results")]
    pub out: PathBuf,
    /// Print the plans of the sweeps, run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Judge these finished runs, run nothing
    #[arg(long, value_name = "RUN", num_args = 1.., conflicts_with_all = ["overrides", "limit", "device", "dry_run"])]
    pub judge_only: Vec<PathBuf>,
    /// Write nothing; exit with 1 when a README says other than its verdict or experiment
    #[arg(long, conflicts_with_all = ["overrides", "limit", "device", "dry_run", "judge_only"])]
    pub check: bool,
}

#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Folder of the run that is compared with
    pub before: PathBuf,
    /// Folder of the other run
    pub after: PathBuf,
    /// Exit with 1 when a trial's tokens per second change by less than this beyond doubt: -5%
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true, value_parser = percent)]
    pub fail_on: Option<f64>,
    #[arg(long)]
    pub json: bool,
}

/// `-5%` or `-5` as −0.05.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim();
    let share: f64 = number
        .parse()
        .map_err(|_| format!("'{text}' is no percentage, expected one such as -5%"))?;
    if share > -100.0 && share <= 0.0 {
        Ok(share / 100.0)
    } else {
        Err(format!(
            "{text} is out of range, expected a loss such as -5%"
        ))
    }
}

#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Folders of the runs
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Folder for run folders
    #[arg(long, default_value = "results")]
    pub out: PathBuf,
    /// Allow that trials or prompts are missing
    #[arg(long)]
    pub partial: bool,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folders of finished runs
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Folder for the report; of several runs each gets one of its own in there [default: the run folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write nothing; exit with 1 when a report is missing or was made from other data
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Args)]
pub struct TraceArgs {
    #[command(flatten)]
    pub sweep: PlanArgs,
    /// Folder of the trace, which is made
    #[arg(long, value_name = "FOLDER")]
    pub to: PathBuf,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Folder of a trace
    pub trace: PathBuf,
    #[command(flatten)]
    pub sweep: PlanArgs,
    /// Folder for run folders
    #[arg(long, default_value = "results")]
    pub out: PathBuf,
    /// Take times from this hardware profile, not from the sweep's models on this device
    #[arg(long, value_name = "NAME|FILE")]
    pub hardware: Option<String>,
}

/// A sweep file and what is changed of it.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Sweep file, such as configs/gsm8k.yaml
    pub config: PathBuf,
    /// Override a key: --set workload.limit=10
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// At most this many prompts
    #[arg(long)]
    pub limit: Option<usize>,
    /// cpu, cuda, cuda:N or wgpu
    #[arg(long)]
    pub device: Option<String>,
    /// Fetch `hf:` models that are not in the local Hugging Face cache
    #[arg(long)]
    pub download: bool,
}
