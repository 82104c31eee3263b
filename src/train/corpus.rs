//! An endless stream of tokenized documents, grouped by length.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::model::lm::TokenId;
use crate::model::tokenizer::Tokenizer;
use crate::workload::{ProblemStream, prompt_of};

/// A prompt and its answer as token ids, end token not included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub ids: Vec<TokenId>,
    /// Tokens of the prompt; the answer follows.
    pub prompt_len: usize,
}

/// Batches of documents of similar length, so that little is padding; each is sorted by length.
/// Deterministic by seed.
pub struct Corpus<'a> {
    tokenizer: &'a Tokenizer,
    problems: ProblemStream,
    rng: ChaCha8Rng,
    batch_len: usize,
    /// Batches that are drawn, sorted by length and shuffled at a time.
    n_pooled: usize,
    ready: Vec<Vec<Document>>,
}

impl<'a> Corpus<'a> {
    pub fn new(
        tokenizer: &'a Tokenizer,
        problems: ProblemStream,
        seed: u64,
        batch_len: usize,
        n_pooled: usize,
    ) -> Self {
        Self {
            tokenizer,
            problems,
            rng: ChaCha8Rng::seed_from_u64(seed),
            batch_len,
            n_pooled,
            ready: Vec::new(),
        }
    }

    /// The next batch of exactly `batch_len` documents.
    ///
    /// # Errors
    /// When the tokenizer refuses a text.
    pub fn next_batch(&mut self) -> Result<Vec<Document>, String> {
        if self.ready.is_empty() {
            self.fill()?;
        }
        Ok(self.ready.pop().expect("fill makes batches"))
    }

    /// Goes past `n` batches without tokenizing them, for a resumed run.
    ///
    /// # Errors
    /// As [`next_batch`](Self::next_batch).
    pub fn skip(&mut self, n: usize) -> Result<(), String> {
        for _ in 0..n / self.n_pooled {
            for _ in 0..self.n_pooled * self.batch_len {
                self.problems.next();
            }
            // The shuffle of a skipped pool draws as many numbers as that of a used one.
            let mut order: Vec<usize> = (0..self.n_pooled).collect();
            order.shuffle(&mut self.rng);
        }
        for _ in 0..n % self.n_pooled {
            self.next_batch()?;
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), String> {
        let mut pool = Vec::with_capacity(self.n_pooled * self.batch_len);
        while pool.len() < self.n_pooled * self.batch_len {
            let problem = self.problems.next().expect("the stream is endless");
            let prompt = self.tokenizer.encode(&prompt_of(&problem.question))?;
            let answer = self.tokenizer.encode(&format!(" {}", problem.answer))?;
            pool.push(Document {
                prompt_len: prompt.len(),
                ids: [prompt, answer].concat(),
            });
        }
        pool.sort_by_key(|document| document.ids.len());
        self.ready = pool
            .chunks(self.batch_len)
            .map(<[Document]>::to_vec)
            .collect();
        self.ready.shuffle(&mut self.rng);
        Ok(())
    }
}
