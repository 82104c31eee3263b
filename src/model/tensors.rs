//! Which tensors a model of an architecture has, and how those of a checkpoint differ.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::Dtype;

use crate::model::checkpoint::{Checkpoint, CheckpointError};

/// Names and shapes of all tensors that `config.json` asks for. Biases and norms of queries and keys
/// belong to a layer where it has the first of them.
pub fn expected(checkpoint: &Checkpoint) -> BTreeMap<String, Vec<usize>> {
    let arch = &checkpoint.arch;
    let (vocab, hidden, ffn) = (arch.vocab_len, arch.hidden_len, arch.ffn_len);
    let (queries, keys) = (
        arch.n_heads * arch.head_len,
        arch.n_kv_heads * arch.head_len,
    );
    let mut tensors = BTreeMap::from([
        ("model.embed_tokens.weight".to_string(), vec![vocab, hidden]),
        ("model.norm.weight".to_string(), vec![hidden]),
    ]);
    if !arch.tied_head {
        tensors.insert("lm_head.weight".to_string(), vec![vocab, hidden]);
    }
    for layer in 0..arch.n_layers {
        let prefix = format!("model.layers.{layer}");
        let mut add = |part: &str, shape: Vec<usize>| {
            tensors.insert(format!("{prefix}.{part}"), shape);
        };
        add("input_layernorm.weight", vec![hidden]);
        add("post_attention_layernorm.weight", vec![hidden]);
        add("mlp.gate_proj.weight", vec![ffn, hidden]);
        add("mlp.up_proj.weight", vec![ffn, hidden]);
        add("mlp.down_proj.weight", vec![hidden, ffn]);
        for (part, width) in [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)] {
            add(&format!("self_attn.{part}.weight"), vec![width, hidden]);
            if checkpoint.has_tensor(&format!("{prefix}.self_attn.q_proj.bias")) {
                add(&format!("self_attn.{part}.bias"), vec![width]);
            }
        }
        add("self_attn.o_proj.weight", vec![hidden, queries]);
        if checkpoint.has_tensor(&format!("{prefix}.self_attn.q_norm.weight")) {
            add("self_attn.q_norm.weight", vec![arch.head_len]);
            add("self_attn.k_norm.weight", vec![arch.head_len]);
        }
    }
    tensors
}

/// Everything in which the tensors differ from what `config.json` asks for; empty where they fit.
pub fn problems(checkpoint: &Checkpoint) -> Vec<String> {
    let arch = &checkpoint.arch;
    let mut missing = expected(checkpoint);
    let mut problems = Vec::new();
    for (name, shape, dtype) in checkpoint.tensors() {
        match missing.remove(name) {
            Some(asked) if asked != shape => problems.push(format!(
                "'{name}' has shape {shape:?}, config.json asks for {asked:?}"
            )),
            Some(_) if !matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) => problems.push(
                format!("'{name}' has dtype {dtype:?}, supported are F32, F16 and BF16"),
            ),
            Some(_) => {}
            // Written by some versions of transformers, and computed anew here.
            None if name.ends_with("rotary_emb.inv_freq") => {}
            None if arch.tied_head && name == "lm_head.weight" => {}
            // What nothing reads would mean that another model is computed than the file's.
            None => problems.push(format!(
                "'{name}' is not part of a {} model of {} layers",
                arch.model_type, arch.n_layers
            )),
        }
    }
    // A layer of which nothing is there is part of one problem: config.json may ask for thousands.
    let there: BTreeSet<usize> = checkpoint
        .tensors()
        .map(|(name, _, _)| layer_of(name))
        .collect();
    let absent: Vec<usize> = (0..arch.n_layers)
        .filter(|layer| !there.contains(layer))
        .collect();
    if let (Some(first), Some(last)) = (absent.first(), absent.last()) {
        problems.push(format!(
            "{} of the {} layers of config.json are missing, from {first} to {last}",
            absent.len(),
            arch.n_layers
        ));
    }
    let is_told = |name: &str| absent.binary_search(&layer_of(name)).is_ok();
    let names = missing.into_keys().filter(|name| !is_told(name));
    problems.extend(names.map(|name| format!("'{name}' is missing")));
    problems
}

/// The layer that a tensor belongs to; the largest number for those that belong to none.
fn layer_of(name: &str) -> usize {
    name.strip_prefix("model.layers.")
        .and_then(|rest| rest.split('.').next()?.parse().ok())
        .unwrap_or(usize::MAX)
}

/// # Errors
/// When tensors are missing, misshapen or superfluous; all of them are named.
pub fn must_fit(checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
    let problems = problems(checkpoint);
    if problems.is_empty() {
        return Ok(());
    }
    Err(CheckpointError::Tensors {
        place: checkpoint.name.clone(),
        problems,
    })
}
