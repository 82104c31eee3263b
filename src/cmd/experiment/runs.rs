//! The runs that experiments are judged on: made here, or given.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::analysis::hypotheses::data::RunData;
use crate::analysis::hypotheses::verdict::Verdict;
use crate::cli::{ExperimentArgs, PlanArgs, SweepArgs};
use crate::cmd::Failure;
use crate::cmd::experiment::registered;
use crate::cmd::run_folder::{config_hash, read_manifest};
use crate::cmd::sweep;
use crate::cmd::sweep_view::{FinishedRun, read_verdicts};
use crate::config::experiment::Experiment;
use crate::config::{SweepSpec, load_sweep};
use crate::plan::plan;
use crate::record::data_hash::VERDICTS;
use crate::record::folder::write_whole;
use crate::record::manifest::{Manifest, Registered, Status};
use crate::stats::bootstrap::Bootstrap;

/// A finished run, read.
pub struct Run {
    pub folder: PathBuf,
    pub sweep: SweepSpec,
    pub manifest: Manifest,
    pub data: RunData,
}

/// The runs at hand.
pub struct Runs(Vec<Run>);

/// A sweep that some experiments need.
struct Needed {
    config_hash: String,
    file: PathBuf,
    overrides: Vec<String>,
    experiments: BTreeMap<String, Registered>,
}

/// Runs each distinct sweep of the experiments once; none for a dry run. An unfinished run of a sweep is
/// continued.
///
/// # Errors
/// As the verb `sweep`.
pub fn measured(
    args: &ExperimentArgs,
    experiments: &[Experiment],
) -> Result<Option<Runs>, Failure> {
    let mut runs = Vec::new();
    for needed in needed(args, experiments)? {
        let sweep = SweepArgs {
            sweep: PlanArgs {
                config: needed.file,
                overrides: needed.overrides,
                limit: None,
                device: None,
                download: args.download,
            },
            dry_run: args.dry_run,
            out: args.out.clone(),
            resume: Some(None),
            shard: None,
            fail_fast: false,
            allow_code_execution: false,
            python: String::new(),
        };
        if let Some(folder) = sweep::measured(&sweep, &needed.experiments)? {
            runs.push(opened(&folder)?);
        }
    }
    Ok((!args.dry_run).then_some(Runs(runs)))
}

fn needed(args: &ExperimentArgs, experiments: &[Experiment]) -> Result<Vec<Needed>, Failure> {
    let mut all: Vec<Needed> = Vec::new();
    for experiment in experiments {
        let hashes = config_hashes(experiment)?;
        let registered = registered(experiment, hashes.iter().map(String::as_str));
        let sweeps = experiment.spec.sweeps.iter().zip(&experiment.sweeps);
        for ((named, sweep), config_hash) in sweeps.zip(hashes) {
            let same = all.iter_mut().find(|one| one.config_hash == config_hash);
            let place = match same {
                Some(place) => place,
                None => {
                    let own = named.set.iter().cloned();
                    all.push(Needed {
                        config_hash,
                        file: PathBuf::from(&sweep.file),
                        overrides: own.chain(super::overrides(args)).collect(),
                        experiments: BTreeMap::new(),
                    });
                    let last = all.len() - 1;
                    &mut all[last]
                }
            };
            let slug = experiment.slug.clone();
            place.experiments.insert(slug, registered.clone());
        }
    }
    Ok(all)
}

fn config_hashes(experiment: &Experiment) -> Result<Vec<String>, Failure> {
    let sweeps = experiment.sweeps.iter();
    sweeps
        .map(|sweep| Ok(config_hash(&sweep.to_yaml()?)))
        .collect()
}

/// Reads runs that were made before; every sweep of the experiments has to have one.
///
/// # Errors
/// When a folder is no finished run, or a sweep has none.
pub fn given(folders: &[PathBuf], experiments: &[Experiment]) -> Result<Runs, Failure> {
    let runs = folders
        .iter()
        .map(|folder| opened(folder))
        .collect::<Result<Vec<_>, _>>()?;
    let runs = Runs(runs);
    for experiment in experiments {
        runs.of(experiment)?;
    }
    Ok(runs)
}

fn opened(folder: &Path) -> Result<Run, Failure> {
    let unusable = |reason: &str| Failure::Usage(format!("{}: {reason}", folder.display()));
    let manifest = read_manifest(folder)
        .ok_or_else(|| unusable("is no run folder: it has no readable manifest.json"))?;
    match manifest.status {
        Status::Finished => {}
        Status::Running | Status::Interrupted | Status::Partial => {
            return Err(unusable("is not finished, so nothing is judged by it"));
        }
    }
    if manifest.shard.is_some() || manifest.merged_from.len() > 1 {
        return Err(unusable(
            "has times of a part of a sweep or of several machines, which are not compared; run the sweep whole",
        ));
    }
    let sweep = load_sweep(folder.join("sweep.yaml"), &[])?;
    let plan = plan(&sweep)?;
    let data = RunData::read(folder, &manifest, &sweep.name, &plan.trials)?;
    Ok(Run {
        folder: folder.to_path_buf(),
        sweep,
        manifest,
        data,
    })
}

impl Runs {
    /// One run for each sweep of an experiment, in its order: one of the same configuration, or else the
    /// last of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(&self, experiment: &Experiment) -> Result<Vec<&Run>, Failure> {
        let hashes = config_hashes(experiment)?;
        let sweeps = experiment.sweeps.iter().zip(hashes);
        sweeps
            .map(|(sweep, hash)| {
                let exact = self.0.iter().rfind(|run| run.manifest.config_hash == hash);
                let named = || self.0.iter().rfind(|run| run.sweep.name == sweep.name);
                exact.or_else(named).ok_or_else(|| {
                    Failure::Usage(format!(
                        "{}: none of the runs is one of the sweep '{}', which the experiment needs",
                        experiment.folder.display(),
                        sweep.name
                    ))
                })
            })
            .collect()
    }

    /// Puts the verdicts beside each run that they are of, and writes its report again with them.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn write_reports(&self, verdicts: &[(Verdict, Vec<&Run>)]) -> Result<(), Failure> {
        for run in &self.0 {
            let mut all = read_verdicts(&run.folder)?;
            for (verdict, runs) in verdicts {
                if runs.iter().any(|one| one.folder == run.folder) {
                    all.retain(|one| one.experiment != verdict.experiment);
                    all.push(verdict.clone());
                }
            }
            all.sort_by(|one, other| one.experiment.cmp(&other.experiment));
            let place = run.folder.join(VERDICTS);
            let text =
                serde_json::to_vec_pretty(&all).map_err(|error| Failure::file(&place, &error))?;
            write_whole(&place, &text)?;
            let place = run.folder.join("manifest.json");
            let manifest = std::fs::read(&place).map_err(|error| Failure::file(&place, &error))?;
            let finished = FinishedRun {
                folder: &run.folder,
                sweep: &run.sweep,
                manifest: &manifest,
            };
            finished.write_report(&run.folder, &Bootstrap::default())?;
        }
        Ok(())
    }
}
