//! Floating-point operations of a generation, from the rows that its models were fed.
//!
//! A row of a transformer with N parameters that attends c rows (itself included) takes
//! 2·N + 4·L·H·d·c operations: one multiplication and one addition per parameter, and twice that per
//! layer, head and channel for the scores and the weighted sum of attention (Chowdhery et al. 2022,
//! PaLM, appendix B, whose 6·N + 12·L·H·Q·T counts forward and backward). Norms, softmax, rotary
//! embedding and the policy are left out.
//!
//! Pitfalls: an untied input embedding counts as if it were multiplied; every row counts a head,
//! also where no logits are asked for; a sliding window counts as full attention. Operations are no
//! time: a forward of few rows is bound by memory, and a drafter's row costs more time per operation.

use crate::engine::step::Round;
use crate::trace::replay::{Observer, ReplayedRound};
use crate::trace::{Trace, TracedPrompt};

/// What the operations of a row follow from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ModelShape {
    pub n_parameters: u64,
    /// Layers × heads × channels of a head.
    pub attention_width: u64,
}

impl ModelShape {
    /// Operations of feeding `n_rows` rows behind `n_cached` ones, each attending all before it.
    pub fn flops(&self, n_rows: u64, n_cached: u64) -> u64 {
        // Σ (n_cached + i) over i = 1..=n_rows.
        let attended = n_rows * n_cached + n_rows * (n_rows + 1) / 2;
        2 * self.n_parameters * n_rows + 4 * self.attention_width * attended
    }
}

/// The models of a generation; `drafter` is none where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shapes {
    /// The model whose output counts.
    pub verifier: ModelShape,
    pub drafter: Option<ModelShape>,
}

/// Operations of a generation, prefill not included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flops {
    pub verifier: u64,
    pub drafter: u64,
    /// Of both, on draft tokens that were not accepted: the verifier's rows of these, and the drafter
    /// forwards that gave them or a slot that a rule then refused.
    pub wasted: u64,
}

impl Flops {
    /// Of a speculative or autoregressive generation, see [`FlopCounter`].
    pub fn of_rounds(shapes: &Shapes, prompt_len: usize, rounds: &[Round]) -> Self {
        let mut counter = FlopCounter::new(*shapes, prompt_len);
        for round in rounds {
            counter.add(RoundRows::from(round));
        }
        counter.flops
    }

    /// Of a lone window decoder: a round feeds the rows in [`Round::positions`], and those behind the
    /// text are rolled back. Nothing of it is called wasted, as there is no draft.
    pub fn of_window(window: &ModelShape, rounds: &[Round]) -> Self {
        let rows = rounds.iter().map(|round| {
            let n_rows = round.positions.len() as u64;
            let first = round.positions.first().copied().unwrap_or(0);
            window.flops(n_rows, u64::from(first))
        });
        Self {
            verifier: rows.sum(),
            ..Self::default()
        }
    }

    /// Of a window that drafts for a verifier. Its rounds do not say how many rows each of its forwards
    /// fed, so `drafter_rows`, their number, is spread evenly over them.
    pub fn of_window_draft(shapes: &Shapes, drafter_rows: u64, rounds: &[Round]) -> Self {
        let alone = Shapes {
            drafter: None,
            ..*shapes
        };
        let mut flops = Self::of_rounds(&alone, 0, rounds);
        let n_forwards: u64 = rounds.iter().map(|one| one.drafter_forwards as u64).sum();
        if let Some(drafter) = shapes.drafter.filter(|_| n_forwards > 0) {
            let rows = drafter_rows / n_forwards;
            let spread = rounds.iter().map(|round| {
                let forward = drafter.flops(rows, round.context_len as u64);
                round.drafter_forwards as u64 * forward
            });
            flops.drafter = spread.sum();
            let share = |round: &Round| {
                let (drafted, accepted) = (round.draft.len() as u64, round.accepted as u64);
                let forwards = round.drafter_forwards as u64;
                let spent = forwards * drafter.flops(rows, round.context_len as u64);
                // A forward fills several slots: its cost is shared by the tokens of the draft.
                spent - spent * accepted / drafted.max(1)
            };
            let wasted = rounds.iter().filter(|round| !round.draft.is_empty());
            flops.wasted += wasted.map(share).sum::<u64>();
        }
        flops
    }
}

