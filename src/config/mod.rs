//! What users write: sweep files in YAML, their overrides, and the errors that they get back.

mod axes;
pub mod decoder;
pub mod decoder_entry;
pub mod differ;
mod dotted;
pub mod error;
pub mod experiment;
mod explicit;
pub mod hardware;
mod interpolate;
pub mod load;
pub mod models;
mod overrides;
pub mod param_grid;
pub mod reduce;
pub mod replay;
mod strict;
pub mod sweep;
pub mod train;
mod wording;
pub mod workload;

pub use error::ConfigError;
pub use load::load_sweep;
pub use sweep::SweepSpec;
