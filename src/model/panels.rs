//! A matrix of weights on the CPU, laid out for products of a few rows in f32.
//!
//! The columns lie in panels as wide as two vectors of the processor, one panel behind the other; in a
//! panel, the inputs follow each other. A product walks through a panel for up to twelve rows at once: per
//! input, it loads the weights once and multiplies them with that input of each row, and while memory is
//! the limit several rows cost little more than one. More rows walk through the same panels again, which
//! are in the cache by then, so that weights are read once from memory.
//!
//! Weights may be stored in half the bits ([`weight`]): one row is then nearly twice as fast where memory
//! is the limit.
//!
//! Every value is one chain of fused multiply-adds over the inputs in their order, whatever the number
//! of rows and threads: a row's products have the same bits in every company. They do not depend on the
//! format either, where it holds the weights exactly.

mod call;
mod kernel;
mod storage;
mod weight;

use half::{bf16, f16};
use pulp::{Arch, Simd, WithSimd};

use self::call::Call;
pub(super) use self::call::{Rows, Then, split_lines};
use self::kernel::{Part, VECTORS};
use self::storage::{Storage, Words};
use self::weight::Weight;
use crate::model::device::Dtype;

/// Weights `[in_len, out_len]` in panels of columns, the last one padded with zeros.
#[derive(Debug)]
pub struct PanelMatrix {
    storage: Storage,
    in_len: usize,
    out_len: usize,
    geometry: Geometry,
}

/// Panels somewhere in memory: those of a matrix, or of cached keys and values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panels<'a, W: Weight> {
    /// From the first word of the first panel on.
    pub values: &'a [W::Word],
    /// Words from the start of a panel to that of the next.
    pub stride: usize,
    /// Inputs that count; a panel may have room for more.
    pub in_len: usize,
    pub geometry: Geometry,
}

impl<'a, W: Weight> Panels<'a, W> {
    fn panel(self, index: usize) -> &'a [W::Word] {
        let of_input = self.geometry.width / W::PER_WORD;
        &self.values[index * self.stride..][..self.in_len * of_input]
    }

    /// Products of rows `[n, in_len]` with as many columns as each of `lines` has, on this thread.
    pub fn multiply(self, rows: &[f32], lines: &mut [&mut [f32]]) {
        let n_columns = lines.first().map_or(0, |line| line.len());
        Arch::new().dispatch(Part {
            of: self,
            rows,
            panels: 0..n_columns.div_ceil(self.geometry.width),
            lines,
        });
    }
}

/// What the instruction set asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Columns of a panel.
    pub width: usize,
    has_vectors: bool,
}

impl Geometry {
    fn of<S: Simd>() -> Self {
        Self {
            width: VECTORS * S::F32_LANES,
            has_vectors: !S::IS_SCALAR,
        }
    }

    pub fn here() -> Self {
        struct Ask;
        impl WithSimd for Ask {
            type Output = Geometry;

            fn with_simd<S: Simd>(self, _: S) -> Geometry {
                Geometry::of::<S>()
            }
        }
        Arch::new().dispatch(Ask)
    }
}

/// Multiply-adds that are worth another thread: a microsecond or two, in which one that is awake
/// ([`with_all_awake`](crate::model::threads::with_all_awake)) has taken over its share.
const MIN_WORK: usize = 16 * 1024;

/// Rows whose arithmetic takes about as long as reading the weights from a cache.
const ROWS_PER_READ: usize = 4;

/// Rows from which on a product takes long enough to be cut into more parts than there are threads, so that
/// a thread that comes late finds less left to do. In a short one, each part costs a hand-over and a wait for
/// its first weights.
const MANY_ROWS: usize = 16;

/// Whether this processor has vector instructions that the products here are written for.
pub fn has_vectors() -> bool {
    Geometry::here().has_vectors
}

impl PanelMatrix {
    /// Zeros, stored as `dtype`.
    ///
    /// # Panics
    /// When either length is 0.
    pub fn zeros(in_len: usize, out_len: usize, dtype: Dtype) -> Self {
        Self::zeros_as(Geometry::here(), in_len, out_len, dtype)
    }

    fn zeros_as(geometry: Geometry, in_len: usize, out_len: usize, dtype: Dtype) -> Self {
        assert!(in_len > 0 && out_len > 0, "a matrix has rows and columns");
        let len = out_len.div_ceil(geometry.width) * geometry.width * in_len;
        let storage = match dtype {
            Dtype::F32 => Storage::F32(Words::zeros(len / <f32 as Weight>::PER_WORD)),
            Dtype::F16 => Storage::F16(Words::zeros(len / <f16 as Weight>::PER_WORD)),
            Dtype::Bf16 => Storage::Bf16(Words::zeros(len / <bf16 as Weight>::PER_WORD)),
        };
        Self {
            storage,
            in_len,
            out_len,
            geometry,
        }
    }

