//! `report`: read finished runs back from their folders and write their reports, or check them.

use std::path::{Path, PathBuf};

use crate::cli::ReportArgs;
use crate::cmd::Failure;
use crate::cmd::sweep_view::FinishedRun;
use crate::config::load_sweep;
use crate::record::manifest::Manifest;
use crate::report::files::outdated;
use crate::stats::bootstrap::Bootstrap;

pub fn run(args: &ReportArgs) -> Result<(), Failure> {
    let mut complaints = Vec::new();
    for folder in &args.runs {
        let (sweep, manifest) = opened(folder)?;
        let run = FinishedRun {
            folder,
            sweep: &sweep,
            manifest: &manifest,
        };
        let out = place(args, folder);
        if args.check {
            complaints.extend(outdated(&out, &run.data_hash()?));
        } else {
            std::fs::create_dir_all(&out).map_err(|error| Failure::file(&out, &error))?;
            run.write_report(&out, &Bootstrap::default())?;
            println!("{}", out.join("report.html").display());
        }
    }
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(Failure::Other(format!(
            "{}; `wedlm-bench report` without --check makes them anew",
            complaints.join("; ")
        )))
    }
}

/// Where the report of a run is: in its folder, in `--out`, or in a folder of its own in there.
fn place(args: &ReportArgs, run: &Path) -> PathBuf {
    match (&args.out, args.runs.len()) {
        (None, _) => run.to_path_buf(),
        (Some(out), 1) => out.clone(),
        (Some(out), _) => {
            let mut names = run.components().rev().take(2).collect::<Vec<_>>();
            names.reverse();
            out.join(names.into_iter().collect::<PathBuf>())
        }
    }
}

fn opened(folder: &Path) -> Result<(crate::config::SweepSpec, Vec<u8>), Failure> {
    let place = folder.join("manifest.json");
    let unusable = |reason: String| Failure::Usage(format!("{}: {reason}", folder.display()));
    let text = std::fs::read(&place)
        .map_err(|error| unusable(format!("is no run folder: manifest.json: {error}")))?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| unusable(format!("manifest.json cannot be read: {error}")))?;
    if manifest.status.is_open() && !folder.join("trials.parquet").is_file() {
        return Err(unusable(
            "did not come to its end, so it has no tables; `sweep --resume` continues it".into(),
        ));
    }
    Ok((load_sweep(folder.join("sweep.yaml"), &[])?, text))
}
