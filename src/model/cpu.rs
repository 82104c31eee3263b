//! The forward of a transformer on the CPU, without tensors: products with packed weights, and everything
//! between them in loops that are vectorised, over memory that is allocated once. Matrices may be stored in
//! half precision; what is computed and cached is in f32.
//!
//! Every row is computed by itself and in one order, whatever the rows beside it, the sequences and the
//! number of threads: a forward of many rows gives the bits of forwards of one.

use self::attention::Attend;
use self::cache::CacheShape;
use self::ops::{Head, add_to, for_rows, rms_norm, silu_times};
use crate::model::arch::Architecture;
use crate::model::lm::TokenId;
use crate::model::panels::PanelMatrix;
use crate::model::rope::Rope;

mod attention;
mod cache;
mod load;
mod ops;

pub use self::cache::CpuCache;

/// The weights of a model. A matrix is `[in, out]`.
#[derive(Debug)]
pub struct CpuTransformer {
    arch: Architecture,
    embedding: Embedding,
    layers: Vec<CpuLayer>,
    final_norm: Vec<f32>,
    head: PanelMatrix,
}

#[derive(Debug)]
enum Embedding {
    /// A row of a token is its column in the head.
    OfHead,
    /// Packed on its side: `[hidden, vocab]`.
    Own(PanelMatrix),
}

#[derive(Debug)]
struct CpuLayer {
    attention_norm: Vec<f32>,
    /// Queries, keys and values side by side.
    qkv: PanelMatrix,
    qkv_bias: Option<Vec<f32>>,
    q_norm: Option<Vec<f32>>,
    k_norm: Option<Vec<f32>>,
    output: PanelMatrix,
    mlp_norm: Vec<f32>,
    /// Gate and up projections side by side.
    gate_up: PanelMatrix,
    down: PanelMatrix,
}

/// New rows of one sequence and the cache that they go to.
#[derive(Debug)]
pub struct NewRows<'a> {
    pub cache: &'a mut CpuCache,
    pub tokens: &'a [TokenId],
    pub positions: &'a [u32],
    /// How many of the last rows return their logits.
    pub n_logits: usize,
}

/// Memory for what lies between two products, kept from one forward to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    x: Vec<f32>,
    normalized: Vec<f32>,
    projected: Vec<f32>,
    queries: Vec<f32>,
    attended: Vec<f32>,
    gate_up: Vec<f32>,
    activated: Vec<f32>,
    added: Vec<f32>,
}

impl CpuTransformer {
    /// An empty cache for one sequence of at most `capacity` rows.
    pub fn cache(&self, capacity: usize) -> CpuCache {
        CpuCache::new(CacheShape {
            n_layers: self.arch.n_layers,
            n_kv_heads: self.arch.n_kv_heads,
            head_len: self.arch.head_len,
            capacity,
        })
    }

    /// Its columns are the rows of the tokens.
    fn embedding(&self) -> &PanelMatrix {
        match &self.embedding {
            Embedding::OfHead => &self.head,
            Embedding::Own(matrix) => matrix,
        }
    }

    /// Whether a forward of `n_rows` rows has products that several threads share.
    pub fn is_worth_threads(&self, n_rows: usize) -> bool {
        let of_layer = |layer: &CpuLayer| layer.gate_up.is_worth_threads(n_rows);
        self.layers.iter().any(of_layer) || self.head.is_worth_threads(n_rows)
    }

    /// Appends the rows of every sequence to its cache, and returns the wanted logits, sequence after
    /// sequence.
    ///
    /// # Shapes
    /// Output: `[Σ n_logits, vocab]`.
    ///
    /// # Panics
    /// When a cache has no room for its rows, or a token is none of the vocabulary.
    pub fn forward(
        &self,
        sequences: &mut [NewRows<'_>],
        rope: &Rope,
        scratch: &mut Scratch,
    ) -> Vec<f32> {
        let hidden = self.arch.hidden_len;
        let tokens = || sequences.iter().flat_map(|rows| rows.tokens);
        let n_rows = tokens().count();
        scratch.resize(&self.arch, n_rows);
        for (row, &token) in scratch.x.chunks_exact_mut(hidden).zip(tokens()) {
            self.embedding().column(token as usize, row);
        }
        let positions: Vec<u32> = sequences
            .iter()
            .flat_map(|rows| rows.positions)
            .copied()
            .collect();
        let turns = rope.tables(&positions);
        for (index, layer) in self.layers.iter().enumerate() {
            let at = Place {
                arch: &self.arch,
                index,
                turns: (&turns.0, &turns.1),
            };
            layer.forward(&at, sequences, scratch);
        }
        let mut first = 0;
        let mut wanted = Vec::new();
        for rows in sequences.iter_mut() {
            let n = rows.tokens.len();
            rows.cache.grow(n);
            wanted.extend(first + n - rows.n_logits..first + n);
            first += n;
        }
        let normalized = &mut scratch.normalized[..wanted.len() * hidden];
        for_rows(normalized, hidden, |row, out| {
            let x = &scratch.x[wanted[row] * hidden..][..hidden];
            rms_norm(x, &self.final_norm, self.arch.rms_norm_eps, out);
        });
        self.head.multiply(normalized)
    }
}

/// Where a layer stands.
struct Place<'a> {
    arch: &'a Architecture,
    /// Of the layer.
    index: usize,
    /// Cosines and signed sines of each row, `[n, head_len]`, see [`Rope::tables`].
    turns: (&'a [f32], &'a [f32]),
}

