//! A model in which a cached row depends on the whole forward that computed it.

use std::hash::{DefaultHasher, Hash, Hasher};

use wedlm_bench::model::lm::{LanguageModel, Logits, ModelError, TokenId};

use crate::VOCAB_LEN;

/// As if the products of every shape were rounded otherwise, and grossly: a row is a hash of all rows of
/// its forward and of the cache before it. Logits depend on how many are asked for, too. So a cache that
/// was not computed by the same forwards, of the same rows, gives other tokens.
pub struct GroupedModel {
    seed: u64,
    /// One hash per row.
    cache: Vec<u64>,
    /// Rows in the cache, tokens and positions of each forward.
    pub shapes: Vec<(usize, Vec<TokenId>, Vec<u32>)>,
}

impl GroupedModel {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            cache: Vec::new(),
            shapes: Vec::new(),
        }
    }
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl LanguageModel for GroupedModel {
    fn vocab_len(&self) -> usize {
        VOCAB_LEN
    }

    fn context_len(&self) -> usize {
        512
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
        let cached = self.cache.len();
        self.shapes
            .push((cached, tokens.to_vec(), positions.to_vec()));
        let forward = hash((self.seed, &self.cache, tokens, positions));
        let rows = (0..tokens.len()).map(|row| hash((forward, row)));
        self.cache.extend(rows);
        let mut values = Vec::new();
        for row in &self.cache[self.cache.len() - n_logits..] {
            let logit = |token| (hash((row, n_logits, token)) % 1000) as f32 / 125.0;
            values.extend((0..VOCAB_LEN).map(logit));
        }
        Ok(Logits::new(values, VOCAB_LEN))
    }

    fn truncate(&mut self, len: usize) {
        self.cache.truncate(len);
    }
}
