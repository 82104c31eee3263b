//! A [`BatchedLanguageModel`] that runs on burn: one matrix product for all sequences.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::model::arch::Architecture;
use crate::model::burn_lm::{LoadOptions, n_parameters, on_threads, read_logits, row_context};
use crate::model::kv_cache::{LayerCache, Placement};
use crate::model::lm::{BatchedLanguageModel, Logits, ModelError, SequenceRows, TokenId};
use crate::model::rope::Rope;
use crate::model::transformer::{Transformer, cache_layers};

/// A transformer with the caches of several sequences on one device. Made by
/// [`BurnLm::batched`](crate::model::burn_lm::BurnLm::batched).
///
/// The sequences of a forward are padded to the most rows that one of them has; the caches are allocated
/// once and written in place.
#[derive(Debug)]
pub struct BatchedLm {
    model: Transformer,
    arch: Architecture,
    rope: Rope,
    layers: Vec<LayerCache>,
    /// Rows cached, per sequence.
    cached: Vec<usize>,
    /// Rows that a sequence can have.
    capacity: usize,
    device: Device,
    dtype: DType,
    n_drawable: usize,
    n_parameters: usize,
}

impl BatchedLm {
    /// Wraps weights that are already on the device, and packs those that gain by it. `options.context_len` is the length of one sequence.
    ///
    /// # Panics
    /// When `n_sequences` is 0.
    pub fn new(
        model: Transformer,
        arch: Architecture,
        options: &LoadOptions,
        n_sequences: usize,
    ) -> Self {
        assert!(n_sequences > 0, "a batch has at least one sequence");
        let capacity = options.context_len.min(arch.context_len);
        let (device, dtype) = (options.device.clone(), options.dtype);
        let model = model.packed();
        Self {
            rope: Rope::new(&arch),
            layers: cache_layers(&arch, n_sequences, capacity, dtype, &device),
            cached: vec![0; n_sequences],
            capacity,
            device,
            dtype,
            n_drawable: options.n_drawable.min(arch.vocab_len),
            n_parameters: n_parameters(&model, &arch),
            model,
            arch,
        }
    }

    fn check(&self, rows: &SequenceRows<'_>) -> Result<(), ModelError> {
        let (cached, new) = (self.cached[rows.sequence], rows.tokens.len());
        if cached + new > self.capacity {
            return Err(ModelError::ContextOverflow {
                cached,
                new,
                context_len: self.capacity,
            });
        }
        let vocab_len = self.arch.vocab_len;
        let is_unknown = |token: &&TokenId| **token as usize >= vocab_len;
        match rows.tokens.iter().find(is_unknown) {
            Some(&token) => Err(ModelError::UnknownToken { token, vocab_len }),
            None => Ok(()),
        }
    }

    fn upload(&self, values: Vec<i32>) -> Tensor<1, Int> {
        let n = values.len();
        Tensor::from_data(TensorData::new(values, [n]), &self.device)
    }

    fn sync(&self) -> Result<(), ModelError> {
        self.device
            .sync()
            .map_err(|error| ModelError::Device(format!("the device failed: {error:?}")))
    }

    /// Empties every cache and overwrites what it held.
    ///
    /// Behind its end, a sequence attends to stale rows with weight 0; but 0 times NaN is NaN, so rows
    /// that are not numbers must not stay.
    fn reset(&mut self) {
        let n_sequences = self.cached.len();
        self.cached.fill(0);
        self.layers = cache_layers(
            &self.arch,
            n_sequences,
            self.capacity,
            self.dtype,
            &self.device,
        );
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
        self.cached.len()
    }

    fn cached_len(&self, sequence: usize) -> usize {
        self.cached[sequence]
    }

    /// As the trait says; [`ModelError::NotANumber`] empties every cache.
    fn forward(&mut self, rows: &[SequenceRows<'_>]) -> Result<Vec<Logits>, ModelError> {
        SequenceRows::assert_valid(rows, self.cached.len());
        rows.iter().try_for_each(|rows| self.check(rows))?;
        let call = PaddedCall::new(rows, &self.cached);
        let tokens = self.upload(call.tokens);
        let wanted = if call.wanted.is_empty() {
            self.upload(vec![0])
        } else {
            self.upload(call.wanted)
        };
        let target = (&self.device, self.dtype);
        let context = row_context(&self.rope, rows.len(), &call.positions, target);
        let cache = (&mut self.layers[..], &call.places[..]);
        let n_rows = context.batch * context.len;
        let (model, arch) = (&self.model, &self.arch);
        let logits = on_threads(model.is_worth_threads(n_rows), || {
            let hidden = model.forward_ragged(arch, tokens, &context, cache, wanted);
            (!call.cache_rows.is_empty()).then(|| model.logits(hidden))
        });
        for place in &call.places {
            self.cached[place.sequence] = place.end();
        }
        let vocab_len = self.arch.vocab_len;
        let Some(logits) = logits else {
            self.sync()?;
            let none = |_: &SequenceRows<'_>| Logits::new(Vec::new(), vocab_len);
            return Ok(rows.iter().map(none).collect());
        };
        let values = read_logits(logits, self.n_drawable, |row| call.cache_rows[row]);
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
        self.cached[sequence] = self.cached[sequence].min(len);
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
    /// Their rows in the caches of their sequences.
    cache_rows: Vec<usize>,
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
            cache_rows: Vec::new(),
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
                call.cache_rows.push(place.cached + row);
            }
            call.places.push(place);
        }
        call
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
        assert_eq!(call.cache_rows, [4, 10, 11]);
        let ends = call.places.iter().map(Placement::end);
        assert_eq!(ends.collect::<Vec<_>>(), [5, 12]);
    }
}
