//! Trains the small models that the program ships.

pub mod corpus;
pub mod init;
pub mod objective;
pub mod tokenizer;
pub mod trainer;
