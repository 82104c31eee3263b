//! One verifier forward per token.

use std::time::Instant;

use crate::engine::choice::{lead, own_token};
use crate::engine::clock::timed;
use crate::engine::ending;
use crate::engine::prompt;
use crate::engine::session::{EngineError, Request};
use crate::engine::step::{Counts, Durations, Generation, Round};
use crate::model::lm::LanguageModel;

/// Decodes one prompt token by token. The cache is emptied first.
///
/// Every round commits one token, so the block efficiency is 1 by construction.
///
/// # Errors
/// See [`EngineError`].
pub fn decode(
    verifier: &mut dyn LanguageModel,
    request: &Request<'_>,
) -> Result<Generation, EngineError> {
    let started = Instant::now();
    prompt::check("verifier", verifier, request)?;
    let mut generation = Generation::default();
    if request.max_new_tokens == 0 {
        return Ok(generation);
    }
    timed(&mut generation.durations.prefill, || {
        prompt::prefill(verifier, request)
    })?;
    let mut last = request.prompt[request.prompt.len() - 1];
    loop {
        let round_started = Instant::now();
        let context_len = request.prompt.len() + generation.ids.len();
        let mut durations = Durations::default();
        let row = context_len - 1;
        let logits = timed(&mut durations.verify, || {
            verifier.forward(&[last], &[row as u32], 1)
        })?;
        last = own_token(logits.last(), context_len, row, request)?;
        if request.record.leads {
            let lead = lead(logits.last(), last, context_len, request);
            generation.leads.push(lead);
        }
        durations.wall = round_started.elapsed();
        durations.policy = durations.wall - durations.verify;
        let cut = ending::cut(&generation.ids, &[last], request);
        generation.ids.push(last);
        generation.counts += Counts {
            rounds: 1,
            committed: 1,
            verifier_forwards: 1,
            token_instances: 1,
            ..Counts::default()
        };
        generation.durations += durations;
        generation.rounds.push(Round {
            context_len,
            committed: vec![last],
            durations,
            ..Round::default()
        });
        if let Some(finish) = cut.finish {
            generation.finished_by = finish;
            break;
        }
    }
    generation.durations.wall = started.elapsed();
    Ok(generation)
}
