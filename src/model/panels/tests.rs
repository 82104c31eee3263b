use rayon::ThreadPoolBuilder;

use super::*;
use crate::policy::noise::Noise;

/// Uniform in [−1, 1).
fn values(seed: u64, len: usize) -> Vec<f32> {
    let noise = Noise::new(seed);
    (0..len as u64)
        .map(|index| (2.0 * noise.uniform(index) - 1.0) as f32)
        .collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The product in double precision, and Σ |x·w| of each value, the scale of its rounding errors.
fn exact(rows: &[f32], weights: &[f32], in_len: usize, out_len: usize) -> Vec<(f64, f64)> {
    let mut out = Vec::new();
    for row in rows.chunks_exact(in_len) {
        let mut sums = vec![(0.0, 0.0); out_len];
        for (&x, line) in row.iter().zip(weights.chunks_exact(out_len)) {
            for ((sum, scale), &w) in sums.iter_mut().zip(line) {
                let product = f64::from(x) * f64::from(w);
                *sum += product;
                *scale += product.abs();
            }
        }
        out.extend(sums);
    }
    out
}

/// `Part` on one thread with a given instruction set.
fn multiply_with<S: Simd>(simd: S, matrix: &PanelMatrix, rows: &[f32]) -> Vec<f32> {
    fn run<S: Simd, W: Weight>(simd: S, of: Panels<'_, W>, rows: &[f32], out: &mut [f32]) {
        let n_columns = out.len() / (rows.len() / of.in_len);
        let mut lines: Vec<&mut [f32]> = out.chunks_exact_mut(n_columns).collect();
        Part {
            of,
            rows,
            panels: 0..n_columns.div_ceil(of.geometry.width),
            lines: &mut lines,
        }
        .with_simd(simd);
    }
    let mut out = vec![0.0; rows.len() / matrix.in_len * matrix.out_len];
    match &matrix.storage {
        Storage::F32(words) => run(simd, matrix.panels(words), rows, &mut out),
        Storage::F16(words) => run(simd, matrix.panels(words), rows, &mut out),
        Storage::Bf16(words) => run(simd, matrix.panels(words), rows, &mut out),
    }
    out
}

const DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::Bf16];

fn packed_here(weights: &[f32], shape: (usize, usize), dtype: Dtype) -> PanelMatrix {
    PanelMatrix::pack_as(Geometry::here(), weights, shape, dtype)
}

const SHAPES: [(usize, usize); 8] = [
    (1, 1),
    (1, 1030),
    (7, 15),
    (7, 1000),
    (48, 17),
    (48, 1030),
    (449, 15),
    (449, 1000),
];

#[test]
fn products_of_1_to_40_rows_are_those_of_double_precision_to_five_digits() {
    for (in_len, out_len) in SHAPES {
        let weights = values(1, in_len * out_len);
        let rows = values(2, 40 * in_len);
        let matrix = PanelMatrix::pack(&weights, in_len, out_len);
        let expected = exact(&rows, &weights, in_len, out_len);
        for n_rows in 1..=40 {
            let out = matrix.multiply(&rows[..n_rows * in_len]);
            assert_eq!(out.len(), n_rows * out_len);
            for (index, (&value, &(sum, scale))) in out.iter().zip(&expected).enumerate() {
                assert!(
                    (f64::from(value) - sum).abs() <= 1e-5 * scale,
                    "[{in_len}, {out_len}], {n_rows} rows, value {index}: {value} {sum}"
                );
            }
        }
    }
}

