//! Grouped-query attention with explicit positions, for one forward of any model here.

use burn::module::{Module, Param};
use burn::tensor::{Bool, DType, Int, Tensor, TensorData, activation};

use crate::model::arch::Architecture;
use crate::model::kv_cache::{KeysValues, LayerCache, Placement};

/// Projections of one attention block. Every weight lies `[in, out]`.
#[derive(Module, Debug)]
pub struct Attention {
    /// Queries, keys and values side by side: `[hidden, (n_heads + 2 n_kv_heads) · head_len]`.
    pub qkv: Param<Tensor<2>>,
    pub qkv_bias: Option<Param<Tensor<1>>>,
    /// Per-head RMS norm of the queries, `[head_len]`.
    pub q_norm: Option<Param<Tensor<1>>>,
    pub k_norm: Option<Param<Tensor<1>>>,
    /// `[n_heads · head_len, hidden]`
    pub output: Param<Tensor<2>>,
}

/// Where the rows of a forward stand and what they may see; the same for every layer.
#[derive(Debug, Clone)]
pub struct RowContext {
    pub batch: usize,
    /// Rows per sequence.
    pub len: usize,
    /// `[batch or 1, len, 1, head_len]`
    pub cos: Tensor<4>,
    /// `[batch or 1, len, 1, head_len]`, first half negated.
    pub sin: Tensor<4>,
}

/// Largest finite addend that half precision holds; the softmax turns it into 0.
const MASKED: f32 = -6.0e4;

/// Additive mask from "may attend": 0 where true, a large negative number elsewhere.
pub fn additive_mask(may_attend: Tensor<4, Bool>, dtype: DType) -> Tensor<4> {
    let device = may_attend.device();
    let shape = may_attend.shape();
    Tensor::<4>::zeros(shape, (&device, dtype)).mask_fill(may_attend.bool_not(), MASKED)
}

/// Causal mask of `len` new rows behind `cached` rows, over physical order.
///
/// # Shapes
/// `[1, 1, len, cached + len]`; `None` when every row may see everything.
pub fn causal_mask(
    len: usize,
    cached: usize,
    sliding_window: Option<usize>,
    dtype: DType,
    device: &burn::tensor::Device,
) -> Option<Tensor<4>> {
    let total = cached + len;
    let window_hides = sliding_window.is_some_and(|window| total > window);
    if len == 1 && !window_hides {
        return None;
    }
    let rows =
        Tensor::<1, Int>::arange(cached as i64..total as i64, device).reshape([1, 1, len, 1]);
    let columns = Tensor::<1, Int>::arange(0..total as i64, device).reshape([1, 1, 1, total]);
    let behind = rows.expand([1, 1, len, total]) - columns.expand([1, 1, len, total]);
    let mut may_attend = behind.clone().greater_equal_elem(0);
    if let Some(window) = sliding_window.filter(|_| window_hides) {
        may_attend = may_attend.bool_and(behind.lower_elem(window as i64));
    }
    Some(additive_mask(may_attend, dtype))
}

/// Causal mask of `len` new rows behind the cached rows of each sequence, padded to the longest cache.
///
/// New row i of a sequence sees the columns up to `cached + i`: its own past, and neither another
/// row's future nor what lies behind the end of its cache. A padding row (i ≥ `n_rows`) sees columns
/// without meaning; nothing reads what it computes.
///
/// # Shapes
/// `[places.len(), 1, len, total]`
pub fn ragged_causal_mask(
    places: &[Placement],
    len: usize,
    sliding_window: Option<usize>,
    dtype: DType,
    device: &burn::tensor::Device,
) -> Tensor<4> {
    let batch = places.len();
    let total = places.iter().map(Placement::end).max().unwrap_or(0);
    let shape = [batch, 1, len, total];
    let int = |values: Vec<i32>, shape: [usize; 4]| {
        let n = values.len();
        Tensor::<1, Int>::from_data(TensorData::new(values, [n]), device).reshape(shape)
    };
    let first_rows = places.iter().map(|place| place.cached as i32);
    let rows = first_rows
        .flat_map(|first| first..first + len as i32)
        .collect();
    let rows = int(rows, [batch, 1, len, 1]).expand(shape);
    let columns = int((0..total as i32).collect(), [1, 1, 1, total]).expand(shape);
    let behind = rows - columns;
    let mut may_attend = behind.clone().greater_equal_elem(0);
    if let Some(window) = sliding_window {
        may_attend = may_attend.bool_and(behind.lower_elem(window as i64));
    }
    additive_mask(may_attend, dtype)
}

