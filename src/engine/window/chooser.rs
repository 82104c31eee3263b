//! Fills masks: looks at their rows, lets the rule select, writes the tokens.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::engine::choice::check_row;
use crate::engine::session::Request;
use crate::engine::step::{Outcome, Slot};
use crate::engine::window::agreement::{Agreement, Compared};
use crate::engine::window::observer::{Observer, Place};
use crate::model::lm::{Logits, ModelError, TokenId};
use crate::policy::entropy::EntropyRule;
use crate::policy::noise::Noise;
use crate::policy::select::{MaskView, SelectRule, SelectState, select};
use crate::policy::window::Window;

/// The selection rule at work in one generation.
pub struct Chooser<'a> {
    rule: &'a SelectRule,
    state: SelectState,
    observer: Observer,
    lots: Option<ChaCha8Rng>,
    agreement: Option<Agreement>,
}

impl<'a> Chooser<'a> {
    /// The rule `select` on windows of `window_size` slots; it reads `entropy`.
    pub fn new(
        select: &'a SelectRule,
        window_size: usize,
        entropy: EntropyRule,
        request: &Request<'_>,
        forbidden: Option<TokenId>,
    ) -> Self {
        let (mut lots, mut agreement) = (None, None);
        if let SelectRule::Random { seed, .. } = *select {
            let mut stream = ChaCha8Rng::seed_from_u64(request.seed.wrapping_add(seed));
            // Apart from the draws of tokens, which use stream 0 of the same generation.
            stream.set_stream(1);
            lots = Some(stream);
        }
        if let SelectRule::Hybrid { recent, .. } = *select {
            agreement = Some(Agreement::new(recent, forbidden));
        }
        Self {
            rule: select,
            state: SelectState::new(window_size),
            observer: Observer::new(select, entropy, request, forbidden),
            lots,
            agreement,
        }
    }

    /// Draws tokens with the noise of their position, as a verifier that uses the same noise does.
    pub fn couple(&mut self, noise: Noise) {
        self.observer.couple(noise);
    }

    /// Whether the rule reads the next-token rows of committed tokens.
    pub fn reads_committed_rows(&self) -> bool {
        self.agreement.is_some()
    }

    /// Takes the next tokens of the text; `logits` starts with their rows, the first of which is
    /// cache row `cache_row`. Does nothing unless the rule reads them.
    ///
    /// # Errors
    /// [`ModelError::NotANumber`].
    pub fn observe_committed(
        &mut self,
        tokens: &[TokenId],
        logits: &Logits,
        cache_row: usize,
    ) -> Result<Compared, ModelError> {
        let Some(agreement) = &mut self.agreement else {
            return Ok(Compared::default());
        };
        let rows = || logits.rows().take(tokens.len());
        for (row, cache_row) in rows().zip(cache_row..) {
            check_row(row, cache_row)?;
        }
        let compared = agreement.observe(tokens, rows());
        self.state.recent_acceptance = agreement.share();
        Ok(compared)
    }

    /// Follows the window when its first `n` slots are committed; `context_len` counts them in.
    pub fn slide(&mut self, n: usize, context_len: usize) {
        self.state.slide(n);
        self.observer.forget_before(context_len as u32);
    }

    /// Forgets the masks seen so far: the next window is a new one. What is known of committed text
    /// stays.
    pub fn restart(&mut self) {
        self.state.restart();
        self.observer.forget_before(u32::MAX);
    }

    /// Fills at least one mask of `window`. `rows` holds one row per mask, in ascending order.
    /// Returns one record per mask, with the place where it stood.
    ///
    /// # Errors
    /// [`ModelError::NotANumber`].
    pub fn fill<'r>(
        &mut self,
        window: &mut Window,
        rows: impl Iterator<Item = (Place, &'r [f32])>,
    ) -> Result<Vec<Slot>, ModelError> {
        let mut masks: Vec<MaskView> = Vec::new();
        let mut slots: Vec<Slot> = Vec::new();
        for (place, row) in rows {
            let mask = self.observer.look(place, row)?;
            masks.push(mask);
            slots.push(Slot {
                position: place.position,
                token: mask.token,
                entropy: mask.entropy,
                top1: mask.top1,
                margin: mask.top1 - mask.top2,
                outcome: Outcome::Unfilled,
                ..Slot::default()
            });
        }
        for (slot, adjusted) in slots.iter_mut().zip(self.rule.adjusted_entropies(&masks)) {
            slot.adjusted = adjusted;
        }
        if masks.is_empty() {
            return Ok(slots);
        }
        let uniforms = match &mut self.lots {
            Some(lots) => masks.iter().map(|_| lots.random()).collect(),
            None => Vec::new(),
        };
        for index in select(self.rule, &mut self.state, &masks, &uniforms) {
            window.fill(masks[index].slot, masks[index].token);
            slots[index].outcome = Outcome::Filled;
        }
        Ok(slots)
    }
}
