//! `sweep`: load the plan, open the models, measure each missing generation, summarise.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use serde_json::json;

use crate::analysis::cost::ForwardTimes;
use crate::analysis::summary::summarise;
use crate::cli::SweepArgs;
use crate::cmd::Failure;
use crate::cmd::calibrate::forward_times;
use crate::cmd::measure::Prompt;
use crate::cmd::measure_all::{drift, measure_all};
use crate::cmd::models::{LoadedModels, ModelNames};
use crate::cmd::run_folder::{RunFolder, config_hash};
use crate::cmd::sweep_view::view;
use crate::config::decoder::DecoderSpec;
use crate::config::models::Role;
use crate::config::{SweepSpec, load_sweep};
use crate::model::lm::LanguageModel;
use crate::model::loaded::Placement;
use crate::plan::{Plan, plan};
use crate::record::folder::now;
use crate::record::journal::Journal;
use crate::record::manifest::{GIT_REVISION, Machine, Manifest, Status, VERSION};
use crate::report::table;
use crate::stats::bootstrap::Bootstrap;
use crate::workload;

/// Context at which forwards are timed: about the middle of a generation.
const CALIBRATION_CONTEXT: usize = 96;

pub fn run(args: &SweepArgs) -> Result<(), Failure> {
    let sweep = load_sweep(&args.config, &overrides(args))?;
    let plan = plan(&sweep)?;
    print_plan(&plan, &sweep);
    if args.dry_run {
        return Ok(());
    }
    let threads = set_threads(sweep.threads)?;
    let names = model_names(&sweep, &plan);
    let (mut models, prompts) = open(&sweep, &names, &plan)?;
    let yaml = sweep.to_yaml()?;
    let folder = open_folder(args, &sweep, &yaml)?;
    let (mut journal, mut entries) = Journal::open(&folder.path)?;
    let mut manifest = manifest(
        &sweep,
        &plan,
        &models,
        &prompts,
        threads,
        config_hash(&yaml),
    );
    folder.write_manifest(&manifest)?;

    let times = calibrate(&mut models)?;
    manifest.costs = Some(json!(times));
    let interrupted = measure_all(
        &sweep,
        &plan,
        &prompts,
        &mut models,
        &mut journal,
        &mut entries,
    )?;

    entries.sort_by_key(|entry| {
        let place = plan
            .trials
            .iter()
            .position(|trial| trial.id == entry.generation.trial_id);
        (place, entry.generation.prompt, entry.generation.repeat)
    });
    let bootstrap = Bootstrap::default();
    let profile = sweep.hardware_profile()?;
    let summary = summarise(&plan.trials, &entries, profile.as_ref(), &bootstrap);
    manifest.finished = Some(now());
    manifest.status = if interrupted {
        Status::Interrupted
    } else {
        Status::Finished
    };
    manifest.baseline_drift = drift(&plan.trials[0], &entries);
    folder.write_tables(&summary, &entries)?;
    let view = view(&sweep, &manifest, summary, &times, &bootstrap)?;
    folder.write_report(&view, &bootstrap)?;
    folder.write_manifest(&manifest)?;
    println!(
        "{}",
        table::terminal(&view, &bootstrap, std::io::stdout().is_terminal())
    );
    if interrupted {
        return Err(Failure::Interrupted(folder.path.display().to_string()));
    }
    println!("{}", folder.path.display());
    Ok(())
}

/// The flags that are short for `--set`.
fn overrides(args: &SweepArgs) -> Vec<String> {
    let mut overrides = args.overrides.clone();
    overrides.extend(args.limit.map(|limit| format!("workload.limit={limit}")));
    overrides.extend(
        args.device
            .as_ref()
            .map(|device| format!("device={device}")),
    );
    overrides
}

