//! The memory of a matrix: its panels, one behind the other.

use std::ops::Range;

use half::{bf16, f16};

use super::weight::Weight;

/// Bytes of a cache line.
const LINE: usize = 64;

#[derive(Debug)]
pub(super) enum Storage {
    F32(Words<f32>),
    F16(Words<f16>),
    Bf16(Words<bf16>),
}

/// Panels from `start` on, so that vectors do not straddle cache lines.
#[derive(Debug)]
pub(super) struct Words<W: Weight> {
    words: Vec<W::Word>,
    start: usize,
}

impl<W: Weight> Words<W> {
    pub fn zeros(len: usize) -> Self {
        let per_line = LINE / size_of::<W::Word>();
        let words = vec![W::Word::default(); len + per_line];
        // Without an offset the product is slower, not wrong.
        let start = match words.as_ptr().align_offset(LINE) {
            offset if offset <= per_line => offset,
            _ => 0,
        };
        Self { words, start }
    }

    /// Panel after panel.
    pub fn panels(&self) -> &[W::Word] {
        &self.words[self.start..]
    }

    pub fn put_column(&mut self, column: usize, width: usize, weights: &[f32]) {
        let place = self.place(column, width, weights.len());
        let lines = self.words[place].chunks_exact_mut(width / W::PER_WORD);
        for (line, &weight) in lines.zip(weights) {
            W::put(line, column % width, weight);
        }
    }

    pub fn get_column(&self, column: usize, width: usize, out: &mut [f32]) {
        let place = self.place(column, width, out.len());
        let lines = self.words[place].chunks_exact(width / W::PER_WORD);
        for (weight, line) in out.iter_mut().zip(lines) {
            *weight = W::get(line, column % width);
        }
    }

    /// Where the panel of a column lies.
    fn place(&self, column: usize, width: usize, in_len: usize) -> Range<usize> {
        let len = width / W::PER_WORD * in_len;
        let start = self.start + column / width * len;
        start..start + len
    }
}
