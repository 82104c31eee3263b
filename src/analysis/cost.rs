//! What a forward of m tokens costs next to one of one token, from interleaved timings.

use serde::{Deserialize, Serialize};

use crate::analysis::view::{CostCurve, CostPoint};
use crate::config::hardware::{DraftCharge, HardwareProfile};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;
use crate::stats::sample::Pairs;
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
