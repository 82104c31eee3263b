use super::EntropyRule;
use super::formulas::entropy;
use super::sums::{Moments, largest_values, two_largest};
use crate::model::lm::TokenId;
use crate::policy::peak::first_index_of;

/// What one look at a row of logits gives.
///
/// All fields but the token are NaN when the row holds a NaN, a +∞, or nothing but −∞.
#[derive(Debug, Clone, PartialEq)]
pub struct RowStats {
    /// ln Σ e^logit: a token's log-probability is its logit minus this.
    pub log_normalizer: f64,
    /// First token with the largest logit.
    pub top1_token: TokenId,
    /// Largest probability of the raw softmax.
    pub top1: f64,
    /// Second largest probability; equal to `top1` when two tokens share the first place.
    pub top2: f64,
    /// One value per rule asked for, in that order.
    pub entropies: Vec<f64>,
}

impl RowStats {
    /// Reads a row of raw logits; −∞ marks an impossible token.
    ///
    /// A Shannon entropy differs from its value in double precision by at most 1e-5 nats.
    ///
    /// # Panics
    /// When `row` is empty.
    pub fn read(row: &[f32], rules: &[EntropyRule]) -> Self {
        let (largest, second) = two_largest(row);
        let raw = Moments::read(row, largest, 1.0);
        let deepest = rules.iter().map(|rule| match *rule {
            EntropyRule::Topk { k, .. } => k,
            EntropyRule::Shannon { .. }
            | EntropyRule::Renyi { .. }
            | EntropyRule::Tsallis { .. }
            | EntropyRule::Min { .. }
            | EntropyRule::Varentropy { .. } => 0,
        });
        let head = largest_values(row, deepest.max().unwrap_or(0));
        let entropies = rules
            .iter()
            .map(|rule| {
                let temperature = rule.temperature();
                if temperature == 1.0 {
                    entropy(rule, row, largest, &raw, &head)
                } else {
                    let tempered = Moments::read(row, largest, temperature);
                    entropy(rule, row, largest, &tempered, &head)
                }
            })
            .collect();
        let probability = |logit: f32| (f64::from(logit) - f64::from(largest)).exp() / raw.sum;
        Self {
            log_normalizer: f64::from(largest) + raw.sum.ln(),
            top1_token: first_index_of(row, largest).unwrap_or(0) as TokenId,
            top1: probability(largest),
            top2: probability(second),
            entropies,
        }
    }

    /// Difference of the two largest probabilities.
    pub fn margin(&self) -> f64 {
        self.top1 - self.top2
    }

    /// Probability of a token whose logit in this row is `logit`.
    pub fn probability(&self, logit: f32) -> f64 {
        (f64::from(logit) - self.log_normalizer).exp()
    }

    /// The row was no distribution; see [`ModelError::NotANumber`](crate::model::lm::ModelError).
    pub fn is_nan(&self) -> bool {
        self.log_normalizer.is_nan()
    }
}
