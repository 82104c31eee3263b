//! From a row of logits to a token.

use serde::{Deserialize, Serialize};

use crate::model::lm::TokenId;
use crate::policy::noise::Noise;
use crate::policy::peak::{first_index_of, largest};
use crate::policy::{OutOfRange, require};

/// How tokens are drawn from a row of logits.
///
/// `temperature` 0 is greedy: the first largest logit, `top_k` and `top_p` ignored. Else the
/// reference order of WeDLM's sampler holds: top-k, then top-p on the untempered rest, then the
/// division by the temperature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    pub temperature: f64,
    /// 0 switches it off.
    pub top_k: usize,
    /// 1.0 switches it off.
    pub top_p: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
        }
    }
}

impl Sampling {
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// # Errors
    /// [`OutOfRange`] for a negative or infinite temperature, or a `top_p` outside (0, 1].
    pub fn validate(&self) -> Result<(), OutOfRange> {
        require(
            self.temperature >= 0.0 && self.temperature.is_finite(),
            "sampling.temperature",
            self.temperature,
            "0 (greedy) or positive and finite",
        )?;
        require(
            self.top_p > 0.0 && self.top_p <= 1.0,
            "sampling.top_p",
            self.top_p,
            "in (0, 1]",
        )
    }
}

/// Is the row a distribution: no NaN, no +∞, and at least one token possible?
pub fn is_distribution(row: &[f32]) -> bool {
    let (sound, possible) = row.iter().fold((true, false), |(sound, possible), &logit| {
        // False for NaN and +∞.
        let is_below = logit < f32::INFINITY;
        (
            sound & is_below,
            possible | (is_below & (logit > f32::NEG_INFINITY)),
        )
    });
    sound && possible
}

/// First token with the largest logit, `forbidden` (the mask) never.
///
/// # Panics
/// When no token is left.
pub fn greedy(row: &[f32], forbidden: Option<TokenId>) -> TokenId {
    let hole = forbidden.map(|token| token as usize);
    let token = match hole.filter(|&token| token < row.len()) {
        None => first_index_of(row, largest(row)),
        Some(token) => {
            let (before, behind) = (&row[..token], &row[token + 1..]);
            let best = largest(before).max(largest(behind));
            let behind = || first_index_of(behind, best).map(|index| token + 1 + index);
            first_index_of(before, best).or_else(behind)
        }
    };
    token.expect("a row of logits allows at least one token") as TokenId
}

/// Probabilities from which a token is drawn at a positive temperature.
///
/// Top-k keeps every token whose logit is at least the k-th largest, ties included. Top-p then keeps,
/// in falling order, the tokens before which the untempered probability mass is at most `top_p`, so
/// that the token which crosses `top_p` stays.
///
/// # Panics
/// When the sampling is greedy, or no token is left.
pub fn distribution(row: &[f32], sampling: &Sampling, forbidden: Option<TokenId>) -> Vec<f64> {
    assert!(
        sampling.temperature > 0.0,
        "a greedy sampler has no distribution to draw from"
    );
    let mut logits: Vec<f64> = row.iter().map(|&logit| f64::from(logit)).collect();
    if let Some(hole) = forbidden.and_then(|token| logits.get_mut(token as usize)) {
        *hole = f64::NEG_INFINITY;
    }
    if sampling.top_k > 0 && sampling.top_k < logits.len() {
        keep_top_k(&mut logits, sampling.top_k);
    }
    if sampling.top_p < 1.0 {
        keep_top_p(&mut logits, sampling.top_p);
    }
    softmax(&mut logits, sampling.temperature);
    logits
}

fn keep_top_k(logits: &mut [f64], k: usize) {
    let mut sorted = logits.to_vec();
    let (_, &mut kth, _) = sorted.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    for logit in logits.iter_mut().filter(|logit| **logit < kth) {
        *logit = f64::NEG_INFINITY;
    }
}

fn keep_top_p(logits: &mut [f64], top_p: f64) {
    let mut probabilities = logits.to_vec();
    softmax(&mut probabilities, 1.0);
    let mut order: Vec<usize> = (0..logits.len()).collect();
    // Equal probabilities in id order: the sort is stable.
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let mut mass_before = 0.0;
    for token in order {
        if mass_before > top_p {
            logits[token] = f64::NEG_INFINITY;
        }
        mass_before += probabilities[token];
    }
}

