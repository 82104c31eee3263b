//! Decisions as pure functions: slices in, values out, chance an argument.

pub mod accept;
pub mod entropy;
pub mod noise;
mod peak;
pub mod sample;
pub mod select;
pub mod stop;
pub mod window;

/// A parameter outside the range in which its rule means anything.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{field} is {value}: it must be {allowed}")]
pub struct OutOfRange {
    /// Path of the key as YAML spells it, e.g. `entropy.alpha`.
    pub field: &'static str,
    pub value: String,
    pub allowed: &'static str,
}

/// # Errors
/// [`OutOfRange`] naming `field` when `is_allowed` is false.
pub(crate) fn require(
    is_allowed: bool,
    field: &'static str,
    value: impl ToString,
    allowed: &'static str,
) -> Result<(), OutOfRange> {
    if is_allowed {
        return Ok(());
    }
    Err(OutOfRange {
        field,
        value: value.to_string(),
        allowed,
    })
}
