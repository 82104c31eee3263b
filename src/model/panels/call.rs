//! A product shared among threads: its columns are halved until each part is small enough, and whoever takes
//! a part has what comes before and after the product in its own cache.

use std::ops::Range;

use pulp::Arch;

use super::Panels;
use super::kernel::Part;
use super::weight::Weight;
use crate::model::threads::join;

/// Rows to multiply, `[n, in_len]`, as each thread gets them.
pub trait Rows: Sync {
    fn with(&self, work: impl FnOnce(&[f32]));
}

impl Rows for &[f32] {
    fn with(&self, work: impl FnOnce(&[f32])) {
        work(self);
    }
}

/// What becomes of the products of some columns of each row, done by the thread that computed them: they
/// are in its cache, while any other thread would wait for each line of them.
pub trait Then: Send + Sized {
    /// Panels that stay together.
    const PANELS: usize;

    /// The work on the first columns of the product, and that on the others.
    fn split_at(self, n_columns: usize) -> (Self, Self);

    /// Row by row.
    fn run(self, products: &[&mut [f32]]);
}

impl Then for () {
    const PANELS: usize = 1;

    fn split_at(self, _: usize) -> (Self, Self) {
        ((), ())
    }

    fn run(self, _: &[&mut [f32]]) {}
}

/// The first columns of each line, and the others.
pub fn split_lines(lines: Vec<&mut [f32]>, n_columns: usize) -> (Vec<&mut [f32]>, Vec<&mut [f32]>) {
    let lines = lines.into_iter();
    lines.map(|line| line.split_at_mut(n_columns)).unzip()
}

/// A product that threads share.
pub(super) struct Call<'a, W: Weight, R: Rows> {
    pub of: Panels<'a, W>,
    pub rows: R,
    pub panels_per_part: usize,
}

impl<W: Weight, R: Rows> Call<'_, W, R> {
    /// `lines` holds the columns of these panels of each row.
    pub fn run(&self, panels: Range<usize>, mut lines: Vec<&mut [f32]>, then: impl Then) {
        let n_panels = panels.len();
        if n_panels <= self.panels_per_part {
            self.rows.with(|rows| {
                Arch::new().dispatch(Part {
                    of: self.of,
                    rows,
                    panels,
                    lines: &mut lines,
                });
            });
            then.run(&lines);
            return;
        }
        let n_parts = n_panels.div_ceil(self.panels_per_part);
        let n_first = n_parts / 2 * self.panels_per_part;
        let middle = panels.start + n_first;
        let n_columns = n_first * self.of.geometry.width;
        let (left, right) = split_lines(lines, n_columns);
        let (then_left, then_right) = then.split_at(n_columns);
        join(
            || self.run(panels.start..middle, left, then_left),
            || self.run(middle..panels.end, right, then_right),
        );
    }
}
