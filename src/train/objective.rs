//! From documents to rows, masks, targets and weights: the two training objectives as plain data.
//!
//! Both end in the same form: a batch of rows, and a list of (row, target, weight) whose weighted
//! cross-entropies add up to the loss.

use rand::Rng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use crate::config::train::ObjectiveSpec;
use crate::model::lm::TokenId;
use crate::train::corpus::Document;

/// Special ids of the tokenizer.
#[derive(Debug, Clone, Copy)]
pub struct SpecialIds {
    pub end: TokenId,
    pub mask: TokenId,
}

/// One batch, ready for the device.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub n_documents: usize,
    /// Rows per document, padding included.
    pub len: usize,
    /// `[n_documents, len]`, row-major.
    pub tokens: Vec<TokenId>,
    /// `[n_documents, len]`
    pub positions: Vec<u32>,
    /// May row q attend to row k; `None` is plain causal. `[n_documents, len, len]`
    pub may_attend: Option<Vec<bool>>,
    pub targets: Vec<Target>,
}

/// One term of the loss: weight × cross-entropy of `token` at `row`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// Index into the `n_documents · len` rows.
    pub row: usize,
    pub token: TokenId,
    /// The weights of a batch add up to 1.
    pub weight: f32,
}

/// Builds the batch of an objective.
pub fn batch(
    objective: &ObjectiveSpec,
    documents: &[Document],
    special: SpecialIds,
    rng: &mut ChaCha8Rng,
) -> Batch {
    match *objective {
        ObjectiveSpec::Autoregressive { prompt_weight } => {
            autoregressive(documents, special, prompt_weight)
        }
        ObjectiveSpec::Wedlm {
            ref block_lens,
            min_mask_ratio,
            n_end_tokens,
            autoregressive_weight,
        } => {
            let masks = Masks {
                min_ratio: min_mask_ratio,
                id: special.mask,
            };
            let documents: Vec<Document> = documents
                .iter()
                .map(|document| ended(document, special.end, n_end_tokens))
                .collect();
            let layout = Layout::of(&documents, block_lens);
            let mut batch = Batch::with_rows(documents.len(), layout.len, special);
            batch.may_attend = Some(vec![false; documents.len() * layout.len * layout.len]);
            let mut masked = Vec::new();
            let mut shifted = Vec::new();
            for (index, document) in documents.iter().enumerate() {
                let first_row = index * layout.len;
                batch.place_memory(first_row, document, &layout);
                shifted.extend(next_tokens(document, first_row, 0.0));
                for stream in &layout.streams {
                    let prediction = Prediction::draw(document, stream.block_len, masks, rng);
                    batch.place_prediction(first_row, stream, &prediction, layout.memory_len);
                    let targets = prediction
                        .masked
                        .iter()
                        .map(|&(slot, token, ratio)| Target {
                            row: first_row + stream.start + slot,
                            token,
                            weight: 1.0 / (ratio + 1e-8),
                        });
                    masked.extend(targets);
                }
            }
            normalize(&mut masked, 1.0 / (1.0 + autoregressive_weight));
            normalize(
                &mut shifted,
                autoregressive_weight / (1.0 + autoregressive_weight),
            );
            batch.targets = [masked, shifted].concat();
            batch
        }
    }
}

fn autoregressive(documents: &[Document], special: SpecialIds, prompt_weight: f32) -> Batch {
    let documents: Vec<Document> = documents
        .iter()
        .map(|document| ended(document, special.end, 1))
        .collect();
    let mut batch = Batch::with_rows(documents.len(), longest(&documents), special);
    for (index, document) in documents.iter().enumerate() {
        let start = index * batch.len;
        batch.tokens[start..start + document.ids.len()].copy_from_slice(&document.ids);
        for offset in 0..batch.len {
            batch.positions[start + offset] = offset as u32;
        }
        batch
            .targets
            .extend(next_tokens(document, start, prompt_weight));
    }
    normalize(&mut batch.targets, 1.0);
    batch
}

fn ended(document: &Document, end: TokenId, n: usize) -> Document {
    let mut ids = document.ids.clone();
    ids.extend(std::iter::repeat_n(end, n));
    Document {
        ids,
        prompt_len: document.prompt_len,
    }
}

