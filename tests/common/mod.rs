//! The tiny reference checkpoints under `tests/fixtures`.
#![allow(dead_code)]

use std::path::PathBuf;

use burn::tensor::Device;
use serde::de::DeserializeOwned;
use wedlm_bench::model::burn_lm::{BurnLm, LoadOptions};
use wedlm_bench::model::checkpoint::Checkpoint;
use wedlm_bench::model::device::{DeviceSpec, Dtype};
use wedlm_bench::model::lm::TokenId;
use wedlm_bench::model::tokenizer::Tokenizer;

pub fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(path)
}

pub fn read_json<T: DeserializeOwned>(path: &str) -> T {
    let text = std::fs::read_to_string(fixture(path)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Where the reference checkpoints run: the CPU, or what `WEDLM_BENCH_TEST_DEVICE` names.
pub fn device() -> Device {
    let name = std::env::var("WEDLM_BENCH_TEST_DEVICE");
    let device = name.map_or(DeviceSpec::Cpu, |name| name.parse().unwrap());
    device.open().unwrap()
}

/// A reference checkpoint in f32.
pub fn load(name: &str) -> BurnLm {
    let checkpoint = Checkpoint::open(fixture(name).to_str().unwrap()).unwrap();
    let options = LoadOptions {
        device: device(),
        dtype: Dtype::F32,
        context_len: 512,
        n_drawable: usize::MAX,
    };
    BurnLm::load(&checkpoint, &options).unwrap()
}

pub fn mask_id(name: &str) -> TokenId {
    let checkpoint = Checkpoint::open(fixture(name).to_str().unwrap()).unwrap();
    Tokenizer::load(&checkpoint)
        .unwrap()
        .mask_id(&checkpoint)
        .unwrap()
}

/// A decision this close may fall either way in floating point.
pub const TIE: f64 = 1e-3;