/// What the operations of a speculative or autoregressive round follow from.
#[derive(Debug, Clone, Copy)]
pub struct RoundRows {
    /// Committed tokens before the round, the prompt included.
    pub context_len: usize,
    pub drafted: usize,
    pub accepted: usize,
    pub drafter_forwards: usize,
}

impl From<&Round> for RoundRows {
    fn from(round: &Round) -> Self {
        Self {
            context_len: round.context_len,
            drafted: round.draft.len(),
            accepted: round.accepted,
            drafter_forwards: round.drafter_forwards,
        }
    }
}

impl From<&ReplayedRound> for RoundRows {
    fn from(round: &ReplayedRound) -> Self {
        Self {
            context_len: round.context_len,
            drafted: round.counts.drafted,
            accepted: round.counts.accepted,
            drafter_forwards: round.counts.drafter_forwards,
        }
    }
}

/// Adds up the operations of a speculative or autoregressive generation, round after round.
///
/// The drafter feeds in its first forward of a round what it has not seen of the text, and then its own
/// tokens, one a forward; what was not accepted is rolled back.
#[derive(Debug, Clone, Copy)]
pub struct FlopCounter {
    pub flops: Flops,
    shapes: Shapes,
    /// Tokens of the text that the drafter has seen.
    cached: u64,
}

impl FlopCounter {
    /// Behind `prompt_len` tokens of a prompt, all but the last of which both models have cached.
    pub fn new(shapes: Shapes, prompt_len: usize) -> Self {
        Self {
            flops: Flops::default(),
            shapes,
            cached: prompt_len.saturating_sub(1) as u64,
        }
    }

    pub fn add(&mut self, round: RoundRows) {
        let (flops, cached) = (&mut self.flops, self.cached);
        let context = round.context_len as u64;
        let (drafted, accepted) = (round.drafted as u64, round.accepted as u64);
        let verifier = self.shapes.verifier;
        flops.verifier += verifier.flops(drafted + 1, context - 1);
        flops.wasted += verifier.flops(drafted - accepted, context + accepted);
        let n_forwards = round.drafter_forwards as u64;
        if let Some(drafter) = self.shapes.drafter.filter(|_| n_forwards > 0) {
            // The last forward feeds the token before the slot that it looks at.
            let end = context + n_forwards - 1;
            flops.drafter += drafter.flops(end - cached, cached);
            let wasted = (n_forwards - accepted.min(n_forwards)).min(end - cached);
            flops.wasted += drafter.flops(wasted, end - wasted);
            self.cached = end.min(context + accepted);
        }
    }
}

/// The operations of each prompt of a replay, as the rounds would cost them live.
#[derive(Debug)]
pub struct FlopsPerPrompt<'t> {
    shapes: Shapes,
    prompts: &'t [TracedPrompt],
    counters: Vec<FlopCounter>,
}

impl<'t> FlopsPerPrompt<'t> {
    /// Of a replay of this trace.
    pub fn new(shapes: Shapes, trace: &'t Trace) -> Self {
        Self {
            shapes,
            prompts: trace.prompts(),
            counters: Vec::new(),
        }
    }

    /// In the order of the prompts.
    pub fn flops(&self) -> impl Iterator<Item = Flops> {
        self.counters.iter().map(|counter| counter.flops)
    }
}

