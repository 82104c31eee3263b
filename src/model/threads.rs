//! The threads of the CPU backend: rayon's global pool.

use rayon::{ThreadPoolBuildError, ThreadPoolBuilder};

/// Builds the pool of `n_threads` (where none is said, of RAYON_NUM_THREADS or as many as the machine has),
/// and makes the calling thread one of them: it takes part in the products of its own forwards, while a
/// thread outside of the pool would sleep until others have done them.
///
/// # Errors
/// When the pool is in use already, or a thread cannot be started.
pub fn build_pool(n_threads: Option<usize>) -> Result<(), ThreadPoolBuildError> {
    ThreadPoolBuilder::new()
        .num_threads(n_threads.unwrap_or(0))
        .use_current_thread()
        .build_global()
}
