//! The inner loops: some rows times some panels, compiled for each set of vector instructions.

use std::ops::Range;

use pulp::{Simd, WithSimd, bytemuck};

use super::weight::Weight;
use super::{Geometry, Panels};

/// Vectors side by side in a panel.
pub(super) const VECTORS: usize = 2;

/// The products of all rows with a range of panels.
pub(super) struct Part<'a, 'b, W: Weight> {
    pub of: Panels<'a, W>,
    pub rows: &'a [f32],
    pub panels: Range<usize>,
    /// Per row, the columns of these panels.
    pub lines: &'a mut [&'b mut [f32]],
}

impl<W: Weight> WithSimd for Part<'_, '_, W> {
    type Output = ();

    /// All that this calls in a loop is inlined, or it would be compiled without those instructions.
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let geometry = Geometry::of::<S>();
        assert_eq!(geometry, self.of.geometry, "packed for another processor");
        let n_rows = self.lines.len();
        assert_eq!(
            self.rows.len(),
            n_rows * self.of.in_len,
            "whole rows, a line each"
        );
        // Rows whose sums fit into the registers beside the weights.
        let max_rows = if S::REGISTER_COUNT >= 32 {
            W::MAX_ROWS
        } else {
            3
        };
        if n_rows <= max_rows {
            self.block(simd, 0..n_rows, self.panels.clone());
            return;
        }
        // Blocks of equal size: fourteen rows as seven and seven, not as twelve and a lonely pair. The
        // panels come from memory for the first block and from the cache for the others.
        let n_blocks = n_rows.div_ceil(max_rows);
        let mut panels = self.panels.clone();
        while !panels.is_empty() {
            let pair = panels.start..panels.end.min(panels.start + 2);
            panels.start = pair.end;
            for index in 0..n_blocks {
                let bound = |index: usize| index * n_rows / n_blocks;
                self.block(simd, bound(index)..bound(index + 1), pair.clone());
            }
        }
    }
}

impl<W: Weight> Part<'_, '_, W> {
    /// One row walks through four panels at a time, since eight chains of additions hide the latency of one.
    /// More rows have chains enough in one panel, as many as the registers hold sums of beside the weights.
    #[inline(always)]
    fn block<S: Simd>(&mut self, simd: S, rows: Range<usize>, panels: Range<usize>) {
        match rows.len() {
            1 => self.walk::<S, 1, 4>(simd, rows.start, panels),
            2 => self.walk::<S, 2, 1>(simd, rows.start, panels),
            3 => self.walk::<S, 3, 1>(simd, rows.start, panels),
            4 => self.walk::<S, 4, 1>(simd, rows.start, panels),
            5 => self.walk::<S, 5, 1>(simd, rows.start, panels),
            6 => self.walk::<S, 6, 1>(simd, rows.start, panels),
            7 => self.walk::<S, 7, 1>(simd, rows.start, panels),
            8 => self.walk::<S, 8, 1>(simd, rows.start, panels),
            9 => self.walk::<S, 9, 1>(simd, rows.start, panels),
            10 => self.walk::<S, 10, 1>(simd, rows.start, panels),
            11 => self.walk::<S, 11, 1>(simd, rows.start, panels),
            12 => self.walk::<S, 12, 1>(simd, rows.start, panels),
            n => assert_eq!(n, 0, "a block has at most twelve rows"),
        }
    }

    #[inline(always)]
    fn walk<S: Simd, const ROWS: usize, const PANELS: usize>(
        &mut self,
        simd: S,
        first_row: usize,
        panels: Range<usize>,
    ) {
        let mut panel = panels.start;
        while panel + PANELS <= panels.end {
            self.multiply::<S, ROWS, PANELS>(simd, first_row, panel);
            panel += PANELS;
        }
        while panel < panels.end {
            self.multiply::<S, ROWS, 1>(simd, first_row, panel);
            panel += 1;
        }
    }

    #[inline(always)]
    fn multiply<S: Simd, const ROWS: usize, const PANELS: usize>(
        &mut self,
        simd: S,
        first_row: usize,
        first_panel: usize,
    ) {
        let in_len = self.of.in_len;
        // Slices of one length, so that no index below needs a check.
        let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
        for (index, row) in rows.iter_mut().enumerate() {
            *row = &self.rows[(first_row + index) * in_len..][..in_len];
        }
        let mut panels: [&[W::Words<S>]; PANELS] = [&[]; PANELS];
        for (index, panel) in panels.iter_mut().enumerate() {
            let words = self.of.panel(first_panel + index);
            *panel = &W::inputs::<S>(words)[..in_len];
        }
        let mut sums = [[[simd.splat_f32s(0.0); VECTORS]; ROWS]; PANELS];
        for input in 0..in_len {
            for panel in 0..PANELS {
                let weights = W::widen(simd, panels[panel][input]);
                for row in 0..ROWS {
                    let value = simd.splat_f32s(rows[row][input]);
                    for vector in 0..VECTORS {
                        let sum = &mut sums[panel][row][vector];
                        *sum = simd.mul_add_f32s(value, weights[vector], *sum);
                    }
                }
            }
        }
        let width = self.of.geometry.width;
        let start = (first_panel - self.panels.start) * width;
        for (panel, sums) in sums.iter().enumerate() {
            for (line, sums) in self.lines[first_row..].iter_mut().zip(sums) {
                let line = &mut line[start + panel * width..];
                // Whole vectors are stored, a copy of any length would be a call.
                match S::as_mut_simd_f32s(line).0.first_chunk_mut() {
                    Some(vectors) => *vectors = *sums,
                    None => {
                        let values: &[f32] = bytemuck::cast_slice(sums);
                        let n_columns = line.len();
                        line.copy_from_slice(&values[..n_columns]);
                    }
                }
            }
        }
    }
}
