//! Attention of new rows over the cache of their sequence, one key head at a time: from the projections of
//! its rows to what its queries attend to.

use std::borrow::Cow;
use std::ops::Range;

use super::cache::HeadCache;
use super::ops::{Head, add_to, softmax};
use crate::model::threads::join;

/// Scores that are held at a time: they stay in the second cache.
const MOST_SCORES: usize = 64 * 1024;

/// Multiply-adds that are worth another thread.
const MIN_WORK: usize = 32 * 1024;

/// What all heads of a layer share.
#[derive(Debug, Clone, Copy)]
pub struct LayerHeads<'a> {
    /// Query heads of a key head.
    pub group_len: usize,
    pub head_len: usize,
    pub q_norm: Option<&'a [f32]>,
    pub k_norm: Option<&'a [f32]>,
    pub epsilon: f64,
    /// A row sees no more than so many rows, itself included.
    pub window: Option<usize>,
}

/// The new rows of one sequence and one key head.
#[derive(Debug)]
pub struct HeadRows<'a> {
    pub of: LayerHeads<'a>,
    /// Row by row, queries, key and value: `[n_rows, group_len + 2, head_len]`.
    pub projected: Vec<&'a [f32]>,
    /// Of one row.
    pub bias: Option<&'a [f32]>,
    /// Cosines and signed sines of each row, `[n_rows, head_len]`.
    pub turns: (&'a [f32], &'a [f32]),
    /// Rows before the new ones.
    pub cached: usize,
    pub cache: HeadCache<'a>,
    /// Memory for queries, `[n_rows, group_len, head_len]`.
    pub queries: &'a mut [f32],
    /// Where the result of each query goes, `[n_rows, group_len, head_len]`.
    pub lines: Vec<&'a mut [f32]>,
}

/// Computes every head, on several threads where there is enough to do.
pub fn attend(mut heads: Vec<HeadRows<'_>>) {
    let n_parts = rayon::current_num_threads();
    let work: usize = heads.iter().map(HeadRows::work).sum();
    if n_parts == 1 || work < 2 * MIN_WORK {
        heads.into_iter().for_each(|head| head.attend(1));
    } else if heads.len() == 1 {
        heads.into_iter().for_each(|head| head.attend(n_parts));
    } else {
        let rest = heads.split_off(heads.len() / 2);
        join(|| attend(heads), || attend(rest));
    }
}

impl HeadRows<'_> {
    fn n_rows(&self) -> usize {
        self.projected.len()
    }

    /// Multiply-adds.
    fn work(&self) -> usize {
        2 * self.queries.len() * (self.cached + self.n_rows())
    }

    fn attend(mut self, n_parts: usize) {
        self.place();
        let (n_rows, lines) = (self.n_rows(), std::mem::take(&mut self.lines));
        let n_scores = self.of.group_len * (self.cached + n_rows);
        let most = (MOST_SCORES / n_scores).min(n_rows.div_ceil(n_parts));
        self.attend_rows(0..n_rows, most.max(1), lines);
    }

    /// Biases, norms and turns the projections; keys and values go to the cache, scaled queries to `queries`.
    fn place(&mut self) {
        let LayerHeads {
            group_len,
            head_len,
            epsilon,
            ..
        } = self.of;
        let scale = (head_len as f32).powf(-0.5);
        let queries = self.queries.chunks_exact_mut(group_len * head_len);
        let mut key = vec![0.0; head_len];
        for (index, (projected, queries)) in self.projected.iter().zip(queries).enumerate() {
            let mut projected = Cow::Borrowed(*projected);
            if let Some(bias) = self.bias {
                add_to(projected.to_mut(), bias);
            }
            let turn = index * head_len..(index + 1) * head_len;
            let (cos, sin) = (&self.turns.0[turn.clone()], &self.turns.1[turn]);
            let place = |x, norm: Option<_>, scale, out| {
                let norm = norm.map(|weight| (weight, epsilon));
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
            let (of_queries, of_others) = projected.split_at(group_len * head_len);
            let heads = of_queries.chunks_exact(head_len);
            for (x, query) in heads.zip(queries.chunks_exact_mut(head_len)) {
                place(x, self.of.q_norm, scale, query);
            }
            let (of_key, value) = of_others.split_at(head_len);
            place(of_key, self.of.k_norm, 1.0, &mut key);
            self.cache.set_key(self.cached + index, &key);
            self.cache.set_value(self.cached + index, value);
        }
    }

    /// Some rows, `most` at a time.
    fn attend_rows(&self, rows: Range<usize>, most: usize, mut lines: Vec<&mut [f32]>) {
        if rows.len() > most {
            let middle = rows.start + rows.len() / 2;
            let rest = lines.split_off((middle - rows.start) * self.of.group_len);
            join(
                || self.attend_rows(rows.start..middle, most, lines),
                || self.attend_rows(middle..rows.end, most, rest),
            );
            return;
        }
        let of_row = self.of.group_len * self.of.head_len;
        let queries = &self.queries[rows.start * of_row..rows.end * of_row];
        let total = self.cached + rows.end;
        let mut scores = vec![0.0; lines.len() * total];
        let mut of_queries: Vec<&mut [f32]> = scores.chunks_exact_mut(total).collect();
        self.cache.keys().multiply(queries, &mut of_queries);
        for (query, scores) in of_queries.into_iter().enumerate() {
            let seen = self.seen(rows.start + query / self.of.group_len);
            softmax(&mut scores[seen.clone()]);
            // A weight of 0 adds nothing, not even in the last bit.
            scores[..seen.start].fill(0.0);
            scores[seen.end..].fill(0.0);
        }
        self.cache.values(total).multiply(&scores, &mut lines);
    }

    /// Cache rows that a new row sees.
    fn seen(&self, row: usize) -> Range<usize> {
        let end = self.cached + row + 1;
        let start = self
            .of
            .window
            .map_or(0, |window| end.saturating_sub(window));
        start..end
    }
}
