//! The rows of a run. Units are in the names; counts and durations only, ratios come later.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::plan::shard::Shard;

/// Where the figures of a generation come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It was decoded here; its times were measured.
    #[default]
    Live,
    /// Its rounds were read off a trace; its times are predictions of a cost model.
    Replay,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Replay => "replay",
        }
    }
}

/// One prompt decoded once by one trial.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GenerationRecord {
    pub trial_id: String,
    #[serde(default)]
    pub mode: Mode,
    /// The part of the sweep that ran it, on a machine of its own; none when the sweep ran whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Index of the prompt in the workload.
    pub prompt: usize,
    pub item_id: String,
    pub category: String,
    pub repeat: usize,
    pub prompt_len: usize,
    /// Time that the decoder worked on this prompt. In a batch: its share of the time that the batch
    /// took, by committed tokens, so that the walls of a trial add up to the time that it took.
    pub wall_ns: u64,
    /// From the prompt's start to its end; more than `wall_ns` in a batch.
    pub latency_ns: u64,
    pub prefill_ns: u64,
    pub draft_ns: u64,
    pub verify_ns: u64,
    pub policy_ns: u64,
    pub rounds: u64,
    pub drafted: u64,
    pub tested: u64,
    pub accepted: u64,
    pub committed: u64,
    pub filled: u64,
    pub drafter_forwards: u64,
    pub verifier_forwards: u64,
    pub drafter_token_instances: u64,
    pub token_instances: u64,
    pub forced_mask_commits: u64,
    /// Floating-point operations of all decode forwards, prefill not included, by the formula of
    /// `analysis::flops`: of the model whose output counts, and of the drafter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier_flops: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drafter_flops: Option<u64>,
    /// The part of both that was spent on draft tokens that were not accepted; none for a window
    /// decoder, which has no draft.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wasted_flops: Option<u64>,
    /// ln of the probability of the committed tokens under the verifier's raw softmax, added up; none
    /// where nobody looked back, or where a token is impossible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_prob_nats: Option<f64>,
    /// exp(−`log_prob_nats` / tokens).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
    /// Forwards, prefill included, that another trial had run on this prompt in this repeat. Their times
    /// are those measured then; they count as forwards like any other.
    #[serde(default)]
    pub shared_forwards: u64,
    /// Window decoders: committed tokens that equal the model's own next-token choice on the final
    /// text. First repeat only.
    pub agreed: Option<u64>,
    /// The same with the choice of the sweep's verifier, when it has one.
    pub verifier_agreed: Option<u64>,
    /// `stop_token`, `stop_string` or `budget`.
    pub finished_by: String,
    /// Whether the answer scores as right; none when the workload has no answer or it failed.
    pub is_correct: Option<bool>,
    /// How good the answer is, 0 to 1, by the rule of its item; none when there is no rule or it failed.
    #[serde(default)]
    pub score: Option<f64>,
    /// First 16 hexadecimal digits of the SHA-256 of the token ids.
    pub text_hash: String,
    pub text: String,
    pub error: Option<String>,
}

/// One round of a generation. Recorded for the first repeat.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RoundRecord {
    pub trial_id: String,
    pub prompt: usize,
    pub round: usize,
    /// Committed tokens before the round, the prompt included.
    pub context_len: usize,
    pub draft_len: usize,
    pub tested: usize,
    pub accepted: usize,
    pub committed: usize,
    pub filled: usize,
    pub drafter_forwards: usize,
    /// Rows fed to the model whose output counts.
    pub n_rows: usize,
    pub stopped_by: String,
    pub wall_ns: u64,
    pub draft_ns: u64,
    pub verify_ns: u64,
    pub policy_ns: u64,
}

/// One slot that a decoder looked at. Recorded for the first repeat.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PositionRecord {
    pub trial_id: String,
    pub prompt: usize,
    pub round: usize,
    pub slot: usize,
    pub position: u32,
    /// Positions behind the first slot looked at in this round.
    pub distance: u32,
    pub token: u32,
    pub entropy_nats: f64,
    pub adjusted_nats: f64,
    pub top1: f64,
    pub margin: f64,
    pub outcome: String,
    /// Text of the token, special tokens shown; empty where nobody looked back.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Rejected slots: the last few tokens before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_before: Option<String>,
    /// Rejected slots: the token that the verifier put there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier_text: Option<String>,
    /// Slots of a drafter whose context is the committed text, that is all that were tested: entropies
    /// of the drafter's raw softmax, and the overlap of the two models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<SlotRecord>,
    /// Filled slots whose token was committed: whether it is the window model's own next-token choice
    /// on the final text.
    pub agrees: Option<bool>,
    /// The same with the verifier's choice.
    pub verifier_agrees: Option<bool>,
}

