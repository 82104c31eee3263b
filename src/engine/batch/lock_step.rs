//! The rounds of a batch.

use std::time::{Duration, Instant};

use super::Batching;
use super::feed::{Fed, Feed, Wanted};
use super::group;
use crate::engine::clock::timed;
use crate::engine::session::Request;
use crate::engine::speculative::sequence::Sequence;
use crate::engine::step::{Durations, Generation};
use crate::model::lm::{BatchedLanguageModel, ModelError};
use crate::policy::accept::Verdict;

/// The models, and the sequences that run in them: slot i of the batch is sequence i of each model.
pub(super) struct Batch<'m, 'a> {
    /// None when autoregressive.
    drafter: Option<&'m mut dyn BatchedLanguageModel>,
    verifier: &'m mut dyn BatchedLanguageModel,
    slots: Vec<Option<Running<'a>>>,
    feed: Feed,
    group_by_draft_len: bool,
}

/// A prompt that is not decoded yet.
pub(super) struct Waiting<'a> {
    /// Index of the request.
    pub number: usize,
    pub request: &'a Request<'a>,
    pub sequence: Sequence<'a>,
}

/// A prompt that is being decoded.
struct Running<'a> {
    waiting: Waiting<'a>,
    admitted: Instant,
    /// Time since then that was spent on forwards that an oracle would not have needed.
    uncounted: Duration,
    /// What the round cost this sequence so far.
    durations: Durations,
}

impl<'m, 'a> Batch<'m, 'a> {
    pub fn new(
        drafter: Option<&'m mut dyn BatchedLanguageModel>,
        verifier: &'m mut dyn BatchedLanguageModel,
        requests: &[Request<'_>],
        batching: Batching,
    ) -> Self {
        let n_slots = batching.batch_size.min(requests.len());
        // No forward feeds a sequence more than its whole text.
        let text_len = |request: &Request<'_>| request.prompt.len() + request.max_new_tokens;
        let longest = requests.iter().map(text_len).max().unwrap_or(0);
        Self {
            drafter,
            verifier,
            slots: (0..n_slots).map(|_| None).collect(),
            feed: Feed::with_room(n_slots, n_slots * longest),
            group_by_draft_len: batching.group_by_draft_len,
        }
    }

    pub fn is_idle(&self) -> bool {
        self.slots.iter().all(Option::is_none)
    }

    /// Fills free slots from the queue, and the slots' caches with all of each prompt but its last
    /// token, which the first round feeds.
    ///
    /// # Errors
    /// Those of the models.
    pub fn admit(
        &mut self,
        queue: &mut impl Iterator<Item = Waiting<'a>>,
    ) -> Result<(), ModelError> {
        let mut admitted = Vec::new();
        for (slot, place) in self.slots.iter_mut().enumerate() {
            if place.is_none()
                && let Some(waiting) = queue.next()
            {
                admitted.push(slot);
                *place = Some(Running {
                    waiting,
                    admitted: Instant::now(),
                    uncounted: Duration::ZERO,
                    durations: Durations::default(),
                });
            }
        }
        if let Some(drafter) = &mut self.drafter {
            prefill(&mut **drafter, &mut self.slots, &mut self.feed, &admitted)?;
        }
        prefill(
            &mut *self.verifier,
            &mut self.slots,
            &mut self.feed,
            &admitted,
        )
    }

    /// Drafts, verifies, commits and rolls back, for every running sequence.
    ///
    /// # Errors
    /// Those of the models.
    pub fn round(&mut self) -> Result<(), ModelError> {
        let started = Instant::now();
        self.draft()?;
        let judged = self.verify()?;
        for &(slot, verdict) in &judged.verdicts {
            self.commit(slot, &verdict);
        }
        let wall = started.elapsed().saturating_sub(judged.undone);
        for (slot, verdict) in &judged.verdicts {
            let running = running(&mut self.slots, *slot);
            running.uncounted += judged.undone;
            running.durations.wall = wall;
            let durations = std::mem::take(&mut running.durations);
            running.waiting.sequence.record(verdict, durations);
        }
        Ok(())
    }

    /// Takes the sequences that have ended out of their slots, with the numbers of their requests.
    pub fn take_finished(&mut self) -> Vec<(usize, Generation)> {
        let is_finished = |running: &mut Running<'_>| running.waiting.sequence.is_finished();
        let places = self.slots.iter_mut();
        let finished = places.filter_map(|place| place.take_if(is_finished));
        finished
            .map(|running| {
                let mut generation = running.waiting.sequence.generation;
                let wall = running.admitted.elapsed();
                generation.durations.wall = wall.saturating_sub(running.uncounted);
                (running.waiting.number, generation)
            })
            .collect()
    }

    /// One drafter forward per slot of the drafts, until the last of them is over.
    fn draft(&mut self) -> Result<(), ModelError> {
        for (slot, place) in self.slots.iter_mut().enumerate() {
            if let Some(running) = place {
                let cached = self
                    .drafter
                    .as_ref()
                    .map_or(0, |model| model.cached_len(slot));
                let sequence = &mut running.waiting.sequence;
                timed(&mut running.durations.policy, || {
                    sequence.begin_round(cached)
                });
            }
        }
        let Some(drafter) = &mut self.drafter else {
            return Ok(());
        };
        loop {
            for (slot, place) in self.slots.iter().enumerate() {
                if let Some(running) = place {
                    let cached = drafter.cached_len(slot);
                    if let Some(tokens) = running.waiting.sequence.drafter_tokens(cached) {
                        let tokens = tokens.iter().copied();
                        self.feed.push(slot, cached, tokens, Wanted::LastRow);
                    }
                }
            }
            if self.feed.is_empty() {
                return Ok(());
            }
            for fed in self.feed.forward(&mut **drafter)? {
                let running = running(&mut self.slots, fed.sequence);
                let sequence = &mut running.waiting.sequence;
                running.durations.draft += fed.share;
                timed(&mut running.durations.policy, || {
                    sequence.see_drafter_row(fed.logits.last(), fed.n_rows, fed.share)
                })?;
            }
        }
    }

    /// Judges every draft.
    fn verify(&mut self) -> Result<Judged, ModelError> {
        let rows: Vec<(usize, usize)> = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(slot, place)| {
                let running = place.as_ref()?;
                Some((slot, running.waiting.sequence.drafted().len() + 1))
            })
            .collect();
        let groups = if self.group_by_draft_len {
            group::by_similar_len(&rows)
        } else {
            vec![rows.into_iter().map(|(slot, _)| slot).collect()]
        };
        let mut judged = Judged::default();
        for group in groups {
            self.verify_group(&group, &mut judged)?;
        }
        Ok(judged)
    }

