//! Window decoding made lossless: the window model proposes, a verifier accepts or corrects.
//!
//! In each round a window of masks stands behind the committed text and is filled until some of its
//! leading slots are. Those are the draft, which the verifier judges as any other. What the window
//! holds behind the draft is dropped: behind a correction it belongs to another text.

mod propose;

use std::time::{Duration, Instant};

use self::propose::Proposer;
use crate::engine::clock::timed;
use crate::engine::prompt;
use crate::engine::session::{EngineError, Request};
use crate::engine::speculative::setting::{Dice, Setting};
use crate::engine::speculative::{SpeculativeRule, commit, verify};
use crate::engine::step::{Durations, Finish, Generation};
use crate::model::lm::{LanguageModel, TokenId};
use crate::policy::accept::{AcceptRule, Judge};
use crate::policy::entropy::EntropyRule;
use crate::policy::require;
use crate::policy::select::SelectRule;
use crate::policy::stop::{DraftOrder, StopRule};

/// A window draft decoder with every parameter resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowDraftRule {
    /// Slots of the window, all masks when a round begins.
    pub window_size: usize,
    /// Least forwards of the window model in a round. There are more while slot 0 is a mask, fewer
    /// when the draft can grow no more.
    pub n_fill_steps: usize,
    /// Most tokens of a draft; none is all that the window holds.
    pub max_draft_len: Option<usize>,
    pub select: SelectRule,
    /// The entropy that the selection reads.
    pub entropy: EntropyRule,
    /// A lossless rule.
    pub accept: AcceptRule,
}

impl WindowDraftRule {
    /// # Errors
    /// A parameter out of range, or a combination that is not lossless at the temperature of the
    /// request.
    pub fn validate(&self, request: &Request<'_>) -> Result<(), EngineError> {
        let at_least_one = |n: usize, field| require(n > 0, field, n, "at least 1");
        at_least_one(self.window_size, "window_size")?;
        at_least_one(self.n_fill_steps, "n_fill_steps")?;
        at_least_one(self.max_draft_len.unwrap_or(1), "max_draft_len")?;
        self.select.validate()?;
        self.entropy.validate()?;
        self.accept.validate()?;
        if !self.accept.is_lossless() {
            return Err(EngineError::LossyWindowDraft {
                accept: self.accept.kind(),
            });
        }
        let is_ratio = match self.accept.judge(request.sampling.is_greedy()) {
            Some(Judge::Ratio(_)) => true,
            Some(Judge::Match { .. } | Judge::Evidence(_)) | None => false,
        };
        if is_ratio && self.select.reads_choice() {
            return Err(EngineError::BiasedWindowDraft {
                select: self.select.kind(),
                accept: self.accept.kind(),
                temperature: request.sampling.temperature,
            });
        }
        Ok(())
    }

    /// Most tokens of a draft, whatever the budget.
    fn longest(&self) -> usize {
        let max_draft_len = self.max_draft_len.unwrap_or(self.window_size);
        max_draft_len.min(self.window_size)
    }

    /// The verifier's half: drafts end where the window says, so no stopping rule is asked.
    fn speculative(&self) -> SpeculativeRule {
        SpeculativeRule {
            stop: StopRule::Fixed {},
            order: DraftOrder::default(),
            min_draft_len: 1,
            max_draft_len: self.longest(),
            entropy: self.entropy,
            accept: self.accept,
        }
    }

    /// Most cache rows of the window model: the last round with a draft starts at least two tokens
    /// before the end of the budget, and feeds a window behind the text.
    fn context_needed(&self, request: &Request<'_>) -> usize {
        let committed = request.prompt.len() + request.max_new_tokens.saturating_sub(2);
        committed.saturating_add(self.window_size)
    }
}

