//! The measuring loop of a sweep: interleaved, journaled, interruptible.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cmd::Failure;
use crate::cmd::interrupt::on_interrupt;
use crate::cmd::judge::Judge;
use crate::cmd::look_back::LookBack;
use crate::cmd::measure::{Prompt, Settings, is_window, measure, measure_batch};
use crate::cmd::models::LoadedModels;
use crate::config::SweepSpec;
use crate::config::decoder::DecoderSpec;
use crate::model::lm::TokenId;
use crate::plan::Trial;
use crate::plan::halving::Course;
use crate::plan::shard::Shard;
use crate::policy::stop::StopState;
use crate::record::journal::{Entry, Journal, keys, tallies};
use crate::record::schema::GenerationRecord;

/// What is measured, and how.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    pub sweep: &'a SweepSpec,
    pub trials: &'a [Trial],
    pub settings: &'a Settings,
    pub prompts: &'a [Prompt],
    /// The part of the sweep that the trials are.
    pub shard: Option<Shard>,
    /// Stop at the first generation that fails.
    pub fail_fast: bool,
}

/// How the measuring ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Complete,
    Interrupted,
    /// A generation failed and the job was to stop there: which one, and why.
    Failed(String),
}

/// Runs what the journal lacks: in each rung, for each repeat and prompt (or batch of prompts) all trials in
/// turn, the first one rotated, so that a drift of the machine hits all trials alike. Window trials of one
/// turn share forwards, if the sweep lets them. Which trials run in a rung follows from what the journal
/// holds of the rungs before, so that a resumed run decides the same. Before each turn, and behind the last,
/// `between` is told the share of the turns that is done, and has the models.
///
/// # Errors
/// When the journal cannot be written, or a program of a generation cannot be run; those of `between`.
pub fn measure_all(
    job: &Job<'_>,
    models: &mut LoadedModels,
    between: &mut dyn FnMut(f64, &mut LoadedModels) -> Result<(), Failure>,
    journal: &mut Journal,
    entries: &mut Vec<Entry>,
    judge: &mut Judge,
) -> Result<End, Failure> {
    let Job {
        trials, prompts, ..
    } = *job;
    for trial in trials {
        if trial.decoder.batch_size() > 1 {
            models.open_batch(trial.decoder.batch_size());
        }
    }
    let windows = trials.iter().filter(|trial| is_window(&trial.decoder));
    if job.sweep.timing.share_forwards && windows.count() > 1 {
        models.open_sharing();
    }
    let course = Course::of(job.sweep, prompts.len());
    let done = keys(entries);
    let n = course.n_generations(trials);
    let bar = progress_bar(n, done.len());
    let stop = on_interrupt()?;
    let is_stopped = || stop.load(Ordering::Relaxed);
    let mut decoding = Decoding {
        job,
        models,
        memories: HashMap::new(),
    };
    let mut look_back = LookBack::new(job.sweep.timing.look_back);
    let dropped = course.dropped(trials, |n_prompts| tallies(entries, n_prompts));
    for trial in running(trials, &dropped) {
        let starts = prompts.iter().cycle();
        let blocks = starts.filter_map(|prompt| block(trial, prompt, prompts));
        let n_missing = n.saturating_sub(done.len());
        for block in blocks.take(job.sweep.timing.warmup.min(n_missing)) {
            if is_stopped() {
                return Ok(End::Interrupted);
            }
            bar.set_message(format!("warming up {}", trial.label));
            // A warm-up that finds its forwards known warms nothing up.
            decoding.models.forget_shared();
            decoding.block(trial, block, 1, &mut None);
        }
    }
    let n_turns = job.sweep.timing.repeats * course.rungs().map(|rung| rung.len()).sum::<usize>();
    let mut n_turns_done = 0;
    for rung in course.rungs() {
        let dropped = course.dropped(trials, |n_prompts| tallies(entries, n_prompts));
        let running = running(trials, &dropped);
        for repeat in 0..job.sweep.timing.repeats {
            for prompt in &prompts[rung.clone()] {
                decoding.models.forget_shared();
                let share = n_turns_done as f64 / n_turns as f64;
                between(share, decoding.models)?;
                n_turns_done += 1;
                let first = (repeat * prompts.len() + prompt.index) % running.len();
                for &trial in running[first..].iter().chain(&running[..first]) {
                    let Some(block) = block(trial, prompt, prompts) else {
                        continue;
                    };
                    let key = |prompt: &Prompt| (trial.id.clone(), prompt.index, repeat);
                    if block.iter().all(|prompt| done.contains(&key(prompt))) {
                        continue;
                    }
                    bar.set_message(trial.label.clone());
                    let Some(decoded) = decoding.in_turn(trial, block, repeat, is_stopped) else {
                        bar.finish_and_clear();
                        return Ok(End::Interrupted);
                    };
                    let mut failed = None;
                    for mut entry in decoded {
                        if done.contains(&entry.key()) {
                            continue;
                        }
                        entry.generation.shard = job.shard;
                        let prompt = &prompts[entry.generation.prompt];
                        judge.complete(&prompt.item, &mut entry.generation)?;
                        let request = job.settings.request(prompt);
                        look_back.complete(&mut entry, trial, &request, decoding.models);
                        journal.append(&entry)?;
                        failed = failed.or_else(|| failure(trial, &entry));
                        entries.push(entry);
                        bar.inc(1);
                    }
                    if let Some(failed) = failed.filter(|_| job.fail_fast) {
                        bar.finish_and_clear();
                        return Ok(End::Failed(failed));
                    }
                }
            }
        }
    }
    decoding.models.forget_shared();
    between(1.0, decoding.models)?;
    bar.finish_and_clear();
    Ok(End::Complete)
}

