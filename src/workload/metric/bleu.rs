//! BLEU (Papineni et al., 2002), as sacrebleu computes it by default: tokenizer 13a, mixed case,
//! 4-grams, exponential smoothing (method 3 of Chen and Cherry, 2014).

use std::collections::HashMap;
use std::ops::AddAssign;

use super::tokens::{is_space, ngrams, shared, words};

const MAX_ORDER: usize = 4;

/// What BLEU needs to know of one segment, or of many: counts add up, scores do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BleuCounts {
    /// n-grams of the hypothesis that a reference has too, by order from 1 to 4.
    pub matched: [usize; MAX_ORDER],
    /// n-grams of the hypothesis.
    pub total: [usize; MAX_ORDER],
    pub hypothesis_len: usize,
    /// Length of the reference nearest in length, the shorter of two as near.
    pub reference_len: usize,
}

impl BleuCounts {
    pub fn of<S: AsRef<str>>(hypothesis: &str, references: &[S]) -> Self {
        let hypothesis = tokenized(hypothesis);
        let hypothesis = words(&hypothesis);
        let references: Vec<String> = references
            .iter()
            .map(|reference| tokenized(reference.as_ref()))
            .collect();
        let references: Vec<Vec<&str>> = references.iter().map(|text| words(text)).collect();
        let distance = |len: usize| len.abs_diff(hypothesis.len());
        let nearest = references
            .iter()
            .map(Vec::len)
            .min_by_key(|&len| (distance(len), len));
        let mut counts = Self {
            hypothesis_len: hypothesis.len(),
            reference_len: nearest.unwrap_or(0),
            ..Self::default()
        };
        for order in 1..=MAX_ORDER {
            let mut allowed: HashMap<&[&str], usize> = HashMap::new();
            for reference in &references {
                for (gram, count) in ngrams(reference, order) {
                    let most = allowed.entry(gram).or_insert(0);
                    *most = count.max(*most);
                }
            }
            let found = ngrams(&hypothesis, order);
            counts.total[order - 1] = found.values().sum();
            counts.matched[order - 1] = shared(&found, &allowed);
        }
        counts
    }

    /// `orders`: which n-gram orders the geometric mean is over.
    fn score(&self, orders: Orders) -> f64 {
        if self.matched.iter().all(|&n| n == 0) {
            return 0.0;
        }
        let n_orders = self.total.iter().take_while(|&&total| total > 0).count();
        if n_orders < MAX_ORDER && orders == Orders::All {
            return 0.0;
        }
        let mut smoothing = 1.0;
        let mut log_sum = 0.0;
        for (&matched, &total) in self.matched.iter().zip(&self.total).take(n_orders) {
            let precision = if matched == 0 {
                smoothing *= 2.0;
                100.0 / (smoothing * total as f64)
            } else {
                100.0 * matched as f64 / total as f64
            };
            log_sum += precision.ln();
        }
        self.brevity_penalty() * (log_sum / n_orders as f64).exp()
    }

    fn brevity_penalty(&self) -> f64 {
        if self.hypothesis_len < self.reference_len {
            (1.0 - self.reference_len as f64 / self.hypothesis_len as f64).exp()
        } else {
            1.0
        }
    }
}

