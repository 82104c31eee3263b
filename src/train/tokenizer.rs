//! Trains a byte-level BPE tokenizer with single digits.

use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::{AddedToken, DecoderWrapper, ModelWrapper, Tokenizer};

pub const END_TOKEN: &str = "<|endoftext|>";
pub const MASK_TOKEN: &str = "<|mask|>";

/// Words of everyday problems. The generated texts use few words, so these take the entries that
/// are left, and real problems are not spelt letter by letter.
pub const COMMON_WORDS: &str = include_str!("words.txt");

/// A tokenizer of `vocab_len` entries; id 0 is the end of text, id 1 the mask.
///
/// # Errors
/// Those of the tokenizers crate.
pub fn train(texts: &[String], vocab_len: usize) -> tokenizers::Result<Tokenizer> {
    let special = [END_TOKEN, MASK_TOKEN].map(|text| AddedToken::from(text, true));
    let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    alphabet.sort_unstable();
    let mut tokenizer = Tokenizer::new(ModelWrapper::BPE(BPE::default()));
    tokenizer.with_pre_tokenizer(Some(PreTokenizerWrapper::Sequence(Sequence::new(vec![
        PreTokenizerWrapper::Digits(Digits::new(true)),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, true)),
    ]))));
    tokenizer.with_decoder(Some(DecoderWrapper::ByteLevel(ByteLevel::default())));
    let mut trainer = TrainerWrapper::BpeTrainer(
        BpeTrainerBuilder::new()
            .vocab_size(vocab_len)
            .special_tokens(special.to_vec())
            .initial_alphabet(alphabet.into_iter().collect())
            .show_progress(false)
            .build(),
    );
    tokenizer.train(&mut trainer, texts.iter())?;
    Ok(tokenizer)
}
