//! Entropies from the sums of a row.

use super::EntropyRule;
use super::sums::{Moments, block_sums};

/// Whether the entropy takes more than the first two sums of [`Moments`].
pub(super) fn needs_all_sums(rule: &EntropyRule) -> bool {
    match *rule {
        EntropyRule::Renyi { alpha: order, .. } | EntropyRule::Tsallis { q: order, .. } => {
            order == 2.0
        }
        EntropyRule::Varentropy { .. } => true,
        EntropyRule::Shannon { .. } | EntropyRule::Topk { .. } | EntropyRule::Min { .. } => false,
    }
}

/// One entropy from the sums of its temperature and the head of the row.
#[inline(always)]
pub(super) fn entropy<const FMA: bool>(
    rule: &EntropyRule,
    row: &[f32],
    largest: f32,
    sums: &Moments,
    head: &[f32],
) -> f64 {
    match *rule {
        EntropyRule::Shannon { .. } => shannon(sums),
        EntropyRule::Renyi { alpha, .. } => {
            if is_one(alpha) {
                return shannon(sums);
            }
            let powers = power_sum::<FMA>(alpha, row, largest, sums);
            clip_at_zero((powers.ln() - alpha * sums.sum.ln()) / (1.0 - alpha))
        }
        EntropyRule::Tsallis { q, .. } => {
            if is_one(q) {
                return shannon(sums);
            }
            let log_sum = power_sum::<FMA>(q, row, largest, sums).ln() - q * sums.sum.ln();
            clip_at_zero(-log_sum.exp_m1() / (q - 1.0))
        }
        EntropyRule::Topk { k, renormalize, .. } => {
            topk_entropy::<FMA>(&head[..k.min(head.len())], renormalize, largest, sums)
        }
        EntropyRule::Min { .. } => sums.sum.ln(),
        EntropyRule::Varentropy { .. } => {
            let mean = sums.first / sums.sum;
            clip_at_zero(sums.second / sums.sum - mean * mean)
        }
    }
}

/// Closer to 1 than this, rounding costs more than the distance to the Shannon limit.
fn is_one(order: f64) -> bool {
    (order - 1.0).abs() < 1e-8
}

/// Σ e^(order·x).
#[inline(always)]
fn power_sum<const FMA: bool>(order: f64, row: &[f32], largest: f32, sums: &Moments) -> f64 {
    if order == 2.0 {
        return sums.squares;
    }
    // The division by 1 − order magnifies rounding, so the neighbourhood of 1 needs doubles, and the
    // normaliser of the same precision; it is rescaled into the single-precision one.
    if (order - 1.0).abs() < 0.1 {
        let exponential = |scale: f64| {
            let scaled = |&logit: &f32| ((f64::from(logit) - f64::from(largest)) * scale).exp();
            row.iter().map(scaled).sum::<f64>()
        };
        let inverse = 1.0 / sums.temperature;
        let exact = (exponential(order * inverse).ln() - order * exponential(inverse).ln())
            + order * sums.sum.ln();
        return exact.exp();
    }
    let [powers] = block_sums::<1, FMA>(row, largest, sums.temperature / order, |_, e| [e]);
    powers
}

/// `head` holds the k largest logits.
#[inline(always)]
fn topk_entropy<const FMA: bool>(
    head: &[f32],
    renormalize: bool,
    largest: f32,
    sums: &Moments,
) -> f64 {
    if sums.sum.is_nan() {
        return f64::NAN;
    }
    let [mass, first] = block_sums::<2, FMA>(head, largest, sums.temperature, |t, e| [e, t * e]);
    let of_head = Moments::new(sums.temperature, [mass, first, f64::NAN, f64::NAN]);
    if renormalize {
        return shannon(&of_head);
    }
    clip_at_zero((of_head.sum * sums.sum.ln() - of_head.first) / sums.sum)
}

fn shannon(sums: &Moments) -> f64 {
    // Rounding can leave −1e-8 for a one-hot row.
    clip_at_zero(sums.sum.ln() - sums.first / sums.sum)
}

/// Negative rounding noise becomes 0, and so does what impossible tokens add: each counts as a
/// probability of 2⁻¹²⁵ at most. `f64::max` would also hide a NaN.
fn clip_at_zero(value: f64) -> f64 {
    const IMPOSSIBLE: f64 = 1e-25;
    if value < IMPOSSIBLE { 0.0 } else { value }
}
