//! A [`LanguageModel`] of a checkpoint: on burn's tensors, or on packed weights where a CPU computes.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::model::arch::Architecture;
use crate::model::batched_lm::BatchedLm;
use crate::model::call::{check_rows, drawable, on_threads, read_logits, row_context, sync};
use crate::model::checkpoint::{Checkpoint, CheckpointError};
use crate::model::cpu::{CpuCache, CpuTransformer, NewRows, Scratch};
use crate::model::device::Dtype;
use crate::model::lm::{LanguageModel, Logits, ModelError, TokenId};
use crate::model::load::{Head, load_transformer};
use crate::model::memory;
use crate::model::panels::has_vectors;
use crate::model::rope::Rope;
use crate::model::transformer::{KvCache, Transformer};

/// A transformer with its cache on one device.
#[derive(Debug)]
pub struct BurnLm {
    running: Running,
    arch: Architecture,
    rope: Rope,
    /// Rows that the cache can hold.
    capacity: usize,
    device: Device,
    dtype: Dtype,
    /// Entries of the tokenizer; logits from here on are −∞.
    n_drawable: usize,
    n_parameters: usize,
}

/// The weights of a model, shared by its clones.
#[derive(Debug, Clone)]
pub(super) enum Weights {
    Tensors(Box<Transformer>),
    Cpu(Arc<CpuTransformer>),
}

/// Weights with a cache of their kind.
#[derive(Debug)]
enum Running {
    Tensors(Box<Transformer>, KvCache),
    Cpu(Arc<CpuTransformer>, CpuCache, Box<Scratch>),
}

impl Running {
    fn new(
        weights: Weights,
        arch: &Architecture,
        capacity: usize,
        (device, dtype): (&Device, Dtype),
    ) -> Self {
        match weights {
            Weights::Tensors(model) => {
                let cache = KvCache::new(arch, capacity, dtype.into(), device);
                Self::Tensors(model, cache)
            }
            Weights::Cpu(model) => {
                let cache = model.cache(capacity);
                Self::Cpu(model, cache, Box::default())
            }
        }
    }

    /// Whether products in a forward of a few rows are shared among threads of the CPU.
    fn uses_threads(&self) -> bool {
        match self {
            Self::Tensors(..) => false,
            Self::Cpu(model, ..) => model.is_worth_threads(1),
        }
    }

    fn weights(&self) -> Weights {
        match self {
            Self::Tensors(model, _) => Weights::Tensors(model.clone()),
            Self::Cpu(model, ..) => Weights::Cpu(Arc::clone(model)),
        }
    }
}

/// How a checkpoint is put on a device.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    pub device: Device,
    /// Dtype of the weights; on tensors of activations and cache, too.
    pub dtype: Dtype,
    /// Rows of the cache; the checkpoint's own context length when it is smaller.
    pub context_len: usize,
    /// Entries of the tokenizer, see [`LanguageModel::vocab_len`].
    pub n_drawable: usize,
}

impl LoadOptions {
    /// Whether the weights are packed for loops of our own, instead of put into tensors.
    fn packs(&self) -> bool {
        has_vectors() && self.device == Device::flex()
    }
}

