//! What a run leaves on disk: parquet tables, a manifest, a journal.

pub mod data_hash;
mod digests;
pub mod folder;
pub mod join;
pub mod journal;
pub mod manifest;
pub mod parquet;
pub mod read;
pub mod schema;
mod table;
pub mod trace_files;
