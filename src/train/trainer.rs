//! The training loop: batches, gradients on several threads, updates, checkpoints.

mod saved;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::saved::State;
use crate::config::train::TrainSpec;
use crate::model::arch::Architecture;
use crate::model::checkpoint::CheckpointError;
use crate::model::device::DeviceError;
use crate::model::tokenizer::Tokenizer;
use crate::model::transformer::Transformer;
use crate::train::corpus::Corpus;
use crate::train::gradient::{clip, gradients};
use crate::train::objective::{self, Batch, SpecialIds};
use crate::train::optimizer::optimizer;
use crate::train::setup::{open_model, open_problems, open_tokenizer, special_ids};

/// Why a training run ended early.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("{place}: {reason}")]
    File { place: String, reason: String },
    #[error("{0}")]
    Text(String),
    #[error("the loss is {loss} at step {step}: lower schedule.learning_rate")]
    Diverged { step: usize, loss: f32 },
    #[error("interrupted at step {step}; the same command continues from there")]
    Interrupted { step: usize },
    #[error("{}: holds a run of another configuration; remove the folder to start anew", place.display())]
    OtherRun { place: PathBuf },
}

fn file_error(place: &Path, reason: impl std::fmt::Display) -> TrainError {
    TrainError::File {
        place: place.display().to_string(),
        reason: reason.to_string(),
    }
}

/// What the caller shows while training runs.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Steps done, those of an interrupted run included.
    pub step: usize,
    pub n_steps: usize,
    /// Mean loss since the last report.
    pub loss: f32,
    pub learning_rate: f64,
    /// Rows per second since the last report, padding not counted.
    pub rows_per_second: f64,
}

/// Figures of a finished run, for the model card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainSummary {
    pub n_parameters: usize,
    pub n_steps: usize,
    /// Documents seen.
    pub n_documents: usize,
    /// Rows computed, padding not counted.
    pub n_rows: u64,
    pub seconds: f64,
    /// Mean loss of the last reports.
    pub final_loss: f32,
    pub workers: usize,
}

/// Steps between two reports.
const REPORT_EVERY: usize = 20;

/// Runs a training file to its end, or resumes it from `OUT/checkpoint`. `report` is called every
/// few steps and at every checkpoint. Once `stop` is set, the step in flight is finished and saved.
///
/// # Errors
/// See [`TrainError`].
pub fn train(
    spec: &TrainSpec,
    stop: &AtomicBool,
    report: &mut dyn FnMut(Progress),
) -> Result<TrainSummary, TrainError> {
    let mut run = Run::open(spec)?;
    let tokenizer = run.tokenizer.clone();
    let problems = open_problems(spec)?;
    let mut corpus = Corpus::new(
        &tokenizer,
        problems,
        spec.data.seed,
        spec.schedule.batch_len,
        spec.data.n_pooled_batches,
    );
    corpus.skip(run.state.step).map_err(TrainError::Text)?;
    let mut since_report = Meter::default();
    while run.state.step < spec.schedule.n_steps {
        let started = Instant::now();
        let batches = run.batches(&mut corpus)?;
        let loss = run.step(&batches)?;
        if !loss.is_finite() {
            return Err(TrainError::Diverged {
                step: run.state.step,
                loss,
            });
        }
        let n_rows = batches.iter().map(Batch::n_used_rows).sum::<usize>() as u64;
        run.state.n_rows += n_rows;
        run.state.seconds += started.elapsed().as_secs_f64();
        since_report.add(loss, n_rows, started.elapsed());
        let is_checkpoint = run
            .state
            .step
            .is_multiple_of(spec.schedule.checkpoint_every)
            || run.state.step == spec.schedule.n_steps;
        let is_stopped = || stop.load(Ordering::Relaxed);
        let is_reported = run.state.step.is_multiple_of(REPORT_EVERY);
        if !(is_checkpoint || is_reported || is_stopped()) {
            continue;
        }
        run.state.recent_loss = since_report.loss();
        report(since_report.progress(spec, run.state.step));
        since_report = Meter::default();
        let is_stopped = is_stopped();
        if is_checkpoint || is_stopped {
            run.save()?;
        }
        if is_stopped {
            return Err(TrainError::Interrupted {
                step: run.state.step,
            });
        }
    }
    run.finish()
}

#[derive(Debug, Default)]
struct Meter {
    loss_sum: f32,
    n_steps: usize,
    n_rows: u64,
    time: Duration,
}

impl Meter {
    fn add(&mut self, loss: f32, n_rows: u64, time: Duration) {
        self.loss_sum += loss;
        self.n_steps += 1;
        self.n_rows += n_rows;
        self.time += time;
    }

    fn loss(&self) -> f32 {
        self.loss_sum / self.n_steps.max(1) as f32
    }