/// Each row predicts the token behind it.
fn next_tokens(
    document: &Document,
    first_row: usize,
    prompt_weight: f32,
) -> impl Iterator<Item = Target> {
    document
        .ids
        .iter()
        .enumerate()
        .skip(1)
        .map(move |(position, &token)| Target {
            row: first_row + position - 1,
            token,
            weight: if position < document.prompt_len {
                prompt_weight
            } else {
                1.0
            },
        })
        .filter(|target| target.weight > 0.0)
}

fn normalize(targets: &mut [Target], total: f32) {
    let sum: f32 = targets.iter().map(|target| target.weight).sum();
    for target in targets {
        target.weight *= total / sum.max(f32::MIN_POSITIVE);
    }
}

fn longest(documents: &[Document]) -> usize {
    documents
        .iter()
        .map(|document| document.ids.len())
        .max()
        .unwrap_or(0)
}

/// Where the streams of a document lie in its rows: the memory, then the prediction streams. Blocks
/// are counted from the start of the document; those wholly inside the prompt hold nothing to
/// predict, and no other block reads them, so that prediction streams begin with the first block
/// that reaches into the answer.
struct Layout {
    memory_len: usize,
    streams: Vec<Stream>,
    /// Rows of a document.
    len: usize,
}

/// Rows of a prediction stream.
struct Stream {
    block_len: usize,
    /// Rows of the document before it.
    start: usize,
    len: usize,
}

impl Layout {
    fn of(documents: &[Document], block_lens: &[usize]) -> Self {
        let memory_len = longest(documents);
        let mut len = memory_len;
        let mut streams = Vec::new();
        for &block_len in block_lens {
            let of_document =
                |document: &Document| document.ids.len() - first_predicted(document, block_len);
            let stream = Stream {
                block_len,
                start: len,
                len: documents.iter().map(of_document).max().unwrap_or(0),
            };
            len += stream.len;
            streams.push(stream);
        }
        Self {
            memory_len,
            streams,
            len,
        }
    }
}

/// First position of the first block that reaches into the answer.
fn first_predicted(document: &Document, block_len: usize) -> usize {
    document.prompt_len / block_len * block_len
}

impl Batch {
    /// Padding rows everywhere.
    fn with_rows(n_documents: usize, len: usize, special: SpecialIds) -> Self {
        Self {
            n_documents,
            len,
            tokens: vec![special.end; n_documents * len],
            positions: vec![0; n_documents * len],
            may_attend: None,
            targets: Vec::new(),
        }
    }

    /// Lets a row see `keys`, counted from the first row of its document.
    fn allow(&mut self, row: usize, keys: std::ops::Range<usize>) {
        let may_attend = self.may_attend.as_mut().expect("streams have a mask");
        may_attend[row * self.len..][keys].fill(true);
    }

    /// The memory stream of the document whose rows begin at `first_row`: plain and causal.
    fn place_memory(&mut self, first_row: usize, document: &Document, layout: &Layout) {
        let n = document.ids.len();
        self.tokens[first_row..first_row + n].copy_from_slice(&document.ids);
        for offset in 0..layout.memory_len {
            self.positions[first_row + offset] = offset as u32;
            self.allow(first_row + offset, 0..offset + 1);
        }
    }

    /// A prediction stream. Its rows see the memory of earlier blocks and their own block in
    /// physical order (`finetune/` of the WeDLM release).
    fn place_prediction(
        &mut self,
        first_row: usize,
        stream: &Stream,
        prediction: &Prediction,
        memory_len: usize,
    ) {
        let n = prediction.tokens.len();
        let rows = first_row + stream.start;
        self.tokens[rows..rows + n].copy_from_slice(&prediction.tokens);
        self.positions[rows..rows + n].copy_from_slice(&prediction.positions);
        for offset in 0..stream.len {
            let block_start = offset / stream.block_len * stream.block_len;
            let memory_end = (prediction.first + block_start).min(memory_len);
            let own_block = stream.start + block_start..stream.start + offset + 1;
            self.allow(rows + offset, 0..memory_end);
            self.allow(rows + offset, own_block);
        }
    }
}

/// What is masked.
#[derive(Clone, Copy)]
struct Masks {
    /// Least mask ratio of a block.
    min_ratio: f32,
    id: TokenId,
}

