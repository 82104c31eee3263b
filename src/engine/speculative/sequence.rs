//! One text being decoded speculatively: everything but the models.

use std::time::Duration;

use super::course::Bounds;
use super::draft::{self, Draft};
use super::setting::{Dice, Setting};
use super::{SpeculativeRule, commit, verify};
use crate::engine::choice::lead;
use crate::engine::session::{EngineError, Request};
use crate::engine::step::{Durations, Finish, Generation};
use crate::model::lm::{Logits, ModelError, TokenId};
use crate::policy::accept::Verdict;
use crate::policy::stop::StopState;

/// What a generation decides and counts between the forwards, whoever runs these: a decoder of one
/// prompt or of a batch.
///
/// Between rounds the verifier has cached all of the text but its last token. The drafter lacks one
/// token more after a draft that was accepted whole, because it never saw that draft's last token.
pub(in crate::engine) struct Sequence<'a> {
    setting: Setting<'a>,
    state: &'a mut StopState,
    dice: Dice,
    /// The prompt and what was committed.
    text: Vec<TokenId>,
    /// The text's length when the round began.
    context_len: usize,
    /// The drafter's rows when the round began.
    drafter_cached: usize,
    draft: Draft,
    /// Why the text ends, once it does.
    finish: Option<Finish>,
    pub generation: Generation,
}

impl<'a> Sequence<'a> {
    /// # Errors
    /// [`EngineError::GreedyAcceptance`].
    pub fn begin(
        rule: &'a SpeculativeRule,
        request: &'a Request<'a>,
        state: &'a mut StopState,
    ) -> Result<Self, EngineError> {
        let setting = Setting::new(rule, request)?;
        state.begin_prompt(request.seed);
        Ok(Self {
            setting,
            state,
            dice: Dice::new(request.seed),
            text: request.prompt.to_vec(),
            context_len: request.prompt.len(),
            drafter_cached: 0,
            draft: Draft::default(),
            finish: (request.max_new_tokens == 0).then_some(Finish::Budget),
            generation: Generation::default(),
        })
    }

    /// Whether the text has met a stop token or a stop string, or used up its budget.
    pub fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Starts a round, for which the drafter has cached `drafter_cached` rows.
    pub fn begin_round(&mut self, drafter_cached: usize) {
        self.context_len = self.text.len();
        self.drafter_cached = drafter_cached;
        let budget_left = self.setting.request.max_new_tokens - self.generation.ids.len();
        let bounds = Bounds::begin_round(self.setting.rule, self.state, budget_left);
        self.draft = Draft::within(bounds);
    }

    /// Tokens that the drafter, which has cached `cached_len` rows, is to be fed next; None once the
    /// draft is over.
    pub fn drafter_tokens(&self, cached_len: usize) -> Option<&[TokenId]> {
        (!self.draft.course.is_over()).then(|| self.draft.missing_tokens(&self.text, cached_len))
    }

    /// Reads the row behind the tokens fed, which took the drafter `duration`.
    ///
    /// # Errors
    /// [`ModelError::NotANumber`] when the row is no distribution.
    pub fn see_drafter_row(
        &mut self,
        row: &[f32],
        n_fed: usize,
        duration: Duration,
    ) -> Result<(), ModelError> {
        self.draft.note_forward(n_fed, duration);
        draft::see_row(
            &self.setting,
            &self.text,
            self.state,
            &mut self.draft,
            row,
            &mut self.dice,
        )
    }

    /// Rows that the verifier has cached when it is fed a draft.
    pub fn verifier_len(&self) -> usize {
        self.context_len - 1
    }

    /// What the verifier is fed: the last committed token and the draft. It returns a row for each.
    pub fn verifier_tokens(&self) -> impl Iterator<Item = TokenId> {
        let last = self.text[self.context_len - 1];
        std::iter::once(last).chain(self.draft.tokens.iter().copied())
    }

    /// The prompt and what was committed.
    pub fn text(&self) -> &[TokenId] {
        &self.text
    }

    /// Tokens drafted so far in this round.
    pub fn drafted(&self) -> &[TokenId] {
        &self.draft.tokens
    }

    /// Compares the draft with the verifier's rows.
    ///
    /// # Errors
    /// [`ModelError::NotANumber`] for a row that is no distribution.
    pub fn judge(&mut self, rows: &Logits) -> Result<Verdict, ModelError> {
        let text = &self.text;
        let verdict = verify::judge(&self.setting, rows, text, &self.draft, &mut self.dice)?;
        verify::mark_slots(&self.setting, rows, &mut self.draft, verdict.accepted);
        if self.setting.request.record.leads {
            self.note_leads(rows, &verdict);
        }
        Ok(verdict)
    }

    /// Adds the leads of all tokens that the verdict lets pass; [`record`](Self::record) drops those behind the end of
    /// the text.
    fn note_leads(&mut self, rows: &Logits, verdict: &Verdict) {
        let accepted = self.draft.tokens[..verdict.accepted].iter();
        let own = accepted.chain([&verdict.next]);
        for (slot, (&token, row)) in own.zip(rows.rows()).enumerate() {
            let lead = lead(row, token, self.text.len() + slot, self.setting.request);
            self.generation.leads.push(lead);
        }
    }

    /// Reduces the draft to what was accepted, as if an oracle drafter had known. The verdict stands: a
    /// redraw behind the shorter draft would favour what the drafter likes.
    ///
    /// Returns the duration of the drafter forwards that are undone, when there is something to undo:
    /// then the drafter is to be rolled back to [`drafter_len`](Self::drafter_len) rows, and the
    /// verifier's forward to be repeated over the shorter draft for its duration.
    pub fn cut_for_oracle(&mut self, verdict: &Verdict) -> Option<Duration> {
        let accepted = verdict.accepted;
        if !self.setting.rule.stop.is_oracle() || accepted == self.draft.tokens.len() {
            return None;
        }
        Some(self.draft.cut(accepted))
    }

    /// Rows that the drafter has cached after the forwards of this round.
    pub fn drafter_len(&self) -> usize {
        self.drafter_cached + self.draft.token_instances(self.draft.forwards.len())
    }

    /// Duration of the drafter's forwards in this round.
    pub fn draft_duration(&self) -> Duration {
        self.draft.forwards.iter().sum()
    }

    /// Lets the stopping rule learn, and appends the accepted tokens and the verifier's own.
    pub fn commit(&mut self, verdict: &Verdict) {
        let outcome = (self.draft.course).outcome(self.setting.rule, verdict.accepted);
        self.state.end_round(outcome);
        let (committed, finish) = commit::committed(
            &self.generation.ids,
            &self.draft,
            verdict,
            self.setting.request,
        );
        self.text.extend(committed);
        self.finish = finish;
        if let Some(finish) = finish {
            self.generation.finished_by = finish;
        }
    }

    /// Rows of this round that stay in the caches: text and accepted tokens.
    pub fn confirmed_len(&self, verdict: &Verdict) -> usize {
        self.context_len + verdict.accepted
    }

    /// Adds the round to the generation. Call it once, after [`commit`](Self::commit).
    pub fn record(&mut self, verdict: &Verdict, durations: Durations) {
        commit::record(
            &mut self.generation,
            self.context_len,
            std::mem::take(&mut self.draft),
            verdict,
            self.text[self.context_len..].to_vec(),
            durations,
        );
    }
}
