//! What selection remembers from forward to forward.

use super::MaskView;
use super::slow_fast::Phase;

/// The memory of one generation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SelectState {
    /// Slots of a full window.
    pub window_size: usize,
    /// Share of recently committed tokens that equal the autoregressive choice; `None` before the
    /// first comparison. Read by the hybrid rule only.
    pub recent_acceptance: Option<f64>,
    /// Selections made so far.
    pub(super) n_selections: usize,
    /// Slots committed so far: `origin + slot` names a position for good.
    pub(super) origin: usize,
    /// Per slot: consecutive forwards with a divergence below the bound.
    pub(super) calm: Vec<usize>,
    pub(super) phase: Phase,
}

impl SelectState {
    pub fn new(window_size: usize) -> Self {
        Self {
            window_size,
            ..Self::default()
        }
    }

    /// Follows the window when its first `n` slots are committed.
    pub fn slide(&mut self, n: usize) {
        self.origin += n;
        self.calm.drain(..n.min(self.calm.len()));
    }

    /// Starts over with a new window of the same size; the recent acceptance stays.
    pub fn restart(&mut self) {
        *self = Self {
            recent_acceptance: self.recent_acceptance,
            ..Self::new(self.window_size)
        };
    }

    /// Counts on, or starts over, the calm forwards of each mask.
    pub(super) fn observe_divergences(&mut self, masks: &[MaskView], epsilon: f64) {
        for mask in masks {
            if self.calm.len() <= mask.slot {
                self.calm.resize(mask.slot + 1, 0);
            }
            let is_calm = mask.divergence.is_some_and(|kl| kl < epsilon);
            self.calm[mask.slot] = if is_calm { self.calm[mask.slot] + 1 } else { 0 };
        }
    }
}
