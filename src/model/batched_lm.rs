//! A [`BatchedLanguageModel`] of a checkpoint: one matrix product for all sequences.

use std::sync::Arc;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::model::arch::Architecture;
use crate::model::burn_lm::{LoadOptions, Weights};
use crate::model::call::{check_rows, drawable, on_threads, read_logits, row_context, sync};
use crate::model::cpu::{CpuCache, CpuTransformer, NewRows, Scratch};
use crate::model::kv_cache::{LayerCache, Placement};
use crate::model::lm::{BatchedLanguageModel, Logits, ModelError, SequenceRows};
use crate::model::rope::Rope;
use crate::model::transformer::{Transformer, cache_layers};

/// A transformer with the caches of several sequences on one device. Made by
/// [`BurnLm::batched`](crate::model::burn_lm::BurnLm::batched).
///
/// The caches are allocated once and written in place. On tensors, the sequences of a forward are padded
/// to the most rows that one of them has.
#[derive(Debug)]
pub struct BatchedLm {
    running: Running,
    arch: Architecture,
    rope: Rope,
    /// Rows that a sequence can have.
    capacity: usize,
    device: Device,
    dtype: DType,
    n_drawable: usize,
    n_parameters: usize,
}

/// Weights with the caches of all sequences.
#[derive(Debug)]
enum Running {
    Tensors {
        model: Box<Transformer>,
        layers: Vec<LayerCache>,
        /// Rows cached, per sequence.
        cached: Vec<usize>,
    },
    Cpu {
        model: Arc<CpuTransformer>,
        caches: Vec<CpuCache>,
        scratch: Scratch,
    },
}

impl BatchedLm {
    /// `options.context_len` is the length of one sequence.
    ///
    /// # Panics
    /// When `n_sequences` is 0.
    pub(super) fn new(
        weights: Weights,
        arch: Architecture,
        n_parameters: usize,
        options: &LoadOptions,
        n_sequences: usize,
    ) -> Self {
        assert!(n_sequences > 0, "a batch has at least one sequence");
        let capacity = options.context_len.min(arch.context_len);
        let (device, dtype) = (options.device.clone(), options.dtype.into());
        let running = match weights {
            Weights::Tensors(model) => Running::Tensors {
                model,
                layers: cache_layers(&arch, n_sequences, capacity, dtype, &device),
                cached: vec![0; n_sequences],
            },
            Weights::Cpu(model) => Running::Cpu {
                caches: (0..n_sequences).map(|_| model.cache(capacity)).collect(),
                scratch: Scratch::default(),
                model,
            },
        };
        Self {
            rope: Rope::new(&arch),
            running,
            capacity,
            device,
            dtype,
            n_drawable: options.n_drawable.min(arch.vocab_len),
            n_parameters,
            arch,
        }
    }

    /// Empties every cache and overwrites what it held.
    ///
    /// Behind its end, a sequence on tensors attends to stale rows with weight 0; but 0 times NaN is NaN,
    /// so rows that are not numbers must not stay.
    fn reset(&mut self) {
        let (arch, capacity) = (&self.arch, self.capacity);
        match &mut self.running {
            Running::Tensors { layers, cached, .. } => {
                *layers = cache_layers(arch, cached.len(), capacity, self.dtype, &self.device);
                cached.fill(0);
            }
            Running::Cpu { caches, .. } => caches.iter_mut().for_each(|cache| cache.truncate(0)),
        }
    }

    /// The wanted logits, sequence after sequence.
    fn logits(&mut self, rows: &[SequenceRows<'_>]) -> Result<Vec<f32>, ModelError> {
        match &mut self.running {
            Running::Cpu {
                model,
                caches,
                scratch,
            } => {
                let mut free: Vec<Option<&mut CpuCache>> = caches.iter_mut().map(Some).collect();
                let mut sequences: Vec<NewRows<'_>> = rows
                    .iter()
                    .map(|rows| NewRows {
                        cache: free[rows.sequence].take().expect("each is named once"),
                        tokens: rows.tokens,
                        positions: rows.positions,
                        n_logits: rows.n_logits,
                    })
                    .collect();
                let n_rows = rows.iter().map(|rows| rows.tokens.len()).sum();
                let rope = &self.rope;
                Ok(on_threads(model.is_worth_threads(n_rows), || {
                    model.forward(&mut sequences, rope, scratch)
                }))
            }
            Running::Tensors {
                model,
                layers,
                cached,
            } => {
                let target = (&self.device, self.dtype);
                let call = PaddedCall::new(rows, cached);
                let logits = call.run(model, &self.arch, &self.rope, layers, target);
                for place in &call.places {
                    cached[place.sequence] = place.end();
                }
                logits
            }
        }
    }
}

impl BatchedLanguageModel for BatchedLm {
    fn vocab_len(&self) -> usize {
        self.arch.vocab_len
    }

    fn context_len(&self) -> usize {
        self.capacity
    }

    fn n_sequences(&self) -> usize {
        match &self.running {
            Running::Tensors { cached, .. } => cached.len(),
            Running::Cpu { caches, .. } => caches.len(),
        }
    }

