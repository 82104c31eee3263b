//! `sweep`: load the plan, open the models, measure each missing generation, summarise.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::analysis::cost::{ForwardTimes, profile_curve};
use crate::analysis::summary::{Summary, summarise};
use crate::analysis::view::SweepView;
use crate::cli::SweepArgs;
use crate::cmd::Failure;
use crate::cmd::calibrate::forward_times;
use crate::cmd::measure::{Prompt, Settings, measure};
use crate::cmd::models::{LoadedModels, ModelNames};
use crate::cmd::run_folder::{RunFolder, config_hash};
use crate::config::decoder::DecoderSpec;
use crate::config::models::Role;
use crate::config::{SweepSpec, load_sweep};
use crate::model::lm::{LanguageModel, TokenId};
use crate::model::loaded::Placement;
use crate::plan::{Plan, Trial, plan};
use crate::record::folder::{now, today};
use crate::record::journal::{Entry, Journal, keys};
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
    let mut manifest = manifest(&sweep, &plan, &models, &prompts, threads, config_hash(&yaml));
    folder.write_manifest(&manifest)?;

    let times = calibrate(&mut models)?;
    manifest.costs = Some(json!(times));
    let interrupted = measure_all(&sweep, &plan, &prompts, &mut models, &mut journal, &mut entries)?;

    entries.sort_by_key(|entry| {
        let place = plan.trials.iter().position(|trial| trial.id == entry.generation.trial_id);
        (place, entry.generation.prompt, entry.generation.repeat)
    });
    let bootstrap = Bootstrap::default();
    let profile = sweep.hardware_profile()?;
    let summary = summarise(&plan.trials, &entries, profile.as_ref(), &bootstrap);
    manifest.finished = Some(now());
    manifest.status = if interrupted { Status::Interrupted } else { Status::Finished };
    manifest.baseline_drift = drift(&plan.trials[0], &entries);
    folder.write_tables(&summary, &entries)?;
    let view = view(&sweep, &manifest, summary, &times, &bootstrap)?;
    folder.write_report(&view, &bootstrap)?;
    folder.write_manifest(&manifest)?;
    println!("{}", table::terminal(&view, &bootstrap, std::io::stdout().is_terminal()));
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
    overrides.extend(args.device.as_ref().map(|device| format!("device={device}")));
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
        let is_used = plan.trials.iter().any(|trial| trial.decoder.roles().contains(&role));
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
    let longest = items.iter().map(|item| item.prompt.len()).max().unwrap_or(0);
    let window = plan.trials.iter().map(|trial| window_size(&trial.decoder)).max().unwrap_or(0);
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
            let ids = models.tokenizer().encode(&item.prompt).map_err(Failure::Other)?;
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
        DecoderSpec::Autoregressive {} | DecoderSpec::Speculative { .. } => 0,
    }
}

