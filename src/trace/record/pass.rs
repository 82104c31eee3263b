//! Reads finished texts, many rows in a forward.

use super::Text;
use crate::model::lm::{BatchedLanguageModel, ModelError, SequenceRows};

/// What the caches hold before texts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cached {
    /// Nothing that is of use.
    Nothing,
    /// Sequence i begins with the prompt of text i.
    Prompts,
}

/// Feeds text i to sequence i, without its last token and what is cached, and shows each row that says something of the
/// text: `see(text, offset, row)` gets the row behind all tokens before `offset`, by rising offset.
///
/// A forward returns the logits of at most `piece_len` rows per text.
///
/// # Errors
/// Those of the model, and the first one that `see` returns.
pub(super) fn read(
    model: &mut dyn BatchedLanguageModel,
    texts: &[Text<'_>],
    piece_len: usize,
    cached: Cached,
    mut see: impl FnMut(usize, usize, &[f32]) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    let longest = texts.iter().map(|text| text.tokens.len()).max();
    let positions: Vec<u32> = (0..longest.unwrap_or(0) as u32).collect();
    for (sequence, text) in texts.iter().enumerate() {
        // The row of the last prompt token says something of the text, so it is fed again. A text without
        // tokens may have been decoded without its prompt.
        let n_kept = match cached {
            Cached::Prompts if !text.ids().is_empty() => text.prompt_len() - 1,
            Cached::Prompts | Cached::Nothing => 0,
        };
        model.truncate(sequence, n_kept);
    }
    loop {
        let pieces: Vec<SequenceRows<'_>> = texts
            .iter()
            .enumerate()
            .filter_map(|(sequence, text)| {
                next_piece(
                    sequence,
                    text,
                    model.cached_len(sequence),
                    piece_len,
                    &positions,
                )
            })
            .collect();
        if pieces.is_empty() {
            return Ok(());
        }
        let logits = model.forward(&pieces)?;
        for (piece, logits) in pieces.iter().zip(&logits) {
            let text = piece.sequence;
            let first = model.cached_len(text) - logits.n_rows();
            for (index, row) in logits.rows().enumerate() {
                // The row of a token says something of the position behind it.
                let offset = first + index + 1 - texts[text].prompt_len();
                see(text, offset, row)?;
            }
        }
    }
}

/// What a text of which `cached` tokens were fed is fed next; None once it is read.
fn next_piece<'t>(
    sequence: usize,
    text: &'t Text<'_>,
    cached: usize,
    piece_len: usize,
    positions: &'t [u32],
) -> Option<SequenceRows<'t>> {
    let (last_of_prompt, last) = (text.prompt_len() - 1, text.tokens.len() - 1);
    let (end, n_logits) = if text.ids().is_empty() || cached == last {
        return None;
    } else if cached < last_of_prompt {
        (last_of_prompt, 0)
    } else {
        let end = last.min(cached + piece_len);
        (end, end - cached)
    };
    Some(SequenceRows {
        sequence,
        tokens: &text.tokens[cached..end],
        positions: &positions[cached..end],
        n_logits,
    })
}