impl CpuLayer {
    fn forward(&self, at: &Place<'_>, sequences: &mut [NewRows<'_>], scratch: &mut Scratch) {
        let (hidden, epsilon) = (at.arch.hidden_len, at.arch.rms_norm_eps);
        let normalize = |x: &[f32], weight: &[f32], out: &mut [f32]| {
            for_rows(out, hidden, |row, out| {
                rms_norm(&x[row * hidden..][..hidden], weight, epsilon, out);
            });
        };
        normalize(&scratch.x, &self.attention_norm, &mut scratch.normalized);
        self.qkv
            .multiply_into(&scratch.normalized, &mut scratch.projected);
        self.attend(at, sequences, scratch);
        self.output
            .multiply_into(&scratch.attended, &mut scratch.added);
        add_to(&mut scratch.x, &scratch.added);

        normalize(&scratch.x, &self.mlp_norm, &mut scratch.normalized);
        self.gate_up
            .multiply_into(&scratch.normalized, &mut scratch.gate_up);
        let ffn = at.arch.ffn_len;
        let gate_up = &scratch.gate_up;
        for_rows(&mut scratch.activated, ffn, |row, out| {
            let (gate, up) = gate_up[2 * row * ffn..][..2 * ffn].split_at(ffn);
            silu_times(gate, up, out);
        });
        self.down
            .multiply_into(&scratch.activated, &mut scratch.added);
        add_to(&mut scratch.x, &scratch.added);
    }

    /// From `projected` to `attended`.
    fn attend(&self, at: &Place<'_>, sequences: &mut [NewRows<'_>], scratch: &mut Scratch) {
        let arch = at.arch;
        let (heads, head_len) = (arch.n_heads, arch.head_len);
        let width = heads * head_len;
        let mut first = 0;
        for new in sequences {
            let n = new.tokens.len();
            let rows = first..first + n;
            let queries = &mut scratch.queries[first * width..][..n * width];
            self.place(at, &scratch.projected, rows, queries, new.cache);
            Attend {
                n_kv_heads: arch.n_kv_heads,
                group_len: arch.group_len(),
                head_len,
                n_rows: n,
                cached: new.cache.len(),
                window: arch.sliding_windows[at.index],
                cache: new.cache.layer(at.index),
            }
            .run(queries, &mut scratch.attended[first * width..][..n * width]);
            first += n;
        }
    }

    /// Biases, norms and turns the projections of the rows; keys and values go to the cache, queries to
    /// `queries`, `[n_kv_heads, rows, group_len, head_len]`.
    fn place(
        &self,
        at: &Place<'_>,
        projected: &[f32],
        rows: std::ops::Range<usize>,
        queries: &mut [f32],
        cache: &mut CpuCache,
    ) {
        let arch = at.arch;
        let (heads, kv_heads, head_len) = (arch.n_heads, arch.n_kv_heads, arch.head_len);
        let (group, n) = (arch.group_len(), rows.len());
        let scale = (head_len as f32).powf(-0.5);
        let width = (heads + 2 * kv_heads) * head_len;
        let mut row = vec![0.0; width];
        let mut turned = vec![0.0; head_len];
        let cached = cache.len();
        let mut layer = cache.layer_mut(at.index);
        for (offset, index) in rows.enumerate() {
            row.copy_from_slice(&projected[index * width..][..width]);
            if let Some(bias) = &self.qkv_bias {
                add_to(&mut row, bias);
            }
            let turn = index * head_len..(index + 1) * head_len;
            let (cos, sin) = (&at.turns.0[turn.clone()], &at.turns.1[turn]);
            let place = |x, norm: &Option<Vec<f32>>, scale, out: &mut [f32]| {
                let norm = norm.as_deref().map(|weight| (weight, arch.rms_norm_eps));
                Head {
                    x,
                    norm,
                    cos,
                    sin,
                    scale,
                    out,
                }
                .place();
            };
            for (head, x) in row.chunks_exact(head_len).enumerate() {
                if head < heads {
                    let start = (head / group * n + offset) * group + head % group;
                    let query = &mut queries[start * head_len..][..head_len];
                    place(x, &self.q_norm, scale, query);
                } else if head < heads + kv_heads {
                    place(x, &self.k_norm, 1.0, &mut turned);
                    layer.set_key(head - heads, cached + offset, &turned);
                } else {
                    layer.set_value(head - heads - kv_heads, cached + offset, x);
                }
            }
        }
    }
}

impl Scratch {
    fn resize(&mut self, arch: &Architecture, n_rows: usize) {
        let heads = arch.n_heads * arch.head_len;
        let keys = arch.n_kv_heads * arch.head_len;
        for (buffer, width) in [
            (&mut self.x, arch.hidden_len),
            (&mut self.normalized, arch.hidden_len),
            (&mut self.projected, heads + 2 * keys),
            (&mut self.queries, heads),
            (&mut self.attended, heads),
            (&mut self.gate_up, 2 * arch.ffn_len),
            (&mut self.activated, arch.ffn_len),
            (&mut self.added, arch.hidden_len),
        ] {
            buffer.resize(n_rows * width, 0.0);
        }
    }
}

#[cfg(test)]
mod tests;
