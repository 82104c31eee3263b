//! Text to token ids and back.

use std::collections::HashMap;

use crate::guard::guarded;
use crate::model::checkpoint::{Checkpoint, CheckpointError};
use crate::model::lm::TokenId;

/// The `tokenizer.json` of a checkpoint.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
}

/// The first entry in which two tokenizers differ.
#[derive(Debug, thiserror::Error)]
#[error(
    "{left} and {right} have different tokenizers: id {id} is {left_entry:?} in one and {right_entry:?} in the other; a drafter must share the verifier's tokenizer"
)]
pub struct TokenizerMismatch {
    pub left: String,
    pub right: String,
    pub id: TokenId,
    pub left_entry: Option<String>,
    pub right_entry: Option<String>,
}

impl Tokenizer {
    /// # Errors
    /// When `tokenizer.json` is missing or is not one.
    pub fn load(checkpoint: &Checkpoint) -> Result<Self, CheckpointError> {
        Self::from_json(&checkpoint.tokenizer_json()?).map_err(|reason| CheckpointError::File {
            place: checkpoint.place("tokenizer.json"),
            reason,
        })
    }

    /// # Errors
    /// When the bytes are not those of a `tokenizer.json`.
    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        guarded(|| tokenizers::Tokenizer::from_bytes(bytes))?
            .map(|inner| Self { inner })
            .map_err(|error| error.to_string())
    }

    /// Entries, added tokens included.
    pub fn len(&self) -> usize {
        // Ids may have gaps, so the highest one counts.
        self.inner
            .get_vocab(true)
            .into_values()
            .max()
            .map_or(0, |id| id as usize + 1)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ids of a text, no special tokens added.
    ///
    /// # Errors
    /// When the tokenizer's own rules fail on the text.
    pub fn encode(&self, text: &str) -> Result<Vec<TokenId>, String> {
        guarded(|| self.inner.encode(text, false))?
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(|error| format!("the tokenizer refuses the text: {error}"))
    }

    /// Ids of a text that stands at the beginning: with the tokens that the tokenizer puts in front of
    /// one, such as Llama's begin-of-text, and without those that it would put behind it.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_first(&self, text: &str) -> Result<Vec<TokenId>, String> {
        let encoding = guarded(|| self.inner.encode(text, true))?
            .map_err(|error| format!("the tokenizer refuses the text: {error}"))?;
        let is_added = encoding.get_special_tokens_mask();
        let end = is_added.iter().rposition(|&flag| flag == 0);
        Ok(encoding.get_ids()[..end.map_or(0, |last| last + 1)].to_vec())
    }

    /// Text of ids, special tokens left out.
    pub fn decode(&self, ids: &[TokenId]) -> String {
        self.inner.decode(ids, true).unwrap_or_default()
    }

    /// Text of ids, special tokens shown.
    pub fn decode_all(&self, ids: &[TokenId]) -> String {
        self.inner.decode(ids, false).unwrap_or_default()
    }

    pub fn id(&self, token: &str) -> Option<TokenId> {
        self.inner.token_to_id(token)
    }

    /// The mask token's id: the config's, else that of the tokenizer's mask token.
    pub fn mask_id(&self, checkpoint: &Checkpoint) -> Option<TokenId> {
        let named = || {
            self.inner
                .token_to_id(checkpoint.special_token("mask_token")?)
        };
        checkpoint.arch.mask_id.or_else(named)
    }

    /// End-of-text ids of the checkpoint, and that of the tokenizer's own end-of-text token: an instruction
    /// model may end what it says with another one than its configuration names.
    pub fn eos_ids(&self, checkpoint: &Checkpoint) -> Vec<TokenId> {
        let named = checkpoint.special_token("eos_token");
        let own = named.and_then(|token| self.inner.token_to_id(token));
        let mut ids: Vec<TokenId> = checkpoint.eos_ids.iter().copied().chain(own).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Compares every entry.
    ///
    /// # Errors
    /// Names the first id whose entries differ.
    pub fn must_equal(
        &self,
        other: &Self,
        left: &str,
        right: &str,
    ) -> Result<(), TokenizerMismatch> {
        let (own, others) = (self.entries(), other.entries());
        // Ids may be far apart, so only those that one of the two has are looked at.
        let ids = own.keys().chain(others.keys());
        let differs = |id: &&TokenId| own.get(*id) != others.get(*id);
        match ids.filter(differs).min() {
            None => Ok(()),
            Some(id) => Err(TokenizerMismatch {
                left: left.to_string(),
                right: right.to_string(),
                id: *id,
                left_entry: own.get(id).cloned(),
                right_entry: others.get(id).cloned(),
            }),
        }
    }

    /// Text of each id that has one.
    fn entries(&self) -> HashMap<TokenId, String> {
        let entries = self.inner.get_vocab(true).into_iter();
        entries.map(|(text, id)| (id, text)).collect()
    }
}
