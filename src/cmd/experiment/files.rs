//! Where verdicts are kept: `verdict.json`, and blocks of READMEs between markers.

use std::path::{Path, PathBuf};

use crate::analysis::hypotheses::verdict::Verdict;
use crate::cmd::Failure;
use crate::config::experiment::{Experiment, ExperimentSpec, FILE_NAME};
use crate::config::load::load;
use crate::record::folder::write_whole;
use crate::report::experiment::{BLOCK, OVERVIEW, Row, block, overview};
use crate::report::splice::{empty_block, spliced};

const VERDICT: &str = "verdict.json";
const README: &str = "README.md";

/// Writes `verdict.json` and the block of the experiment's README.
///
/// # Errors
/// When a file cannot be written, or the README has no markers.
pub fn write(experiment: &Experiment, verdict: &Verdict) -> Result<(), Failure> {
    let place = experiment.folder.join(VERDICT);
    let mut text =
        serde_json::to_vec_pretty(verdict).map_err(|error| Failure::file(&place, &error))?;
    text.push(b'\n');
    write_whole(&place, &text)?;
    let place = experiment.folder.join(README);
    let before = match place.is_file() {
        true => read(&place)?,
        false => format!("# {}\n\n{}", experiment.slug, empty_block(BLOCK)),
    };
    let after = spliced(&before, BLOCK, &block(verdict))
        .map_err(|reason| Failure::file(&place, &reason))?;
    Ok(write_whole(&place, after.as_bytes())?)
}

/// The verdict of a folder; none where nothing was judged yet.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn verdict_in(folder: &Path) -> Result<Option<Verdict>, Failure> {
    let place = folder.join(VERDICT);
    if !place.is_file() {
        return Ok(None);
    }
    let verdict =
        serde_json::from_str(&read(&place)?).map_err(|error| Failure::file(&place, &error))?;
    Ok(Some(verdict))
}

/// A README that shows all experiments of a folder, and how its text should be.
pub struct Overview {
    pub place: PathBuf,
    pub before: String,
    pub after: String,
}

/// Writes the table of all experiments beside those given into the READMEs that have a place for it.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write_overviews(experiments: &[Experiment]) -> Result<(), Failure> {
    let folders: Vec<PathBuf> = experiments.iter().map(|one| one.folder.clone()).collect();
    for one in overviews(&folders)? {
        if one.before != one.after {
            write_whole(&one.place, one.after.as_bytes())?;
        }
    }
    Ok(())
}

/// The README beside the experiments and the one above it, where they have the markers.
///
/// # Errors
/// When a file cannot be read.
pub fn overviews(folders: &[PathBuf]) -> Result<Vec<Overview>, Failure> {
    let mut parents: Vec<PathBuf> = Vec::new();
    for folder in folders {
        let absolute =
            std::path::absolute(folder).map_err(|error| Failure::file(folder, &error))?;
        let parent = absolute.parent().unwrap_or(&absolute).to_path_buf();
        if !parents.contains(&parent) {
            parents.push(parent);
        }
    }
    let mut overviews = Vec::new();
    for parent in parents {
        let rows = rows(&parent)?;
        let name = parent.file_name().unwrap_or_default().to_string_lossy();
        let above = parent
            .parent()
            .map(|above| (above.join(README), format!("{name}/")));
        for (place, prefix) in [(parent.join(README), String::new())]
            .into_iter()
            .chain(above)
        {
            if !place.is_file() {
                continue;
            }
            let before = read(&place)?;
            // Without markers the table is not wanted there.
            if let Ok(after) = spliced(&before, OVERVIEW, &overview(&rows, &prefix)) {
                overviews.push(Overview {
                    place,
                    before,
                    after,
                });
            }
        }
    }
    Ok(overviews)
}

/// Every experiment of a folder by name.
fn rows(parent: &Path) -> Result<Vec<Row>, Failure> {
    let entries = std::fs::read_dir(parent).map_err(|error| Failure::file(parent, &error))?;
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join(FILE_NAME).is_file())
        .collect();
    folders.sort();
    folders
        .into_iter()
        .map(|folder| {
            let spec: ExperimentSpec = load(folder.join(FILE_NAME), &[])?;
            Ok(Row {
                name: folder
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                claim: spec.claim,
                verdict: verdict_in(&folder)?,
            })
        })
        .collect()
}

pub fn read(place: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(place).map_err(|error| Failure::file(place, &error))
}

/// The README of an experiment.
pub fn readme(folder: &Path) -> PathBuf {
    folder.join(README)
}
