//! SHA-256 of a folder's tables, in the file that `sha256sum --check` reads.
//!
//! The reader of parquet files believes the lengths in them, so that a damaged one could take the
//! program down. Its digest is compared first.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::files::sha256;
use crate::record::folder::write_whole;
use crate::record::parquet::WriteError;

/// The list of a folder: one line `DIGEST  NAME` for each table.
const FILE: &str = "SHA256SUMS";

/// Moves a table that is written to its place, and its digest to the list.
///
/// The table is not in the list while it moves, so that an interruption leaves no wrong digest.
///
/// # Errors
/// When one of the files cannot be read or written.
pub(super) fn place(temporary: &Path, path: &Path) -> Result<(), WriteError> {
    let fail = |error: io::Error| WriteError::new(path, error);
    File::open(temporary)
        .and_then(|file| file.sync_all())
        .map_err(fail)?;
    let digest = sha256(temporary).map_err(fail)?;
    note(path, None)?;
    std::fs::rename(temporary, path).map_err(fail)?;
    note(path, Some(format!("{digest:x}")))
}

/// # Errors
/// In words, when the list has another digest of the table than it has now.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let (sums, name) = parts(path);
    let lines = read(&sums).map_err(|error| format!("{}: {error}", sums.display()))?;
    let Some(expected) = lines.iter().find_map(|line| digest_of(line, &name)) else {
        return Ok(());
    };
    match sha256(path) {
        Ok(found) if format!("{found:x}") == expected => Ok(()),
        Ok(_) => Err(format!(
            "it is damaged (its SHA-256 is another than in {FILE}; a change on purpose takes its line \
             out of there)"
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// The list beside a table, and the table's name in it.
fn parts(path: &Path) -> (PathBuf, String) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (path.with_file_name(FILE), name.into_owned())
}

fn digest_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once("  ")
        .filter(|(_, other)| *other == name)
        .map(|(digest, _)| digest)
}

fn read(sums: &Path) -> io::Result<Vec<String>> {
    match std::fs::read_to_string(sums) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Takes a table's line out of the list, and puts one with a new digest in.
fn note(path: &Path, digest: Option<String>) -> Result<(), WriteError> {
    let (sums, name) = parts(path);
    let old = read(&sums).map_err(|error| WriteError::new(&sums, error))?;
    let mut lines = old.clone();
    lines.retain(|line| digest_of(line, &name).is_none());
    lines.extend(digest.map(|digest| format!("{digest}  {name}")));
    if lines == old {
        return Ok(());
    }
    write_whole(&sums, (lines.join("\n") + "\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path, name: &str, text: &str) {
        let temporary = folder.join("x.tmp");
        std::fs::write(&temporary, text).unwrap();
        place(&temporary, &folder.join(name)).unwrap();
    }

    #[test]
    fn the_list_is_that_of_sha256sum_and_follows_a_table_that_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "a", "one");
        put(folder.path(), "b", "abc");
        put(folder.path(), "a", "");
        // Of the texts "abc" and "", from the examples of the standard (FIPS 180-4).
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b\n\
            e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n";
        let found = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert_eq!(found, expected);
        assert_eq!(check(&folder.path().join("a")), Ok(()));
    }

    #[test]
    fn a_changed_table_is_refused_and_one_that_is_not_listed_is_not_checked() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "a", "one");
        let path = folder.path().join("a");
        std::fs::write(&path, "onf").unwrap();
        let error = check(&path).unwrap_err();
        assert!(error.starts_with("it is damaged"), "{error}");
        std::fs::remove_file(folder.path().join(FILE)).unwrap();
        assert_eq!(check(&path), Ok(()));
    }
}
