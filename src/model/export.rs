//! Writes a [`Transformer`] as a Hugging Face checkpoint in half precision.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use half::f16;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;

use crate::model::arch::Architecture;
use crate::model::transformer::Transformer;

/// Weights in Hugging Face's names and layout (`[out, in]`), as little-endian f16.
struct HalfTensor {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// Everything of a checkpoint that is not a weight.
#[derive(Debug, Clone, Copy)]
pub struct Companions<'a> {
    pub tokenizer_json: &'a [u8],
    pub end_token: &'a str,
    pub mask_token: &'a str,
}

/// Writes `config.json`, `generation_config.json`, `tokenizer.json`, `tokenizer_config.json` and
/// `model.safetensors`; each appears whole or not at all.
///
/// # Errors
/// Those of the file system.
pub fn write_checkpoint(
    folder: &Path,
    model: &Transformer,
    arch: &Architecture,
    companions: Companions<'_>,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let pretty =
        |value: &serde_json::Value| serde_json::to_vec_pretty(value).map_err(io::Error::other);
    write_whole(&folder.join("config.json"), &pretty(&arch.to_json())?)?;
    write_whole(
        &folder.join("generation_config.json"),
        &pretty(&json!({"eos_token_id": arch.eos_ids, "do_sample": false}))?,
    )?;
    write_whole(&folder.join("tokenizer.json"), companions.tokenizer_json)?;
    write_whole(
        &folder.join("tokenizer_config.json"),
        &pretty(&json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": companions.end_token,
            "pad_token": companions.end_token,
            "mask_token": companions.mask_token,
        }))?,
    )?;
    let tensors = tensors(model, arch);
    let views: HashMap<&str, TensorView<'_>> = tensors
        .iter()
        .map(|tensor| {
            TensorView::new(Dtype::F16, tensor.shape.clone(), &tensor.bytes)
                .map(|view| (tensor.name.as_str(), view))
                .map_err(io::Error::other)
        })
        .collect::<io::Result<_>>()?;
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(io::Error::other)?;
    write_whole(&folder.join("model.safetensors"), &bytes)
}

/// Writes a file beside its place, then renames it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, path)
}

fn tensors(model: &Transformer, arch: &Architecture) -> Vec<HalfTensor> {
    let (heads, keys) = (
        arch.n_heads * arch.head_len,
        arch.n_kv_heads * arch.head_len,
    );
    let mut out = vec![
        as_stored("model.embed_tokens.weight", model.embedding.val()),
        as_stored("model.norm.weight", model.final_norm.val()),
    ];
    if let Some(head) = model.head.as_ref().filter(|_| !arch.tied_head) {
        out.push(as_stored("lm_head.weight", head.val().transpose()));
    }
    for (index, layer) in model.layers.iter().enumerate() {
        let name = |rest: &str| format!("model.layers.{index}.{rest}.weight");
        let part = |rest: &str, joined: &Tensor<2>, start: usize, width: usize| {
            as_stored(
                &name(rest),
                joined.clone().narrow(1, start, width).transpose(),
            )
        };
        let qkv = layer.attention.qkv.val();
        let gate_up = layer.gate_up.val();
        out.extend([
            as_stored(&name("input_layernorm"), layer.attention_norm.val()),
            as_stored(&name("post_attention_layernorm"), layer.mlp_norm.val()),
            part("self_attn.q_proj", &qkv, 0, heads),
            part("self_attn.k_proj", &qkv, heads, keys),
            part("self_attn.v_proj", &qkv, heads + keys, keys),
            part(
                "self_attn.o_proj",
                &layer.attention.output.val(),
                0,
                arch.hidden_len,
            ),
            part("mlp.gate_proj", &gate_up, 0, arch.ffn_len),
            part("mlp.up_proj", &gate_up, arch.ffn_len, arch.ffn_len),
            part("mlp.down_proj", &layer.down.val(), 0, arch.hidden_len),
        ]);
        let norms = [
            ("self_attn.q_norm", &layer.attention.q_norm),
            ("self_attn.k_norm", &layer.attention.k_norm),
        ];
        for (rest, norm) in norms {
            out.extend(norm.as_ref().map(|norm| as_stored(&name(rest), norm.val())));
        }
    }
    out
}

fn as_stored<const D: usize>(name: &str, tensor: Tensor<D>) -> HalfTensor {
    let shape = tensor.dims().to_vec();
    let data: TensorData = tensor.into_data();
    HalfTensor {
        name: name.to_string(),
        shape,
        bytes: data
            .convert::<f32>()
            .iter::<f32>()
            .flat_map(|value| f16::from_f32(value).to_le_bytes())
            .collect(),
    }
}
