//! What a forward of m tokens costs next to one of one token, from interleaved timings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::analysis::view::{CostCurve, CostPoint};
use crate::config::hardware::{DraftCharge, HardwareProfile};
use crate::record::manifest::Manifest;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;
use crate::stats::sample::{Pairs, Sample};
use crate::trace::cost::{Costs, ForwardCost, Line};

/// Timings of one model at one context length; repeat i of every size was taken in the same pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ForwardTimes {
    pub model: String,
    pub context_len: usize,
    pub sizes: Vec<SizeTimes>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SizeTimes {
    pub n_tokens: usize,
    pub ns: Vec<f64>,
}

impl ForwardTimes {
    /// Of the models of a run; of a merged one those of its first part.
    pub fn all_of(manifest: &Manifest) -> Vec<Self> {
        let costs = manifest.costs.clone();
        costs
            .and_then(|costs| serde_json::from_value(costs).ok())
            .unwrap_or_default()
    }

    /// Median seconds by rows fed, the same at every context; none without a timing.
    pub fn cost(&self) -> Option<ForwardCost> {
        let medians: BTreeMap<usize, Line> = self
            .sizes
            .iter()
            .filter_map(|size| {
                let median = Sample::new(size.ns.clone()).ok()?.median();
                let line = Line {
                    fixed_seconds: median / 1e9,
                    ..Line::default()
                };
                Some((size.n_tokens, line))
            })
            .collect();
        (!medians.is_empty()).then(|| ForwardCost::new(medians.into_iter().collect()))
    }

    /// cost(m) / cost(1) with an interval over the repeats.
    pub fn curve(&self, label: String, bootstrap: &Bootstrap) -> CostCurve {
        let one = self.sizes.iter().find(|size| size.n_tokens == 1);
        let points = self
            .sizes
            .iter()
            .filter_map(|size| {
                let pairs = Pairs::new(size.ns.clone(), one?.ns.clone()).ok()?;
                Some(CostPoint {
                    n_tokens: size.n_tokens,
                    ratio: match size.n_tokens {
                        1 => Interval::exact(1.0),
                        _ => bootstrap.ratio_of_sums(&pairs),
                    },
                })
            })
            .collect();
        CostCurve { label, points }
    }
}

/// A profile as a cost model takes it; the same seconds for every round.
pub fn profile_costs(profile: &HardwareProfile) -> Costs {
    let verify = &profile.t_verify;
    let launch = Line {
        fixed_seconds: profile.t_draft.fixed_seconds,
        seconds_per_context_token: profile.t_draft.seconds_per_context_token,
    };
    let token = Line {
        fixed_seconds: profile.t_draft.seconds_per_token,
        ..Line::default()
    };
    let both = Line {
        fixed_seconds: launch.fixed_seconds + token.fixed_seconds,
        ..launch
    };
    let (per_forward, per_draft) = match profile.t_draft.charged_per {
        DraftCharge::Forward => (both, Line::default()),
        DraftCharge::Draft => (token, launch),
    };
    let verifier = ForwardCost::linear(
        Line {
            fixed_seconds: verify.fixed_seconds,
            seconds_per_context_token: verify.seconds_per_context_token,
        },
        verify.seconds_per_token,
    );
    let overhead = Line {
        fixed_seconds: profile.overhead_seconds,
        ..Line::default()
    };
    Costs {
        step: verifier.line(1) + overhead,
        // However many rows it is fed: the profile counts drafted tokens.
        draft_start: ForwardCost::new(vec![(1, per_draft + per_forward)]),
        drafter: per_forward,
        verifier,
        round: ForwardCost::new(vec![(1, overhead)]),
    }
}

/// The same ratio on a named profile, at the same sizes.
pub fn profile_curve(profile: &HardwareProfile, like: &ForwardTimes) -> CostCurve {
    let one = profile.verify_seconds(1, like.context_len);
    CostCurve {
        label: profile.name.clone(),
        points: like
            .sizes
            .iter()
            .map(|size| CostPoint {
                n_tokens: size.n_tokens,
                ratio: Interval::exact(
                    profile.verify_seconds(size.n_tokens, like.context_len) / one,
                ),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(sizes: &[(usize, &[f64])]) -> ForwardTimes {
        let sizes = sizes.iter().map(|&(n_tokens, ns)| SizeTimes {
            n_tokens,
            ns: ns.to_vec(),
        });
        ForwardTimes {
            sizes: sizes.collect(),
            ..ForwardTimes::default()
        }
    }

    #[test]
    fn times_are_linear_between_the_medians_and_beyond_the_last_size() {
        let times = times(&[
            (1, &[100.0, 110.0, 900.0]),
            (2, &[120.0]),
            (6, &[200.0, 240.0]),
        ]);
        let cost = times.cost().unwrap();
        let ns = |n_rows: usize| (cost.line(n_rows).fixed_seconds * 1e9).round();
        assert_eq!([ns(1), ns(2), ns(6)], [110.0, 120.0, 220.0]);
        assert_eq!([ns(3), ns(4)], [145.0, 170.0]);
        assert_eq!([ns(7), ns(10)], [245.0, 320.0]);
    }

    #[test]
    fn sizes_without_a_timing_are_passed_over() {
        let cost = times(&[(1, &[100.0]), (2, &[])]).cost().unwrap();
        assert_eq!(cost.line(1), cost.line(8));
        assert_eq!(times(&[(1, &[])]).cost(), None);
    }
}
