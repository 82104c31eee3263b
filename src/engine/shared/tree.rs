//! Which forwards ran on a prompt, and what each of them gave.
//!
//! A forward hangs below the last forward that left rows in the cache on which it ran. A place in this
//! tree therefore says by which forwards every cached row was computed, not only which tokens the rows
//! are of: two caches of the same place hold the same bits, and so do the results of the same forward on
//! them. Caches with the same tokens in rows of other forwards are different places, because a row that
//! was computed in a product of another shape may differ in its last bits.

use std::time::Duration;

use crate::model::lm::{Logits, TokenId};

/// A forward as the model is asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fed<'a> {
    pub tokens: &'a [TokenId],
    /// One position id per token.
    pub positions: &'a [u32],
    pub n_logits: usize,
}

/// What is in a cache: the first `len` of the rows that are there after the forward `last`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheState {
    /// The forward that computed the last row; 0, which is none, for an empty cache.
    last: usize,
    len: usize,
}

impl CacheState {
    pub fn len(&self) -> usize {
        self.len
    }
}

/// What a forward returned and how long it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub logits: Logits,
    pub duration: Duration,
}

#[derive(Debug, Default)]
struct Forward {
    /// The cache on which it ran.
    before: CacheState,
    tokens: Vec<TokenId>,
    positions: Vec<u32>,
    n_logits: usize,
    /// None when there was no room to keep it.
    outcome: Option<Outcome>,
    /// Forwards that ran on rows of this one.
    next: Vec<usize>,
}

/// All forwards of one prompt.
#[derive(Debug)]
pub struct ForwardTree {
    /// Index 0 stands for the empty cache and is no forward; a forward comes behind those whose rows it
    /// saw.
    forwards: Vec<Forward>,
    /// Logits that may still be kept.
    room: usize,
}

impl ForwardTree {
    /// A tree that keeps at most `room` logits, counted in values.
    pub fn new(room: usize) -> Self {
        Self {
            forwards: vec![Forward::default()],
            room,
        }
    }

    /// The forward `fed` on a cache in the state `before`, if it ran already.
    pub fn find(&self, before: CacheState, fed: Fed<'_>) -> Option<usize> {
        let candidates = self.forwards[before.last].next.iter().copied();
        candidates
            .filter(|&index| self.forwards[index].before == before)
            .find(|&index| self.fed(index) == fed)
    }

    /// Adds a forward that [`find`](Self::find) does not know.
    pub fn add(&mut self, before: CacheState, fed: Fed<'_>) -> usize {
        let index = self.forwards.len();
        self.forwards[before.last].next.push(index);
        self.forwards.push(Forward {
            before,
            tokens: fed.tokens.to_vec(),
            positions: fed.positions.to_vec(),
            n_logits: fed.n_logits,
            ..Forward::default()
        });
        index
    }

    /// Remembers what a forward gave, unless its logits find no room.
    pub fn keep(&mut self, forward: usize, logits: &Logits, duration: Duration) {
        let n_values = logits.rows().map(<[f32]>::len).sum();
        if let Some(room) = self.room.checked_sub(n_values) {
            self.room = room;
            self.forwards[forward].outcome = Some(Outcome {
                logits: logits.clone(),
                duration,
            });
        }
    }

    pub fn outcome(&self, forward: usize) -> Option<&Outcome> {
        self.forwards[forward].outcome.as_ref()
    }

    /// The cache behind a forward.
    pub fn after(&self, forward: usize) -> CacheState {
        let Forward { before, tokens, .. } = &self.forwards[forward];
        CacheState {
            last: forward,
            len: before.len + tokens.len(),
        }
    }

    /// The cache `state` without the rows from `len` on.
    pub fn truncated(&self, state: CacheState, len: usize) -> CacheState {
        if len >= state.len {
            return state;
        }
        let mut last = state.last;
        while last != 0 && len <= self.forwards[last].before.len {
            last = self.forwards[last].before.last;
        }
        CacheState { last, len }
    }

    /// The way from a cache in the state `from` to one in the state `to`: the longest part of `from` that
    /// is part of `to`, and the states that follow it. Each of these is reached by running the
    /// forward [`computing`](Self::computing) it once more and dropping the rows behind it.
    pub fn path(&self, from: CacheState, to: CacheState) -> (CacheState, Vec<CacheState>) {
        let mut missing = Vec::new();
        let (mut have, mut want) = (from, to);
        // A forward has a higher number than those before it, so the higher one cannot be shared.
        while have.last != want.last || have.len < want.len {
            if have.last >= want.last {
                have = self.before(have);
            } else {
                missing.push(want);
                want = self.before(want);
            }
        }
        missing.reverse();
        (want, missing)
    }

