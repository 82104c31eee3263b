//! The window behind the committed prefix: tokens, and which of them are still masks.

use crate::model::lm::TokenId;

/// The slots after the prefix.
///
/// A slot goes from mask to filled to committed and never back. Whether a slot is a mask is its
/// flag, never its token: a model may draw the mask token as text, and the text stays text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    tokens: Vec<TokenId>,
    is_mask: Vec<bool>,
    mask_id: TokenId,
}

impl Window {
    /// A window of `window_size` masks.
    pub fn masked(window_size: usize, mask_id: TokenId) -> Self {
        Self {
            tokens: vec![mask_id; window_size],
            is_mask: vec![true; window_size],
            mask_id,
        }
    }

    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// One token per slot; masks hold the mask token.
    pub fn tokens(&self) -> &[TokenId] {
        &self.tokens
    }

    /// Filled slots before the first mask: those that the next forward makes final.
    pub fn leading_filled(&self) -> usize {
        self.is_mask
            .iter()
            .position(|&is_mask| is_mask)
            .unwrap_or(self.len())
    }

    pub fn n_masks(&self) -> usize {
        self.is_mask.iter().filter(|&&is_mask| is_mask).count()
    }

    /// Slots that are still masks, ascending.
    pub fn mask_slots(&self) -> Vec<usize> {
        self.slots_where(true)
    }

    /// Slots in the physical order of a forward: the filled ones, then the masks, each ascending.
    ///
    /// Under causal attention every mask then sees every filled token, wherever it stands, and the
    /// leading filled tokens see exactly what they would see in plain text, so their cache rows are
    /// final.
    pub fn feed_order(&self) -> Vec<usize> {
        let mut order = self.slots_where(false);
        order.extend(self.slots_where(true));
        order
    }

    /// Appends `n` masks.
    pub fn refill(&mut self, n: usize) {
        self.tokens.extend(std::iter::repeat_n(self.mask_id, n));
        self.is_mask.extend(std::iter::repeat_n(true, n));
    }

    /// Writes `token` into a mask.
    ///
    /// # Panics
    /// When `slot` is filled already: a filled slot is final.
    pub fn fill(&mut self, slot: usize, token: TokenId) {
        assert!(self.is_mask[slot], "slot {slot} is filled already");
        self.tokens[slot] = token;
        self.is_mask[slot] = false;
    }

    /// Takes the first `n` slots out of the window; slot `n` becomes slot 0.
    ///
    /// # Panics
    /// When one of them is a mask.
    pub fn commit(&mut self, n: usize) -> Vec<TokenId> {
        assert!(
            n <= self.leading_filled(),
            "a mask cannot be committed as text"
        );
        self.take(n)
    }

    /// Takes slot 0 out although it is a mask, as the notebook's procedure does.
    ///
    /// # Panics
    /// When slot 0 is filled (then [`commit`](Self::commit) is meant) or does not exist.
    pub fn force_commit(&mut self) -> Vec<TokenId> {
        assert!(self.is_mask[0], "slot 0 is filled: commit it");
        self.take(1)
    }

    fn take(&mut self, n: usize) -> Vec<TokenId> {
        self.is_mask.drain(..n);
        self.tokens.drain(..n).collect()
    }

    fn slots_where(&self, is_mask: bool) -> Vec<usize> {
        (0..self.len())
            .filter(|&slot| self.is_mask[slot] == is_mask)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: TokenId = 9;

    /// Slots 0, 2 and 3 of four filled, as after the first forward of the reference trace.
    fn gapped() -> Window {
        let mut window = Window::masked(4, MASK);
        window.fill(0, 5);
        window.fill(2, 6);
        window.fill(3, 7);
        window
    }

    #[test]
    fn a_new_window_holds_masks_only() {
        let window = Window::masked(3, MASK);
        assert_eq!(window.tokens(), [MASK; 3]);
        assert_eq!(window.leading_filled(), 0);
        assert_eq!(window.mask_slots(), [0, 1, 2]);
    }

    #[test]
    fn filled_slots_are_fed_before_masks_and_both_ascend() {
        let mut window = gapped();
        window.refill(1);
        assert_eq!(window.feed_order(), [0, 2, 3, 1, 4]);
        assert_eq!(window.n_masks(), 2);
    }

    #[test]
    fn only_the_slots_before_the_first_mask_are_leading() {
        let mut window = gapped();
        assert_eq!(window.leading_filled(), 1);
        window.fill(1, 8);
        assert_eq!(window.leading_filled(), 4);
    }

    #[test]
    fn a_commit_shifts_the_rest_to_the_front() {
        let mut window = gapped();
        assert_eq!(window.commit(1), [5]);
        assert_eq!(window.tokens(), [MASK, 6, 7]);
        assert_eq!(window.mask_slots(), [0]);
    }

    #[test]
    fn a_drawn_mask_token_counts_as_filled() {
        let mut window = Window::masked(2, MASK);
        window.fill(0, MASK);
        assert_eq!(window.mask_slots(), [1]);
        assert_eq!(window.commit(1), [MASK]);
    }

    #[test]
    fn a_refill_after_a_commit_restores_the_window_size() {
        let mut window = gapped();
        let lead = window.leading_filled();
        window.refill(lead);
        window.commit(lead);
        assert_eq!(window.len(), 4);
    }

    #[test]
    fn a_forced_commit_takes_the_literal_mask() {
        let mut window = Window::masked(2, MASK);
        window.fill(1, 4);
        assert_eq!(window.force_commit(), [MASK]);
        assert_eq!(window.leading_filled(), 1);
    }

    #[test]
    #[should_panic(expected = "a mask cannot be committed")]
    fn a_commit_beyond_the_leading_slots_is_refused() {
        gapped().commit(2);
    }

    #[test]
    #[should_panic(expected = "filled already")]
    fn a_filled_slot_is_never_filled_again() {
        gapped().fill(2, 1);
    }
}
