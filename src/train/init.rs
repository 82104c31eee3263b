//! Random weights: normal with deviation 0.02, projections into the residual stream smaller by
//! √(2 · layers), as in GPT-2.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::model::arch::Architecture;
use crate::model::attention::Attention;
use crate::model::transformer::{Layer, Transformer};

/// Whether queries and keys are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QkNorm {
    With,
    Without,
}

/// A tied model, deterministic by seed.
pub fn random_transformer(
    arch: &Architecture,
    norms: QkNorm,
    seed: u64,
    device: &Device,
) -> Transformer {
    let mut draw = Normal {
        rng: ChaCha8Rng::seed_from_u64(seed),
        device,
    };
    let (hidden, heads) = (arch.hidden_len, arch.n_heads * arch.head_len);
    let keys = arch.n_kv_heads * arch.head_len;
    let deviation = 0.02;
    let residual = deviation / ((2 * arch.n_layers) as f32).sqrt();
    Transformer {
        embedding: draw.matrix(arch.vocab_len, hidden, deviation),
        layers: (0..arch.n_layers)
            .map(|_| Layer {
                attention_norm: ones(hidden, device),
                attention: Attention {
                    qkv: draw.matrix(hidden, heads + 2 * keys, deviation),
                    qkv_bias: None,
                    q_norm: (norms == QkNorm::With).then(|| ones(arch.head_len, device)),
                    k_norm: (norms == QkNorm::With).then(|| ones(arch.head_len, device)),
                    output: draw.matrix(heads, hidden, residual),
                },
                mlp_norm: ones(hidden, device),
                gate_up: draw.matrix(hidden, 2 * arch.ffn_len, deviation),
                down: draw.matrix(arch.ffn_len, hidden, residual),
            })
            .collect(),
        final_norm: ones(hidden, device),
        head: None,
    }
}

fn ones(len: usize, device: &Device) -> Param<Tensor<1>> {
    Param::from_tensor(Tensor::ones([len], device))
}

struct Normal<'a> {
    rng: ChaCha8Rng,
    device: &'a Device,
}

impl Normal<'_> {
    fn matrix(&mut self, rows: usize, columns: usize, deviation: f32) -> Param<Tensor<2>> {
        let values: Vec<f32> = (0..rows * columns)
            .map(|_| deviation * self.standard())
            .collect();
        Param::from_tensor(Tensor::from_data(
            TensorData::new(values, [rows, columns]),
            self.device,
        ))
    }

    /// Box–Muller.
    fn standard(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.rng.random::<f64>()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.rng.random::<f64>();
        (radius * angle.cos()) as f32
    }
}
