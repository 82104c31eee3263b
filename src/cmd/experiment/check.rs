//! `experiment --check`: do the READMEs say what the verdicts and the rules say?

use std::path::{Path, PathBuf};

use crate::cmd::Failure;
use crate::cmd::experiment::files::{overviews, read, readme, verdict_in};
use crate::cmd::experiment::rule_hash;
use crate::config::experiment::{Experiment, FILE_NAME};
use crate::report::experiment::{BLOCK, block};
use crate::report::splice::spliced;

/// # Errors
/// All that is out of date, in one sentence with the remedy.
pub fn run(folders: &[PathBuf]) -> Result<(), Failure> {
    let mut complaints = Vec::new();
    for folder in folders {
        complaints.extend(complaint(folder)?);
    }
    for one in overviews(folders)? {
        if one.before != one.after {
            complaints.push(format!(
                "{}: its table is older than a verdict",
                one.place.display()
            ));
        }
    }
    if complaints.is_empty() {
        return Ok(());
    }
    Err(Failure::Other(format!(
        "{}; `wedlm-bench experiment` without --check makes them anew",
        complaints.join("; ")
    )))
}

fn complaint(folder: &Path) -> Result<Option<String>, Failure> {
    let experiment = Experiment::load(folder, &[])?;
    let told = |reason: &str| Ok(Some(format!("{}: {reason}", folder.display())));
    let Some(verdict) = verdict_in(folder)? else {
        return told("has no verdict.json");
    };
    if verdict.rule_hash != rule_hash(&experiment) {
        return told(&format!("its verdict is of another {FILE_NAME}"));
    }
    for (run, sweep) in verdict.runs.iter().zip(&experiment.sweeps) {
        if sweep
            .workload
            .limit
            .is_some_and(|limit| limit != run.n_prompts)
        {
            return told(&format!(
                "its verdict is of {} prompts of the sweep '{}', whose file says otherwise",
                run.n_prompts, sweep.name
            ));
        }
    }
    let text = read(&readme(folder))?;
    match spliced(&text, BLOCK, &block(&verdict)) {
        Ok(expected) if expected == text => Ok(None),
        Ok(_) => told("the block of its README is not that of its verdict.json"),
        Err(reason) => told(&format!("README.md: {reason}")),
    }
}
