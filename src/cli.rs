//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::model::device::Dtype;
use crate::plan::shard::Shard;

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

#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Decoder as in a sweep file, in one line of YAML
    #[arg(
        long,
        default_value = "{kind: speculative, stop: {kind: absolute, theta_abs: 1.0}, max_draft_len: 8}"
    )]
    pub decoder: String,
    #[arg(long, default_value = "embedded:verifier")]
    pub verifier: String,
    #[arg(long, default_value = "embedded:drafter-10")]
    pub drafter: String,
    #[arg(long, default_value = "embedded:wedlm")]
    pub window: String,
    #[command(flatten)]
    pub input: PromptArgs,
    #[arg(long, default_value_t = 96)]
    pub max_new_tokens: usize,
    /// Do not stop at the end-of-text token
    #[arg(long)]
    pub ignore_eos: bool,
    /// 0 is greedy
    #[arg(long, default_value_t = 0.0)]
    pub temperature: f64,
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Number format of the weights
    #[arg(long, value_enum, default_value_t = DtypeArg::F32)]
    pub dtype: DtypeArg,
    /// Put the prompt into the verifier's chat template
    #[arg(long, conflicts_with = "ids")]
    pub chat: bool,
    /// System message in front of it
    #[arg(long, value_name = "TEXT", requires = "chat")]
    pub system: Option<String>,
    /// Fetch `hf:` models that are not in the local Hugging Face cache
    #[arg(long)]
    pub download: bool,
    /// Token ids, rounds and counts as JSON
    #[arg(long)]
    pub json: bool,
    /// Write every position that the decoder looked at to this file, one JSON object a line
    #[arg(long, value_name = "FILE.jsonl")]
    pub trace: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct PromptArgs {
    /// Text to continue
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// Token ids to continue, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "ID,ID,…")]
    pub ids: Option<Vec<u32>>,
}

#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// Folder, embedded:NAME or hf:org/name
    #[arg(long)]
    pub model: String,
    #[command(flatten)]
    pub input: TextArgs,
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Number format of the weights
    #[arg(long, value_enum, default_value_t = DtypeArg::F32)]
    pub dtype: DtypeArg,
    /// Fetch an `hf:` model that is not in the local Hugging Face cache
    #[arg(long)]
    pub download: bool,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct TextArgs {
    #[arg(long)]
    pub text: Option<String>,
    /// Token ids, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "ID,ID,…")]
    pub ids: Option<Vec<u32>>,
}

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Folder, embedded:NAME or hf:org/name[@revision]
    pub model: String,
    /// cpu, cuda, cuda:N or wgpu
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Number format to run it in
    #[arg(long, value_enum, default_value_t = DtypeArg::F32)]
    pub dtype: DtypeArg,
    /// Tokens that the cache is to hold
    #[arg(long, default_value_t = 4096, value_name = "TOKENS")]
    pub context: usize,
    /// Fetch an `hf:` model that is not in the local Hugging Face cache
    #[arg(long)]
    pub download: bool,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum DtypeArg {
    F32,
    F16,
    Bf16,
}

impl From<DtypeArg> for Dtype {
    fn from(dtype: DtypeArg) -> Self {
        match dtype {
            DtypeArg::F32 => Dtype::F32,
            DtypeArg::F16 => Dtype::F16,
            DtypeArg::Bf16 => Dtype::Bf16,
        }
    }
}

#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Training file, such as configs/train/verifier.yaml
    pub config: PathBuf,
}

#[derive(Debug, Args)]
pub struct DataArgs {
    /// synthetic:FAMILY (gsm8k, code, counting, qa, translation, summary, story),
    /// synthetic:mix or synthetic:gsm8k-new-templates
    pub source: String,
    /// Number of problems
    #[arg(short, default_value_t = 10)]
    pub n: usize,
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Which split; held-out problems share no question with the training ones
    #[arg(long, value_enum, default_value_t = SplitArg::HeldOut)]
    pub split: SplitArg,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum SplitArg {
    Train,
    HeldOut,
}
