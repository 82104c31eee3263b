//! Trains the small models that the program ships.

pub mod corpus;
pub mod gradient;
pub mod init;
pub mod objective;
pub mod optimizer;
pub mod setup;
pub mod tokenizer;
pub mod trainer;
