//! `sweep`: load the plan, open the models, measure each missing generation, summarise.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::analysis::run_costs::RunCosts;
use crate::analysis::summary::{Summariser, summarise};
use crate::cli::SweepArgs;
use crate::cmd::Failure;
use crate::cmd::calibrate::Calibration;
use crate::cmd::download::fetch;
use crate::cmd::judge::Judge;
use crate::cmd::measure::measure;
use crate::cmd::measure_all::{End, Job, drift, measure_all, settings, sort};
use crate::cmd::metrics::{self, Measurements};
use crate::cmd::models::LoadedModels;
use crate::cmd::plan_view::{n_live_generations, print_plan};
use crate::cmd::replay_sweep::{Recorded, Replayed, checked, kept_trace};
use crate::cmd::replayable::{Split, header};
use crate::cmd::resume::open_folder;
use crate::cmd::round_times::RoundTimes;
use crate::cmd::run_folder::{config_hash, read_manifest};
use crate::cmd::setup::{manifest, model_names, open, overrides, set_threads};
use crate::config::replay::SweepMode;
use crate::config::{SweepSpec, load_sweep};
use crate::plan::halving::Course;
use crate::plan::shard::Shard;
use crate::plan::{Plan, Trial, plan};
use crate::record::folder::now;
use crate::record::journal::{Journal, tallies};
use crate::record::manifest::{Registered, Status};
use crate::report::table;
use crate::stats::bootstrap::Bootstrap;

pub fn run(args: &SweepArgs) -> Result<(), Failure> {
    measured(args, &BTreeMap::new()).map(drop)
}

/// Runs a sweep for `experiments`, which the manifest names before anything is measured. The run folder;
/// none for a dry run.
///
/// # Errors
/// As the verb.
pub(super) fn measured(
    args: &SweepArgs,
    experiments: &BTreeMap<String, Registered>,
) -> Result<Option<PathBuf>, Failure> {
    let sweep = load_sweep(&args.sweep.config, &overrides(&args.sweep))?;
    let whole = plan(&sweep)?;
    let own = args.shard.map(|shard| part(&sweep, &whole, shard));
    let own = own.transpose()?;
    let plan = own.as_ref().unwrap_or(&whole);
    let header = match sweep.mode {
        SweepMode::Live => None,
        SweepMode::Replay | SweepMode::Auto => header(&plan.trials, sweep.sampling),
    };
    let split = Split::new(plan, sweep.mode, header.as_ref());
    print_plan(plan, &sweep, &split);
    if args.dry_run {
        match estimate(&sweep, &whole, &split) {
            Ok(estimate) => println!("{estimate}"),
            Err(reason) => println!("no estimate of the time: {reason}"),
        }
        return Ok(None);
    }
    let threads = set_threads(sweep.threads)?;
    // A shard opens what the whole sweep does: the end-of-text tokens of all models end an answer.
    let names = model_names(&sweep, &whole);
    fetch(names.all(), args.sweep.download)?;
    let (mut models, prompts) = open(&sweep, &names, &whole)?;
    let python = args.allow_code_execution.then_some(args.python.as_str());
    let mut judge = Judge::open(python, prompts.iter().map(|prompt| &prompt.item))?;
    let yaml = sweep.to_yaml()?;
    let mut manifest = manifest(
        &sweep,
        plan,
        Some(&models),
        prompts.len(),
        threads,
        config_hash(&yaml),
    );
    manifest.shard = args.shard;
    manifest.experiments = experiments.clone();
    let folder = open_folder(args, &manifest, &sweep.name, &yaml)?;
    if let Some(earlier) = read_manifest(&folder.path) {
        manifest.started = earlier.started;
        // Of a run that goes on only what was registered when it began is from before.
        manifest.experiments = earlier.experiments;
    }
    folder.keep_profile(&sweep)?;
    let (mut journal, mut entries) = Journal::open(&folder.path)?;
    folder.write_manifest(&manifest)?;

    let mut calibration = Calibration::start(&mut models)?;
    let settings = settings(&sweep, &models)?;
    let mut recorded = match &header {
        Some(header) if !split.replayed.is_empty() => {
            let trace = kept_trace(&folder.path, header, &prompts, &settings, &mut models)?;
            let mut times = RoundTimes::new(&prompts, &settings).kept_in(&folder.path)?;
            times.take(0.0, &mut models)?;
            let costs = times.costs()?;
            let recorded = Recorded { trace, costs };
            let checked = checked(&sweep, &recorded, &split)?;
            Some((recorded, checked, times))
        }
        Some(_) | None => None,
    };
    let also_live = recorded.iter().flat_map(|(_, checked, _)| checked);
    let trials: Vec<Trial> = split
        .live
        .iter()
        .chain(also_live.map(|(trial, _)| trial))
        .cloned()
        .collect();
    let job = Job {
        sweep: &sweep,
        trials: &trials,
        settings: &settings,
        prompts: &prompts,
        shard: args.shard,
        fail_fast: args.fail_fast,
    };
    let mut time_forwards = |share: f64, models: &mut LoadedModels| {
        calibration.go_on(share, models)?;
        if let Some((recorded, _, times)) = &mut recorded
            && times.take(share, models)?
        {
            recorded.costs = times.costs()?;
        }
        Ok(())
    };
    let end = measure_all(
        &job,
        &mut models,
        &mut time_forwards,
        &mut journal,
        &mut entries,
        &mut judge,
    )?;
    manifest.costs = Some(json!(calibration.times()));

    sort(&mut entries, &plan.trials);
    let bootstrap = Bootstrap::default();
    let profile = sweep.hardware_profile()?;
    let mut tables = folder.tables()?;
    tables.add_entries(&entries)?;
    let (mut summary, check) = match &recorded {
        None => {
            let course = Course::of(&sweep, prompts.len());
            let dropped = course.dropped(&plan.trials, |n| tallies(&entries, n));
            let summariser = Summariser::new(&plan.trials, &bootstrap).with_dropped(dropped);
            let summary = summarise(summariser, &plan.trials, &entries, profile.as_ref());
            (summary, None)
        }
        Some((recorded, checked, _)) => {
            let replayed = Replayed {
                sweep: &sweep,
                split: &split,
                checked,
                recorded,
                prompts: &prompts,
                entries: &entries,
                profile: profile.as_ref(),
                shapes: models.pair_shapes(),
            };
            let (summary, check) = replayed.summarise(&plan.trials, &mut tables, &bootstrap)?;
            (summary, Some(check))
        }
    };
    manifest.finished = Some(now());
    manifest.status = match end {
        End::Complete => Status::Finished,
        End::Interrupted | End::Failed(_) => Status::Interrupted,
    };
    manifest.baseline_drift = drift(&plan.trials[0], &entries);
    let measurements = Measurements {
        trials: &plan.trials,
        entries: &entries,
        costs: &RunCosts::of(&manifest),
        seed: sweep.seed,
    };
    let metrics = measurements.metrics(&mut summary, &bootstrap);
    folder.finish_tables(tables, summary)?;
    metrics::write(&folder, &metrics)?;
    manifest.replay_check = check;
    // The report plans the sweep again and reads the tables back, which takes as much memory as this.
    drop((split, recorded, trials));
    drop((own, whole));
    let view = folder.write_report(&sweep, &manifest, &bootstrap)?;
    println!(
        "{}",
        table::terminal(&view, &bootstrap, std::io::stdout().is_terminal())
    );
    let place = folder.path.display();
    match end {
        End::Complete => {
            println!("{place}");
            Ok(Some(folder.path))
        }
        End::Interrupted => Err(Failure::Interrupted(place.to_string())),
        End::Failed(what) => Err(Failure::Other(format!(
            "{what}; what was measured is in {place}, and --resume goes on behind it"
        ))),
    }
}

