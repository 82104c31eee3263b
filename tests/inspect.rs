//! `inspect`: facts about a checkpoint, and every problem of a broken one.

mod common;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::fixture;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
        .args(arguments)
        .output()
        .unwrap()
}

fn inspect(model: &str, flags: &[&str]) -> Value {
    let output = run(&[&["inspect", model, "--json"], flags].concat());
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn copy(name: &str, to: &Path) {
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn change(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut document: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut document);
    fs::write(path, document.to_string()).unwrap();
}

#[test]
fn an_embedded_model_is_described_with_the_memory_that_it_takes() {
    let found = inspect("embedded:verifier", &["--context", "100"]);
    assert_eq!(found["n_parameters"], 8_851_328);
    assert_eq!(found["problems"], json!([]));
    assert_eq!(found["stored"], json!(["F16"]));
    let shape = &found["shape"];
    let n = |key: &str| shape[key].as_u64().unwrap();
    // Packed weights, as they are on the CPU, have no second matrix for a tied head.
    assert_eq!(shape["tied_head"], true);
    assert_eq!(found["weight_bytes"], 4 * 8_851_328);
    // Keys and values of each layer, four bytes each.
    let cache = 2 * n("layers") * 100 * n("kv_heads") * n("head_len") * 4;
    assert_eq!(found["cache_bytes"], cache);
    let half = inspect(
        "embedded:verifier",
        &["--context", "100", "--dtype", "bf16"],
    );
    assert_eq!(half["weight_bytes"], 2 * 8_851_328);
    // What is computed and cached on the CPU is in f32.
    assert_eq!(half["cache_bytes"], cache);
    let text = String::from_utf8(run(&["inspect", "embedded:verifier"]).stdout).unwrap();
    assert!(text.contains("parameters     8851328\n"), "{text}");
    assert!(text.contains("none found\n"), "{text}");
}

#[test]
fn biases_and_norms_are_told_by_the_tensors_that_are_there() {
    let flags = |name: &str| {
        let found = inspect(fixture(name).to_str().unwrap(), &[]);
        assert_eq!(found["problems"], json!([]), "{name}");
        assert_eq!(found["architecture"], name);
        (
            found["shape"]["has_bias"].as_bool(),
            found["shape"]["has_qk_norm"].as_bool(),
        )
    };
    assert_eq!(flags("qwen2"), (Some(true), Some(false)));
    assert_eq!(flags("qwen3"), (Some(false), Some(true)));
    assert_eq!(flags("llama"), (Some(false), Some(false)));
    assert_eq!(flags("mistral"), (Some(false), Some(false)));
}

#[test]
fn every_missing_superfluous_and_misshapen_tensor_is_named_by_inspect_and_by_loading() {
    let folder = tempfile::tempdir().unwrap();
    copy("llama", folder.path());
    let weights = folder.path().join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let norm = "model.layers.0.input_layernorm.weight";
    let gone = ["model.norm.weight", "model.layers.1.mlp.up_proj.weight"];
    let mut views: HashMap<String, TensorView<'_>> = tensors
        .tensors()
        .into_iter()
        .filter(|(name, _)| !gone.contains(&name.as_str()))
        .collect();
    let halves = tensors.tensor(norm).unwrap();
    let short = halves.shape()[0] / 2;
    let data = &halves.data()[..halves.data().len() / 2];
    views.insert(
        norm.into(),
        TensorView::new(halves.dtype(), vec![short], data).unwrap(),
    );
    views.insert(
        "model.layers.0.mlp.router.weight".into(),
        tensors.tensor(norm).unwrap(),
    );
    let rotary = "model.layers.0.self_attn.rotary_emb.inv_freq";
    views.insert(rotary.into(), tensors.tensor(norm).unwrap());
    fs::write(&weights, safetensors::serialize(views, None).unwrap()).unwrap();

    let model = folder.path().to_str().unwrap();
    let found = inspect(model, &[]);
    let problems: Vec<&str> = found["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect();
    assert_eq!(
        problems,
        [
            format!(
                "'{norm}' has shape [{short}], config.json asks for [{}]",
                2 * short
            ),
            "'model.layers.0.mlp.router.weight' is not part of a llama model of 2 layers".into(),
            "'model.layers.1.mlp.up_proj.weight' is missing".into(),
            "'model.norm.weight' is missing".into(),
        ]
    );
    assert_eq!(run(&["inspect", model]).status.code(), Some(1));
    let output = run(&["score", "--model", model, "--text", "Hi"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        problems.iter().all(|problem| error.contains(problem)),
        "{error}"
    );
}

#[test]
fn ids_that_the_vocabulary_does_not_have_are_problems() {
    let folder = tempfile::tempdir().unwrap();
    copy("qwen3", folder.path());
    change(&folder.path().join("config.json"), |config| {
        config["model_type"] = json!("wedlm");
        config["mask_token_id"] = Value::Null;
        config["eos_token_id"] = json!([5, 9999]);
    });
    let model = folder.path().to_str().unwrap();
    let found = inspect(model, &[]);
    let problems = found["problems"].to_string();
    assert!(
        problems.contains("the end-of-text id 9999 is none of"),
        "{problems}"
    );
    // The published WeDLM checkpoints name no mask: it is the id behind their tokenizer's added tokens.
    assert_eq!(found["mask_id"], 151_665);
    assert!(
        problems.contains("the mask id 151665 is none of"),
        "{problems}"
    );
}

#[test]
fn a_device_that_is_not_there_is_a_problem_and_an_unknown_one_a_mistake() {
    let found = inspect("embedded:verifier", &["--device", "cuda:7"]);
    assert_eq!(found["problems"].as_array().unwrap().len(), 1);
    assert_eq!(
        run(&["inspect", "embedded:verifier", "--device", "gpu"])
            .status
            .code(),
        Some(2)
    );
    let output = run(&["inspect", "no/such/folder"]);
    assert_eq!(
        String::from_utf8_lossy(&output.stderr).trim(),
        "error: no/such/folder: there is no such folder; give a folder with config.json, embedded:NAME, or hf:org/name[@revision]"
    );
}
