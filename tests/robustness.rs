//! Requests that cannot be answered, models that are broken, and a user who has had enough.

mod common;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::fixture;
use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Exit code and the one sentence on standard error.
fn failure(arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!text.contains("panicked"), "{text}");
    (output.status.code(), text.trim().to_string())
}

fn stdout(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn copy(name: &str, to: &Path) {
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// Writes the weights of a checkpoint again, each tensor as `change` makes it: shape and values.
fn rewrite(folder: &Path, mut change: impl FnMut(&str, &mut Vec<usize>, &mut Vec<f32>)) {
    let path = folder.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let changed: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let data = view.data();
            let mut values: Vec<f32> = match view.dtype() {
                Dtype::F32 => data
                    .chunks_exact(4)
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect(),
                Dtype::F16 => data
                    .chunks_exact(2)
                    .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect(),
                other => panic!("{other:?}"),
            };
            let mut shape = view.shape().to_vec();
            change(&name, &mut shape, &mut values);
            (
                name,
                shape,
                values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
            )
        })
        .collect();
    let views: HashMap<&str, TensorView<'_>> = changed
        .iter()
        .map(|(name, shape, data)| {
            (
                name.as_str(),
                TensorView::new(Dtype::F32, shape.clone(), data).unwrap(),
            )
        })
        .collect();
    fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn set(path: &Path, key: &str, value: Value) {
    let mut document: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    document[key] = value;
    fs::write(path, document.to_string()).unwrap();
}

#[test]
fn a_prompt_longer_than_the_context_is_refused_with_both_lengths() {
    let folder = tempfile::tempdir().unwrap();
    copy("llama", folder.path());
    set(
        &folder.path().join("config.json"),
        "max_position_embeddings",
        json!(16),
    );
    let model = folder.path().to_str().unwrap();
    let ids = (5..25)
        .map(|id| id.to_string())
        .collect::<Vec<_>>()
        .join(",");
    let arguments = [
        "generate",
        "--ids",
        &ids,
        "--verifier",
        model,
        "--decoder",
        "{kind: autoregressive}",
    ];
    let (code, error) = failure(&arguments);
    assert_eq!(code, Some(1));
    assert_eq!(
        error,
        "error: the prompt has 20 tokens, and with max_new_tokens 96 it needs a context of 115; the verifier model holds 16: shorten the prompt or lower max_new_tokens"
    );
    let (code, error) = failure(&["score", "--model", model, "--ids", &ids]);
    assert_eq!(code, Some(1));
    assert!(error.contains("16"), "{error}");
}

#[test]
fn in_a_sweep_such_a_prompt_is_a_row_with_its_error_and_the_others_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    copy("llama", folder.path());
    set(
        &folder.path().join("config.json"),
        "max_position_embeddings",
        json!(64),
    );
    let prompts = folder.path().join("prompts.jsonl");
    let long = "word ".repeat(100);
    let lines = format!(
        "{{\"question\": \"Hi?\", \"answer\": \"#### 1\"}}\n{{\"question\": \"{long}\", \"answer\": \"#### 2\"}}\n"
    );
    fs::write(&prompts, lines).unwrap();
    let sweep = json!({
        "name": "long",
        "models": {"verifier": folder.path(), "drafter": fixture("llama-drafter")},
        "workload": {"source": format!("gsm8k:{}", prompts.display()), "max_new_tokens": 4},
        "decoders": [{"name": "x", "kind": "speculative", "stop": {"kind": "fixed"}, "max_draft_len": 2}],
        "timing": {"repeats": 1, "warmup": 0},
    });
    let config = folder.path().join("long.yaml");
    fs::write(&config, sweep.to_string()).unwrap();
    let out = folder.path().join("results");
    let text = stdout(&[
        "sweep",
        config.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    let journal =
        fs::read_to_string(Path::new(text.lines().last().unwrap()).join("journal.jsonl")).unwrap();
    let rows: Vec<Value> = journal
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["generation"].clone())
        .collect();
    assert_eq!(rows.len(), 3 * 2);
    for row in &rows {
        let error = row["error"].as_str().unwrap_or("");
        assert_eq!(
            error.contains("the verifier model holds 64"),
            row["prompt"] == 1,
            "{row}"
        );
        assert_eq!(
            row["committed"].as_u64().unwrap() > 0,
            row["prompt"] == 0,
            "{row}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_cache_that_does_not_fit_into_memory_is_refused_before_it_is_made() {
    let folder = tempfile::tempdir().unwrap();
    copy("llama", folder.path());
    set(
        &folder.path().join("config.json"),
        "max_position_embeddings",
        json!(1 << 28),
    );
    let model = folder.path().to_str().unwrap();
    let fixed = [
        "generate",
        "--prompt",
        "Tom",
        "--verifier",
        model,
        "--decoder",
        "{kind: autoregressive}",
    ];
    let (code, error) = failure(&[&fixed[..], &["--max-new-tokens", "9999999999"]].concat());
    assert_eq!(code, Some(1));
    assert!(
        error.contains("the cache of 268435456 tokens")
            && error.contains("are free; use a smaller"),
        "{error}"
    );
}

#[test]
fn a_budget_of_no_tokens_and_a_prompt_of_none_are_told_from_each_other() {
    let fixed = ["--decoder", "{kind: autoregressive}", "--json"];
    let none = stdout(
        &[
            &["generate", "--prompt", "Hi", "--max-new-tokens", "0"],
            &fixed[..],
        ]
        .concat(),
    );
    let found: Value = serde_json::from_str(&none).unwrap();
    assert_eq!(found["ids"], json!([]));
    let (code, error) = failure(&[&["generate", "--prompt", ""], &fixed[..]].concat());
    assert_eq!(code, Some(1));
    assert_eq!(
        error,
        "error: the prompt is empty: a decoder needs at least one token to continue"
    );
    let (code, error) = failure(&["score", "--model", "embedded:verifier", "--text", ""]);
    assert_eq!(code, Some(2));
    assert!(error.contains("the text is empty"), "{error}");
    let (code, error) = failure(&[
        "sweep",
        "configs/smoke.yaml",
        "--set",
        "workload.max_new_tokens=0",
    ]);
    assert_eq!(code, Some(2));
    assert!(
        error.contains("workload.max_new_tokens: 0 tokens measure nothing"),
        "{error}"
    );
}

#[test]
fn a_checkpoint_with_a_weight_that_is_no_number_is_found_out_at_the_first_forward() {
    let folder = tempfile::tempdir().unwrap();
    copy("llama", folder.path());
    rewrite(folder.path(), |name, _, values| {
        if name == "model.layers.1.mlp.down_proj.weight" {
            values[3] = f32::NAN;
        }
    });
    let model = folder.path().to_str().unwrap();
    let prompt = ["--prompt", "Tom has"];
    for decoder in [
        "{kind: autoregressive}",
        "{kind: speculative, stop: {kind: svip}}",
        "{kind: window}",
    ] {
        let drafter = fixture("llama-drafter");
        let models = [
            "--verifier",
            model,
            "--window",
            model,
            "--drafter",
            drafter.to_str().unwrap(),
        ];
        let (code, error) =
            failure(&[&["generate", "--decoder", decoder], &models[..], &prompt].concat());
        assert_eq!(code, Some(1), "{decoder}");
        assert!(
            error.contains("not a number") || error.contains("NaN"),
            "{decoder}: {error}"
        );
    }
    let (code, error) = failure(&["score", "--model", model, "--text", "Tom has"]);
    assert_eq!(code, Some(1));
    assert!(
        error.contains("not a number") || error.contains("NaN"),
        "{error}"
    );
}

#[test]
fn a_drafter_with_another_tokenizer_is_refused_with_the_first_entry_that_differs() {
    let folder = tempfile::tempdir().unwrap();
    copy("llama-drafter", folder.path());
    let tokenizer = folder.path().join("tokenizer.json");
    let text = fs::read_to_string(&tokenizer).unwrap();
    fs::write(&tokenizer, text.replace("<|mask|>", "<|gap|>")).unwrap();
    let (code, error) = failure(&[
        "generate",
        "--prompt",
        "Tom",
        "--verifier",
        fixture("llama").to_str().unwrap(),
        "--drafter",
        folder.path().to_str().unwrap(),
    ]);
    assert_eq!(code, Some(1));
    assert!(
        error.contains("id 3 is Some(\"<|mask|>\") in one and Some(\"<|gap|>\") in the other"),
        "{error}"
    );
}

/// Rows are added to a vocabulary so that its size is a multiple of something; Qwen2.5's small and large
/// models differ in that.
#[test]
fn a_drafter_with_more_rows_than_the_tokenizer_has_entries_changes_no_token() {
    let folder = tempfile::tempdir().unwrap();
    copy("llama-drafter", folder.path());
    const N_MORE: usize = 64;
    let mut vocab = 0;
    rewrite(folder.path(), |name, shape, values| {
        if name == "model.embed_tokens.weight" || name == "lm_head.weight" {
            vocab = shape[0];
            shape[0] += N_MORE;
            // Large, so that these rows would be drawn if they could.
            values.extend(std::iter::repeat_n(9.0, N_MORE * shape[1]));
        }
    });
    set(
        &folder.path().join("config.json"),
        "vocab_size",
        json!(vocab + N_MORE),
    );
    let verifier = fixture("llama");
    let generated = |drafter: &Path, accept: &str, temperature: &str| -> Value {
        let decoder = format!(
            "{{kind: speculative, stop: {{kind: fixed}}, max_draft_len: 4, accept: {{kind: {accept}}}}}"
        );
        let text = stdout(&[
            "generate",
            "--json",
            "--prompt",
            "Tom has 3",
            "--decoder",
            &decoder,
            "--temperature",
            temperature,
            "--verifier",
            verifier.to_str().unwrap(),
            "--drafter",
            drafter.to_str().unwrap(),
            "--max-new-tokens",
            "24",
            "--seed",
            "3",
            "--ignore-eos",
        ]);
        serde_json::from_str(&text).unwrap()
    };
    for (accept, temperature) in [
        ("greedy", "0"),
        ("rejection", "1"),
        ("block", "1"),
        ("gumbel", "1"),
    ] {
        let usual = generated(&fixture("llama-drafter"), accept, temperature);
        let padded = generated(folder.path(), accept, temperature);
        assert_eq!(usual["ids"], padded["ids"], "{accept}");
        assert_eq!(usual["rounds"], padded["rounds"], "{accept}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_sweep_with_130_and_everything_measured_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
        .args(["sweep", "configs/smoke.yaml", "--set", "timing.warmup=0"])
        .args(["--set", "workload.limit=400", "--out"])
        .arg(folder.path())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let runs = folder.path().join("smoke");
    let n_measured = || {
        let run = fs::read_dir(&runs).ok()?.next()?.ok()?.path();
        let journal = fs::read_to_string(run.join("journal.jsonl")).ok()?;
        Some(journal.lines().count())
    };
    let started = std::time::Instant::now();
    let has_started = || n_measured().unwrap_or(0) >= 3;
    while !has_started() && started.elapsed().as_secs() < 300 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{error}");
    assert!(
        error.contains("interrupted; what was measured is in"),
        "{error}"
    );
    let run = fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let manifest: Value =
        serde_json::from_slice(&fs::read(run.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["status"], "interrupted");
    for file in [
        "report.md",
        "trials.parquet",
        "generations.parquet",
        "sweep.yaml",
    ] {
        assert!(run.join(file).is_file(), "{file}");
    }
    assert!(has_started(), "nothing was measured in five minutes");
}

#[test]
fn sweeps_of_real_checkpoints_expand_and_show_their_plan_without_the_models() {
    for (name, n_trials) in [("gsm8k-qwen", 29), ("llama", 14), ("wedlm-8b", 19)] {
        let config = format!("configs/{name}.yaml");
        let output = Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
            .args(["sweep", &config, "--dry-run", "--device", "cpu"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("HF_HUB_CACHE", "no/such/cache")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{name}");
        assert!(text.contains(&format!("{n_trials} trials")), "{text}");
        assert!(text.contains("no estimate of the time: "), "{text}");
    }
}
