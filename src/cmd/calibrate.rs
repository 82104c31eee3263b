//! Times forwards of m tokens, sizes interleaved, so that a drift of the clock hits all alike.

use std::time::{Duration, Instant};

use crate::analysis::cost::{ForwardTimes, SizeTimes};
use crate::model::lm::{LanguageModel, ModelError, TokenId};
use crate::model::loaded::LoadedModel;

const SIZES: [usize; 13] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32];
const N_WARMUP: usize = 3;
const N_REPEATS: usize = 25;
/// Repeats that a large model gets too; it takes no further ones once [`LONG_ENOUGH`] has passed.
const N_FEWEST: usize = 5;
const LONG_ENOUGH: Duration = Duration::from_secs(8);
/// Forwards of one row before the one that counts: between forwards of many rows, whose threads are
/// still awake, one takes half as long again as in a stretch of them.
const N_STEADYING: usize = 12;

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
    let began = Instant::now();
    for repeat in 0..N_WARMUP + N_REPEATS {
        if repeat >= N_WARMUP + N_FEWEST && began.elapsed() > LONG_ENOUGH {
            break;
        }
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
