//! What a checkpoint is and what it takes to run it, without loading its weights.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::model::chat::{self, ChatTemplate, Message, Speaker};
use crate::model::checkpoint::Checkpoint;
use crate::model::device::{DeviceSpec, Dtype};
use crate::model::lm::TokenId;
use crate::model::tokenizer::Tokenizer;
use crate::model::{memory, tensors};

/// Facts about a checkpoint. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    pub model: String,
    pub architecture: String,
    pub shape: Shape,
    /// Weights, a tied head counted once.
    pub n_parameters: u64,
    /// Dtypes of the tensors in the files.
    pub stored: Vec<String>,
    pub stored_bytes: u64,
    pub device: String,
    pub dtype: Dtype,
    /// Of the weights on the device: a tied head has a matrix of its own there.
    pub weight_bytes: u64,
    /// Rows of cache that `cache_bytes` is for.
    pub context: usize,
    pub cache_bytes: u64,
    /// Entries of the tokenizer, where it can be read.
    pub n_tokens: Option<usize>,
    pub special_ids: Vec<SpecialToken>,
    pub eos_ids: Vec<TokenId>,
    pub mask_id: Option<TokenId>,
    pub has_chat_template: bool,
    /// Why it cannot run here, or not as it should.
    pub problems: Vec<String>,
}

/// Numbers of `config.json`, and what the tensors add to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shape {
    pub layers: usize,
    pub hidden: usize,
    pub ffn: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_len: usize,
    pub vocab: usize,
    pub context_len: usize,
    pub tied_head: bool,
    pub has_bias: bool,
    pub has_qk_norm: bool,
    pub has_sliding_window: bool,
}

/// An entry of `tokenizer_config.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpecialToken {
    pub name: String,
    pub text: String,
    pub id: Option<TokenId>,
}

/// Looks at everything but the values of the weights. `context` is at most what the model has.
pub fn inspect(
    checkpoint: &Checkpoint,
    device: DeviceSpec,
    dtype: Dtype,
    context: usize,
) -> Inspection {
    let arch = &checkpoint.arch;
    let context = context.min(arch.context_len);
    let stored: BTreeSet<String> = checkpoint
        .tensors()
        .map(|(_, _, dtype)| format!("{dtype:?}"))
        .collect();
    let tokenizer = Tokenizer::load(checkpoint);
    let has = |part: &str| checkpoint.has_tensor(&format!("model.layers.0.self_attn.{part}"));
    let id = |text: &str| {
        tokenizer
            .as_ref()
            .ok()
            .and_then(|tokenizer| tokenizer.id(text))
    };
    let mut found = Inspection {
        model: checkpoint.name.clone(),
        architecture: arch.model_type.clone(),
        shape: Shape {
            layers: arch.n_layers,
            hidden: arch.hidden_len,
            ffn: arch.ffn_len,
            heads: arch.n_heads,
            kv_heads: arch.n_kv_heads,
            head_len: arch.head_len,
            vocab: arch.vocab_len,
            context_len: arch.context_len,
            tied_head: arch.tied_head,
            has_bias: has("q_proj.bias"),
            has_qk_norm: has("q_norm.weight"),
            has_sliding_window: arch.sliding_windows.iter().any(Option::is_some),
        },
        n_parameters: memory::n_parameters(checkpoint),
        stored: stored.into_iter().collect(),
        stored_bytes: checkpoint.n_weight_bytes() as u64,
        device: device.to_string(),
        dtype,
        weight_bytes: memory::weight_bytes(checkpoint, device, dtype),
        context,
        cache_bytes: memory::cache_bytes(arch, device, (context, dtype)),
        n_tokens: tokenizer.as_ref().ok().map(Tokenizer::len),
        special_ids: checkpoint
            .special_tokens
            .iter()
            .map(|(name, text)| SpecialToken {
                name: name.clone(),
                text: text.clone(),
                id: id(text),
            })
            .collect(),
        eos_ids: match &tokenizer {
            Ok(tokenizer) => tokenizer.eos_ids(checkpoint),
            Err(_) => checkpoint.eos_ids.clone(),
        },
        mask_id: match &tokenizer {
            Ok(tokenizer) => tokenizer.mask_id(checkpoint),
            Err(_) => arch.mask_id,
        },
        has_chat_template: checkpoint.chat_template.is_some(),
        problems: Vec::new(),
    };
    if let Err(error) = &tokenizer {
        found.problems.push(error.to_string());
    }
    let here = (device, dtype);
    found.problems.extend(problems(checkpoint, &found, here));
    found
}

fn problems(
    checkpoint: &Checkpoint,
    found: &Inspection,
    (device, dtype): (DeviceSpec, Dtype),
) -> Vec<String> {
    let vocab = checkpoint.arch.vocab_len;
    let mut problems = tensors::problems(checkpoint);
    if let Err(error) = device.open_for(dtype) {
        problems.push(error.to_string());
    }
    if let Some(n) = found.n_tokens.filter(|&n| n > vocab) {
        problems.push(format!(
            "the tokenizer has {n} entries, the vocabulary only {vocab} rows: a token beyond them cannot be fed"
        ));
    }
    let mask = found.mask_id.map(|id| ("mask", id));
    let ends = found.eos_ids.iter().map(|&id| ("end-of-text", id));
    for (what, id) in mask.into_iter().chain(ends) {
        if id as usize >= vocab {
            problems.push(format!(
                "the {what} id {id} is none of the vocabulary's {vocab} rows"
            ));
        }
    }
    if found.eos_ids.is_empty() {
        problems.push("config.json and generation_config.json name no eos_token_id: texts end at the budget only".into());
    }
    if found.architecture == "wedlm" && found.mask_id.is_none() {
        problems.push(
            "neither config.json nor the tokenizer names a mask token: no window decoding".into(),
        );
    }
    if found.has_chat_template
        && let Err(reason) = try_template(checkpoint)
    {
        problems.push(reason);
    }
    problems
}

/// Whether the template takes what a workload gives it.
fn try_template(checkpoint: &Checkpoint) -> Result<(), String> {
    let date = chat::date(chat::DEFAULT_DATE)?;
    let hello = Message {
        role: Speaker::User,
        content: "Hello".into(),
    };
    ChatTemplate::of(checkpoint, date)
        .and_then(|template| template.render(&[hello], true))
        .map(drop)
        .map_err(|error| error.to_string())
}
