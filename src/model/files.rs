//! Where the files of a checkpoint are: in a folder, in the program, in the Hugging Face cache.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use sha2::digest::Output;
use sha2::{Digest, Sha256};

use crate::model::checkpoint::CheckpointError;
use crate::model::embedded::{self, Embedded};
use crate::model::hub::{self, Cache};
use crate::model::native::{map_file, release};

/// Files of one checkpoint.
#[derive(Debug, Clone)]
pub enum Files {
    Folder(PathBuf),
    Embedded(&'static Embedded),
}

/// SHA-256 of a file, read piece by piece.
///
/// # Errors
/// Those of opening and reading it.
pub fn sha256(path: &Path) -> io::Result<Output<Sha256>> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize())
}

/// The bytes of a weight file.
pub enum Bytes {
    Mapped(Mmap),
    Static(&'static [u8]),
}

impl Bytes {
    /// Lets the system have the memory of a part that was read; reading it again brings it back. So a
    /// mapped file does not add its own size to that of the weights made of it.
    pub fn release(&self, part: Range<usize>) {
        match self {
            Bytes::Mapped(map) => release(map, part),
            Bytes::Static(_) => {}
        }
    }
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
    let Some(repository) = name.strip_prefix(hub::PREFIX) else {
        let folder = PathBuf::from(name);
        if folder.is_dir() {
            return Ok(Files::Folder(folder));
        }
        return Err(CheckpointError::NoFolder {
            model: name.to_string(),
        });
    };
    let repository = repository
        .parse()
        .map_err(|error| CheckpointError::file(name, error))?;
    let cache = Cache::of_environment();
    match cache.snapshot(&repository) {
        Some(folder) => Ok(Files::Folder(folder)),
        None => Err(CheckpointError::NotCached {
            repository,
            place: cache.folder.display().to_string(),
        }),
    }
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
        self.optional_bytes(name, file)?
            .ok_or_else(|| CheckpointError::file(self.place(name, file), absent(name)))
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
                .ok_or_else(|| CheckpointError::file(self.place(name, file), absent(name))),
            Files::Folder(folder) => {
                map_file(&folder.join(file))
                    .map(Bytes::Mapped)
                    .map_err(|error| match error.kind() {
                        std::io::ErrorKind::NotFound => {
                            CheckpointError::file(self.place(name, file), absent(name))
                        }
                        _ => CheckpointError::file(self.place(name, file), error),
                    })
            }
        }
    }

    pub fn has(&self, file: &str) -> bool {
        match self {
            Files::Embedded(embedded) => embedded.file(file).is_some(),
            Files::Folder(folder) => folder.join(file).is_file(),
        }
    }
}

/// What is said of a file that is not there.
fn absent(name: &str) -> String {
    let remedy = if name.starts_with(hub::PREFIX) {
        "; --download fetches what is missing"
    } else {
        ""
    };
    format!(
        "file not found; a checkpoint needs config.json, tokenizer.json and model.safetensors (or shards with model.safetensors.index.json){remedy}"
    )
}
