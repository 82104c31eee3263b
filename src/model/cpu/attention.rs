//! Attention of new rows over the cache of their sequence.

use std::ops::Range;

use rayon::prelude::*;

use super::cache::LayerView;
use super::ops::softmax;

/// Scores that are held at a time: they stay in the second cache.
const MOST_SCORES: usize = 64 * 1024;

/// Multiply-adds that are worth another thread.
const MIN_WORK: usize = 96 * 1024;

/// The new rows of one sequence in one layer, whose keys and values are in the cache already.
#[derive(Debug, Clone, Copy)]
pub struct Attend<'a> {
    pub n_kv_heads: usize,
    /// Query heads of a key head.
    pub group_len: usize,
    pub head_len: usize,
    pub n_rows: usize,
    /// Rows before the new ones.
    pub cached: usize,
    /// A row sees no more than so many rows, itself included.
    pub window: Option<usize>,
    pub cache: LayerView<'a>,
}

/// Some new rows and one key head.
struct Task<'q> {
    head: usize,
    rows: Range<usize>,
    /// `[rows, group_len, head_len]`
    queries: &'q [f32],
    /// Where each query's result goes.
    lines: Vec<&'q mut [f32]>,
}

impl Attend<'_> {
    /// # Shapes
    /// - `queries`: `[n_kv_heads, n_rows, group_len, head_len]`, scaled
    /// - `out`: `[n_rows, n_kv_heads · group_len, head_len]`
    pub fn run(&self, queries: &[f32], out: &mut [f32]) {
        let tasks = self.tasks(queries, out);
        let total = self.cached + self.n_rows;
        let work = 2 * self.n_rows * self.n_kv_heads * self.group_len * self.head_len * total;
        if work >= 2 * MIN_WORK && tasks.len() > 1 && rayon::current_num_threads() > 1 {
            tasks.into_par_iter().for_each(|task| self.attend(task));
        } else {
            tasks.into_iter().for_each(|task| self.attend(task));
        }
    }

    fn tasks<'q>(&self, queries: &'q [f32], out: &'q mut [f32]) -> Vec<Task<'q>> {
        let total = self.cached + self.n_rows;
        let of_row = self.group_len * self.head_len;
        let rows_of_task = (MOST_SCORES / (self.group_len * total)).clamp(1, self.n_rows);
        let mut lines: Vec<Vec<&mut [f32]>> = (0..self.n_kv_heads).map(|_| Vec::new()).collect();
        for (index, line) in out.chunks_exact_mut(self.head_len).enumerate() {
            lines[index / self.group_len % self.n_kv_heads].push(line);
        }
        let heads = queries.chunks_exact(self.n_rows * of_row).zip(lines);
        heads
            .enumerate()
            .flat_map(|(head, (queries, mut lines))| {
                let starts = (0..self.n_rows).step_by(rows_of_task);
                starts
                    .map(|start| {
                        let rows = start..self.n_rows.min(start + rows_of_task);
                        let rest = lines.split_off(rows.len() * self.group_len);
                        Task {
                            head,
                            queries: &queries[start * of_row..rows.end * of_row],
                            rows,
                            lines: std::mem::replace(&mut lines, rest),
                        }
                    })
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn attend(&self, task: Task<'_>) {
        let total = self.cached + task.rows.end;
        let mut scores = vec![0.0; task.lines.len() * total];
        let keys = self.cache.keys(task.head);
        keys.multiply(task.queries, scores.chunks_exact_mut(total).collect());
        for (query, scores) in scores.chunks_exact_mut(total).enumerate() {
            let seen = self.seen(task.rows.start + query / self.group_len);
            softmax(&mut scores[seen.clone()]);
            // A weight of 0 adds nothing, not even in the last bit.
            scores[..seen.start].fill(0.0);
            scores[seen.end..].fill(0.0);
        }
        let values = self.cache.values(task.head, total);
        values.multiply(&scores, task.lines);
    }

    /// Cache rows that a new row sees.
    fn seen(&self, row: usize) -> Range<usize> {
        let end = self.cached + row + 1;
        let start = self.window.map_or(0, |window| end.saturating_sub(window));
        start..end
    }
}
