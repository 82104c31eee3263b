//! Greedy generation with candle's own Qwen3: answers a JSON object a line, as `protocol.py` does.
//!
//! candle-peer FOLDER EOS

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::qwen3::{Config, ModelForCausalLM};
use serde_json::{Value, json};

/// Fields that our checkpoints leave to their defaults.
fn config(folder: &Path) -> Config {
    let text = std::fs::read_to_string(folder.join("config.json")).expect("config.json");
    let mut value: Value = serde_json::from_str(&text).expect("config.json is JSON");
    let fields = value.as_object_mut().expect("config.json is an object");
    let layers = fields["num_hidden_layers"].clone();
    for (name, default) in [
        ("max_window_layers", layers),
        ("sliding_window", Value::Null),
        ("use_sliding_window", json!(false)),
    ] {
        fields.entry(name).or_insert(default);
    }
    serde_json::from_value(value).expect("config.json is Qwen3's")
}

fn choice(model: &mut ModelForCausalLM, ids: &[u32], place: usize) -> Result<u32> {
    let input = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
    model.forward(&input, place)?.flatten_all()?.argmax(0)?.to_scalar()
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let folder = Path::new(&arguments[1]);
    let eos: u32 = arguments[2].parse().expect("the end-of-text id");
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|end| end == "safetensors"));
    // SAFETY: nobody changes the files while this runs.
    let weights = unsafe { VarBuilder::from_mmaped_safetensors(&files, DType::F32, &Device::Cpu)? };
    let mut model = ModelForCausalLM::new(&config(folder), weights)?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", json!({"ready": true}))?;
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?).expect("a request");
        let mut ids: Vec<u32> = serde_json::from_value(request["ids"].clone()).expect("ids");
        let n = if request["kind"] == "prefill" { 1 } else { request["n"].as_u64().unwrap_or(1) };
        let prompt_len = ids.len();
        let start = Instant::now();
        model.clear_kv_cache();
        let mut fed = 0;
        while ids.len() < prompt_len + n as usize {
            let token = choice(&mut model, &ids[fed..], fed)?;
            fed = ids.len();
            ids.push(token);
            if token == eos {
                break;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        writeln!(out, "{}", json!({"seconds": seconds, "ids": ids[prompt_len..]}))?;
        out.flush()?;
    }
    Ok(())
}
