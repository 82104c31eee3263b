//! Statistics of a benchmark: pure functions from numbers to numbers with intervals.
//!
//! The unit of resampling is the prompt (a cluster: its repeats and rounds are not independent of
//! each other). A quantity is first added up or averaged within a prompt, then the prompts are
//! resampled. Two decoders are compared on the same prompts, so the pairs stay together.
//!
//! | question | answer |
//! |---|---|
//! | how much faster, how large, with which error | [`bootstrap`]: ratio, mean; [`effect`]: d_z, Cliff's δ |
//! | is a difference more than chance | [`permutation`]; right and wrong answers: [`mcnemar`] |
//! | and when many are tested | [`multiplicity`]; one line of the table: [`comparison`] |
//! | are two the same, up to a margin | [`equivalence`] |
//! | which difference could be seen at all | [`power`] |
//! | which share of prompts | [`proportion`]; difference of two shares: [`paired_outcomes`] |
//! | how slow are the slow ones | [`quantile`] |
//! | do two quantities rise together | [`correlation`] |
//! | does a score tell accepted from rejected | [`auroc`] |
//!
//! ```
//! use wedlm_bench::stats::{bootstrap::Bootstrap, sample::Pairs};
//!
//! # fn main() -> Result<(), wedlm_bench::stats::sample::SampleError> {
//! let baseline_ns = vec![9.0, 11.5, 8.2, 20.0, 14.1];
//! let trial_ns = vec![6.1, 7.0, 6.9, 9.5, 9.9];
//! let speedup = Bootstrap::default().ratio_of_sums(&Pairs::new(baseline_ns, trial_ns)?);
//! assert!(speedup.low > 1.0);
//! # Ok(())
//! # }
//! ```

pub mod auroc;
pub mod bootstrap;
pub mod bounds;
pub mod comparison;
pub mod correlation;
pub mod effect;
pub mod equivalence;
pub mod interval;
pub mod mcnemar;
pub mod multiplicity;
pub mod p_values;
pub mod paired_outcomes;
pub mod permutation;
pub mod power;
pub mod proportion;
pub mod quantile;
pub mod rank_permutation;
pub mod sample;
pub mod significance;
pub mod summary;

#[cfg(test)]
mod fixture;
