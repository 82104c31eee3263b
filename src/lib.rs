//! Experiment harness for entropy-based speculative decoding and WeDLM window decoding.
#![deny(unsafe_code)]
pub mod config;
pub mod engine;
pub mod model;
pub mod plan;
pub mod policy;
pub mod report;
pub mod stats;
pub mod train;
pub mod workload;
