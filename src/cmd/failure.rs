//! What ends the program early, and its exit code.

use std::path::{Path, PathBuf};

use crate::analysis::read_back::ReadBackError;
use crate::config::ConfigError;
use crate::engine::session::EngineError;
use crate::model::chat::ChatError;
use crate::model::checkpoint::CheckpointError;
use crate::model::device::DeviceError;
use crate::model::hub::DownloadError;
use crate::model::lm::ModelError;
use crate::model::loaded::LoadError;
use crate::model::tokenizer::TokenizerMismatch;
use crate::record::join::JoinError;
use crate::record::parquet::WriteError;
use crate::record::read::TableError;
use crate::record::trace_files::ReadError;
use crate::report::files::ReportError;
use crate::trace::replay::ReplayRefusal;
use crate::train::trainer::TrainError;
use crate::workload::WorkloadError;

/// An error as the user sees it: one sentence.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Join(#[from] JoinError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Chat(#[from] ChatError),
    #[error(transparent)]
    Download(#[from] DownloadError),
    #[error(transparent)]
    Tokenizer(#[from] TokenizerMismatch),
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Trace(#[from] ReadError),
    #[error(transparent)]
    Replay(#[from] ReplayRefusal),
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error(transparent)]
    ReadBack(#[from] ReadBackError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error("{0}")]
    Other(String),
    #[error("interrupted; what was measured is in {0}, and --resume continues it")]
    Interrupted(String),
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        Self::Load(LoadError::Checkpoint(error))
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        Self::Load(LoadError::Device(error))
    }
}

impl Failure {
    /// A file that cannot be used, and why.
    pub fn file(path: &Path, reason: &dyn std::fmt::Display) -> Self {
        Self::File {
            path: path.to_path_buf(),
            reason: reason.to_string(),
        }
    }

    /// 2 when the command or a file that the user wrote is wrong, 130 when interrupted, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Usage(_) | Self::Join(_) => 2,
            Self::Interrupted(_) | Self::Train(TrainError::Interrupted { .. }) => 130,
            Self::Load(_)
            | Self::Chat(_)
            | Self::Download(_)
            | Self::Tokenizer(_)
            | Self::Workload(_)
            | Self::Engine(_)
            | Self::Model(_)
            | Self::Write(_)
            | Self::ReadBack(_)
            | Self::Table(_)
            | Self::Report(_)
            | Self::Trace(_)
            | Self::Replay(_)
            | Self::File { .. }
            | Self::Train(_)
            | Self::Other(_) => 1,
        }
    }
}
