//! The one interface between decoders and models.

/// Index into the vocabulary.
pub type TokenId = u32;

/// Why a model could not run a forward.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error(
        "the context is full: {cached} cached + {new} new tokens exceed the context length of {context_len}; \
         shorten the prompt or lower max_new_tokens"
    )]
    ContextOverflow {
        cached: usize,
        new: usize,
        context_len: usize,
    },
    #[error("token id {token} is outside the vocabulary of {vocab_len} entries")]
    UnknownToken { token: TokenId, vocab_len: usize },
    #[error(
        "the logits hold NaN at cache row {row}: the checkpoint is broken or overflows in this dtype"
    )]
    NotANumber { row: usize },
    #[error("{0}")]
    Device(String),
}

/// Rows of raw logits (before temperature), one row per position, `vocab_len` values each.
#[derive(Debug, Clone, PartialEq)]
pub struct Logits {
    values: Vec<f32>,
    vocab_len: usize,
}

impl Logits {
    /// # Panics
    /// When `values` is not a whole number of rows.
    pub fn new(values: Vec<f32>, vocab_len: usize) -> Self {
        assert!(vocab_len > 0 && values.len().is_multiple_of(vocab_len));
        Self { values, vocab_len }
    }

    pub fn n_rows(&self) -> usize {
        self.values.len() / self.vocab_len
    }

    /// Row `index`, counted from the first returned row.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.vocab_len..(index + 1) * self.vocab_len]
    }

    pub fn last(&self) -> &[f32] {
        self.row(self.n_rows() - 1)
    }

    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.vocab_len)
    }
}

/// A causal language model with a cache of keys and values.
///
/// The cache is a list of rows in *physical* order; a row attends to itself and to every row before
/// it, whatever the position ids say. Position ids only turn the rotary embedding, so they may
/// repeat or run backwards, which is what the window decoder needs.
pub trait LanguageModel {
    /// Number of logits in a row. Ids of the tokenizer are below it; rows beyond the tokenizer's
    /// vocabulary are −∞.
    fn vocab_len(&self) -> usize;

    /// Most rows that the cache can hold.
    fn context_len(&self) -> usize;

    /// Rows in the cache.
    fn cached_len(&self) -> usize;

    /// Appends one cache row per token and returns the logits of the last `n_logits` rows.
    ///
    /// The call returns when the device has finished, so that a clock around it measures the work.
    ///
    /// # Errors
    /// [`ModelError::ContextOverflow`] leaves the cache as it was.
    ///
    /// # Panics
    /// When `tokens` is empty, or `positions` has another length, or `n_logits > tokens.len()`.
    fn forward(
        &mut self,
        tokens: &[TokenId],
        positions: &[u32],
        n_logits: usize,
    ) -> Result<Logits, ModelError>;

    /// Forgets every row from `len` on (rolls back). Keeps the cache as it is when `len` is not
    /// smaller than [`cached_len`](Self::cached_len).
    fn truncate(&mut self, len: usize);

    /// Weights read by one token's forward, for FLOP estimates (2 FLOPs each).
    fn n_parameters(&self) -> usize {
        0
    }
}