fn running<'t>(trials: &'t [Trial], dropped: &HashMap<&str, usize>) -> Vec<&'t Trial> {
    let goes_on = |trial: &&Trial| !dropped.contains_key(trial.id.as_str());
    trials.iter().filter(goes_on).collect()
}

fn failure(trial: &Trial, entry: &Entry) -> Option<String> {
    let row = &entry.generation;
    let error = row.error.as_ref()?;
    Some(format!("{}, prompt {}: {error}", trial.label, row.prompt))
}

/// Decodes prompts in turn, with what rules remember of earlier ones.
struct Decoding<'a> {
    job: &'a Job<'a>,
    models: &'a mut LoadedModels,
    /// By trial and repeat.
    memories: HashMap<(&'a str, usize), Memory>,
}

/// What the rule of a trial learned in a repeat.
#[derive(Default)]
struct Memory {
    state: Option<StopState>,
    /// The first prompt that it has not seen.
    next_prompt: usize,
}

impl<'a> Decoding<'a> {
    /// The prompts of a block, behind all before it. What a rule learned before an interruption is learned
    /// again. None when stopped on the way.
    fn in_turn(
        &mut self,
        trial: &'a Trial,
        block: &[Prompt],
        repeat: usize,
        is_stopped: impl Fn() -> bool,
    ) -> Option<Vec<Entry>> {
        let job = self.job;
        let place = (trial.id.as_str(), repeat);
        let Memory {
            mut state,
            next_prompt,
        } = self.memories.remove(&place).unwrap_or_default();
        let first = block[0].index;
        if learns(trial) {
            for earlier in &job.prompts[next_prompt..first] {
                if is_stopped() {
                    return None;
                }
                self.block(trial, std::slice::from_ref(earlier), repeat, &mut state);
            }
        }
        if is_stopped() {
            return None;
        }
        let decoded = self.block(trial, block, repeat, &mut state);
        let memory = Memory {
            state,
            next_prompt: first + block.len(),
        };
        self.memories.insert(place, memory);
        Some(decoded)
    }

    fn block(
        &mut self,
        trial: &Trial,
        block: &[Prompt],
        repeat: usize,
        memory: &mut Option<StopState>,
    ) -> Vec<Entry> {
        let (settings, models) = (self.job.settings, &mut *self.models);
        match block {
            [prompt] if trial.decoder.batch_size() == 1 => {
                vec![measure(trial, prompt, repeat, settings, models, memory)]
            }
            _ => measure_batch(trial, block, repeat, settings, models),
        }
    }
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

/// In the order of the trials, then of prompts, then of repeats.
pub fn sort(entries: &mut [Entry], trials: &[Trial]) {
    let ids = trials.iter().map(|trial| trial.id.as_str());
    let places: HashMap<&str, usize> = ids.zip(0..).collect();
    entries.sort_by_key(|entry| {
        let row = &entry.generation;
        (places.get(row.trial_id.as_str()), row.prompt, row.repeat)
    });
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
