//! How numbers are printed, the same in every output.

use crate::stats::interval::Interval;

/// Stands for a number that does not exist.
pub const NOTHING: &str = "–";

/// `1.62 [1.55, 1.70]`, or `1.00` for a constant; the surrounding text states the confidence.
pub fn interval(interval: &Interval, decimals: usize) -> String {
    let estimate = number(interval.estimate, decimals);
    if interval.confidence >= 1.0 {
        return estimate;
    }
    if interval.is_bounded() {
        let low = number(interval.low, decimals);
        let high = number(interval.high, decimals);
        format!("{estimate} [{low}, {high}]")
    } else {
        format!("{estimate} [no interval]")
    }
}

pub fn optional_interval(value: Option<Interval>, decimals: usize) -> String {
    value.map_or(NOTHING.to_owned(), |value| interval(&value, decimals))
}

/// A number with a true minus sign, or a dash when it is not finite.
pub fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    let text = format!("{value:.decimals$}");
    // Rounding can leave "-0.00".
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().any(|b| b.is_ascii_digit() && b != b'0') => {
            format!("−{digits}")
        }
        Some(digits) => digits.to_owned(),
        None => text,
    }
}

pub fn optional_number(value: Option<f64>, decimals: usize) -> String {
    value.map_or(NOTHING.to_owned(), |value| number(value, decimals))
}

/// `+3 % [−1, +7]` for the ratio 1.03 [0.99, 1.07].
pub fn gain(ratio: &Interval) -> String {
    let percent = |ratio: f64| {
        let digits = number((ratio - 1.0) * 100.0, 1);
        if digits.starts_with('−') || digits == NOTHING || digits == "0.0" {
            digits
        } else {
            format!("+{digits}")
        }
    };
    let estimate = percent(ratio.estimate);
    if ratio.is_bounded() {
        format!(
            "{estimate} % [{}, {}]",
            percent(ratio.low),
            percent(ratio.high)
        )
    } else {
        format!("{estimate} % [no interval]")
    }
}

/// The text with blanks for control characters, which would break lines or steer a terminal.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// At most `width` characters, the middle replaced by `…`: labels differ at their ends.
pub fn shortened(text: &str, width: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let head = (width - 1).div_ceil(2);
    let tail = width - 1 - head;
    characters[..head]
        .iter()
        .chain(['…'].iter())
        .chain(&characters[characters.len() - tail..])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::interval::Confidence;

    fn ratio(estimate: f64, low: f64, high: f64) -> Interval {
        Interval {
            estimate,
            low,
            high,
            confidence: 0.95,
        }
    }

    #[test]
    fn an_estimate_is_printed_with_its_interval() {
        assert_eq!(interval(&ratio(1.618, 1.55, 1.7), 2), "1.62 [1.55, 1.70]");
    }

    #[test]
    fn a_missing_interval_is_said_not_shown_as_infinity() {
        assert_eq!(interval(&Interval::exact(1.0), 2), "1.00");
        let one_prompt = Interval::unbounded(1.5, Confidence::P95);
        assert_eq!(interval(&one_prompt, 2), "1.50 [no interval]");
        assert_eq!(number(f64::NAN, 2), NOTHING);
    }

    #[test]
    fn a_gain_has_a_sign_unless_it_rounds_to_zero() {
        assert_eq!(gain(&ratio(1.03, 0.99, 1.07)), "+3.0 % [−1.0, +7.0]");
        assert_eq!(gain(&ratio(0.9999, 0.5, 1.0)), "0.0 % [−50.0, 0.0]");
    }

    #[test]
    fn a_long_label_keeps_both_ends() {
        assert_eq!(shortened("ebsd theta=1.5 kind=renyi", 11), "ebsd …renyi");
        assert_eq!(shortened("short", 11), "short");
        assert_eq!(shortened("ab", 1), "…");
        assert_eq!(shortened("ab", 0), "");
    }
}
