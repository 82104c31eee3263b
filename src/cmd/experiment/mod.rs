//! `experiment`: load the claims, run each sweep that they need once, judge, write the verdicts.

mod check;
mod files;
mod runs;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::analysis::hypotheses::data::RunData;
use crate::analysis::hypotheses::judge::judged;
use crate::analysis::hypotheses::select::is_planned_in;
use crate::analysis::hypotheses::verdict::{Registration, RunFacts, Verdict};
use crate::cli::ExperimentArgs;
use crate::cmd::Failure;
use crate::config::experiment::{Experiment, FILE_NAME};
use crate::plan::{Plan, plan};
use crate::record::manifest::{Manifest, Registered};
use crate::report::experiment::line;
use runs::{Run, given, measured};

pub fn run(args: &ExperimentArgs) -> Result<(), Failure> {
    let folders = folders(&args.folders)?;
    if args.check {
        return check::run(&folders);
    }
    let overrides = overrides(args);
    let mut experiments = Vec::new();
    for folder in &folders {
        let experiment = Experiment::load(folder, &overrides)?;
        check_groups(&experiment)?;
        experiments.push(experiment);
    }
    check_slugs(&experiments)?;
    let runs = if args.judge_only.is_empty() {
        match measured(args, &experiments)? {
            Some(runs) => runs,
            None => return Ok(()),
        }
    } else {
        given(&args.judge_only, &experiments)?
    };
    let mut verdicts = Vec::new();
    for experiment in &experiments {
        let own = runs.of(experiment)?;
        let verdict = verdict(experiment, &own);
        files::write(experiment, &verdict)?;
        println!("{}", line(&verdict));
        verdicts.push((verdict, own));
    }
    files::write_overviews(&experiments)?;
    runs.write_reports(&verdicts)
}

/// The overrides of a sweep, in the order in which `sweep` applies them.
fn overrides(args: &ExperimentArgs) -> Vec<String> {
    let mut overrides = args.overrides.clone();
    overrides.extend(args.limit.map(|limit| format!("workload.limit={limit}")));
    let device = args.device.as_ref();
    overrides.extend(device.map(|device| format!("device={device}")));
    overrides
}

/// The folders with an experiment; the shell gives `experiments/*` whatever else lies there.
fn folders(given: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut folders = Vec::new();
    for place in given {
        if !place.exists() {
            return Err(Failure::Usage(format!(
                "{}: no such folder, expected one with {FILE_NAME}",
                place.display()
            )));
        }
        if place.join(FILE_NAME).is_file() {
            folders.push(place.clone());
        }
    }
    if folders.is_empty() {
        return Err(Failure::Usage(format!(
            "none of the given folders holds {FILE_NAME}"
        )));
    }
    Ok(folders)
}

/// A manifest names experiments by their folders alone.
fn check_slugs(experiments: &[Experiment]) -> Result<(), Failure> {
    for (index, one) in experiments.iter().enumerate() {
        if let Some(other) = experiments[..index]
            .iter()
            .find(|other| other.slug == one.slug)
        {
            return Err(Failure::Usage(format!(
                "{} and {} are two experiments of one name; run them one at a time",
                other.folder.display(),
                one.folder.display()
            )));
        }
    }
    Ok(())
}

/// Every group has to select a trial of the plans, and every label one.
fn check_groups(experiment: &Experiment) -> Result<(), Failure> {
    let plans: Vec<(&str, Plan)> = experiment
        .sweeps
        .iter()
        .map(|sweep| Ok((sweep.name.as_str(), plan(sweep)?)))
        .collect::<Result<_, Failure>>()?;
    let file = experiment.folder.join(FILE_NAME);
    for (index, question) in experiment.spec.questions.iter().enumerate() {
        for (path, group) in question.rule.groups() {
            let key = format!("{}: questions[{index}].rule.{path}", file.display());
            let of_group = plans.iter().filter(|(name, _)| group.names_sweep(name));
            let trials: Vec<_> = of_group.flat_map(|(_, plan)| &plan.trials).collect();
            let unknown = |label: &&String| !trials.iter().any(|trial| trial.names.contains(label));
            if let Some(label) = group.labels.iter().find(unknown) {
                let reason = format!(
                    "{key}.labels: no trial is called '{label}'; `sweep --dry-run` lists them"
                );
                return Err(Failure::Usage(reason));
            }
            if !trials.iter().any(|trial| is_planned_in(group, trial)) {
                return Err(Failure::Usage(format!(
                    "{key}: selects no trial of its sweeps; `sweep --dry-run` lists them"
                )));
            }
        }
    }
    Ok(())
}

