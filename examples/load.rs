//! How long a checkpoint of Qwen2.5-0.5B's shape takes to load, in how much memory, and how near its forwards
//! come to the time that reading the weights takes.
//!
//! `cargo run --release --example load -- [f32|f16|bf16]` writes a checkpoint with random weights in bf16 to
//! a temporary folder, loads it on the CPU in the dtype given, and prints the time and the memory of this
//! process: the most there was of its own, against what the weights and the cache take. Then it times forwards
//! of some rows behind 64 cached ones, and beside each a plain read of as many bytes as all weights of a
//! forward have, on the same threads.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use half::bf16;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;
use serde_json::{Map, Value, json};
use wedlm_bench::model::checkpoint::Checkpoint;
use wedlm_bench::model::device::{DeviceSpec, Dtype};
use wedlm_bench::model::inspect::inspect;
use wedlm_bench::model::lm::LanguageModel;
use wedlm_bench::model::loaded::{LoadedModel, Placement};
use wedlm_bench::model::threads::{build_pool, with_all_awake};
use wedlm_bench::stats::sample::Sample;

const HIDDEN: usize = 896;
const FFN: usize = 4864;
const LAYERS: usize = 24;
const HEADS: usize = 14;
const KV_HEADS: usize = 2;
const HEAD_LEN: usize = 64;
const VOCAB: usize = 151_936;
const CONTEXT: usize = 1024;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    build_pool(None)?;
    let dtype = match std::env::args().nth(1).as_deref() {
        None | Some("f32") => Dtype::F32,
        Some("f16") => Dtype::F16,
        Some("bf16") => Dtype::Bf16,
        Some(other) => {
            return Err(format!("unknown dtype '{other}', expected f32, f16 or bf16").into());
        }
    };
    let folder = std::env::temp_dir().join(format!("wedlm-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = write_checkpoint(&folder)
        .map_err(Into::into)
        .and_then(|()| measure(&folder, dtype));
    std::fs::remove_dir_all(&folder)?;
    outcome
}

fn measure(folder: &Path, dtype: Dtype) -> Result<(), Box<dyn std::error::Error>> {
    let name = folder.display().to_string();
    let found = inspect(&Checkpoint::open(&name)?, DeviceSpec::Cpu, dtype, CONTEXT);
    let placement = Placement {
        device: DeviceSpec::Cpu,
        dtype,
        context_len: CONTEXT,
    };
    let before = status("VmRSS")?;
    let started = Instant::now();
    let model = LoadedModel::open(&name, placement)?;
    let seconds = started.elapsed().as_secs_f64();
    let (peak, now) = (status("VmHWM")?, status("VmRSS")?);
    let needed = (found.weight_bytes + found.cache_bytes) as f64 / MIB;
    println!(
        "{} parameters, {dtype}, loaded in {seconds:.1} s",
        found.n_parameters
    );
    println!(
        "weights and cache {needed:.0} MiB; in memory {now:.0} MiB, at most {peak:.0} MiB, before {before:.0} MiB"
    );
    println!(
        "at most {:+.1} % beyond weights and cache",
        ((peak - before) / needed - 1.0) * 100.0
    );
    time_forwards(model, found.n_parameters, dtype)
}

/// Times forwards and plain reads in turn, and prints the medians.
fn time_forwards(
    mut model: LoadedModel,
    n_parameters: u64,
    dtype: Dtype,
) -> Result<(), Box<dyn std::error::Error>> {
    let bytes_each = match dtype {
        Dtype::F32 => 4,
        Dtype::F16 | Dtype::Bf16 => 2,
    };
    let n_bytes = n_parameters as usize * bytes_each;
    let memory = vec![1.0_f32; n_bytes / 4];
    let tokens = [7; CACHED + 16];
    let positions: Vec<u32> = (0..tokens.len() as u32).collect();
    model
        .lm
        .forward(&tokens[..CACHED], &positions[..CACHED], 0)?;
    for n_rows in [1, 2, 4, 8, 16] {
        let rows = CACHED..CACHED + n_rows;
        let (mut forwards, mut reads) = (Vec::new(), Vec::new());
        for _ in 0..N_REPEATS {
            let started = Instant::now();
            with_all_awake(true, || {
                model
                    .lm
                    .forward(&tokens[rows.clone()], &positions[rows.clone()], n_rows)
            })?;
            forwards.push(started.elapsed().as_secs_f64());
            model.lm.truncate(CACHED);
            let started = Instant::now();
            black_box(sum(&memory));
            reads.push(started.elapsed().as_secs_f64());
        }
        let (forward, read) = (
            Sample::new(forwards)?.median(),
            Sample::new(reads)?.median(),
        );
        println!(
            "{n_rows} rows: {:.1} ms; a plain read of {:.0} MiB: {:.1} ms ({:.1} GB/s), {:.0} % of the forward",
            1e3 * forward,
            n_bytes as f64 / MIB,
            1e3 * read,
            n_bytes as f64 / read / 1e9,
            100.0 * read / forward,
        );
    }
    println!("{} threads", rayon::current_num_threads());
    Ok(())
}

/// Every number read once, on all threads.
fn sum(memory: &[f32]) -> f32 {
    let of_chunk = |chunk: &[f32]| {
        let mut sums = [0.0; 64];
        for numbers in chunk.chunks_exact(sums.len()) {
            for (sum, number) in sums.iter_mut().zip(numbers) {
                *sum += number;
            }
        }
        sums.iter().sum::<f32>()
    };
    memory.par_chunks(1 << 20).map(of_chunk).sum()
}

/// Rows in the cache before a timed forward.
const CACHED: usize = 64;
const N_REPEATS: usize = 11;

const MIB: f64 = (1 << 20) as f64;

/// A line of /proc/self/status, in MiB.
fn status(key: &str) -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0)
        .ok_or_else(|| io::Error::other(format!("no {key} in /proc/self/status")))
}