/// Decodes one prompt: `window` drafts, `verifier` judges. The caches are emptied first.
///
/// The text is the verifier's alone: token by token when greedy or with `gumbel`, in distribution
/// with `rejection` and `block`. The latter need the distribution from which each token was drawn
/// given the ones before it, so they refuse selection rules that read the drawn tokens, and end a
/// draft before a token that was filled in an earlier forward than the token to its left.
///
/// A round counts the forwards of the window model as drafter forwards. Its slots are those of the
/// window at their last look; filled ones behind the draft, which are dropped, are `filled`.
///
/// # Errors
/// A rule out of range or not lossless, a request without a prompt or a mask token, a context too
/// short for prompt, budget and window, or a failing model; see [`EngineError`].
pub fn decode(
    window: &mut dyn LanguageModel,
    verifier: &mut dyn LanguageModel,
    rule: &WindowDraftRule,
    request: &Request<'_>,
) -> Result<Generation, EngineError> {
    let started = Instant::now();
    let mask_id = request.mask_id.ok_or(EngineError::MissingMask)?;
    prompt::check("verifier", verifier, request)?;
    rule.validate(request)?;
    let needed = rule.context_needed(request);
    if needed > window.context_len() {
        return Err(EngineError::PromptTooLong {
            role: "window",
            prompt_len: request.prompt.len(),
            max_new_tokens: request.max_new_tokens,
            needed,
            context_len: window.context_len(),
        });
    }
    let speculative = rule.speculative();
    let setting = Setting::new(&speculative, request)?;
    let mut generation = Generation::default();
    if request.max_new_tokens == 0 {
        return Ok(generation);
    }
    let mut pair = Pair {
        proposer: Proposer::new(window, rule, &setting, mask_id),
        verifier,
        text: request.prompt.to_vec(),
        dice: Dice::new(request.seed),
    };
    timed(&mut generation.durations.prefill, || {
        pair.proposer.prefill(request)?;
        prompt::prefill(pair.verifier, request)
    })?;
    generation.finished_by = loop {
        if let Some(finish) = pair.round(&setting, &mut generation)? {
            break finish;
        }
    };
    generation.durations.wall = started.elapsed();
    Ok(generation)
}

/// The two models and the text that they agree on.
///
/// Between rounds the verifier has cached all of the text but its last token, the window model all
/// that was text when it drafted last.
struct Pair<'a> {
    proposer: Proposer<'a>,
    verifier: &'a mut dyn LanguageModel,
    text: Vec<TokenId>,
    dice: Dice,
}

impl Pair<'_> {
    /// Drafts, verifies, commits and rolls back. Returns why the text ends, if it does.
    fn round(
        &mut self,
        setting: &Setting<'_>,
        generation: &mut Generation,
    ) -> Result<Option<Finish>, EngineError> {
        let started = Instant::now();
        let context_len = self.text.len();
        // The verifier adds a token of its own.
        let room = setting.request.max_new_tokens - generation.ids.len() - 1;
        let cap = setting.rule.max_draft_len.min(room);
        let mut draft = self.proposer.propose(setting, &self.text, cap)?;
        let mut durations = Durations::default();
        let rows = timed(&mut durations.verify, || {
            verify::forward(self.verifier, &self.text, &draft.tokens)
        })?;
        let verdict = verify::judge(setting, &rows, &self.text, &draft, &mut self.dice)?;
        verify::mark_slots(setting, &rows, &mut draft, verdict.accepted);
        let (committed, finish) =
            commit::committed(&generation.ids, &draft, &verdict, setting.request);
        self.text.extend(&committed);
        timed(&mut durations.verify, || {
            self.verifier.truncate(context_len + verdict.accepted);
        });
        durations.draft = draft.forwards.iter().sum::<Duration>();
        durations.wall = started.elapsed();
        durations.policy = durations
            .wall
            .saturating_sub(durations.draft + durations.verify);
        commit::record(
            generation,
            context_len,
            draft,
            &verdict,
            committed,
            durations,
        );
        Ok(finish)
    }
}
