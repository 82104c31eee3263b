//! The threads of the CPU backend: rayon's global pool.

use std::hint::spin_loop;
use std::num::NonZero;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rayon::{ThreadPoolBuildError, ThreadPoolBuilder, Yield};

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

/// Whether every thread of the pool has a core to itself; with fewer cores, threads that stay awake would
/// take time from the one that computes.
pub fn have_cores() -> bool {
    static N_CORES: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));
    rayon::current_num_threads() <= *N_CORES
}

/// Looks that a waiting thread takes before it lets others have its core for once.
const LOOKS_PER_TURN: usize = 100;

/// Waits awake, with `meanwhile` between two looks: a sleeping thread takes longer to wake up than a
/// product does.
fn wait_until(is_over: impl Fn() -> bool, meanwhile: impl Fn()) {
    let mut n_looks = 0_usize;
    while !is_over() {
        meanwhile();
        n_looks += 1;
        if n_looks.is_multiple_of(LOOKS_PER_TURN) {
            thread::yield_now();
        }
        spin_loop();
    }
}

/// Sets a flag when it goes, by a panic as well.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Both halves of some work, on two threads where another one of the pool is free: rayon's, but that the
/// caller stays awake until the other half is done.
pub fn join(first: impl FnOnce() + Send, second: impl FnOnce() + Send) {
    let is_begun = AtomicBool::new(false);
    let is_done = AtomicBool::new(false);
    rayon::join(
        || {
            first();
            if is_begun.load(Ordering::Acquire) {
                wait_until(|| is_done.load(Ordering::Acquire), || ());
            }
        },
        || {
            is_begun.store(true, Ordering::Release);
            let _end = AtEnd(&is_done);
            second();
        },
    );
}

/// Runs `work`; if it shares something with the other threads of the pool, they stay awake for it.
/// Between two products that are worth sharing, as while a small drafter computes, they have nothing to
/// do for a while, and would fall asleep.
///
/// Only for a thread of the pool that alone gives it work, as [`build_pool`] makes one: any other caller's
/// work just runs.
pub fn with_all_awake<R>(is_shared: bool, work: impl FnOnce() -> R) -> R {
    let n_others = rayon::current_num_threads() - 1;
    let Some(caller) = rayon::current_thread_index().filter(|_| is_shared && n_others > 0) else {
        return work();
    };
    let n_awake = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    rayon::in_place_scope(|scope| {
        let (n_awake, is_over) = (&n_awake, &is_over);
        scope.spawn_broadcast(move |_, thread| {
            if thread.index() != caller {
                n_awake.fetch_add(1, Ordering::Release);
                let take_work = || while rayon::yield_now() == Some(Yield::Executed) {};
                wait_until(|| is_over.load(Ordering::Acquire), take_work);
            }
        });
        let _end = AtEnd(is_over);
        // A thread that came to this job late, while it waits inside of a product, would never go back
        // to the product: all are here before there are any.
        wait_until(|| n_awake.load(Ordering::Acquire) == n_others, || ());
        work()
    })
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Adds up a range, halves on two threads.
    fn sum(range: std::ops::Range<u64>) -> u64 {
        let len = range.end - range.start;
        if len < 100 {
            return range.sum();
        }
        let middle = range.start + len / 2;
        let (mut first, mut second) = (0, 0);
        join(
            || first = sum(range.start..middle),
            || second = sum(middle..range.end),
        );
        first + second
    }

    #[test]
    fn halves_are_done_once_each_whoever_is_awake() {
        for n_threads in 1..=5 {
            let pool = ThreadPoolBuilder::new().num_threads(n_threads).build();
            let pool = pool.unwrap();
            for is_shared in [false, true] {
                for _ in 0..200 {
                    let add = || with_all_awake(is_shared, || (sum(0..5000), sum(0..700)));
                    assert_eq!(pool.install(add), (4999 * 2500, 699 * 350));
                }
            }
        }
    }

    #[test]
    fn a_thread_outside_of_the_pool_just_works() {
        assert_eq!(with_all_awake(true, || sum(0..5000)), 4999 * 2500);
    }

    #[test]
    fn the_others_go_back_to_sleep_after_a_panic() {
        let pool = ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let fail = || with_all_awake(true, || join(|| (), || panic!("of a product")));
        let caught = catch_unwind(AssertUnwindSafe(|| pool.install(fail)));
        assert!(caught.is_err());
        assert_eq!(
            pool.install(|| with_all_awake(true, || sum(0..5000))),
            4999 * 2500
        );
    }
}