impl BurnLm {
    /// # Errors
    /// Those of [`load_transformer`] or [`CpuTransformer::load`].
    pub fn load(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Self, CheckpointError> {
        let weights = if options.packs() {
            Weights::Cpu(Arc::new(CpuTransformer::load(checkpoint, options.dtype)?))
        } else {
            let (dtype, device) = (options.dtype.into(), &options.device);
            let model = load_transformer(checkpoint, dtype, device, Head::Materialized)?;
            Weights::Tensors(Box::new(model))
        };
        let n_parameters = memory::n_parameters(checkpoint) as usize;
        Ok(Self::of(
            weights,
            checkpoint.arch.clone(),
            n_parameters,
            options,
        ))
    }

    /// Wraps weights that are already on the device; on a CPU, packs copies of them.
    pub fn new(model: Transformer, arch: Architecture, options: &LoadOptions) -> Self {
        let n_parameters = n_parameters(&model, &arch);
        let weights = if options.packs() {
            Weights::Cpu(Arc::new(CpuTransformer::of(&model, &arch, options.dtype)))
        } else {
            Weights::Tensors(Box::new(model))
        };
        Self::of(weights, arch, n_parameters, options)
    }

    fn of(
        weights: Weights,
        arch: Architecture,
        n_parameters: usize,
        options: &LoadOptions,
    ) -> Self {
        let capacity = options.context_len.min(arch.context_len);
        Self {
            rope: Rope::new(&arch),
            running: Running::new(weights, &arch, capacity, (&options.device, options.dtype)),
            capacity,
            device: options.device.clone(),
            dtype: options.dtype,
            n_drawable: options.n_drawable.min(arch.vocab_len),
            n_parameters,
            arch,
        }
    }

    /// Rounds the rotary frequencies, see [`Rope::rounded_to_bf16`].
    pub fn with_rounded_rope(mut self) -> Self {
        self.rope = self.rope.rounded_to_bf16();
        self
    }

    /// Number format of the weights.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Whether its forwards are shared among the threads of the CPU.
    pub fn uses_threads(&self) -> bool {
        self.running.uses_threads()
    }

    fn check(&self, tokens: &[TokenId]) -> Result<(), ModelError> {
        check_rows(tokens, self.cached_len(), self.capacity, &self.arch)
    }

    /// The same weights, not copied, with a cache of its own.
    pub fn twin(&self) -> Self {
        Self {
            running: Running::new(
                self.running.weights(),
                &self.arch,
                self.capacity,
                (&self.device, self.dtype),
            ),
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
            context_len: self.capacity,
            n_drawable: self.n_drawable,
        };
        let (weights, arch) = (self.running.weights(), self.arch.clone());
        BatchedLm::new(weights, arch, self.n_parameters, &options, n_sequences)
    }
}

/// Weights of the model.
fn n_parameters(model: &Transformer, arch: &Architecture) -> usize {
    // A materialised tied head is a copy, not a weight of its own.
    let tied = if arch.tied_head && model.head.is_some() {
        arch.vocab_len * arch.hidden_len
    } else {
        0
    };
    model.num_params() - tied
}

impl LanguageModel for BurnLm {
    fn vocab_len(&self) -> usize {
        self.arch.vocab_len
    }

    fn context_len(&self) -> usize {
        self.capacity
    }

    fn cached_len(&self) -> usize {
        match &self.running {
            Running::Tensors(_, cache) => cache.len(),
            Running::Cpu(_, cache, _) => cache.len(),
        }
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
        let values = match &mut self.running {
            Running::Cpu(model, cache, scratch) => {
                let rows = NewRows {
                    cache,
                    tokens,
                    positions,
                    n_logits,
                };
                let rope = &self.rope;
                on_threads(model.is_worth_threads(tokens.len()), || {
                    model.forward(&mut [rows], rope, scratch)
                })
            }
            Running::Tensors(model, cache) => {
                let ids: Vec<i32> = tokens.iter().map(|&token| token as i32).collect();
                let ids =
                    Tensor::<1, Int>::from_data(TensorData::new(ids, [tokens.len()]), &self.device);
                let rows = row_context(&self.rope, 1, positions, (&self.device, self.dtype.into()));
                let hidden = model.forward_cached(&self.arch, ids, &rows, cache, n_logits.max(1));
                if n_logits > 0 {
                    read_logits(model.logits(hidden))?
                } else {
                    sync(&self.device)?;
                    Vec::new()
                }
            }
        };
        let first_row = self.cached_len() - n_logits;
        let vocab_len = self.arch.vocab_len;
        let values = drawable(values, vocab_len, self.n_drawable, |row| first_row + row)?;
        Ok(Logits::new(values, vocab_len))
    }

    fn truncate(&mut self, len: usize) {
        match &mut self.running {
            Running::Tensors(_, cache) => cache.truncate(len),
            Running::Cpu(_, cache, _) => cache.truncate(len),
        }
    }

    fn n_parameters(&self) -> usize {
        self.n_parameters
    }
}
