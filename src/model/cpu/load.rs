//! Where the weights come from: a checkpoint, or tensors.

use burn::module::Param;
use burn::tensor::Tensor;

use super::then::GatedMatrix;
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
        let embedding = loader.matrix("model.embed_tokens.weight", [vocab, hidden])?;
        let (embedding, head) = if arch.tied_head {
            (Embedding::OfHead, embedding)
        } else {
            let head = loader.matrix("lm_head.weight", [vocab, hidden])?;
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
                qkv: packed(attention.qkv.val(), dtype, |column| grouped(arch, column)),
                qkv_bias: attention
                    .qkv_bias
                    .as_ref()
                    .map(|bias| in_groups(arch, &values(bias))),
                q_norm: attention.q_norm.as_ref().map(values),
                k_norm: attention.k_norm.as_ref().map(values),
                output: packed(attention.output.val(), dtype, |column| column),
                mlp_norm: values(&layer.mlp_norm),
                gate_up: gated(layer.gate_up.val(), dtype),
                down: packed(layer.down.val(), dtype, |column| column),
            }
        };
        Self {
            embedding: match model.head {
                Some(_) => {
                    Embedding::Own(packed(model.embedding.val().transpose(), dtype, |token| {
                        token
                    }))
                }
                None => Embedding::OfHead,
            },
            layers: model.layers.iter().map(layer).collect(),
            final_norm: values(&model.final_norm),
            head: packed(model.head(), dtype, |token| token),
            arch: arch.clone(),
        }
    }
}

fn values<const D: usize>(weight: &Param<Tensor<D>>) -> Vec<f32> {
    let data = weight.val().into_data().convert::<f32>();
    data.try_into_vec::<f32>().expect("they were converted")
}

/// Where a column of the query, key and value projections side by side goes: to those of its key head.
fn grouped(arch: &Architecture, column: usize) -> usize {
    let (head, offset) = (column / arch.head_len, column % arch.head_len);
    let (n_heads, n_kv_heads, group_len) = (arch.n_heads, arch.n_kv_heads, arch.group_len());
    let (group, index) = if head < n_heads {
        (head / group_len, head % group_len)
    } else {
        let others = head - n_heads;
        (others % n_kv_heads, group_len + others / n_kv_heads)
    };
    (group * (group_len + 2) + index) * arch.head_len + offset
}

/// [`grouped`] values.
fn in_groups(arch: &Architecture, values: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for (column, &value) in values.iter().enumerate() {
        out[grouped(arch, column)] = value;
    }
    out
}

fn packed(matrix: Tensor<2>, dtype: Dtype, place: impl Fn(usize) -> usize) -> PanelMatrix {
    let [in_len, out_len] = matrix.dims();
    let mut packed = PanelMatrix::zeros(in_len, out_len, dtype);
    each_column(matrix, |index, column| {
        packed.set_column(place(index), column)
    });
    packed
}

fn gated(matrix: Tensor<2>, dtype: Dtype) -> GatedMatrix {
    let [in_len, out_len] = matrix.dims();
    let mut packed = GatedMatrix::zeros(in_len, out_len / 2, dtype);
    each_column(matrix, |index, column| packed.set_column(index, column));
    packed
}

fn each_column(matrix: Tensor<2>, mut put: impl FnMut(usize, &[f32])) {
    let [in_len, _] = matrix.dims();
    let columns = matrix.transpose().into_data().convert::<f32>();
    let columns = columns.as_slice::<f32>().expect("they were converted");
    for (index, column) in columns.chunks_exact(in_len).enumerate() {
        put(index, column);
    }
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
        let mut grouped_qkv = PanelMatrix::zeros(hidden, queries + 2 * keys, self.dtype);
        self.each_column(&qkv, hidden, |index, column| {
            grouped_qkv.set_column(grouped(arch, index), column);
        })?;
        let mut gate_up = GatedMatrix::zeros(hidden, ffn, self.dtype);
        let projections = ["gate_proj", "up_proj"];
        let projections = projections.map(|part| (name(&format!("mlp.{part}.weight")), ffn));
        self.each_column(&projections, hidden, |index, column| {
            gate_up.set_column(index, column);
        })?;
        let bias = self.if_there(&biases)?;
        Ok(CpuLayer {
            attention_norm: self.vector(&name("input_layernorm.weight"), hidden)?,
            qkv: grouped_qkv,
            qkv_bias: bias.map(|bias| in_groups(arch, &bias)),
            q_norm: self.if_there(&[(name("self_attn.q_norm.weight"), head_len)])?,
            k_norm: self.if_there(&[(name("self_attn.k_norm.weight"), head_len)])?,
            output: self.matrix(&name("self_attn.o_proj.weight"), [hidden, queries])?,
            mlp_norm: self.vector(&name("post_attention_layernorm.weight"), hidden)?,
            gate_up,
            down: self.matrix(&name("mlp.down_proj.weight"), [hidden, ffn])?,
        })
    }

    /// Weights stored `[out, in]`.
    fn matrix(
        &self,
        name: &str,
        [out_len, in_len]: [usize; 2],
    ) -> Result<PanelMatrix, CheckpointError> {
        let mut matrix = PanelMatrix::zeros(in_len, out_len, self.dtype);
        self.each_column(&[(name.into(), out_len)], in_len, |index, column| {
            matrix.set_column(index, column);
        })?;
        Ok(matrix)
    }

    /// Gives away the weights of each output of some matrices stored `[out, in]`, with their lengths `out`.
    fn each_column(
        &self,
        parts: &[(String, usize)],
        in_len: usize,
        mut put: impl FnMut(usize, &[f32]),
    ) -> Result<(), CheckpointError> {
        let mut column = 0;
        for (name, len) in parts {
            let values = self.checkpoint.tensor(name, &[*len, in_len])?;
            for weights in values.chunks_exact(in_len) {
                put(column, weights);
                column += 1;
            }
        }
        Ok(())
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
