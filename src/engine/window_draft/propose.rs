//! The window model's half of a round.

use std::time::Duration;

use super::WindowDraftRule;
use crate::engine::choice::compared_distribution;
use crate::engine::clock::timed;
use crate::engine::ending;
use crate::engine::session::Request;
use crate::engine::speculative::course::Course;
use crate::engine::speculative::draft::Draft;
use crate::engine::speculative::setting::Setting;
use crate::engine::step::{DraftStop, Outcome, Slot};
use crate::engine::window::chooser::Chooser;
use crate::engine::window::feed::{self, Feed};
use crate::model::lm::{LanguageModel, ModelError, TokenId};
use crate::policy::accept::Judge;
use crate::policy::noise::Noise;
use crate::policy::window::Window;

/// The window model and its selection rule.
pub(super) struct Proposer<'a> {
    model: &'a mut dyn LanguageModel,
    rule: &'a WindowDraftRule,
    chooser: Chooser<'a>,
    mask_id: TokenId,
    /// Whether a draft may only hold tokens whose distribution does not depend on one to the right.
    is_ordered: bool,
}

/// The window of one round.
struct Sketch {
    window: Window,
    /// Per slot: the forward that filled it; 0 while it is a mask.
    filled_in: Vec<usize>,
    slots: Vec<Slot>,
    /// Per slot: the distribution that its token was drawn from, if somebody asks for it.
    distributions: Vec<Option<Vec<f64>>>,
}

/// The leading slots that make a draft.
#[derive(Debug, PartialEq)]
struct Lead {
    len: usize,
    stopped_by: DraftStop,
    /// Whether further forwards cannot make it longer.
    is_final: bool,
}

impl<'a> Proposer<'a> {
    pub fn new(
        model: &'a mut dyn LanguageModel,
        rule: &'a WindowDraftRule,
        setting: &Setting<'_>,
        mask_id: TokenId,
    ) -> Self {
        let request = setting.request;
        let mut chooser = Chooser::new(
            &rule.select,
            rule.window_size,
            rule.entropy,
            request,
            Some(mask_id),
        );
        if setting.is_coupled() {
            chooser.couple(Noise::new(request.seed));
        }
        Self {
            model,
            rule,
            chooser,
            mask_id,
            is_ordered: match setting.judge {
                Judge::Match { .. } | Judge::Evidence(_) => false,
                Judge::Ratio(_) => true,
            },
        }
    }

    /// # Errors
    /// Those of the model.
    pub fn prefill(&mut self, request: &Request<'_>) -> Result<(), ModelError> {
        feed::prefill(self.model, request, &mut self.chooser)
    }

    /// Fills a new window behind `text` until there is a draft, of at most `cap` tokens.
    ///
    /// # Errors
    /// Those of the model.
    pub fn propose(
        &mut self,
        setting: &Setting<'_>,
        text: &[TokenId],
        cap: usize,
    ) -> Result<Draft, ModelError> {
        let mut draft = Draft::default();
        if cap == 0 {
            return Ok(draft);
        }
        let mut sketch = Sketch::new(self.rule.window_size, self.mask_id);
        self.chooser.restart();
        let ids = &text[setting.request.prompt.len()..];
        loop {
            self.fill(setting, text, &mut sketch, &mut draft)?;
            let is_end = |tokens: &[TokenId]| ending::is_end(ids, tokens, setting.request);
            let lead = sketch.lead(cap, is_end, self.is_ordered);
            let is_enough = draft.forwards.len() >= self.rule.n_fill_steps && lead.len > 0;
            if is_enough || lead.is_final {
                sketch.hand_over(&lead, &mut draft);
                return Ok(draft);
            }
        }
    }

    /// One forward of the window model; at least one mask gets its token.
    fn fill(
        &mut self,
        setting: &Setting<'_>,
        text: &[TokenId],
        sketch: &mut Sketch,
        draft: &mut Draft,
    ) -> Result<(), ModelError> {
        let feed = Feed::new(text, self.model.cached_len(), &sketch.window);
        let reads_committed_rows = self.chooser.reads_committed_rows();
        let mut duration = Duration::ZERO;
        let logits = timed(&mut duration, || feed.run(self.model, reads_committed_rows))?;
        draft.note_forward(feed.n_rows(), duration);

        let (pending, first_row) = feed.pending();
        self.chooser
            .observe_committed(pending, &logits, first_row)?;
        let slots = self
            .chooser
            .fill(&mut sketch.window, feed.mask_rows(&logits))?;
        for ((place, row), slot) in feed.mask_rows(&logits).zip(slots) {
            sketch.slots[place.slot] = slot;
            if slot.outcome == Outcome::Filled {
                sketch.filled_in[place.slot] = draft.forwards.len();
                sketch.distributions[place.slot] = setting
                    .keeps_distributions()
                    .then(|| compared_distribution(row, setting.request));
            }
        }
        Ok(())
    }
}

