//! One step of a worked answer, computed rather than typed, so that its text cannot be wrong.

use std::fmt;

/// One calculation; displays as GSM8K writes it, `3*4=<<3*4=12>>12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    left: u32,
    operator: char,
    right: u32,
    value: u32,
}

impl From<Step> for u32 {
    fn from(step: Step) -> Self {
        step.value
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            left,
            operator,
            right,
            value,
        } = self;
        write!(
            f,
            "{left}{operator}{right}=<<{left}{operator}{right}={value}>>{value}"
        )
    }
}

/// `left + right`, at most 150.
pub(super) fn add(left: impl Into<u32>, right: impl Into<u32>) -> Step {
    let (left, right) = (left.into(), right.into());
    step(left, '+', right, left + right)
}

/// `left - right`, at least 2: a plural noun can follow any value.
pub(super) fn sub(left: impl Into<u32>, right: impl Into<u32>) -> Step {
    let (left, right) = (left.into(), right.into());
    assert!(left >= right + 2, "{left}-{right} leaves no plural");
    step(left, '-', right, left - right)
}

/// `left * right`, within the times table of 2..=9 by 2..=12 in either order.
pub(super) fn mul(left: impl Into<u32>, right: impl Into<u32>) -> Step {
    let (left, right) = (left.into(), right.into());
    assert_in_times_table(left, right);
    step(left, '*', right, left * right)
}

/// `left / right`, exact, with a divisor in 2..=10 and a quotient in 2..=12.
pub(super) fn div(left: impl Into<u32>, right: impl Into<u32>) -> Step {
    let (left, right) = (left.into(), right.into());
    assert!((2..=10).contains(&right), "divisor of {left}/{right}");
    assert_eq!(left % right, 0, "{left}/{right} is not exact");
    let value = left / right;
    assert!((2..=12).contains(&value), "quotient of {left}/{right}");
    step(left, '/', right, value)
}

fn assert_in_times_table(left: u32, right: u32) {
    let (low, high) = (left.min(right), left.max(right));
    assert!(
        (2..=9).contains(&low) && (2..=12).contains(&high),
        "{left}*{right} is outside the times table"
    );
}

fn step(left: u32, operator: char, right: u32, value: u32) -> Step {
    assert!(
        (2..=150).contains(&value),
        "{left}{operator}{right}={value} is outside 2..=150"
    );
    Step {
        left,
        operator,
        right,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_shows_its_calculation_twice_and_its_value() {
        let total = mul(3u32, 4u32);
        assert_eq!(total.to_string(), "3*4=<<3*4=12>>12");
        assert_eq!(sub(total, 5u32).to_string(), "12-5=<<12-5=7>>7");
        assert_eq!(div(total, 6u32).to_string(), "12/6=<<12/6=2>>2");
    }

    #[test]
    #[should_panic(expected = "is not exact")]
    fn a_division_with_a_remainder_is_refused() {
        div(13u32, 4u32);
    }
}
