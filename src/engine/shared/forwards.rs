//! A model that runs every forward once per prompt, however many decoders ask for it.

use std::time::{Duration, Instant};

use crate::engine::shared::tree::{CacheState, Fed, ForwardTree};
use crate::model::lm::{LanguageModel, Logits, ModelError, TokenId};

/// Logits that are kept for one prompt, counted in values of four bytes: 1 GiB. Forwards beyond are run
/// each time.
const ROOM: usize = 1 << 28;

/// What a decoder is charged for a forward, and what it waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForwardTime {
    /// Duration of the forward when it ran.
    pub charged: Duration,
    /// Duration of the call: of a look-up, or of a forward together with what it took to bring the cache
    /// into the state that the decoder sees.
    pub spent: Duration,
    /// The forward had run before, and this call returned what it gave then.
    pub is_shared: bool,
}

/// Forwards that the model ran, over all prompts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Runs {
    /// For a decoder that asked for its logits.
    pub asked: u64,
    /// Once more, for cache rows that another decoder had replaced by its own in the meantime.
    pub restored: u64,
}

/// A [`LanguageModel`] whose decoders take turns on one prompt. Each of them sees a cache of its own,
/// empty after `truncate(0)`. A forward that one of them ran on the same cache is not run again; the
/// decoder gets the same bits that it would have computed alone.
#[derive(Debug)]
pub struct SharedForwards<M> {
    model: M,
    room: usize,
    tree: ForwardTree,
    /// The cache that the decoder sees.
    seen: CacheState,
    /// The cache that the model has.
    held: CacheState,
    times: Vec<ForwardTime>,
    runs: Runs,
}

impl<M: LanguageModel> SharedForwards<M> {
    /// Empties the cache of `model`.
    pub fn new(model: M) -> Self {
        Self::with_room(model, ROOM)
    }

    /// As [`new`](Self::new), but with at most `room` values of logits kept.
    pub fn with_room(mut model: M, room: usize) -> Self {
        model.truncate(0);
        Self {
            model,
            room,
            tree: ForwardTree::new(room),
            seen: CacheState::default(),
            held: CacheState::default(),
            times: Vec::new(),
            runs: Runs::default(),
        }
    }

    /// Forgets all forwards and empties the cache, for the next prompt or repeat.
    pub fn forget(&mut self) {
        self.model.truncate(0);
        self.tree = ForwardTree::new(self.room);
        self.seen = CacheState::default();
        self.held = CacheState::default();
        self.times.clear();
    }

    /// One entry per forward that was asked for since the last call.
    pub fn take_times(&mut self) -> Vec<ForwardTime> {
        std::mem::take(&mut self.times)
    }

    pub fn runs(&self) -> Runs {
        self.runs
    }

    pub fn model(&self) -> &M {
        &self.model
    }

    /// Brings the cache of the model into the state that the decoder sees. Rows are computed by the
    /// forwards that computed them first, rolled-back rows included, because in a product of another
    /// shape they might be rounded otherwise.
    fn restore(&mut self) -> Result<(), ModelError> {
        let (kept, missing) = self.tree.path(self.held, self.seen);
        self.hold(kept);
        for state in missing {
            let Fed {
                tokens, positions, ..
            } = self.tree.computing(state);
            // Logits come behind the last cache row, so asking for none leaves the rows as they are.
            let result = self.model.forward(tokens, positions, 0);
            if let Err(error) = result {
                self.hold(self.held);
                return Err(error);
            }
            self.runs.restored += 1;
            self.hold(state);
        }
        Ok(())
    }

    fn hold(&mut self, state: CacheState) {
        self.model.truncate(state.len());
        self.held = state;
    }

    fn run(
        &mut self,
        known: Option<usize>,
        fed: Fed<'_>,
    ) -> Result<(Logits, Duration), ModelError> {
        self.restore()?;
        let started = Instant::now();
        let result = self.model.forward(fed.tokens, fed.positions, fed.n_logits);
        let duration = started.elapsed();
        let logits = match result {
            Ok(logits) => logits,
            Err(error) => {
                self.hold(self.seen);
                return Err(error);
            }
        };
        let forward = known.unwrap_or_else(|| self.tree.add(self.seen, fed));
        self.tree.keep(forward, &logits, duration);
        self.runs.asked += 1;
        self.seen = self.tree.after(forward);
        self.held = self.seen;
        Ok((logits, duration))
    }
}

impl<M: LanguageModel> LanguageModel for SharedForwards<M> {
    fn vocab_len(&self) -> usize {
        self.model.vocab_len()
    }

    fn context_len(&self) -> usize {
        self.model.context_len()
    }

    fn cached_len(&self) -> usize {
        self.seen.len()
    }

    fn forward(
        &mut self,
        tokens: &[TokenId],
        positions: &[u32],
        n_logits: usize,
    ) -> Result<Logits, ModelError> {
        let started = Instant::now();
        let fed = Fed {
            tokens,
            positions,
            n_logits,
        };
        let known = self.tree.find(self.seen, fed);
        let outcome = known.and_then(|forward| Some((forward, self.tree.outcome(forward)?)));
        let (logits, charged, is_shared) = match outcome {
            Some((forward, outcome)) => {
                self.seen = self.tree.after(forward);
                (outcome.logits.clone(), outcome.duration, true)
            }
            None => {
                let (logits, duration) = self.run(known, fed)?;
                (logits, duration, false)
            }
        };
        self.times.push(ForwardTime {
            charged,
            spent: started.elapsed(),
            is_shared,
        });
        Ok(logits)
    }

    fn truncate(&mut self, len: usize) {
        self.seen = self.tree.truncated(self.seen, len);
    }

    fn n_parameters(&self) -> usize {
        self.model.n_parameters()
    }
}
