//! The training loop: batches, gradients on several threads, AdamW, checkpoints.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData, activation};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::config::train::{InitSpec, TokenizerSpec, TrainSpec};
use crate::model::arch::{Architecture, RopeScaling};
use crate::model::attention::{RowContext, additive_mask, causal_mask};
use crate::model::checkpoint::{Checkpoint, CheckpointError};
use crate::model::device::DeviceError;
use crate::model::export::{Companions, write_checkpoint, write_whole};
use crate::model::load::{Head, load_transformer};
use crate::model::rope::Rope;
use crate::model::tokenizer::Tokenizer;
use crate::model::transformer::Transformer;
use crate::train::corpus::Corpus;
use crate::train::init::random_transformer;
use crate::train::objective::{self, Batch, SpecialIds};
use crate::train::tokenizer::{COMMON_WORDS, END_TOKEN, MASK_TOKEN};
use crate::workload::{ProblemStream, Split, training_document};

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

/// State beside the weights in a resumable checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    spec: TrainSpec,
    step: usize,
    n_rows: u64,
    seconds: f64,
    recent_loss: f32,
}

/// Steps between two reports.
const REPORT_EVERY: usize = 20;

/// Runs a training file to its end, or resumes it from `OUT/checkpoint`. `report` is called every
/// few steps and at every checkpoint; when it breaks, the run is saved and ends.
///
/// # Errors
/// See [`TrainError`].
pub fn train(
    spec: &TrainSpec,
    report: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<TrainSummary, TrainError> {
    let mut run = Run::open(spec)?;
    let tokenizer = run.tokenizer.clone();
    let mut corpus = Corpus::new(&tokenizer, spec.data.seed, spec.schedule.batch_len);
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
        if !is_checkpoint && !run.state.step.is_multiple_of(REPORT_EVERY) {
            continue;
        }
        run.state.recent_loss = since_report.loss();
        let flow = report(since_report.progress(spec, run.state.step));
        since_report = Meter::default();
        if is_checkpoint || flow.is_break() {
            run.save()?;
        }
        if flow.is_break() {
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
        let optimizer = AdamWConfig::new()
            .with_beta_2(spec.schedule.beta_2)
            .with_epsilon(1e-8)
            .with_weight_decay(spec.schedule.weight_decay)
            .init();
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

    fn folder(&self) -> PathBuf {
        self.spec.out.join("checkpoint")
    }

    fn resume(&mut self) -> Result<(), TrainError> {
        let place = self.folder().join("state.json");
        if !place.is_file() {
            return Ok(());
        }
        let text = fs::read_to_string(&place).map_err(|error| file_error(&place, error))?;
        let state: State =
            serde_json::from_str(&text).map_err(|error| file_error(&place, error))?;
        if state.spec != *self.spec {
            return Err(TrainError::OtherRun {
                place: self.folder(),
            });
        }
        let weights = self.folder().join(format!("{}.model.bpk", state.step));
        let moments = self.folder().join(format!("{}.optimizer.bpk", state.step));
        self.model = self
            .model
            .clone()
            .try_load_file(&weights)
            .map_err(|error| file_error(&weights, error))?;
        self.optimizer = self
            .optimizer
            .clone()
            .load(&moments)
            .map_err(|error| file_error(&moments, error))?;
        self.state = state;
        Ok(())
    }

    /// The state file is replaced last, so that a checkpoint is either whole or not there.
    fn save(&self) -> Result<(), TrainError> {
        let folder = self.folder();
        fs::create_dir_all(&folder).map_err(|error| file_error(&folder, error))?;
        let step = self.state.step;
        let weights = folder.join(format!("{step}.model.bpk"));
        let moments = folder.join(format!("{step}.optimizer.bpk"));
        self.model
            .clone()
            .save_file(&weights)
            .map_err(|error| file_error(&weights, error))?;
        self.optimizer
            .save(&moments)
            .map_err(|error| file_error(&moments, error))?;
        let place = folder.join("state.json");
        let text =
            serde_json::to_vec_pretty(&self.state).map_err(|error| file_error(&place, error))?;
        write_whole(&place, &text).map_err(|error| file_error(&place, error))?;
        let keep = format!("{step}.");
        for entry in fs::read_dir(&folder)
            .map_err(|error| file_error(&folder, error))?
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".bpk") && !name.starts_with(&keep) {
                // An older checkpoint that stays behind costs space and nothing else.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<TrainSummary, TrainError> {
        write_checkpoint(
            &self.spec.out,
            &self.model.valid(),
            &self.arch,
            Companions {
                tokenizer_json: &self.tokenizer_json,
                end_token: END_TOKEN,
                mask_token: MASK_TOKEN,
            },
        )
        .map_err(|error| file_error(&self.spec.out, error))?;
        let summary = TrainSummary {
            n_parameters: self.model.num_params(),
            n_steps: self.state.step,
            n_documents: self.state.step * self.spec.schedule.batch_len,
            n_rows: self.state.n_rows,
            seconds: self.state.seconds,
            final_loss: self.state.recent_loss,
            workers: self.spec.workers,
        };
        let place = self.spec.out.join("training.json");
        let text = serde_json::to_vec_pretty(&serde_json::json!({
            "spec": self.spec,
            "summary": summary,
        }))
        .map_err(|error| file_error(&place, error))?;
        write_whole(&place, &text).map_err(|error| file_error(&place, error))?;
        Ok(summary)
    }

    /// One batch per worker. Chance is a function of seed and step, so that a resumed run draws
    /// the same masks.
    fn batches(&self, corpus: &mut Corpus<'_>) -> Result<Vec<Batch>, TrainError> {
        let documents = corpus.next_batch().map_err(TrainError::Text)?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.spec.seed);
        rng.set_stream(self.state.step as u64);
        let share = documents.len().div_ceil(self.spec.workers);
        Ok(documents
            .chunks(share)
            .map(|documents| {
                objective::batch(self.spec.objective, documents, self.special, &mut rng)
            })
            .collect())
    }

    /// One update; returns the mean loss of the workers.
    fn step(&mut self, batches: &[Batch]) -> Result<f32, TrainError> {
        let (model, arch, device) = (&self.model, &self.arch, &self.device);
        let results: Vec<(f32, GradientsParams)> = std::thread::scope(|scope| {
            let handles: Vec<_> = batches
                .iter()
                .zip(&self.pools)
                .map(|(batch, pool)| {
                    // A fork has leaves of its own: graphs that share leaves share a lock, and the
                    // backward passes would wait for each other.
                    let model = model.clone().fork(device);
                    scope.spawn(move || pool.install(|| gradients(&model, arch, batch, device)))
                })
                .collect();
            handles
                .into_iter()
                .map(|handle| {
                    handle
                        .join()
                        .map_err(|_| TrainError::Text("a worker failed".into()))
                })
                .collect::<Result<_, _>>()
        })?;
        let n = results.len() as f32;
        let mut accumulator = GradientsAccumulator::new();
        let mut loss_sum = 0.0;
        for (loss, gradients) in results {
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

fn gradients(
    model: &Transformer,
    arch: &Architecture,
    batch: &Batch,
    device: &Device,
) -> (f32, GradientsParams) {
    let loss = batch_loss(model, arch, batch, device);
    let value = loss.clone().into_scalar::<f32>();
    (value, GradientsParams::from_grads(loss.backward(), model))
}

/// Weighted cross-entropy of a batch, in nats.
///
/// # Shapes
/// Output: `[1]`.
pub fn batch_loss(
    model: &Transformer,
    arch: &Architecture,
    batch: &Batch,
    device: &Device,
) -> Tensor<1> {
    let (n, len) = (batch.n_documents, batch.len);
    let ints = |values: Vec<i32>| {
        let count = values.len();
        Tensor::<1, Int>::from_data(TensorData::new(values, [count]), device)
    };
    let tokens = ints(batch.tokens.iter().map(|&token| token as i32).collect()).reshape([n, len]);
    let rows = row_context(arch, batch, device);
    let mask = match &batch.may_attend {
        None => causal_mask(len, 0, None, DType::F32, device)
            .unwrap_or_else(|| Tensor::zeros([1, 1, len, len], device)),
        Some(may_attend) => {
            let data = TensorData::new(may_attend.clone(), [n, 1, len, len]);
            additive_mask(Tensor::<4, Bool>::from_data(data, device), DType::F32)
        }
    };
    let hidden = model.forward_batch(arch, tokens, &rows, &mask);
    let wanted = ints(
        batch
            .targets
            .iter()
            .map(|target| target.row as i32)
            .collect(),
    );
    let logits = model.logits(hidden.select(0, wanted));
    let log_probabilities = activation::log_softmax(logits, 1);
    let n_targets = batch.targets.len();
    let ids = ints(
        batch
            .targets
            .iter()
            .map(|target| target.token as i32)
            .collect(),
    );
    let weights: Vec<f32> = batch.targets.iter().map(|target| target.weight).collect();
    let weights = Tensor::<2>::from_data(TensorData::new(weights, [n_targets, 1]), device);
    (log_probabilities.gather(1, ids.reshape([n_targets, 1])) * weights)
        .sum()
        .neg()
}

fn row_context(arch: &Architecture, batch: &Batch, device: &Device) -> RowContext {
    let rope = Rope::new(arch);
    // Without a prediction stream all documents stand at the same positions.
    let shared = batch.may_attend.is_none();
    let n = if shared { 1 } else { batch.n_documents };
    let (cos, sin) = rope.tables(&batch.positions[..n * batch.len]);
    let shape = [n, batch.len, 1, arch.head_len];
    RowContext {
        batch: batch.n_documents,
        len: batch.len,
        cos: Tensor::from_data(TensorData::new(cos, shape), device),
        sin: Tensor::from_data(TensorData::new(sin, shape), device),
    }
}

/// Scales all gradients by `scale`, then down to `max_norm` when their joint norm exceeds it.
fn clip(
    model: &Transformer,
    gradients: GradientsParams,
    scale: f32,
    max_norm: f32,
) -> GradientsParams {
    let mut norm = SquaredNorm {
        gradients: &gradients,
        sum: 0.0,
    };
    model.visit(&mut norm);
    let norm = scale * norm.sum.sqrt();
    let mut rescale = Rescale {
        old: gradients,
        new: GradientsParams::new(),
        factor: scale * (max_norm / norm.max(max_norm)),
    };
    model.visit(&mut rescale);
    rescale.new
}

struct SquaredNorm<'a> {
    gradients: &'a GradientsParams,
    sum: f32,
}

impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.sum += gradient.square().sum().into_scalar::<f32>();
        }
    }
}

