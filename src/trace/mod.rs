//! Record a decoding once, replay every stopping rule on it exactly.
//!
//! With an acceptance rule that keeps the verifier's own choice ([`Judge::Match`]: greedy, or Gumbel
//! coupling with noise by position), the text does not depend on how it was drafted. What a drafter
//! says at a position depends on the tokens before it alone, so on the text it is one thing per
//! position; and once a draft leaves the text at some position, it goes on in one way only. A
//! [`Trace`] holds all of that: what the drafter says at every position of every text, and behind each
//! of its wrong tokens the draft that would follow. Whatever a rule decides, its rounds can be read off.
//!
//! `docs/trace-format.md` describes the two tables of a trace, so that another engine may record one.
//! What a replay cannot say, such as the time that a round takes, [`cost`] models.
//!
//! [`Judge::Match`]: crate::policy::accept::Judge::Match

mod check;
pub mod cost;
pub mod record;
pub mod replay;
pub mod row;
pub mod timing;

use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use self::check::TraceError;
pub use self::row::Slots;
use crate::engine::step::Finish;
use crate::model::lm::TokenId;
use crate::policy::entropy::EntropyRule;
use crate::policy::sample::Sampling;

/// What all texts of a trace have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceHeader {
    /// Longest draft that can be replayed.
    pub max_draft_len: usize,
    /// Entropies recorded, in the order of their columns.
    pub entropies: Vec<EntropyRule>,
    pub sampling: Sampling,
}

/// One text of a trace. Its tokens are in the table of slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracedPrompt {
    /// Number of the prompt in its workload.
    pub id: usize,
    pub prompt_len: usize,
    /// Tokens that the text was allowed.
    pub max_new_tokens: usize,
    /// Tokens of the text, the prompt not included.
    pub text_len: usize,
    pub finished_by: Finish,
    /// Seed of the generation: of its noise, and of the stopping rules that draw.
    pub seed: u64,
}

/// Texts of a verifier, and all that a drafter would say on the way to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    header: TraceHeader,
    prompts: Vec<TracedPrompt>,
    slots: Slots,
    index: Index,
}

/// Where things lie in the table of slots.
#[derive(Debug, Clone, Default, PartialEq)]
struct Index {
    /// First row of each prompt.
    first_rows: Vec<usize>,
    /// Per row: whether its token is the verifier's.
    is_match: Vec<bool>,
    /// Per row on a text: the rows of the draft that goes on behind it when it is wrong.
    behind: Vec<Range<usize>>,
}

impl Trace {
    /// A trace of two tables: its texts, and its slots in the order that [`Slots`] demands.
    ///
    /// # Errors
    /// [`TraceError`] for the first row that is missing, superfluous or contradicts the others.
    pub fn new(
        header: TraceHeader,
        prompts: Vec<TracedPrompt>,
        slots: Slots,
    ) -> Result<Self, TraceError> {
        let index = check::index(&header, &prompts, &slots)?;
        Ok(Self {
            header,
            prompts,
            slots,
            index,
        })
    }

    pub fn header(&self) -> &TraceHeader {
        &self.header
    }

    pub fn prompts(&self) -> &[TracedPrompt] {
        &self.prompts
    }

    pub fn slots(&self) -> &Slots {
        &self.slots
    }

    /// Rows of a prompt's text, one per token.
    pub fn text_rows(&self, prompt: usize) -> Range<usize> {
        let first = self.index.first_rows[prompt];
        first..first + self.prompts[prompt].text_len
    }

    /// The verifier's tokens of a prompt.
    pub fn text(&self, prompt: usize) -> Vec<TokenId> {
        let tokens = &self.slots.verifier_token[self.text_rows(prompt)];
        tokens.iter().copied().flatten().collect()
    }

    /// Whether the verifier's token leads by less than `tolerance` logits somewhere in the text of a
    /// prompt.
    pub fn has_near_tie(&self, prompt: usize, tolerance: f64) -> bool {
        let leads = &self.slots.verifier_lead[self.text_rows(prompt)];
        leads.iter().flatten().any(|&lead| lead < tolerance)
    }

    /// Positions at which the verifier's token leads by less than `tolerance` logits: where rounding
    /// may make a live run choose another.
    pub fn near_ties(&self, tolerance: f64) -> usize {
        let leads = self.slots.verifier_lead.iter().flatten();
        leads.filter(|&&lead| lead < tolerance).count()
    }
}
