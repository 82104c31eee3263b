//! The measuring loop of a sweep: interleaved, journaled, interruptible.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cmd::Failure;
use crate::cmd::interrupt::on_interrupt;
use crate::cmd::measure::{Prompt, Settings, measure, measure_batch};
use crate::cmd::models::LoadedModels;
use crate::config::SweepSpec;
use crate::config::decoder::DecoderSpec;
use crate::model::lm::TokenId;
use crate::plan::Trial;
use crate::policy::stop::StopState;
use crate::record::journal::{Entry, Journal, keys};
use crate::record::schema::GenerationRecord;

/// Runs what the journal lacks: for each repeat and prompt (or batch of prompts) all trials in turn, the
/// first one rotated, so that a drift of the machine hits all trials alike. True when interrupted.
///
/// # Errors
/// When the journal cannot be written.
pub fn measure_all(
    sweep: &SweepSpec,
    trials: &[Trial],
    settings: &Settings,
    prompts: &[Prompt],
    models: &mut LoadedModels,
    journal: &mut Journal,
    entries: &mut Vec<Entry>,
) -> Result<bool, Failure> {
    for trial in trials {
        if trial.decoder.batch_size() > 1 {
            models.open_batch(trial.decoder.batch_size());
        }
    }
    let done = keys(entries);
    let n = sweep.timing.repeats * prompts.len() * trials.len();
    let bar = progress_bar(n, done.len());
    let stop = on_interrupt()?;
    let mut run =
        |trial: &Trial, block: &[Prompt], repeat, memory: &mut Option<StopState>| match trial
            .decoder
            .batch_size()
        {
            1 => vec![measure(trial, &block[0], repeat, settings, models, memory)],
            _ => measure_batch(trial, block, repeat, settings, models),
        };
    for trial in trials {
        let starts = prompts.iter().cycle();
        let blocks = starts.filter_map(|prompt| block(trial, prompt, prompts));
        for block in blocks.take(sweep.timing.warmup.min(n - done.len())) {
            if stop.load(Ordering::Relaxed) {
                return Ok(true);
            }
            bar.set_message(format!("warming up {}", trial.label));
            run(trial, block, 1, &mut None);
        }
    }
    for repeat in 0..sweep.timing.repeats {
        let is_done = |trial: &Trial, prompt: &Prompt| {
            done.contains(&(trial.id.clone(), prompt.index, repeat))
        };
        let mut memories: HashMap<&str, Option<StopState>> = HashMap::new();
        for prompt in prompts {
            let first = (repeat * prompts.len() + prompt.index) % trials.len();
            for trial in trials[first..].iter().chain(&trials[..first]) {
                let Some(block) = block(trial, prompt, prompts) else {
                    continue;
                };
                let is_missing = block.iter().any(|prompt| !is_done(trial, prompt));
                // What a rule learned before an interruption is learned again.
                let teaches = learns(trial)
                    && prompts[prompt.index..]
                        .iter()
                        .any(|prompt| !is_done(trial, prompt));
                if !is_missing && !teaches {
                    continue;
                }
                if stop.load(Ordering::Relaxed) {
                    bar.finish_and_clear();
                    return Ok(true);
                }
                bar.set_message(trial.label.clone());
                let memory = memories.entry(&trial.id).or_default();
                for entry in run(trial, block, repeat, memory) {
                    if !done.contains(&entry.key()) {
                        journal.append(&entry)?;
                        entries.push(entry);
                        bar.inc(1);
                    }
                }
            }
        }
    }
    bar.finish_and_clear();
    Ok(false)
}

/// The prompts that the trial decodes with `prompt` as the first of them; none inside of a batch.
fn block<'p>(trial: &Trial, prompt: &Prompt, prompts: &'p [Prompt]) -> Option<&'p [Prompt]> {
    let (start, size) = (prompt.index, trial.decoder.batch_size());
    start
        .is_multiple_of(size)
        .then(|| &prompts[start..prompts.len().min(start + size)])
}

fn learns(trial: &Trial) -> bool {
    match &trial.decoder {
        DecoderSpec::Speculative { stop, .. } => stop.remembers_prompts(),
        DecoderSpec::Autoregressive { .. }
        | DecoderSpec::Window { .. }
        | DecoderSpec::WindowDraft { .. } => false,
    }
}

/// What is the same for every generation of a sweep.
///
/// # Errors
/// When a stop string cannot be tokenized.
pub fn settings(sweep: &SweepSpec, models: &LoadedModels) -> Result<Settings, Failure> {
    Ok(Settings {
        max_new_tokens: sweep.workload.max_new_tokens,
        sampling: sweep.sampling,
        seed: sweep.seed,
        stop_ids: models.stop_ids(),
        stop_strings: stop_strings(sweep, models)?,
        mask_id: models.mask_id(),
    })
}

/// Each text under `workload.stop` as tokens.
fn stop_strings(sweep: &SweepSpec, models: &LoadedModels) -> Result<Vec<Vec<TokenId>>, Failure> {
    let texts = sweep.workload.stop.iter();
    texts
        .map(|text| models.tokenizer().encode(text).map_err(Failure::Other))
        .collect()
}

fn progress_bar(n: usize, done: usize) -> ProgressBar {
    let template = "{bar:30} {pos}/{len} generations, {per_sec}, {eta} left, {msg}";
    let bar = ProgressBar::new(n as u64)
        .with_style(ProgressStyle::with_template(template).expect("the template is valid"));
    bar.set_position(done as u64);
    bar.reset_eta();
    bar
}

/// Mean wall time of the baseline in the second half of its generations over the first half.
pub fn drift(baseline: &Trial, entries: &[Entry]) -> Option<f64> {
    let mut rows: Vec<_> = entries
        .iter()
        .map(|entry| &entry.generation)
        .filter(|row| row.trial_id == baseline.id)
        .collect();
    // By prompt, so that both halves hold the same prompts: first repeats against last ones.
    rows.sort_by_key(|row| (row.repeat, row.prompt));
    let n_prompts = rows.iter().filter(|row| row.repeat == 0).count();
    let sum =
        |rows: &[&GenerationRecord]| -> f64 { rows.iter().map(|row| row.wall_ns as f64).sum() };
    if n_prompts == 0 || rows.len() < 2 * n_prompts {
        return None;
    }
    Some(sum(&rows[rows.len() - n_prompts..]) / sum(&rows[..n_prompts]))
}
