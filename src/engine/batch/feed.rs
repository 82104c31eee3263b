//! What one forward of a batch is fed, and what it costs each sequence.

use std::time::Duration;

use crate::engine::clock::timed;
use crate::model::lm::{BatchedLanguageModel, Logits, ModelError, SequenceRows, TokenId};

/// The rows of which a sequence wants the logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Nothing,
    LastRow,
    EveryRow,
}

/// Tokens for one forward, sequence after sequence, in buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Feed {
    tokens: Vec<TokenId>,
    positions: Vec<u32>,
    pieces: Vec<Piece>,
}

/// One sequence's part of the buffers.
#[derive(Debug, Clone, Copy)]
struct Piece {
    sequence: usize,
    start: usize,
    len: usize,
    wanted: Wanted,
}

/// What a forward gave one sequence.
#[derive(Debug)]
pub(super) struct Fed {
    pub sequence: usize,
    pub logits: Logits,
    /// Rows fed.
    pub n_rows: usize,
    /// Part of the forward's duration, by rows: the parts add up to the whole.
    pub share: Duration,
}

impl Feed {
    /// Buffers that `n_sequences` sequences with `n_rows` rows together do not outgrow.
    pub fn with_room(n_sequences: usize, n_rows: usize) -> Self {
        Self {
            tokens: Vec::with_capacity(n_rows),
            positions: Vec::with_capacity(n_rows),
            pieces: Vec::with_capacity(n_sequences),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Adds a sequence that has cached `first` rows. Row and position id are the same number here.
    pub fn push(
        &mut self,
        sequence: usize,
        first: usize,
        tokens: impl IntoIterator<Item = TokenId>,
        wanted: Wanted,
    ) {
        let start = self.tokens.len();
        self.tokens.extend(tokens);
        let len = self.tokens.len() - start;
        self.positions.extend(first as u32..(first + len) as u32);
        self.pieces.push(Piece {
            sequence,
            start,
            len,
            wanted,
        });
    }

    /// Runs the forward and empties the buffers.
    ///
    /// # Errors
    /// Those of the model.
    pub fn forward(
        &mut self,
        model: &mut dyn BatchedLanguageModel,
    ) -> Result<Vec<Fed>, ModelError> {
        let rows: Vec<SequenceRows<'_>> =
            self.pieces.iter().map(|piece| self.rows(piece)).collect();
        let mut duration = Duration::ZERO;
        let logits = timed(&mut duration, || model.forward(&rows))?;
        assert_eq!(logits.len(), self.pieces.len(), "logits of each sequence");
        let total = self.tokens.len();
        let fed = self.pieces.iter().zip(logits).map(|(piece, logits)| Fed {
            sequence: piece.sequence,
            logits,
            n_rows: piece.len,
            share: duration.mul_f64(piece.len as f64 / total as f64),
        });
        let fed = fed.collect();
        self.tokens.clear();
        self.positions.clear();
        self.pieces.clear();
        Ok(fed)
    }

    fn rows(&self, piece: &Piece) -> SequenceRows<'_> {
        let range = piece.start..piece.start + piece.len;
        SequenceRows {
            sequence: piece.sequence,
            tokens: &self.tokens[range.clone()],
            positions: &self.positions[range],
            n_logits: match piece.wanted {
                Wanted::Nothing => 0,
                Wanted::LastRow => 1,
                Wanted::EveryRow => piece.len,
            },
        }
    }

    /// Tokens, positions and sequences that fit without allocating again.
    #[cfg(test)]
    pub fn capacities(&self) -> [usize; 3] {
        [
            self.tokens.capacity(),
            self.positions.capacity(),
            self.pieces.capacity(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scripted::{ScriptedBatch, ScriptedModel};

    #[test]
    fn ten_thousand_forwards_do_not_grow_the_buffers_that_were_made_for_them() {
        let models = (0..3).map(|seed| ScriptedModel::markov(seed, 5, 1.0));
        let mut model = ScriptedBatch::new(models.collect());
        let mut feed = Feed::with_room(3, 3 * 8);
        let capacities = feed.capacities();
        for round in 0..10_000 {
            for sequence in 0..3 {
                let n_rows = 1 + (round + 3 * sequence) % 8;
                model.truncate(sequence, 0);
                feed.push(sequence, 0, vec![2; n_rows], Wanted::LastRow);
            }
            let fed = feed.forward(&mut model).unwrap();
            let rows: usize = fed.iter().map(|fed| fed.n_rows).sum();
            assert_eq!((fed.len(), feed.is_empty()), (3, true));
            assert!((3..=24).contains(&rows));
        }
        assert_eq!(feed.capacities(), capacities);
    }

    #[test]
    fn a_forward_is_shared_by_the_rows_fed_and_asks_for_the_rows_wanted() {
        let models = (0..3).map(|seed| ScriptedModel::markov(seed, 5, 1.0));
        let mut model = ScriptedBatch::new(models.collect());
        let mut feed = Feed::default();
        feed.push(2, 0, [1, 2, 3], Wanted::EveryRow);
        feed.push(0, 0, [1], Wanted::Nothing);
        feed.push(1, 0, [4, 4], Wanted::LastRow);
        let fed = feed.forward(&mut model).unwrap();
        let rows: Vec<_> = fed
            .iter()
            .map(|fed| (fed.sequence, fed.n_rows, fed.logits.n_rows()))
            .collect();
        assert_eq!(rows, [(2, 3, 3), (0, 1, 0), (1, 2, 1)]);
        let nanoseconds = |index: usize| fed[index].share.as_nanos() as i128;
        assert!((nanoseconds(0) - 3 * nanoseconds(1)).abs() <= 3);
        assert!((nanoseconds(2) - 2 * nanoseconds(1)).abs() <= 2);
    }
}