    fn cached_len(&self, sequence: usize) -> usize {
        match &self.running {
            Running::Tensors { cached, .. } => cached[sequence],
            Running::Cpu { caches, .. } => caches[sequence].len(),
        }
    }

    /// As the trait says; [`ModelError::NotANumber`] empties every cache.
    fn forward(&mut self, rows: &[SequenceRows<'_>]) -> Result<Vec<Logits>, ModelError> {
        SequenceRows::assert_valid(rows, self.n_sequences());
        for rows in rows {
            let cached = self.cached_len(rows.sequence);
            check_rows(rows.tokens, cached, self.capacity, &self.arch)?;
        }
        let values = self.logits(rows)?;
        let cache_rows: Vec<usize> = rows
            .iter()
            .flat_map(|rows| {
                let end = self.cached_len(rows.sequence);
                end - rows.n_logits..end
            })
            .collect();
        let vocab_len = self.arch.vocab_len;
        let values = drawable(values, vocab_len, self.n_drawable, |row| cache_rows[row]);
        if let Err(ModelError::NotANumber { .. }) = values {
            self.reset();
        }
        let values = values?;
        let mut rest = &values[..];
        let of_sequence = |rows: &SequenceRows<'_>| {
            let (own, others) = rest.split_at(rows.n_logits * vocab_len);
            rest = others;
            Logits::new(own.to_vec(), vocab_len)
        };
        Ok(rows.iter().map(of_sequence).collect())
    }

    fn truncate(&mut self, sequence: usize, len: usize) {
        match &mut self.running {
            Running::Tensors { cached, .. } => cached[sequence] = cached[sequence].min(len),
            Running::Cpu { caches, .. } => caches[sequence].truncate(len),
        }
    }

    fn n_parameters(&self) -> usize {
        self.n_parameters
    }
}

/// The rows of a call, laid out for the device: `len` per sequence, padding last.
struct PaddedCall {
    /// `[n_sequences · len]`
    tokens: Vec<i32>,
    /// `[n_sequences · len]`
    positions: Vec<u32>,
    places: Vec<Placement>,
    /// Indices of the rows whose logits are wanted.
    wanted: Vec<i32>,
}

impl PaddedCall {
    fn new(rows: &[SequenceRows<'_>], cached: &[usize]) -> Self {
        let len = rows.iter().map(|rows| rows.tokens.len()).max().unwrap_or(0);
        let mut call = Self {
            // Any token and position will do for padding.
            tokens: vec![0; rows.len() * len],
            positions: vec![0; rows.len() * len],
            places: Vec::with_capacity(rows.len()),
            wanted: Vec::new(),
        };
        for (index, rows) in rows.iter().enumerate() {
            let (start, n_rows) = (index * len, rows.tokens.len());
            let place = Placement {
                sequence: rows.sequence,
                cached: cached[rows.sequence],
                n_rows,
            };
            for (row, (&token, &position)) in rows.tokens.iter().zip(rows.positions).enumerate() {
                call.tokens[start + row] = token as i32;
                call.positions[start + row] = position;
            }
            for row in n_rows - rows.n_logits..n_rows {
                call.wanted.push((start + row) as i32);
            }
            call.places.push(place);
        }
        call
    }

    fn run(
        &self,
        model: &Transformer,
        arch: &Architecture,
        rope: &Rope,
        layers: &mut [LayerCache],
        target: (&Device, DType),
    ) -> Result<Vec<f32>, ModelError> {
        let upload = |values: &[i32]| {
            let data = TensorData::new(values.to_vec(), [values.len()]);
            Tensor::<1, Int>::from_data(data, target.0)
        };
        let context = row_context(rope, self.places.len(), &self.positions, target);
        // Without a wanted row, any will do.
        let wanted = upload(if self.wanted.is_empty() {
            &[0]
        } else {
            &self.wanted
        });
        let cache = (layers, &self.places[..]);
        let hidden = model.forward_ragged(arch, upload(&self.tokens), &context, cache, wanted);
        if self.wanted.is_empty() {
            sync(target.0)?;
            return Ok(Vec::new());
        }
        read_logits(model.logits(hidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_padded_to_its_longest_sequence() {
        let rows = [
            SequenceRows {
                sequence: 2,
                tokens: &[7],
                positions: &[4],
                n_logits: 1,
            },
            SequenceRows {
                sequence: 0,
                tokens: &[5, 6, 8],
                positions: &[9, 10, 11],
                n_logits: 2,
            },
        ];
        let call = PaddedCall::new(&rows, &[9, 0, 4]);
        assert_eq!(call.tokens, [7, 0, 0, 5, 6, 8]);
        assert_eq!(call.positions, [4, 0, 0, 9, 10, 11]);
        assert_eq!(call.wanted, [0, 4, 5]);
        let ends = call.places.iter().map(Placement::end);
        assert_eq!(ends.collect::<Vec<_>>(), [5, 12]);
    }
}
