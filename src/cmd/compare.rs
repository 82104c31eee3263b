//! `compare`: read two finished runs, pair their trials, say what changed.

use std::path::Path;

use crate::analysis::change::{Change, changes};
use crate::analysis::hypotheses::data::RunData;
use crate::cli::CompareArgs;
use crate::cmd::Failure;
use crate::cmd::run_folder::read_manifest;
use crate::config::load_sweep;
use crate::plan::plan;
use crate::report::change::terminal;

pub fn run(args: &CompareArgs) -> Result<(), Failure> {
    let changes = changes(&data(&args.before)?, &data(&args.after)?);
    if changes.trials.is_empty() {
        return Err(Failure::Usage(format!(
            "{} and {} have no trial in common",
            args.before.display(),
            args.after.display()
        )));
    }
    if args.json {
        let text = serde_json::to_string_pretty(&changes)
            .map_err(|error| Failure::Other(error.to_string()))?;
        println!("{text}");
    } else {
        println!("{}", terminal(&changes));
    }
    let Some(loss) = args.fail_on else {
        return Ok(());
    };
    let slower: Vec<&str> = changes
        .trials
        .iter()
        .filter(|one| one.is_slower_than(loss))
        .map(|one: &Change| one.label.as_str())
        .collect();
    if slower.is_empty() {
        return Ok(());
    }
    Err(Failure::Other(format!(
        "slower than {} % with the whole interval: {}",
        loss * 100.0,
        slower.join(", ")
    )))
}

fn data(folder: &Path) -> Result<RunData, Failure> {
    let unusable = |reason: &str| Failure::Usage(format!("{}: {reason}", folder.display()));
    let manifest = read_manifest(folder)
        .ok_or_else(|| unusable("is no run folder: it has no readable manifest.json"))?;
    if !folder.join("trials.parquet").is_file() {
        return Err(unusable("has no tables; `sweep --resume` finishes the run"));
    }
    let sweep = load_sweep(folder.join("sweep.yaml"), &[])?;
    let trials = plan(&sweep)?.trials;
    Ok(RunData::read(folder, &manifest, &sweep.name, &trials)?)
}
