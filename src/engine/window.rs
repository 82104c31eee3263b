//! WeDLM window decoding: masks behind the prefix are filled where their entropy is low.
//!
//! A slot goes from mask to filled to committed. A filled token is committed in the forward *after*
//! the one that chose it, once everything to its left is filled too: that forward computes its
//! final cache row. `stream` follows the reference engine and the paper, and their block decoding;
//! `notebook` follows the notebook's procedure, which differs from all and is kept for comparison.

mod agreement;
pub(super) mod chooser;
pub(super) mod feed;
mod notebook;
pub(super) mod observer;
mod step;
mod stream;

use std::time::Instant;

use crate::config::decoder::{Ending, WindowVariant};
use crate::engine::prompt;
use crate::engine::session::{EngineError, Request};
use crate::engine::step::Generation;
use crate::model::lm::LanguageModel;
use crate::policy::entropy::EntropyRule;
use crate::policy::select::SelectRule;
use crate::policy::{OutOfRange, require};

/// A window decoder with every parameter resolved.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WindowRule {
    pub variant: WindowVariant,
    /// Slots of the window between two forwards; a forward of the engine or block variant feeds up
    /// to twice as many.
    pub window_size: usize,
    pub ending: Ending,
    pub select: SelectRule,
    /// The entropy that the selection reads.
    pub entropy: EntropyRule,
}

impl WindowRule {
    /// # Errors
    /// [`OutOfRange`] for the first parameter that makes no sense.
    pub fn validate(&self) -> Result<(), OutOfRange> {
        require(
            self.window_size > 0,
            "window_size",
            self.window_size,
            "at least 1",
        )?;
        self.select.validate()?;
        self.entropy.validate()
    }

    /// Most cache rows that a generation touches.
    ///
    /// The last forward starts with at most `max_new_tokens − 1` committed tokens. It feeds a full
    /// window, in the engine and block variants after a refill by up to a whole window.
    fn context_needed(&self, request: &Request<'_>) -> usize {
        let n_windows = match self.variant {
            WindowVariant::Engine | WindowVariant::Block => 2,
            WindowVariant::Paper | WindowVariant::Notebook => 1,
        };
        let committed = request.prompt.len() + request.max_new_tokens.saturating_sub(1);
        committed.saturating_add(self.window_size.saturating_mul(n_windows))
    }
}

/// Decodes one prompt with a window. The cache is emptied first and holds exactly the rows of the
/// prompt and of committed tokens afterwards (one step less in the notebook variant, and where the text
/// ends the generation).
///
/// The mask token is never chosen, except by the notebook variant, which follows its source in
/// this. Only rows of masks are asked of the model, and no row at all in a forward that merely
/// completes the last commit.
///
/// # Errors
/// A rule out of range, a request without a prompt or a mask token, a context too short for prompt,
/// budget and window, or a failing model; see [`EngineError`].
pub fn decode(
    model: &mut dyn LanguageModel,
    rule: &WindowRule,
    request: &Request<'_>,
) -> Result<Generation, EngineError> {
    let started = Instant::now();
    rule.validate()?;
    let mask_id = request.mask_id.ok_or(EngineError::MissingMask)?;
    prompt::check_request(request)?;
    let needed = rule.context_needed(request);
    if needed > model.context_len() {
        return Err(EngineError::PromptTooLong {
            role: "window",
            prompt_len: request.prompt.len(),
            max_new_tokens: request.max_new_tokens,
            needed,
            context_len: model.context_len(),
        });
    }
    model.truncate(0);
    let mut generation = if request.max_new_tokens == 0 {
        Generation::default()
    } else {
        match rule.variant {
            WindowVariant::Engine => {
                stream::decode(model, rule, request, mask_id, stream::Refill::Eager)?
            }
            WindowVariant::Paper => {
                stream::decode(model, rule, request, mask_id, stream::Refill::Lazy)?
            }
            WindowVariant::Block => {
                stream::decode(model, rule, request, mask_id, stream::Refill::Blockwise)?
            }
            WindowVariant::Notebook => notebook::decode(model, rule, request, mask_id)?,
        }
    };
    generation.durations.wall = started.elapsed();
    Ok(generation)
}
