//! Damaged files: whatever is in them, the answer is a value or a sentence that names the file, in little
//! memory. Valid files are damaged at random: bits flipped, ends cut off, parts deleted or doubled, numbers
//! made huge.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use common::fixture;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;
use wedlm_bench::config::load::parse_sweep;
use wedlm_bench::engine::step::Finish;
use wedlm_bench::model::checkpoint::Checkpoint;
use wedlm_bench::model::tensors;
use wedlm_bench::model::tokenizer::Tokenizer;
use wedlm_bench::plan::plan;
use wedlm_bench::policy::entropy::EntropyRule;
use wedlm_bench::policy::sample::Sampling;
use wedlm_bench::record::trace_files::{read_trace, write_trace};
use wedlm_bench::trace::{Slots, Trace, TraceHeader, TracedPrompt};
use wedlm_bench::workload;

/// Counts the bytes that are allocated, and the most there were at a time.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is the system allocator's, with the same arguments; beside it, only numbers change.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test at a time, so that the memory counted is its own.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Most bytes that reading one damaged file may take beside what was there before; the files have at most
/// some 30 KB.
const MAX_BYTES: usize = 64 << 20;

/// Damaged files of each kind, shared among its examples; `WEDLM_FUZZ=100000` asks for more.
fn n_cases(n_examples: usize) -> u32 {
    let asked = std::env::var("WEDLM_FUZZ").ok();
    let n: u32 = asked.and_then(|text| text.parse().ok()).unwrap_or(2_000);
    n.div_ceil(n_examples as u32)
}

/// What a number is replaced by.
const NUMBERS: [&str; 10] = [
    "0",
    "-1",
    "1e308",
    "268435456",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "0.000000001",
    "99999999999999999999999999",
];

/// One damage. Places are shares of the length, so that they mean something in every file.
#[derive(Debug, Clone)]
enum Damage {
    Flip {
        at: f64,
        bit: u8,
    },
    Cut {
        at: f64,
    },
    Delete {
        at: f64,
        n: usize,
    },
    Double {
        at: f64,
        n: usize,
    },
    /// The first number in text behind the place.
    Number {
        at: f64,
        by: usize,
    },
    /// Four bytes in binary.
    Word {
        at: f64,
        to: u32,
    },
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let at = 0.0..1.0;
    let one = prop_oneof![
        (at.clone(), 0u8..8).prop_map(|(at, bit)| Damage::Flip { at, bit }),
        at.clone().prop_map(|at| Damage::Cut { at }),
        (at.clone(), 1usize..64).prop_map(|(at, n)| Damage::Delete { at, n }),
        (at.clone(), 1usize..64).prop_map(|(at, n)| Damage::Double { at, n }),
        (at.clone(), 0..NUMBERS.len()).prop_map(|(at, by)| Damage::Number { at, by }),
        (at.clone(), 0..NUMBERS.len()).prop_map(|(at, by)| Damage::Number { at, by }),
        (at, any::<u32>()).prop_map(|(at, to)| Damage::Word { at, to }),
    ];
    vec(one, 1..4)
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let place = |at: f64| (at * bytes.len() as f64) as usize;
        match *damage {
            Damage::Flip { at, bit } => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Damage::Cut { at } => bytes.truncate(place(at)),
            Damage::Delete { at, n } => {
                let (begin, end) = (place(at), (place(at) + n).min(bytes.len()));
                bytes.drain(begin..end);
            }
            Damage::Double { at, n } => {
                let (begin, end) = (place(at), (place(at) + n).min(bytes.len()));
                let piece = bytes[begin..end].to_vec();
                bytes.splice(begin..begin, piece);
            }
            Damage::Number { at, by } => {
                let from = place(at);
                let begin = bytes[from..].iter().position(u8::is_ascii_digit);
                if let Some(begin) = begin.map(|n| from + n) {
                    let n = bytes[begin..]
                        .iter()
                        .take_while(|byte| byte.is_ascii_digit())
                        .count();
                    bytes.splice(begin..begin + n, NUMBERS[by].bytes());
                }
            }
            Damage::Word { at, to } => {
                let at = place(at);
                if let Some(word) = bytes.get_mut(at..at + 4) {
                    word.copy_from_slice(&to.to_le_bytes());
                }
            }
        }
    }
    bytes
}

