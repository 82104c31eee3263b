//! The final answer of a text in GSM8K's form, and whether a text is the right one.

/// The number after the first `####` of a text, normalised, or `None` where there is none.
///
/// The first marker counts, not the last: a model that runs on past its answer must not be rescued
/// by later text. The number must stand on the marker's line. Commas, `$` and a trailing `.` are
/// dropped; leading zeros, a fraction of zeros and the sign of zero go as well (`-0` is `0`,
/// `12.0` is `12`). A number that goes on as something else (`7/2`, `7th`) is no answer.
pub fn final_answer(text: &str) -> Option<String> {
    let (_, after) = text.split_once("####")?;
    normalised(after.lines().next()?)
}

/// The words after the first `####` of a text, on the marker's line and without the space around
/// them, or `None` where there are none.
pub fn final_words(text: &str) -> Option<String> {
    let (_, after) = text.split_once("####")?;
    let words = after.lines().next()?.trim();
    (!words.is_empty()).then(|| words.to_owned())
}

/// Whether the generated text ends in the expected answer (`answer`: it alone).
///
/// An answer that is a number is compared as one, by [`final_answer`]; any other word by word, by
/// [`final_words`].
pub fn exact_match(generated: &str, answer: &str) -> bool {
    match normalised(answer) {
        Some(expected) => final_answer(generated) == Some(expected),
        None => final_words(generated).is_some_and(|found| found == answer.trim()),
    }
}

/// Whether two texts are equal but for white space around them and at the ends of their lines.
pub fn same_text(generated: &str, reference: &str) -> bool {
    let lines = |text| str::lines(str::trim(text)).map(str::trim_end);
    lines(generated).eq(lines(reference))
}

/// The number that a line begins with, in one spelling per value.
fn normalised(line: &str) -> Option<String> {
    let plain: String = line.chars().filter(|&c| c != ',' && c != '$').collect();
    let plain = plain.trim();
    let (is_negative, unsigned) = match plain.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, plain),
    };
    let (integer, rest) = split_digits(unsigned);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest),
        None => ("", rest),
    };
    if integer.is_empty() && fraction.is_empty() {
        return None;
    }
    if rest.starts_with(|c: char| c.is_alphanumeric() || "+-*/=.<".contains(c)) {
        return None;
    }
    let integer = match integer.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let fraction = fraction.trim_end_matches('0');
    let magnitude = if fraction.is_empty() {
        integer.to_owned()
    } else {
        format!("{integer}.{fraction}")
    };
    let has_sign = is_negative && magnitude != "0";
    Some(if has_sign {
        format!("-{magnitude}")
    } else {
        magnitude
    })
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_of_a_number_has_one_form() {
        let cases = [
            ("#### 7", Some("7")),
            ("####7", Some("7")),
            ("3*4=<<3*4=12>>12.\n#### 12\nQuestion: next", Some("12")),
            ("#### 1,234", Some("1234")),
            ("#### $1,234.", Some("1234")),
            ("#### -$5", Some("-5")),
            ("#### $-5", Some("-5")),
            ("#### -0", Some("0")),
            ("#### 007", Some("7")),
            ("#### 0", Some("0")),
            ("#### 12.0", Some("12")),
            ("#### 12.50", Some("12.5")),
            ("#### .5", Some("0.5")),
            ("#### 7 pens", Some("7")),
            ("#### 50%", Some("50")),
            ("#### 7<|end|>", None),
            ("#### 7/2", None),
            ("#### 7th", None),
            ("#### 1.2.3", None),
            ("####\n7", None),
            ("####", None),
            ("#### seven", None),
            ("#### -", None),
            ("#### .", None),
            ("the answer is 7", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(final_answer(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn later_text_does_not_rescue_a_wrong_or_missing_answer() {
        assert_eq!(final_answer("#### 7\n#### 8").as_deref(), Some("7"));
        assert!(!exact_match("#### 7\n#### 8", "8"));
        assert!(!exact_match("#### none\n#### 8", "8"));
    }

    #[test]
    fn words_are_compared_as_they_stand() {
        assert!(exact_match("He has it.\n#### Tom", "Tom"));
        assert!(exact_match("####  the village \nmore", "the village"));
        assert!(!exact_match("#### Tom and Mia", "Tom"));
        assert!(!exact_match("#### tom", "Tom"));
        assert!(!exact_match("#### Mia\n#### Tom", "Tom"));
        assert!(!exact_match("Tom", "Tom"));
        assert_eq!(final_words("####\nTom"), None);
    }

    #[test]
    fn both_sides_are_normalised() {
        assert!(exact_match("so\n#### 1,000.00", "1000"));
        assert!(exact_match("#### 1000", "$1,000"));
        assert!(!exact_match("#### 100", "1000"));
        assert!(!exact_match("1000", "1000"));
        assert!(!exact_match("#### ", ""));
    }
}
