//! chrF (Popović, 2015) and chrF++ (Popović, 2017), as sacrebleu computes them by default: 6-grams
//! of characters without white space, β = 2, averages over the orders that both texts have.

use super::tokens::{ngrams, shared, words};

const CHARACTER_ORDER: usize = 6;
const BETA: f64 = 2.0;

/// Which n-grams are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChrfKind {
    /// Characters only (`chrF2`).
    Chrf,
    /// Characters, words and pairs of words (`chrF2++`).
    ChrfPlusPlus,
}

impl ChrfKind {
    fn word_order(self) -> usize {
        match self {
            Self::Chrf => 0,
            Self::ChrfPlusPlus => 2,
        }
    }
}

/// What chrF needs to know of one segment, or of many: one entry for each order of n-grams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChrfCounts {
    orders: Vec<OrderCounts>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct OrderCounts {
    hypothesis: usize,
    reference: usize,
    matched: usize,
}

impl ChrfCounts {
    /// The counts against the reference that gives the highest score, the first of equals.
    pub fn of<S: AsRef<str>>(kind: ChrfKind, hypothesis: &str, references: &[S]) -> Self {
        references
            .iter()
            .map(|reference| Self::of_one(kind, hypothesis, reference.as_ref()))
            .reduce(|best, next| {
                if next.score() > best.score() {
                    next
                } else {
                    best
                }
            })
            .unwrap_or_default()
    }

    fn of_one(kind: ChrfKind, hypothesis: &str, reference: &str) -> Self {
        let (h, r) = (characters(hypothesis), characters(reference));
        let by_character = (1..=CHARACTER_ORDER).map(|order| order_counts(&h, &r, order));
        let (h, r) = (split_words(hypothesis), split_words(reference));
        let by_word = (1..=kind.word_order()).map(|order| order_counts(&h, &r, order));
        Self {
            orders: by_character.chain(by_word).collect(),
        }
    }

    fn add(&mut self, other: &Self) {
        let n_orders = self.orders.len().max(other.orders.len());
        self.orders.resize(n_orders, OrderCounts::default());
        for (sum, more) in self.orders.iter_mut().zip(&other.orders) {
            sum.hypothesis += more.hypothesis;
            sum.reference += more.reference;
            sum.matched += more.matched;
        }
    }

    fn score(&self) -> f64 {
        let (mut precision, mut recall, mut n_orders) = (0.0, 0.0, 0.0);
        for order in &self.orders {
            if order.hypothesis > 0 && order.reference > 0 {
                precision += order.matched as f64 / order.hypothesis as f64;
                recall += order.matched as f64 / order.reference as f64;
                n_orders += 1.0;
            }
        }
        if precision + recall == 0.0 {
            return 0.0;
        }
        let (precision, recall) = (precision / n_orders, recall / n_orders);
        let factor = BETA * BETA;
        100.0 * (1.0 + factor) * precision * recall / (factor * precision + recall)
    }
}

/// chrF of a corpus from the counts of its segments, 0 to 100.
pub fn corpus_chrf(segments: impl IntoIterator<Item = ChrfCounts>) -> f64 {
    let mut sum = ChrfCounts::default();
    for segment in segments {
        sum.add(&segment);
    }
    sum.score()
}

/// chrF of one segment, 0 to 100; 0 where there is no reference.
pub fn sentence_chrf<S: AsRef<str>>(kind: ChrfKind, hypothesis: &str, references: &[S]) -> f64 {
    ChrfCounts::of(kind, hypothesis, references).score()
}

fn order_counts<T: Eq + std::hash::Hash>(
    hypothesis: &[T],
    reference: &[T],
    order: usize,
) -> OrderCounts {
    let (found, expected) = (ngrams(hypothesis, order), ngrams(reference, order));
    let n_expected = expected.values().sum();
    OrderCounts {
        // An order that the reference is too short for does not count against the hypothesis,
        // not even once the segments of a corpus are summed.
        hypothesis: if n_expected == 0 {
            0
        } else {
            found.values().sum()
        },
        reference: n_expected,
        matched: shared(&found, &expected),
    }
}

fn characters(text: &str) -> Vec<char> {
    words(text).into_iter().flat_map(str::chars).collect()
}

/// Words with one mark of ASCII punctuation split off: at the end, or else at the beginning.
fn split_words(text: &str) -> Vec<&str> {
    let is_mark = |c: char| c.is_ascii_punctuation();
    let mut split = Vec::new();
    for word in words(text) {
        if word.chars().nth(1).is_none() {
            split.push(word);
        } else if word.ends_with(is_mark) {
            let (rest, mark) = word.split_at(word.len() - 1);
            split.extend([rest, mark]);
        } else if word.starts_with(is_mark) {
            let (mark, rest) = word.split_at(1);
            split.extend([mark, rest]);
        } else {
            split.push(word);
        }
    }
    split
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_does_not_count_and_recall_weighs_four_times() {
        let chrf = |h: &str, r: &str| sentence_chrf(ChrfKind::Chrf, h, &[r]);
        assert!((chrf("a b c", "abc") - 100.0).abs() < 1e-9);
        // Single characters: precision 1, recall 1/2; pairs are missing on one side.
        assert!((chrf("a", "ab") - 100.0 * 5.0 * 0.5 / 4.5).abs() < 1e-9);
        assert!((chrf("ab", "a") - 100.0 * 5.0 * 0.5 / 3.0).abs() < 1e-9);
        assert_eq!(chrf("", "abc"), 0.0);
    }

    #[test]
    fn one_mark_is_split_off_each_word() {
        assert_eq!(split_words("(hi) \"so ."), ["(hi", ")", "\"", "so", "."]);
    }
}
