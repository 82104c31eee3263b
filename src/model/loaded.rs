//! A model by name, with everything that decoding text with it needs.

use crate::model::burn_lm::{BurnLm, LoadOptions};
use crate::model::checkpoint::{Checkpoint, CheckpointError};
use crate::model::device::{DeviceError, DeviceSpec, Dtype};
use crate::model::lm::TokenId;
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
}

impl LoadedModel {
    /// Opens `embedded:NAME`, a folder, or `hf:org/name`.
    ///
    /// # Errors
    /// When the checkpoint or the device cannot be used; see [`LoadError`].
    pub fn open(name: &str, placement: Placement) -> Result<Self, LoadError> {
        let device = placement.device.open()?;
        let checkpoint = Checkpoint::open(name)?;
        let tokenizer = Tokenizer::load(&checkpoint)?;
        let arch = &checkpoint.arch;
        let attention_width = arch.n_layers * arch.n_heads * arch.head_len;
        let options = LoadOptions {
            device,
            dtype: placement.dtype.into(),
            context_len: placement.context_len,
            n_drawable: tokenizer.len(),
        };
        Ok(Self {
            lm: BurnLm::load(&checkpoint, &options)?,
            mask_id: tokenizer.mask_id(&checkpoint),
            attention_width,
            eos_ids: tokenizer.eos_ids(&checkpoint),
            weights_hash: checkpoint.weights_hash(),
            name: name.to_string(),
            tokenizer,
        })
    }
}
