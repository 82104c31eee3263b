//! A matrix of f32 weights on the CPU, laid out for products of a few rows.
//!
//! The columns lie in panels as wide as two vectors of the processor, one panel behind the other; in a
//! panel, the inputs follow each other. A product walks through two panels at once for up to four rows:
//! per input, it loads the weights once and multiplies them with that input of each row. More rows walk
//! through the same two panels again, which are in the cache by then. So weights are read once from
//! memory, and several rows cost little more than one while memory is the limit.
//!
//! Every value is one chain of fused multiply-adds over the inputs in their order, whatever the number
//! of rows and threads: a row's products have the same bits in every company.

mod kernel;

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use self::kernel::{Part, VECTORS};

/// Weights `[in_len, out_len]` in panels of columns, the last one padded with zeros.
#[derive(Debug)]
pub struct PanelMatrix {
    /// Panels from `start` on, so that vectors do not straddle cache lines.
    storage: Vec<f32>,
    start: usize,
    in_len: usize,
    out_len: usize,
    geometry: Geometry,
}

/// Panels somewhere in memory: those of a matrix, or of cached keys and values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panels<'a> {
    /// From the first value of the first panel on.
    pub values: &'a [f32],
    /// Values from the start of a panel to that of the next.
    pub stride: usize,
    /// Inputs that count; a panel may have room for more.
    pub in_len: usize,
    pub geometry: Geometry,
}

impl<'a> Panels<'a> {
    fn panel(self, index: usize) -> &'a [f32] {
        &self.values[index * self.stride..][..self.in_len * self.geometry.width]
    }

    /// Products of rows `[n, in_len]` with as many columns as each of `lines` has, on this thread.
    pub fn multiply(self, rows: &[f32], lines: Vec<&mut [f32]>) {
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
    /// Rows whose sums fit into the registers beside the weights.
    max_rows: usize,
    has_vectors: bool,
}

impl Geometry {
    fn of<S: Simd>() -> Self {
        Self {
            width: VECTORS * S::F32_LANES,
            max_rows: if S::REGISTER_COUNT >= 32 { 4 } else { 3 },
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

/// Bytes of a cache line.
const LINE: usize = 64;

/// Multiply-adds that are worth another thread: some ten microseconds, as long as it takes to wake one.
const MIN_WORK: usize = 96 * 1024;

/// More parts than threads, so that a thread that comes late finds less left to do.
const PARTS_PER_THREAD: usize = 2;

/// Whether this processor has vector instructions that the products here are written for.
pub fn has_vectors() -> bool {
    Geometry::here().has_vectors
}

impl PanelMatrix {
    /// Lays out weights `[in_len, out_len]`, input after input.
    ///
    /// # Panics
    /// When `weights` has another length, or either length is 0.
    pub fn pack(weights: &[f32], in_len: usize, out_len: usize) -> Self {
        Self::pack_as(Geometry::here(), weights, in_len, out_len)
    }

    fn pack_as(geometry: Geometry, weights: &[f32], in_len: usize, out_len: usize) -> Self {
        assert!(in_len > 0 && out_len > 0, "a matrix has rows and columns");
        assert_eq!(weights.len(), in_len * out_len);
        let width = geometry.width;
        let len = out_len.div_ceil(width) * width * in_len;
        let mut storage = vec![0.0_f32; len + LINE / size_of::<f32>()];
        // Without an offset the product is slower, not wrong.
        let start = match storage.as_ptr().align_offset(LINE) {
            offset if offset <= LINE / size_of::<f32>() => offset,
            _ => 0,
        };
        for (index, panel) in storage[start..start + len]
            .chunks_exact_mut(width * in_len)
            .enumerate()
        {
            let first = index * width;
            let n_columns = width.min(out_len - first);
            for (line, row) in panel
                .chunks_exact_mut(width)
                .zip(weights.chunks_exact(out_len))
            {
                line[..n_columns].copy_from_slice(&row[first..first + n_columns]);
            }
        }
        Self {
            storage,
            start,
            in_len,
            out_len,
            geometry,
        }
    }

    /// The weights as they were packed, `[in_len, out_len]`.
    pub fn unpack(&self) -> Vec<f32> {
        let mut weights = vec![0.0; self.in_len * self.out_len];
        for index in 0..self.n_panels() {
            let first = index * self.geometry.width;
            let n_columns = self.geometry.width.min(self.out_len - first);
            for (line, row) in self
                .panel(index)
                .chunks_exact(self.geometry.width)
                .zip(weights.chunks_exact_mut(self.out_len))
            {
                row[first..first + n_columns].copy_from_slice(&line[..n_columns]);
            }
        }
        weights
    }

    pub fn in_len(&self) -> usize {
        self.in_len
    }

    pub fn out_len(&self) -> usize {
        self.out_len
    }

    fn n_panels(&self) -> usize {
        self.out_len.div_ceil(self.geometry.width)
    }

    fn panel(&self, index: usize) -> &[f32] {
        let len = self.geometry.width * self.in_len;
        &self.storage[self.start + index * len..][..len]
    }

    fn panels(&self) -> Panels<'_> {
        Panels {
            values: &self.storage[self.start..],
            stride: self.geometry.width * self.in_len,
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
        let n_rows = rows.len() / self.in_len;
        assert_eq!(out.len(), n_rows * self.out_len);
        let n_parts = self.n_parts(n_rows, rayon::current_num_threads());
        let call = Call {
            matrix: self,
            rows,
            panels_per_part: self.n_panels().div_ceil(n_parts),
        };
        let lines = out.chunks_exact_mut(self.out_len).collect();
        call.run(0..self.n_panels(), lines);
    }

    /// Whether a product of `n_rows` rows is shared among threads, where there are several.
    pub fn is_worth_threads(&self, n_rows: usize) -> bool {
        self.n_parts(n_rows, 2) > 1
    }

    fn n_parts(&self, n_rows: usize, n_threads: usize) -> usize {
        if n_threads == 1 {
            return 1;
        }
        let passes = n_rows.div_ceil(self.geometry.max_rows);
        let work = self.in_len * self.out_len * passes;
        (work / MIN_WORK).clamp(1, n_threads * PARTS_PER_THREAD)
    }
}

struct Call<'a> {
    matrix: &'a PanelMatrix,
    rows: &'a [f32],
    panels_per_part: usize,
}

impl Call<'_> {
    /// `lines` holds the columns of these panels of each row.
    fn run(&self, panels: Range<usize>, lines: Vec<&mut [f32]>) {
        let n_panels = panels.len();
        if n_panels <= self.panels_per_part {
            Arch::new().dispatch(Part {
                of: self.matrix.panels(),
                rows: self.rows,
                panels,
                lines,
            });
            return;
        }
        let n_parts = n_panels.div_ceil(self.panels_per_part);
        let n_first = n_parts / 2 * self.panels_per_part;
        let middle = panels.start + n_first;
        let (left, right) = lines
            .into_iter()
            .map(|line| line.split_at_mut(n_first * self.matrix.geometry.width))
            .unzip();
        rayon::join(
            || self.run(panels.start..middle, left),
            || self.run(middle..panels.end, right),
        );
    }
}

#[cfg(test)]
mod tests;