fn write_checkpoint(folder: &Path) -> io::Result<()> {
    let config = json!({
        "model_type": "qwen2", "vocab_size": VOCAB, "hidden_size": HIDDEN, "intermediate_size": FFN,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": 32_768, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
        "tie_word_embeddings": true, "eos_token_id": 0,
    });
    std::fs::write(folder.join("config.json"), config.to_string())?;
    let tokenizer = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/verifier/tokenizer.json");
    std::fs::copy(tokenizer, folder.join("tokenizer.json"))?;
    write_weights(&folder.join("model.safetensors"))
}

fn shapes() -> Vec<(String, Vec<usize>)> {
    let mut shapes = vec![
        ("model.embed_tokens.weight".to_string(), vec![VOCAB, HIDDEN]),
        ("model.norm.weight".to_string(), vec![HIDDEN]),
    ];
    let (queries, keys) = (HEADS * HEAD_LEN, KV_HEADS * HEAD_LEN);
    for layer in 0..LAYERS {
        let parts = [
            ("input_layernorm.weight", vec![HIDDEN]),
            ("post_attention_layernorm.weight", vec![HIDDEN]),
            ("mlp.gate_proj.weight", vec![FFN, HIDDEN]),
            ("mlp.up_proj.weight", vec![FFN, HIDDEN]),
            ("mlp.down_proj.weight", vec![HIDDEN, FFN]),
            ("self_attn.q_proj.weight", vec![queries, HIDDEN]),
            ("self_attn.q_proj.bias", vec![queries]),
            ("self_attn.k_proj.weight", vec![keys, HIDDEN]),
            ("self_attn.k_proj.bias", vec![keys]),
            ("self_attn.v_proj.weight", vec![keys, HIDDEN]),
            ("self_attn.v_proj.bias", vec![keys]),
            ("self_attn.o_proj.weight", vec![HIDDEN, queries]),
        ];
        shapes.extend(parts.map(|(part, shape)| (format!("model.layers.{layer}.{part}"), shape)));
    }
    shapes
}

/// Writes one tensor behind the other, so that this takes no memory to speak of.
fn write_weights(path: &Path) -> io::Result<()> {
    let shapes = shapes();
    let (mut header, mut begin) = (Map::new(), 0);
    for (name, shape) in &shapes {
        let end = begin + 2 * shape.iter().product::<usize>();
        let entry = json!({"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]});
        header.insert(name.clone(), entry);
        begin = end;
    }
    let mut header = Value::Object(header).to_string();
    // The format asks for a header whose length is a multiple of eight.
    header.extend(std::iter::repeat_n(
        ' ',
        header.len().next_multiple_of(8) - header.len(),
    ));
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    let mut rng = SmallRng::seed_from_u64(1);
    for _ in 0..begin / 2 {
        file.write_all(&bf16::from_f32(rng.random_range(-0.05..0.05)).to_le_bytes())?;
    }
    file.flush()
}
