//! What a forward of a checkpoint does before and behind its layers, for one sequence or several.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::model::arch::Architecture;
use crate::model::attention::RowContext;
use crate::model::lm::{ModelError, TokenId};
use crate::model::rope::Rope;

/// Refuses rows that the cache has no room for, and tokens that the vocabulary does not have.
pub(super) fn check_rows(
    tokens: &[TokenId],
    cached: usize,
    context_len: usize,
    arch: &Architecture,
) -> Result<(), ModelError> {
    let (new, vocab_len) = (tokens.len(), arch.vocab_len);
    if cached + new > context_len {
        return Err(ModelError::ContextOverflow {
            cached,
            new,
            context_len,
        });
    }
    let is_unknown = |token: &&TokenId| **token as usize >= vocab_len;
    match tokens.iter().find(is_unknown) {
        Some(&token) => Err(ModelError::UnknownToken { token, vocab_len }),
        None => Ok(()),
    }
}

/// Runs a forward on a thread of the rayon pool if products in it are shared: a thread of the pool
/// hands work to another one in a few microseconds and does it itself where none comes, while any other
/// thread would go to sleep and be woken again for each product.
pub(super) fn on_threads<R: Send>(is_shared: bool, forward: impl FnOnce() -> R + Send) -> R {
    if is_shared && rayon::current_num_threads() > 1 {
        rayon::scope(|_| forward())
    } else {
        forward()
    }
}

/// # Shapes
/// `positions`: `[batch · len]`
pub(super) fn row_context(
    rope: &Rope,
    batch: usize,
    positions: &[u32],
    (device, dtype): (&Device, DType),
) -> RowContext {
    let (cos, sin) = rope.tables(positions);
    let len = positions.len() / batch;
    let shape = [batch, len, 1, cos.len() / positions.len()];
    let upload =
        |values: Vec<f32>| Tensor::from_data(TensorData::new(values, shape), (device, dtype));
    RowContext {
        batch,
        len,
        cos: upload(cos),
        sin: upload(sin),
    }
}

/// Brings logits to the host.
pub(super) fn read_logits(logits: Tensor<2>) -> Result<Vec<f32>, ModelError> {
    let data = logits
        .try_into_data()
        .map_err(|error| ModelError::Device(format!("the device failed: {error:?}")))?;
    data.convert::<f32>()
        .try_into_vec::<f32>()
        .map_err(|error| ModelError::Device(format!("unreadable logits: {error:?}")))
}

/// Logits that decoders see: those from `n_drawable` on become −∞. `cache_row` names the cache row of a
/// row of logits.
pub(super) fn drawable(
    mut values: Vec<f32>,
    vocab_len: usize,
    n_drawable: usize,
    cache_row: impl Fn(usize) -> usize,
) -> Result<Vec<f32>, ModelError> {
    for (index, row) in values.chunks_exact_mut(vocab_len).enumerate() {
        // Without a way out of the loop it looks at several values at once.
        if row.iter().fold(false, |is_nan, x| is_nan | x.is_nan()) {
            return Err(ModelError::NotANumber {
                row: cache_row(index),
            });
        }
        row[n_drawable..].fill(f32::NEG_INFINITY);
    }
    Ok(values)
}

pub(super) fn sync(device: &Device) -> Result<(), ModelError> {
    device
        .sync()
        .map_err(|error| ModelError::Device(format!("the device failed: {error:?}")))
}
