//! What a product of few rows with a weight costs: packed, as burn computes it, and against a plain
//! read of the weight, the least that any product takes while memory is the limit.
//!
//! Every size comes as several weights, taken in turn, that together exceed the caches of one core, as
//! the weights of a model do; the tiny one stays in its cache, as a small drafter does. Throughput is given
//! in bytes of the weight per second. Products run on a thread of the pool, as a model's forward does.

use std::hint::black_box;
use std::time::Duration;

use burn::tensor::{Device, Tensor, TensorData};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wedlm_bench::model::panels::PanelMatrix;
use wedlm_bench::model::threads::{build_pool, with_all_awake};
use wedlm_bench::policy::noise::Noise;

/// Rows of a forward: one, and drafts of the usual lengths.
const N_ROWS: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// Bytes of the weights that are taken in turn.
const WORKING_SET: usize = 48 << 20;

struct Size {
    name: &'static str,
    in_len: usize,
    out_len: usize,
    n_copies: usize,
}

impl Size {
    const fn new(name: &'static str, in_len: usize, out_len: usize) -> Self {
        Self {
            name,
            in_len,
            out_len,
            n_copies: WORKING_SET / (4 * in_len * out_len),
        }
    }
}

const SIZES: [Size; 5] = [
    Size::new("head", 448, 2048),
    Size::new("down", 1024, 448),
    Size::new("gate_up", 448, 2432),
    Size::new("large", 896, 4864),
    Size {
        name: "tiny",
        in_len: 96,
        out_len: 256,
        n_copies: 4,
    },
];

fn values(seed: u64, len: usize) -> Vec<f32> {
    let noise = Noise::new(seed);
    (0..len as u64)
        .map(|index| noise.uniform(index) as f32 - 0.5)
        .collect()
}

/// Sum over 64 lanes, so that no addition waits for the one before.
fn plain_read(weight: &[f32]) -> f32 {
    const LANES: usize = 64;
    let mut lanes = [0.0_f32; LANES];
    let (chunks, rest) = weight.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    lanes.iter().chain(rest).sum()
}

fn compare(criterion: &mut Criterion, size: &Size) {
    let (in_len, out_len) = (size.in_len, size.out_len);
    let device = Device::flex();
    let tensor = |values: &[f32], shape: [usize; 2]| {
        Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device)
    };
    let weights: Vec<Vec<f32>> = (0..size.n_copies as u64)
        .map(|seed| values(seed, in_len * out_len))
        .collect();
    let packed: Vec<_> = weights
        .iter()
        .map(|weight| PanelMatrix::pack(weight, in_len, out_len))
        .collect();
    let dense: Vec<_> = weights
        .iter()
        .map(|weight| tensor(weight, [in_len, out_len]))
        .collect();

    let mut group = criterion.benchmark_group(format!("linear_{}", size.name));
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    group.sample_size(20);
    group.throughput(Throughput::Bytes(size_of_val(&weights[0][..]) as u64));
    let mut turns = (0..size.n_copies).cycle();
    let mut next = || turns.next().unwrap();
    group.bench_function(BenchmarkId::new("plain_read", 0), |bencher| {
        bencher.iter(|| plain_read(black_box(&weights[next()])));
    });
    for n_rows in N_ROWS {
        let rows = values(100, n_rows * in_len);
        let x = tensor(&rows, [n_rows, in_len]);
        let ours = packed[0].multiply(&rows);
        let theirs = x.clone().matmul(dense[0].clone()).into_data();
        let theirs = theirs.try_to_vec::<f32>().unwrap();
        let is_near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-3;
        assert!(ours.iter().zip(&theirs).all(is_near));
        group.bench_function(BenchmarkId::new("packed", n_rows), |bencher| {
            let mut multiply = || packed[next()].multiply(black_box(&rows));
            with_all_awake(true, || bencher.iter(&mut multiply));
        });
        group.bench_function(BenchmarkId::new("burn", n_rows), |bencher| {
            let mut multiply = || black_box(&x).clone().matmul(dense[next()].clone());
            rayon::scope(|_| bencher.iter(&mut multiply));
        });
    }
    group.finish();
}

fn linear(criterion: &mut Criterion) {
    build_pool(None).unwrap();
    for size in &SIZES {
        compare(criterion, size);
    }
}

criterion_group!(benches, linear);
criterion_main!(benches);
