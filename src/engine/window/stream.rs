//! The reference engine's loop; the paper's Algorithm 1 and block decoding refill at other times.

use std::time::{Duration, Instant};

use crate::config::decoder::Ending;
use crate::engine::clock::timed;
use crate::engine::ending::{Cut, cut};
use crate::engine::session::{EngineError, Request};
use crate::engine::step::{Durations, Generation};
use crate::engine::window::WindowRule;
use crate::engine::window::chooser::Chooser;
use crate::engine::window::feed;
use crate::engine::window::observer::Place;
use crate::engine::window::step::Step;
use crate::model::lm::{LanguageModel, Logits, TokenId};
use crate::policy::window::Window;

/// When new masks are appended to the window, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refill {
    /// At the start of the step, as many as are about to be committed: the reference engine.
    Eager,
    /// At the end of the step, as many as were committed: Algorithm 1 of the paper.
    Lazy,
    /// At the start of the first step that finds no mask, a whole window: the block decoding to
    /// which the paper compares its stream, and `generate_wedlm` of `modeling_wedlm.py`.
    Blockwise,
}

impl Refill {
    /// Masks to append before a forward.
    fn n_before(self, window: &Window, window_size: usize) -> usize {
        match self {
            Self::Eager => window.leading_filled(),
            Self::Blockwise if window.n_masks() == 0 => window_size,
            Self::Lazy | Self::Blockwise => 0,
        }
    }

    /// Masks to append after a forward that committed `n_committed` slots.
    fn n_after(self, n_committed: usize) -> usize {
        match self {
            Self::Lazy => n_committed,
            Self::Eager | Self::Blockwise => 0,
        }
    }
}

/// One forward, decided before it runs: its commit does not depend on its logits.
struct Plan {
    /// Committed tokens before the forward, the prompt included.
    context_len: usize,
    /// Slots in physical order.
    order: Vec<usize>,
    tokens: Vec<TokenId>,
    /// Filled slots before the first mask.
    n_leading: usize,
    n_masks: usize,
    cut: Cut,
}

impl Plan {
    fn positions(&self) -> Vec<u32> {
        self.order
            .iter()
            .map(|&slot| (self.context_len + slot) as u32)
            .collect()
    }
}

pub fn decode(
    model: &mut dyn LanguageModel,
    rule: &WindowRule,
    request: &Request<'_>,
    mask_id: TokenId,
    refill: Refill,
) -> Result<Generation, EngineError> {
    let mut generation = Generation::default();
    let mut chooser = Chooser::new(
        &rule.select,
        rule.window_size,
        rule.entropy,
        request,
        Some(mask_id),
    );
    let mut window = Window::masked(rule.window_size, mask_id);
    timed(&mut generation.durations.prefill, || {
        feed::prefill(model, request, &mut chooser)
    })?;
    loop {
        let round_started = Instant::now();
        let n_new = refill.n_before(&window, rule.window_size);
        let is_new_block = refill == Refill::Blockwise && n_new > 0;
        let plan = decide(&mut window, request, &generation.ids, n_new);
        if let (Ending::Text, Some(finish)) = (rule.ending, plan.cut.finish) {
            complete(&mut generation, &plan.tokens[..plan.cut.len]);
            generation.finished_by = finish;
            return Ok(generation);
        }
        let mut verify = Duration::ZERO;
        let logits = timed(&mut verify, || {
            compute(model, &plan, chooser.reads_committed_rows())
        })?;

        let policy_started = Instant::now();
        let committed = plan.tokens[..plan.cut.len].to_vec();
        let compared = chooser.observe_committed(&committed, &logits, plan.context_len)?;
        let mut slots = Vec::new();
        if plan.cut.finish.is_none() {
            window.commit(plan.n_leading);
            if is_new_block {
                // What a rule remembers is of masks that are gone.
                chooser.restart();
            } else {
                chooser.slide(plan.n_leading, plan.context_len + plan.n_leading);
            }
            slots = chooser.fill(&mut window, mask_rows(&plan, &logits))?;
            window.refill(refill.n_after(plan.n_leading));
        }
        let step = Step {
            context_len: plan.context_len,
            positions: plan.positions(),
            committed,
            n_forced: 0,
            compared,
            slots,
            durations: Durations {
                wall: round_started.elapsed(),
                verify,
                policy: policy_started.elapsed(),
                ..Durations::default()
            },
        };
        step.record(&mut generation);
        if let Some(finish) = plan.cut.finish {
            generation.finished_by = finish;
            return Ok(generation);
        }
    }
}

/// Appends `n_new` masks and lays out the forward.
fn decide(window: &mut Window, request: &Request<'_>, ids: &[TokenId], n_new: usize) -> Plan {
    let n_leading = window.leading_filled();
    window.refill(n_new);
    let order = window.feed_order();
    let tokens = order.iter().map(|&slot| window.tokens()[slot]).collect();
    Plan {
        context_len: request.prompt.len() + ids.len(),
        order,
        tokens,
        n_leading,
        n_masks: window.n_masks(),
        cut: cut(ids, &window.tokens()[..n_leading], request),
    }
}

/// Commits the last tokens with the forward that filled the last of them.
fn complete(generation: &mut Generation, committed: &[TokenId]) {
    generation.ids.extend(committed);
    generation.counts.committed += committed.len() as u64;
    let last = generation.rounds.last_mut();
    last.expect("filled tokens come from a forward")
        .committed
        .extend(committed);
}

/// Runs the forward and leaves only committed rows in the cache. The leading slots come first in
/// physical order, so the first rows behind the old context are theirs.
fn compute(
    model: &mut dyn LanguageModel,
    plan: &Plan,
    reads_committed_rows: bool,
) -> Result<Logits, EngineError> {
    let n_logits = match (plan.cut.finish, reads_committed_rows) {
        (_, true) => plan.order.len(),
        (None, false) => plan.n_masks,
        (Some(_), false) => 0,
    };
    let logits = model.forward(&plan.tokens, &plan.positions(), n_logits)?;
    model.truncate(plan.context_len + plan.cut.len);
    Ok(logits)
}

/// The rows of the masks, which are the last ones, with their places after the commit.
fn mask_rows<'a>(
    plan: &'a Plan,
    logits: &'a Logits,
) -> impl Iterator<Item = (Place, &'a [f32])> + 'a {
    let n_filled = plan.order.len() - plan.n_masks;
    let n_skipped = logits.n_rows() - plan.n_masks;
    plan.order[n_filled..]
        .iter()
        .zip(n_filled..)
        .map(|(&slot, index)| Place {
            slot: slot - plan.n_leading,
            position: (plan.context_len + slot) as u32,
            cache_row: plan.context_len + index,
        })
        .zip(logits.rows().skip(n_skipped))
}
