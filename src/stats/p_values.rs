//! What a test answers: how often chance alone would look like this.

use serde::Serialize;

/// The p-values of one test against its three alternatives, each in 0..=1: the probability, were
/// the null hypothesis true, of data at least as extreme as those seen.
///
/// Choose the alternative before looking at the data: the smaller of the two one-sided p-values of
/// finished data is not a p-value. A large p is no evidence of equality; that is what
/// [`equivalence`](super::equivalence) is for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PValues {
    /// Against "not equal".
    pub two_sided: f64,
    /// Against "the first is greater".
    pub greater: f64,
    /// Against "the first is less".
    pub less: f64,
}

impl PValues {
    /// Both tails of a test statistic; the two-sided p is twice the smaller one, at most 1.
    pub(super) fn from_tails(greater: f64, less: f64) -> Self {
        Self {
            two_sided: (2.0 * greater.min(less)).min(1.0),
            greater,
            less,
        }
    }
}
