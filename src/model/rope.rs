//! Rotary position embedding: cosines and sines for explicit position ids.

use crate::model::arch::{Architecture, RopeScaling};

/// Angles per position and frequency.
#[derive(Debug, Clone)]
pub struct Rope {
    /// Radians per position, one per pair of dimensions: θ^(−2i/d), scaled.
    frequencies: Vec<f32>,
}

impl Rope {
    pub fn new(arch: &Architecture) -> Self {
        let half = arch.head_len / 2;
        let frequencies = (0..half)
            .map(|i| {
                let exponent = 2.0 * i as f64 / arch.head_len as f64;
                scale(arch.rope_theta.powf(-exponent), arch.rope_scaling) as f32
            })
            .collect();
        Self { frequencies }
    }

    /// The same angles with frequencies rounded to bfloat16. transformers' `model.to(bfloat16)`
    /// rounds them along with the weights (its `from_pretrained` does not); reference outputs made
    /// that way need it.
    pub fn rounded_to_bf16(mut self) -> Self {
        for frequency in &mut self.frequencies {
            *frequency = half::bf16::from_f32(*frequency).to_f32();
        }
        self
    }

    /// Cosines and signed sines of the half-split ("rotate half") form:
    /// `x · cos + swap_halves(x) · sin`, with the first half of the sines negated.
    ///
    /// # Shapes
    /// Both are `[positions.len(), head_len]`, row-major.
    pub fn tables(&self, positions: &[u32]) -> (Vec<f32>, Vec<f32>) {
        let half = self.frequencies.len();
        let mut cos = vec![0.0; positions.len() * 2 * half];
        let mut sin = vec![0.0; positions.len() * 2 * half];
        for (row, &position) in positions.iter().enumerate() {
            let start = row * 2 * half;
            for (i, &frequency) in self.frequencies.iter().enumerate() {
                let (s, c) = (position as f32 * frequency).sin_cos();
                cos[start + i] = c;
                cos[start + half + i] = c;
                sin[start + i] = -s;
                sin[start + half + i] = s;
            }
        }
        (cos, sin)
    }
}

/// Llama 3.1's frequency scaling, as in transformers' `_compute_llama3_parameters`.
fn scale(frequency: f64, scaling: RopeScaling) -> f64 {
    match scaling {
        RopeScaling::Default => frequency,
        RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_context_len,
        } => {
            let wavelength = 2.0 * std::f64::consts::PI / frequency;
            if wavelength > original_context_len / low_freq_factor {
                frequency / factor
            } else if wavelength < original_context_len / high_freq_factor {
                frequency
            } else {
                let smooth = (original_context_len / wavelength - low_freq_factor)
                    / (high_freq_factor - low_freq_factor);
                (1.0 - smooth) * frequency / factor + smooth * frequency
            }
        }
    }
}
