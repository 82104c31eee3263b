//! The forward of a transformer on the CPU, without tensors: products with packed weights, and everything
//! between them in loops that are vectorised, over memory that is allocated once. Matrices may be stored in
//! half precision; what is computed and cached is in f32.
//!
//! Every row is computed by itself and in one order, whatever the rows beside it, the sequences and the
//! number of threads: a forward of many rows gives the bits of forwards of one.

use self::attention::{HeadRows, LayerHeads, attend};
use self::cache::CacheShape;
use self::then::{GatedMatrix, Normalized, multiply_and_add};
use crate::model::arch::Architecture;
use crate::model::lm::TokenId;
use crate::model::panels::PanelMatrix;
use crate::model::rope::Rope;

mod attention;
mod cache;
mod load;
mod ops;
mod then;

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
    /// Side by side, the queries, the key and the value of each key head: one thread computes them all.
    qkv: PanelMatrix,
    qkv_bias: Option<Vec<f32>>,
    q_norm: Option<Vec<f32>>,
    k_norm: Option<Vec<f32>>,
    output: PanelMatrix,
    mlp_norm: Vec<f32>,
    gate_up: GatedMatrix,
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
        scratch.resize(self, n_rows);
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
        let mut rows = scratch.x.chunks_exact(hidden);
        let mut wanted = Vec::new();
        for new in sequences.iter_mut() {
            let n = new.tokens.len();
            new.cache.grow(n);
            wanted.extend(rows.by_ref().take(n).skip(n - new.n_logits));
        }
        let mut logits = vec![0.0; wanted.len() * self.arch.vocab_len];
        let normalized = Normalized {
            rows: wanted,
            weight: &self.final_norm,
            epsilon: self.arch.rms_norm_eps,
        };
        self.head.multiply_then(normalized, &mut logits, ());
        logits
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

fn normalized<'a>(arch: &Architecture, x: &'a [f32], weight: &'a [f32]) -> Normalized<'a> {
    Normalized {
        rows: x.chunks_exact(arch.hidden_len).collect(),
        weight,
        epsilon: arch.rms_norm_eps,
    }
}

impl CpuLayer {
    fn forward(&self, at: &Place<'_>, sequences: &mut [NewRows<'_>], scratch: &mut Scratch) {
        let rows = normalized(at.arch, &scratch.x, &self.attention_norm);
        self.qkv.multiply_then(rows, &mut scratch.projected, ());
        self.attend(at, sequences, scratch);
        let (attended, added) = (&scratch.attended, &mut scratch.added);
        multiply_and_add(&self.output, attended, added, &mut scratch.x);

        let rows = normalized(at.arch, &scratch.x, &self.mlp_norm);
        let (gate_up, activated) = (&mut scratch.gate_up, &mut scratch.activated);
        self.gate_up.multiply_into(rows, gate_up, activated);
        multiply_and_add(&self.down, activated, &mut scratch.added, &mut scratch.x);
    }

    /// From `projected` to `attended`.
    fn attend(&self, at: &Place<'_>, sequences: &mut [NewRows<'_>], scratch: &mut Scratch) {
        let arch = at.arch;
        let (n_kv_heads, head_len) = (arch.n_kv_heads, arch.head_len);
        let of_head = arch.group_len() * head_len;
        let projected_of_head = of_head + 2 * head_len;
        let of = LayerHeads {
            group_len: arch.group_len(),
            head_len,
            q_norm: self.q_norm.as_deref(),
            k_norm: self.k_norm.as_deref(),
            epsilon: arch.rms_norm_eps,
            window: arch.sliding_windows[at.index],
        };
        let mut heads = Vec::with_capacity(sequences.len() * n_kv_heads);
        let mut queries = scratch.queries.as_mut_slice();
        let mut projected = scratch
            .projected
            .chunks_exact(n_kv_heads * projected_of_head);
        let mut attended = scratch.attended.chunks_exact_mut(n_kv_heads * of_head);
        let mut first = 0;
        for new in sequences {
            let n = new.tokens.len();
            let projected: Vec<&[f32]> = projected.by_ref().take(n).collect();
            let mut lines: Vec<Vec<&mut [f32]>> = Vec::new();
            lines.resize_with(n_kv_heads, || Vec::with_capacity(n * arch.group_len()));
            for row in attended.by_ref().take(n) {
                for (lines, group) in lines.iter_mut().zip(row.chunks_exact_mut(of_head)) {
                    lines.extend(group.chunks_exact_mut(head_len));
                }
            }
            let turns = first * head_len..(first + n) * head_len;
            let cached = new.cache.len();
            let caches = new.cache.heads(at.index);
            for (head, (cache, lines)) in caches.zip(lines).enumerate() {
                let columns = head * projected_of_head..(head + 1) * projected_of_head;
                let of_queries;
                (of_queries, queries) = queries.split_at_mut(n * of_head);
                heads.push(HeadRows {
                    of,
                    projected: projected.iter().map(|row| &row[columns.clone()]).collect(),
                    bias: self.qkv_bias.as_ref().map(|bias| &bias[columns.clone()]),
                    turns: (&at.turns.0[turns.clone()], &at.turns.1[turns.clone()]),
                    cached,
                    cache,
                    queries: of_queries,
                    lines,
                });
            }
            first += n;
        }
        attend(heads);
    }
}

impl Scratch {
    fn resize(&mut self, model: &CpuTransformer, n_rows: usize) {
        let arch = &model.arch;
        let n_gate_up = model
            .layers
            .first()
            .map_or(0, |layer| layer.gate_up.n_products());
        let heads = arch.n_heads * arch.head_len;
        let keys = arch.n_kv_heads * arch.head_len;
        for (buffer, width) in [
            (&mut self.x, arch.hidden_len),
            (&mut self.projected, heads + 2 * keys),
            (&mut self.queries, heads),
            (&mut self.attended, heads),
            (&mut self.gate_up, n_gate_up),
            (&mut self.activated, arch.ffn_len),
            (&mut self.added, arch.hidden_len),
        ] {
            buffer.resize(n_rows * width, 0.0);
        }
    }
}

#[cfg(test)]
mod tests;
