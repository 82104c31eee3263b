//! Where the files of a checkpoint are: in a folder, in the program, in the Hugging Face cache.

use std::path::PathBuf;

use memmap2::Mmap;

use crate::model::checkpoint::CheckpointError;
use crate::model::embedded::{self, Embedded};
use crate::model::native::map_file;

/// Files of one checkpoint.
#[derive(Debug, Clone)]
pub enum Files {
    Folder(PathBuf),
    Embedded(&'static Embedded),
}

/// The bytes of a weight file.
pub enum Bytes {
    Mapped(Mmap),
    Static(&'static [u8]),
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Static(bytes) => bytes,
        }
    }
}

/// Where the files of a model are.
///
/// # Errors
/// When there is no such model.
pub fn locate(name: &str) -> Result<Files, CheckpointError> {
    if let Some(embedded) = name.strip_prefix("embedded:") {
        return embedded::find(embedded)
            .map(Files::Embedded)
            .ok_or_else(|| CheckpointError::UnknownEmbedded {
                name: embedded.to_string(),
                available: embedded::names().join(", "),
            });
    }
    let not_found = || CheckpointError::NotFound {
        model: name.to_string(),
        cache: hub_cache().display().to_string(),
    };
    let folder = match name.strip_prefix("hf:") {
        Some(repository) => cached_snapshot(repository).ok_or_else(not_found)?,
        None => PathBuf::from(name),
    };
    if folder.is_dir() {
        Ok(Files::Folder(folder))
    } else {
        Err(not_found())
    }
}

/// `$HF_HOME/hub`, by default `~/.cache/huggingface/hub`.
fn hub_cache() -> PathBuf {
    let home = std::env::var_os("HF_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            let user = std::env::var_os("HOME")
                .map(PathBuf::from)
                .unwrap_or_default();
            user.join(".cache/huggingface")
        });
    home.join("hub")
}

/// Folder of `org/name[@revision]` in the local cache, if it was downloaded before.
fn cached_snapshot(repository: &str) -> Option<PathBuf> {
    let (repository, revision) = repository.split_once('@').unwrap_or((repository, "main"));
    let folder = hub_cache().join(format!("models--{}", repository.replace('/', "--")));
    let commit = std::fs::read_to_string(folder.join("refs").join(revision))
        .map(|text| text.trim().to_string())
        .unwrap_or_else(|_| revision.to_string());
    let snapshot = folder.join("snapshots").join(commit);
    snapshot.is_dir().then_some(snapshot)
}

impl Files {
    pub fn place(&self, name: &str, file: &str) -> String {
        match self {
            Files::Folder(folder) => folder.join(file).display().to_string(),
            Files::Embedded(_) => format!("{name}/{file}"),
        }
    }

    fn optional_bytes(&self, name: &str, file: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        match self {
            Files::Embedded(embedded) => Ok(embedded.file(file).map(<[u8]>::to_vec)),
            Files::Folder(folder) => match std::fs::read(folder.join(file)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(CheckpointError::file(self.place(name, file), error)),
            },
        }
    }

    pub fn bytes(&self, name: &str, file: &str) -> Result<Vec<u8>, CheckpointError> {
        self.optional_bytes(name, file)?.ok_or_else(|| {
            CheckpointError::file(
                self.place(name, file),
                "file not found; a checkpoint needs config.json, tokenizer.json and model.safetensors (or shards with model.safetensors.index.json)",
            )
        })
    }

    pub fn optional_text(&self, name: &str, file: &str) -> Result<Option<String>, CheckpointError> {
        self.optional_bytes(name, file)?
            .map(|bytes| {
                String::from_utf8(bytes)
                    .map_err(|error| CheckpointError::file(self.place(name, file), error))
            })
            .transpose()
    }

    pub fn text(&self, name: &str, file: &str) -> Result<String, CheckpointError> {
        let bytes = self.bytes(name, file)?;
        String::from_utf8(bytes)
            .map_err(|error| CheckpointError::file(self.place(name, file), error))
    }

    pub fn map(&self, name: &str, file: &str) -> Result<Bytes, CheckpointError> {
        match self {
            Files::Embedded(embedded) => embedded
                .file(file)
                .map(Bytes::Static)
                .ok_or_else(|| CheckpointError::file(self.place(name, file), "file not found")),
            Files::Folder(folder) => map_file(&folder.join(file))
                .map(Bytes::Mapped)
                .map_err(|error| CheckpointError::file(self.place(name, file), error)),
        }
    }

    pub fn has(&self, file: &str) -> bool {
        match self {
            Files::Embedded(embedded) => embedded.file(file).is_some(),
            Files::Folder(folder) => folder.join(file).is_file(),
        }
    }
}
