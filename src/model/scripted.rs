//! A language model without weights, for tests and demonstrations.

use crate::model::lm::{
    BatchedLanguageModel, LanguageModel, Logits, ModelError, SequenceRows, TokenId,
};
use crate::policy::noise::mix;

/// Logits of a row, given the tokens and position ids that it sees: every row before it in physical
/// order, and itself as the last one.
pub type Script = Box<dyn Fn(&[(TokenId, u32)]) -> Vec<f32>>;

/// Keeps the cache contract of [`LanguageModel`]; its logits are a function of the visible rows.
pub struct ScriptedModel {
    script: Script,
    vocab_len: usize,
    context_len: usize,
    cache: Vec<(TokenId, u32)>,
}

impl ScriptedModel {
    /// A model that computes its logits with `script`, which must return `vocab_len` of them.
    pub fn new(
        vocab_len: usize,
        context_len: usize,
        script: impl Fn(&[(TokenId, u32)]) -> Vec<f32> + 'static,
    ) -> Self {
        Self {
            script: Box::new(script),
            vocab_len,
            context_len,
            cache: Vec::new(),
        }
    }

    /// Pseudo-random logits in [0, `sharpness`) that depend on the last token and its position alone,
    /// so that a wrong position id changes the text.
    pub fn markov(seed: u64, vocab_len: usize, sharpness: f32) -> Self {
        Self::new(vocab_len, Self::CONTEXT_LEN, move |rows| {
            let state = rows.last().map_or(0, |&row| hash_row(seed, row));
            hashed_logits(state, vocab_len, sharpness)
        })
    }

    /// Pseudo-random logits in [0, `sharpness`) that depend on every visible row and on which one is
    /// last, but not on the order of the others, as in a one-layer attention: a row too many, too few
    /// or wrong in the cache changes the text.
    pub fn history(seed: u64, vocab_len: usize, sharpness: f32) -> Self {
        Self::new(vocab_len, Self::CONTEXT_LEN, move |rows| {
            hashed_logits(hash_history(seed, rows), vocab_len, sharpness)
        })
    }

    /// The same model with noise in [0, `amount`) added to each logit, a function of the visible rows
    /// and of `seed`: a drafter that agrees with the unperturbed model more often the smaller the
    /// amount.
    #[must_use]
    pub fn perturbed(self, seed: u64, amount: f32) -> Self {
        let Self {
            script,
            vocab_len,
            context_len,
            ..
        } = self;
        Self::new(vocab_len, context_len, move |rows| {
            let noise = hashed_logits(hash_history(seed, rows), vocab_len, amount);
            let mut logits = script(rows);
            for (logit, noise) in logits.iter_mut().zip(noise) {
                *logit += noise;
            }
            logits
        })
    }

    /// The same model with a cache of `context_len` rows.
    #[must_use]
    pub fn with_context_len(self, context_len: usize) -> Self {
        Self {
            context_len,
            ..self
        }
    }

    /// Tokens and position ids in the cache, in physical order.
    pub fn cached_rows(&self) -> &[(TokenId, u32)] {
        &self.cache
    }

    fn check(&self, tokens: &[TokenId]) -> Result<(), ModelError> {
        if self.cache.len() + tokens.len() > self.context_len {
            return Err(ModelError::ContextOverflow {
                cached: self.cache.len(),
                new: tokens.len(),
                context_len: self.context_len,
            });
        }
        match tokens.iter().find(|&&t| t as usize >= self.vocab_len) {
            Some(&token) => Err(ModelError::UnknownToken {
                token,
                vocab_len: self.vocab_len,
            }),
            None => Ok(()),
        }
    }

    const CONTEXT_LEN: usize = 4096;
}

impl LanguageModel for ScriptedModel {
    fn vocab_len(&self) -> usize {
        self.vocab_len
    }

    fn context_len(&self) -> usize {
        self.context_len
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
        assert!(!tokens.is_empty(), "a forward has at least one token");
        assert_eq!(tokens.len(), positions.len(), "one position id per token");
        assert!(
            n_logits <= tokens.len(),
            "logits exist for the new rows only"
        );
        self.check(tokens)?;
        self.cache
            .extend(tokens.iter().copied().zip(positions.iter().copied()));
        let first = self.cache.len() - n_logits;
        let mut values = Vec::with_capacity(n_logits * self.vocab_len);
        for end in first..self.cache.len() {
            let row = (self.script)(&self.cache[..=end]);
            assert_eq!(row.len(), self.vocab_len, "the script returns a whole row");
            values.extend(row);
        }
        Ok(Logits::new(values, self.vocab_len))
    }