/// Damages `bytes`, one of `n_examples` files of its kind, in many ways. `read` says what became of each, and an error must name `place`.
fn withstands(
    bytes: &[u8],
    n_examples: usize,
    place: &str,
    read: impl Fn(&[u8]) -> Result<(), String>,
) {
    assert_eq!(read(bytes), Ok(()), "{place}");
    let config = Config {
        cases: n_cases(n_examples),
        failure_persistence: None,
        ..Config::default()
    };
    let n_errors = AtomicUsize::new(0);
    let outcome = TestRunner::new(config).run(&damage(), |damages| {
        let bytes = damaged(bytes.to_vec(), &damages);
        let before = NOW.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let outcome = read(&bytes);
        let taken = PEAK.load(Ordering::Relaxed).saturating_sub(before);
        prop_assert!(
            taken < MAX_BYTES,
            "{taken} bytes for a file of {}",
            bytes.len()
        );
        if let Err(message) = outcome {
            prop_assert!(message.contains(place), "'{message}' does not name {place}");
            n_errors.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{place}: {failure}");
    }
    assert!(
        n_errors.into_inner() > 0,
        "{place}: nothing was wrong with any damaged file"
    );
}

fn write(folder: &Path, file: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(file);
    fs::write(&path, bytes).unwrap();
    path
}

/// Checkpoint of one layer and some eight hundred bytes of weights, with a tokenizer.
fn tiny(folder: &Path) {
    let config = json!({
        "model_type": "qwen3", "vocab_size": 8, "hidden_size": 4, "intermediate_size": 4,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 2,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "eos_token_id": [0, 1],
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 32},
    });
    write(folder, "config.json", config.to_string().as_bytes());
    let shapes: [(&str, &[usize]); 14] = [
        ("model.embed_tokens.weight", &[8, 4]),
        ("lm_head.weight", &[8, 4]),
        ("model.norm.weight", &[4]),
        ("model.layers.0.input_layernorm.weight", &[4]),
        ("model.layers.0.post_attention_layernorm.weight", &[4]),
        ("model.layers.0.mlp.gate_proj.weight", &[4, 4]),
        ("model.layers.0.mlp.up_proj.weight", &[4, 4]),
        ("model.layers.0.mlp.down_proj.weight", &[4, 4]),
        ("model.layers.0.self_attn.q_proj.weight", &[4, 4]),
        ("model.layers.0.self_attn.k_proj.weight", &[2, 4]),
        ("model.layers.0.self_attn.v_proj.weight", &[2, 4]),
        ("model.layers.0.self_attn.o_proj.weight", &[4, 4]),
        ("model.layers.0.self_attn.q_norm.weight", &[2]),
        ("model.layers.0.self_attn.k_norm.weight", &[2]),
    ];
    let zeros = [0u8; 64];
    let file = |part: &[(&str, &[usize])]| {
        let views: HashMap<String, TensorView<'_>> = part
            .iter()
            .map(|(name, shape)| {
                let n: usize = shape.iter().product();
                let view = TensorView::new(Dtype::F16, shape.to_vec(), &zeros[..2 * n]).unwrap();
                ((*name).to_string(), view)
            })
            .collect();
        safetensors::serialize(views, None).unwrap()
    };
    write(folder, "model-1.safetensors", &file(&shapes[..7]));
    write(folder, "model-2.safetensors", &file(&shapes[7..]));
    let map: HashMap<&str, &str> = shapes
        .iter()
        .enumerate()
        .map(|(index, (name, _))| {
            (
                *name,
                if index < 7 {
                    "model-1.safetensors"
                } else {
                    "model-2.safetensors"
                },
            )
        })
        .collect();
    let index = json!({"metadata": {"total_size": 300}, "weight_map": map});
    write(
        folder,
        "model.safetensors.index.json",
        index.to_string().as_bytes(),
    );
    fs::copy(
        fixture("llama/tokenizer.json"),
        folder.join("tokenizer.json"),
    )
    .unwrap();
    fs::copy(
        fixture("llama/tokenizer_config.json"),
        folder.join("tokenizer_config.json"),
    )
    .unwrap();
    fs::copy(
        fixture("llama/generation_config.json"),
        folder.join("generation_config.json"),
    )
    .unwrap();
}

/// Damages one file of a checkpoint and reads all that decoding would read of it.
fn checkpoint_withstands(file: &str, n_examples: usize) {
    let folder = tempfile::Builder::new()
        .prefix("checkpoint-")
        .tempdir()
        .unwrap();
    tiny(folder.path());
    let bytes = fs::read(folder.path().join(file)).unwrap();
    withstands(&bytes, n_examples, "checkpoint-", |bytes| {
        write(folder.path(), file, bytes);
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let checkpoint =
            Checkpoint::open(folder.path().to_str().unwrap()).map_err(|error| text(&error))?;
        tensors::must_fit(&checkpoint).map_err(|error| text(&error))?;
        for (name, shape) in tensors::expected(&checkpoint) {
            let values = checkpoint
                .tensor(&name, &shape)
                .map_err(|error| text(&error))?;
            assert_eq!(values.len(), shape.iter().product::<usize>());
        }
        Ok(())
    });
}

#[test]
fn a_damaged_sweep_file() {
    let _turn = alone();
    for file in [
        "gsm8k.yaml",
        "wedlm.yaml",
        "rules/stop-entropy.yaml",
        "gsm8k-qwen.yaml",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("configs")
            .join(file);
        withstands(&fs::read(path).unwrap(), 4, "configs/x.yaml", |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let sweep = parse_sweep("configs/x.yaml", &text, &[], &|_| None)
                .map_err(|error| error.to_string())?;
            plan(&sweep).map(drop).map_err(|error| error.to_string())
        });
    }
}

