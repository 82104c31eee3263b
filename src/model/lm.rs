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

/// New rows of one sequence of a batch.
#[derive(Debug, Clone, Copy)]
pub struct SequenceRows<'a> {
    /// Below [`n_sequences`](BatchedLanguageModel::n_sequences).
    pub sequence: usize,
    pub tokens: &'a [TokenId],
    /// One position id per token.
    pub positions: &'a [u32],
    /// How many of the last rows return their logits.
    pub n_logits: usize,
}

impl SequenceRows<'_> {
    /// # Panics
    /// When a call breaks the contract of [`BatchedLanguageModel::forward`].
    pub(super) fn assert_valid(rows: &[Self], n_sequences: usize) {
        assert!(!rows.is_empty(), "a forward has at least one sequence");
        for (index, new) in rows.iter().enumerate() {
            assert!(
                new.sequence < n_sequences,
                "no sequence of number {}",
                new.sequence
            );
            assert!(
                rows[..index]
                    .iter()
                    .all(|other| other.sequence != new.sequence),
                "sequence {} is named twice",
                new.sequence
            );
            assert!(!new.tokens.is_empty(), "a sequence has at least one token");
            assert_eq!(
                new.tokens.len(),
                new.positions.len(),
                "one position id per token"
            );
            assert!(
                new.n_logits <= new.tokens.len(),
                "logits exist for the new rows only"
            );
        }
    }
}

/// The contract of [`LanguageModel`] over several sequences of different lengths, each with a cache of
/// its own. A row attends to rows of its own sequence only, so what one sequence computes does not
/// depend on its neighbours (up to the rounding of differently blocked matrix products).
pub trait BatchedLanguageModel {
    /// See [`LanguageModel::vocab_len`].
    fn vocab_len(&self) -> usize;

    /// Most rows that the cache of one sequence can hold.
    fn context_len(&self) -> usize;

    /// Sequences that there is room for.
    fn n_sequences(&self) -> usize;

    /// Rows in the cache of `sequence`.
    fn cached_len(&self, sequence: usize) -> usize;

    /// Appends the rows of each named sequence to its cache, in physical order, and returns its logits,
    /// in the order of `rows`. Sequences that are not named stay as they are.
    ///
    /// The call returns when the device has finished, so that a clock around it measures the work.
    ///
    /// # Errors
    /// [`ModelError::ContextOverflow`] and [`ModelError::UnknownToken`] leave every cache as it was.
    ///
    /// # Panics
    /// When `rows` is empty, names a sequence twice or one that does not exist, or when the rows of a
    /// sequence break the contract of [`LanguageModel::forward`].
    fn forward(&mut self, rows: &[SequenceRows<'_>]) -> Result<Vec<Logits>, ModelError>;

    /// Forgets every row of `sequence` from `len` on; keeps its cache as it is when `len` is not smaller
    /// than [`cached_len`](Self::cached_len).
    fn truncate(&mut self, sequence: usize, len: usize);

    /// See [`LanguageModel::n_parameters`].
    fn n_parameters(&self) -> usize {
        0
    }
}
