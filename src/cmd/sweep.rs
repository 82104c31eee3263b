//! `sweep`: load the plan, open the models, measure each missing generation, summarise.

use std::collections::{BTreeMap, HashSet};
use std::io::IsTerminal;
use std::time::Duration;

use serde_json::json;

use crate::analysis::cost::ForwardTimes;
use crate::analysis::summary::summarise;
use crate::cli::{PlanArgs, SweepArgs};
use crate::cmd::Failure;
use crate::cmd::calibrate::forward_times;
use crate::cmd::measure::{Prompt, measure};
use crate::cmd::measure_all::{drift, measure_all, settings};
use crate::cmd::models::{LoadedModels, ModelNames};
use crate::cmd::replay_sweep::{Replayed, checked, recorded};
use crate::cmd::replayable::{Split, header};
use crate::cmd::run_folder::{RunFolder, config_hash};
use crate::cmd::sweep_view::view;
use crate::config::decoder::DecoderSpec;
use crate::config::models::Role;
use crate::config::replay::SweepMode;
use crate::config::{SweepSpec, load_sweep};
use crate::model::lm::LanguageModel;
use crate::model::loaded::Placement;
use crate::plan::{Plan, Trial, plan};
use crate::record::folder::now;
use crate::record::journal::Journal;
use crate::record::manifest::{GIT_REVISION, Machine, Manifest, Status, VERSION};
use crate::report::table;
use crate::stats::bootstrap::Bootstrap;
use crate::workload;

/// Context at which forwards are timed: about the middle of a generation.
const CALIBRATION_CONTEXT: usize = 96;

