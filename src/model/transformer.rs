//! The decoder-only transformer: pre-norm blocks of attention and SwiGLU.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Int, Tensor, activation};

use crate::model::arch::Architecture;
use crate::model::attention::{Attention, RowContext, causal_mask, ragged_causal_mask, rms_norm};
use crate::model::kv_cache::{CacheShape, LayerCache, Placement};

/// Weights of a model; its shape is in [`Architecture`]. Every matrix lies `[in, out]`.
#[derive(Module, Debug)]
pub struct Transformer {
    /// `[vocab, hidden]`
    pub embedding: Param<Tensor<2>>,
    pub layers: Vec<Layer>,
    pub final_norm: Param<Tensor<1>>,
    /// `[hidden, vocab]`; `None` while training a tied head, see [`Transformer::head`].
    pub head: Option<Param<Tensor<2>>>,
}

#[derive(Module, Debug)]
pub struct Layer {
    pub attention_norm: Param<Tensor<1>>,
    pub attention: Attention,
    pub mlp_norm: Param<Tensor<1>>,
    /// Gate and up projections side by side: `[hidden, 2 · ffn]`.
    pub gate_up: Param<Tensor<2>>,
    /// `[ffn, hidden]`
    pub down: Param<Tensor<2>>,
}

/// Cached rows of all layers; `len` of them are valid.
#[derive(Debug)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    len: usize,
    capacity: usize,
}