impl Observer for FlopsPerPrompt<'_> {
    fn begin_prompt(&mut self, prompt: usize) {
        let prompt_len = self.prompts[prompt].prompt_len;
        self.counters
            .push(FlopCounter::new(self.shapes, prompt_len));
    }

    fn round(&mut self, round: &ReplayedRound) {
        let counter = self.counters.last_mut().expect("a prompt has begun");
        counter.add(RoundRows::from(round));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIG: ModelShape = ModelShape {
        n_parameters: 1_000,
        attention_width: 10,
    };
    const SMALL: ModelShape = ModelShape {
        n_parameters: 100,
        attention_width: 1,
    };

    fn round(context_len: usize, drafted: usize, accepted: usize, forwards: usize) -> Round {
        Round {
            context_len,
            draft: vec![0; drafted],
            accepted,
            drafter_forwards: forwards,
            ..Round::default()
        }
    }

    #[test]
    fn a_row_costs_two_per_parameter_and_four_per_channel_and_row_attended() {
        // One row behind 4: it attends 5.
        assert_eq!(BIG.flops(1, 4), 2_000 + 4 * 10 * 5);
        // Two rows attend 5 and 6.
        assert_eq!(BIG.flops(2, 4), 4_000 + 4 * 10 * 11);
        assert_eq!(BIG.flops(0, 4), 0);
    }

    #[test]
    fn a_step_without_a_draft_is_one_row_of_the_verifier() {
        let shapes = Shapes {
            verifier: BIG,
            drafter: None,
        };
        let steps = [round(5, 0, 0, 0), round(6, 0, 0, 0)];
        let flops = Flops::of_rounds(&shapes, 5, &steps);
        assert_eq!(flops.verifier, BIG.flops(1, 4) + BIG.flops(1, 5));
        assert_eq!((flops.drafter, flops.wasted), (0, 0));
    }

    #[test]
    fn a_refused_draft_wastes_rows_of_both_models() {
        let shapes = Shapes {
            verifier: BIG,
            drafter: Some(SMALL),
        };
        // Three drafted behind 5 tokens, one accepted: the verifier reads 4 rows, two of them in vain.
        // The drafter feeds the last token of the prompt and two of its own; two of these forwards
        // gave tokens that were refused.
        let flops = Flops::of_rounds(&shapes, 5, &[round(5, 3, 1, 3)]);
        assert_eq!(flops.verifier, BIG.flops(4, 4));
        assert_eq!(flops.drafter, SMALL.flops(3, 4));
        assert_eq!(flops.wasted, BIG.flops(2, 6) + SMALL.flops(2, 5));
    }

    #[test]
    fn behind_a_draft_that_was_accepted_whole_the_drafter_feeds_two_tokens_first() {
        let shapes = Shapes {
            verifier: BIG,
            drafter: Some(SMALL),
        };
        // Two drafted, both accepted, 3 committed: the drafter has cached 6 of then 8 tokens.
        let rounds = [round(5, 2, 2, 2), round(8, 1, 1, 1)];
        let flops = Flops::of_rounds(&shapes, 5, &rounds);
        assert_eq!(flops.drafter, SMALL.flops(2, 4) + SMALL.flops(2, 6));
        assert_eq!(flops.wasted, 0);
    }

    #[test]
    fn a_slot_that_a_rule_refuses_is_a_drafter_forward_in_vain() {
        let shapes = Shapes {
            verifier: BIG,
            drafter: Some(SMALL),
        };
        // One token drafted and accepted, a second slot looked at and refused.
        let flops = Flops::of_rounds(&shapes, 5, &[round(5, 1, 1, 2)]);
        assert_eq!(flops.wasted, SMALL.flops(1, 5));
    }

    #[test]
    fn a_window_feeds_the_rows_of_its_positions() {
        let round = Round {
            positions: vec![4, 5, 7, 6],
            ..Round::default()
        };
        let flops = Flops::of_window(&SMALL, &[round]);
        assert_eq!(flops.verifier, SMALL.flops(4, 4));
    }
}