/// SHA-256 of the claim and its rules, with every default filled in.
fn rule_hash(experiment: &Experiment) -> String {
    format!("{:x}", Sha256::digest(experiment.canonical()))
}

/// SHA-256 of the rule and of its sweeps' configurations.
fn whole_hash<'h>(rule_hash: &str, config_hashes: impl Iterator<Item = &'h str>) -> String {
    let mut text = rule_hash.to_owned();
    for hash in config_hashes {
        text = text + "\n" + hash;
    }
    format!("{:x}", Sha256::digest(text))
}

fn registered<'h>(
    experiment: &Experiment,
    config_hashes: impl Iterator<Item = &'h str>,
) -> Registered {
    let rule_hash = rule_hash(experiment);
    Registered {
        hash: whole_hash(&rule_hash, config_hashes),
        rule_hash,
    }
}

fn verdict(experiment: &Experiment, runs: &[&Run]) -> Verdict {
    let data: Vec<RunData> = runs.iter().map(|run| run.data.clone()).collect();
    let (decision, answers) = judged(&experiment.spec, &data);
    let hashes = runs.iter().map(|run| run.manifest.config_hash.as_str());
    let now = registered(experiment, hashes);
    Verdict {
        experiment: experiment.slug.clone(),
        claim: experiment.spec.claim.clone(),
        decision,
        registration: registration(&experiment.slug, &now, runs),
        rule_hash: now.rule_hash,
        hash: now.hash,
        runs: runs.iter().map(|run| facts(run)).collect(),
        answers,
    }
}

/// What the runs say of the rule before they began; the worst of them counts.
fn registration(slug: &str, now: &Registered, runs: &[&Run]) -> Registration {
    let before: Option<Vec<&Registered>> = runs
        .iter()
        .map(|run| run.manifest.experiments.get(slug))
        .collect();
    match before {
        None => Registration::NotRegistered,
        Some(before) if before.iter().any(|one| one.rule_hash != now.rule_hash) => {
            Registration::ChangedAfterTheRun
        }
        Some(before) if before.iter().any(|one| one.hash != now.hash) => Registration::OtherSweeps,
        Some(_) => Registration::BeforeTheRun,
    }
}

fn facts(run: &Run) -> RunFacts {
    let Manifest {
        config_hash,
        started,
        device,
        machine,
        dtype,
        threads,
        version,
        git_revision,
        n_prompts,
        baseline_drift,
        ..
    } = &run.manifest;
    let error = run.data.prediction_error();
    let cpu = machine.cpu.as_deref().unwrap_or(&machine.architecture);
    RunFacts {
        sweep: run.sweep.name.clone(),
        run: short(&run.folder),
        config_hash: config_hash.clone(),
        started: started.clone(),
        device: format!("{device} ({cpu}), {dtype}, {threads} threads"),
        version: version.clone(),
        git_revision: git_revision.clone(),
        n_prompts: *n_prompts,
        baseline_drift: *baseline_drift,
        prediction_error: error.map(|(median, _)| median),
        n_checked: error.map_or(0, |(_, n)| n),
    }
}

/// `families/2026-11-22.1`: the run apart from where results are kept here.
fn short(folder: &Path) -> String {
    let mut parts: Vec<String> = folder
        .components()
        .rev()
        .take(2)
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    parts.reverse();
    parts.join("/")
}
