//! What a window costs and gives: a forward over the text that has no cache row yet and the window.

use crate::engine::session::Request;
use crate::engine::window::chooser::Chooser;
use crate::engine::window::observer::Place;
use crate::model::lm::{LanguageModel, Logits, ModelError, TokenId};
use crate::policy::window::Window;

/// Fills the cache with the whole prompt. Its logits are not used: the first token comes from the
/// first mask row. Only a rule that compares with autoregressive choices reads the last row.
///
/// # Errors
/// Those of the model.
pub fn prefill(
    model: &mut dyn LanguageModel,
    request: &Request<'_>,
    chooser: &mut Chooser<'_>,
) -> Result<(), ModelError> {
    model.truncate(0);
    let positions: Vec<u32> = (0..request.prompt.len() as u32).collect();
    let n_logits = usize::from(chooser.reads_committed_rows());
    let logits = model.forward(request.prompt, &positions, n_logits)?;
    let last = request.prompt.len() - 1;
    chooser.observe_committed(&request.prompt[last..], &logits, last)?;
    Ok(())
}

/// One forward: the committed tokens that have no cache row yet, then the window in its physical
/// order (filled slots, then masks). The rows of the former are final, those of the window are
/// rolled back.
pub struct Feed {
    /// Cache rows before the forward.
    cached_len: usize,
    n_pending: usize,
    /// Slots in physical order.
    order: Vec<usize>,
    tokens: Vec<TokenId>,
    n_masks: usize,
}

impl Feed {
    /// The window behind `text`, of which the first `cached_len` tokens have a cache row.
    pub fn new(text: &[TokenId], cached_len: usize, window: &Window) -> Self {
        let order = window.feed_order();
        let slots = order.iter().map(|&slot| window.tokens()[slot]);
        let pending = &text[cached_len..];
        Self {
            cached_len,
            n_pending: pending.len(),
            tokens: pending.iter().copied().chain(slots).collect(),
            order,
            n_masks: window.n_masks(),
        }
    }

    /// Rows of the forward.
    pub fn n_rows(&self) -> usize {
        self.tokens.len()
    }

    /// Position ids in physical order.
    pub fn positions(&self) -> Vec<u32> {
        let pending = self.cached_len..self.context_len();
        let slots = self.order.iter().map(|&slot| self.context_len() + slot);
        pending
            .chain(slots)
            .map(|position| position as u32)
            .collect()
    }

    fn context_len(&self) -> usize {
        self.cached_len + self.n_pending
    }

    /// Runs the forward and leaves only rows of the text in the cache.
    ///
    /// # Shapes
    /// The last rows returned are those of the masks, ascending.
    ///
    /// # Errors
    /// Those of the model.
    pub fn run(
        &self,
        model: &mut dyn LanguageModel,
        reads_committed_rows: bool,
    ) -> Result<Logits, ModelError> {
        let n_logits = if reads_committed_rows {
            self.n_rows()
        } else {
            self.n_masks
        };
        let logits = model.forward(&self.tokens, &self.positions(), n_logits)?;
        model.truncate(self.context_len());
        Ok(logits)
    }

    /// The committed tokens that were fed, and the cache row of the first of them.
    pub fn pending(&self) -> (&[TokenId], usize) {
        (&self.tokens[..self.n_pending], self.cached_len)
    }

    /// The rows of the masks with their places. The row of a mask predicts that mask.
    pub fn mask_rows<'a>(
        &'a self,
        logits: &'a Logits,
    ) -> impl Iterator<Item = (Place, &'a [f32])> + 'a {
        let n_filled = self.order.len() - self.n_masks;
        let n_skipped = logits.n_rows() - self.n_masks;
        self.order[n_filled..]
            .iter()
            .zip(n_filled..)
            .map(|(&slot, index)| Place {
                slot,
                position: (self.context_len() + slot) as u32,
                cache_row: self.context_len() + index,
            })
            .zip(logits.rows().skip(n_skipped))
    }
}
