use pulp::{Arch, Simd, WithSimd};

use super::EntropyRule;
use super::formulas::{entropy, needs_all_sums};
use super::one_pass::read_once;
use super::sums::{Moments, largest_values};
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

/// [`RowStats::read`], compiled once for each set of vector instructions and run with the widest
/// that the processor has.
struct Read<'a> {
    row: &'a [f32],
    rules: &'a [EntropyRule],
}

impl WithSimd for Read<'_> {
    type Output = RowStats;

    /// All that this calls in a loop is inlined, or it would be compiled without those instructions.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> RowStats {
        // The vector extensions of x86 and ARM that pulp tells apart multiply and add in one
        // instruction; elsewhere that would be a slow call.
        if S::IS_SCALAR {
            RowStats::read_with::<false>(self.row, self.rules)
        } else {
            RowStats::read_with::<true>(self.row, self.rules)
        }
    }
}

impl RowStats {
    /// Reads a row of raw logits; −∞ marks an impossible token.
    ///
    /// A Shannon entropy differs from its value in double precision by at most 1e-5 nats.
    ///
    /// # Panics
    /// When `row` is empty.
    pub fn read(row: &[f32], rules: &[EntropyRule]) -> Self {
        Arch::new().dispatch(Read { row, rules })
    }

    #[inline(always)]
    fn read_with<const FMA: bool>(row: &[f32], rules: &[EntropyRule]) -> Self {
        let all_sums = rules.iter().any(needs_all_sums);
        let (peak, raw) = read_once::<FMA>(row, all_sums);
        let largest = peak.largest;
        let deepest = rules.iter().map(|rule| match *rule {
            EntropyRule::Topk { k, .. } => k,
            EntropyRule::Shannon { .. }
            | EntropyRule::Renyi { .. }
            | EntropyRule::Tsallis { .. }
            | EntropyRule::Min { .. }
            | EntropyRule::Varentropy { .. } => 0,
        });
        let head = largest_values(row, deepest.max().unwrap_or(0));
        let mut entropies = Vec::with_capacity(rules.len());
        // No closure: it might be compiled apart from this function.
        for rule in rules {
            let temperature = rule.temperature();
            entropies.push(if temperature == 1.0 {
                entropy::<FMA>(rule, row, largest, &raw, &head)
            } else {
                let tempered = Moments::read::<FMA>(row, largest, temperature, all_sums);
                entropy::<FMA>(rule, row, largest, &tempered, &head)
            });
        }
        let probability = |logit: f32| (f64::from(logit) - f64::from(largest)).exp() / raw.sum;
        Self {
            log_normalizer: f64::from(largest) + raw.sum.ln(),
            top1_token: first_index_of(&row[peak.near..], largest)
                .map_or(0, |offset| peak.near + offset) as TokenId,
            top1: probability(largest),
            top2: probability(peak.second),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::noise::Noise;

    #[test]
    fn processors_with_and_without_fused_multiplication_agree_to_a_millionth_of_a_nat() {
        let noise = Noise::new(5);
        let row: Vec<f32> = (0..5_000)
            .map(|token| (20.0 * noise.uniform(token)) as f32)
            .collect();
        let rules = [
            EntropyRule::default(),
            EntropyRule::Renyi {
                alpha: 2.0,
                temperature: 0.7,
            },
            EntropyRule::Varentropy { temperature: 1.0 },
        ];
        let with = RowStats::read_with::<true>(&row, &rules);
        let without = RowStats::read_with::<false>(&row, &rules);
        assert!((with.log_normalizer - without.log_normalizer).abs() < 1e-6);
        for (a, b) in with.entropies.iter().zip(&without.entropies) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}
