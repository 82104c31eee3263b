//! Greedy generation with candle's own Qwen2 and Qwen3: answers a JSON object a line, as `protocol.py` does.
//!
//! candle-peer FOLDER EOS

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{qwen2, qwen3};
use serde_json::{Value, json};

enum Model {
    Qwen2(qwen2::ModelForCausalLM),
    Qwen3(qwen3::ModelForCausalLM),
}

impl Model {
    fn open(folder: &Path, weights: VarBuilder) -> Result<Self> {
        let text = std::fs::read_to_string(folder.join("config.json")).expect("config.json");
        let mut value: Value = serde_json::from_str(&text).expect("config.json is JSON");
        let fields = value.as_object_mut().expect("config.json is an object");
        let is_qwen2 = fields["model_type"] == "qwen2";
        // Fields that our checkpoints leave to their defaults.
        let layers = fields["num_hidden_layers"].clone();
        // Qwen2's mask reads the window whether it is used or not.
        let all_rows = fields["max_position_embeddings"].clone();
        let no_window = if is_qwen2 { all_rows } else { Value::Null };
        for (name, default) in [
            ("hidden_act", json!("silu")),
            ("max_window_layers", layers),
            ("sliding_window", no_window),
            ("use_sliding_window", json!(false)),
        ] {
            fields.entry(name).or_insert(default);
        }
        if is_qwen2 {
            let config = serde_json::from_value(value).expect("config.json is Qwen2's");
            Ok(Self::Qwen2(qwen2::ModelForCausalLM::new(&config, weights)?))
        } else {
            let config = serde_json::from_value(value).expect("config.json is Qwen3's");
            Ok(Self::Qwen3(qwen3::ModelForCausalLM::new(&config, weights)?))
        }
    }

    fn clear_kv_cache(&mut self) {
        match self {
            Self::Qwen2(model) => model.clear_kv_cache(),
            Self::Qwen3(model) => model.clear_kv_cache(),
        }
    }

    fn choice(&mut self, ids: &[u32], place: usize) -> Result<u32> {
        let input = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
        let logits = match self {
            Self::Qwen2(model) => model.forward(&input, place)?,
            Self::Qwen3(model) => model.forward(&input, place)?,
        };
        logits.flatten_all()?.argmax(0)?.to_scalar()
    }
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
    let mut model = Model::open(folder, weights)?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", json!({"ready": true}))?;
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?).expect("a request");
        let mut ids: Vec<u32> = serde_json::from_value(request["ids"].clone()).expect("ids");
        let n = if request["kind"] == "prefill" {
            1
        } else {
            request["n"].as_u64().unwrap_or(1)
        };
        let prompt_len = ids.len();
        let start = Instant::now();
        model.clear_kv_cache();
        let mut fed = 0;
        while ids.len() < prompt_len + n as usize {
            let token = model.choice(&ids[fed..], fed)?;
            fed = ids.len();
            ids.push(token);
            if token == eos {
                break;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        writeln!(
            out,
            "{}",
            json!({"seconds": seconds, "ids": ids[prompt_len..]})
        )?;
        out.flush()?;
    }
    Ok(())
}
