//! The YAML of a training run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{ConfigError, Fault};
use super::load::load;
use crate::model::device::DeviceSpec;
use crate::workload::{Families, Family, Source};

/// One training run: data, shape, objective, schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainSpec {
    pub name: String,
    /// Folder of the finished checkpoint, in Hugging Face format.
    pub out: PathBuf,
    pub tokenizer: TokenizerSpec,
    pub init: InitSpec,
    pub data: DataSpec,
    pub objective: ObjectiveSpec,
    pub schedule: ScheduleSpec,
    #[serde(default)]
    pub device: DeviceSpec,
    /// Threads that each compute the gradient of a share of the batch (CPU).
    #[serde(default = "one")]
    pub workers: usize,
    /// Recomputes activations in the backward pass: less memory, about a third more time.
    #[serde(default)]
    pub gradient_checkpointing: bool,
    pub seed: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenizerSpec {
    /// Byte-level BPE with single digits, trained on the first documents of the data.
    Train {
        vocab_len: usize,
        n_documents: usize,
    },
    /// That of another checkpoint.
    From { model: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum InitSpec {
    /// Random weights, with a tied head.
    Random {
        #[serde(default)]
        model_type: ModelType,
        hidden_len: usize,
        ffn_len: usize,
        n_layers: usize,
        n_heads: usize,
        n_kv_heads: usize,
        head_len: usize,
        context_len: usize,
    },
    /// The weights of another checkpoint.
    From { model: String },
}

/// Architectures that can be trained from random weights; named as in `config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelType {
    /// Without a norm on queries and keys.
    Llama,
    #[default]
    Qwen3,
}

impl ModelType {
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen3 => "qwen3",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// `synthetic:FAMILY` or `synthetic:mix`; their training split.
    pub source: String,
    pub seed: u64,
    /// How many problems of a family come in each turn of a mix; 1 of those not named.
    #[serde(default)]
    pub n_in_turn: BTreeMap<Family, usize>,
    /// Batches that are drawn, sorted by length and shuffled at a time: many mean little padding, one
    /// means that each step sees all kinds of documents.
    #[serde(default = "default_n_pooled_batches")]
    pub n_pooled_batches: usize,
}

impl DataSpec {
    /// What [`source`](Self::source) names.
    ///
    /// # Errors
    /// A file, templates that are held out from training, and an unknown source.
    pub fn families(&self) -> Result<Families, Fault> {
        let refused = |reason: String| Fault::new("data.source", reason);
        match self.source.parse() {
            Ok(Source::Synthetic { what }) => Ok(what),
            Ok(
                Source::SyntheticGsm8kNewTemplates {}
                | Source::Gsm8k { .. }
                | Source::Public { .. },
            ) => Err(refused(format!(
                "'{}' is not for training, expected 'synthetic:FAMILY' or 'synthetic:mix'",
                self.source
            ))),
            Err(error) => Err(refused(error.to_string())),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ObjectiveSpec {
    /// Next-token cross-entropy.
    Autoregressive {
        /// Weight of a question token; an answer token weighs 1.
        prompt_weight: f32,
    },
    /// Masked prediction beside an autoregressive stream (WeDLM's adaptation).
    Wedlm {
        /// One prediction stream per entry beside one memory stream: a copy of the answer, cut
        /// into blocks of that many tokens, with masks of its own.
        block_lens: Vec<usize>,
        /// Least share of a block that is masked, at most 1. WeDLM's is 0; a decoder mostly sees
        /// windows with little filled in.
        #[serde(default)]
        min_mask_ratio: f32,
        /// End tokens behind each answer, so that slots behind the end are predictable.
        n_end_tokens: usize,
        /// a in (masked + a · autoregressive) / (1 + a).
        autoregressive_weight: f32,
    },
}

/// How gradients become updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerSpec {
    #[default]
    Adamw,
    /// Orthogonalised momentum for the matrices of the layers, scaled to the size of AdamW's updates
    /// (arXiv 2502.16982); AdamW for embeddings and norms.
    Muon,
}

/// Steps, batch and learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSpec {
    pub n_steps: usize,
    /// Documents per step, over all workers.
    pub batch_len: usize,
    /// Documents per forward, those of similar length together; `batch_len / workers` when absent.
    #[serde(default)]
    pub micro_batch_len: Option<usize>,
    #[serde(default)]
    pub optimizer: OptimizerSpec,
    pub learning_rate: f64,
    /// Reached at the last step by a half cosine.
    pub final_learning_rate: f64,
    pub n_warmup_steps: usize,
    #[serde(default = "default_weight_decay")]
    pub weight_decay: f32,
    #[serde(default = "default_beta_2")]
    pub beta_2: f32,
    /// Largest norm of the whole gradient.
    #[serde(default = "default_clip_norm")]
    pub clip_norm: f32,
    pub checkpoint_every: usize,
}

fn default_n_pooled_batches() -> usize {
    32
}

fn one() -> usize {
    1
}

fn default_weight_decay() -> f32 {
    0.01
}

fn default_beta_2() -> f32 {
    0.98
}

fn default_clip_norm() -> f32 {
    1.0
}

impl ScheduleSpec {
    /// Linear warm-up, then half a cosine down to the final rate.
    pub fn learning_rate_at(&self, step: usize) -> f64 {
        if step < self.n_warmup_steps {
            return self.learning_rate * (step + 1) as f64 / self.n_warmup_steps as f64;
        }
        let rest = (self.n_steps - self.n_warmup_steps).max(1);
        let progress = ((step - self.n_warmup_steps) as f64 / rest as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.final_learning_rate + (self.learning_rate - self.final_learning_rate) * cosine
    }
}

impl TrainSpec {
    /// Reads and checks a training file.
    ///
    /// # Errors
    /// Any [`ConfigError`]: the file is missing, is not YAML, or a value is out of range.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let spec: Self = load(path, &[])?;
        let file = path.display().to_string();
        spec.check().map_err(|fault| fault.in_file(&file))?;
        Ok(spec)
    }

    fn check(&self) -> Result<(), Fault> {
        let schedule = &self.schedule;
        let mut counts = vec![
            ("schedule.n_steps", schedule.n_steps),
            ("schedule.batch_len", schedule.batch_len),
            ("schedule.checkpoint_every", schedule.checkpoint_every),
            ("workers", self.workers),
            ("data.n_pooled_batches", self.data.n_pooled_batches),
            (
                "schedule.micro_batch_len",
                schedule.micro_batch_len.unwrap_or(1),
            ),
        ];
        let in_turn = self.data.n_in_turn.values();
        counts.extend(in_turn.map(|&n| ("data.n_in_turn", n)));
        if let ObjectiveSpec::Wedlm {
            block_lens,
            min_mask_ratio,
            ..
        } = &self.objective
        {
            if !(0.0..=1.0).contains(min_mask_ratio) {
                return Err(Fault::new(
                    "objective.min_mask_ratio",
                    format!("{min_mask_ratio} is out of range, expected 0 to 1"),
                ));
            }
            if block_lens.is_empty() {
                return Err(Fault::new("objective.block_lens", "expected at least one"));
            }
            counts.extend(block_lens.iter().map(|&n| ("objective.block_lens", n)));
        }
        for (key, value) in counts {
            if value == 0 {
                return Err(Fault::new(key, "0 is out of range, expected at least 1"));
            }
        }
        if self.workers > schedule.batch_len {
            return Err(Fault::new(
                "workers",
                format!(
                    "{} exceeds schedule.batch_len {}",
                    self.workers, schedule.batch_len
                ),
            ));
        }
        if schedule.n_warmup_steps >= schedule.n_steps {
            return Err(Fault::new(
                "schedule.n_warmup_steps",
                format!(
                    "{} is not below schedule.n_steps {}",
                    schedule.n_warmup_steps, schedule.n_steps
                ),
            ));
        }
        let families = self.data.families()?;
        if families != Families::Mix && !self.data.n_in_turn.is_empty() {
            return Err(Fault::new(
                "data.n_in_turn",
                format!("is for synthetic:mix alone, not for '{}'", self.data.source),
            ));
        }
        Ok(())
    }
}
