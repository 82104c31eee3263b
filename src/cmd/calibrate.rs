//! Times forwards of m tokens, sizes interleaved, so that a drift of the clock hits all alike.

use std::time::Instant;

use crate::analysis::cost::{ForwardTimes, SizeTimes};
use crate::engine::session::{EngineError, Request};
use crate::engine::speculative::{self, SpeculativeRule};
use crate::model::burn_lm::BurnLm;
use crate::model::lm::{LanguageModel, ModelError, TokenId};
use crate::model::loaded::LoadedModel;
use crate::policy::accept::AcceptRule;
use crate::policy::entropy::EntropyRule;
use crate::policy::stop::{DraftOrder, StopRule};
use crate::trace::cost::{Part, TimingSample};

const SIZES: [usize; 13] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32];
const N_WARMUP: usize = 3;
const N_REPEATS: usize = 25;

/// Times a model behind `context_len` cached tokens; logits of every new row are read, as
/// verification does.
///
/// # Errors
/// Those of the model.
pub fn forward_times(
    model: &mut LoadedModel,
    context_len: usize,
) -> Result<ForwardTimes, ModelError> {
    let lm = &mut model.lm;
    let largest = SIZES[SIZES.len() - 1];
    let context_len = context_len
        .min(lm.context_len().saturating_sub(largest))
        .max(1);
    // Any token does: the time of a forward does not depend on it.
    let token: TokenId = model.eos_ids.first().copied().unwrap_or(0);
    lm.truncate(0);
    let positions: Vec<u32> = (0..(context_len + largest) as u32).collect();
    let tokens = vec![token; context_len + largest];
    lm.forward(&tokens[..context_len], &positions[..context_len], 0)?;
    let mut sizes: Vec<SizeTimes> = SIZES
        .iter()
        .filter(|&&size| context_len + size <= lm.context_len())
        .map(|&n_tokens| SizeTimes {
            n_tokens,
            ns: Vec::with_capacity(N_REPEATS),
        })
        .collect();
    for repeat in 0..N_WARMUP + N_REPEATS {
        for size in &mut sizes {
            let end = context_len + size.n_tokens;
            // One row at a time is what autoregressive decoding does, in a stretch.
            let n_steadying = if size.n_tokens == 1 { N_STEADYING } else { 0 };
            for _ in 0..n_steadying {
                lm.forward(&tokens[context_len..end], &positions[context_len..end], 1)?;
                lm.truncate(context_len);
            }
            let started = Instant::now();
            lm.forward(
                &tokens[context_len..end],
                &positions[context_len..end],
                size.n_tokens,
            )?;
            if repeat >= N_WARMUP {
                size.ns.push(started.elapsed().as_nanos() as f64);
            }
            lm.truncate(context_len);
        }
    }
    lm.truncate(0);
    Ok(ForwardTimes {
        model: model.name.clone(),
        context_len,
        sizes,
    })
}

/// Verifier forwards that are timed for the cost model, in rows.
const ROUND_SIZES: [usize; 11] = [1, 2, 3, 4, 5, 6, 7, 9, 11, 16, 21];
const N_PASSES: usize = 12;
/// Forwards of one row before those that count, in a stretch of them, and those that count.
const N_STEADYING: usize = 12;
const N_STEADY: usize = 4;
/// Tokens of the short generations that time a round beyond its forwards.
const ROUND_TOKENS: usize = 24;