struct Rescale {
    old: GradientsParams,
    new: GradientsParams,
    factor: f32,
}

impl ModuleVisitor for Rescale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.old.remove::<D>(param.id) {
            self.new
                .register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}

fn open_tokenizer(spec: &TrainSpec) -> Result<(Tokenizer, Vec<u8>), TrainError> {
    match &spec.tokenizer {
        TokenizerSpec::From { model } => {
            let json = Checkpoint::open(model)?.tokenizer_json()?;
            Ok((Tokenizer::from_json(&json).map_err(TrainError::Text)?, json))
        }
        TokenizerSpec::Train {
            vocab_len,
            n_documents,
        } => {
            let mut texts: Vec<String> = ProblemStream::new(Split::Train, spec.data.seed)
                .take(*n_documents)
                .map(|problem| training_document(&problem.question, &problem.answer))
                .collect();
            texts.push(COMMON_WORDS.to_string());
            let json = crate::train::tokenizer::train(&texts, *vocab_len)
                .and_then(|tokenizer| tokenizer.to_string(false))
                .map_err(|error| TrainError::Text(format!("tokenizer training failed: {error}")))?
                .into_bytes();
            Ok((Tokenizer::from_json(&json).map_err(TrainError::Text)?, json))
        }
    }
}

fn special_ids(tokenizer: &Tokenizer) -> Result<SpecialIds, TrainError> {
    let need = |token: &str| {
        tokenizer
            .id(token)
            .ok_or_else(|| TrainError::Text(format!("the tokenizer has no entry '{token}'")))
    };
    Ok(SpecialIds {
        end: need(END_TOKEN)?,
        mask: need(MASK_TOKEN)?,
    })
}