impl KvCache {
    pub fn new(arch: &Architecture, capacity: usize, dtype: DType, device: &Device) -> Self {
        Self {
            layers: cache_layers(arch, 1, capacity, dtype, device),
            len: 0,
            capacity,
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

/// Empty caches of every layer, with `capacity` rows for each of `n_sequences`.
pub fn cache_layers(
    arch: &Architecture,
    n_sequences: usize,
    capacity: usize,
    dtype: DType,
    device: &Device,
) -> Vec<LayerCache> {
    let shape = CacheShape {
        n_sequences,
        n_kv_heads: arch.n_kv_heads,
        head_len: arch.head_len,
        capacity,
    };
    (0..arch.n_layers)
        .map(|_| LayerCache::new(shape, dtype, device))
        .collect()
}

impl Transformer {
    /// Appends one sequence's rows to the cache and returns the hidden states of the last
    /// `n_last`, final norm applied.
    ///
    /// # Shapes
    /// - `tokens`: `[len]`
    /// - output: `[n_last, hidden]`
    pub fn forward_cached(
        &self,
        arch: &Architecture,
        tokens: Tensor<1, Int>,
        rows: &RowContext,
        cache: &mut KvCache,
        n_last: usize,
    ) -> Tensor<2> {
        let cached = cache.len;
        let mut x = self.embedding.val().select(0, tokens);
        let (dtype, device) = (x.dtype(), x.device());
        let masks = Masks::new(arch, |window| {
            causal_mask(rows.len, cached, window, dtype, &device)
        });
        let place = [Placement {
            sequence: 0,
            cached,
            n_rows: rows.len,
        }];
        for (index, (layer, layer_cache)) in self.layers.iter().zip(&mut cache.layers).enumerate() {
            x = layer.forward(
                arch,
                x,
                rows,
                masks.of(arch, index),
                Some((layer_cache, &place)),
            );
        }
        cache.len = cached + rows.len;
        let x = x.narrow(0, rows.len - n_last, n_last);
        self.normalize(arch, x)
    }

    /// Appends rows of several sequences, padded to the longest, to their caches and returns the
    /// hidden states of the `wanted` ones, final norm applied.
    ///
    /// # Shapes
    /// - `tokens`: `[places.len() · rows.len]`, padding behind the rows of each sequence
    /// - `cache`: one per layer
    /// - `wanted`: indices into `tokens`
    /// - output: `[wanted, hidden]`
    pub fn forward_ragged(
        &self,
        arch: &Architecture,
        tokens: Tensor<1, Int>,
        rows: &RowContext,
        cache: (&mut [LayerCache], &[Placement]),
        wanted: Tensor<1, Int>,
    ) -> Tensor<2> {
        let (layer_caches, places) = cache;
        let mut x = self.embedding.val().select(0, tokens);
        let (dtype, device) = (x.dtype(), x.device());
        let masks = Masks::new(arch, |window| {
            Some(ragged_causal_mask(places, rows.len, window, dtype, &device))
        });
        for (index, (layer, layer_cache)) in self.layers.iter().zip(layer_caches).enumerate() {
            x = layer.forward(
                arch,
                x,
                rows,
                masks.of(arch, index),
                Some((layer_cache, places)),
            );
        }
        self.normalize(arch, x.select(0, wanted))
    }

    /// All rows of a batch at once, without a cache, as in training.
    ///
    /// # Shapes
    /// - `tokens`: `[batch, len]`
    /// - `mask`: additive, `[batch or 1, 1, len, len]`
    /// - output: `[batch · len, hidden]`, final norm applied
    pub fn forward_batch(
        &self,
        arch: &Architecture,
        tokens: Tensor<2, Int>,
        rows: &RowContext,
        mask: &Tensor<4>,
    ) -> Tensor<2> {
        let mut x = self
            .embedding
            .val()
            .select(0, tokens.reshape([rows.batch * rows.len]));
        for layer in &self.layers {
            x = layer.forward(arch, x, rows, Some(mask), None);
        }
        self.normalize(arch, x)
    }

    /// # Shapes
    /// `[n, hidden]` → `[n, vocab]`
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        hidden.matmul(self.head())
    }

    /// The head's matrix. A tied one is laid out anew as `[hidden, vocab]` rows: a transposed view
    /// of the embedding would make every product of more than one row an order slower.
    pub fn head(&self) -> Tensor<2> {
        match &self.head {
            Some(head) => head.val(),
            None => {
                let embedding = self.embedding.val();
                let [vocab, hidden] = embedding.dims();
                embedding
                    .transpose()
                    .reshape([hidden * vocab])
                    .reshape([hidden, vocab])
            }
        }
    }

    fn normalize(&self, arch: &Architecture, x: Tensor<2>) -> Tensor<2> {
        rms_norm(x, arch.rms_norm_eps) * self.final_norm.val().unsqueeze()
    }
}

impl Layer {
    fn forward(
        &self,
        arch: &Architecture,
        x: Tensor<2>,
        rows: &RowContext,
        mask: Option<&Tensor<4>>,
        cache: Option<(&mut LayerCache, &[Placement])>,
    ) -> Tensor<2> {
        let normalized =
            rms_norm(x.clone(), arch.rms_norm_eps) * self.attention_norm.val().unsqueeze();
        let x = x + self.attention.forward(arch, normalized, rows, mask, cache);
        let normalized = rms_norm(x.clone(), arch.rms_norm_eps) * self.mlp_norm.val().unsqueeze();
        let gate_up = normalized.matmul(self.gate_up.val());
        let gate = gate_up.clone().narrow(1, 0, arch.ffn_len);
        let up = gate_up.narrow(1, arch.ffn_len, arch.ffn_len);
        x + (activation::silu(gate) * up).matmul(self.down.val())
    }
}

/// The masks of one cached forward: layers that slide and layers that do not.
struct Masks {
    full: Option<Tensor<4>>,
    sliding: Option<Tensor<4>>,
}

impl Masks {
    /// `mask` makes one for a sliding window or for none.
    fn new(arch: &Architecture, mask: impl Fn(Option<usize>) -> Option<Tensor<4>>) -> Self {
        let window = arch.sliding_windows.iter().flatten().next().copied();
        Self {
            full: arch
                .sliding_windows
                .contains(&None)
                .then(|| mask(None))
                .flatten(),
            sliding: window.and_then(|window| mask(Some(window))),
        }
    }

    fn of(&self, arch: &Architecture, layer: usize) -> Option<&Tensor<4>> {
        match arch.sliding_windows[layer] {
            Some(_) => self.sliding.as_ref(),
            None => self.full.as_ref(),
        }
    }
}