/// Times what rounds are made of, as rounds use it: a draft of the drafter, then the verifier's forward
/// over it, at each of `contexts` (rising). The first passes are not counted.
///
/// # Errors
/// Those of the models.
pub fn round_times(
    drafter: &mut LoadedModel,
    verifier: &mut LoadedModel,
    contexts: &[usize],
    prompt: &[TokenId],
) -> Result<Vec<TimingSample>, EngineError> {
    let mut samples = Vec::new();
    for pass in 0..N_WARMUP + N_PASSES {
        let mut timed = Vec::new();
        drafter.lm.truncate(0);
        verifier.lm.truncate(0);
        for &context_len in contexts {
            for n_rows in ROUND_SIZES {
                let (drafter, verifier) = (&mut drafter.lm, &mut verifier.lm);
                if n_rows == 1 {
                    timed.extend(autoregressive(verifier, context_len)?);
                    continue;
                }
                // The first one finds the processor's caches as the last size left them.
                one_round(drafter, verifier, context_len, n_rows)?;
                timed.extend(one_round(drafter, verifier, context_len, n_rows)?);
            }
        }
        timed.push((
            Part::Round,
            0,
            0,
            between_forwards(drafter, verifier, prompt)?,
        ));
        if let Some(pass) = pass.checked_sub(N_WARMUP) {
            let sample = |(part, n_rows, context_len, seconds)| TimingSample {
                part,
                n_rows,
                context_len,
                pass,
                seconds,
            };
            samples.extend(timed.into_iter().map(sample));
        }
    }
    drafter.lm.truncate(0);
    verifier.lm.truncate(0);
    Ok(samples)
}

/// Part, rows, context and seconds.
type Timed = (Part, usize, usize, f64);

/// Forwards of one row in a stretch, as autoregressive decoding has them: between forwards of many rows,
/// whose threads are still awake, one takes half as long again.
fn autoregressive(verifier: &mut BurnLm, context_len: usize) -> Result<Vec<Timed>, ModelError> {
    let mut timed = Vec::new();
    for index in 0..N_STEADYING + N_STEADY {
        reach(verifier, context_len - 1)?;
        let seconds = seconds_of(verifier, 1, 1)?;
        if index >= N_STEADYING {
            timed.push((Part::Verifier, 1, context_len, seconds));
        }
    }
    Ok(timed)
}

/// A draft of `n_rows - 1` tokens behind `context_len` committed ones, and its verification. Drafts of an
/// even length start with two rows, as after a draft that was accepted whole.
fn one_round(
    drafter: &mut BurnLm,
    verifier: &mut BurnLm,
    context_len: usize,
    n_rows: usize,
) -> Result<Vec<Timed>, ModelError> {
    let mut timed = Vec::new();
    let first_fed = 1 + n_rows % 2;
    reach(drafter, context_len - first_fed)?;
    for index in 0..n_rows - 1 {
        let n_fed = if index == 0 { first_fed } else { 1 };
        let seconds = seconds_of(drafter, n_fed, 1)?;
        timed.push((Part::Drafter, n_fed, context_len, seconds));
    }
    reach(verifier, context_len - 1)?;
    let seconds = seconds_of(verifier, n_rows, n_rows)?;
    timed.push((Part::Verifier, n_rows, context_len, seconds));
    Ok(timed)
}

/// Leaves `len` tokens in the cache.
fn reach(lm: &mut BurnLm, len: usize) -> Result<(), ModelError> {
    lm.truncate(len.min(lm.cached_len()));
    let n_missing = len - lm.cached_len();
    if n_missing > 0 {
        seconds_of(lm, n_missing, 0)?;
    }
    Ok(())
}

/// Time of a forward over any `n_rows` tokens.
fn seconds_of(lm: &mut BurnLm, n_rows: usize, n_logits: usize) -> Result<f64, ModelError> {
    let first = lm.cached_len() as u32;
    let positions: Vec<u32> = (first..first + n_rows as u32).collect();
    let tokens = vec![0; n_rows];
    let started = Instant::now();
    lm.forward(&tokens, &positions, n_logits)?;
    Ok(started.elapsed().as_secs_f64())
}

/// Mean time that a round of a short generation spends outside of the models.
fn between_forwards(
    drafter: &mut LoadedModel,
    verifier: &mut LoadedModel,
    prompt: &[TokenId],
) -> Result<f64, EngineError> {
    let rule = SpeculativeRule::new(
        &StopRule::Fixed {},
        DraftOrder::default(),
        (1, 8),
        EntropyRule::default(),
        AcceptRule::Greedy {},
    );
    let request = Request {
        prompt,
        max_new_tokens: ROUND_TOKENS,
        ..Request::default()
    };
    let generation = speculative::decode(&mut drafter.lm, &mut verifier.lm, &rule, &request)?;
    let policy: f64 = generation
        .rounds
        .iter()
        .map(|round| round.durations.policy.as_secs_f64())
        .sum();
    Ok(policy / generation.rounds.len() as f64)
}
