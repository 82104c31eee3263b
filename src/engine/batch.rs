//! Several prompts at a time: the decoders of one prompt, their forwards shared.
//!
//! Sequences run in lock step. In a round, those whose draft goes on share one drafter forward per slot
//! while the others sit out; then one verifier forward (or one per group of similar draft length)
//! judges all drafts. A sequence that ends makes room for the next prompt at once. What a sequence
//! drafts, accepts and counts is what it does alone, because both kinds of decoder run the same
//! [`Sequence`] and chance is a function of seed and position.
//!
//! Durations: `wall` of a generation is from its admission to its end, and of a round the whole lock
//! step, so walls of sequences that ran together overlap and must not be added. `prefill`, `draft` and
//! `verify` are shares of the common forwards, by rows fed, and add up over sequences to the time that
//! the models ran; `policy` is what was spent on this sequence alone. The rest of `wall` is waiting.

mod feed;
mod group;
mod lock_step;

use self::lock_step::{Batch, Waiting};
use crate::engine::prompt;
use crate::engine::session::{EngineError, Request};
use crate::engine::speculative::SpeculativeRule;
use crate::engine::speculative::sequence::Sequence;
use crate::engine::step::Generation;
use crate::model::lm::BatchedLanguageModel;
use crate::policy::entropy::EntropyRule;
use crate::policy::stop::StopState;

/// How prompts share forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batching {
    /// Sequences that run at a time.
    pub batch_size: usize,
    /// Verify drafts of similar length together, in several forwards, instead of all in one: less
    /// padding, more forwards.
    pub group_by_draft_len: bool,
}

/// Decodes the prompts speculatively, `batch_size` at a time, and returns their generations in the order
/// of `requests`. The caches are emptied first.
///
/// Each prompt starts with a fresh stopping rule: with several prompts in flight, "what earlier prompts
/// taught" (scope `stream`) has no order.
///
/// # Errors
/// See [`EngineError`]; one request that cannot run refuses all before anything is decoded.
pub fn decode(
    drafter: &mut dyn BatchedLanguageModel,
    verifier: &mut dyn BatchedLanguageModel,
    rule: &SpeculativeRule,
    requests: &[Request<'_>],
    batching: Batching,
) -> Result<Vec<Generation>, EngineError> {
    rule.validate()?;
    check("drafter", drafter, requests, batching)?;
    check("verifier", verifier, requests, batching)?;
    run(Some(drafter), verifier, rule, requests, batching)
}

/// Decodes the prompts token by token, `batch_size` at a time, and returns their generations in the
/// order of `requests`. The cache is emptied first.
///
/// # Errors
/// See [`EngineError`]; one request that cannot run refuses all before anything is decoded.
pub fn decode_autoregressive(
    verifier: &mut dyn BatchedLanguageModel,
    requests: &[Request<'_>],
    batching: Batching,
) -> Result<Vec<Generation>, EngineError> {
    check("verifier", verifier, requests, batching)?;
    let rule = SpeculativeRule::without_drafts(EntropyRule::default());
    run(None, verifier, &rule, requests, batching)
}

fn check(
    role: &'static str,
    model: &dyn BatchedLanguageModel,
    requests: &[Request<'_>],
    batching: Batching,
) -> Result<(), EngineError> {
    let (batch_size, n_sequences) = (batching.batch_size, model.n_sequences());
    if batch_size == 0 || batch_size > n_sequences {
        return Err(EngineError::BatchSize {
            role,
            batch_size,
            n_sequences,
        });
    }
    requests
        .iter()
        .try_for_each(|request| prompt::check_fits(role, model.context_len(), request))
}

fn run<'m>(
    drafter: Option<&'m mut dyn BatchedLanguageModel>,
    verifier: &'m mut dyn BatchedLanguageModel,
    rule: &SpeculativeRule,
    requests: &[Request<'_>],
    batching: Batching,
) -> Result<Vec<Generation>, EngineError> {
    let start = |request: &Request<'_>| rule.stop.start(request.seed);
    let mut states: Vec<StopState> = requests.iter().map(start).collect();
    let mut waiting = Vec::with_capacity(requests.len());
    for (number, (request, state)) in requests.iter().zip(&mut states).enumerate() {
        let sequence = Sequence::begin(rule, request, state)?;
        waiting.push(Waiting {
            number,
            request,
            sequence,
        });
    }
    let mut queue = waiting
        .into_iter()
        .filter(|waiting| waiting.request.max_new_tokens > 0);
    let mut generations = vec![Generation::default(); requests.len()];
    let mut batch = Batch::new(drafter, verifier, requests, batching);
    loop {
        batch.admit(&mut queue)?;
        if batch.is_idle() {
            return Ok(generations);
        }
        batch.round()?;
        for (number, generation) in batch.take_finished() {
            generations[number] = generation;
        }
    }
}
