//! Speculative decoding: a drafter proposes, the verifier accepts or corrects.

pub(super) mod commit;
pub mod course;
pub(super) mod draft;
pub(super) mod sequence;
pub(super) mod setting;
pub(super) mod verify;

use std::time::{Duration, Instant};

use self::sequence::Sequence;
use crate::engine::clock::timed;
use crate::engine::prompt;
use crate::engine::session::{EngineError, Request};
use crate::engine::step::{Durations, Generation};
use crate::model::lm::LanguageModel;
use crate::policy::accept::AcceptRule;
use crate::policy::entropy::EntropyRule;
use crate::policy::stop::{DraftOrder, StopRule, StopState};

/// A speculative decoder with every parameter resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeculativeRule {
    pub stop: StopRule,
    pub order: DraftOrder,
    /// A firing rule is ignored while the draft is shorter. The budget goes before.
    pub min_draft_len: usize,
    pub max_draft_len: usize,
    /// The entropy that `stop` reads.
    pub entropy: EntropyRule,
    pub accept: AcceptRule,
}

impl SpeculativeRule {
    pub fn new(
        stop: &StopRule,
        order: DraftOrder,
        (min_draft_len, max_draft_len): (usize, usize),
        entropy: EntropyRule,
        accept: AcceptRule,
    ) -> Self {
        Self {
            stop: stop.clone(),
            order,
            min_draft_len,
            max_draft_len,
            entropy,
            accept,
        }
    }

    /// Autoregressive decoding: a step is a round without a draft, and coupled with nothing, the
    /// verifier's token is its own draw. `entropy` is not read.
    pub fn without_drafts(entropy: EntropyRule) -> Self {
        Self {
            stop: StopRule::Fixed {},
            order: DraftOrder::Before,
            min_draft_len: 0,
            max_draft_len: 0,
            entropy,
            accept: AcceptRule::Gumbel {},
        }
    }

    /// # Errors
    /// A parameter out of range, or `min_draft_len` above `max_draft_len`.
    pub fn validate(&self) -> Result<(), EngineError> {
        self.stop.validate()?;
        self.entropy.validate()?;
        self.accept.validate()?;
        if self.min_draft_len > self.max_draft_len {
            return Err(EngineError::DraftLenBounds {
                min_draft_len: self.min_draft_len,
                max_draft_len: self.max_draft_len,
            });
        }
        Ok(())
    }
}

/// Decodes one prompt with a fresh stopping rule. The caches are emptied first.
///
/// # Errors
/// See [`EngineError`].
pub fn decode(
    drafter: &mut dyn LanguageModel,
    verifier: &mut dyn LanguageModel,
    rule: &SpeculativeRule,
    request: &Request<'_>,
) -> Result<Generation, EngineError> {
    rule.validate()?;
    let mut state = rule.stop.start(request.seed);
    decode_in_stream(drafter, verifier, rule, request, &mut state)
}

/// As [`decode`], with a stopping rule that may have learned from earlier prompts (those of scope
/// `stream`; the others start anew). `state` comes from `rule.stop.start`.
///
/// # Errors
/// See [`EngineError`].
pub fn decode_in_stream(
    drafter: &mut dyn LanguageModel,
    verifier: &mut dyn LanguageModel,
    rule: &SpeculativeRule,
    request: &Request<'_>,
    state: &mut StopState,
) -> Result<Generation, EngineError> {
    let started = Instant::now();
    rule.validate()?;
    prompt::check("drafter", drafter, request)?;
    prompt::check("verifier", verifier, request)?;
    let mut sequence = Sequence::begin(rule, request, state)?;
    if request.max_new_tokens == 0 {
        return Ok(sequence.generation);
    }
    timed(&mut sequence.generation.durations.prefill, || {
        prompt::prefill(drafter, request)?;
        prompt::prefill(verifier, request)
    })?;
    let mut uncounted = Duration::ZERO;
    while !sequence.is_finished() {
        uncounted += round(drafter, verifier, &mut sequence)?;
    }
    sequence.generation.durations.wall = started.elapsed().saturating_sub(uncounted);
    Ok(sequence.generation)
}

/// Drafts, verifies, commits and rolls back. Returns the time spent on forwards that an oracle would
/// not have needed.
fn round(
    drafter: &mut dyn LanguageModel,
    verifier: &mut dyn LanguageModel,
    sequence: &mut Sequence<'_>,
) -> Result<Duration, EngineError> {
    let started = Instant::now();
    let mut uncounted = Duration::ZERO;
    sequence.begin_round(drafter.cached_len());
    while let Some(tokens) = sequence.drafter_tokens(drafter.cached_len()) {
        let n_fed = tokens.len();
        let positions = positions(drafter.cached_len(), n_fed);
        let mut duration = Duration::ZERO;
        let logits = timed(&mut duration, || drafter.forward(tokens, &positions, 1))?;
        sequence.see_drafter_row(logits.last(), n_fed, duration)?;
    }
    let mut durations = Durations::default();
    let rows = timed(&mut durations.verify, || {
        verify::forward(verifier, sequence.text(), sequence.drafted())
    })?;
    let verdict = sequence.judge(&rows)?;
    if let Some(undone) = sequence.cut_for_oracle(&verdict) {
        uncounted = undone + durations.verify;
        drafter.truncate(sequence.drafter_len());
        verifier.truncate(sequence.verifier_len());
        durations.verify = Duration::ZERO;
        let again = timed(&mut durations.verify, || {
            verify::forward(verifier, sequence.text(), sequence.drafted())
        })?;
        assert_eq!(again.n_rows(), verdict.accepted + 1);
        assert!(again.n_rows() < rows.n_rows());
    }
    sequence.commit(&verdict);
    durations.draft = sequence.draft_duration();
    let confirmed_len = sequence.confirmed_len(&verdict);
    timed(&mut durations.draft, || drafter.truncate(confirmed_len));
    timed(&mut durations.verify, || verifier.truncate(confirmed_len));
    durations.wall = started.elapsed().saturating_sub(uncounted);
    durations.policy = durations
        .wall
        .saturating_sub(durations.draft + durations.verify);
    sequence.record(&verdict, durations);
    Ok(uncounted)
}

fn positions(first: usize, len: usize) -> Vec<u32> {
    (first as u32..(first + len) as u32).collect()
}
