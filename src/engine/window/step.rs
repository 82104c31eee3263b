//! Books one forward of a window decoder.

use crate::engine::step::{Counts, Durations, Generation, Outcome, Round, Slot};
use crate::engine::window::agreement::Compared;
use crate::model::lm::TokenId;

/// What one forward did.
pub struct Step {
    /// Committed tokens before the forward, the prompt included.
    pub context_len: usize,
    /// Position ids in the physical order in which they were fed.
    pub positions: Vec<u32>,
    pub committed: Vec<TokenId>,
    /// How many of the committed tokens are literal masks.
    pub n_forced: usize,
    pub compared: Compared,
    /// One per mask that was looked at.
    pub slots: Vec<Slot>,
    pub durations: Durations,
}

impl Step {
    pub fn record(self, generation: &mut Generation) {
        let is_filled = |slot: &&Slot| slot.outcome == Outcome::Filled;
        generation.counts += Counts {
            rounds: 1,
            tested: self.compared.tested as u64,
            accepted: self.compared.agreed as u64,
            committed: self.committed.len() as u64,
            filled: self.slots.iter().filter(is_filled).count() as u64,
            verifier_forwards: 1,
            token_instances: self.positions.len() as u64,
            forced_mask_commits: self.n_forced as u64,
            ..Counts::default()
        };
        generation.durations += Durations {
            verify: self.durations.verify,
            policy: self.durations.policy,
            ..Durations::default()
        };
        generation.ids.extend(&self.committed);
        generation.rounds.push(Round {
            context_len: self.context_len,
            tested: self.compared.tested,
            accepted: self.compared.agreed,
            committed: self.committed,
            positions: self.positions,
            slots: self.slots,
            durations: self.durations,
            ..Round::default()
        });
    }
}
