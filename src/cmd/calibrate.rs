//! Times forwards of m tokens: sizes in turn, in passes that are spread over a run, so that a drift of
//! the machine hits all sizes and the trials alike.

use std::time::{Duration, Instant};

use crate::analysis::cost::{ForwardTimes, SizeTimes};
use crate::cmd::models::LoadedModels;
use crate::model::lm::{LanguageModel, ModelError, TokenId};
use crate::model::loaded::LoadedModel;

const SIZES: [usize; 13] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32];
const LARGEST: usize = SIZES[SIZES.len() - 1];
/// Tokens in the caches before the forwards that are timed, about the middle of a generation.
const CONTEXT_LEN: usize = 96;
/// Passes that count for nothing, and those behind them before the first trial.
const N_WARMUP: usize = 3;
const N_FIRST: usize = 5;
/// All passes that count; a run ends with fewer once they have taken [`LONG_ENOUGH`] for each model.
const N_PASSES: usize = 25;
const LONG_ENOUGH: Duration = Duration::from_secs(8);
/// Forwards of one row before the one that counts: between forwards of many rows, whose threads are
/// still awake, one takes half as long again as in a stretch of them.
const N_STEADYING: usize = 12;

/// What forwards of the models of a run take.
#[derive(Debug)]
pub struct Calibration {
    /// Verifier, drafter and window model, those that are loaded.
    times: Vec<ForwardTimes>,
    n_passes: usize,
    spent: Duration,
}

impl Calibration {
    /// Times the first passes.
    ///
    /// # Errors
    /// Those of the models.
    pub fn start(models: &mut LoadedModels) -> Result<Self, ModelError> {
        let times: Vec<ForwardTimes> = models.all_mut().map(|model| untimed(model)).collect();
        for _ in 0..N_WARMUP {
            pass(models, &mut times.clone())?;
        }
        let mut calibration = Self {
            times,
            n_passes: 0,
            spent: Duration::ZERO,
        };
        for _ in 0..N_FIRST {
            calibration.pass(models)?;
        }
        Ok(calibration)
    }

    /// Takes the passes that are due when this share of the run, from 0 to 1, is done.
    ///
    /// # Errors
    /// Those of the models.
    pub fn go_on(&mut self, share: f64, models: &mut LoadedModels) -> Result<(), ModelError> {
        let n_due = N_FIRST + ((N_PASSES - N_FIRST) as f64 * share) as usize;
        let longest = LONG_ENOUGH * self.times.len() as u32;
        while self.n_passes < n_due && self.spent < longest {
            self.pass(models)?;
        }
        Ok(())
    }

    /// The times so far.
    pub fn times(&self) -> &[ForwardTimes] {
        &self.times
    }

    fn pass(&mut self, models: &mut LoadedModels) -> Result<(), ModelError> {
        let started = Instant::now();
        pass(models, &mut self.times)?;
        self.n_passes += 1;
        self.spent += started.elapsed();
        Ok(())
    }
}

/// The sizes that fit behind a context.
fn untimed(model: &LoadedModel) -> ForwardTimes {
    let most = model.lm.context_len();
    let context_len = CONTEXT_LEN.min(most.saturating_sub(LARGEST)).max(1);
    let sizes = SIZES.iter().filter(|&&size| context_len + size <= most);
    ForwardTimes {
        model: model.name.clone(),
        context_len,
        sizes: sizes
            .map(|&n_tokens| SizeTimes {
                n_tokens,
                ns: Vec::new(),
            })
            .collect(),
    }
}

/// A pass of each model, with threads that are awake as in a generation.
fn pass(models: &mut LoadedModels, times: &mut [ForwardTimes]) -> Result<(), ModelError> {
    models.awake(|models| {
        let mut pairs = models.all_mut().zip(times);
        pairs.try_for_each(|(model, times)| pass_of(model, times))
    })
}

/// One forward of each size; logits of every new row are read, as verification does.
fn pass_of(model: &mut LoadedModel, times: &mut ForwardTimes) -> Result<(), ModelError> {
    let lm = &mut model.lm;
    let context_len = times.context_len;
    // Any token does: the time of a forward does not depend on it.
    let token: TokenId = model.eos_ids.first().copied().unwrap_or(0);
    let positions: Vec<u32> = (0..(context_len + LARGEST) as u32).collect();
    let tokens = vec![token; context_len + LARGEST];
    lm.truncate(0);
    lm.forward(&tokens[..context_len], &positions[..context_len], 0)?;
    for size in &mut times.sizes {
        let rows = context_len..context_len + size.n_tokens;
        // One row at a time is what autoregressive decoding does, in a stretch.
        let n_steadying = if size.n_tokens == 1 { N_STEADYING } else { 0 };
        for _ in 0..n_steadying {
            lm.forward(&tokens[rows.clone()], &positions[rows.clone()], 1)?;
            lm.truncate(context_len);
        }
        let started = Instant::now();
        lm.forward(&tokens[rows.clone()], &positions[rows], size.n_tokens)?;
        size.ns.push(started.elapsed().as_nanos() as f64);
        lm.truncate(context_len);
    }
    lm.truncate(0);
    Ok(())
}