fn open_folder(args: &SweepArgs, sweep: &SweepSpec, yaml: &str) -> Result<RunFolder, Failure> {
    let unfinished = RunFolder::unfinished(&args.out, &sweep.name, &config_hash(yaml));
    if args.resume {
        if let Some(folder) = unfinished? {
            return Ok(folder);
        }
    } else if let Ok(Some(twin)) = unfinished {
        eprintln!("note: {} is unfinished; --resume would continue it", twin.path.display());
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
    for model in [&mut models.verifier, &mut models.drafter, &mut models.window]
        .into_iter()
        .flatten()
    {
        times.push(forward_times(model, CALIBRATION_CONTEXT)?);
    }
    Ok(times)
}

/// Runs what the journal lacks: for each repeat and prompt all trials in turn, the first one
/// rotated, so that a drift of the machine hits all trials alike. True when interrupted.
fn measure_all(
    sweep: &SweepSpec,
    plan: &Plan,
    prompts: &[Prompt],
    models: &mut LoadedModels,
    journal: &mut Journal,
    entries: &mut Vec<Entry>,
) -> Result<bool, Failure> {
    let settings = Settings {
        max_new_tokens: sweep.workload.max_new_tokens,
        sampling: sweep.sampling,
        seed: sweep.seed,
        stop_ids: models.stop_ids(),
        stop_strings: stop_strings(sweep, models)?,
        mask_id: models.mask_id(),
    };
    let done = keys(entries);
    let n = sweep.timing.repeats * prompts.len() * plan.trials.len();
    let bar = progress_bar(n, done.len());
    let stop = on_interrupt()?;
    for trial in &plan.trials {
        for prompt in prompts.iter().cycle().take(sweep.timing.warmup.min(n - done.len())) {
            if stop.load(Ordering::Relaxed) {
                return Ok(true);
            }
            bar.set_message(format!("warming up {}", trial.label));
            measure(trial, prompt, 1, &settings, models);
        }
    }
    for repeat in 0..sweep.timing.repeats {
        for prompt in prompts {
            let first = (repeat * prompts.len() + prompt.index) % plan.trials.len();
            for trial in plan.trials[first..].iter().chain(&plan.trials[..first]) {
                if done.contains(&(trial.id.clone(), prompt.index, repeat)) {
                    continue;
                }
                if stop.load(Ordering::Relaxed) {
                    bar.finish_and_clear();
                    return Ok(true);
                }
                bar.set_message(trial.label.clone());
                let entry = measure(trial, prompt, repeat, &settings, models);
                journal.append(&entry)?;
                entries.push(entry);
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(false)
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
    let bar = ProgressBar::new(n as u64).with_style(
        ProgressStyle::with_template(template).expect("the template is valid"),
    );
    bar.set_position(done as u64);
    bar.reset_eta();
    bar
}

/// A flag that Ctrl-C (or a polite kill) sets; the generation in flight is finished.
fn on_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    ctrlc::set_handler(move || set.store(true, Ordering::Relaxed))
        .map_err(|error| Failure::Other(format!("Ctrl-C cannot be caught: {error}")))?;
    Ok(flag)
}

/// Mean wall time of the baseline in the second half of its generations over the first half.
fn drift(baseline: &Trial, entries: &[Entry]) -> Option<f64> {
    let mut rows: Vec<_> = entries
        .iter()
        .map(|entry| &entry.generation)
        .filter(|row| row.trial_id == baseline.id)
        .collect();
    // By prompt, so that both halves hold the same prompts: first repeats against last ones.
    rows.sort_by_key(|row| (row.repeat, row.prompt));
    let n_prompts = rows.iter().filter(|row| row.repeat == 0).count();
    let sum = |rows: &[&crate::record::schema::GenerationRecord]| -> f64 {
        rows.iter().map(|row| row.wall_ns as f64).sum()
    };
    if n_prompts == 0 || rows.len() < 2 * n_prompts {
        return None;
    }
    Some(sum(&rows[rows.len() - n_prompts..]) / sum(&rows[..n_prompts]))
}

fn view(
    sweep: &SweepSpec,
    manifest: &Manifest,
    summary: Summary,
    times: &[ForwardTimes],
    bootstrap: &Bootstrap,
) -> Result<SweepView, Failure> {
    let profile = sweep.hardware_profile()?;
    let mut views = summary.views.into_iter();
    let baseline = views.next();
    let mut cost_curves: Vec<_> = times
        .iter()
        .map(|times| times.curve(format!("{} on {}", times.model, manifest.device), bootstrap))
        .collect();
    if let (Some(profile), Some(times)) = (&profile, times.first()) {
        cost_curves.push(profile_curve(profile, times));
    }
    let mut provenance = vec![
        ("sweep file".to_string(), format!("`sweep.yaml`, SHA-256 {}", &manifest.config_hash[..16])),
        ("workload".to_string(), format!("{}, seed {}, at most {} new tokens", sweep.workload.source, sweep.workload.seed, sweep.workload.max_new_tokens)),
    ];
    for (role, facts) in &manifest.models {
        let hash = facts["weights_sha256"].as_str().unwrap_or_default();
        provenance.push((
            role.clone(),
            format!("{}, {} parameters, weights SHA-256 {}", facts["name"].as_str().unwrap_or_default(), facts["n_parameters"], &hash[..hash.len().min(16)]),
        ));
    }
    if let Some(drift) = manifest.baseline_drift {
        provenance.push(("baseline, last repeat / first repeat".to_string(), format!("{drift:.3} (wall time)")));
    }
    Ok(SweepView {
        name: sweep.name.clone(),
        command: command_line(&manifest.command),
        version: format!("{VERSION} (git {GIT_REVISION})"),
        date: today(),
        device: format!(
            "{} ({}), {}, {} threads",
            manifest.device,
            manifest.machine.cpu.as_deref().unwrap_or(&manifest.machine.architecture),
            manifest.dtype,
            manifest.threads
        ),
        provenance,
        n_prompts: manifest.n_prompts,
        repeats: sweep.timing.repeats,
        baseline,
        trials: views.collect(),
        cost_curves,
        hardware_profile: profile.map(|profile| profile.name),
    })
}

/// The command as one would type it again: the program by its name, not by its path here.
fn command_line(arguments: &[String]) -> String {
    let quoted = |argument: &String| {
        if argument.contains([' ', '{', '*']) { format!("'{argument}'") } else { argument.clone() }
    };
    let rest: Vec<String> = arguments.iter().skip(1).map(quoted).collect();
    format!("wedlm-bench {}", rest.join(" "))
}