/// What one look back at a position of the final text tells of a drafter, see `cmd::look_back`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SlotRecord {
    pub shannon_nats: f64,
    pub renyi_2_nats: f64,
    /// Has no unit: 1 − Σ p².
    pub tsallis_2: f64,
    pub topk_10_nats: f64,
    pub min_nats: f64,
    /// Nats squared.
    pub varentropy_nats2: f64,
    /// Σ min(p, q) of verifier and drafter, of the distributions that tokens are drawn from, or the raw
    /// softmax when greedy.
    pub overlap: f64,
}

/// What a trial did on the prompts of one category.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CategoryRecord {
    pub trial_id: String,
    pub label: String,
    pub family: String,
    pub category: String,
    pub n_prompts: u64,
    pub drafted: u64,
    pub tested: u64,
    pub accepted: u64,
    pub committed: u64,
    /// Numbers derived of them, by name; the same names in every row.
    pub figures: Figures,
}

/// Derived numbers by the name of their column. An interval makes three: `name`, `name_low` and
/// `name_high`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Rows of one table share them.
    names: Arc<Vec<String>>,
    values: Vec<Option<f64>>,
}

impl Figures {
    pub fn push(&mut self, name: &str, value: Option<f64>) {
        Arc::make_mut(&mut self.names).push(name.to_owned());
        self.values.push(value);
    }

    /// Values under the names of `other`, which are the same ones: many rows then hold them once.
    #[must_use]
    pub fn named_as(self, other: &Self) -> Self {
        match self.names == other.names {
            true => Self {
                names: other.names.clone(),
                ..self
            },
            false => self,
        }
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn values(&self) -> &[Option<f64>] {
        &self.values
    }

    /// The rows of a table with these columns, all of the same length.
    pub fn rows(columns: Vec<(String, Vec<Option<f64>>)>) -> impl Iterator<Item = Self> {
        let (names, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let names = Arc::new(names);
        let n_rows = columns.first().map_or(0, Vec::len);
        (0..n_rows).map(move |row| Self {
            names: names.clone(),
            values: columns.iter().map(|column| column[row]).collect(),
        })
    }

    /// None where there is no such name as well.
    pub fn get(&self, name: &str) -> Option<f64> {
        let mut names = self.names.iter();
        self.values[names.position(|other| other == name)?]
    }
}

/// What the names of a trial's [`Figures`] begin with; no axis does.
pub const FIGURES: [&str; 10] = [
    "score",
    "perplexity",
    "acceptance_rate_tested_",
    "overlap",
    "flops",
    "drafter_flops",
    "wasted_flops_share",
    "round_ns",
    "token_ns",
    "forward_speedup",
];

/// One distinct point of the grid with its derived figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrialRecord {
    pub trial_id: String,
    pub label: String,
    /// All names under which the point stands in the sweep, joined by ` | `.
    pub names: String,
    pub family: String,
    pub kind: String,
    /// The resolved decoder as JSON.
    pub config: String,
    pub is_lossless: bool,
    /// `live` or `replay`, see [`Mode`].
    pub mode: String,
    /// The part of the sweep that measured it; of a baseline, which runs in all, the first.
    pub shard: Option<Shard>,
    /// Values of the swept axes, as JSON scalars; none where the trial does not read the axis.
    pub axes: Vec<(String, Option<String>)>,
    pub n_prompts: u64,
    pub n_repeats: u64,
    pub drafted: u64,
    pub tested: u64,
    pub accepted: u64,
    pub committed: u64,
    pub filled: u64,
    pub shared_forwards: u64,
    pub rounds: u64,
    pub drafter_forwards: u64,
    pub verifier_forwards: u64,
    pub token_instances: u64,
    pub tokens_per_second: Option<f64>,
    pub speedup: Option<f64>,
    pub speedup_low: Option<f64>,
    pub speedup_high: Option<f64>,
    pub speedup_geometric: Option<f64>,
    pub speedup_geometric_low: Option<f64>,
    pub speedup_geometric_high: Option<f64>,
    pub speedup_projected: Option<f64>,
    pub acceptance_rate: Option<f64>,
    pub acceptance_rate_low: Option<f64>,
    pub acceptance_rate_high: Option<f64>,
    pub acceptance_rate_tested: Option<f64>,
    pub mean_draft_len: Option<f64>,
    pub block_efficiency: Option<f64>,
    pub tokens_per_forward: Option<f64>,
    pub filled_per_forward: Option<f64>,
    pub filled_per_forward_low: Option<f64>,
    pub filled_per_forward_high: Option<f64>,
    pub cache_efficiency: Option<f64>,
    pub exact_match: Option<f64>,
    pub exact_match_low: Option<f64>,
    pub exact_match_high: Option<f64>,
    pub same_text: Option<f64>,
    pub same_text_low: Option<f64>,
    pub same_text_high: Option<f64>,
    /// Number of rounds by draft length, from 0 on, as a JSON array; none without rounds.
    pub draft_lens: Option<String>,
    /// Further derived numbers, the same names in every row; see `analysis/METRICS.md`.
    pub figures: Figures,
    /// `dropped after N prompts`: the figures are of these.
    pub note: Option<String>,
    pub error: Option<String>,
}