/// A prediction stream of one document.
struct Prediction {
    /// Position of its first row.
    first: usize,
    /// In physical order: per block the observed tokens, then the masks, each ascending.
    tokens: Vec<TokenId>,
    positions: Vec<u32>,
    /// (physical slot, token to predict, drawn mask ratio of its block)
    masked: Vec<(usize, TokenId, f32)>,
}

impl Prediction {
    /// Draws a mask ratio per block and masks that share of its answer tokens, without replacement.
    fn draw(document: &Document, block_len: usize, masks: Masks, rng: &mut ChaCha8Rng) -> Self {
        let n = document.ids.len();
        let first = first_predicted(document, block_len);
        let mut prediction = Self {
            first,
            tokens: Vec::with_capacity(n - first),
            positions: Vec::with_capacity(n - first),
            masked: Vec::new(),
        };
        for start in (first..n).step_by(block_len) {
            let end = (start + block_len).min(n);
            let maskable: Vec<usize> = (start.max(document.prompt_len)..end).collect();
            let share: f32 = rng.random();
            let ratio = (masks.min_ratio + (1.0 - masks.min_ratio) * share).max(1e-8);
            let n_masked = (ratio * maskable.len() as f32).round_ties_even() as usize;
            let mut masked: Vec<usize> = sample(rng, maskable.len(), n_masked)
                .into_iter()
                .map(|choice| maskable[choice])
                .collect();
            masked.sort_unstable();
            let observed = (start..end).filter(|position| !masked.contains(position));
            for position in observed {
                prediction.tokens.push(document.ids[position]);
                prediction.positions.push(position as u32);
            }
            for &position in &masked {
                let slot = prediction.tokens.len();
                prediction
                    .masked
                    .push((slot, document.ids[position], ratio));
                prediction.tokens.push(masks.id);
                prediction.positions.push(position as u32);
            }
        }
        prediction
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const SPECIAL: SpecialIds = SpecialIds { end: 0, mask: 1 };

    fn documents() -> Vec<Document> {
        vec![
            Document {
                ids: (10..22).collect(),
                prompt_len: 5,
            },
            Document {
                ids: (30..37).collect(),
                prompt_len: 3,
            },
        ]
    }

    #[test]
    fn the_autoregressive_rows_predict_the_next_token_up_to_the_end() {
        let objective = ObjectiveSpec::Autoregressive { prompt_weight: 0.0 };
        let batch = batch(
            &objective,
            &documents(),
            SPECIAL,
            &mut ChaCha8Rng::seed_from_u64(1),
        );
        let first: Vec<_> = batch.targets.iter().filter(|t| t.row < batch.len).collect();
        assert_eq!(first.len(), 8, "7 answer tokens and the end");
        assert_eq!((first[0].row, first[0].token), (4, 15));
        assert_eq!((first[7].row, first[7].token), (11, 0));
        let total: f32 = batch.targets.iter().map(|t| t.weight).sum();
        assert!((total - 1.0).abs() < 1e-6);
    }

    const BLOCK_LEN: usize = 4;

    fn wedlm(seed: u64, n_prediction_streams: usize) -> Batch {
        wedlm_masked(seed, vec![BLOCK_LEN; n_prediction_streams], 0.0)
    }

    fn wedlm_masked(seed: u64, block_lens: Vec<usize>, min_mask_ratio: f32) -> Batch {
        let objective = ObjectiveSpec::Wedlm {
            block_lens,
            min_mask_ratio,
            n_end_tokens: 2,
            autoregressive_weight: 1.0,
        };
        batch(
            &objective,
            &documents(),
            SPECIAL,
            &mut ChaCha8Rng::seed_from_u64(seed),
        )
    }

    /// The longest document with its end tokens; its answer begins in the second block.
    const MEMORY_LEN: usize = 14;
    const PREDICTION_LEN: usize = 10;

    #[test]
    fn a_mask_predicts_its_own_position_and_prompts_are_never_masked() {
        for seed in 0..50 {
            let batch = wedlm(seed, 2);
            assert_eq!(batch.len, MEMORY_LEN + 2 * PREDICTION_LEN);
            let in_prediction = |t: &&Target| t.row % batch.len >= MEMORY_LEN;
            for target in batch.targets.iter().filter(in_prediction) {
                assert_eq!(batch.tokens[target.row], SPECIAL.mask);
                let (index, position) =
                    (target.row / batch.len, batch.positions[target.row] as usize);
                let document = ended(&documents()[index], SPECIAL.end, 2);
                assert_eq!(target.token, document.ids[position]);
                assert!(position >= document.prompt_len);
            }
        }
    }

    #[test]
    fn no_block_has_fewer_masks_than_asked() {
        let n_masks = |batch: &Batch| {
            let prediction = &batch.tokens[MEMORY_LEN..MEMORY_LEN + PREDICTION_LEN];
            let masks = |block: &[TokenId]| block.iter().filter(|&&id| id == SPECIAL.mask).count();
            prediction.chunks(BLOCK_LEN).map(masks).collect::<Vec<_>>()
        };
        let of_seeds = |least: f32| {
            (0..50).map(move |seed| n_masks(&wedlm_masked(seed, vec![BLOCK_LEN], least)))
        };
        // Of the first block one token belongs to the prompt, of the last two are the document's.
        assert!(of_seeds(1.0).all(|masks| masks == [3, 4, 2]));
        assert!(of_seeds(0.5).all(|masks| masks[1] >= 2));
        assert!(of_seeds(0.0).any(|masks| masks[1] < 2));
    }

    #[test]
    fn each_stream_draws_masks_of_its_own() {
        let batch = wedlm(3, 2);
        let stream = |n: usize| {
            let start = MEMORY_LEN + n * PREDICTION_LEN;
            &batch.tokens[start..start + PREDICTION_LEN]
        };
        assert_ne!(stream(0), stream(1));
    }

    #[test]
    fn a_prediction_row_sees_earlier_blocks_in_memory_and_its_own_block_in_order() {
        let batch = wedlm(3, 2);
        let mask = batch.may_attend.as_ref().unwrap();
        let sees = |query: usize, key: usize| mask[query * batch.len + key];
        for query in 0..MEMORY_LEN {
            for key in 0..batch.len {
                assert_eq!(sees(query, key), key <= query, "memory is causal");
            }
        }
        for (stream, query) in (0..2).flat_map(|s| (0..PREDICTION_LEN).map(move |q| (s, q))) {
            let start = MEMORY_LEN + stream * PREDICTION_LEN;
            // The first prediction row stands at position 4, the second block of the document.
            let block = query / BLOCK_LEN;
            for key in 0..MEMORY_LEN {
                assert_eq!(sees(start + query, key), key / BLOCK_LEN < block + 1);
            }
            for key in MEMORY_LEN..batch.len {
                let of_own_block =
                    key >= start && (key - start) / BLOCK_LEN == block && key - start <= query;
                assert_eq!(sees(start + query, key), of_own_block);
            }
        }
    }

    #[test]
    fn each_stream_has_blocks_of_its_own_length() {
        let batch = wedlm_masked(3, vec![BLOCK_LEN, 7], 1.0);
        // Blocks of 7 begin with the document: its answer, from position 5 on, is in the first.
        let wide = MEMORY_LEN + PREDICTION_LEN;
        assert_eq!(batch.len, wide + MEMORY_LEN);
        let mask = batch.may_attend.as_ref().unwrap();
        let sees = |query: usize, key: usize| mask[query * batch.len + key];
        for query in 0..MEMORY_LEN {
            let block_start = query / 7 * 7;
            for key in 0..batch.len {
                let of_memory = key < block_start;
                let of_own_block = (wide + block_start..=wide + query).contains(&key);
                assert_eq!(sees(wide + query, key), of_memory || of_own_block);
            }
        }
        let wide_targets = batch
            .targets
            .iter()
            .filter(|t| t.row < batch.len && t.row >= wide);
        assert_eq!(
            wide_targets.count(),
            7 + 2,
            "the answer and its end, all masked"
        );
    }

    #[test]
    fn the_two_losses_share_the_weight_as_asked() {
        let batch = wedlm(9, 1);
        let masked: f32 = batch
            .targets
            .iter()
            .filter(|t| t.row % batch.len >= MEMORY_LEN)
            .map(|t| t.weight)
            .sum();
        assert!((masked - 0.5).abs() < 1e-5, "{masked}");
    }
}
