//! From the tensors of a checkpoint to a [`Transformer`].

use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::model::arch::Architecture;
use crate::model::attention::Attention;
use crate::model::checkpoint::{Checkpoint, CheckpointError};
use crate::model::tensors::must_fit;
use crate::model::transformer::{Layer, Transformer};

/// Whether a tied head gets a matrix of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// A copy of the embedding, laid out for products; for decoding.
    Materialized,
    /// The embedding itself, so that one weight is trained.
    Shared,
}

/// Loads every weight to the device, one layer at a time. Beside the weights that are done, two copies of
/// one matrix are in memory at most, and the largest two come first.
///
/// # Errors
/// When tensors are missing, misshapen, or unknown to this architecture; all of them are named.
pub fn load_transformer(
    checkpoint: &Checkpoint,
    dtype: DType,
    device: &Device,
    head: Head,
) -> Result<Transformer, CheckpointError> {
    must_fit(checkpoint)?;
    let loader = Loader {
        checkpoint,
        arch: &checkpoint.arch,
        dtype,
        device,
        head,
    };
    loader.transformer()
}

struct Loader<'a> {
    checkpoint: &'a Checkpoint,
    arch: &'a Architecture,
    dtype: DType,
    device: &'a Device,
    head: Head,
}

impl Loader<'_> {
    fn transformer(&self) -> Result<Transformer, CheckpointError> {
        let (vocab, hidden) = (self.arch.vocab_len, self.arch.hidden_len);
        let embedding = self.values("model.embed_tokens.weight", &[vocab, hidden])?;
        let head = match (self.arch.tied_head, self.head) {
            (true, Head::Shared) => None,
            (true, Head::Materialized) => {
                Some(self.matrix(transposed(&embedding, vocab, hidden), hidden, vocab))
            }
            (false, _) => {
                let values = self.values("lm_head.weight", &[vocab, hidden])?;
                let turned = transposed(&values, vocab, hidden);
                drop(values);
                Some(self.matrix(turned, hidden, vocab))
            }
        };
        Ok(Transformer {
            embedding: self.matrix(embedding, vocab, hidden),
            layers: (0..self.arch.n_layers)
                .map(|index| self.layer(&format!("model.layers.{index}")))
                .collect::<Result<_, _>>()?,
            final_norm: self.vector("model.norm.weight", hidden)?,
            head,
        })
    }

    fn layer(&self, prefix: &str) -> Result<Layer, CheckpointError> {
        let (hidden, ffn) = (self.arch.hidden_len, self.arch.ffn_len);
        Ok(Layer {
            attention_norm: self.vector(&format!("{prefix}.input_layernorm.weight"), hidden)?,
            attention: self.attention(&format!("{prefix}.self_attn"))?,
            mlp_norm: self.vector(&format!("{prefix}.post_attention_layernorm.weight"), hidden)?,
            gate_up: self.side_by_side(
                &[
                    (format!("{prefix}.mlp.gate_proj.weight"), ffn),
                    (format!("{prefix}.mlp.up_proj.weight"), ffn),
                ],
                hidden,
            )?,
            down: self.side_by_side(&[(format!("{prefix}.mlp.down_proj.weight"), hidden)], ffn)?,
        })
    }

    fn attention(&self, prefix: &str) -> Result<Attention, CheckpointError> {
        let hidden = self.arch.hidden_len;
        let queries = self.arch.n_heads * self.arch.head_len;
        let keys = self.arch.n_kv_heads * self.arch.head_len;
        let parts = [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)];
        let weights = parts.map(|(part, width)| (format!("{prefix}.{part}.weight"), width));
        let has_bias = self.checkpoint.has_tensor(&format!("{prefix}.q_proj.bias"));
        let has_norm = self
            .checkpoint
            .has_tensor(&format!("{prefix}.q_norm.weight"));
        Ok(Attention {
            qkv: self.side_by_side(&weights, hidden)?,
            qkv_bias: has_bias.then(|| self.biases(prefix, &parts)).transpose()?,
            q_norm: has_norm
                .then(|| self.vector(&format!("{prefix}.q_norm.weight"), self.arch.head_len))
                .transpose()?,
            k_norm: has_norm
                .then(|| self.vector(&format!("{prefix}.k_norm.weight"), self.arch.head_len))
                .transpose()?,
            output: self.side_by_side(&[(format!("{prefix}.o_proj.weight"), hidden)], queries)?,
        })
    }

    /// Weights stored `[out, in]`, transposed and joined to one `[input, Σ out]` matrix.
    fn side_by_side(
        &self,
        parts: &[(String, usize)],
        input: usize,
    ) -> Result<Param<Tensor<2>>, CheckpointError> {
        let total: usize = parts.iter().map(|(_, width)| width).sum();
        let mut joined = vec![0.0; input * total];
        let mut start = 0;
        for (name, width) in parts {
            let values = self.values(name, &[*width, input])?;
            for (out, row) in values.chunks_exact(input).enumerate() {
                for (column, value) in row.iter().enumerate() {
                    joined[column * total + start + out] = *value;
                }
            }
            start += width;
        }
        Ok(self.matrix(joined, input, total))
    }

    fn biases(
        &self,
        prefix: &str,
        parts: &[(&str, usize)],
    ) -> Result<Param<Tensor<1>>, CheckpointError> {
        let mut joined = Vec::new();
        for (part, width) in parts {
            joined.extend(self.values(&format!("{prefix}.{part}.bias"), &[*width])?);
        }
        Ok(self.param(joined))
    }

    fn vector(&self, name: &str, len: usize) -> Result<Param<Tensor<1>>, CheckpointError> {
        let values = self.values(name, &[len])?;
        Ok(self.param(values))
    }

    fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        self.checkpoint.tensor(name, shape)
    }

    fn param(&self, values: Vec<f32>) -> Param<Tensor<1>> {
        let len = values.len();
        Param::from_tensor(Tensor::from_data(
            TensorData::new(values, [len]),
            (self.device, self.dtype),
        ))
    }

    fn matrix(&self, values: Vec<f32>, rows: usize, columns: usize) -> Param<Tensor<2>> {
        Param::from_tensor(Tensor::from_data(
            TensorData::new(values, [rows, columns]),
            (self.device, self.dtype),
        ))
    }
}

fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for (row, line) in values.chunks_exact(columns).enumerate() {
        for (column, value) in line.iter().enumerate() {
            out[column * rows + row] = *value;
        }
    }
    out
}
