use crate::policy::{OutOfRange, require};

pub(super) fn require_weight(value: f64, field: &'static str) -> Result<(), OutOfRange> {
    require(value > 0.0 && value <= 1.0, field, value, "in (0, 1]")
}

pub(super) fn require_share(value: f64, field: &'static str) -> Result<(), OutOfRange> {
    require((0.0..=1.0).contains(&value), field, value, "in [0, 1]")
}
