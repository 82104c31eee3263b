//! Ctrl-C ends long work between two steps, never within one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::cmd::Failure;

/// A flag that Ctrl-C (or a polite kill) sets; what is in flight is finished.
///
/// # Errors
/// When the signal cannot be caught.
pub fn on_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    /// A handler is set once for a process, which may run several sweeps.
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(flag) = FLAG.get() {
        return Ok(Arc::clone(flag));
    }
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    ctrlc::set_handler(move || set.store(true, Ordering::Relaxed))
        .map_err(|error| Failure::Other(format!("Ctrl-C cannot be caught: {error}")))?;
    Ok(Arc::clone(FLAG.get_or_init(|| flag)))
}
