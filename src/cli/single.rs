//! Arguments of the verbs that look at one model, text or workload, or make one.

use std::path::PathBuf;

use clap::Args;

use crate::model::device::Dtype;

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
    /// Training file, such as configs/train/drafter-10.yaml
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