fn print_plan(plan: &Plan, sweep: &SweepSpec) {
    for trial in &plan.trials {
        println!("{}  {}", trial.id, trial.label);
        for name in &trial.names[1..] {
            println!("              = {name}");
        }
    }
    for refused in &plan.refused {
        println!("refused       {}: {}", refused.label, refused.reason);
    }
    let n_prompts = sweep.workload.n_prompts_at_most();
    let per_prompt = sweep.timing.repeats;
    let prompts = match n_prompts {
        usize::MAX => "all".to_string(),
        n => n.to_string(),
    };
    println!(
        "{} points and the baseline: {} trials, {} merged, {} refused; {prompts} prompts × {per_prompt} repeats{}\n",
        plan.n_points(),
        plan.trials.len(),
        plan.merged.unread + plan.merged.equal_rules,
        plan.refused.len(),
        match n_prompts.checked_mul(per_prompt * plan.trials.len()) {
            Some(n) if n_prompts != usize::MAX => format!(": {n} generations, all live"),
            _ => String::new(),
        }
    );
}

/// Sets the threads of the CPU backend for this process; the number in use.
fn set_threads(threads: Option<usize>) -> Result<usize, Failure> {
    if let Some(n) = threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(n)
            .build_global()
            .map_err(|error| Failure::Other(format!("threads: {error}")))?;
    }
    Ok(rayon::current_num_threads())
}

/// Only the models that some trial uses.
fn model_names(sweep: &SweepSpec, plan: &Plan) -> ModelNames {
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

/// Loads the workload first: it is quick, and a wrong path should not wait for the models.
fn open(
    sweep: &SweepSpec,
    names: &ModelNames,
    plan: &Plan,
) -> Result<(LoadedModels, Vec<Prompt>), Failure> {
    let spec = &sweep.workload;
    let items = workload::load(&spec.source, spec.n_prompts_at_most(), spec.seed)?;
    // A token is at least one byte, so the bytes bound the tokens.
    let longest = items
        .iter()
        .map(|item| item.prompt.len())
        .max()
        .unwrap_or(0);
    let window = plan
        .trials
        .iter()
        .map(|trial| window_size(&trial.decoder))
        .max()
        .unwrap_or(0);
    let placement = Placement {
        device: sweep.device,
        dtype: sweep.dtype,
        context_len: longest + spec.max_new_tokens + 3 * window + 64,
    };
    let models = LoadedModels::open(names, placement)?;
    let prompts = items
        .into_iter()
        .enumerate()
        .map(|(index, item)| {
            let ids = models
                .tokenizer()
                .encode(&item.prompt)
                .map_err(Failure::Other)?;
            Ok(Prompt { index, item, ids })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
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

fn open_folder(args: &SweepArgs, sweep: &SweepSpec, yaml: &str) -> Result<RunFolder, Failure> {
    let unfinished = RunFolder::unfinished(&args.out, &sweep.name, &config_hash(yaml));
    if args.resume {
        if let Some(folder) = unfinished? {
            return Ok(folder);
        }
    } else if let Ok(Some(twin)) = unfinished {
        eprintln!(
            "note: {} is unfinished; --resume would continue it",
            twin.path.display()
        );
    }
    Ok(RunFolder::start(&args.out, &sweep.name, yaml)?)
}

fn manifest(
    sweep: &SweepSpec,
    plan: &Plan,
    models: &LoadedModels,
    prompts: &[Prompt],
    threads: usize,
    config_hash: String,
) -> Manifest {
    let models: BTreeMap<String, serde_json::Value> = models
        .all()
        .map(|(role, model)| {
            let facts = json!({
                "name": model.name,
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
        dtype: format!("{:?}", sweep.dtype).to_lowercase(),
        threads,
        seed: sweep.seed,
        n_prompts: prompts.len(),
        n_trials: plan.trials.len(),
        costs: None,
        baseline_drift: None,
    }
}

fn calibrate(models: &mut LoadedModels) -> Result<Vec<ForwardTimes>, Failure> {
    let mut times = Vec::new();
    for model in [
        &mut models.verifier,
        &mut models.drafter,
        &mut models.window,
    ]
    .into_iter()
    .flatten()
    {
        times.push(forward_times(model, CALIBRATION_CONTEXT)?);
    }
    Ok(times)
}
