//! ROUGE (Lin, 2004), as the Python package `rouge-score` computes it without its stemmer.

use std::collections::{BTreeSet, HashMap};

use super::tokens::{f1, ngrams, shared};

/// Which overlap is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RougeKind {
    /// Bags of single words (`rouge1`).
    One,
    /// Bags of pairs of words (`rouge2`).
    Two,
    /// The longest common subsequence of the whole texts (`rougeL`).
    L,
    /// The union, for each line of the reference, of its longest common subsequences with the lines
    /// of the prediction (`rougeLsum`).
    LSum,
}

/// Shares from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rouge {
    /// Of the prediction's units, those found in the reference.
    pub precision: f64,
    /// Of the reference's units, those found in the prediction.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f_measure: f64,
}

impl Rouge {
    const ZERO: Self = Self {
        precision: 0.0,
        recall: 0.0,
        f_measure: 0.0,
    };

    fn of(n_hits: usize, n_predicted: usize, n_expected: usize) -> Self {
        let share = |n: usize| n_hits as f64 / n.max(1) as f64;
        let (precision, recall) = (share(n_predicted), share(n_expected));
        Self {
            precision,
            recall,
            f_measure: f1(precision, recall),
        }
    }
}

/// The score against the reference with the highest F-measure, the first of equals; zero where
/// there is no reference.
pub fn rouge<S: AsRef<str>>(kind: RougeKind, prediction: &str, references: &[S]) -> Rouge {
    references
        .iter()
        .map(|reference| one_reference(kind, prediction, reference.as_ref()))
        .reduce(|best, next| {
            if next.f_measure > best.f_measure {
                next
            } else {
                best
            }
        })
        .unwrap_or(Rouge::ZERO)
}

fn one_reference(kind: RougeKind, prediction: &str, reference: &str) -> Rouge {
    match kind {
        RougeKind::One => bags(&tokens(prediction), &tokens(reference), 1),
        RougeKind::Two => bags(&tokens(prediction), &tokens(reference), 2),
        RougeKind::L => {
            let (prediction, reference) = (tokens(prediction), tokens(reference));
            let n_hits = lcs(&reference, &prediction).len();
            Rouge::of(n_hits, prediction.len(), reference.len())
        }
        RougeKind::LSum => lines(&sentences(prediction), &sentences(reference)),
    }
}

/// Runs of ASCII letters and digits in lower case; every other character only separates them.
fn tokens(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|token| !token.is_empty())
        .map(str::to_owned)
        .collect()
}

fn sentences(text: &str) -> Vec<Vec<String>> {
    text.split('\n').map(tokens).collect()
}

fn bags(prediction: &[String], reference: &[String], n: usize) -> Rouge {
    let n_hits = shared(&ngrams(reference, n), &ngrams(prediction, n));
    let n_grams = |tokens: &[String]| (tokens.len() + 1).saturating_sub(n);
    Rouge::of(n_hits, n_grams(prediction), n_grams(reference))
}

fn lines(prediction: &[Vec<String>], reference: &[Vec<String>]) -> Rouge {
    let mut left_in_prediction = bag(prediction);
    let mut left_in_reference = bag(reference);
    let mut n_hits = 0;
    for sentence in reference {
        let union: BTreeSet<usize> = prediction
            .iter()
            .flat_map(|other| lcs(sentence, other))
            .collect();
        for place in union {
            // A token counts no more often than either text has it, as in ROUGE 1.5.5.
            let token = sentence[place].as_str();
            let has_one = |bag: &HashMap<&str, usize>| bag.get(token).is_some_and(|&n| n > 0);
            if has_one(&left_in_prediction) && has_one(&left_in_reference) {
                n_hits += 1;
                for bag in [&mut left_in_prediction, &mut left_in_reference] {
                    bag.entry(token).and_modify(|n| *n -= 1);
                }
            }
        }
    }
    let n_tokens = |text: &[Vec<String>]| text.iter().map(Vec::len).sum();
    Rouge::of(n_hits, n_tokens(prediction), n_tokens(reference))
}

fn bag(text: &[Vec<String>]) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for token in text.iter().flatten() {
        *counts.entry(token.as_str()).or_insert(0) += 1;
    }
    counts
}

/// Places in `reference` of one longest common subsequence: of several, the one that the original
/// reads back from the ends of both texts.
fn lcs(reference: &[String], prediction: &[String]) -> Vec<usize> {
    let width = prediction.len() + 1;
    let mut lengths = vec![0usize; (reference.len() + 1) * width];
    for (i, expected) in reference.iter().enumerate() {
        for (j, found) in prediction.iter().enumerate() {
            lengths[(i + 1) * width + j + 1] = if expected == found {
                lengths[i * width + j] + 1
            } else {
                lengths[i * width + j + 1].max(lengths[(i + 1) * width + j])
            };
        }
    }
    let (mut i, mut j) = (reference.len(), prediction.len());
    let mut places = Vec::new();
    while i > 0 && j > 0 {
        if reference[i - 1] == prediction[j - 1] {
            places.push(i - 1);
            i -= 1;
            j -= 1;
        } else if lengths[i * width + j - 1] > lengths[(i - 1) * width + j] {
            j -= 1;
        } else {
            i -= 1;
        }
    }
    places.reverse();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_said_twice_counts_as_often_as_the_reference_has_it() {
        let score = rouge(RougeKind::One, "the the cat", &["the cat sat on"]);
        assert!((score.precision - 2.0 / 3.0).abs() < 1e-12);
        assert!((score.recall - 0.5).abs() < 1e-12);
        assert!((score.f_measure - 4.0 / 7.0).abs() < 1e-12);
    }

    #[test]
    fn order_matters_to_l_and_lines_matter_to_l_sum() {
        let (prediction, reference) = ("b c\na", ["a\nb c"]);
        let f = |kind| rouge(kind, prediction, &reference).f_measure;
        assert_eq!(f(RougeKind::One), 1.0);
        assert!((f(RougeKind::L) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(f(RougeKind::LSum), 1.0);
    }

    #[test]
    fn no_reference_and_no_word_score_zero() {
        assert_eq!(rouge(RougeKind::L, "a", &[] as &[&str]), Rouge::ZERO);
        assert_eq!(rouge(RougeKind::LSum, "", &[""]), Rouge::ZERO);
    }
}
