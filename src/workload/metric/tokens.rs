//! Words and n-grams, counted as the Python programs count them.

use std::collections::HashMap;
use std::hash::Hash;

/// White space as Python's `str.split` sees it: Unicode's, and four ASCII separators besides.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The pieces between white space, without empty ones.
pub(super) fn words(text: &str) -> Vec<&str> {
    text.split(is_space)
        .filter(|word| !word.is_empty())
        .collect()
}

/// How often each n-gram occurs; `n` is at least 1.
pub(super) fn ngrams<T: Eq + Hash>(items: &[T], n: usize) -> HashMap<&[T], usize> {
    let mut counts = HashMap::new();
    for gram in items.windows(n) {
        *counts.entry(gram).or_insert(0) += 1;
    }
    counts
}

/// Elements that two bags share, each as often as the bag that has fewer of it.
pub(super) fn shared<K: Eq + Hash>(one: &HashMap<K, usize>, other: &HashMap<K, usize>) -> usize {
    one.iter()
        .filter_map(|(key, &count)| other.get(key).map(|&there| count.min(there)))
        .sum()
}

/// `2·precision·recall / (precision + recall)`, and 0 where both are 0.
pub(super) fn f1(precision: f64, recall: f64) -> f64 {
    if precision + recall > 0.0 {
        2.0 * precision * recall / (precision + recall)
    } else {
        0.0
    }
}
