//! How far a draft goes. The decisions read numbers alone, so that a live drafter and a trace of one
//! come to the same ones.

use super::SpeculativeRule;
use crate::engine::step::{DraftStop, Slot};
use crate::model::lm::TokenId;
use crate::policy::stop::{DraftOrder, RoundOutcome, SlotView, StopState};

/// What the decisions read of a decoder.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    pub rule: &'a SpeculativeRule,
    /// Whether a drafted token is the drafter's argmax, not its draw.
    pub is_greedy: bool,
}

/// What the decisions read of a slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlotFacts {
    /// Entropy that the stopping rule reads, in nats.
    pub entropy: f64,
    /// Raw probability of the token that the drafter chose.
    pub probability: f64,
    /// Largest probability of the raw softmax.
    pub top1: f64,
    /// Second largest probability.
    pub top2: f64,
    /// Whether a text with that token ends behind it, the budget aside.
    pub is_end: bool,
}

impl SlotFacts {
    /// The record of the slot, before its fate is known.
    pub fn slot(&self, position: u32, token: TokenId) -> Slot {
        Slot {
            position,
            token,
            entropy: self.entropy,
            adjusted: self.entropy,
            top1: self.top1,
            margin: self.top1 - self.top2,
            ..Slot::default()
        }
    }
}

/// How long a draft may get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// What `max_draft_len` and the budget leave.
    room: usize,
    /// What the stopping rule asked for before the round, at most `room`.
    cap: usize,
}

impl Bounds {
    /// Starts a round of the stopping rule, with `budget_left` tokens to commit. The verifier adds a
    /// token of its own, so a draft leaves room for it.
    ///
    /// # Panics
    /// When no budget is left.
    pub fn begin_round(rule: &SpeculativeRule, state: &mut StopState, budget_left: usize) -> Self {
        assert!(budget_left > 0, "a round commits at least one token");
        let room = rule.max_draft_len.min(budget_left - 1);
        let wanted = state.begin_round(rule.max_draft_len);
        Self {
            room,
            cap: wanted.max(rule.min_draft_len).min(room),
        }
    }
}

/// The course of one draft: what the rules read of it so far, and why it ends.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Course {
    bounds: Bounds,
    drafted: usize,
    /// Entropy that the rule reads, per slot looked at.
    entropies: Vec<f64>,
    /// Raw probability of the drafted token, per slot looked at.
    probabilities: Vec<f64>,
    stopped_by: DraftStop,
    is_over: bool,
}

impl Course {
    /// The course of a draft that something else than a stopping rule ended.
    pub fn ended(drafted: usize, stopped_by: DraftStop) -> Self {
        Self {
            drafted,
            stopped_by,
            is_over: true,
            ..Self::default()
        }
    }

    /// Starts a draft, which is over at once when the bounds leave no room for a token. Keeps the
    /// buffers of the one before.
    pub fn begin(&mut self, bounds: Bounds) {
        self.entropies.clear();
        self.probabilities.clear();
        self.bounds = bounds;
        self.drafted = 0;
        self.stopped_by = DraftStop::default();
        self.is_over = false;
        self.end_at_bound();
    }

    /// Whether no further slot is to be looked at.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Tokens drafted.
    pub fn drafted(&self) -> usize {
        self.drafted
    }

    /// Why the draft ended; means nothing before it is over.
    pub fn stopped_by(&self) -> DraftStop {
        self.stopped_by
    }

    /// Looks at the next slot: its token is drafted, or the draft ends before it. Says whether it is
    /// drafted.
    ///
    /// # Panics
    /// When the draft is over.
    pub fn see(&mut self, terms: Terms<'_>, state: &StopState, slot: &SlotFacts) -> bool {
        assert!(!self.is_over, "no slot is looked at behind a draft");
        let rule = terms.rule;
        let (order, min, k) = (rule.order, rule.min_draft_len, self.drafted);
        let is_kept_for_sure = order == DraftOrder::After || terms.is_greedy;
        self.entropies.push(slot.entropy);
        self.probabilities.push(if is_kept_for_sure {
            slot.probability
        } else {
            slot.top1
        });
        let is_asked = k + usize::from(order != DraftOrder::Before) >= min;
        let fires = is_asked
            && state.fires(SlotView {
                entropies: &self.entropies,
                probabilities: &self.probabilities,
                top1: slot.top1,
                top2: slot.top2,
                draft_len_if_stopped: k + usize::from(order == DraftOrder::After),
            });
        let fallback = rule.accept.fallback_threshold();
        let falls_back = fallback.is_some_and(|threshold| slot.top1 < threshold);
        let is_refused = falls_back || (fires && order != DraftOrder::After);
        if is_refused && k >= min {
            self.end(DraftStop::Rule);
            return false;
        }
        self.probabilities[k] = slot.probability;
        self.drafted += 1;
        if slot.is_end {
            self.end(DraftStop::Eos);
        } else if fires {
            self.end(DraftStop::Rule);
        } else {
            self.end_at_bound();
        }
        true
    }