pub fn run(args: &SweepArgs) -> Result<(), Failure> {
    let sweep = load_sweep(&args.sweep.config, &overrides(&args.sweep))?;
    let plan = plan(&sweep)?;
    let header = match sweep.mode {
        SweepMode::Live => None,
        SweepMode::Replay | SweepMode::Auto => header(&plan.trials, sweep.sampling),
    };
    let split = Split::new(&plan, sweep.mode, header.as_ref());
    print_plan(&plan, &sweep, &split);
    if args.dry_run {
        match estimate(&sweep, &plan, &split) {
            Ok(estimate) => println!("{estimate}"),
            Err(reason) => println!("no estimate of the time: {reason}"),
        }
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
        Some(&models),
        prompts.len(),
        threads,
        config_hash(&yaml),
    );
    folder.write_manifest(&manifest)?;

    let times = calibrate(&mut models)?;
    manifest.costs = Some(json!(times));
    let settings = settings(&sweep, &models)?;
    let recorded = match &header {
        Some(header) if !split.replayed.is_empty() => {
            let recorded = recorded(&folder.path, header, &prompts, &settings, &mut models)?;
            let checked = checked(&sweep, &recorded, &split)?;
            Some((recorded, checked))
        }
        Some(_) | None => None,
    };
    let also_live = recorded.iter().flat_map(|(_, checked)| checked);
    let trials: Vec<Trial> = split
        .live
        .iter()
        .chain(also_live.map(|(trial, _)| trial))
        .cloned()
        .collect();
    let interrupted = measure_all(
        &sweep,
        &trials,
        &settings,
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
    let mut tables = folder.tables()?;
    tables.add_entries(&entries)?;
    let (summary, check) = match &recorded {
        None => {
            let summary = summarise(&plan.trials, &entries, profile.as_ref(), &bootstrap);
            (summary, None)
        }
        Some((recorded, checked)) => {
            let replayed = Replayed {
                sweep: &sweep,
                split: &split,
                checked,
                recorded,
                prompts: &prompts,
                entries: &entries,
                profile: profile.as_ref(),
            };
            let (summary, check) = replayed.summarise(&plan.trials, &mut tables, &bootstrap)?;
            (summary, Some(check))
        }
    };
    manifest.finished = Some(now());
    manifest.status = if interrupted {
        Status::Interrupted
    } else {
        Status::Finished
    };
    manifest.baseline_drift = drift(&plan.trials[0], &entries);
    folder.finish_tables(tables, &summary)?;
    let mut view = view(&sweep, &manifest, summary, &times, &bootstrap)?;
    view.replay = check;
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

fn print_plan(plan: &Plan, sweep: &SweepSpec, split: &Split) {
    let replayed: HashSet<&str> = split
        .replayed
        .iter()
        .map(|(trial, _)| trial.id.as_str())
        .collect();
    for trial in &plan.trials {
        let is_replayed = replayed.contains(trial.id.as_str());
        let mode = if is_replayed { "  (replayed)" } else { "" };
        println!("{}  {}{mode}", trial.id, trial.label);
        for name in &trial.names[1..] {
            println!("              = {name}");
        }
    }
    for (trial, reason) in &split.refused {
        println!("not replayed  {}: {reason}", trial.label);
    }
    for refused in &plan.refused {
        println!("refused       {}: {}", refused.label, refused.reason);
    }
    let prompts = match sweep.workload.n_prompts_at_most() {
        usize::MAX => "all".to_string(),
        n => n.to_string(),
    };
    println!(
        "{} points: {} trials and {}, {} merged, {} refused; {prompts} prompts × {} repeats",
        plan.n_points(),
        plan.trials.len() - plan.n_baselines,
        match plan.n_baselines {
            1 => "the baseline".to_string(),
            n => format!("{n} baselines"),
        },
        plan.merged.unread + plan.merged.equal_rules,
        plan.refused.len(),
        sweep.timing.repeats,
    );
    println!("{}\n", work(sweep, split));
}

/// How many generations run live, and what is replayed beside them.
fn work(sweep: &SweepSpec, split: &Split) -> String {
    let n_checked = sweep.replay.check.min(split.replayed.len());
    let n_live = split.live.len() + n_checked;
    let per_trial = match sweep.workload.n_prompts_at_most() {
        usize::MAX => None,
        n => n.checked_mul(sweep.timing.repeats),
    };
    let live = match per_trial {
        Some(n) => format!("{} generations of {n_live} trials run live", n * n_live),
        None => format!("{n_live} trials run live"),
    };
    match split.replayed.len() {
        0 => live,
        n => format!("{live}, {n_checked} of them to check the replay of {n} trials"),
    }
}

/// How long the sweep will take here, from one prompt decoded autoregressively: as if every trial took
/// as long.
fn estimate(sweep: &SweepSpec, plan: &Plan, split: &Split) -> Result<String, Failure> {
    let (mut models, prompts) = open(sweep, &model_names(sweep, plan), plan)?;
    let settings = settings(sweep, &models)?;
    let Some(prompt) = prompts.first() else {
        return Err(Failure::Usage("the workload has no prompt".into()));
    };
    let mut ns = 0;
    for _warm_up_then_timed in 0..2 {
        let entry = measure(
            &plan.trials[0],
            prompt,
            1,
            &settings,
            &mut models,
            &mut None,
        );
        if let Some(error) = entry.generation.error {
            return Err(Failure::Other(error));
        }
        ns = entry.generation.wall_ns;
    }
    let n_live = split.live.len() + sweep.replay.check.min(split.replayed.len());
    let per_trial = prompts.len() * sweep.timing.repeats + sweep.timing.warmup;
    // A trace decodes a prompt, reads it with both models, and drafts behind each mismatch.
    let n_traced = if split.replayed.is_empty() {
        0
    } else {
        3 * prompts.len()
    };
    let seconds = (n_live * per_trial + n_traced) as f64 * ns as f64 / 1e9;
    let rounded = Duration::from_secs(seconds.ceil() as u64);
    Ok(format!(
        "about {} on this device, where one autoregressive generation takes {:.0} ms",
        humantime::format_duration(rounded),
        ns as f64 / 1e6
    ))
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

/// Loads the workload first: it is quick, and a wrong path should not wait for the models.
pub(super) fn open(
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
        n_prompts,
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