/// The plan of one shard.
fn part(sweep: &SweepSpec, plan: &Plan, shard: Shard) -> Result<Plan, Failure> {
    let refused = |reason: &str| Err(Failure::Usage(format!("--shard {shard}: {reason}")));
    match sweep.mode {
        SweepMode::Live => {}
        SweepMode::Replay | SweepMode::Auto => {
            return refused(
                "one trace tells all trials of its mode, so run it whole, or use mode live",
            );
        }
    }
    if sweep.halving.is_some() {
        return refused(
            "halving compares trials with each other, which one machine has to measure",
        );
    }
    let part = plan.part(shard);
    if part.trials.len() == part.n_baselines {
        return refused("there are fewer trials than shards, and none for this one");
    }
    Ok(part)
}

/// How long the sweep will take here, from one prompt decoded autoregressively: as if every trial took
/// as long.
fn estimate(sweep: &SweepSpec, plan: &Plan, split: &Split<'_>) -> Result<String, Failure> {
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
    let n_generations =
        n_live_generations(sweep, split, prompts.len()) + n_live * sweep.timing.warmup;
    // A trace decodes a prompt, reads it with both models, and drafts behind each mismatch.
    let n_traced = if split.replayed.is_empty() {
        0
    } else {
        3 * prompts.len()
    };
    let seconds = (n_generations + n_traced) as f64 * ns as f64 / 1e9;
    let rounded = Duration::from_secs(seconds.ceil() as u64);
    Ok(format!(
        "about {} on this device, where one autoregressive generation takes {:.0} ms",
        humantime::format_duration(rounded),
        ns as f64 / 1e6
    ))
}
