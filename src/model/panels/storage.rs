//! The memory of a matrix: its panels, one behind the other.

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
    pub words: Vec<W::Word>,
    pub start: usize,
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

    /// The words of each input of a panel.
    fn lines(&self, panel: usize, in_len: usize, width: usize) -> impl Iterator<Item = &[W::Word]> {
        let of_input = width / W::PER_WORD;
        let start = self.start + panel * in_len * of_input;
        self.words[start..][..in_len * of_input].chunks_exact(of_input)
    }

    pub fn put_column(&mut self, column: usize, width: usize, weights: &[f32]) {
        let of_input = width / W::PER_WORD;
        let len = weights.len() * of_input;
        let start = self.start + column / width * len;
        let lines = self.words[start..][..len].chunks_exact_mut(of_input);
        for (line, &weight) in lines.zip(weights) {
            W::put(line, column % width, weight);
        }
    }

    pub fn get_column(&self, column: usize, width: usize, out: &mut [f32]) {
        let lines = self.lines(column / width, out.len(), width);
        for (weight, line) in out.iter_mut().zip(lines) {
            *weight = W::get(line, column % width);
        }
    }
}
