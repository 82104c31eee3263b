//! Where the weights come from: a checkpoint, or tensors.

use burn::module::Param;
use burn::tensor::Tensor;

use super::{CpuLayer, CpuTransformer, Embedding};
use crate::model::arch::Architecture;
use crate::model::checkpoint::{Checkpoint, CheckpointError};
use crate::model::device::Dtype;
use crate::model::panels::PanelMatrix;
use crate::model::tensors::must_fit;
use crate::model::transformer::{Layer, Transformer};

impl CpuTransformer {
    /// Loads every weight, matrices in `dtype`, each packed as it comes. Beside the weights that are done,
    /// one matrix in f32 is in memory at most, and the largest ones come first.
    ///
    /// # Errors
    /// When tensors are missing, misshapen, or unknown to this architecture; all of them are named.
    pub fn load(checkpoint: &Checkpoint, dtype: Dtype) -> Result<Self, CheckpointError> {
        must_fit(checkpoint)?;
        let arch = &checkpoint.arch;
        let loader = Loader { checkpoint, dtype };
        let (vocab, hidden) = (arch.vocab_len, arch.hidden_len);
        let embedding = loader.matrix(&[("model.embed_tokens.weight".into(), vocab)], hidden)?;
        let (embedding, head) = if arch.tied_head {
            (Embedding::OfHead, embedding)
        } else {
            let head = loader.matrix(&[("lm_head.weight".into(), vocab)], hidden)?;
            (Embedding::Own(embedding), head)
        };
        let layers = (0..arch.n_layers).map(|index| loader.layer(&format!("model.layers.{index}")));
        Ok(Self {
            embedding,
            layers: layers.collect::<Result<_, _>>()?,
            final_norm: loader.vector("model.norm.weight", hidden)?,
            head,
            arch: arch.clone(),
        })
    }

    /// Copies the weights of a model, matrices to `dtype`.
    pub fn of(model: &Transformer, arch: &Architecture, dtype: Dtype) -> Self {
        let layer = |layer: &Layer| {
            let attention = &layer.attention;
            CpuLayer {
                attention_norm: values(&layer.attention_norm),
                qkv: packed(attention.qkv.val(), dtype),
                qkv_bias: attention.qkv_bias.as_ref().map(values),
                q_norm: attention.q_norm.as_ref().map(values),
                k_norm: attention.k_norm.as_ref().map(values),
                output: packed(attention.output.val(), dtype),
                mlp_norm: values(&layer.mlp_norm),
                gate_up: packed(layer.gate_up.val(), dtype),
                down: packed(layer.down.val(), dtype),
            }
        };
        Self {
            embedding: match model.head {
                Some(_) => Embedding::Own(packed(model.embedding.val().transpose(), dtype)),
                None => Embedding::OfHead,
            },
            layers: model.layers.iter().map(layer).collect(),
            final_norm: values(&model.final_norm),
            head: packed(model.head(), dtype),
            arch: arch.clone(),
        }
    }
}

fn values<const D: usize>(weight: &Param<Tensor<D>>) -> Vec<f32> {
    let data = weight.val().into_data().convert::<f32>();
    data.try_into_vec::<f32>().expect("they were converted")
}

fn packed(matrix: Tensor<2>, dtype: Dtype) -> PanelMatrix {
    let [in_len, out_len] = matrix.dims();
    let mut packed = PanelMatrix::zeros(in_len, out_len, dtype);
    let columns = matrix.transpose().into_data().convert::<f32>();
    let columns = columns.as_slice::<f32>().expect("they were converted");
    for (index, column) in columns.chunks_exact(in_len).enumerate() {
        packed.set_column(index, column);
    }
    packed
}

struct Loader<'a> {
    checkpoint: &'a Checkpoint,
    dtype: Dtype,
}

impl Loader<'_> {
    fn layer(&self, prefix: &str) -> Result<CpuLayer, CheckpointError> {
        let arch = &self.checkpoint.arch;
        let (hidden, ffn, head_len) = (arch.hidden_len, arch.ffn_len, arch.head_len);
        let (queries, keys) = (arch.n_heads * head_len, arch.n_kv_heads * head_len);
        let name = |rest: &str| format!("{prefix}.{rest}");
        let projections = [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)];
        let qkv = projections.map(|(part, len)| (name(&format!("self_attn.{part}.weight")), len));
        let biases = projections.map(|(part, len)| (name(&format!("self_attn.{part}.bias")), len));
        Ok(CpuLayer {
            attention_norm: self.vector(&name("input_layernorm.weight"), hidden)?,
            qkv: self.matrix(&qkv, hidden)?,
            qkv_bias: self.if_there(&biases)?,
            q_norm: self.if_there(&[(name("self_attn.q_norm.weight"), head_len)])?,
            k_norm: self.if_there(&[(name("self_attn.k_norm.weight"), head_len)])?,
            output: self.matrix(&[(name("self_attn.o_proj.weight"), hidden)], queries)?,
            mlp_norm: self.vector(&name("post_attention_layernorm.weight"), hidden)?,
            gate_up: self.matrix(
                &[
                    (name("mlp.gate_proj.weight"), ffn),
                    (name("mlp.up_proj.weight"), ffn),
                ],
                hidden,
            )?,
            down: self.matrix(&[(name("mlp.down_proj.weight"), hidden)], ffn)?,
        })
    }

    /// Weights stored `[out, in]` side by side, with the lengths of their outputs.
    fn matrix(
        &self,
        parts: &[(String, usize)],
        in_len: usize,
    ) -> Result<PanelMatrix, CheckpointError> {
        let out_len = parts.iter().map(|(_, len)| len).sum();
        let mut matrix = PanelMatrix::zeros(in_len, out_len, self.dtype);
        let mut column = 0;
        for (name, len) in parts {
            let values = self.checkpoint.tensor(name, &[*len, in_len])?;
            for weights in values.chunks_exact(in_len) {
                matrix.set_column(column, weights);
                column += 1;
            }
        }
        Ok(matrix)
    }

    /// Vectors behind each other; none where the checkpoint does not have the first of them.
    fn if_there(&self, parts: &[(String, usize)]) -> Result<Option<Vec<f32>>, CheckpointError> {
        if !self.checkpoint.has_tensor(&parts[0].0) {
            return Ok(None);
        }
        let mut joined = Vec::new();
        for (name, len) in parts {
            joined.extend(self.vector(name, *len)?);
        }
        Ok(Some(joined))
    }

    fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, CheckpointError> {
        self.checkpoint.tensor(name, &[len])
    }
}
