//! The report of a run, made from its folder: the end of every verb that makes a run, and `report`.

use std::path::Path;

use crate::analysis::cost::{ForwardTimes, profile_curve};
use crate::analysis::details::{Details, add_details};
use crate::analysis::hypotheses::verdict::Verdict;
use crate::analysis::metrics::{RunMetrics, replayed};
use crate::analysis::read_back::{ReadBack, read_back};
use crate::analysis::view::SweepView;
use crate::cmd::Failure;
use crate::cmd::metrics;
use crate::config::SweepSpec;
use crate::plan::plan;
use crate::record::data_hash::{VERDICTS, data_hash};
use crate::record::manifest::{Manifest, Status};
use crate::record::schema::Mode;
use crate::report::files::Report;
use crate::stats::bootstrap::Bootstrap;

/// A run folder with its finished tables.
#[derive(Debug)]
pub struct FinishedRun<'a> {
    pub folder: &'a Path,
    /// `sweep.yaml`, read.
    pub sweep: &'a SweepSpec,
    /// The text of `manifest.json`, which need not be in its place yet.
    pub manifest: &'a [u8],
}

impl FinishedRun<'_> {
    /// What the tables of the run say.
    ///
    /// # Errors
    /// When a table or the manifest cannot be read.
    pub fn view(&self, bootstrap: &Bootstrap) -> Result<SweepView, Failure> {
        let manifest: Manifest = serde_json::from_slice(self.manifest)
            .map_err(|error| Failure::file(&self.folder.join("manifest.json"), &error))?;
        let plan = plan(self.sweep)?;
        let mut back = read_back(self.folder, &plan.trials, bootstrap)?;
        let mut view = view(self.sweep, &manifest, &mut back, bootstrap)?;
        add_details(&mut view, &back, self.folder, bootstrap)?;
        view.metrics = metrics::read(self.folder)?;
        let compared = view.chosen().into_iter();
        let of_replays: Vec<_> = compared
            .filter(|trial| trial.mode == Mode::Replay)
            .filter_map(|trial| Some(replayed(back.record(trial)?, bootstrap)))
            .collect();
        view.metrics.trials.extend(of_replays);
        view.verdicts = read_verdicts(self.folder)?;
        let is_judged = |name: &str| view.verdicts.iter().any(|one| one.experiment == name);
        let named = manifest.experiments.into_keys();
        view.unjudged = named.filter(|name| !is_judged(name)).collect();
        Ok(view)
    }

    /// Hash of all that a report is made from.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn data_hash(&self) -> Result<String, Failure> {
        data_hash(self.folder, self.manifest).map_err(|error| Failure::file(self.folder, &error))
    }

    /// Writes the report into `out` and returns what it says.
    ///
    /// # Errors
    /// When a table cannot be read or a file cannot be written.
    pub fn write_report(&self, out: &Path, bootstrap: &Bootstrap) -> Result<SweepView, Failure> {
        let view = self.view(bootstrap)?;
        let report = Report {
            view: &view,
            bootstrap,
            data_hash: &self.data_hash()?,
        };
        report.write(out)?;
        Ok(view)
    }
}

