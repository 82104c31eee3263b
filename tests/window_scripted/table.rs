//! A model that reads its distributions from a table by position, and knows the current window.

use wedlm_bench::model::lm::{LanguageModel, Logits, ModelError, TokenId};

/// Vocabulary of the table model: six tokens and the mask.
pub const VOCAB_LEN: usize = 7;
pub const MASK: TokenId = 6;

/// A probability and the token that gets it; the next token (mod 6) gets the rest.
pub type Entry = (f64, TokenId);

/// The row at position q follows entry q, and is surer by 0.3 (up to 0.999) when the token before
/// it is a filled slot of the window being fed.
pub struct TableModel {
    entry: fn(u32) -> Entry,
    cached_len: usize,
    /// Rows in the cache before each forward.
    pub cached_before: Vec<usize>,
    /// Logits rows asked for in each forward.
    pub asked: Vec<usize>,
}

impl TableModel {
    pub fn new(entry: fn(u32) -> Entry) -> Self {
        Self {
            entry,
            cached_len: 0,
            cached_before: Vec::new(),
            asked: Vec::new(),
        }
    }
}

impl LanguageModel for TableModel {
    fn vocab_len(&self) -> usize {
        VOCAB_LEN
    }

    fn context_len(&self) -> usize {
        256
    }

    fn cached_len(&self) -> usize {
        self.cached_len
    }

    fn forward(
        &mut self,
        tokens: &[TokenId],
        positions: &[u32],
        n_logits: usize,
    ) -> Result<Logits, ModelError> {
        self.cached_before.push(self.cached_len);
        self.asked.push(n_logits);
        self.cached_len += tokens.len();
        let mut values = Vec::new();
        for index in tokens.len() - n_logits..tokens.len() {
            let (p, token) = (self.entry)(positions[index]);
            let is_led = (0..index)
                .any(|other| tokens[other] != MASK && positions[other] + 1 == positions[index]);
            let p = if is_led { (p + 0.3).min(0.999) } else { p };
            let mut row = vec![f32::NEG_INFINITY; VOCAB_LEN];
            row[token as usize] = p.ln() as f32;
            row[(token as usize + 1) % 6] = (1.0 - p).ln() as f32;
            values.extend(row);
        }
        Ok(Logits::new(values, VOCAB_LEN))
    }

    fn truncate(&mut self, len: usize) {
        self.cached_len = self.cached_len.min(len);
    }
}
