//! The final answer of a text as lm-evaluation-harness finds it, in its task `gsm8k`.
//!
//! The patterns are those of the task's YAML: the filters `strict-match` and `flexible-extract`, and
//! what the metric `exact_match` leaves out before it compares.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// How the answer is found in a generated text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extraction {
    /// The harness's `strict-match`: the first number behind `#### `.
    Strict,
    /// The harness's `flexible-extract`: the last number of the text.
    Flexible,
}

struct Patterns {
    strict: Regex,
    flexible: Regex,
    /// `regexes_to_ignore`, one after the other.
    ignored: [Regex; 4],
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let pattern = |text| Regex::new(text).expect("the pattern is valid");
    Patterns {
        strict: pattern(r"#### (-?[0-9.,]+)"),
        flexible: pattern(r"(-?[$0-9.,]{2,})|(-?[0-9]+)"),
        ignored: [",", r"\$", "(?s).*#### ", r"\.$"].map(pattern),
    }
});

/// What the harness takes for the answer of a text without one.
const INVALID: &str = "[invalid]";

/// The answer that the harness's filter finds in a text.
pub fn extracted(rule: Extraction, text: &str) -> &str {
    let found = match rule {
        Extraction::Strict => PATTERNS
            .strict
            .captures(text)
            .and_then(|found| found.get(1)),
        Extraction::Flexible => PATTERNS.flexible.find_iter(text).last(),
    };
    found.map_or(INVALID, |found| found.as_str().trim())
}

/// The harness's `exact_match` of the answer found in `generated` and a reference solution.
pub fn harness_match(rule: Extraction, generated: &str, reference: &str) -> bool {
    compared(extracted(rule, generated)) == compared(reference)
}

fn compared(text: &str) -> String {
    let plain = PATTERNS
        .ignored
        .iter()
        .fold(text.to_owned(), |text, pattern| {
            pattern.replace_all(&text, "").into_owned()
        });
    plain.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text, and the answers that Python finds in it with the harness's patterns.
    const CASES: &[(&str, &str, &str)] = &[
        ("3*4=<<3*4=12>>12.\n#### 12", "12", "12"),
        ("#### 1,234.", "1,234.", "1,234."),
        ("#### $5", "[invalid]", "$5"),
        ("####5", "[invalid]", "5"),
        ("#### -3\n#### 4", "-3", "4"),
        ("So 12 pens. The answer is 7.", "[invalid]", "7."),
        ("It costs $1,000.50 in all", "[invalid]", "$1,000.50"),
        ("2-3", "[invalid]", "-3"),
        ("5 - 3 = 2", "[invalid]", "2"),
        ("well, ...", "[invalid]", "..."),
        ("#### .", ".", "[invalid]"),
        ("none", "[invalid]", "[invalid]"),
        ("", "[invalid]", "[invalid]"),
    ];

    #[test]
    fn both_filters_find_what_the_patterns_find_in_python() {
        for &(text, strict, flexible) in CASES {
            assert_eq!(extracted(Extraction::Strict, text), strict, "{text:?}");
            assert_eq!(extracted(Extraction::Flexible, text), flexible, "{text:?}");
        }
    }

    #[test]
    fn commas_dollars_a_last_point_and_the_reference_s_reasoning_do_not_count() {
        let reference = "It is 1000+5.\n#### 1,005";
        for text in ["#### 1005", "#### 1,005.", "so\n#### 1005\nQuestion: 2+2"] {
            assert!(harness_match(Extraction::Strict, text, reference), "{text}");
        }
        assert!(harness_match(
            Extraction::Flexible,
            "It is $1,005.",
            reference
        ));
        assert!(!harness_match(
            Extraction::Strict,
            "It is $1,005.",
            reference
        ));
        // Compared as texts, not as numbers.
        assert!(!harness_match(Extraction::Strict, "#### 1005.0", reference));
        assert!(!harness_match(
            Extraction::Flexible,
            "#### 1005\nQuestion: 7",
            reference
        ));
    }
}
