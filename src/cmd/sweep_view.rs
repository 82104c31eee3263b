//! A finished run as a report sees it.

use crate::analysis::cost::{ForwardTimes, profile_curve};
use crate::analysis::summary::Summary;
use crate::analysis::view::SweepView;
use crate::cmd::Failure;
use crate::config::SweepSpec;
use crate::record::folder::today;
use crate::record::manifest::{GIT_REVISION, Manifest, VERSION};
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
        if argument.contains([' ', '{', '*']) {
            format!("'{argument}'")
        } else {
            argument.clone()
        }
    };
    let rest: Vec<String> = arguments.iter().skip(1).map(quoted).collect();
    format!("wedlm-bench {}", rest.join(" "))
}