#[test]
fn a_damaged_workload() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let gsm8k = "{\"question\": \"1+1?\", \"answer\": \"2.\\n#### 2\"}\n".repeat(3);
    write(folder.path(), "gsm8k.jsonl", gsm8k.as_bytes());
    for (format, file) in [
        ("humaneval", "humaneval.jsonl"),
        ("spec-bench", "mt-bench.jsonl"),
        ("qa", "qa.jsonl"),
        ("pairs", "pairs.jsonl"),
        ("pairs", "pairs-wmt.jsonl"),
        ("summaries", "summaries.jsonl"),
        ("plain:2", "plain.txt"),
        ("gsm8k", ""),
    ] {
        let own = folder.path().join("gsm8k.jsonl");
        let path = if file.is_empty() {
            own
        } else {
            fixture(&format!("workloads/{file}"))
        };
        let bytes = fs::read(path).unwrap();
        withstands(&bytes, 8, "damaged.jsonl", |bytes| {
            let path = write(folder.path(), "damaged.jsonl", bytes);
            let source = format!("{format}:{}", path.display()).parse().unwrap();
            workload::load(&source, usize::MAX, 0)
                .map(drop)
                .map_err(|error| error.to_string())
        });
    }
}

#[test]
fn a_damaged_configuration_of_a_model() {
    let _turn = alone();
    const N: usize = 3;
    for file in [
        "config.json",
        "generation_config.json",
        "tokenizer_config.json",
    ] {
        checkpoint_withstands(file, N);
    }
}

#[test]
fn damaged_weights_and_their_index() {
    let _turn = alone();
    const N: usize = 2;
    for file in ["model-1.safetensors", "model.safetensors.index.json"] {
        checkpoint_withstands(file, N);
    }
}

#[test]
fn a_damaged_tokenizer() {
    let _turn = alone();
    let folder = tempfile::Builder::new()
        .prefix("checkpoint-")
        .tempdir()
        .unwrap();
    tiny(folder.path());
    let bytes = fs::read(fixture("llama/tokenizer.json")).unwrap();
    let whole = Tokenizer::from_json(&bytes).unwrap();
    withstands(&bytes, 1, "tokenizer.json", |bytes| {
        write(folder.path(), "tokenizer.json", bytes);
        let checkpoint =
            Checkpoint::open(folder.path().to_str().unwrap()).map_err(|error| error.to_string())?;
        let tokenizer = Tokenizer::load(&checkpoint).map_err(|error| error.to_string())?;
        // What it says of a text is not our concern, only that it says something.
        let ids = tokenizer
            .encode_first("Tom has 3 boxes.\n<|im_end|>")
            .unwrap_or_default();
        tokenizer.decode_all(&ids);
        tokenizer
            .must_equal(&whole, "tokenizer.json", "whole")
            .map_err(|error| error.to_string())
    });
}

/// Two tokens of text; the first is drafted wrong, and one slot behind it is known.
fn trace() -> Trace {
    let header = TraceHeader {
        max_draft_len: 2,
        entropies: vec![EntropyRule::default()],
        sampling: Sampling::default(),
    };
    let prompt = |id| TracedPrompt {
        id,
        prompt_len: 3,
        max_new_tokens: 3,
        text_len: 2,
        finished_by: Finish::StopToken,
        seed: 7,
    };
    let slots = Slots {
        prompt: vec![0, 0, 0],
        position: vec![3, 4, 4],
        depth: vec![0, 0, 1],
        token: vec![7, 9, 8],
        is_end: vec![false, true, true],
        probability: vec![0.5, 0.25, 0.125],
        top1: vec![0.5, 0.25, 0.125],
        top2: vec![0.25, 0.125, 0.0625],
        entropies: vec![vec![0.1, 0.2, 1.0 / 3.0]],
        verifier_token: vec![Some(6), Some(9), None],
        verifier_lead: vec![Some(0.5), Some(1.5), None],
    };
    Trace::new(header, vec![prompt(4)], slots).unwrap()
}

#[test]
fn a_damaged_trace() {
    let _turn = alone();
    let folder = tempfile::Builder::new().prefix("trace-").tempdir().unwrap();
    for file in ["trace.json", "prompts.parquet", "slots.parquet"] {
        write_trace(folder.path(), &trace()).unwrap();
        let bytes = fs::read(folder.path().join(file)).unwrap();
        withstands(&bytes, 3, "trace-", |bytes| {
            write(folder.path(), file, bytes);
            read_trace(folder.path())
                .map(drop)
                .map_err(|error| error.to_string())
        });
    }
}

#[test]
fn a_column_without_rows_beside_others_is_refused() {
    let _turn = alone();
    let folder = tempfile::Builder::new().prefix("trace-").tempdir().unwrap();
    write_trace(folder.path(), &trace()).unwrap();
    fs::remove_file(folder.path().join("SHA256SUMS")).unwrap();
    read_trace(folder.path()).unwrap();
    let word = Damage::Word {
        at: 0.2936413655861868,
        to: 717_078_273,
    };
    let bytes = fs::read(folder.path().join("prompts.parquet")).unwrap();
    write(folder.path(), "prompts.parquet", &damaged(bytes, &[word]));
    let error = read_trace(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("trace-") && error.contains("damaged"),
        "{error}"
    );
}
