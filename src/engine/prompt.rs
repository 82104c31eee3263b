//! What every decoder does before its first round.

use crate::engine::session::{EngineError, Request};
use crate::model::lm::LanguageModel;

/// Cache rows that a decoder without a window may need: the last token committed is never fed.
fn rows_needed(request: &Request<'_>) -> usize {
    (request.prompt.len() + request.max_new_tokens).saturating_sub(1)
}

/// # Errors
/// [`EngineError::EmptyPrompt`], [`EngineError::EmptyStopString`], or a sampling parameter out of
/// range.
pub(super) fn check_request(request: &Request<'_>) -> Result<(), EngineError> {
    if request.prompt.is_empty() {
        return Err(EngineError::EmptyPrompt);
    }
    if let Some(index) = request.stop_strings.iter().position(Vec::is_empty) {
        return Err(EngineError::EmptyStopString { index });
    }
    Ok(request.sampling.validate()?)
}

/// # Errors
/// Those of [`check_request`], or [`EngineError::PromptTooLong`] for `model`, named by its `role`.
pub(super) fn check(
    role: &'static str,
    model: &dyn LanguageModel,
    request: &Request<'_>,
) -> Result<(), EngineError> {
    check_fits(role, model.context_len(), request)
}

/// As [`check`], for a cache of `context_len` rows.
pub(crate) fn check_fits(
    role: &'static str,
    context_len: usize,
    request: &Request<'_>,
) -> Result<(), EngineError> {
    check_request(request)?;
    let needed = rows_needed(request);
    if needed > context_len {
        return Err(EngineError::PromptTooLong {
            role,
            prompt_len: request.prompt.len(),
            max_new_tokens: request.max_new_tokens,
            needed,
            context_len,
        });
    }
    Ok(())
}

/// Empties the cache and fills it with all of the prompt but its last token, which the first round
/// feeds.
///
/// # Errors
/// Those of the model.
pub(super) fn prefill(
    model: &mut dyn LanguageModel,
    request: &Request<'_>,
) -> Result<(), EngineError> {
    model.truncate(0);
    let body = &request.prompt[..request.prompt.len() - 1];
    if !body.is_empty() {
        let positions: Vec<u32> = (0..body.len() as u32).collect();
        model.forward(body, &positions, 0)?;
    }
    Ok(())
}
