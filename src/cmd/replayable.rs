//! Which trials of a plan a trace can tell.

use crate::config::decoder::DecoderSpec;
use crate::config::replay::SweepMode;
use crate::engine::speculative::SpeculativeRule;
use crate::plan::{Plan, Trial};
use crate::policy::entropy::EntropyRule;
use crate::policy::sample::Sampling;
use crate::trace::TraceHeader;

/// The trials of a plan by where their figures come from.
#[derive(Debug, Default)]
pub struct Split<'p> {
    /// Read off a trace, with the rule of each.
    pub replayed: Vec<(&'p Trial, SpeculativeRule)>,
    /// Decoded here; the baselines among them, which are replayed besides.
    pub live: Vec<Trial>,
    /// Trials of `mode: replay` that a trace does not determine, with the reason.
    pub refused: Vec<(&'p Trial, String)>,
}

/// The speculative rule of a trial, unless it decodes several prompts at a time.
pub fn rule_of(decoder: &DecoderSpec) -> Result<SpeculativeRule, String> {
    match decoder {
        DecoderSpec::Speculative {
            stop,
            order,
            min_draft_len,
            max_draft_len,
            entropy,
            accept,
            batch_size: 1,
        } => {
            let bounds = (*min_draft_len, *max_draft_len);
            Ok(SpeculativeRule::new(
                stop, *order, bounds, *entropy, *accept,
            ))
        }
        DecoderSpec::Speculative { batch_size, .. } => Err(format!(
            "batch_size is {batch_size}, and times of batches are measured, not predicted"
        )),
        DecoderSpec::Autoregressive { .. } => Err("it is a baseline".to_string()),
        DecoderSpec::Window { .. } | DecoderSpec::WindowDraft { .. } => {
            Err("what a window fills depends on what it filled before".to_string())
        }
    }
}

/// What a trace has to hold, so that every trial that can be replayed is: the longest draft and all
/// entropies that they name. None when no trial drafts alone.
pub fn header(trials: &[Trial], sampling: Sampling) -> Option<TraceHeader> {
    let rules = || {
        trials
            .iter()
            .filter_map(|trial| rule_of(&trial.decoder).ok())
    };
    let mut entropies: Vec<EntropyRule> = Vec::new();
    for rule in rules() {
        if !entropies.contains(&rule.entropy) {
            entropies.push(rule.entropy);
        }
    }
    Some(TraceHeader {
        max_draft_len: rules().map(|rule| rule.max_draft_len).max()?,
        entropies,
        sampling,
    })
}

impl<'p> Split<'p> {
    /// Splits a plan by what a trace with this header determines.
    pub fn new(plan: &'p Plan, mode: SweepMode, header: Option<&TraceHeader>) -> Self {
        let mut split = Self::default();
        for (index, trial) in plan.trials.iter().enumerate() {
            let replayable = rule_of(&trial.decoder).and_then(|rule| {
                let header = header.ok_or("there is no trace")?;
                header
                    .admits(&rule)
                    .map_err(|refusal| refusal.to_string())?;
                Ok(rule)
            });
            let is_baseline = index < plan.n_baselines;
            match (mode, replayable) {
                (SweepMode::Replay | SweepMode::Auto, Ok(rule)) => {
                    split.replayed.push((trial, rule));
                }
                (SweepMode::Replay, Err(reason)) if !is_baseline => {
                    split.refused.push((trial, reason));
                }
                (SweepMode::Live | SweepMode::Auto | SweepMode::Replay, _) => {
                    split.live.push(trial.clone());
                }
            }
        }
        split
    }
}
