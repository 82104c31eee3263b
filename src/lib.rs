//! Experiment harness for entropy-based speculative decoding (EBSD) and WeDLM window decoding.
//!
//! One YAML file becomes decoding runs, tables, figures and a report. The modules are the stages of
//! that way, each of which uses only those before it and the leaves:
//! [`config`] → [`plan`] → [`engine`] → [`trace`] → [`record`] → [`analysis`] → [`report`], with the
//! leaves [`policy`], [`model`], [`workload`] and [`stats`]; [`cmd`] wires them, one verb a file.
#![deny(unsafe_code)]

pub mod analysis;
pub mod cli;
pub mod cmd;
pub mod config;
pub mod engine;
pub mod guard;
pub mod model;
pub mod plan;
pub mod policy;
pub mod record;
pub mod report;
pub mod stats;
pub mod trace;
pub mod train;
pub mod workload;