fn softmax(logits: &mut [f64], temperature: f64) {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert!(
        largest.is_finite(),
        "a row of logits allows at least one token"
    );
    for logit in logits.iter_mut() {
        *logit = ((*logit - largest) / temperature).exp();
    }
    let sum: f64 = logits.iter().sum();
    for weight in logits.iter_mut() {
        *weight /= sum;
    }
}

/// Inverts the cumulative distribution: the first index at which it exceeds `u` ∈ [0, 1).
///
/// `weights` need not sum to 1: `u` is scaled by their sum, so that rounding can never draw an index
/// of weight 0.
///
/// # Panics
/// When no weight is positive.
pub fn draw(weights: &[f64], u: f64) -> usize {
    let target = u * weights.iter().sum::<f64>();
    let mut cumulative = 0.0;
    let mut last_positive = None;
    for (index, &weight) in weights.iter().enumerate() {
        if weight > 0.0 {
            cumulative += weight;
            last_positive = Some(index);
            if cumulative > target {
                return index;
            }
        }
    }
    last_positive.expect("a distribution has at least one positive weight")
}

/// Draws from `probabilities` with the exponentials that belong to `position`: argmin e / p.
///
/// Two models that use the same noise at a position agree with probability
/// Σ_j 1 / Σ_i max(p_i/p_j, q_i/q_j) (Daliri, Musco and Suresh 2024).
///
/// # Panics
/// When no probability is positive.
pub fn draw_coupled(probabilities: &[f64], noise: &Noise, position: u32) -> TokenId {
    let mut best: Option<(TokenId, f64)> = None;
    for (token, &p) in probabilities.iter().enumerate() {
        if p > 0.0 {
            let token = token as TokenId;
            let time = noise.exponential(position, token) / p;
            if best.is_none_or(|(_, earliest)| time < earliest) {
                best = Some((token, time));
            }
        }
    }
    best.expect("a distribution has at least one positive weight")
        .0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warm(temperature: f64, top_k: usize, top_p: f64) -> Sampling {
        Sampling {
            temperature,
            top_k,
            top_p,
        }
    }

    /// Logits of these probabilities.
    fn logits(probabilities: &[f32]) -> Vec<f32> {
        probabilities.iter().map(|p| p.ln()).collect()
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
        }
    }

    #[test]
    fn greedy_takes_the_first_largest_logit_and_never_the_forbidden_one() {
        let row = [1.0, 3.0, 3.0, 2.0];
        assert_eq!(greedy(&row, None), 1);
        assert_eq!(greedy(&row, Some(1)), 2);
        assert_eq!(greedy(&row, Some(0)), 1);
        assert_eq!(greedy(&row, Some(9)), 1);
        assert_eq!(greedy(&[f32::NEG_INFINITY, -5.0], None), 1);
        let mut long = vec![0.0; 100];
        (long[57], long[93]) = (2.0, 2.0);
        assert_eq!(greedy(&long, None), 57);
    }

    #[test]
    fn top_k_keeps_every_token_that_ties_with_the_kth() {
        let row = logits(&[0.1, 0.4, 0.2, 0.2, 0.1]);
        let p = distribution(&row, &warm(1.0, 2, 1.0), None);
        assert_close(&p, &[0.0, 0.5, 0.25, 0.25, 0.0]);
        let p = distribution(&row, &warm(1.0, 9, 1.0), None);
        assert_close(&p, &[0.1, 0.4, 0.2, 0.2, 0.1]);
    }

    #[test]
    fn top_p_keeps_the_token_that_crosses_p_and_always_one() {
        let row = logits(&[0.15, 0.5, 0.05, 0.3]);
        let p = distribution(&row, &warm(1.0, 0, 0.6), None);
        assert_close(&p, &[0.0, 0.625, 0.0, 0.375]);
        let p = distribution(&row, &warm(1.0, 0, 0.9), None);
        assert_close(&p, &[0.15 / 0.95, 0.5 / 0.95, 0.0, 0.3 / 0.95]);
        let p = distribution(&row, &warm(1.0, 0, 1e-9), None);
        assert_close(&p, &[0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn the_temperature_comes_after_top_p() {
        // Untempered, 0.5 and 0.3 make 0.8 > 0.6. At temperature 0.5 before the cut, 0.5² / 0.3650
        // = 0.685 would have been enough alone.
        let row = logits(&[0.15, 0.5, 0.05, 0.3]);
        let p = distribution(&row, &warm(0.5, 0, 0.6), None);
        assert_close(&p, &[0.0, 0.25 / 0.34, 0.0, 0.09 / 0.34]);
    }

    #[test]
    fn top_p_counts_the_mass_that_top_k_left() {
        // Of 0.4, 0.3, 0.2, 0.1 top-k keeps 4/7 and 3/7; 4/7 alone exceeds 0.55.
        let row = logits(&[0.4, 0.3, 0.2, 0.1]);
        let p = distribution(&row, &warm(1.0, 2, 0.55), None);
        assert_close(&p, &[1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_forbidden_token_has_no_probability() {
        let row = logits(&[0.1, 0.8, 0.1]);
        let p = distribution(&row, &warm(1.0, 0, 1.0), Some(1));
        assert_close(&p, &[0.5, 0.0, 0.5]);
    }

    #[test]
    fn draw_inverts_the_cumulative_distribution() {
        let p = [0.25, 0.0, 0.5, 0.25, 0.0];
        let drawn = [0.0, 0.2499, 0.25, 0.7499, 0.75, 0.9999].map(|u| draw(&p, u));
        assert_eq!(drawn, [0, 0, 2, 2, 3, 3]);
        // Weights that sum to 0.4 are scaled; the last index of weight 0 is out of reach.
        assert_eq!(draw(&[0.1, 0.3, 0.0], 1.0 - f64::EPSILON), 1);
    }

    #[test]
    fn coupled_draws_follow_the_distribution() {
        let p = [0.5, 0.0, 0.3, 0.2];
        let noise = Noise::new(3);
        let n = 100_000;
        let mut counts = [0.0; 4];
        for position in 0..n {
            counts[draw_coupled(&p, &noise, position) as usize] += 1.0;
        }
        for (count, p) in counts.iter().zip(p) {
            let five_sigma = 5.0 * (p * (1.0 - p) / f64::from(n)).sqrt();
            assert!((count / f64::from(n) - p).abs() <= five_sigma, "{counts:?}");
        }
    }

    #[test]
    fn two_models_with_shared_noise_agree_as_often_as_the_formula_says() {
        let (p, q) = ([0.5, 0.2, 0.2, 0.1], [0.1, 0.3, 0.2, 0.4]);
        let formula: f64 = (0..4)
            .map(|j| {
                1.0 / (0..4)
                    .map(|i| f64::max(p[i] / p[j], q[i] / q[j]))
                    .sum::<f64>()
            })
            .sum();
        let noise = Noise::new(8);
        let n = 200_000;
        let agreed = (0..n)
            .filter(|&t| draw_coupled(&p, &noise, t) == draw_coupled(&q, &noise, t))
            .count();
        let share = agreed as f64 / f64::from(n);
        let five_sigma = 5.0 * (formula * (1.0 - formula) / f64::from(n)).sqrt();
        assert!(
            (share - formula).abs() < five_sigma,
            "{share} for {formula}"
        );
        // At least (1 − TV)/(1 + TV), at most 1 − TV, with TV = 0.4 here.
        assert!((0.6 / 1.4..=0.6).contains(&formula));
    }

    #[test]
    fn only_a_row_with_a_possible_token_and_no_nan_is_a_distribution() {
        assert!(is_distribution(&[f32::NEG_INFINITY, 0.0]));
        assert!(!is_distribution(&[f32::NEG_INFINITY; 3]));
        assert!(!is_distribution(&[0.0, f32::NAN]));
        assert!(!is_distribution(&[0.0, f32::INFINITY]));
    }

    #[test]
    fn sampling_parameters_out_of_range_are_named() {
        let message = |sampling: Sampling| sampling.validate().unwrap_err().to_string();
        assert!(message(warm(-1.0, 0, 1.0)).starts_with("sampling.temperature is -1"));
        assert!(message(warm(1.0, 0, 0.0)).starts_with("sampling.top_p is 0"));
        assert!(Sampling::default().validate().is_ok());
    }
}
