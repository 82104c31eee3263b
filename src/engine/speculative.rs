//! Speculative decoding: a drafter proposes, the verifier accepts or corrects.

pub(super) mod draft;
pub(super) mod setting;
pub(super) mod verify;

use std::time::{Duration, Instant};

use self::draft::{Bounds, Draft};
use self::setting::{Dice, Setting};
use crate::engine::clock::timed;
use crate::engine::session::{EngineError, Request};
use crate::engine::step::{Counts, DraftStop, Durations, Finish, Generation, Outcome, Round, Slot};
use crate::engine::{ending, prompt};
use crate::model::lm::{LanguageModel, Logits, TokenId};
use crate::policy::accept::{AcceptRule, Verdict};
use crate::policy::entropy::EntropyRule;
use crate::policy::stop::{DraftOrder, RoundOutcome, StopRule, StopState};

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
    let setting = Setting::new(rule, request)?;
    state.begin_prompt(request.seed);
    let mut generation = Generation::default();
    if request.max_new_tokens == 0 {
        return Ok(generation);
    }
    timed(&mut generation.durations.prefill, || {
        prompt::prefill(drafter, request)?;
        prompt::prefill(verifier, request)
    })?;
    let mut pair = Pair {
        drafter,
        verifier,
        text: request.prompt.to_vec(),
        dice: Dice::new(request.seed),
        uncounted: Duration::ZERO,
    };
    generation.finished_by = loop {
        if let Some(finish) = pair.round(&setting, state, &mut generation)? {
            break finish;
        }
    };
    generation.durations.wall = started.elapsed().saturating_sub(pair.uncounted);
    Ok(generation)
}

/// The two models and the text that they agree on.
///
/// Between rounds the verifier has cached all of the text but its last token. The drafter lacks one
/// token more after a draft that was accepted whole, because it never saw that draft's last token.
struct Pair<'a> {
    drafter: &'a mut dyn LanguageModel,
    verifier: &'a mut dyn LanguageModel,
    text: Vec<TokenId>,
    dice: Dice,
    /// Time spent on forwards that an oracle would not have needed.
    uncounted: Duration,
}

impl Pair<'_> {
    /// Drafts, verifies, commits and rolls back. Returns why the text ends, if it does.
    fn round(
        &mut self,
        setting: &Setting<'_>,
        state: &mut StopState,
        generation: &mut Generation,
    ) -> Result<Option<Finish>, EngineError> {
        let started = Instant::now();
        let uncounted_before = self.uncounted;
        let drafter_cached = self.drafter.cached_len();
        let bounds = bounds(setting, state, generation.ids.len());
        let mut draft = draft::propose(
            self.drafter,
            setting,
            &self.text,
            bounds,
            state,
            &mut self.dice,
        )?;
        let mut durations = Durations::default();
        let rows = timed(&mut durations.verify, || {
            verify::forward(self.verifier, &self.text, &draft.tokens)
        })?;
        let verdict = verify::judge(setting, &rows, &self.text, &draft, &mut self.dice)?;
        verify::mark_slots(setting, &rows, &mut draft, verdict.accepted);
        if setting.rule.stop.is_oracle() {
            self.cut_for_oracle(&mut draft, &verdict, &rows, drafter_cached, &mut durations)?;
        }
        state.end_round(RoundOutcome {
            drafted: draft.tokens.len(),
            accepted: verdict.accepted,
            max_draft_len: setting.rule.max_draft_len,
            entropies: &draft.entropies,
            probabilities: &draft.probabilities,
        });
        let context_len = self.text.len();
        let (committed, finish) = committed(&generation.ids, &draft, &verdict, setting.request);
        self.text.extend(&committed);
        durations.draft = draft.forwards.iter().sum();
        timed(&mut durations.draft, || {
            self.drafter.truncate(context_len + verdict.accepted);
        });
        timed(&mut durations.verify, || {
            self.verifier.truncate(context_len + verdict.accepted);
        });
        let uncounted = self.uncounted - uncounted_before;
        durations.wall = started.elapsed().saturating_sub(uncounted);
        durations.policy = durations
            .wall
            .saturating_sub(durations.draft + durations.verify);
        record(
            generation,
            context_len,
            draft,
            &verdict,
            committed,
            durations,
        );
        Ok(finish)
    }

    /// Reduces the draft to what was accepted, as if the drafter had known, and repeats the verifier's
    /// forward over it for its duration. The verdict stands: a redraw behind the shorter draft would
    /// favour what the drafter likes.
    fn cut_for_oracle(
        &mut self,
        draft: &mut Draft,
        verdict: &Verdict,
        rows: &Logits,
        drafter_cached: usize,
        durations: &mut Durations,
    ) -> Result<(), EngineError> {
        let accepted = verdict.accepted;
        if accepted == draft.tokens.len() {
            return Ok(());
        }
        draft.stopped_by = DraftStop::Rule;
        draft.tokens.truncate(accepted);
        draft.slots.truncate(accepted);
        draft.entropies.truncate(accepted);
        draft.probabilities.truncate(accepted);
        self.uncounted += draft.forwards.drain(accepted..).sum::<Duration>();
        self.drafter
            .truncate(drafter_cached + draft.token_instances(accepted));
        self.uncounted += durations.verify;
        self.verifier.truncate(self.text.len() - 1);
        durations.verify = Duration::ZERO;
        let again = timed(&mut durations.verify, || {
            verify::forward(self.verifier, &self.text, &draft.tokens)
        })?;
        assert_eq!(again.n_rows(), accepted + 1);
        assert!(again.n_rows() < rows.n_rows());
        Ok(())
    }
}

