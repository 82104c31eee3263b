//! Decoders: what they feed to the models, keep and count. Decisions are made in `policy`.

pub mod autoregressive;
pub mod batch;
pub(crate) mod choice;
mod clock;
pub(crate) mod ending;
pub(crate) mod prompt;
pub mod session;
pub mod shared;
pub mod speculative;
pub mod step;
pub mod window;
pub mod window_draft;
