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
pub(crate) fn own_token(
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

/// By how many logits the row prefers `token` for `position` to the next best one, with the noise of
/// that position at a positive temperature: below the rounding of a forward, another forward over the
/// same tokens may choose otherwise. Negative if this row chooses otherwise itself, infinite if there is
/// no other token.
///
/// What [`own_token`] maximises is the logit, or ln p − ln e with exponential noise e; the latter, times
/// the temperature, is in logits too. Tokens at the edge of top-k and top-p are not watched.
pub(crate) fn lead(row: &[f32], token: TokenId, position: usize, request: &Request<'_>) -> f64 {
    let mut preferences: Vec<f64> = if request.sampling.is_greedy() {
        let mut logits: Vec<f64> = row.iter().map(|&logit| f64::from(logit)).collect();
        if let Some(mask) = request.mask_id.and_then(|id| logits.get_mut(id as usize)) {
            *mask = f64::NEG_INFINITY;
        }
        logits
    } else {
        let noise = Noise::new(request.seed);
        let probabilities = sample::distribution(row, &request.sampling, request.mask_id);
        let race = probabilities.iter().enumerate().map(|(index, p)| {
            let e = noise.exponential(position as u32, index as TokenId);
            request.sampling.temperature * (p.ln() - e.ln())
        });
        race.collect()
    };
    let own = std::mem::replace(&mut preferences[token as usize], f64::NEG_INFINITY);
    own - preferences.into_iter().fold(f64::NEG_INFINITY, f64::max)
}

/// The distribution that rules compare: the one that tokens are drawn from, or the raw softmax when
/// greedy.
pub(crate) fn compared_distribution(row: &[f32], request: &Request<'_>) -> Vec<f64> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greedy_lead_is_the_gap_of_two_logits_and_the_mask_is_no_rival() {
        let mut request = Request::default();
        let row = [1.0, 3.5, 3.0, 9.0];
        assert_eq!(lead(&row, 3, 0, &request), 5.5);
        assert_eq!(lead(&row, 2, 0, &request), -6.0);
        request.mask_id = Some(3);
        assert_eq!(own_token(&row, 0, 0, &request).unwrap(), 1);
        assert_eq!(lead(&row, 1, 0, &request), 0.5);
        assert_eq!(lead(&[0.0], 0, 0, &request), f64::INFINITY);
    }

    #[test]
    fn to_lower_the_logit_of_a_drawn_token_by_its_lead_makes_it_lose_and_by_less_does_not() {
        for seed in 0..50 {
            let request = Request {
                sampling: Sampling {
                    temperature: 0.8,
                    ..Sampling::default()
                },
                seed,
                ..Request::default()
            };
            let row = [1.0_f32, 3.5, 3.0, 2.0, 0.5];
            let token = own_token(&row, 7, 0, &request).unwrap();
            let lead = lead(&row, token, 7, &request);
            assert!(lead >= 0.0);
            for (share, wins) in [(0.99, true), (1.01, false)] {
                let mut lowered = row;
                lowered[token as usize] -= (share * lead) as f32;
                let other = own_token(&lowered, 7, 0, &request).unwrap();
                assert_eq!(other == token, wins, "seed {seed}, lead {lead}");
            }
        }
    }
}
