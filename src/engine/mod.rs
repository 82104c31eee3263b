//! Decoders: what they feed to the models, keep and count. Decisions are made in `policy`.

pub mod autoregressive;
pub mod batch;
mod choice;
mod clock;
mod ending;
mod prompt;
pub mod session;
pub mod speculative;
pub mod step;
pub mod window;
pub mod window_draft;
