//! The folder of one run: `OUT/<sweep>/<date>.<n>/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::record::parquet::WriteError;

/// Makes a new folder that no other run has, also when two start at once.
///
/// # Errors
/// When `out` cannot be written.
pub fn create(out: &Path, sweep: &str) -> Result<PathBuf, WriteError> {
    let parent = out.join(sweep);
    fs::create_dir_all(&parent).map_err(|error| WriteError::new(&parent, error))?;
    let date = today();
    for n in 1.. {
        let folder = parent.join(format!("{date}.{n}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(WriteError::new(&folder, error)),
        }
    }
    unreachable!("there are more numbers than folders")
}

/// Date in UTC, such as `2026-11-21`.
pub fn today() -> String {
    now()[..10].to_string()
}

/// Date and time in UTC, such as `2026-11-21T20:15:00Z`.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// Writes a file beside its place, then renames it.
///
/// # Errors
/// When it cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    fs::write(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|error| WriteError::new(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_of_a_day_get_folders_of_their_own() {
        let out = tempfile::tempdir().unwrap();
        let first = create(out.path(), "sweep").unwrap();
        let second = create(out.path(), "sweep").unwrap();
        assert!(first.ends_with(format!("{}.1", today())));
        assert!(second.ends_with(format!("{}.2", today())));
    }

    #[test]
    fn a_place_that_is_a_file_is_named_in_the_error() {
        let out = tempfile::tempdir().unwrap();
        let file = out.path().join("taken");
        fs::write(&file, "x").unwrap();
        let error = create(&file, "sweep").unwrap_err().to_string();
        assert!(
            error.contains("taken") && error.contains("--out"),
            "{error}"
        );
    }
}
