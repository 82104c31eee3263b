use crate::model::lm::{BatchedLanguageModel, LanguageModel, Logits, ModelError, SequenceRows};

/// A model of one sequence as a batch of one.
pub(super) struct Alone<'m>(pub &'m mut dyn LanguageModel);

impl BatchedLanguageModel for Alone<'_> {
    fn vocab_len(&self) -> usize {
        self.0.vocab_len()
    }

    fn context_len(&self) -> usize {
        self.0.context_len()
    }

    fn n_sequences(&self) -> usize {
        1
    }

    fn cached_len(&self, _: usize) -> usize {
        self.0.cached_len()
    }

    fn forward(&mut self, rows: &[SequenceRows<'_>]) -> Result<Vec<Logits>, ModelError> {
        let [only] = rows else {
            panic!("a batch of one sequence is fed one sequence");
        };
        let logits = self.0.forward(only.tokens, only.positions, only.n_logits)?;
        Ok(vec![logits])
    }

    fn truncate(&mut self, _: usize, len: usize) {
        self.0.truncate(len);
    }

    fn n_parameters(&self) -> usize {
        self.0.n_parameters()
    }
}