#[test]
fn the_product_of_a_row_has_the_same_bits_alone_and_among_others() {
    for (in_len, out_len) in SHAPES {
        let matrix = PanelMatrix::pack(&values(3, in_len * out_len), in_len, out_len);
        let rows = values(4, 40 * in_len);
        let alone: Vec<f32> = rows
            .chunks_exact(in_len)
            .flat_map(|row| matrix.multiply(row))
            .collect();
        for n_rows in 2..=40 {
            let together = matrix.multiply(&rows[..n_rows * in_len]);
            assert_eq!(
                bits(&together),
                bits(&alone[..n_rows * out_len]),
                "[{in_len}, {out_len}], {n_rows} rows"
            );
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let (in_len, out_len) = (449, 1030);
    let matrix = PanelMatrix::pack(&values(5, in_len * out_len), in_len, out_len);
    for n_rows in [1, 5, 19] {
        let rows = values(6, n_rows * in_len);
        assert!(matrix.is_worth_threads(n_rows));
        let on_threads = |n_threads: usize| {
            let pool = ThreadPoolBuilder::new().num_threads(n_threads).build();
            bits(&pool.unwrap().install(|| matrix.multiply(&rows)))
        };
        let one = on_threads(1);
        for n_threads in [2, 3, 7] {
            assert_eq!(
                on_threads(n_threads),
                one,
                "{n_threads} threads, {n_rows} rows"
            );
        }
    }
}

#[test]
fn a_small_matrix_stays_on_the_thread_that_calls() {
    let matrix = PanelMatrix::pack(&values(7, 96 * 256), 96, 256);
    assert!(!matrix.is_worth_threads(1));
    assert_eq!(matrix.n_parts(1, 64), 1);
    let large = PanelMatrix::pack(&values(7, 512 * 2048), 512, 2048);
    assert_eq!((large.n_parts(1, 1), large.n_parts(1, 2)), (1, 2));
    assert_eq!((large.n_parts(40, 1), large.n_parts(40, 2)), (1, 4));
}

#[test]
fn unpacking_gives_the_weights_back() {
    for (in_len, out_len) in SHAPES {
        let weights = values(8, in_len * out_len);
        let matrix = PanelMatrix::pack(&weights, in_len, out_len);
        let mut column = vec![0.0; in_len];
        for index in 0..out_len {
            matrix.column(index, &mut column);
            let expected = weights[index..].iter().step_by(out_len);
            assert!(
                column.iter().eq(expected),
                "[{in_len}, {out_len}], column {index}"
            );
        }
    }
}

#[test]
fn no_rows_have_no_products() {
    assert!(
        PanelMatrix::pack(&[1.0, 2.0], 1, 2)
            .multiply(&[])
            .is_empty()
    );
}

#[test]
fn processors_without_vectors_compute_the_same_bits() {
    let (in_len, out_len) = (48, 17);
    let (weights, rows) = (values(9, in_len * out_len), values(10, 11 * in_len));
    let geometry = Geometry::of::<pulp::Scalar>();
    for dtype in DTYPES {
        let scalar = PanelMatrix::pack_as(geometry, &weights, (in_len, out_len), dtype);
        let here = packed_here(&weights, (in_len, out_len), dtype);
        assert_eq!(
            bits(&multiply_with(pulp::Scalar::new(), &scalar, &rows)),
            bits(&here.multiply(&rows)),
            "{dtype}"
        );
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn narrow_vectors_compute_the_same_bits_as_wide_ones() {
    let Some(narrow) = pulp::x86::V3::try_new() else {
        return;
    };
    let (in_len, out_len) = (449, 1000);
    let (weights, rows) = (values(11, in_len * out_len), values(12, 13 * in_len));
    let geometry = Geometry::of::<pulp::x86::V3>();
    for dtype in DTYPES {
        let packed = PanelMatrix::pack_as(geometry, &weights, (in_len, out_len), dtype);
        let here = packed_here(&weights, (in_len, out_len), dtype);
        assert_eq!(
            bits(&multiply_with(narrow, &packed, &rows)),
            bits(&here.multiply(&rows)),
            "{dtype}"
        );
    }
}

/// Rounded to `dtype`.
fn rounded(weight: f32, dtype: Dtype) -> f32 {
    match dtype {
        Dtype::F32 => weight,
        Dtype::F16 => f16::from_f32(weight).to_f32(),
        Dtype::Bf16 => bf16::from_f32(weight).to_f32(),
    }
}

#[test]
fn weights_in_half_the_bits_give_the_bits_of_the_same_weights_in_f32() {
    for (in_len, out_len) in SHAPES {
        let weights = values(13, in_len * out_len);
        let rows = values(14, 9 * in_len);
        for dtype in [Dtype::F16, Dtype::Bf16] {
            let half = packed_here(&weights, (in_len, out_len), dtype);
            let exact: Vec<f32> = weights.iter().map(|&w| rounded(w, dtype)).collect();
            let whole = PanelMatrix::pack(&exact, in_len, out_len);
            for n_rows in 1..=9 {
                let rows = &rows[..n_rows * in_len];
                assert_eq!(
                    bits(&half.multiply(rows)),
                    bits(&whole.multiply(rows)),
                    "{dtype} [{in_len}, {out_len}], {n_rows} rows"
                );
            }
        }
    }
}

#[test]
fn every_number_of_half_the_bits_is_multiplied_as_what_it_is() {
    let all: Vec<u16> = (0..=u16::MAX).collect();
    for dtype in [Dtype::F16, Dtype::Bf16] {
        let weights: Vec<f32> = all
            .iter()
            .map(|&bits| match dtype {
                Dtype::F16 => f16::from_bits(bits).to_f32(),
                Dtype::F32 | Dtype::Bf16 => bf16::from_bits(bits).to_f32(),
            })
            .collect();
        let check = |products: Vec<f32>| {
            for products in products.chunks_exact(weights.len()) {
                for (product, weight) in products.iter().zip(&weights) {
                    let is_same = product == weight || product.is_nan() && weight.is_nan();
                    assert!(is_same, "{dtype}: {product} {weight}");
                }
            }
        };
        let shape = (1, weights.len());
        for rows in [vec![1.0], vec![1.0; 5]] {
            check(packed_here(&weights, shape, dtype).multiply(&rows));
            let packed =
                PanelMatrix::pack_as(Geometry::of::<pulp::Scalar>(), &weights, shape, dtype);
            check(multiply_with(pulp::Scalar::new(), &packed, &rows));
            #[cfg(target_arch = "x86_64")]
            if let Some(narrow) = pulp::x86::V3::try_new() {
                let geometry = Geometry::of::<pulp::x86::V3>();
                let packed = PanelMatrix::pack_as(geometry, &weights, shape, dtype);
                check(multiply_with(narrow, &packed, &rows));
            }
        }
    }
}
