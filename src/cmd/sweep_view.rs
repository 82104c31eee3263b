//! A finished run as a report sees it.

use crate::analysis::cost::{ForwardTimes, profile_curve};
use crate::analysis::metrics::RunMetrics;
use crate::analysis::summary::Summary;
use crate::analysis::view::SweepView;
use crate::cmd::Failure;
use crate::config::SweepSpec;
use crate::record::folder::today;
use crate::record::manifest::{GIT_REVISION, Manifest, Status, VERSION};
use crate::stats::bootstrap::Bootstrap;

/// # Errors
/// When the hardware profile cannot be read.
pub fn view(
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
        (
            "sweep file".to_string(),
            format!("sweep.yaml, SHA-256 {}", &manifest.config_hash[..16]),
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
                &hash[..hash.len().min(16)]
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
        version: format!("{VERSION} (git {GIT_REVISION})"),
        date: today(),
        device: format!(
            "{} ({}), {}, {} threads",
            manifest.device,
            manifest
                .machine
                .cpu
                .as_deref()
                .unwrap_or(&manifest.machine.architecture),
            manifest.dtype,
            manifest.threads
        ),
        provenance,
        n_prompts: manifest.n_prompts,
        replay: None,
        metrics: RunMetrics::default(),
        repeats: sweep.timing.repeats,
        baseline,
        trials: views.collect(),
        cost_curves,
        hardware_profile: profile.map(|profile| profile.name),
    })
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
