//! Products, with what a layer does before and after them on the thread that needs or has it in its cache.

use super::ops::{add_to, gate, rms_norm};
use crate::model::device::Dtype;
use crate::model::panels::{Geometry, PanelMatrix, Rows, Then, split_lines};

/// Rows that each thread normalises for itself: that takes less time than to fetch what another one has
/// normalised.
pub struct Normalized<'a> {
    /// Rows of the weight's length.
    pub rows: Vec<&'a [f32]>,
    pub weight: &'a [f32],
    pub epsilon: f64,
}

impl Rows for Normalized<'_> {
    fn with(&self, work: impl FnOnce(&[f32])) {
        let len = self.weight.len();
        let mut out = vec![0.0; self.rows.len() * len];
        for (row, out) in self.rows.iter().zip(out.chunks_exact_mut(len)) {
            rms_norm(row, self.weight, self.epsilon, out);
        }
        work(&out);
    }
}

/// Adds products to other rows.
struct AddTo<'a>(Vec<&'a mut [f32]>);

impl Then for AddTo<'_> {
    const PANELS: usize = 1;

    fn split_at(self, n_columns: usize) -> (Self, Self) {
        let (left, right) = split_lines(self.0, n_columns);
        (Self(left), Self(right))
    }

    fn run(self, products: &[&mut [f32]]) {
        for (sums, products) in self.0.into_iter().zip(products) {
            add_to(sums, products);
        }
    }
}

/// Multiplies what gates let through: of every two panels, the first one holds gates.
struct Gate<'a> {
    lines: Vec<&'a mut [f32]>,
    /// Columns of a panel.
    width: usize,
}

impl Then for Gate<'_> {
    const PANELS: usize = 2;

    fn split_at(self, n_columns: usize) -> (Self, Self) {
        let (left, right) = split_lines(self.lines, n_columns / 2);
        let of = |lines| Self {
            lines,
            width: self.width,
        };
        (of(left), of(right))
    }

    fn run(self, products: &[&mut [f32]]) {
        for (line, products) in self.lines.into_iter().zip(products) {
            gate(products, self.width, line);
        }
    }
}

/// The gate and up projections of a gated MLP, `[in_len, len]` each, in panels that take turns.
#[derive(Debug)]
pub struct GatedMatrix {
    matrix: PanelMatrix,
    len: usize,
}

impl GatedMatrix {
    /// Zeros, stored as `dtype`.
    ///
    /// # Panics
    /// When either length is 0.
    pub fn zeros(in_len: usize, len: usize, dtype: Dtype) -> Self {
        let width = Geometry::here().width;
        let out_len = 2 * len.next_multiple_of(width);
        let matrix = PanelMatrix::zeros(in_len, out_len, dtype);
        Self { matrix, len }
    }

    /// Rounds the weights of an output and stores them; the outputs of the gate projection come before
    /// those of the up projection.
    ///
    /// # Panics
    /// When there is no such column, or `weights` is not as long as the matrix has inputs.
    pub fn set_column(&mut self, column: usize, weights: &[f32]) {
        assert!(column < 2 * self.len);
        let width = self.matrix.panel_width();
        let (projection, column) = (column / self.len, column % self.len);
        let panel = 2 * (column / width) + projection;
        self.matrix
            .set_column(panel * width + column % width, weights);
    }

    /// Products of a row.
    pub fn n_products(&self) -> usize {
        self.matrix.out_len()
    }

    /// See [`PanelMatrix::is_worth_threads`].
    pub fn is_worth_threads(&self, n_rows: usize) -> bool {
        self.matrix.is_worth_threads(n_rows)
    }

    /// gate · σ(gate) · up, the products of rows with both projections; these stay in `products`.
    ///
    /// # Shapes
    /// - `rows`: `[n, in_len]`
    /// - `products`: `[n, n_products]`
    /// - `out`: `[n, len]`
    ///
    /// # Panics
    /// When one of them has another number of rows.
    pub(super) fn multiply_into(&self, rows: impl Rows, products: &mut [f32], out: &mut [f32]) {
        assert_eq!(out.len() / self.len, products.len() / self.matrix.out_len());
        let gate = Gate {
            lines: out.chunks_exact_mut(self.len).collect(),
            width: self.matrix.panel_width(),
        };
        self.matrix.multiply_then(rows, products, gate);
    }
}