    /// Lays out weights `[in_len, out_len]`, input after input, in f32.
    ///
    /// # Panics
    /// When `weights` has another length, or either length is 0.
    pub fn pack(weights: &[f32], in_len: usize, out_len: usize) -> Self {
        Self::pack_as(Geometry::here(), weights, (in_len, out_len), Dtype::F32)
    }

    fn pack_as(
        geometry: Geometry,
        weights: &[f32],
        (in_len, out_len): (usize, usize),
        dtype: Dtype,
    ) -> Self {
        assert_eq!(weights.len(), in_len * out_len);
        let mut matrix = Self::zeros_as(geometry, in_len, out_len, dtype);
        let mut column = vec![0.0; in_len];
        for index in 0..out_len {
            for (to, from) in column
                .iter_mut()
                .zip(weights[index..].iter().step_by(out_len))
            {
                *to = *from;
            }
            matrix.set_column(index, &column);
        }
        matrix
    }

    /// Rounds the weights of an output and stores them.
    ///
    /// # Panics
    /// When there is no such column, or `weights` is not as long as the matrix has inputs.
    pub fn set_column(&mut self, column: usize, weights: &[f32]) {
        assert!(column < self.out_len && weights.len() == self.in_len);
        let width = self.geometry.width;
        match &mut self.storage {
            Storage::F32(words) => words.put_column(column, width, weights),
            Storage::F16(words) => words.put_column(column, width, weights),
            Storage::Bf16(words) => words.put_column(column, width, weights),
        }
    }

    /// Reads the weights of an output.
    ///
    /// # Panics
    /// When there is no such column, or `out` is not as long as the matrix has inputs.
    pub fn column(&self, column: usize, out: &mut [f32]) {
        assert!(column < self.out_len && out.len() == self.in_len);
        let width = self.geometry.width;
        match &self.storage {
            Storage::F32(words) => words.get_column(column, width, out),
            Storage::F16(words) => words.get_column(column, width, out),
            Storage::Bf16(words) => words.get_column(column, width, out),
        }
    }

    pub fn in_len(&self) -> usize {
        self.in_len
    }

    pub fn out_len(&self) -> usize {
        self.out_len
    }

    /// Columns of a panel.
    pub fn panel_width(&self) -> usize {
        self.geometry.width
    }

    fn n_panels(&self) -> usize {
        self.out_len.div_ceil(self.geometry.width)
    }

    fn panels<'a, W: Weight>(&self, words: &'a Words<W>) -> Panels<'a, W> {
        Panels {
            values: words.panels(),
            stride: self.geometry.width / W::PER_WORD * self.in_len,
            in_len: self.in_len,
            geometry: self.geometry,
        }
    }

    /// [`multiply_into`](Self::multiply_into) new memory.
    pub fn multiply(&self, rows: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; rows.len() / self.in_len * self.out_len];
        self.multiply_into(rows, &mut out);
        out
    }

    /// Products of rows with this matrix, on as many threads of the current rayon pool as the work is
    /// worth.
    ///
    /// # Shapes
    /// - `rows`: `[n, in_len]`
    /// - `out`: `[n, out_len]`
    ///
    /// # Panics
    /// When `rows` is not whole rows, or `out` has another number of them.
    pub fn multiply_into(&self, rows: &[f32], out: &mut [f32]) {
        assert_eq!(rows.len() % self.in_len, 0);
        assert_eq!(out.len(), rows.len() / self.in_len * self.out_len);
        self.multiply_then(rows, out, ());
    }

    /// [`multiply_into`](Self::multiply_into), and something else with what each thread has computed.
    pub(super) fn multiply_then(&self, rows: impl Rows, out: &mut [f32], then: impl Then) {
        match &self.storage {
            Storage::F32(words) => self.run(words, rows, out, then),
            Storage::F16(words) => self.run(words, rows, out, then),
            Storage::Bf16(words) => self.run(words, rows, out, then),
        }
    }

    fn run<W: Weight, T: Then>(&self, words: &Words<W>, rows: impl Rows, out: &mut [f32], then: T) {
        let n_rows = out.len() / self.out_len;
        let n_parts = self.n_parts(n_rows, rayon::current_num_threads());
        let panels_per_part = self.n_panels().div_ceil(n_parts);
        let call = Call {
            of: self.panels(words),
            rows,
            panels_per_part: panels_per_part.next_multiple_of(T::PANELS),
        };
        let lines = out.chunks_exact_mut(self.out_len).collect();
        call.run(0..self.n_panels(), lines, then);
    }

    /// Whether a product of `n_rows` rows is shared among threads, where there are several.
    pub fn is_worth_threads(&self, n_rows: usize) -> bool {
        self.n_parts(n_rows, 2) > 1
    }

    fn n_parts(&self, n_rows: usize, n_threads: usize) -> usize {
        if n_threads == 1 {
            return 1;
        }
        let work = self.in_len * self.out_len * n_rows.div_ceil(ROWS_PER_READ);
        let parts_per_thread = if n_rows >= MANY_ROWS { 2 } else { 1 };
        (work / MIN_WORK).clamp(1, n_threads * parts_per_thread)
    }
}

#[cfg(test)]
mod tests;