    fn truncate(&mut self, len: usize) {
        self.cache.truncate(len);
    }

    fn n_parameters(&self) -> usize {
        self.vocab_len
    }
}

/// One [`ScriptedModel`] per sequence; counts the forwards, which a batch is there to save.
pub struct ScriptedBatch {
    sequences: Vec<ScriptedModel>,
    n_forwards: usize,
}

impl ScriptedBatch {
    /// # Panics
    /// When `sequences` is empty or the models differ in vocabulary or context length.
    pub fn new(sequences: Vec<ScriptedModel>) -> Self {
        let lens = |model: &ScriptedModel| (model.vocab_len, model.context_len);
        assert!(!sequences.is_empty(), "a batch has at least one sequence");
        assert!(
            sequences
                .iter()
                .all(|model| lens(model) == lens(&sequences[0])),
            "the sequences of a batch run one model"
        );
        Self {
            sequences,
            n_forwards: 0,
        }
    }

    /// Forwards run so far, each over one or more sequences.
    pub fn n_forwards(&self) -> usize {
        self.n_forwards
    }

    /// Rows that the cache of each sequence holds without allocating again.
    pub fn cache_capacities(&self) -> Vec<usize> {
        let models = self.sequences.iter();
        models.map(|model| model.cache.capacity()).collect()
    }
}

impl BatchedLanguageModel for ScriptedBatch {
    fn vocab_len(&self) -> usize {
        self.sequences[0].vocab_len
    }

    fn context_len(&self) -> usize {
        self.sequences[0].context_len
    }

    fn n_sequences(&self) -> usize {
        self.sequences.len()
    }

    fn cached_len(&self, sequence: usize) -> usize {
        self.sequences[sequence].cached_len()
    }