fn view(
    sweep: &SweepSpec,
    manifest: &Manifest,
    back: &mut ReadBack,
    bootstrap: &Bootstrap,
) -> Result<SweepView, Failure> {
    let profile = sweep.hardware_profile()?;
    let replay = back.replay_check(manifest.replay_check);
    let mut views = std::mem::take(&mut back.views).into_iter();
    let baseline = views.next();
    let times = ForwardTimes::all_of(manifest);
    let mut cost_curves: Vec<_> = times
        .iter()
        .map(|times| times.curve(format!("{} on {}", times.model, manifest.device), bootstrap))
        .collect();
    if let (Some(profile), Some(times)) = (&profile, times.first()) {
        cost_curves.push(profile_curve(profile, times));
    }
    // Without models nothing ran here: all times are those of the profile.
    let predicted_for = profile.as_ref().filter(|_| manifest.models.is_empty());
    let mut provenance = vec![
        (
            "sweep file".to_string(),
            format!("sweep.yaml, SHA-256 {}", digits(&manifest.config_hash)),
        ),
        (
            "workload".to_string(),
            format!(
                "{}, seed {}, at most {} new tokens",
                sweep.workload.source, sweep.workload.seed, sweep.workload.max_new_tokens
            ),
        ),
    ];
    provenance.extend(shards(manifest));
    for (role, facts) in &manifest.models {
        let hash = facts["weights_sha256"].as_str().unwrap_or_default();
        provenance.push((
            role.clone(),
            format!(
                "{}, {} parameters, weights SHA-256 {}",
                facts["name"].as_str().unwrap_or_default(),
                facts["n_parameters"],
                digits(hash)
            ),
        ));
    }
    if let Some(drift) = manifest.baseline_drift {
        provenance.push((
            "baseline, last repeat / first repeat".to_string(),
            format!("{drift:.3} (wall time)"),
        ));
    }
    Ok(SweepView {
        name: sweep.name.clone(),
        command: command_line(&manifest.command),
        version: format!("{} (git {})", manifest.version, manifest.git_revision),
        date: manifest
            .finished
            .as_deref()
            .unwrap_or(&manifest.started)
            .chars()
            .take(DATE_LEN)
            .collect(),
        device: match predicted_for {
            Some(profile) => format!("times predicted for {}", profile.name),
            None => device(manifest),
        },
        provenance,
        n_prompts: manifest.n_prompts,
        replay,
        metrics: RunMetrics::default(),
        repeats: sweep.timing.repeats,
        baseline,
        trials: views.collect(),
        cost_curves,
        hardware_profile: profile
            .filter(|_| !manifest.models.is_empty())
            .map(|profile| profile.name),
        details: Details::default(),
        verdicts: Vec::new(),
        unjudged: Vec::new(),
    })
}

/// The verdicts beside the tables of a run; none where no experiment was judged.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn read_verdicts(folder: &Path) -> Result<Vec<Verdict>, Failure> {
    let place = folder.join(VERDICTS);
    match std::fs::read(&place) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| Failure::file(&place, &error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Failure::file(&place, &error)),
    }
}

/// Of `2026-11-21T20:15:00Z`.
const DATE_LEN: usize = "2026-11-21".len();

fn device(manifest: &Manifest) -> String {
    let machine = &manifest.machine;
    format!(
        "{} ({}), {}, {} threads",
        manifest.device,
        machine.cpu.as_deref().unwrap_or(&machine.architecture),
        manifest.dtype,
        manifest.threads
    )
}

/// The first digits of a hash, enough to tell files apart.
fn digits(hash: &str) -> &str {
    hash.get(..16).unwrap_or(hash)
}

/// Which part of the sweep this is, or which parts it was merged from, and whose baseline is shown.
fn shards(manifest: &Manifest) -> Vec<(String, String)> {
    let part = |run: &Manifest| {
        run.shard.map_or("the whole sweep".to_string(), |shard| {
            format!("shard {shard}")
        })
    };
    let mut lines = Vec::new();
    if let Some(shard) = manifest.shard {
        let text = format!("{shard} of the sweep: its share of the trials, and the baselines");
        lines.push(("shard".to_string(), text));
    }
    for run in &manifest.merged_from {
        let drift = run.baseline_drift.map_or(String::new(), |drift| {
            format!(", baseline, last repeat / first repeat: {drift:.3}")
        });
        let machine = &run.machine;
        let cpu = machine.cpu.as_deref().unwrap_or(&machine.architecture);
        let text = format!(
            "{} ({cpu}), {} threads, started {}, {} trials{drift}",
            run.device, run.threads, run.started, run.n_trials
        );
        lines.push((format!("merged from {}", part(run)), text));
    }
    if let [first, _, ..] = &manifest.merged_from[..] {
        let text = format!(
            "of each trial over the baseline of its own shard; the baseline, the forward times and the \
             device shown are those of {}, and tokens per second those of the machine that ran the trial",
            part(first)
        );
        lines.push(("speedups".to_string(), text));
    }
    if manifest.status == Status::Partial {
        let text = "some trials or prompts of the sweep are missing".to_string();
        lines.push(("partial".to_string(), text));
    }
    lines
}

/// The command as one would type it again: the program by its name, not by its path here.
fn command_line(arguments: &[String]) -> String {
    let quoted = |argument: &String| {
        if argument.contains([' ', '{', '*']) {
            format!("'{argument}'")
        } else {
            argument.clone()
        }
    };
    let rest: Vec<String> = arguments.iter().skip(1).map(quoted).collect();
    format!("wedlm-bench {}", rest.join(" "))
}
