//! A model by name, with everything that decoding text with it needs.

use crate::model::burn_lm::{BurnLm, LoadOptions};
use crate::model::checkpoint::{Checkpoint, CheckpointError};
use crate::model::device::{DeviceError, DeviceSpec, Dtype};
use crate::model::lm::TokenId;
use crate::model::memory::{self, readable};
use crate::model::tokenizer::Tokenizer;

/// A checkpoint on its device.
#[derive(Debug)]
pub struct LoadedModel {
    /// As the user wrote it.
    pub name: String,
    pub lm: BurnLm,
    pub tokenizer: Tokenizer,
    pub eos_ids: Vec<TokenId>,
    pub mask_id: Option<TokenId>,
    /// Layers × heads × channels of a head, for estimates of what attention costs.
    pub attention_width: usize,
    /// Bytes of the keys and values of one text of the longest length.
    pub cache_bytes: u64,
    /// SHA-256 of the weight files.
    pub weights_hash: String,
}

/// Where and how large.
#[derive(Debug, Clone, Copy)]
pub struct Placement {
    pub device: DeviceSpec,
    pub dtype: Dtype,
    /// Rows of the cache; the checkpoint's own context length when it is smaller.
    pub context_len: usize,
}

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(
        "{model}: the weights take {weights} and the cache of {context_len} tokens {cache}, {available} are free; use a smaller model, dtype f16 or bf16, or fewer tokens"
    )]
    Memory {
        model: String,
        weights: String,
        context_len: usize,
        cache: String,
        available: String,
    },
}

impl LoadedModel {
    /// Opens `embedded:NAME`, a folder, or `hf:org/name`.
    ///
    /// # Errors
    /// When the checkpoint or the device cannot be used; see [`LoadError`].
    pub fn open(name: &str, placement: Placement) -> Result<Self, LoadError> {
        let device = placement.device.open_for(placement.dtype)?;
        let checkpoint = Checkpoint::open(name)?;
        must_fit_into_memory(&checkpoint, placement)?;
        let tokenizer = Tokenizer::load(&checkpoint)?;
        let arch = &checkpoint.arch;
        let attention_width = arch.n_layers * arch.n_heads * arch.head_len;
        let options = LoadOptions {
            device,
            dtype: placement.dtype,
            context_len: placement.context_len,
            n_drawable: tokenizer.len(),
        };
        Ok(Self {
            lm: BurnLm::load(&checkpoint, &options)?,
            mask_id: tokenizer.mask_id(&checkpoint),
            attention_width,
            cache_bytes: cache_bytes(&checkpoint, placement),
            eos_ids: tokenizer.eos_ids(&checkpoint),
            weights_hash: checkpoint.weights_hash(),
            name: name.to_string(),
            tokenizer,
        })
    }
}

fn cache_bytes(checkpoint: &Checkpoint, placement: Placement) -> u64 {
    let context_len = placement.context_len.min(checkpoint.arch.context_len);
    let rows = (context_len, placement.dtype);
    memory::cache_bytes(&checkpoint.arch, placement.device, rows)
}

/// On the CPU, where the system would end this program (or another one) instead of refusing.
fn must_fit_into_memory(checkpoint: &Checkpoint, placement: Placement) -> Result<(), LoadError> {
    let context_len = placement.context_len.min(checkpoint.arch.context_len);
    let weights = memory::weight_bytes(checkpoint, placement.device, placement.dtype);
    let cache = cache_bytes(checkpoint, placement);
    match (placement.device, memory::available()) {
        (DeviceSpec::Cpu, Some(available)) if weights.saturating_add(cache) > available => {
            Err(LoadError::Memory {
                model: checkpoint.name.clone(),
                weights: readable(weights),
                context_len,
                cache: readable(cache),
                available: readable(available),
            })
        }
        (DeviceSpec::Cpu | DeviceSpec::Cuda(_) | DeviceSpec::Wgpu, _) => Ok(()),
    }
}