/// What the rules and the budget allow in this round. The verifier adds a token of its own, so a
/// draft leaves room for it.
fn bounds(setting: &Setting<'_>, state: &mut StopState, n_committed: usize) -> Bounds {
    let rule = setting.rule;
    let budget_left = setting.request.max_new_tokens - n_committed;
    let room = rule.max_draft_len.min(budget_left - 1);
    let wanted = state.begin_round(rule.max_draft_len);
    Bounds {
        room,
        cap: wanted.max(rule.min_draft_len).min(room),
    }
}

/// The accepted tokens and the verifier's, up to where the text ends. `ids` are those before.
pub(super) fn committed(
    ids: &[TokenId],
    draft: &Draft,
    verdict: &Verdict,
    request: &Request<'_>,
) -> (Vec<TokenId>, Option<Finish>) {
    let mut tokens = draft.tokens[..verdict.accepted].to_vec();
    tokens.push(verdict.next);
    let cut = ending::cut(ids, &tokens, request);
    // A drafted token that ends the text ends its draft, so no accepted token is dropped here.
    assert!(cut.len >= verdict.accepted);
    tokens.truncate(cut.len);
    (tokens, cut.finish)
}

/// Books one round.
pub(super) fn record(
    generation: &mut Generation,
    context_len: usize,
    draft: Draft,
    verdict: &Verdict,
    committed: Vec<TokenId>,
    durations: Durations,
) {
    let drafted = draft.tokens.len();
    let tested = drafted.min(verdict.accepted + 1);
    let drafter_forwards = draft.forwards.len();
    let is_filled = |slot: &&Slot| slot.outcome == Outcome::Filled;
    generation.counts += Counts {
        rounds: 1,
        drafted: drafted as u64,
        tested: tested as u64,
        accepted: verdict.accepted as u64,
        committed: committed.len() as u64,
        filled: draft.slots.iter().filter(is_filled).count() as u64,
        drafter_forwards: drafter_forwards as u64,
        verifier_forwards: 1,
        drafter_token_instances: draft.token_instances(drafter_forwards) as u64,
        token_instances: drafted as u64 + 1,
        ..Counts::default()
    };
    generation.durations += durations;
    generation.ids.extend(&committed);
    generation.rounds.push(Round {
        context_len,
        draft: draft.tokens,
        stopped_by: draft.stopped_by,
        tested,
        accepted: verdict.accepted,
        committed,
        drafter_forwards,
        positions: Vec::new(),
        slots: draft.slots,
        durations,
    });
}
