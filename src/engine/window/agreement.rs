//! How often committed tokens equal the autoregressive choice of the same model.
//!
//! A window decoder predicts a position from a mask at that position, but the row of a committed
//! token is an ordinary next-token row, computed anyway. Comparing its first choice with the token
//! that was committed behind it gives an acceptance rate without a further forward.

use std::collections::VecDeque;

use crate::model::lm::TokenId;
use crate::policy::sample::greedy;

/// Comparisons of the last few committed tokens.
#[derive(Debug)]
pub struct Agreement {
    recent: VecDeque<bool>,
    capacity: usize,
    forbidden: Option<TokenId>,
    /// Autoregressive choice for the token behind the last one seen.
    expected: Option<TokenId>,
}

/// Tokens compared in one forward, and how many agreed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    pub tested: usize,
    pub agreed: usize,
}

impl Agreement {
    /// Remembers the last `capacity` comparisons.
    pub fn new(capacity: usize, forbidden: Option<TokenId>) -> Self {
        Self {
            recent: VecDeque::with_capacity(capacity),
            capacity,
            forbidden,
            expected: None,
        }
    }

    /// Takes the next tokens of the text with their next-token rows.
    pub fn observe<'a>(
        &mut self,
        tokens: &[TokenId],
        rows: impl Iterator<Item = &'a [f32]>,
    ) -> Compared {
        let mut compared = Compared::default();
        for (&token, row) in tokens.iter().zip(rows) {
            if let Some(expected) = self.expected {
                let agrees = token == expected;
                compared.tested += 1;
                compared.agreed += usize::from(agrees);
                if self.recent.len() == self.capacity {
                    self.recent.pop_front();
                }
                self.recent.push_back(agrees);
            }
            self.expected = Some(greedy(row, self.forbidden));
        }
        compared
    }

    /// Share of the remembered comparisons that agreed; `None` before the first.
    pub fn share(&self) -> Option<f64> {
        let agreed = self.recent.iter().filter(|&&agrees| agrees).count();
        (!self.recent.is_empty()).then(|| agreed as f64 / self.recent.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of four logits with its largest at `token`.
    fn row(token: usize) -> Vec<f32> {
        (0..4)
            .map(|index| if index == token { 1.0 } else { 0.0 })
            .collect()
    }

    #[test]
    fn a_row_is_compared_with_the_token_behind_it() {
        let mut agreement = Agreement::new(8, None);
        assert_eq!(agreement.share(), None);
        // The first token has no row before it; 2 is expected and met, then 3 expected, 0 met.
        let rows = [row(2), row(3), row(1)];
        let compared = agreement.observe(&[1, 2, 0], rows.iter().map(Vec::as_slice));
        assert_eq!(
            compared,
            Compared {
                tested: 2,
                agreed: 1
            }
        );
        // The expectation of the last row waits for the next call.
        let compared = agreement.observe(&[1], [row(0)].iter().map(Vec::as_slice));
        assert_eq!(
            compared,
            Compared {
                tested: 1,
                agreed: 1
            }
        );
        assert_eq!(agreement.share(), Some(2.0 / 3.0));
    }

    #[test]
    fn old_comparisons_are_forgotten() {
        let mut agreement = Agreement::new(2, None);
        // Expected 0 each time; met 1, 0, 0.
        let rows = [row(0), row(0), row(0), row(0)];
        agreement.observe(&[0, 1, 0, 0], rows.iter().map(Vec::as_slice));
        assert_eq!(agreement.share(), Some(1.0));
    }

    #[test]
    fn the_forbidden_token_is_never_expected() {
        let mut agreement = Agreement::new(2, Some(3));
        let rows = [vec![0.0, 0.5, 0.0, 9.0], row(0)];
        let compared = agreement.observe(&[0, 1], rows.iter().map(Vec::as_slice));
        assert_eq!(compared.agreed, 1);
    }
}