impl Sketch {
    fn new(window_size: usize, mask_id: TokenId) -> Self {
        Self {
            window: Window::masked(window_size, mask_id),
            filled_in: vec![0; window_size],
            slots: vec![Slot::default(); window_size],
            distributions: vec![None; window_size],
        }
    }

    /// The leading filled slots, up to `cap` of them and up to where the text ends.
    ///
    /// If `is_ordered`, also up to the first one filled in an earlier forward than its left
    /// neighbour: the left one was drawn with the right one in sight. Whether the left one is then
    /// accepted says something of the right one, whose distribution is no longer the row's.
    fn lead(&self, cap: usize, is_end: impl Fn(&[TokenId]) -> bool, is_ordered: bool) -> Lead {
        let n_filled = self.window.leading_filled().min(cap);
        let end = |len, stopped_by, is_final| Lead {
            len,
            stopped_by,
            is_final,
        };
        for slot in 0..n_filled {
            let is_seen = slot > 0 && self.filled_in[slot] < self.filled_in[slot - 1];
            if is_ordered && is_seen {
                return end(slot, DraftStop::Rule, true);
            }
            if is_end(&self.window.tokens()[..=slot]) {
                return end(slot + 1, DraftStop::Eos, true);
            }
        }
        if n_filled == cap {
            end(cap, DraftStop::MaxDraftLen, true)
        } else {
            end(n_filled, DraftStop::Rule, false)
        }
    }

    fn hand_over(self, lead: &Lead, draft: &mut Draft) {
        draft.tokens = self.window.tokens()[..lead.len].to_vec();
        draft.course = Course::ended(lead.len, lead.stopped_by);
        draft.slots = self.slots;
        let leading = self.distributions.into_iter().take(lead.len);
        draft.distributions = leading.flatten().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: TokenId = 9;

    /// Four slots, filled with tokens 0, 1, 2 … in these forwards; 0 is a mask.
    fn sketch(filled_in: [usize; 4]) -> Sketch {
        let mut sketch = Sketch::new(4, MASK);
        for slot in (0..4).filter(|&slot| filled_in[slot] > 0) {
            sketch.window.fill(slot, slot as TokenId);
            sketch.filled_in[slot] = filled_in[slot];
        }
        sketch
    }

    fn lead(filled_in: [usize; 4], cap: usize, is_ordered: bool) -> (usize, DraftStop, bool) {
        // Token 2 ends a text.
        let is_end = |tokens: &[TokenId]| tokens.last() == Some(&2);
        let lead = sketch(filled_in).lead(cap, is_end, is_ordered);
        (lead.len, lead.stopped_by, lead.is_final)
    }

    #[test]
    fn a_draft_is_the_leading_filled_slots_up_to_the_cap_or_a_stop_token() {
        assert_eq!(lead([0, 1, 0, 0], 4, false), (0, DraftStop::Rule, false));
        assert_eq!(lead([1, 0, 1, 0], 4, false), (1, DraftStop::Rule, false));
        assert_eq!(
            lead([1, 1, 0, 0], 2, false),
            (2, DraftStop::MaxDraftLen, true)
        );
        assert_eq!(
            lead([1, 1, 1, 1], 2, false),
            (2, DraftStop::MaxDraftLen, true)
        );
        assert_eq!(lead([1, 1, 1, 1], 4, false), (3, DraftStop::Eos, true));
    }

    #[test]
    fn an_ordered_draft_ends_before_a_token_that_its_left_neighbour_saw() {
        assert_eq!(lead([1, 2, 0, 0], 4, true), (2, DraftStop::Rule, false));
        assert_eq!(lead([2, 1, 1, 0], 4, true), (1, DraftStop::Rule, true));
        assert_eq!(lead([2, 2, 1, 1], 4, true), (2, DraftStop::Rule, true));
        assert_eq!(lead([2, 1, 0, 0], 4, false), (2, DraftStop::Rule, false));
    }
}
