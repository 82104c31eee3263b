//! A temporary folder that goes away.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A new folder that only its user can enter; dropped, it is removed with what is in it.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub fn new() -> io::Result<Self> {
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("wedlm-bench-program-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            // A folder that exists is not ours: another process may have had this number before.
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays is no reason to lose the outcome.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