    /// Reduces a draft to its first `accepted` tokens, as if the rule had ended it there.
    pub fn cut(&mut self, accepted: usize) {
        self.drafted = accepted;
        self.entropies.truncate(accepted);
        self.probabilities.truncate(accepted);
        self.end(DraftStop::Rule);
    }

    /// What a stopping rule may learn from the draft, of which the verifier accepted `accepted` tokens.
    pub fn outcome(&self, rule: &SpeculativeRule, accepted: usize) -> RoundOutcome<'_> {
        RoundOutcome {
            drafted: self.drafted,
            accepted,
            max_draft_len: rule.max_draft_len,
            entropies: &self.entropies,
            probabilities: &self.probabilities,
        }
    }

    fn end(&mut self, reason: DraftStop) {
        self.stopped_by = reason;
        self.is_over = true;
    }

    fn end_at_bound(&mut self) {
        if self.drafted >= self.bounds.cap {
            self.end(if self.bounds.cap < self.bounds.room {
                DraftStop::Rule
            } else {
                DraftStop::MaxDraftLen
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::accept::AcceptRule;
    use crate::policy::entropy::EntropyRule;
    use crate::policy::stop::StopRule;

    fn slot(entropy: f64) -> SlotFacts {
        SlotFacts {
            entropy,
            probability: 0.25,
            top1: 0.5,
            top2: 0.25,
            is_end: false,
        }
    }

    /// Tokens drafted and why no more, with slots of entropies 0.1, 0.2, 0.3 … and a threshold of 0.25.
    fn drafted(order: DraftOrder, min_draft_len: usize, budget_left: usize) -> (usize, DraftStop) {
        let rule = SpeculativeRule {
            stop: StopRule::Absolute { theta_abs: 0.25 },
            order,
            min_draft_len,
            max_draft_len: 5,
            entropy: EntropyRule::default(),
            accept: AcceptRule::default(),
        };
        let terms = Terms {
            rule: &rule,
            is_greedy: true,
        };
        let mut state = rule.stop.start(0);
        let mut course = Course::default();
        course.begin(Bounds::begin_round(&rule, &mut state, budget_left));
        while !course.is_over() {
            let entropy = 0.1 * (course.drafted() + 1) as f64;
            course.see(terms, &state, &slot(entropy));
        }
        (course.drafted(), course.stopped_by())
    }

    #[test]
    fn a_draft_ends_before_at_or_without_the_slot_at_which_the_rule_fires() {
        let rule = DraftStop::Rule;
        assert_eq!(drafted(DraftOrder::Before, 0, 9), (2, rule));
        assert_eq!(drafted(DraftOrder::After, 0, 9), (3, rule));
        assert_eq!(drafted(DraftOrder::AfterDrop, 0, 9), (2, rule));
    }

    #[test]
    fn the_least_length_goes_before_the_rule_and_the_budget_before_both() {
        let rule = DraftStop::Rule;
        assert_eq!(drafted(DraftOrder::Before, 4, 9), (4, rule));
        assert_eq!(drafted(DraftOrder::After, 4, 9), (4, rule));
        assert_eq!(drafted(DraftOrder::AfterDrop, 4, 9), (4, rule));
        let bound = DraftStop::MaxDraftLen;
        assert_eq!(drafted(DraftOrder::After, 4, 3), (2, bound));
        assert_eq!(drafted(DraftOrder::Before, 5, 9), (5, bound));
        assert_eq!(drafted(DraftOrder::Before, 0, 1), (0, bound));
    }

    #[test]
    fn a_token_that_ends_the_text_ends_its_draft_and_a_cut_draft_was_ended_by_the_rule() {
        let rule = SpeculativeRule {
            stop: StopRule::Fixed {},
            order: DraftOrder::Before,
            min_draft_len: 1,
            max_draft_len: 5,
            entropy: EntropyRule::default(),
            accept: AcceptRule::default(),
        };
        let terms = Terms {
            rule: &rule,
            is_greedy: true,
        };
        let mut state = rule.stop.start(0);
        let mut course = Course::default();
        course.begin(Bounds::begin_round(&rule, &mut state, 9));
        assert!(course.see(terms, &state, &slot(0.1)));
        let last = SlotFacts {
            is_end: true,
            ..slot(0.2)
        };
        assert!(course.see(terms, &state, &last));
        assert!(course.is_over());
        assert_eq!((course.drafted(), course.stopped_by()), (2, DraftStop::Eos));
        course.cut(1);
        assert_eq!(
            (course.drafted(), course.stopped_by()),
            (1, DraftStop::Rule)
        );
        assert_eq!(course.outcome(&rule, 1).entropies, [0.1]);
    }
}