/// Adds the products of rows with a matrix to `sums`; they stay in `products`.
///
/// # Shapes
/// - `rows`: `[n, in_len]`
/// - `products`, `sums`: `[n, out_len]`
///
/// # Panics
/// When `rows` is not whole rows, or one of the others has another number of them.
pub fn multiply_and_add(
    matrix: &PanelMatrix,
    rows: &[f32],
    products: &mut [f32],
    sums: &mut [f32],
) {
    assert_eq!(sums.len(), products.len());
    let sums = sums.chunks_exact_mut(matrix.out_len()).collect();
    matrix.multiply_then(rows, products, AddTo(sums));
}

#[cfg(test)]
mod tests {
    use rayon::ThreadPoolBuilder;

    use super::*;

    const N_ROWS: usize = 9;
    const IN_LEN: usize = 60;

    fn values(seed: f32, len: usize) -> Vec<f32> {
        (0..len).map(|index| (index as f32 * seed).sin()).collect()
    }

    fn on_threads<R: Send>(n_threads: usize, work: impl FnOnce() -> R + Send) -> R {
        let pool = ThreadPoolBuilder::new().num_threads(n_threads).build();
        pool.unwrap().install(work)
    }

    #[test]
    fn sums_have_the_bits_of_a_product_and_an_addition_on_any_number_of_threads() {
        let rows = values(0.7, N_ROWS * IN_LEN);
        for out_len in [5, 32, 1_000, 5_000] {
            let matrix = PanelMatrix::pack(&values(0.3, IN_LEN * out_len), IN_LEN, out_len);
            let before = values(0.9, N_ROWS * out_len);
            let mut expected = before.clone();
            add_to(&mut expected, &matrix.multiply(&rows));
            for n_threads in [1, 2, 3, 5] {
                let (mut products, mut sums) = (vec![0.0; N_ROWS * out_len], before.clone());
                on_threads(n_threads, || {
                    multiply_and_add(&matrix, &rows, &mut products, &mut sums);
                });
                assert_eq!(sums, expected, "{out_len} columns, {n_threads} threads");
            }
        }
    }

    #[test]
    fn gates_close_over_their_own_columns_on_any_number_of_threads() {
        let rows = values(0.7, N_ROWS * IN_LEN);
        for len in [5, 32, 50, 1_000, 2_500] {
            // Column after column, gates first.
            let weights = values(0.3, 2 * len * IN_LEN);
            let mut matrix = GatedMatrix::zeros(IN_LEN, len, Dtype::F32);
            for (index, column) in weights.chunks_exact(IN_LEN).enumerate() {
                matrix.set_column(index, column);
            }
            let exact = |row: &[f32], column: usize| -> f64 {
                let weights = &weights[column * IN_LEN..][..IN_LEN];
                let products = row.iter().zip(weights);
                products.map(|(&x, &w)| f64::from(x) * f64::from(w)).sum()
            };
            let run = |n_threads| {
                let mut products = vec![0.0; N_ROWS * matrix.n_products()];
                let mut out = vec![0.0; N_ROWS * len];
                on_threads(n_threads, || {
                    matrix.multiply_into(rows.as_slice(), &mut products, &mut out);
                });
                out
            };
            let alone = run(1);
            for (row, line) in rows.chunks_exact(IN_LEN).zip(alone.chunks_exact(len)) {
                for (column, &value) in line.iter().enumerate() {
                    let (gate, up) = (exact(row, column), exact(row, len + column));
                    let expected = gate / (1.0 + (-gate).exp()) * up;
                    let error = (f64::from(value) - expected).abs();
                    assert!(error < 1e-4, "{len}, {column}: {value} {expected}");
                }
            }
            for n_threads in [2, 3, 5] {
                assert_eq!(run(n_threads), alone, "{len} columns, {n_threads} threads");
            }
        }
    }
}
