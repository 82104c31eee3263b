//! One hash of all that a report is made from.

use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::model::files::sha256;

/// The files of a run folder, but for the manifest, in the order in which they are hashed.
const FILES: [&str; 5] = [
    "sweep.yaml",
    "trials.parquet",
    "generations.parquet",
    "rounds.parquet",
    "positions.parquet",
];

/// The verdicts of experiments on a run, which come after it and are hashed where they are.
pub const VERDICTS: &str = "verdicts.json";

/// SHA-256 over the manifest and the tables of a run folder in hexadecimal. A table that is not there
/// counts as such; without verdicts the hash is that of the run alone.
///
/// # Errors
/// When a file is there and cannot be read.
pub fn data_hash(folder: &Path, manifest: &[u8]) -> io::Result<String> {
    let mut whole = Sha256::new();
    whole.update(Sha256::digest(manifest));
    for name in FILES {
        match sha256(&folder.join(name)) {
            Ok(one) => whole.update(one),
            Err(error) if error.kind() == io::ErrorKind::NotFound => whole.update(b"none"),
            Err(error) => return Err(error),
        }
    }
    match std::fs::read(folder.join(VERDICTS)) {
        Ok(verdicts) => whole.update(Sha256::digest(verdicts)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(format!("{:x}", whole.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_any_file_or_of_the_manifest_changes_the_hash() {
        let folder = tempfile::tempdir().unwrap();
        let hash = |manifest: &str| data_hash(folder.path(), manifest.as_bytes()).unwrap();
        let mut seen = vec![hash("one"), hash("other")];
        for name in FILES.into_iter().chain([VERDICTS]) {
            std::fs::write(folder.path().join(name), name).unwrap();
            seen.push(hash("one"));
        }
        assert_eq!(hash("one"), hash("one"));
        let n = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((seen.len(), n), (8, 8));
    }
}
