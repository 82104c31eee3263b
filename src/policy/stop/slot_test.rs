//! Tests of one slot that remember nothing.

use super::SVIP_FACTOR;

/// What a rule sees at slot k.
#[derive(Debug, Clone, Copy)]
pub struct SlotView<'a> {
    /// H_0 ..= H_k of this draft, in nats.
    pub entropies: &'a [f64],
    /// p_0 ..= p_k: the drafter's probability of each token drafted, and of the one in question.
    ///
    /// Where the token in question was drawn by chance and may still be discarded (orders `before`
    /// and `after_drop`), p_k must be the largest probability instead: to discard a token because of
    /// what was drawn would change the distribution of the output.
    pub probabilities: &'a [f64],
    /// Largest probability at slot k.
    pub top1: f64,
    /// Second largest probability at slot k.
    pub top2: f64,
    /// Tokens in the draft if it ends here: k + 1 in order `after`, else k.
    pub draft_len_if_stopped: usize,
}

impl SlotView<'_> {
    fn index(&self) -> usize {
        self.entropies.len() - 1
    }

    pub(super) fn entropy(&self) -> f64 {
        self.entropies[self.index()]
    }

    pub(super) fn token_probability(&self) -> f64 {
        self.probabilities[self.index()]
    }
}

/// A test of one slot that remembers nothing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Never,
    Entropy { above: f64 },
    Relative { theta_rel: f64 },
    Window { size: usize, above: f64 },
    Adaptive { theta_base: f64, alpha: f64 },
    ByPosition { thetas: Vec<f64> },
    Svip { h: f64 },
    TokenProbability { below: f64 },
    TopProbability { below: f64 },
    Product { below: f64 },
    Margin { below: f64 },
}

impl Test {
    pub fn fires(&self, slot: SlotView<'_>) -> bool {
        let entropy = slot.entropy();
        match self {
            Self::Never => false,
            Self::Entropy { above } => entropy > *above,
            Self::Relative { theta_rel } => match slot.entropies {
                [.., previous, current] => *current > theta_rel * previous,
                [] | [_] => false,
            },
            Self::Window { size, above } => {
                let last = &slot.entropies[slot.entropies.len().saturating_sub(*size)..];
                last.iter().sum::<f64>() / last.len() as f64 > *above
            }
            Self::Adaptive { theta_base, alpha } => {
                entropy > theta_base + alpha * slot.index() as f64
            }
            Self::ByPosition { thetas } => entropy > thetas[slot.index().min(thetas.len() - 1)],
            Self::Svip { h } => (SVIP_FACTOR * entropy).sqrt() > *h,
            Self::TokenProbability { below } => slot.token_probability() < *below,
            Self::TopProbability { below } => slot.top1 < *below,
            Self::Product { below } => slot.probabilities.iter().product::<f64>() < *below,
            Self::Margin { below } => slot.top1 - slot.top2 < *below,
        }
    }
}
