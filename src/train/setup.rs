//! What a training run starts from: tokenizer, weights, special tokens.

use burn::tensor::{DType, Device};

use crate::config::train::{InitSpec, ModelType, TokenizerSpec, TrainSpec};
use crate::model::arch::{Architecture, RopeScaling};
use crate::model::checkpoint::Checkpoint;
use crate::model::load::{Head, load_transformer};
use crate::model::tokenizer::Tokenizer;
use crate::model::transformer::Transformer;
use crate::train::init::{QkNorm, random_transformer};
use crate::train::objective::SpecialIds;
use crate::train::tokenizer::{COMMON_WORDS, END_TOKEN, MASK_TOKEN};
use crate::train::trainer::TrainError;
use crate::workload::{ProblemStream, Split, training_document};

/// The training split of the data.
///
/// # Errors
/// When the data's source is none to train on.
pub fn open_problems(spec: &TrainSpec) -> Result<ProblemStream, TrainError> {
    let families = spec.data.families();
    let families = families.map_err(|fault| TrainError::Text(fault.to_string()))?;
    let stream = ProblemStream::new(families, Split::Train, spec.data.seed)
        .map_err(|error| TrainError::Text(error.to_string()))?;
    let n_in_turn = &spec.data.n_in_turn;
    Ok(stream.weighted(|family| n_in_turn.get(&family).copied().unwrap_or(1)))
}

/// The tokenizer and its `tokenizer.json`.
///
/// # Errors
/// When the checkpoint to take it from cannot be read, or its training fails.
pub fn open_tokenizer(spec: &TrainSpec) -> Result<(Tokenizer, Vec<u8>), TrainError> {
    match &spec.tokenizer {
        TokenizerSpec::From { model } => {
            let json = Checkpoint::open(model)?.tokenizer_json()?;
            Ok((Tokenizer::from_json(&json).map_err(TrainError::Text)?, json))
        }
        TokenizerSpec::Train {
            vocab_len,
            n_documents,
        } => {
            let mut texts: Vec<String> = open_problems(spec)?
                .take(*n_documents)
                .map(|problem| training_document(&problem.question, &problem.answer))
                .collect();
            texts.push(COMMON_WORDS.to_string());
            let json = crate::train::tokenizer::train(&texts, *vocab_len)
                .and_then(|tokenizer| tokenizer.to_string(false))
                .map_err(|error| TrainError::Text(format!("tokenizer training failed: {error}")))?
                .into_bytes();
            Ok((Tokenizer::from_json(&json).map_err(TrainError::Text)?, json))
        }
    }
}

/// # Errors
/// When the tokenizer lacks the end or the mask token.
pub fn special_ids(tokenizer: &Tokenizer) -> Result<SpecialIds, TrainError> {
    let need = |token: &str| {
        tokenizer
            .id(token)
            .ok_or_else(|| TrainError::Text(format!("the tokenizer has no entry '{token}'")))
    };
    Ok(SpecialIds {
        end: need(END_TOKEN)?,
        mask: need(MASK_TOKEN)?,
    })
}

/// Random weights or those of another checkpoint, tracked for gradients.
///
/// # Errors
/// When the checkpoint cannot be read or the shape cannot run.
pub fn open_model(
    spec: &TrainSpec,
    tokenizer: &Tokenizer,
    special: SpecialIds,
    device: &Device,
) -> Result<(Transformer, Architecture), TrainError> {
    match &spec.init {
        InitSpec::From { model } => {
            let checkpoint = Checkpoint::open(model)?;
            let weights = load_transformer(&checkpoint, DType::F32, device, Head::Shared)?;
            let mut arch = checkpoint.arch.clone();
            arch.mask_id = Some(special.mask);
            Ok((weights, arch))
        }
        &InitSpec::Random {
            model_type,
            hidden_len,
            ffn_len,
            n_layers,
            n_heads,
            n_kv_heads,
            head_len,
            context_len,
        } => {
            let arch = Architecture {
                model_type: model_type.name().into(),
                vocab_len: tokenizer.len(),
                hidden_len,
                ffn_len,
                n_layers,
                n_heads,
                n_kv_heads,
                head_len,
                context_len,
                rms_norm_eps: 1e-6,
                rope_theta: 10_000.0,
                rope_scaling: RopeScaling::Default,
                sliding_windows: vec![None; n_layers],
                tied_head: true,
                eos_ids: vec![special.end],
                mask_id: Some(special.mask),
            };
            // The same checks that a config.json on disk has to pass.
            let text = arch.to_json().to_string();
            Architecture::from_json(&text).map_err(|error| TrainError::Text(error.to_string()))?;
            let norms = match model_type {
                ModelType::Llama => QkNorm::Without,
                ModelType::Qwen3 => QkNorm::With,
            };
            Ok((random_transformer(&arch, norms, spec.seed, device), arch))
        }
    }
}
