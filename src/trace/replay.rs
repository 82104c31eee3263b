//! Reads the rounds of any stopping rule off a trace.
//!
//! The decisions are those of live drafting ([`Course`], [`StopState`]); a trace takes the place of the
//! models. Rules of scope `stream` go through the prompts in their order.

mod generations;
mod refusal;
mod totals;

use std::ops::Range;

use self::generations::Generations;
pub use self::refusal::ReplayRefusal;
pub use self::totals::{Forwards, Stops, Totals, TotalsPerPrompt};
use super::Trace;
use crate::engine::speculative::SpeculativeRule;
use crate::engine::speculative::course::{Bounds, Course, SlotFacts, Terms};
use crate::engine::step::{DraftStop, Generation, RoundCounts};
use crate::policy::stop::StopState;

/// A decoder and a trace that can tell its rounds.
#[derive(Debug, Clone, Copy)]
pub struct Replay<'t> {
    trace: &'t Trace,
    terms: Terms<'t>,
    /// Column of the entropy that the rule reads.
    entropies: &'t [f64],
}

/// One round of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedRound {
    /// Index in the trace.
    pub prompt: usize,
    /// Committed tokens before the round, the prompt included.
    pub context_len: usize,
    /// Rows of the trace that were looked at, in their order: first on the text …
    pub on_text: Range<usize>,
    /// … then behind a wrong token.
    pub off_text: Range<usize>,
    pub stopped_by: DraftStop,
    pub counts: RoundCounts,
    /// Rows of the first drafter forward: the committed tokens that its cache lacks. Later forwards have
    /// one row. 0 without a forward.
    pub first_fed: usize,
}

/// Somebody who is told what happens in a replay.
pub trait Observer {
    /// The prompt of that index starts.
    fn begin_prompt(&mut self, prompt: usize);

    /// A round has ended.
    fn round(&mut self, round: &ReplayedRound);
}

/// Two who are told the same.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn begin_prompt(&mut self, prompt: usize) {
        self.0.begin_prompt(prompt);
        self.1.begin_prompt(prompt);
    }

    fn round(&mut self, round: &ReplayedRound) {
        self.0.round(round);
        self.1.round(round);
    }
}

/// Rows looked at in a draft.
struct Looked {
    on_text: Range<usize>,
    off_text: Range<usize>,
    /// Drafted tokens that are the verifier's, up to the first that is not.
    accepted: usize,
}

impl<'t> Replay<'t> {
    /// # Errors
    /// [`ReplayRefusal`] when the trace does not determine the rounds of the rule.
    pub fn new(trace: &'t Trace, rule: &'t SpeculativeRule) -> Result<Self, ReplayRefusal> {
        let entropy = trace.header.admits(rule)?;
        Ok(Self {
            trace,
            terms: Terms {
                rule,
                is_greedy: trace.header.sampling.is_greedy(),
            },
            entropies: &trace.slots.entropies[entropy],
        })
    }

    /// Every generation as a live run reports it, but for its durations and overlaps.
    pub fn generations(&self) -> Vec<Generation> {
        let mut generations = Generations::of(*self);
        self.run(&mut generations);
        generations.done
    }

    /// The counts of every prompt.
    pub fn totals(&self) -> Vec<Totals> {
        let mut totals = TotalsPerPrompt::default();
        self.run(&mut totals);
        totals.0
    }

    /// Decodes all prompts, in their order, and tells `observer`.
    pub fn run(&self, observer: &mut impl Observer) {
        let prompts = self.trace.prompts();
        let Some(first) = prompts.first() else {
            return;
        };
        let mut state = self.terms.rule.stop.start(first.seed);
        let mut course = Course::default();
        for (prompt, text) in prompts.iter().enumerate() {
            state.begin_prompt(text.seed);
            observer.begin_prompt(prompt);
            self.decode(prompt, &mut state, &mut course, observer);
        }
    }

    fn decode(
        &self,
        prompt: usize,
        state: &mut StopState,
        course: &mut Course,
        observer: &mut impl Observer,
    ) {
        let rule = self.terms.rule;
        let text = &self.trace.prompts[prompt];
        let first_row = self.trace.index.first_rows[prompt];
        let mut committed = 0;
        let mut drafter_cached = text.prompt_len - 1;
        while committed < text.text_len {
            let budget_left = text.max_new_tokens - committed;
            course.begin(Bounds::begin_round(rule, state, budget_left));
            let mut looked = self.draft(first_row + committed, state, course);
            let accepted = looked.accepted;
            if rule.stop.is_oracle() && accepted < course.drafted() {
                course.cut(accepted);
                looked.cut(accepted);
            }
            state.end_round(course.outcome(rule, accepted));
            let context_len = text.prompt_len + committed;
            let drafter_forwards = looked.on_text.len() + looked.off_text.len();
            let first_fed = match drafter_forwards {
                0 => 0,
                1.. => context_len - drafter_cached,
            };
            let drafter_token_instances = first_fed + drafter_forwards.saturating_sub(1);
            drafter_cached += drafter_token_instances;
            drafter_cached = drafter_cached.min(context_len + accepted);
            // An accepted token that ends the text leaves no place for the verifier's own.
            let n_new = (accepted + 1).min(text.text_len - committed);
            observer.round(&ReplayedRound {
                prompt,
                context_len,
                on_text: looked.on_text,
                off_text: looked.off_text,
                stopped_by: course.stopped_by(),
                counts: RoundCounts {
                    drafted: course.drafted(),
                    accepted,
                    committed: n_new,
                    drafter_forwards,
                    drafter_token_instances,
                },
                first_fed,
            });
            committed += n_new;
        }
    }

    /// Drafts from the text's row `first` on.
    fn draft(&self, first: usize, state: &StopState, course: &mut Course) -> Looked {
        let index = &self.trace.index;
        let mut looked = Looked {
            on_text: first..first,
            off_text: 0..0,
            accepted: 0,
        };
        while !course.is_over() {
            let row = looked.on_text.end;
            looked.on_text.end += 1;
            let is_drafted = course.see(self.terms, state, &self.facts(row));
            if is_drafted && !index.is_match[row] {
                let behind = index.behind[row].clone();
                looked.off_text = behind.start..behind.start;
                while !course.is_over() {
                    assert!(
                        looked.off_text.end < behind.end,
                        "a draft goes no further than its bounds"
                    );
                    course.see(self.terms, state, &self.facts(looked.off_text.end));
                    looked.off_text.end += 1;
                }
                return looked;
            }
            looked.accepted += usize::from(is_drafted);
        }
        looked
    }

    fn facts(&self, row: usize) -> SlotFacts {
        let slots = &self.trace.slots;
        SlotFacts {
            entropy: self.entropies[row],
            probability: slots.probability[row],
            top1: slots.top1[row],
            top2: slots.top2[row],
            is_end: slots.is_end[row],
        }
    }
}

impl Looked {
    /// Only the first `accepted` slots were looked at.
    fn cut(&mut self, accepted: usize) {
        self.on_text.end = self.on_text.start + accepted;
        self.off_text = 0..0;
    }
}
