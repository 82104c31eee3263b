//! The metrics of a run, and the files that hold them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::analysis::metrics::tuning::tuned;
use crate::analysis::metrics::{RunMetrics, category_record, fill};
use crate::analysis::run_costs::RunCosts;
use crate::analysis::summary::Summary;
use crate::cmd::Failure;
use crate::cmd::run_folder::RunFolder;
use crate::plan::Trial;
use crate::record::folder::write_whole;
use crate::record::journal::Entry;
use crate::record::parquet::{WriteError, write_categories};
use crate::stats::bootstrap::Bootstrap;

/// What the metrics are computed from, beside the summary.
#[derive(Debug, Clone, Copy)]
pub struct Measurements<'m> {
    pub trials: &'m [Trial],
    pub entries: &'m [Entry],
    pub costs: &'m RunCosts,
    /// Splits the prompts for the choice of a threshold.
    pub seed: u64,
}

impl Measurements<'_> {
    /// Computes the metrics, and adds their columns to the rows of the trials.
    pub fn metrics(&self, summary: &mut Summary, bootstrap: &Bootstrap) -> RunMetrics {
        let mut metrics = RunMetrics::of(self.trials, self.entries, self.costs, bootstrap);
        let categories = categories(self.entries);
        metrics.tuned = tuned(&summary.views, &categories, self.seed, bootstrap);
        fill(&mut summary.records, &metrics);
        metrics
    }
}

/// The category of each prompt that ran, in the order of the prompts.
fn categories(entries: &[Entry]) -> Vec<String> {
    let rows = entries.iter().map(|entry| &entry.generation);
    let by_prompt: BTreeMap<usize, &String> = rows.map(|row| (row.prompt, &row.category)).collect();
    by_prompt.into_values().cloned().collect()
}

/// Name of the file with all metrics in a run folder.
const METRICS: &str = "metrics.json";

/// What [`write`] wrote; nothing for a run that has no metrics.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn read(folder: &Path) -> Result<RunMetrics, Failure> {
    let place = folder.join(METRICS);
    if !place.is_file() {
        return Ok(RunMetrics::default());
    }
    let text = std::fs::read(&place).map_err(|error| Failure::file(&place, &error))?;
    serde_json::from_slice(&text).map_err(|error| Failure::file(&place, &error))
}

/// Writes `categories.parquet` and, with everything else, `metrics.json`.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &RunFolder, metrics: &RunMetrics) -> Result<(), WriteError> {
    let rows: Vec<_> = metrics
        .trials
        .iter()
        .flat_map(|trial| {
            trial
                .categories
                .iter()
                .map(|one| category_record(trial, one))
        })
        .collect();
    write_categories(&folder.path.join("categories.parquet"), &rows)?;
    let place = folder.path.join(METRICS);
    let text =
        serde_json::to_vec_pretty(metrics).map_err(|error| WriteError::new(&place, error))?;
    write_whole(&place, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::metrics::TrialMetrics;
    use crate::stats::interval::{Confidence, Interval};

    #[test]
    fn metrics_are_read_as_they_were_written_ends_that_are_infinite_too() {
        let mut trial = TrialMetrics {
            label: "ebsd".into(),
            ..TrialMetrics::default()
        };
        trial.quality.score = Some(Interval::unbounded(0.5, Confidence::P95));
        trial.acceptance.overlap = Some(Interval::exact(0.75));
        let metrics = RunMetrics {
            trials: vec![trial],
            ..RunMetrics::default()
        };
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), RunMetrics::default());
        let run = RunFolder {
            path: folder.path().to_path_buf(),
        };
        write(&run, &metrics).unwrap();
        assert_eq!(read(folder.path()).unwrap(), metrics);
        // A version that did not know of expected speedups wrote none.
        let mut earlier = serde_json::to_value(&metrics).unwrap();
        let trial = earlier["trials"][0].as_object_mut().unwrap();
        assert!(trial.remove("forward_speedup").is_some());
        std::fs::write(folder.path().join(METRICS), earlier.to_string()).unwrap();
        assert_eq!(read(folder.path()).unwrap(), metrics);
        std::fs::write(folder.path().join(METRICS), "{").unwrap();
        assert!(
            read(folder.path())
                .unwrap_err()
                .to_string()
                .contains(METRICS)
        );
    }
}