    /// The forward that computed the last row of a cache.
    ///
    /// # Panics
    /// When the cache is empty.
    pub fn computing(&self, state: CacheState) -> Fed<'_> {
        assert!(state.last != 0, "no forward computes an empty cache");
        self.fed(state.last)
    }

    fn before(&self, state: CacheState) -> CacheState {
        self.forwards[state.last].before
    }

    fn fed(&self, forward: usize) -> Fed<'_> {
        let Forward {
            tokens,
            positions,
            n_logits,
            ..
        } = &self.forwards[forward];
        Fed {
            tokens,
            positions,
            n_logits: *n_logits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: CacheState = CacheState { last: 0, len: 0 };

    fn fed(tokens: &[TokenId]) -> Fed<'_> {
        Fed {
            tokens,
            positions: &[0, 1, 2, 3][..tokens.len()],
            n_logits: 1,
        }
    }

    /// A prompt of 4 rows; a forward of 3 rows of which `kept` stay.
    fn prompt_and_window(tree: &mut ForwardTree, kept: usize) -> (CacheState, CacheState) {
        let prompt = tree.add(EMPTY, fed(&[1, 2, 3, 4]));
        let prompt = tree.after(prompt);
        let window = tree.add(prompt, fed(&[5, 9, 9]));
        let window = tree.truncated(tree.after(window), 4 + kept);
        (prompt, window)
    }

    #[test]
    fn a_forward_is_found_on_the_same_rows_of_the_same_forwards_only() {
        let mut tree = ForwardTree::new(0);
        let (prompt, window) = prompt_and_window(&mut tree, 1);
        assert_eq!(tree.find(EMPTY, fed(&[1, 2, 3, 4])), Some(1));
        assert_eq!(tree.find(prompt, fed(&[5, 9, 9])), Some(2));
        assert_eq!(tree.find(window, fed(&[5, 9, 9])), None);
        let other_position = Fed {
            positions: &[0, 1, 3],
            ..fed(&[5, 9, 9])
        };
        assert_eq!(tree.find(prompt, other_position), None);
        let more_logits = Fed {
            n_logits: 2,
            ..fed(&[5, 9, 9])
        };
        assert_eq!(tree.find(prompt, more_logits), None);
        // The same five tokens, computed in one forward: another cache.
        let at_once = tree.add(EMPTY, fed(&[1, 2, 3]));
        let at_once = tree.after(at_once);
        assert_ne!(tree.truncated(prompt, 3), at_once);
        assert_eq!(tree.find(at_once, fed(&[5, 9, 9])), None);
    }

    #[test]
    fn a_cache_without_rows_of_a_forward_is_the_cache_before_it() {
        let mut tree = ForwardTree::new(0);
        let (prompt, window) = prompt_and_window(&mut tree, 1);
        assert_eq!((prompt.len(), window.len()), (4, 5));
        assert_eq!(tree.truncated(window, 9), window);
        assert_eq!(tree.truncated(window, 4), prompt);
        assert_eq!(tree.truncated(window, 2), CacheState { last: 1, len: 2 });
        assert_eq!(tree.truncated(window, 0), EMPTY);
    }

    #[test]
    fn the_way_to_a_cache_starts_from_the_rows_that_both_have() {
        let mut tree = ForwardTree::new(0);
        let (prompt, window) = prompt_and_window(&mut tree, 2);
        let other = tree.add(prompt, fed(&[6, 9]));
        let other = tree.after(other);
        // Rows of the prompt stay, the forward of the window follows.
        assert_eq!(tree.path(other, window), (prompt, vec![window]));
        assert_eq!(tree.path(window, other), (prompt, vec![other]));
        assert_eq!(tree.path(other, prompt), (prompt, vec![]));
        // A part of the same forward: rows are dropped. More of it: it has to run again.
        let shorter = tree.truncated(window, 5);
        assert_eq!(tree.path(window, shorter), (shorter, vec![]));
        assert_eq!(tree.path(shorter, window), (prompt, vec![window]));
        assert_eq!(tree.path(EMPTY, window), (EMPTY, vec![prompt, window]));
        assert_eq!(tree.computing(window), fed(&[5, 9, 9]));
    }

    #[test]
    fn logits_are_kept_as_long_as_there_is_room() {
        let mut tree = ForwardTree::new(5);
        let (_, _) = prompt_and_window(&mut tree, 1);
        let logits = Logits::new(vec![0.5; 3], 3);
        tree.keep(1, &logits, Duration::from_millis(2));
        tree.keep(2, &logits, Duration::from_millis(3));
        let kept = tree.outcome(1).unwrap();
        assert_eq!((&kept.logits, kept.duration.as_millis()), (&logits, 2));
        assert_eq!(tree.outcome(2), None);
    }
}
