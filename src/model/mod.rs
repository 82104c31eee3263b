//! Language models: the trait that decoders see, and the transformer behind it.

pub mod arch;
pub mod attention;
pub mod batched_lm;
pub mod burn_lm;
mod call;
pub mod chat;
pub mod checkpoint;
mod cpu;
pub mod device;
pub mod embedded;
pub mod export;
pub mod files;
pub mod hub;
pub mod inspect;
pub mod kv_cache;
pub mod lm;
pub mod load;
pub mod loaded;
pub mod memory;
pub mod native;
pub mod panels;
pub mod rope;
pub mod scripted;
pub mod tensors;
pub mod threads;
pub mod tokenizer;
pub mod transformer;