    fn forward(&mut self, rows: &[SequenceRows<'_>]) -> Result<Vec<Logits>, ModelError> {
        SequenceRows::assert_valid(rows, self.sequences.len());
        for new in rows {
            self.sequences[new.sequence].check(new.tokens)?;
        }
        self.n_forwards += 1;
        rows.iter()
            .map(|new| {
                self.sequences[new.sequence].forward(new.tokens, new.positions, new.n_logits)
            })
            .collect()
    }

    fn truncate(&mut self, sequence: usize, len: usize) {
        self.sequences[sequence].truncate(len);
    }

    fn n_parameters(&self) -> usize {
        self.sequences[0].n_parameters()
    }
}

fn hash_row(seed: u64, (token, position): (TokenId, u32)) -> u64 {
    mix(mix(seed) ^ (u64::from(position) << 32 | u64::from(token)))
}

fn hash_history(seed: u64, rows: &[(TokenId, u32)]) -> u64 {
    let seen = rows
        .iter()
        .fold(0_u64, |sum, &row| sum.wrapping_add(hash_row(seed, row)));
    let own = rows.last().map_or(0, |&row| hash_row(!seed, row));
    mix(seen ^ own.rotate_left(17))
}

/// Uniform logits in [0, `scale`).
fn hashed_logits(state: u64, vocab_len: usize, scale: f32) -> Vec<f32> {
    (0..vocab_len as u64)
        .map(|token| {
            let bits = mix(state.wrapping_add(token)) >> 40;
            scale * bits as f32 / (1_u64 << 24) as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolling_back_and_feeding_again_gives_the_same_logits() {
        let mut model = ScriptedModel::history(1, 11, 6.0);
        model.forward(&[1, 2, 3], &[0, 1, 2], 0).unwrap();
        let straight = model.forward(&[4, 5], &[3, 4], 2).unwrap();
        model.truncate(3);
        model.forward(&[9], &[3], 1).unwrap();
        model.truncate(3);
        assert_eq!(model.cached_len(), 3);
        let row = model.forward(&[4], &[3], 1).unwrap();
        assert_eq!(row.row(0), straight.row(0));
        assert_eq!(
            model.forward(&[5], &[4], 1).unwrap().row(0),
            straight.row(1)
        );
    }

    #[test]
    fn a_full_cache_refuses_the_forward_and_stays_as_it_was() {
        let mut model = ScriptedModel::markov(1, 5, 1.0).with_context_len(3);
        model.forward(&[0, 1], &[0, 1], 0).unwrap();
        let error = model.forward(&[2, 3], &[2, 3], 1).unwrap_err();
        assert!(matches!(
            error,
            ModelError::ContextOverflow {
                cached: 2,
                new: 2,
                context_len: 3
            }
        ));
        assert_eq!(model.cached_rows(), [(0, 0), (1, 1)]);
        let error = model.forward(&[5], &[2], 1).unwrap_err();
        assert!(matches!(
            error,
            ModelError::UnknownToken {
                token: 5,
                vocab_len: 5
            }
        ));
    }

    #[test]
    fn the_history_model_sees_wrong_rows_but_not_the_order_of_earlier_ones() {
        let mut model = ScriptedModel::history(1, 11, 6.0);
        let mut last = |tokens: &[TokenId], positions: &[u32]| {
            model.truncate(0);
            model.forward(tokens, positions, 1).unwrap()
        };
        let straight = last(&[1, 2, 3], &[0, 1, 2]);
        assert_eq!(straight, last(&[2, 1, 3], &[1, 0, 2]));
        assert_ne!(straight, last(&[2, 1, 3], &[0, 1, 2]));
        assert_ne!(straight, last(&[1, 2, 2, 3], &[0, 1, 1, 2]));
        assert_ne!(straight, last(&[2, 3], &[1, 2]));
    }

    #[test]
    fn a_small_perturbation_keeps_most_greedy_tokens_and_a_large_one_few() {
        let agreement = |amount: f32| {
            let mut plain = ScriptedModel::history(1, 50, 8.0);
            let mut noisy = ScriptedModel::history(1, 50, 8.0).perturbed(2, amount);
            let same = (0..500).filter(|&token| {
                let top = |model: &mut ScriptedModel| {
                    let row = model.forward(&[token % 50], &[token], 1).unwrap();
                    crate::policy::sample::greedy(row.last(), None)
                };
                top(&mut plain) == top(&mut noisy)
            });
            same.count()
        };
        let (none, small, large) = (agreement(0.0), agreement(0.3), agreement(80.0));
        assert_eq!(none, 500);
        assert!((250..500).contains(&small), "{small} of 500 agree");
        assert!(large < 150, "{large} of 500 agree");
    }

    #[test]
    fn a_batch_gives_each_sequence_the_logits_that_it_has_alone() {
        let model = || ScriptedModel::history(1, 11, 6.0);
        let mut batch = ScriptedBatch::new(vec![model(), model(), model()]);
        let rows = |sequence, tokens, positions, n_logits| SequenceRows {
            sequence,
            tokens,
            positions,
            n_logits,
        };
        batch
            .forward(&[rows(2, &[1, 2], &[0, 1], 0), rows(0, &[5], &[0], 0)])
            .unwrap();
        let logits = batch
            .forward(&[rows(0, &[6, 7], &[1, 2], 2), rows(2, &[3], &[2], 1)])
            .unwrap();
        let mut alone = model();
        let expected = alone.forward(&[5, 6, 7], &[0, 1, 2], 2).unwrap();
        assert_eq!(logits[0], expected);
        alone.truncate(0);
        let expected = alone.forward(&[1, 2, 3], &[0, 1, 2], 1).unwrap();
        assert_eq!(logits[1], expected);
        let lens = [0, 1, 2].map(|sequence| batch.cached_len(sequence));
        assert_eq!((lens, batch.n_forwards()), ([3, 0, 3], 2));
    }

    #[test]
    fn a_batch_with_one_full_cache_is_refused_whole() {
        let model = || ScriptedModel::markov(1, 5, 1.0).with_context_len(2);
        let mut batch = ScriptedBatch::new(vec![model(), model()]);
        let rows = [(0, &[1][..]), (1, &[1, 2, 3][..])].map(|(sequence, tokens)| SequenceRows {
            sequence,
            tokens,
            positions: &[0, 1, 2][..tokens.len()],
            n_logits: 1,
        });
        let error = batch.forward(&rows).unwrap_err();
        assert!(matches!(
            error,
            ModelError::ContextOverflow {
                cached: 0,
                new: 3,
                ..
            }
        ));
        assert_eq!([batch.cached_len(0), batch.cached_len(1)], [0, 0]);
    }
}
