//! The token that a model chooses from one of its rows.

use crate::engine::session::Request;
use crate::model::lm::{ModelError, TokenId};
use crate::policy::noise::Noise;
use crate::policy::sample::{self, Sampling};

/// # Errors
/// [`ModelError::NotANumber`] when the row is no distribution; `cache_row` says which one it was.
pub(super) fn check_row(row: &[f32], cache_row: usize) -> Result<(), ModelError> {
    if sample::is_distribution(row) {
        Ok(())
    } else {
        Err(ModelError::NotANumber { row: cache_row })
    }
}

/// The model's own token for `position`: the argmax, or, at a positive temperature, the draw with the
/// noise of that position. So a sampled text is a function of model, prompt and seed, and a decoder
/// that couples its draws (accept rule `gumbel`) reproduces the autoregressive one.
///
/// # Errors
/// [`ModelError::NotANumber`] when the row is no distribution.
pub(super) fn own_token(
    row: &[f32],
    position: usize,
    cache_row: usize,
    request: &Request<'_>,
) -> Result<TokenId, ModelError> {
    check_row(row, cache_row)?;
    if request.sampling.is_greedy() {
        return Ok(sample::greedy(row, request.mask_id));
    }
    let probabilities = sample::distribution(row, &request.sampling, request.mask_id);
    let noise = Noise::new(request.seed);
    Ok(sample::draw_coupled(
        &probabilities,
        &noise,
        position as u32,
    ))
}

/// The distribution that rules compare: the one that tokens are drawn from, or the raw softmax when
/// greedy.
pub(super) fn compared_distribution(row: &[f32], request: &Request<'_>) -> Vec<f64> {
    let sampling = if request.sampling.is_greedy() {
        Sampling {
            temperature: 1.0,
            ..Sampling::default()
        }
    } else {
        request.sampling
    };
    sample::distribution(row, &sampling, request.mask_id)
}
