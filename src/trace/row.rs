//! The table of slots.

use serde::{Deserialize, Serialize};

use crate::model::lm::TokenId;
use crate::policy::entropy::RowStats;

/// What a drafter says, column by column, one row per slot.
///
/// Sorted by prompt; of a prompt first the rows on its text, by position; then those off the text, by
/// the position at which they left it and by depth. The columns are as long as each other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Slots {
    /// Index of the prompt in the table of prompts.
    pub prompt: Vec<u32>,
    /// Absolute position of the token (0 is the first of the prompt).
    pub position: Vec<u32>,
    /// Tokens of its draft before it that are not of the text; 0 on the text. The first of them, the
    /// wrong one, is at `position - depth`.
    pub depth: Vec<u32>,
    /// The drafter's token.
    pub token: Vec<TokenId>,
    /// Whether a text with that token ends behind it: a stop token, or the end of a stop string.
    pub is_end: Vec<bool>,
    /// Probability of `token` in the drafter's raw softmax.
    pub probability: Vec<f64>,
    /// Largest probability of the raw softmax.
    pub top1: Vec<f64>,
    /// Second largest probability.
    pub top2: Vec<f64>,
    /// One column per entropy of the header, in nats.
    pub entropies: Vec<Vec<f64>>,
    /// The token of the text; none off the text.
    pub verifier_token: Vec<Option<TokenId>>,
    /// By how many logits the verifier prefers its token to the next best one; none off the text.
    /// Negative if it was read from another forward, which prefers another one.
    pub verifier_lead: Vec<Option<f64>>,
}

/// What a drafter says at one position.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub token: TokenId,
    pub is_end: bool,
    /// Raw probability of `token`.
    pub probability: f64,
    pub stats: RowStats,
}

/// The verifier's side of a row on the text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Own {
    pub token: TokenId,
    pub lead: f64,
}

impl Slots {
    /// An empty table with `n_entropies` columns of entropies.
    pub(super) fn with_entropies(n_entropies: usize) -> Self {
        Self {
            entropies: vec![Vec::new(); n_entropies],
            ..Self::default()
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.prompt.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn push(
        &mut self,
        prompt: usize,
        position: usize,
        depth: usize,
        said: &Said,
        own: Option<Own>,
    ) {
        self.prompt.push(prompt as u32);
        self.position.push(position as u32);
        self.depth.push(depth as u32);
        self.token.push(said.token);
        self.is_end.push(said.is_end);
        self.probability.push(said.probability);
        self.top1.push(said.stats.top1);
        self.top2.push(said.stats.top2);
        for (column, &entropy) in self.entropies.iter_mut().zip(&said.stats.entropies) {
            column.push(entropy);
        }
        self.verifier_token.push(own.map(|own| own.token));
        self.verifier_lead.push(own.map(|own| own.lead));
    }

    /// Name and length of each column but the entropies, which are named by number.
    pub(super) fn column_lens(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let columns = [
            ("prompt", self.prompt.len()),
            ("position", self.position.len()),
            ("depth", self.depth.len()),
            ("token", self.token.len()),
            ("is_end", self.is_end.len()),
            ("probability", self.probability.len()),
            ("top1", self.top1.len()),
            ("top2", self.top2.len()),
            ("verifier_token", self.verifier_token.len()),
            ("verifier_lead", self.verifier_lead.len()),
        ];
        let entropies = self.entropies.iter();
        columns
            .into_iter()
            .chain(entropies.map(|column| ("entropies", column.len())))
    }
}
