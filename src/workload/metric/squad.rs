//! Exact match and F1 of short answers: the evaluation of SQuAD v1.1 (Rajpurkar et al., 2016),
//! also the usual one for Natural Questions' short answers.

use super::tokens::{f1, ngrams, shared, words};

/// Whether the prediction equals one of the references once both are normalised.
///
/// Normalised: in lower case, without ASCII punctuation, without the words a, an, the, and with
/// single spaces. False where there is no reference.
pub fn is_answer_exact<S: AsRef<str>>(prediction: &str, references: &[S]) -> bool {
    let prediction = normalised(prediction);
    references
        .iter()
        .any(|reference| normalised(reference.as_ref()) == prediction)
}

/// F1 of the bags of normalised words, 0 to 1; the best over the references, 0 where there is none.
///
/// Two texts without a word have F1 0, as in the original, though they match exactly.
pub fn answer_f1<S: AsRef<str>>(prediction: &str, references: &[S]) -> f64 {
    let prediction = normalised(prediction);
    let found = words(&prediction);
    references
        .iter()
        .map(|reference| {
            let reference = normalised(reference.as_ref());
            let expected = words(&reference);
            let n_shared = shared(&ngrams(&found, 1), &ngrams(&expected, 1));
            if n_shared == 0 {
                return 0.0;
            }
            let n_shared = n_shared as f64;
            f1(
                n_shared / found.len() as f64,
                n_shared / expected.len() as f64,
            )
        })
        .fold(0.0, f64::max)
}

fn normalised(text: &str) -> String {
    let plain: String = text
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_ascii_punctuation())
        .collect();
    words(&without_articles(&plain)).join(" ")
}

/// A space in place of each article. A word here is a run of letters and digits, so that a dash or
/// a curly quote, which is no ASCII punctuation, ends it: `the–end` loses its article.
fn without_articles(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = first.is_alphanumeric();
        let len = rest
            .find(|c: char| c.is_alphanumeric() != is_word)
            .unwrap_or(rest.len());
        let (run, after) = rest.split_at(len);
        kept.push_str(if matches!(run, "a" | "an" | "the") {
            " "
        } else {
            run
        });
        rest = after;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_punctuation_articles_and_white_space_do_not_count() {
        assert_eq!(normalised("  The U.S.A.,\tan  Ally "), "usa ally");
        assert_eq!(normalised("A-the_An"), "athean");
        assert_eq!(normalised("the–end of theory"), "–end of theory");
        assert!(is_answer_exact("the Eiffel Tower!", &["Eiffel tower"]));
        assert!(!is_answer_exact("Eiffel", &["Eiffel tower"]));
    }

    #[test]
    fn half_of_the_words_right_twice_over_is_an_f1_of_one_half() {
        let f1 = answer_f1("red blue", &["red green"]);
        assert!((f1 - 0.5).abs() < 1e-12, "{f1}");
        assert_eq!(answer_f1("red blue", &["green", "blue red"]), 1.0);
        assert_eq!(answer_f1("red", &[] as &[&str]), 0.0);
    }
}
