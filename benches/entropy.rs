//! What the entropy of a row of logits costs, against the cheapest and the usual way through it.
//!
//! `plain_read` sums the row and nothing else: the least that any statistic of it takes.
//! `three_passes` is the usual way: softmax into a buffer, then −Σ p ln p. Every row is measured
//! again and again, so it lies in the nearest cache that holds it: 4 KiB, 125 KiB, 593 KiB; but for
//! `entropy_from_memory`, which goes through more rows than a cache holds.
//!
//! Throughput is given in bytes of the row per second, and in logits per second.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use wedlm_bench::policy::entropy::{EntropyRule, RowStats};
use wedlm_bench::policy::noise::Noise;

/// Vocabularies: of an embedded model, of Llama 2, of Qwen 2.5.
const ROW_LENS: [usize; 3] = [1_024, 32_000, 151_936];

/// Bell-shaped logits with a standard deviation of about 2.3, so that the head is long and the
/// entropy is several nats.
fn logits(len: usize) -> Vec<f32> {
    let noise = Noise::new(17);
    (0..len as u64)
        .map(|token| (0..4).map(|part| noise.uniform(4 * token + part)).sum())
        .map(|sum: f64| (4.0 * sum - 8.0) as f32)
        .collect()
}

/// One rule of each kind, at its defaults.
fn every_kind() -> [EntropyRule; 6] {
    let temperature = 1.0;
    [
        EntropyRule::Shannon { temperature },
        EntropyRule::Renyi {
            alpha: 2.0,
            temperature,
        },
        EntropyRule::Tsallis {
            q: 2.0,
            temperature,
        },
        EntropyRule::Topk {
            k: 50,
            renormalize: true,
            temperature,
        },
        EntropyRule::Min { temperature },
        EntropyRule::Varentropy { temperature },
    ]
}

/// Sum over 64 lanes, so that no addition waits for the one before.
fn plain_read(row: &[f32]) -> f32 {
    const LANES: usize = 64;
    let mut lanes = [0.0_f32; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &logit) in lanes.iter_mut().zip(chunk) {
            *lane += logit;
        }
    }
    lanes.iter().chain(rest).sum()
}

/// Shannon entropy in nats by the largest logit, a softmax written into `probabilities`, and
/// −Σ p ln p.
fn three_passes(row: &[f32], probabilities: &mut [f32]) -> f32 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (probability, &logit) in probabilities.iter_mut().zip(row) {
        *probability = (logit - largest).exp();
        sum += *probability;
    }
    let mut entropy = 0.0;
    for weight in probabilities {
        let p = *weight / sum;
        if p > 0.0 {
            entropy -= p * p.ln();
        }
    }
    entropy
}

fn compare(group: &mut BenchmarkGroup<'_, WallTime>, row: &[f32]) {
    let shannon = [EntropyRule::default()];
    let kinds = every_kind();
    let mut probabilities = vec![0.0; row.len()];
    let id = |name: &str| BenchmarkId::new(name, row.len());
    group.bench_function(id("plain_read"), |bencher| {
        bencher.iter(|| plain_read(black_box(row)));
    });
    group.bench_function(id("shannon"), |bencher| {
        bencher.iter(|| RowStats::read(black_box(row), black_box(&shannon)));
    });
    group.bench_function(id("every_kind"), |bencher| {
        bencher.iter(|| RowStats::read(black_box(row), black_box(&kinds)));
    });
    group.bench_function(id("three_passes"), |bencher| {
        bencher.iter(|| three_passes(black_box(row), &mut probabilities));
    });
}

fn entropy(criterion: &mut Criterion) {
    for len in ROW_LENS {
        let row = logits(len);
        let ours = RowStats::read(&row, &[EntropyRule::default()]).entropies[0];
        let theirs = three_passes(&row, &mut vec![0.0; len]);
        // Single precision adds up 150,000 terms one by one there.
        assert!(
            (ours - f64::from(theirs)).abs() < 1e-2,
            "{len}: {ours} {theirs}"
        );
        for (unit, throughput) in [
            ("bytes", Throughput::Bytes(size_of_val(&row[..]) as u64)),
            ("logits", Throughput::Elements(len as u64)),
        ] {
            let mut group = criterion.benchmark_group(format!("entropy_{unit}"));
            group.warm_up_time(Duration::from_millis(300));
            group.measurement_time(Duration::from_secs(1));
            group.throughput(throughput);
            compare(&mut group, &row);
            group.finish();
        }
    }
}

/// The largest rows in turn, 593 MiB of them.
fn from_memory(criterion: &mut Criterion) {
    const N_ROWS: usize = 1_024;
    let row = logits(ROW_LENS[2]);
    let rows = row.repeat(N_ROWS);
    let shannon = [EntropyRule::default()];
    let mut turn = rows.chunks_exact(row.len()).cycle();
    let mut next = || black_box(turn.next().expect("a cycle has no end"));
    let mut group = criterion.benchmark_group("entropy_from_memory");
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Bytes(size_of_val(&row[..]) as u64));
    let id = |name: &str| BenchmarkId::new(name, row.len());
    group.bench_function(id("plain_read"), |bencher| {
        bencher.iter(|| plain_read(next()));
    });
    group.bench_function(id("shannon"), |bencher| {
        bencher.iter(|| RowStats::read(next(), black_box(&shannon)));
    });
    group.finish();
}

criterion_group!(benches, entropy, from_memory);
criterion_main!(benches);
