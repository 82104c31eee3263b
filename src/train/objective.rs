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
    objective: ObjectiveSpec,
    documents: &[Document],
    special: SpecialIds,
    rng: &mut ChaCha8Rng,
) -> Batch {
    match objective {
        ObjectiveSpec::Autoregressive { prompt_weight } => {
            autoregressive(documents, special, prompt_weight)
        }
        ObjectiveSpec::Wedlm {
            block_len,
            n_end_tokens,
            autoregressive_weight,
        } => {
            let documents: Vec<Document> = documents
                .iter()
                .map(|document| ended(document, special.end, n_end_tokens))
                .collect();
            let mut batch = Batch::with_rows(&documents, 2, special);
            let mut masked = Vec::new();
            let mut shifted = Vec::new();
            for (index, document) in documents.iter().enumerate() {
                let streams = Streams::draw(document, block_len, special.mask, rng);
                batch.place(index, document, &streams);
                let (len, half) = (batch.len, batch.len / 2);
                masked.extend(streams.masked.iter().map(|&(slot, token, ratio)| Target {
                    row: index * len + half + slot,
                    token,
                    weight: 1.0 / (ratio + 1e-8),
                }));
                shifted.extend(next_tokens(document, index * len, 0.0));
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
    let mut batch = Batch::with_rows(&documents, 1, special);
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

impl Batch {
    /// Padding rows everywhere; `n_streams` copies of each document will fit.
    fn with_rows(documents: &[Document], n_streams: usize, special: SpecialIds) -> Self {
        let longest = documents
            .iter()
            .map(|document| document.ids.len())
            .max()
            .unwrap_or(0);
        let len = n_streams * longest;
        let n_rows = documents.len() * len;
        Self {
            n_documents: documents.len(),
            len,
            tokens: vec![special.end; n_rows],
            positions: vec![0; n_rows],
            may_attend: (n_streams > 1).then(|| vec![false; n_rows * len]),
            targets: Vec::new(),
        }
    }

    /// Puts the memory stream and the prediction stream of one document into its rows, and says
    /// who sees whom (`finetune/` of the WeDLM release): the memory stream is causal; a row of the
    /// prediction stream sees the memory of earlier blocks and its own block in physical order.
    fn place(&mut self, index: usize, document: &Document, streams: &Streams) {
        let (len, half) = (self.len, self.len / 2);
        let rows = index * len;
        let n = document.ids.len();
        self.tokens[rows..rows + n].copy_from_slice(&document.ids);
        self.tokens[rows + half..rows + half + n].copy_from_slice(&streams.tokens);
        for offset in 0..half {
            self.positions[rows + offset] = offset as u32;
            self.positions[rows + half + offset] =
                streams.positions.get(offset).copied().unwrap_or(0);
        }
        let may_attend = self.may_attend.as_mut().expect("two streams have a mask");
        let mut allow = |query: usize, keys: std::ops::Range<usize>| {
            let start = (rows + query) * len;
            may_attend[start + keys.start..start + keys.end].fill(true);
        };
        for offset in 0..half {
            allow(offset, 0..offset + 1);
            let block_start = offset / streams.block_len * streams.block_len;
            allow(half + offset, 0..block_start.min(n));
            allow(half + offset, half + block_start..half + offset + 1);
        }
    }
}

/// The prediction stream of one document.
struct Streams {
    block_len: usize,
    /// In physical order: per block the observed tokens, then the masks, each ascending.
    tokens: Vec<TokenId>,
    positions: Vec<u32>,
    /// (physical slot, token to predict, drawn mask ratio of its block)
    masked: Vec<(usize, TokenId, f32)>,
}

impl Streams {
    /// Draws a mask ratio per block and masks that share of its answer tokens, without replacement.
    fn draw(document: &Document, block_len: usize, mask: TokenId, rng: &mut ChaCha8Rng) -> Self {
        let n = document.ids.len();
        let mut streams = Self {
            block_len,
            tokens: Vec::with_capacity(n),
            positions: Vec::with_capacity(n),
            masked: Vec::new(),
        };
        for start in (0..n).step_by(block_len) {
            let end = (start + block_len).min(n);
            let maskable: Vec<usize> = (start.max(document.prompt_len)..end).collect();
            let ratio: f32 = rng.random::<f32>().max(1e-8);
            let n_masked = (ratio * maskable.len() as f32).round_ties_even() as usize;
            let mut masked: Vec<usize> = sample(rng, maskable.len(), n_masked)
                .into_iter()
                .map(|choice| maskable[choice])
                .collect();
            masked.sort_unstable();
            let observed = (start..end).filter(|position| !masked.contains(position));
            for position in observed {
                streams.tokens.push(document.ids[position]);
                streams.positions.push(position as u32);
            }
            for &position in &masked {
                streams
                    .masked
                    .push((streams.tokens.len(), document.ids[position], ratio));
                streams.tokens.push(mask);
                streams.positions.push(position as u32);
            }
        }
        streams
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
            objective,
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

    fn wedlm(seed: u64) -> Batch {
        let objective = ObjectiveSpec::Wedlm {
            block_len: 4,
            n_end_tokens: 2,
            autoregressive_weight: 1.0,
        };
        batch(
            objective,
            &documents(),
            SPECIAL,
            &mut ChaCha8Rng::seed_from_u64(seed),
        )
    }

    #[test]
    fn a_mask_predicts_its_own_position_and_prompts_are_never_masked() {
        for seed in 0..50 {
            let batch = wedlm(seed);
            let half = batch.len / 2;
            for target in batch.targets.iter().filter(|t| t.row % batch.len >= half) {
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
    fn a_prediction_row_sees_earlier_blocks_in_memory_and_its_own_block_in_order() {
        let batch = wedlm(3);
        let (len, half) = (batch.len, batch.len / 2);
        let mask = batch.may_attend.as_ref().unwrap();
        for query in 0..half {
            for key in 0..half {
                assert_eq!(mask[query * len + key], key <= query, "memory is causal");
                assert!(
                    !mask[query * len + half + key],
                    "memory never sees predictions"
                );
                let row = (half + query) * len;
                assert_eq!(mask[row + key], key / 4 < query / 4);
                assert_eq!(mask[row + half + key], key / 4 == query / 4 && key <= query);
            }
        }
    }

    #[test]
    fn the_two_losses_share_the_weight_as_asked() {
        let batch = wedlm(9);
        let half = batch.len / 2;
        let masked: f32 = batch
            .targets
            .iter()
            .filter(|t| t.row % batch.len >= half)
            .map(|t| t.weight)
            .sum();
        assert!((masked - 0.5).abs() < 1e-5, "{masked}");
    }
}
