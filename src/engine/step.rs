//! What a decoder reports: counts and durations, never a ratio.

use std::cmp::Ordering;
use std::ops::AddAssign;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::lm::TokenId;

/// One decoded prompt.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Generation {
    /// Committed tokens, the prompt not included. A stop token, if met, is the last one; a stop string stays.
    pub ids: Vec<TokenId>,
    /// By how many logits the verifier prefers each of `ids` to the next best token, where
    /// [`Detail::leads`](crate::engine::session::Detail::leads) asks for it; else empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leads: Vec<f64>,
    pub rounds: Vec<Round>,
    pub counts: Counts,
    pub durations: Durations,
    pub finished_by: Finish,
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    StopToken,
    StopString,
    #[default]
    Budget,
}

/// Why a draft ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftStop {
    /// `max_draft_len`, or what the budget left of it.
    #[default]
    MaxDraftLen,
    /// The stopping rule fired.
    Rule,
    /// The drafter drew a stop token, or the last token of a stop string.
    Eos,
}

/// One forward of the verifier (or of the window model) and what led to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Round {
    /// Committed tokens before the round, the prompt included.
    pub context_len: usize,
    /// Speculative rounds: the tokens proposed. Empty in an autoregressive step.
    pub draft: Vec<TokenId>,
    pub stopped_by: DraftStop,
    /// Drafted tokens that were compared; stops at the first rejection.
    pub tested: usize,
    pub accepted: usize,
    pub committed: Vec<TokenId>,
    /// Drafter forwards spent in this round, slots that a rule then refused included.
    pub drafter_forwards: usize,
    /// Window rounds: position ids in the physical order in which they were fed.
    pub positions: Vec<u32>,
    /// One entry per drafter distribution looked at, or per mask row of a window.
    pub slots: Vec<Slot>,
    pub durations: Durations,
}

/// One position that a decoder looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Slot {
    /// Absolute position (0 is the first prompt token).
    pub position: u32,
    /// Token drafted or filled; for an unfilled mask or a refused slot, the one it would have been.
    pub token: TokenId,
    /// Entropy that the rule reads, in nats.
    pub entropy: f64,
    /// Entropy plus distance penalty (window decoders), else equal to `entropy`.
    pub adjusted: f64,
    /// Largest probability of the raw softmax.
    pub top1: f64,
    /// Difference of the two largest probabilities.
    pub margin: f64,
    /// Σ min(p, q) of verifier and drafter, where both rows exist.
    pub overlap: Option<f64>,
    pub outcome: Outcome,
}

/// What became of a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Accepted,
    /// Compared with the verifier and refused.
    Rejected,
    /// Drafted behind a rejection, never compared.
    Untested,
    /// The rule ended the draft before this slot (order `before`) or dropped it (`after_drop`).
    #[default]
    NotDrafted,
    /// Written into a mask. In a round with a draft: behind the draft, and so dropped.
    Filled,
    /// A mask that stays one.
    Unfilled,
}

impl Outcome {
    /// Fate of slot `index` of a draft of which the verifier accepted `accepted` tokens.
    pub fn of_drafted(index: usize, accepted: usize) -> Self {
        match index.cmp(&accepted) {
            Ordering::Less => Self::Accepted,
            Ordering::Equal => Self::Rejected,
            Ordering::Greater => Self::Untested,
        }
    }
}

/// Counts that add up over rounds and generations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub rounds: u64,
    pub drafted: u64,
    pub tested: u64,
    pub accepted: u64,
    pub committed: u64,
    /// Window decoders: tokens written into masks; where a window drafts, those behind the draft.
    pub filled: u64,
    pub drafter_forwards: u64,
    /// Forwards of the model whose output counts, prefill not included.
    pub verifier_forwards: u64,
    /// Rows fed to the drafter after its prefill.
    pub drafter_token_instances: u64,
    /// Rows fed in all decode forwards of the model whose output counts.
    pub token_instances: u64,
    /// Literal mask tokens committed (the notebook variant only).
    pub forced_mask_commits: u64,
    /// Forwards, prefill included, that had run for another decoder of the same prompt already.
    pub shared_forwards: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.drafted += other.drafted;
        self.tested += other.tested;
        self.accepted += other.accepted;
        self.committed += other.committed;
        self.filled += other.filled;
        self.drafter_forwards += other.drafter_forwards;
        self.verifier_forwards += other.verifier_forwards;
        self.drafter_token_instances += other.drafter_token_instances;
        self.token_instances += other.token_instances;
        self.forced_mask_commits += other.forced_mask_commits;
        self.shared_forwards += other.shared_forwards;
    }
}

/// What one round with a draft adds to the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundCounts {
    pub drafted: usize,
    pub accepted: usize,
    pub committed: usize,
    pub drafter_forwards: usize,
    pub drafter_token_instances: usize,
}

impl RoundCounts {
    /// Drafted tokens that were compared; stops at the first rejection.
    pub fn tested(&self) -> usize {
        self.drafted.min(self.accepted + 1)
    }
}

impl From<RoundCounts> for Counts {
    fn from(round: RoundCounts) -> Self {
        Self {
            rounds: 1,
            drafted: round.drafted as u64,
            tested: round.tested() as u64,
            accepted: round.accepted as u64,
            committed: round.committed as u64,
            drafter_forwards: round.drafter_forwards as u64,
            verifier_forwards: 1,
            drafter_token_instances: round.drafter_token_instances as u64,
            // The last committed token is fed with the draft.
            token_instances: round.drafted as u64 + 1,
            ..Self::default()
        }
    }
}

/// Wall-clock durations that add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Durations {
    /// Whole generation, prefill included (in a round: the whole round).
    pub wall: Duration,
    pub prefill: Duration,
    pub draft: Duration,
    pub verify: Duration,
    /// Entropies, stopping, selection, acceptance, sampling.
    pub policy: Duration,
}

impl AddAssign for Durations {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.prefill += other.prefill;
        self.draft += other.draft;
        self.verify += other.verify;
        self.policy += other.policy;
    }
}