    fn progress(&self, spec: &TrainSpec, step: usize) -> Progress {
        Progress {
            step,
            n_steps: spec.schedule.n_steps,
            loss: self.loss(),
            learning_rate: spec.schedule.learning_rate_at(step.saturating_sub(1)),
            rows_per_second: self.n_rows as f64 / self.time.as_secs_f64().max(1e-9),
        }
    }
}

impl Batch {
    fn n_used_rows(&self) -> usize {
        let mut rows: Vec<usize> = self.targets.iter().map(|target| target.row).collect();
        rows.dedup();
        rows.len()
    }
}

struct Run<'a> {
    spec: &'a TrainSpec,
    arch: Architecture,
    special: SpecialIds,
    tokenizer: Tokenizer,
    tokenizer_json: Vec<u8>,
    model: Transformer,
    optimizer: ModuleOptimizer,
    device: Device,
    pools: Vec<rayon::ThreadPool>,
    state: State,
}

impl<'a> Run<'a> {
    fn open(spec: &'a TrainSpec) -> Result<Self, TrainError> {
        let mut device = spec.device.open()?.autodiff();
        if spec.gradient_checkpointing {
            device = device.gradient_checkpointing();
        }
        let (tokenizer, tokenizer_json) = open_tokenizer(spec)?;
        let special = special_ids(&tokenizer)?;
        let (model, arch) = open_model(spec, &tokenizer, special, &device)?;
        let optimizer = optimizer(&spec.schedule);
        let pools = (0..spec.workers)
            .map(|_| rayon::ThreadPoolBuilder::new().num_threads(1).build())
            .collect::<Result<_, _>>()
            .map_err(|error| TrainError::Text(format!("no threads: {error}")))?;
        let mut run = Self {
            spec,
            arch,
            special,
            tokenizer,
            tokenizer_json,
            model,
            optimizer,
            device,
            pools,
            state: State {
                spec: spec.clone(),
                step: 0,
                n_rows: 0,
                seconds: 0.0,
                recent_loss: f32::NAN,
            },
        };
        run.resume()?;
        Ok(run)
    }

    /// The micro-batches of a step, in order of length. Chance is a function of seed and step, so that a
    /// resumed run draws the same masks.
    fn batches(&self, corpus: &mut Corpus<'_>) -> Result<Vec<Batch>, TrainError> {
        let documents = corpus.next_batch().map_err(TrainError::Text)?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.spec.seed);
        rng.set_stream(self.state.step as u64);
        let even = documents.len().div_ceil(self.spec.workers);
        let share = self.spec.schedule.micro_batch_len.unwrap_or(even);
        Ok(documents
            .chunks(share)
            .map(|documents| {
                objective::batch(&self.spec.objective, documents, self.special, &mut rng)
            })
            .collect())
    }

    /// One update; returns the mean loss of the workers.
    fn step(&mut self, batches: &[Batch]) -> Result<f32, TrainError> {
        let (model, arch, device) = (&self.model, &self.arch, &self.device);
        // The longest come first, and a worker that is done takes the next.
        let queue = Mutex::new(batches.iter().enumerate());
        let mut results: Vec<(usize, f32, GradientsParams)> = std::thread::scope(|scope| {
            let handles: Vec<_> = self
                .pools
                .iter()
                .map(|pool| {
                    let queue = &queue;
                    // A fork has leaves of its own: graphs that share leaves share a lock, and the
                    // backward passes would wait for each other.
                    let model = model.clone().fork(device);
                    scope.spawn(move || {
                        pool.install(|| {
                            let next = || queue.lock().ok()?.next_back();
                            let batches = std::iter::from_fn(next);
                            let results = batches.map(|(index, batch)| {
                                let (loss, gradients) = gradients(&model, arch, batch, device);
                                (index, loss, gradients)
                            });
                            results.collect::<Vec<_>>()
                        })
                    })
                })
                .collect();
            handles
                .into_iter()
                .map(|handle| {
                    handle
                        .join()
                        .map_err(|_| TrainError::Text("a worker failed".into()))
                })
                .collect::<Result<Vec<_>, _>>()
        })?
        .into_iter()
        .flatten()
        .collect();
        // Sums of floats depend on their order, and who computed what is chance.
        results.sort_by_key(|(index, ..)| *index);
        let n = results.len() as f32;
        let mut accumulator = GradientsAccumulator::new();
        let mut loss_sum = 0.0;
        for (_, loss, gradients) in results {
            loss_sum += loss;
            accumulator.accumulate(&self.model, gradients);
        }
        let gradients = clip(
            &self.model,
            accumulator.grads(),
            1.0 / n,
            self.spec.schedule.clip_norm,
        );
        let learning_rate = self.spec.schedule.learning_rate_at(self.state.step);
        self.model = self
            .optimizer
            .step(learning_rate, self.model.clone(), gradients);
        self.state.step += 1;
        Ok(loss_sum / n)
    }
}
