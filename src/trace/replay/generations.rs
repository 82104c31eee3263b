//! A replay in every detail.

use super::{Observer, Replay, ReplayedRound};
use crate::engine::step::{Counts, Durations, Generation, Outcome, Round, Slot};

/// Builds the generations that a live run would report, with durations of zero.
#[derive(Debug)]
pub(super) struct Generations<'t> {
    replay: Replay<'t>,
    /// One per prompt begun.
    pub done: Vec<Generation>,
}

impl<'t> Generations<'t> {
    pub fn of(replay: Replay<'t>) -> Self {
        Self {
            replay,
            done: Vec::with_capacity(replay.trace.prompts.len()),
        }
    }

    fn slot(&self, row: usize, index: usize, round: &ReplayedRound) -> Slot {
        let slots = &self.replay.trace.slots;
        let facts = self.replay.facts(row);
        let is_drafted = index < round.counts.drafted;
        Slot {
            outcome: if is_drafted {
                Outcome::of_drafted(index, round.counts.accepted)
            } else {
                Outcome::NotDrafted
            },
            ..facts.slot(slots.position[row], slots.token[row])
        }
    }
}

impl Observer for Generations<'_> {
    fn begin_prompt(&mut self, prompt: usize) {
        self.done.push(Generation {
            finished_by: self.replay.trace.prompts[prompt].finished_by,
            ..Generation::default()
        });
    }

    fn round(&mut self, round: &ReplayedRound) {
        let rows = round.on_text.clone().chain(round.off_text.clone());
        let slots: Vec<Slot> = rows
            .zip(0..)
            .map(|(row, index)| self.slot(row, index, round))
            .collect();
        let drafted = &slots[..round.counts.drafted];
        let first = round.on_text.start;
        let own = &self.replay.trace.slots.verifier_token[first..first + round.counts.committed];
        let committed: Vec<_> = own.iter().copied().flatten().collect();
        let generation = self.done.last_mut().expect("a prompt has begun");
        generation.counts += Counts::from(round.counts);
        generation.ids.extend(&committed);
        generation.rounds.push(Round {
            context_len: round.context_len,
            draft: drafted.iter().map(|slot| slot.token).collect(),
            stopped_by: round.stopped_by,
            tested: round.counts.tested(),
            accepted: round.counts.accepted,
            committed,
            drafter_forwards: round.counts.drafter_forwards,
            positions: Vec::new(),
            slots,
            durations: Durations::default(),
        });
    }
}
