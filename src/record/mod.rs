//! What a run leaves on disk: parquet tables, a manifest, a journal.

pub mod folder;
pub mod join;
pub mod journal;
pub mod manifest;
pub mod parquet;
pub mod schema;
pub mod trace_files;
