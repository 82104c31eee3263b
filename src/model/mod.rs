//! Language models: the trait that decoders see, and the transformer behind it.

pub mod arch;
pub mod attention;
pub mod batched_lm;
pub mod burn_lm;
pub mod checkpoint;
pub mod device;
pub mod embedded;
pub mod export;
pub mod files;
pub mod kv_cache;
pub mod linear;
pub mod lm;
pub mod load;
pub mod loaded;
pub mod native;
pub mod panels;
pub mod rope;
pub mod scripted;
pub mod tokenizer;
pub mod transformer;