impl Attention {
    /// # Shapes
    /// - `x`: `[batch · len, hidden]`
    /// - `mask`: `[batch or 1, 1, len, cached + len]`, additive
    /// - output: `[batch · len, hidden]`
    ///
    /// With a cache, `cache.1` says for each sequence of the batch where its rows go; `cached + len` is
    /// then the longest cache, new rows included.
    pub fn forward(
        &self,
        arch: &Architecture,
        x: Tensor<2>,
        rows: &RowContext,
        mask: Option<&Tensor<4>>,
        cache: Option<(&mut LayerCache, &[Placement])>,
    ) -> Tensor<2> {
        let (batch, len) = (rows.batch, rows.len);
        let (heads, kv_heads, head_len) = (arch.n_heads, arch.n_kv_heads, arch.head_len);

        let mut projected = x.matmul(self.qkv.val());
        if let Some(bias) = &self.qkv_bias {
            projected = projected + bias.val().unsqueeze();
        }
        let projected = projected.reshape([batch, len, heads + 2 * kv_heads, head_len]);
        let value = projected.clone().narrow(2, heads + kv_heads, kv_heads);
        let query_key = self.normalize(arch, projected.narrow(2, 0, heads + kv_heads));
        let query_key = rotate(query_key, rows);
        let query = query_key.clone().narrow(2, 0, heads);
        let key = query_key.narrow(2, heads, kv_heads);

        let query = query
            .mul_scalar((head_len as f64).powf(-0.5))
            .swap_dims(1, 2) // [batch, heads, len, head_len]
            .reshape([batch * kv_heads, arch.group_len() * len, head_len]);
        let new = KeysValues {
            keys: key
                .permute([0, 2, 3, 1])
                .reshape([batch * kv_heads, head_len, len]),
            values: value
                .swap_dims(1, 2)
                .reshape([batch * kv_heads, len, head_len]),
        };
        let KeysValues { keys, values } = match cache {
            Some((cache, places)) => cache.append(places, new),
            None => new,
        };

        let total = keys.dims()[2];
        let mut scores = query.matmul(keys).reshape([batch, heads, len, total]);
        if let Some(mask) = mask {
            scores = scores + mask.clone();
        }
        let weights =
            softmax_f32(scores).reshape([batch * kv_heads, arch.group_len() * len, total]);
        let attended = weights
            .matmul(values)
            .reshape([batch, heads, len, head_len])
            .swap_dims(1, 2) // [batch, len, heads, head_len]
            .reshape([batch * len, heads * head_len]);
        attended.matmul(self.output.val())
    }

    /// QK-norm: query heads by one weight, key heads by the other, where the checkpoint has them.
    fn normalize(&self, arch: &Architecture, query_key: Tensor<4>) -> Tensor<4> {
        match (&self.q_norm, &self.k_norm) {
            (Some(q_norm), Some(k_norm)) => {
                let width = arch.head_len;
                let weights = Tensor::cat(
                    vec![
                        q_norm
                            .val()
                            .reshape([1, width])
                            .expand([arch.n_heads, width]),
                        k_norm
                            .val()
                            .reshape([1, width])
                            .expand([arch.n_kv_heads, width]),
                    ],
                    0,
                );
                rms_norm(query_key, arch.rms_norm_eps) * weights.unsqueeze()
            }
            _ => query_key,
        }
    }
}

/// x / √(mean(x²) + ε) over the last dimension, computed in f32, not yet weighted.
pub fn rms_norm<const D: usize>(x: Tensor<D>, epsilon: f64) -> Tensor<D> {
    let dtype = x.dtype();
    let x = to_f32(x);
    let mean_square = x.clone().square().mean_dim(D - 1);
    let normalized = x * mean_square.add_scalar(epsilon).sqrt().recip();
    cast_to(normalized, dtype)
}

/// RoPE on `[batch, len, heads, head_len]`.
fn rotate(x: Tensor<4>, rows: &RowContext) -> Tensor<4> {
    let half = x.dims()[3] / 2;
    let swapped = Tensor::cat(
        vec![
            x.clone().narrow(3, half, half),
            x.clone().narrow(3, 0, half),
        ],
        3,
    );
    x * rows.cos.clone() + swapped * rows.sin.clone()
}

fn softmax_f32(scores: Tensor<4>) -> Tensor<4> {
    let dtype = scores.dtype();
    cast_to(activation::softmax(to_f32(scores), 3), dtype)
}

fn to_f32<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    cast_to(x, DType::F32)
}

fn cast_to<const D: usize>(x: Tensor<D>, dtype: DType) -> Tensor<D> {
    if x.dtype() == dtype { x } else { x.cast(dtype) }
}