    fn verify_group(&mut self, group: &[usize], judged: &mut Judged) -> Result<(), ModelError> {
        let fed = self.verifier_forward(group)?;
        let mut undone = None;
        for fed in &fed {
            let running = running(&mut self.slots, fed.sequence);
            let sequence = &mut running.waiting.sequence;
            running.durations.verify += fed.share;
            let verdict = timed(&mut running.durations.policy, || {
                sequence.judge(&fed.logits)
            })?;
            judged.verdicts.push((fed.sequence, verdict));
            if let Some(forwards) = sequence.cut_for_oracle(&verdict) {
                *undone.get_or_insert(Duration::ZERO) += forwards;
                running.durations.draft = sequence.draft_duration();
                let drafter_len = sequence.drafter_len();
                if let Some(drafter) = &mut self.drafter {
                    drafter.truncate(fed.sequence, drafter_len);
                }
            }
        }
        if let Some(forwards) = undone {
            // The forward that the shorter drafts would have had is that of the whole group.
            judged.undone += forwards + fed.iter().map(|fed| fed.share).sum::<Duration>();
            for &slot in group {
                let len = running(&mut self.slots, slot)
                    .waiting
                    .sequence
                    .verifier_len();
                self.verifier.truncate(slot, len);
            }
            for fed in self.verifier_forward(group)? {
                running(&mut self.slots, fed.sequence).durations.verify = fed.share;
            }
        }
        Ok(())
    }

    /// Feeds the last committed token and the draft of each sequence of the group.
    fn verifier_forward(&mut self, group: &[usize]) -> Result<Vec<Fed>, ModelError> {
        for &slot in group {
            let sequence = &running(&mut self.slots, slot).waiting.sequence;
            let first = sequence.verifier_len();
            assert_eq!(
                self.verifier.cached_len(slot),
                first,
                "the last token is not cached"
            );
            let tokens = sequence.verifier_tokens();
            self.feed.push(slot, first, tokens, Wanted::EveryRow);
        }
        self.feed.forward(&mut *self.verifier)
    }

    fn commit(&mut self, slot: usize, verdict: &Verdict) {
        let running = running(&mut self.slots, slot);
        let sequence = &mut running.waiting.sequence;
        timed(&mut running.durations.policy, || sequence.commit(verdict));
        let confirmed_len = sequence.confirmed_len(verdict);
        if let Some(drafter) = &mut self.drafter {
            timed(&mut running.durations.draft, || {
                drafter.truncate(slot, confirmed_len);
            });
        }
        timed(&mut running.durations.verify, || {
            self.verifier.truncate(slot, confirmed_len);
        });
    }
}

/// What became of the drafts of a round.
#[derive(Debug, Default)]
struct Judged {
    /// By slot.
    verdicts: Vec<(usize, Verdict)>,
    /// Time spent on forwards that an oracle would not have needed; an estimate, because a drafter
    /// forward that one sequence did not need may have served another.
    undone: Duration,
}

/// The sequence in a slot that was fed or judged in this round.
fn running<'s, 'a>(slots: &'s mut [Option<Running<'a>>], slot: usize) -> &'s mut Running<'a> {
    slots[slot]
        .as_mut()
        .expect("only running sequences are fed")
}

fn prefill(
    model: &mut dyn BatchedLanguageModel,
    slots: &mut [Option<Running<'_>>],
    feed: &mut Feed,
    admitted: &[usize],
) -> Result<(), ModelError> {
    for &slot in admitted {
        model.truncate(slot, 0);
        let prompt = running(slots, slot).waiting.request.prompt;
        let body = &prompt[..prompt.len() - 1];
        if !body.is_empty() {
            feed.push(slot, 0, body.iter().copied(), Wanted::Nothing);
        }
    }
    if !feed.is_empty() {
        for fed in feed.forward(model)? {
            let generation = &mut running(slots, fed.sequence).waiting.sequence.generation;
            generation.durations.prefill += fed.share;
        }
    }
    Ok(())
}
