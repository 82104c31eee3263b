//! The notebook's window procedure, kept to measure what it costs.
//!
//! It runs on a plain causal model: no reordering, so a mask does not see filled tokens to its
//! right; slot i is predicted by the row before it, the next-token shift; a token is committed in
//! the very step that filled it; and when slot 0 stays a mask, the literal mask token is committed
//! as text. Those commits are counted: tokens per forward mean nothing without that count.
//!
//! Two repairs keep its output comparable with other decoders: a commit is cut at the budget and
//! behind a stop token, where the notebook overshoots both.

use std::time::{Duration, Instant};

use crate::engine::clock::timed;
use crate::engine::ending::cut;
use crate::engine::prompt;
use crate::engine::session::{EngineError, Request};
use crate::engine::step::{Durations, Generation};
use crate::engine::window::WindowRule;
use crate::engine::window::chooser::Chooser;
use crate::engine::window::observer::Place;
use crate::engine::window::step::Step;
use crate::model::lm::{LanguageModel, Logits, TokenId};
use crate::policy::window::Window;

/// One forward: the committed tokens that have no cache row yet (at least one), then the window.
struct Feed {
    /// Cache rows before the forward.
    cached_len: usize,
    tokens: Vec<TokenId>,
    /// Committed tokens among them.
    n_committed: usize,
    mask_slots: Vec<usize>,
}

impl Feed {
    fn positions(&self) -> Vec<u32> {
        (0..self.tokens.len())
            .map(|index| (self.cached_len + index) as u32)
            .collect()
    }

    fn context_len(&self) -> usize {
        self.cached_len + self.n_committed
    }

    /// Index in the feed of the row that predicts `slot`: the one before it.
    fn row_before(&self, slot: usize) -> usize {
        self.n_committed + slot - 1
    }
}

pub fn decode(
    model: &mut dyn LanguageModel,
    rule: &WindowRule,
    request: &Request<'_>,
    mask_id: TokenId,
) -> Result<Generation, EngineError> {
    let mut generation = Generation::default();
    // The notebook does not keep the mask token from being chosen.
    let mut chooser = Chooser::new(&rule.select, rule.window_size, rule.entropy, request, None);
    let mut window = Window::masked(rule.window_size, mask_id);
    let mut text = request.prompt.to_vec();
    // The row of the last prompt token predicts slot 0, so that token is fed with the window.
    timed(&mut generation.durations.prefill, || {
        prompt::prefill(model, request)
    })?;
    loop {
        let round_started = Instant::now();
        let feed = decide(&text, model.cached_len(), &window);
        let mut verify = Duration::ZERO;
        let logits = timed(&mut verify, || {
            compute(model, &feed, chooser.reads_committed_rows())
        })?;

        let policy_started = Instant::now();
        let fed_text = &feed.tokens[..feed.n_committed];
        let compared = chooser.observe_committed(fed_text, &logits, feed.cached_len)?;
        let slots = chooser.fill(&mut window, mask_rows(&feed, &logits))?;
        let (mut committed, n_forced) = take(&mut window);
        window.refill(committed.len());
        let cut = cut(&generation.ids, &committed, request);
        chooser.slide(committed.len(), text.len() + committed.len());
        committed.truncate(cut.len);
        text.extend(&committed);
        let step = Step {
            context_len: feed.context_len(),
            positions: feed.positions(),
            committed,
            n_forced,
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
        if let Some(finish) = cut.finish {
            generation.finished_by = finish;
            return Ok(generation);
        }
    }
}

fn decide(text: &[TokenId], cached_len: usize, window: &Window) -> Feed {
    let committed = &text[cached_len..];
    Feed {
        cached_len,
        tokens: [committed, window.tokens()].concat(),
        n_committed: committed.len(),
        mask_slots: window.mask_slots(),
    }
}

/// Runs the forward and leaves the rows of committed tokens in the cache. Rows of the window go: a
/// token that the next step commits was fed as a mask, or behind one.
fn compute(
    model: &mut dyn LanguageModel,
    feed: &Feed,
    reads_committed_rows: bool,
) -> Result<Logits, EngineError> {
    let first_row = match (reads_committed_rows, feed.mask_slots.first()) {
        (true, _) => 0,
        (false, Some(&slot)) => feed.row_before(slot),
        (false, None) => feed.tokens.len(),
    };
    let n_logits = feed.tokens.len() - first_row;
    let logits = model.forward(&feed.tokens, &feed.positions(), n_logits)?;
    model.truncate(feed.context_len());
    Ok(logits)
}

/// The rows that predict the masks, with the places of the masks.
fn mask_rows<'a>(
    feed: &'a Feed,
    logits: &'a Logits,
) -> impl Iterator<Item = (Place, &'a [f32])> + 'a {
    let n_skipped = feed.tokens.len() - logits.n_rows();
    feed.mask_slots.iter().map(move |&slot| {
        let place = Place {
            slot,
            position: (feed.context_len() + slot) as u32,
            cache_row: feed.cached_len + feed.row_before(slot),
        };
        (place, logits.row(feed.row_before(slot) - n_skipped))
    })
}

/// Takes the leading filled slots out of the window, or slot 0 by force when there is none.
/// Returns the tokens and how many of them are literal masks.
fn take(window: &mut Window) -> (Vec<TokenId>, usize) {
    match window.leading_filled() {
        0 => (window.force_commit(), 1),
        n_leading => (window.commit(n_leading), 0),
    }
}
