//! The operations that need `unsafe`: mapping a file, letting go of its pages, and probing for a GPU
//! driver.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;

/// Maps a file into memory, read-only.
///
/// # Errors
/// Those of opening and mapping the file.
pub fn map_file(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the mapping is read-only. Another process that truncates the file while we read can
    // end this one with a signal; checkpoints are not written in place.
    unsafe { Mmap::map(&file) }
}

/// Gives the pages of a part of a mapping back to the system, where it takes them.
pub fn release(map: &Mmap, part: Range<usize>) {
    #[cfg(unix)]
    {
        // SAFETY: the mapping is one of a file and read-only, so that pages given back are read from
        // the file again, as they were.
        let advised = unsafe {
            map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, part.start, part.len())
        };
        // Advice: when it is not taken, the pages stay a little longer.
        drop(advised);
    }
    #[cfg(not(unix))]
    let _ = (map, part);
}

/// Whether one of these shared libraries can be loaded, such as a GPU driver.
pub fn has_library(names: &[&str]) -> bool {
    names.iter().any(|name| {
        // SAFETY: only vendor driver libraries are named here; their initialisers have no
        // preconditions, and nothing is called in them.
        unsafe { libloading::Library::new(name) }.is_ok()
    })
}
