//! Loss and gradients of one batch.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData, activation};

use crate::model::arch::Architecture;
use crate::model::attention::{RowContext, additive_mask, causal_mask};
use crate::model::rope::Rope;
use crate::model::transformer::Transformer;
use crate::train::objective::Batch;

/// Loss of a batch and the gradient of every weight.
pub fn gradients(
    model: &Transformer,
    arch: &Architecture,
    batch: &Batch,
    device: &Device,
) -> (f32, GradientsParams) {
    let loss = batch_loss(model, arch, batch, device);
    let value = loss.clone().into_scalar::<f32>();
    (value, GradientsParams::from_grads(loss.backward(), model))
}

/// Weighted cross-entropy of a batch, in nats.
///
/// # Shapes
/// Output: `[1]`.
pub fn batch_loss(
    model: &Transformer,
    arch: &Architecture,
    batch: &Batch,
    device: &Device,
) -> Tensor<1> {
    let (n, len) = (batch.n_documents, batch.len);
    let ints = |values: Vec<i32>| {
        let count = values.len();
        Tensor::<1, Int>::from_data(TensorData::new(values, [count]), device)
    };
    let tokens = ints(batch.tokens.iter().map(|&token| token as i32).collect()).reshape([n, len]);
    let rows = row_context(arch, batch, device);
    let mask = match &batch.may_attend {
        None => causal_mask(len, 0, None, DType::F32, device)
            .unwrap_or_else(|| Tensor::zeros([1, 1, len, len], device)),
        Some(may_attend) => {
            let data = TensorData::new(may_attend.clone(), [n, 1, len, len]);
            additive_mask(Tensor::<4, Bool>::from_data(data, device), DType::F32)
        }
    };
    let hidden = model.forward_batch(arch, tokens, &rows, &mask);
    let wanted = ints(
        batch
            .targets
            .iter()
            .map(|target| target.row as i32)
            .collect(),
    );
    let logits = model.logits(hidden.select(0, wanted));
    let log_probabilities = activation::log_softmax(logits, 1);
    let n_targets = batch.targets.len();
    let ids = ints(
        batch
            .targets
            .iter()
            .map(|target| target.token as i32)
            .collect(),
    );
    let weights: Vec<f32> = batch.targets.iter().map(|target| target.weight).collect();
    let weights = Tensor::<2>::from_data(TensorData::new(weights, [n_targets, 1]), device);
    (log_probabilities.gather(1, ids.reshape([n_targets, 1])) * weights)
        .sum()
        .neg()
}

fn row_context(arch: &Architecture, batch: &Batch, device: &Device) -> RowContext {
    let rope = Rope::new(arch);
    // Without a prediction stream all documents stand at the same positions.
    let shared = batch.may_attend.is_none();
    let n = if shared { 1 } else { batch.n_documents };
    let (cos, sin) = rope.tables(&batch.positions[..n * batch.len]);
    let shape = [n, batch.len, 1, arch.head_len];
    RowContext {
        batch: batch.n_documents,
        len: batch.len,
        cos: Tensor::from_data(TensorData::new(cos, shape), device),
        sin: Tensor::from_data(TensorData::new(sin, shape), device),
    }
}

/// Scales all gradients by `scale`, then down to `max_norm` when their joint norm exceeds it.
pub fn clip(
    model: &Transformer,
    gradients: GradientsParams,
    scale: f32,
    max_norm: f32,
) -> GradientsParams {
    let mut norm = SquaredNorm {
        gradients: &gradients,
        sum: 0.0,
    };
    model.visit(&mut norm);
    let norm = scale * norm.sum.sqrt();
    let mut rescale = Rescale {
        old: gradients,
        new: GradientsParams::new(),
        factor: scale * (max_norm / norm.max(max_norm)),
    };
    model.visit(&mut rescale);
    rescale.new
}

struct SquaredNorm<'a> {
    gradients: &'a GradientsParams,
    sum: f32,
}

impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.sum += gradient.square().sum().into_scalar::<f32>();
        }
    }
}

struct Rescale {
    old: GradientsParams,
    new: GradientsParams,
    factor: f32,
}

impl ModuleVisitor for Rescale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.old.remove::<D>(param.id) {
            self.new
                .register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}