fn open_model(
    spec: &TrainSpec,
    tokenizer: &Tokenizer,
    special: SpecialIds,
    device: &Device,
) -> Result<(Transformer, Architecture), TrainError> {
    match &spec.init {
        InitSpec::From { model } => {
            let checkpoint = Checkpoint::open(model)?;
            let weights = load_transformer(&checkpoint, DType::F32, device, Head::Shared)?;
            let mut arch = checkpoint.arch.clone();
            arch.mask_id = Some(special.mask);
            Ok((weights, arch))
        }
        &InitSpec::Random {
            hidden_len,
            ffn_len,
            n_layers,
            n_heads,
            n_kv_heads,
            head_len,
            context_len,
        } => {
            let arch = Architecture {
                model_type: "qwen3".into(),
                vocab_len: tokenizer.len(),
                hidden_len,
                ffn_len,
                n_layers,
                n_heads,
                n_kv_heads,
                head_len,
                context_len,
                rms_norm_eps: 1e-6,
                rope_theta: 10_000.0,
                rope_scaling: RopeScaling::Default,
                sliding_windows: vec![None; n_layers],
                tied_head: true,
                eos_ids: vec![special.end],
                mask_id: Some(special.mask),
            };
            // The same checks that a config.json on disk has to pass.
            let text = arch.to_json().to_string();
            Architecture::from_json(&text).map_err(|error| TrainError::Text(error.to_string()))?;
            Ok((random_transformer(&arch, spec.seed, device), arch))
        }
    }
}
