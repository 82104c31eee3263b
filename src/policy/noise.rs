//! Chance as a value: numbers that are a function of a seed and an index, in any order, as often as
//! one likes.

use crate::model::lm::TokenId;

/// Draws of one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noise {
    seed: u64,
}

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Another, independent source of draws.
    #[must_use]
    pub fn substream(self, number: u64) -> Self {
        Self {
            seed: mix(mix(self.seed) ^ mix(!number)),
        }
    }

    /// Uniform in the open interval (0, 1): the draw of number `index`.
    pub fn uniform(&self, index: u64) -> f64 {
        open_unit(mix(mix(self.seed).wrapping_add(index)))
    }

    /// Standard exponential that belongs to `token` at the absolute position `position`, whichever
    /// model asks and how often: argmin over tokens of `exponential / p` is a draw from p, and two
    /// models that share it agree often (Gumbel coupling).
    pub fn exponential(&self, position: u32, token: TokenId) -> f64 {
        let cell = (u64::from(position) << 32) | u64::from(token);
        // Another stream than `uniform`.
        -open_unit(mix(
            mix(self.seed ^ 0x6a09_e667_f3bc_c908).wrapping_add(cell)
        ))
        .ln()
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014) behind one step of its counter.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn open_unit(bits: u64) -> f64 {
    ((bits >> 11) as f64 + 0.5) * (1.0 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniforms_have_mean_one_half_variance_one_twelfth_and_no_lag_correlation() {
        let noise = Noise::new(5);
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|i| noise.uniform(i)).collect();
        let mean = draws.iter().sum::<f64>() / n as f64;
        let variance = draws.iter().map(|u| (u - mean).powi(2)).sum::<f64>() / n as f64;
        let lag = draws
            .windows(2)
            .map(|w| (w[0] - mean) * (w[1] - mean))
            .sum::<f64>()
            / n as f64;
        // Five standard errors of each estimate.
        assert!((mean - 0.5).abs() < 5.0 * (1.0 / 12.0_f64 / n as f64).sqrt());
        assert!((variance - 1.0 / 12.0).abs() < 5.0 * (1.0 / 180.0_f64 / n as f64).sqrt());
        assert!(lag.abs() < 5.0 / 12.0 / (n as f64).sqrt());
    }

    #[test]
    fn exponentials_have_mean_and_variance_one_and_depend_on_position_token_and_seed() {
        let noise = Noise::new(5);
        let draws: Vec<f64> = (0..300)
            .flat_map(|position| (0..300).map(move |token| noise.exponential(position, token)))
            .collect();
        let n = draws.len() as f64;
        let mean = draws.iter().sum::<f64>() / n;
        let variance = draws.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / n;
        assert!((mean - 1.0).abs() < 5.0 / n.sqrt());
        assert!((variance - 1.0).abs() < 5.0 * (8.0 / n).sqrt());
        assert_eq!(noise.exponential(3, 4), Noise::new(5).exponential(3, 4));
        assert_ne!(noise.exponential(3, 4), noise.exponential(4, 3));
        assert_ne!(noise.exponential(3, 4), Noise::new(6).exponential(3, 4));
    }
}
