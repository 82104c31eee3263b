//! A [`LanguageModel`] that runs on burn.

use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::model::arch::Architecture;
use crate::model::attention::RowContext;
use crate::model::batched_lm::BatchedLm;
use crate::model::checkpoint::{Checkpoint, CheckpointError};
use crate::model::lm::{LanguageModel, Logits, ModelError, TokenId};
use crate::model::load::{Head, load_transformer};
use crate::model::rope::Rope;
use crate::model::transformer::{KvCache, Transformer};

/// A transformer with its cache on one device.
#[derive(Debug)]
pub struct BurnLm {
    model: Transformer,
    arch: Architecture,
    rope: Rope,
    cache: KvCache,
    device: Device,
    dtype: DType,
    /// Entries of the tokenizer; logits from here on are −∞.
    n_drawable: usize,
    n_parameters: usize,
}

/// How a checkpoint is put on a device.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    pub device: Device,
    /// Dtype of weights, activations and cache.
    pub dtype: DType,
    /// Rows of the cache; the checkpoint's own context length when it is smaller.
    pub context_len: usize,
    /// Entries of the tokenizer, see [`LanguageModel::vocab_len`].
    pub n_drawable: usize,
}

impl BurnLm {
    /// # Errors
    /// Those of [`load_transformer`].
    pub fn load(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Self, CheckpointError> {
        let model = load_transformer(
            checkpoint,
            options.dtype,
            &options.device,
            Head::Materialized,
        )?;
        Ok(Self::new(model, checkpoint.arch.clone(), options))
    }

    /// Wraps weights that are already on the device.
    pub fn new(model: Transformer, arch: Architecture, options: &LoadOptions) -> Self {
        let capacity = options.context_len.min(arch.context_len);
        Self {
            rope: Rope::new(&arch),
            cache: KvCache::new(&arch, capacity, options.dtype, &options.device),
            device: options.device.clone(),
            dtype: options.dtype,
            n_drawable: options.n_drawable.min(arch.vocab_len),
            n_parameters: n_parameters(&model, &arch),
            model,
            arch,
        }
    }

    /// Rounds the rotary frequencies, see [`Rope::rounded_to_bf16`].
    pub fn with_rounded_rope(mut self) -> Self {
        self.rope = self.rope.rounded_to_bf16();
        self
    }

    fn check(&self, tokens: &[TokenId]) -> Result<(), ModelError> {
        if self.cache.len() + tokens.len() > self.cache.capacity() {
            return Err(ModelError::ContextOverflow {
                cached: self.cache.len(),
                new: tokens.len(),
                context_len: self.cache.capacity(),
            });
        }
        match tokens
            .iter()
            .find(|&&token| token as usize >= self.arch.vocab_len)
        {
            Some(&token) => Err(ModelError::UnknownToken {
                token,
                vocab_len: self.arch.vocab_len,
            }),
            None => Ok(()),
        }
    }

    /// The same weights, not copied, with a cache of its own.
    pub fn twin(&self) -> Self {
        let (model, capacity) = (self.model.clone(), self.cache.capacity());
        Self {
            cache: KvCache::new(&self.arch, capacity, self.dtype, &self.device),
            model,
            arch: self.arch.clone(),
            rope: self.rope.clone(),
            device: self.device.clone(),
            ..*self
        }
    }

    /// The same weights, not copied, for `n_sequences` at a time.
    pub fn batched(&self, n_sequences: usize) -> BatchedLm {
        let options = LoadOptions {
            device: self.device.clone(),
            dtype: self.dtype,
            context_len: self.cache.capacity(),
            n_drawable: self.n_drawable,
        };
        BatchedLm::new(self.model.clone(), self.arch.clone(), &options, n_sequences)
    }
}

/// Weights of the model.
pub(super) fn n_parameters(model: &Transformer, arch: &Architecture) -> usize {
    // A materialised tied head is a copy, not a weight of its own.
    let tied = if arch.tied_head && model.head.is_some() {
        arch.vocab_len * arch.hidden_len
    } else {
        0
    };
    model.num_params() - tied
}

/// # Shapes
/// `positions`: `[batch · len]`
pub(super) fn row_context(
    rope: &Rope,
    batch: usize,
    positions: &[u32],
    (device, dtype): (&Device, DType),
) -> RowContext {
    let (cos, sin) = rope.tables(positions);
    let len = positions.len() / batch;
    let shape = [batch, len, 1, cos.len() / positions.len()];
    let upload =
        |values: Vec<f32>| Tensor::from_data(TensorData::new(values, shape), (device, dtype));
    RowContext {
        batch,
        len,
        cos: upload(cos),
        sin: upload(sin),
    }
}

/// Brings logits to the host; those from `n_drawable` on become −∞. `cache_row` names the cache row of
/// a row of logits.
pub(super) fn read_logits(
    logits: Tensor<2>,
    n_drawable: usize,
    cache_row: impl Fn(usize) -> usize,
) -> Result<Vec<f32>, ModelError> {
    let [_, vocab_len] = logits.dims();
    let data = logits
        .try_into_data()
        .map_err(|error| ModelError::Device(format!("the device failed: {error:?}")))?;
    let mut values = data
        .convert::<f32>()
        .try_into_vec::<f32>()
        .map_err(|error| ModelError::Device(format!("unreadable logits: {error:?}")))?;
    for (index, row) in values.chunks_exact_mut(vocab_len).enumerate() {
        if row.iter().sum::<f32>().is_nan() {
            return Err(ModelError::NotANumber {
                row: cache_row(index),
            });
        }
        row[n_drawable..].fill(f32::NEG_INFINITY);
    }
    Ok(values)
}

impl LanguageModel for BurnLm {
    fn vocab_len(&self) -> usize {
        self.arch.vocab_len
    }

    fn context_len(&self) -> usize {
        self.cache.capacity()
    }

    fn cached_len(&self) -> usize {
        self.cache.len()
    }

    fn forward(
        &mut self,
        tokens: &[TokenId],
        positions: &[u32],
        n_logits: usize,
    ) -> Result<Logits, ModelError> {
        assert!(!tokens.is_empty() && tokens.len() == positions.len());
        assert!(n_logits <= tokens.len());
        self.check(tokens)?;
        let ids: Vec<i32> = tokens.iter().map(|&token| token as i32).collect();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [tokens.len()]), &self.device);
        let rows = row_context(&self.rope, 1, positions, (&self.device, self.dtype));
        let hidden =
            self.model
                .forward_cached(&self.arch, ids, &rows, &mut self.cache, n_logits.max(1));
        if n_logits == 0 {
            self.device
                .sync()
                .map_err(|error| ModelError::Device(format!("the device failed: {error:?}")))?;
            return Ok(Logits::new(Vec::new(), self.arch.vocab_len));
        }
        let first_row = self.cache.len() - n_logits;
        let logits = self.model.logits(hidden);
        let values = read_logits(logits, self.n_drawable, |row| first_row + row)?;
        Ok(Logits::new(values, self.arch.vocab_len))
    }

    fn truncate(&mut self, len: usize) {
        self.cache.truncate(len);
    }

    fn n_parameters(&self) -> usize {
        self.n_parameters
    }
}
