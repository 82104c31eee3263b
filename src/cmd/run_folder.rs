//! The files of a run folder, from the first manifest to the report.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::analysis::summary::Summary;
use crate::analysis::view::SweepView;
use crate::cmd::Failure;
use crate::cmd::sweep_view::FinishedRun;
use crate::config::SweepSpec;
use crate::config::hardware::HardwareProfile;
use crate::record::folder::{create, write_whole};
use crate::record::journal::{Entry, Key};
use crate::record::manifest::Manifest;
use crate::record::parquet::{
    TableFile, WriteError, generations_file, positions_file, rounds_file, write_trials,
};
use crate::record::schema::{GenerationRecord, PositionRecord, RoundRecord};
use crate::stats::bootstrap::Bootstrap;

/// A folder that this process writes.
#[derive(Debug, Clone)]
pub struct RunFolder {
    pub path: PathBuf,
}

/// SHA-256 of a resolved sweep, in hexadecimal.
pub fn config_hash(yaml: &str) -> String {
    format!("{:x}", Sha256::digest(yaml))
}

impl RunFolder {
    /// Makes a new folder with `sweep.yaml` in it.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn start(out: &Path, name: &str, yaml: &str) -> Result<Self, WriteError> {
        let path = create(out, name)?;
        write_whole(&path.join("sweep.yaml"), yaml.as_bytes())?;
        Ok(Self { path })
    }

    /// Copies the hardware profile that lies beside the sweep file, so that `sweep.yaml` finds it here too.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn keep_profile(&self, sweep: &SweepSpec) -> Result<(), WriteError> {
        let beside = Path::new(&sweep.file).parent().unwrap_or(Path::new(""));
        let name = sweep.hardware.as_deref();
        let Some(file) = name.and_then(|name| HardwareProfile::file_below(name, beside)) else {
            return Ok(());
        };
        let place = self.path.join(&file);
        std::fs::create_dir_all(place.parent().unwrap_or(&self.path))
            .and_then(|()| std::fs::copy(beside.join(&file), &place))
            .map_err(|error| WriteError::new(&place, error))?;
        Ok(())
    }

    /// The unfinished runs of sweeps of this name under `out`, the newest first.
    pub fn unfinished(out: &Path, name: &str) -> Vec<(Self, Manifest)> {
        let Ok(entries) = std::fs::read_dir(out.join(name)) else {
            return Vec::new();
        };
        let mut folders: Vec<((String, u32), PathBuf)> = entries
            .flatten()
            .filter_map(|entry| Some((date_and_number(&entry.path())?, entry.path())))
            .collect();
        folders.sort();
        folders
            .into_iter()
            .rev()
            .filter_map(|(_, path)| {
                let manifest = read_manifest(&path)?;
                manifest
                    .status
                    .is_open()
                    .then_some((Self { path }, manifest))
            })
            .collect()
    }

    /// # Errors
    /// When the file cannot be written.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), WriteError> {
        write_whole(&self.manifest_path(), &self.manifest_text(manifest)?)
    }

    fn manifest_path(&self) -> PathBuf {
        self.path.join("manifest.json")
    }

    fn manifest_text(&self, manifest: &Manifest) -> Result<Vec<u8>, WriteError> {
        serde_json::to_vec_pretty(manifest)
            .map_err(|error| WriteError::new(&self.manifest_path(), error))
    }

    /// The tables of rows, which grow beside their places.
    ///
    /// # Errors
    /// When a file cannot be created.
    pub fn tables(&self) -> Result<Tables, WriteError> {
        Ok(Tables {
            generations: generations_file(&self.path.join("generations.parquet"))?,
            rounds: rounds_file(&self.path.join("rounds.parquet"))?,
            positions: positions_file(&self.path.join("positions.parquet"))?,
            told: HashSet::new(),
        })
    }

    /// Finishes the tables of rows and writes that of the trials, whose memory is free afterwards.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish_tables(&self, tables: Tables, summary: Summary) -> Result<(), WriteError> {
        tables.generations.finish()?;
        tables.rounds.finish()?;
        tables.positions.finish()?;
        write_trials(&self.path.join("trials.parquet"), &summary.records)
    }

    /// The report beside the finished tables, then the manifest, so that a run that is finished has its
    /// report. Returns what the report says.
    ///
    /// # Errors
    /// When a table cannot be read or a file cannot be written.
    pub fn write_report(
        &self,
        sweep: &SweepSpec,
        manifest: &Manifest,
        bootstrap: &Bootstrap,
    ) -> Result<SweepView, Failure> {
        let run = FinishedRun {
            folder: &self.path,
            sweep,
            manifest: &self.manifest_text(manifest)?,
        };
        let view = run.write_report(&self.path, bootstrap)?;
        self.write_manifest(manifest)?;
        Ok(view)
    }
}

/// Tables with a row per generation, round and slot.
pub struct Tables {
    generations: TableFile<GenerationRecord>,
    rounds: TableFile<RoundRecord>,
    positions: TableFile<PositionRecord>,
    /// Generations whose rounds are in the tables.
    told: HashSet<Key>,
}

impl Tables {
    /// Every generation, and its rounds and slots; of a baseline that several shards ran, those of the first.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn add_entries(&mut self, entries: &[Entry]) -> Result<(), WriteError> {
        for entry in entries {
            self.generations.extend([entry.generation.clone()])?;
            if self.told.insert(entry.key()) {
                self.rounds.extend(entry.rounds.iter().cloned())?;
                self.positions.extend(entry.positions.iter().cloned())?;
            }
        }
        Ok(())
    }

    /// Generations without rounds.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_rows(&mut self, rows: Vec<GenerationRecord>) -> Result<(), WriteError> {
        self.generations.extend(rows)
    }
}

/// The two parts of a run folder's name.
fn date_and_number(folder: &Path) -> Option<(String, u32)> {
    let (date, number) = folder.file_name()?.to_str()?.rsplit_once('.')?;
    Some((date.to_string(), number.parse().ok()?))
}

/// The manifest of a run folder, if it has a readable one.
pub fn read_manifest(folder: &Path) -> Option<Manifest> {
    let text = std::fs::read_to_string(folder.join("manifest.json")).ok()?;
    serde_json::from_str(&text).ok()
}
