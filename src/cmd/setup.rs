//! What a sweep has at hand before anything is measured: threads, models, prompts, and the manifest.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::json;

use crate::cli::PlanArgs;
use crate::cmd::Failure;
use crate::cmd::measure::Prompt;
use crate::cmd::models::{LoadedModels, ModelNames};
use crate::cmd::prompts;
use crate::config::SweepSpec;
use crate::config::decoder::DecoderSpec;
use crate::config::models::Role;
use crate::model::lm::LanguageModel;
use crate::model::loaded::Placement;
use crate::model::threads::build_pool;
use crate::plan::Plan;
use crate::record::folder::now;
use crate::record::manifest::{GIT_REVISION, Machine, Manifest, Status, VERSION};

/// The flags that are short for `--set`.
pub(super) fn overrides(args: &PlanArgs) -> Vec<String> {
    let mut overrides = args.overrides.clone();
    overrides.extend(args.limit.map(|limit| format!("workload.limit={limit}")));
    overrides.extend(
        args.device
            .as_ref()
            .map(|device| format!("device={device}")),
    );
    overrides
}

/// Sets the threads of the CPU backend for this process; the number in use.
pub(super) fn set_threads(threads: Option<usize>) -> Result<usize, Failure> {
    /// The pool is built once for a process, which may run several sweeps.
    static BUILT: OnceLock<Option<usize>> = OnceLock::new();
    let mut is_new = false;
    let built = *BUILT.get_or_init(|| {
        is_new = true;
        threads
    });
    match threads {
        Some(_) if is_new => {
            build_pool(threads).map_err(|error| Failure::Other(format!("threads: {error}")))?
        }
        // Where there is a pool already, that one will do.
        None if is_new => drop(build_pool(None)),
        Some(n) if built != threads => {
            return Err(Failure::Usage(format!(
                "threads: {n} differs from that of the sweep before; run the sweeps one at a time"
            )));
        }
        Some(_) | None => {}
    }
    Ok(rayon::current_num_threads())
}

/// Only the models that some trial uses.
pub(super) fn model_names(sweep: &SweepSpec, plan: &Plan) -> ModelNames {
    let name = |role: Role| {
        let is_used = plan
            .trials
            .iter()
            .any(|trial| trial.decoder.roles().contains(&role));
        sweep
            .models
            .get(role)
            .filter(|_| is_used)
            .map(|name| name.as_str().to_string())
    };
    ModelNames {
        verifier: name(Role::Verifier),
        drafter: name(Role::Drafter),
        window: name(Role::Window),
    }
}

/// Loads the workload first: it is quick, and a wrong path or a prompt that the chat template refuses
/// should not wait for the models.
pub(super) fn open(
    sweep: &SweepSpec,
    names: &ModelNames,
    plan: &Plan,
) -> Result<(LoadedModels, Vec<Prompt>), Failure> {
    let (prompts, longest) = prompts::load(&sweep.workload, names)?;
    let window = plan
        .trials
        .iter()
        .map(|trial| window_size(&trial.decoder))
        .max()
        .unwrap_or(0);
    let context_len = longest
        .saturating_add(sweep.workload.max_new_tokens)
        .saturating_add(window.saturating_mul(3))
        .saturating_add(64);
    let models = LoadedModels::open(names, |role| Placement {
        device: sweep.device,
        dtype: sweep.dtype_of(role),
        context_len,
    })?;
    Ok((models, prompts))
}

fn window_size(decoder: &DecoderSpec) -> usize {
    match decoder {
        DecoderSpec::Window { window_size, .. } | DecoderSpec::WindowDraft { window_size, .. } => {
            *window_size
        }
        DecoderSpec::Autoregressive { .. } | DecoderSpec::Speculative { .. } => 0,
    }
}

/// The manifest of a run that begins.
pub(super) fn manifest(
    sweep: &SweepSpec,
    plan: &Plan,
    models: Option<&LoadedModels>,
    n_prompts: usize,
    threads: usize,
    config_hash: String,
) -> Manifest {
    let models: BTreeMap<String, serde_json::Value> = models
        .into_iter()
        .flat_map(LoadedModels::all)
        .map(|(role, model)| {
            let facts = json!({
                "name": model.name,
                "dtype": model.lm.dtype(),
                "n_parameters": model.lm.n_parameters(),
                "weights_sha256": model.weights_hash,
            });
            (role.to_string(), facts)
        })
        .collect();
    Manifest {
        program: "wedlm-bench".into(),
        version: VERSION.into(),
        git_revision: GIT_REVISION.into(),
        command: std::env::args().collect(),
        started: now(),
        finished: None,
        status: Status::Running,
        config_hash,
        models,
        machine: Machine::here(),
        device: sweep.device.to_string(),
        dtype: match sweep.dtype_of(Role::Drafter) {
            dtype if dtype == sweep.dtype => dtype.to_string(),
            dtype => format!("{} (drafter {dtype})", sweep.dtype),
        },
        threads,
        seed: sweep.seed,
        n_prompts,
        n_trials: plan.trials.len(),
        shard: None,
        merged_from: Vec::new(),
        costs: None,
        baseline_drift: None,
        replay_check: None,
        experiments: BTreeMap::new(),
    }
}
