//! A forward of the embedded verifier by rows: as the program runs it on the CPU in f32, and on burn's
//! tensors with the same weights, as it runs on every other device; threads stay awake for the former, as
//! they do while the program decodes. Both append to a cache of 96 rows and
//! return the logits of every new row.

use std::hint::black_box;
use std::time::Duration;

use burn::module::Param;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use wedlm_bench::model::attention::RowContext;
use wedlm_bench::model::burn_lm::{BurnLm, LoadOptions};
use wedlm_bench::model::checkpoint::Checkpoint;
use wedlm_bench::model::device::Dtype;
use wedlm_bench::model::lm::LanguageModel;
use wedlm_bench::model::load::{Head, load_transformer};
use wedlm_bench::model::rope::Rope;
use wedlm_bench::model::threads::{build_pool, with_all_awake};
use wedlm_bench::model::transformer::KvCache;

const CACHED: usize = 96;
const CONTEXT: usize = 256;
/// One token, drafts of the usual lengths, windows.
const N_ROWS: [usize; 6] = [1, 2, 4, 8, 16, 32];

fn forward(criterion: &mut Criterion) {
    build_pool(None).unwrap();
    let device = Device::flex();
    let checkpoint = Checkpoint::open("embedded:verifier").unwrap();
    let arch = checkpoint.arch.clone();
    let options = LoadOptions {
        device: device.clone(),
        dtype: Dtype::F32,
        context_len: CONTEXT,
        n_drawable: arch.vocab_len,
    };
    let mut ours = BurnLm::load(&checkpoint, &options).unwrap();
    let mut theirs = load_transformer(&checkpoint, DType::F32, &device, Head::Shared).unwrap();
    theirs.head = Some(Param::from_tensor(theirs.head()));
    let mut cache = KvCache::new(&arch, CONTEXT, DType::F32, &device);
    let rope = Rope::new(&arch);

    let tokens: Vec<u32> = (0..CONTEXT as u32)
        .map(|index| 5 + index * 37 % 300)
        .collect();
    let positions: Vec<u32> = (0..CONTEXT as u32).collect();
    let mut on_tensors = |rows: std::ops::Range<usize>| {
        let n = rows.len();
        cache.truncate(rows.start);
        let ids: Vec<i32> = tokens[rows.clone()].iter().map(|&id| id as i32).collect();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [n]), &device);
        let (cos, sin) = rope.tables(&positions[rows]);
        let upload = |values: Vec<f32>| {
            Tensor::<4>::from_data(TensorData::new(values, [1, n, 1, arch.head_len]), &device)
        };
        let context = RowContext {
            batch: 1,
            len: n,
            cos: upload(cos),
            sin: upload(sin),
        };
        let hidden = theirs.forward_cached(&arch, ids, &context, &mut cache, n);
        theirs
            .logits(hidden)
            .into_data()
            .try_into_vec::<f32>()
            .unwrap()
    };
    let mut packed = |rows: std::ops::Range<usize>| {
        ours.truncate(rows.start);
        let n = rows.len();
        ours.forward(&tokens[rows.clone()], &positions[rows], n)
            .unwrap()
    };
    on_tensors(0..CACHED);
    packed(0..CACHED);

    let mut group = criterion.benchmark_group("forward");
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    group.sample_size(20);
    for n_rows in N_ROWS {
        let rows = CACHED..CACHED + n_rows;
        let (a, b) = (packed(rows.clone()), on_tensors(rows.clone()));
        let is_near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-3;
        assert!(a.rows().flatten().zip(&b).all(is_near));
        group.bench_function(BenchmarkId::new("packed", n_rows), |bencher| {
            with_all_awake(true, || bencher.iter(|| packed(black_box(rows.clone()))));
        });
        group.bench_function(BenchmarkId::new("tensors", n_rows), |bencher| {
            rayon::scope(|_| bencher.iter(|| on_tensors(black_box(rows.clone()))));
        });
    }
    group.finish();
}

criterion_group!(benches, forward);
criterion_main!(benches);
