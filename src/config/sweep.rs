//! One sweep file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::decoder::DecoderSpec;
use super::decoder_entry::DecoderEntry;
use super::error::{ConfigError, Fault};
use super::hardware::HardwareProfile;
use super::models::{Dtype, ModelsSpec, Role};
use super::param_grid::ParamGrid;
use super::reduce::{HalvingSpec, SampleSpec};
use super::replay::{ReplaySpec, SweepMode};
use super::workload::{TimingSpec, WorkloadSpec};
use crate::model::device::DeviceSpec;
use crate::policy::sample::Sampling;

/// Everything that a sweep file says; `docs/configuration.md` describes every key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepSpec {
    /// Names the folder of the results.
    pub name: String,
    #[serde(default)]
    pub models: ModelsSpec,
    #[serde(default)]
    pub device: DeviceSpec,
    /// Threads of the CPU backend; none means one per core.
    #[serde(default)]
    pub threads: Option<usize>,
    #[serde(default)]
    pub dtype: Dtype,
    /// Of the drafter, whose numbers change no text of a lossless decoder; none means `dtype`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drafter_dtype: Option<Dtype>,
    pub workload: WorkloadSpec,
    #[serde(default)]
    pub sampling: Sampling,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decoders: Vec<DecoderEntry>,
    /// The flat form of a grid; its points follow those of `decoders`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub param_grid: Option<ParamGrid>,
    /// Of a grid that is too large, run only some trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleSpec>,
    /// Run trials that fall behind on some of the prompts only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halving: Option<HalvingSpec>,
    #[serde(default)]
    pub mode: SweepMode,
    #[serde(default)]
    pub replay: ReplaySpec,
    #[serde(default)]
    pub timing: TimingSpec,
    /// Name or path of a profile for projected times, see [`HardwareProfile`].
    #[serde(default)]
    pub hardware: Option<String>,
    /// Seeds every draw of the decoders; greedy decoding draws only where a rule says so.
    #[serde(default)]
    pub seed: u64,
    /// The file it came from, for messages and for the files next to it.
    #[serde(skip)]
    pub file: String,
}

impl SweepSpec {
    /// Number format of the model with this role.
    pub fn dtype_of(&self, role: Role) -> Dtype {
        match role {
            Role::Drafter => self.drafter_dtype.unwrap_or(self.dtype),
            Role::Verifier | Role::Window => self.dtype,
        }
    }

    /// The profile named under `hardware`.
    ///
    /// # Errors
    /// When there is none of that name, or its file is wrong.
    pub fn hardware_profile(&self) -> Result<Option<HardwareProfile>, ConfigError> {
        let beside = Path::new(&self.file).parent().unwrap_or(Path::new(""));
        self.hardware
            .as_deref()
            .map(|name| {
                HardwareProfile::find(name, beside)?.ok_or_else(|| {
                    Fault::new("hardware", HardwareProfile::not_found(name)).in_file(&self.file)
                })
            })
            .transpose()
    }

    /// Everything that the types alone do not hold.
    ///
    /// # Errors
    /// The first key that is wrong.
    pub fn check(&self) -> Result<(), Fault> {
        check_name(&self.name)?;
        if self.threads == Some(0) {
            return Err(Fault::new(
                "threads",
                "0 threads do nothing, expected 1 or more",
            ));
        }
        self.workload
            .check()
            .map_err(|fault| fault.below("workload"))?;
        self.timing.check().map_err(|fault| fault.below("timing"))?;
        if let Some(sample) = self.sample {
            sample.check().map_err(|fault| fault.below("sample"))?;
        }
        if let Some(halving) = self.halving {
            halving.check().map_err(|fault| fault.below("halving"))?;
            if self.mode != SweepMode::Live {
                let reason = "trials are dropped by measured times, so mode has to be live";
                return Err(Fault::new("halving", reason));
            }
        }
        self.sampling.validate()?;
        self.check_names()?;
        self.require_model(Role::Verifier, "the autoregressive baseline")?;
        for (index, entry) in self.decoders.iter().enumerate() {
            let path = format!("decoders[{index}]");
            let points = entry.points().map_err(|fault| fault.below(&path))?;
            let user = format!("{path} ('{}')", entry.name);
            self.require_models(points.iter().map(|point| &point.decoder), &user)?;
        }
        if let Some(grid) = &self.param_grid {
            let points = grid.points().map_err(|fault| fault.below("param_grid"))?;
            self.require_models(points.iter().map(|(_, point)| &point.decoder), "param_grid")?;
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), Fault> {
        if self.decoders.is_empty() && self.param_grid.is_none() {
            return Err(Fault::new(
                "",
                "there is nothing to compare with the baseline: give 'decoders' or 'param_grid'",
            ));
        }
        for (index, entry) in self.decoders.iter().enumerate() {
            let path = format!("decoders[{index}].name");
            if entry.name.trim().is_empty() {
                return Err(Fault::new(path, "the name is empty"));
            }
            let first = self
                .decoders
                .iter()
                .position(|other| other.name == entry.name);
            if let Some(first) = first.filter(|&first| first < index) {
                let reason = format!("'{}' is the name of decoders[{first}] already", entry.name);
                return Err(Fault::new(path, reason));
            }
        }
        Ok(())
    }

    fn require_models<'a>(
        &self,
        decoders: impl Iterator<Item = &'a DecoderSpec>,
        user: &str,
    ) -> Result<(), Fault> {
        for decoder in decoders {
            for &role in decoder.roles() {
                self.require_model(role, user)?;
            }
        }
        Ok(())
    }

    fn require_model(&self, role: Role, user: &str) -> Result<(), Fault> {
        match self.models.get(role) {
            Some(_) => Ok(()),
            None => Err(Fault::new(
                "models",
                format!("missing field '{}', which {user} needs", role.key()),
            )),
        }
    }
}

/// The name becomes a folder.
fn check_name(name: &str) -> Result<(), Fault> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
        let reason =
            format!("'{name}' cannot name a folder, expected letters, digits, '-', '_' and '.'");
        return Err(Fault::new("name", reason));
    }
    Ok(())
}
