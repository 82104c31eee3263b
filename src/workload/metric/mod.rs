//! How good a text is, as the field's usual programs measure it.
//!
//! Pure functions over texts. Each equals its Python original to 1e-9 on the examples of
//! `tests/fixtures/scores`, which `make.py` in that folder makes. Several references count as the
//! original counts them: the best one (SQuAD, ROUGE, chrF) or all together (BLEU).

pub mod bleu;
pub mod chrf;
pub mod pass_at_k;
pub mod perplexity;
pub mod rouge;
pub mod squad;
mod tokens;

#[cfg(test)]
mod tests;

pub use bleu::{BleuCounts, corpus_bleu, sentence_bleu};
pub use chrf::{ChrfCounts, ChrfKind, corpus_chrf, sentence_chrf};
pub use pass_at_k::pass_at_k;
pub use perplexity::perplexity;
pub use rouge::{Rouge, RougeKind, rouge};
pub use squad::{answer_f1, is_answer_exact};