impl AddAssign for BleuCounts {
    fn add_assign(&mut self, other: Self) {
        for order in 0..MAX_ORDER {
            self.matched[order] += other.matched[order];
            self.total[order] += other.total[order];
        }
        self.hypothesis_len += other.hypothesis_len;
        self.reference_len += other.reference_len;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Orders {
    /// 1 to 4: a corpus without any 4-gram scores 0.
    All,
    /// Only those that the hypothesis is long enough for (`effective_order`).
    Effective,
}

/// BLEU of a corpus from the counts of its segments, 0 to 100.
pub fn corpus_bleu(segments: impl IntoIterator<Item = BleuCounts>) -> f64 {
    let mut sum = BleuCounts::default();
    for segment in segments {
        sum += segment;
    }
    sum.score(Orders::All)
}

/// BLEU of one segment, 0 to 100, with effective order, as sacrebleu recommends for sentences.
///
/// Its mean over segments is not the corpus's BLEU.
pub fn sentence_bleu<S: AsRef<str>>(hypothesis: &str, references: &[S]) -> f64 {
    BleuCounts::of(hypothesis, references).score(Orders::Effective)
}

/// The text with spaces between the tokens of mteval-v13a.
fn tokenized(text: &str) -> String {
    let mut line = text
        .trim_end_matches(is_space)
        .replace("<skipped>", "")
        .replace("-\n", "")
        .replace('\n', " ");
    // In this order, so that `&amp;lt;` becomes `<`.
    for (entity, plain) in [
        ("&quot;", "\""),
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ] {
        line = line.replace(entity, plain);
    }
    let mut spaced = String::with_capacity(2 * line.len());
    spaced.push(' ');
    for c in line.chars() {
        if is_always_split(c) {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    spaced.push(' ');
    let is_digit = |c: char| c.is_ascii_digit();
    let is_point = |c: char| c == '.' || c == ',';
    // Each pass sees the spaces of the one before, as the original's substitutions do.
    let spaced = pairs(&spaced, |a, b| !is_digit(a) && is_point(b), [0, 1, 1]);
    let spaced = pairs(&spaced, |a, b| is_point(a) && !is_digit(b), [1, 1, 0]);
    pairs(&spaced, |a, b| is_digit(a) && b == '-', [0, 1, 1])
}

/// ASCII punctuation and symbols but for `'`, `,`, `-` and `.`.
fn is_always_split(c: char) -> bool {
    c.is_ascii_punctuation() && !matches!(c, '\'' | ',' | '-' | '.')
}

/// Puts `spaces` before, between and after each pair of neighbours that `is_match` holds of.
/// Matches are taken from the left and do not overlap.
fn pairs(text: &str, is_match: impl Fn(char, char) -> bool, spaces: [usize; 3]) -> String {
    let mut out = String::with_capacity(2 * text.len());
    let mut rest = text.chars().peekable();
    while let Some(a) = rest.next() {
        match rest.next_if(|&b| is_match(a, b)) {
            Some(b) => {
                let [before, between, after] = spaces;
                out.extend(std::iter::repeat_n(' ', before));
                out.push(a);
                out.extend(std::iter::repeat_n(' ', between));
                out.push(b);
                out.extend(std::iter::repeat_n(' ', after));
            }
            None => out.push(a),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> String {
        words(&tokenized(text)).join(" ")
    }

    #[test]
    fn points_split_unless_they_stand_between_digits_and_dashes_after_a_digit() {
        assert_eq!(tokens("Pay $3,000.50."), "Pay $ 3,000.50 .");
        assert_eq!(
            tokens("well-known, 1990-95 don't"),
            "well-known , 1990 - 95 don't"
        );
        assert_eq!(tokens("a &amp;lt; b (c)"), "a < b ( c )");
        assert_eq!(tokens("hyphen-\nated"), "hyphenated");
    }

    #[test]
    fn a_text_against_itself_scores_100_and_against_nothing_0() {
        let text = "The cat sat on the mat.";
        assert!((sentence_bleu(text, &[text]) - 100.0).abs() < 1e-9);
        assert!((sentence_bleu("cat", &["cat"]) - 100.0).abs() < 1e-9);
        assert_eq!(corpus_bleu([BleuCounts::of("cat", &["cat"])]), 0.0);
        assert_eq!(sentence_bleu("", &[text]), 0.0);
        assert_eq!(sentence_bleu(text, &[] as &[&str]), 0.0);
    }

    #[test]
    fn half_the_length_costs_a_factor_of_e() {
        let score = sentence_bleu(
            "one two three four",
            &["one two three four five six seven eight"],
        );
        assert!((score - 100.0 * (-1f64).exp()).abs() < 1e-9, "{score}");
    }
}
