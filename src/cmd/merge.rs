//! `merge`: join the runs of a sweep's shards, as if one run had measured them all.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::Path;

use crate::analysis::run_costs::RunCosts;
use crate::analysis::summary::{Summariser, summarise};
use crate::cli::MergeArgs;
use crate::cmd::Failure;
use crate::cmd::measure_all::sort;
use crate::cmd::metrics::{self, Measurements};
use crate::cmd::run_folder::{RunFolder, config_hash, read_manifest};
use crate::config::load_sweep;
use crate::config::replay::SweepMode;
use crate::plan::halving::Course;
use crate::plan::plan;
use crate::record::folder::now;
use crate::record::join::{Part, Whole, join, sorted};
use crate::record::journal::{Journal, read_closed, tallies};
use crate::record::manifest::{GIT_REVISION, Manifest, Status};
use crate::report::table;
use crate::stats::bootstrap::Bootstrap;

/// Missing trials to name; a longer list says that a shard is missing.
const MOST_NAMED: usize = 20;

pub fn run(args: &MergeArgs) -> Result<(), Failure> {
    let parts = args
        .runs
        .iter()
        .map(|folder| opened(folder))
        .collect::<Result<Vec<_>, _>>()?;
    let parts = sorted(parts)?;
    let manifests: Vec<Manifest> = parts.iter().map(|part| part.manifest.clone()).collect();
    let first = &manifests[0];
    let sweep = load_sweep(Path::new(&parts[0].name).join("sweep.yaml"), &[])?;
    if sweep.mode != SweepMode::Live {
        return Err(Failure::Usage(format!(
            "{}: has trials that were replayed, not measured, and these cannot be joined",
            parts[0].name
        )));
    }
    let plan = plan(&sweep)?;
    let mut entries = join(parts, &plan.trials, plan.n_baselines)?;
    let course = Course::of(&sweep, first.n_prompts);
    let dropped = course.dropped(&plan.trials, |n| tallies(&entries, n));
    let whole = Whole {
        trials: &plan.trials,
        n_baselines: plan.n_baselines,
        n_prompts: first.n_prompts,
        n_repeats: sweep.timing.repeats,
        dropped: &dropped,
    };
    let shards: BTreeSet<_> = manifests.iter().map(|manifest| manifest.shard).collect();
    let missing = whole.missing(&shards, &entries);
    if !missing.is_empty() {
        let named = named(&missing);
        if !args.partial {
            return Err(Failure::Usage(format!(
                "the runs do not make up the sweep: {named}; --partial merges them all the same"
            )));
        }
        eprintln!("note: missing: {named}");
    }

    let manifest = Manifest {
        git_revision: GIT_REVISION.into(),
        command: std::env::args().collect(),
        started: now(),
        finished: Some(now()),
        status: if missing.is_empty() {
            Status::Finished
        } else {
            Status::Partial
        },
        n_trials: plan.trials.len(),
        shard: None,
        baseline_drift: None,
        merged_from: manifests.clone(),
        ..first.clone()
    };
    let folder = RunFolder::start(&args.out, &sweep.name, &sweep.to_yaml()?)?;
    folder.keep_profile(&sweep)?;
    let (mut journal, _) = Journal::open(&folder.path)?;
    for entry in &entries {
        journal.append(entry)?;
    }
    sort(&mut entries, &plan.trials);
    let bootstrap = Bootstrap::default();
    let profile = sweep.hardware_profile()?;
    let summariser = Summariser::new(&plan.trials, &bootstrap).with_dropped(dropped);
    let mut summary = summarise(summariser, &plan.trials, &entries, profile.as_ref());
    let measurements = Measurements {
        trials: &plan.trials,
        entries: &entries,
        costs: &RunCosts::of(&manifest),
        seed: sweep.seed,
    };
    let metrics = measurements.metrics(&mut summary, &bootstrap);
    let mut tables = folder.tables()?;
    tables.add_entries(&entries)?;
    folder.finish_tables(tables, summary)?;
    metrics::write(&folder, &metrics)?;
    let view = folder.write_report(&sweep, &manifest, &bootstrap)?;
    println!(
        "{}",
        table::terminal(&view, &bootstrap, std::io::stdout().is_terminal())
    );
    println!("{}", folder.path.display());
    Ok(())
}

fn opened(folder: &Path) -> Result<Part, Failure> {
    let name = folder.display().to_string();
    let unusable = |reason: &str| Failure::Usage(format!("{name}: {reason}"));
    let manifest = read_manifest(folder)
        .ok_or_else(|| unusable("is no run folder: it has no readable manifest.json"))?;
    let yaml = std::fs::read_to_string(folder.join("sweep.yaml"))
        .map_err(|error| unusable(&format!("sweep.yaml cannot be read: {error}")))?;
    if config_hash(&yaml) != manifest.config_hash {
        return Err(unusable("sweep.yaml was changed after the run"));
    }
    let entries = read_closed(folder)
        .map_err(|error| unusable(&format!("journal.jsonl cannot be read: {error}")))?;
    Ok(Part {
        name,
        manifest,
        entries,
    })
}

fn named(missing: &[String]) -> String {
    let mut named = missing.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>();
    match missing.len().saturating_sub(MOST_NAMED) {
        0 => {}
        n => named.push(format!("{n} more")),
    }
    named.join("; ")
}
