//! Which drafted tokens the verifier keeps, and what it adds.
//!
//! Notation: p is the verifier's distribution at a slot, q the drafter's, x the drafted token. Three
//! families differ in what they compare: the verifier's own choice ([`matching`]), the ratio p/q
//! ([`ratio`], lossless or nearly), or evidence about x alone ([`evidence`], lossy).

pub mod evidence;
pub mod matching;
pub mod ratio;

use serde::{Deserialize, Serialize};

use self::evidence::EvidenceRule;
use self::ratio::RatioRule;
use crate::model::lm::TokenId;
use crate::policy::{OutOfRange, require};

/// How the verifier judges a draft.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AcceptRule {
    /// A drafted token stays if it is the verifier's argmax. For temperature 0.
    Greedy {},
    /// Kept with probability min(1, p/q), else redrawn from max(0, p − q) (Leviathan et al. 2023).
    Rejection {},
    /// The draft judged as one block (Sun et al. 2024): never accepts less than `rejection` on
    /// average.
    Block {},
    /// Drafter and verifier draw with the same noise; a drafted token stays if both drew it (Daliri et
    /// al. 2024). The text does not depend on the drafter.
    Gumbel {},
    /// Lossy: p(x) > min(ε, δ·e^−H(p)) (Medusa's typical acceptance; constants of its `generate`).
    Typical {
        #[serde(default = "default_typical_epsilon")]
        epsilon: f64,
        #[serde(default = "default_typical_delta")]
        delta: f64,
    },
    /// Lossy: |H(p) − H(q)| ≤ δ and x among the `top_m` likeliest of p. The experiment plan's
    /// "acceptance by entropy alignment"; the numbers are ours.
    EntropyAligned {
        #[serde(default = "default_alignment")]
        delta: f64,
        #[serde(default = "default_top_m")]
        top_m: usize,
    },
    /// Lossy: BiLD (Kim et al. 2023). The draft also ends before a slot with max q < α_fb; it is cut
    /// back to the first token that is not the argmax of p and has −ln p(x) > α_rb. Constants of its
    /// code.
    Backtrack {
        #[serde(default = "default_fallback")]
        alpha_fb: f64,
        #[serde(default = "default_rollback")]
        alpha_rb: f64,
    },
    /// Lossy below 1: rejection against lenience·q instead of q; when greedy, p(x) ≥ lenience·max p
    /// (Leviathan et al. 2023, appendix; the default is ours).
    Lenient {
        #[serde(default = "default_lenience")]
        lenience: f64,
    },
    /// Lossy below 1: kept if p(x) ≥ `single`, else with probability p(x)/`acc` (SGLang's
    /// `threshold_single` and `threshold_acc`). Exact match when greedy.
    Threshold {
        #[serde(default = "one")]
        single: f64,
        #[serde(default = "one")]
        acc: f64,
    },
    /// Lossy but for the greedy defaults: x among the `top_n` likeliest and p(x) ≥ max p − δ
    /// (TensorRT-LLM's relaxed acceptance).
    Relaxed {
        #[serde(default = "default_top_n")]
        top_n: usize,
        #[serde(default)]
        delta: f64,
    },
}

impl Default for AcceptRule {
    fn default() -> Self {
        Self::Greedy {}
    }
}

/// What a verifier makes of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub accepted: usize,
    /// The verifier's own token: the bonus behind a whole draft, the correction behind a cut one.
    pub next: TokenId,
}

/// How a rule judges at a given temperature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judge {
    /// A drafted token stays if it is the verifier's own choice: its argmax, or, if `is_coupled`, its
    /// draw with the noise that the drafter used too.
    Match {
        is_coupled: bool,
    },
    Ratio(RatioRule),
    Evidence(EvidenceRule),
}

impl AcceptRule {
    /// How the rule judges. At temperature 0, where p has one token of probability 1, the sampling
    /// rules amount to a comparison with the argmax.
    ///
    /// None for `greedy` at a positive temperature: it would not keep the distribution.
    pub fn judge(&self, is_greedy: bool) -> Option<Judge> {
        let exact = Judge::Match { is_coupled: false };
        let sampled = |judge: Judge| Some(if is_greedy { exact } else { judge });
        match *self {
            Self::Greedy {} => is_greedy.then_some(exact),
            Self::Rejection {} => sampled(Judge::Ratio(RatioRule::Rejection { lenience: 1.0 })),
            Self::Block {} => sampled(Judge::Ratio(RatioRule::Block)),
            Self::Gumbel {} => sampled(Judge::Match { is_coupled: true }),
            Self::Threshold { single, acc } => {
                sampled(Judge::Ratio(RatioRule::Threshold { single, acc }))
            }
            Self::Lenient { lenience } if !is_greedy => {
                Some(Judge::Ratio(RatioRule::Rejection { lenience }))
            }
            Self::Lenient { lenience } => {
                Some(Judge::Evidence(EvidenceRule::RelativeTo { lenience }))
            }
            Self::Typical { epsilon, delta } => {
                Some(Judge::Evidence(EvidenceRule::Typical { epsilon, delta }))
            }
            Self::EntropyAligned { delta, top_m } => {
                Some(Judge::Evidence(EvidenceRule::EntropyAligned {
                    delta,
                    top_m,
                }))
            }
            Self::Backtrack { alpha_rb, .. } => {
                Some(Judge::Evidence(EvidenceRule::Backtrack { alpha_rb }))
            }
            Self::Relaxed { top_n, delta } => {
                Some(Judge::Evidence(EvidenceRule::Relaxed { top_n, delta }))
            }
        }
    }

    /// Is the output distribution provably the verifier's, at every temperature that the rule takes?
    pub fn is_lossless(&self) -> bool {
        match *self {
            Self::Greedy {} | Self::Rejection {} | Self::Block {} | Self::Gumbel {} => true,
            Self::Lenient { lenience } => lenience == 1.0,
            Self::Threshold { single, acc } => single >= 1.0 && acc >= 1.0,
            Self::Typical { .. }
            | Self::EntropyAligned { .. }
            | Self::Backtrack { .. }
            | Self::Relaxed { .. } => false,
        }
    }

    /// The drafter's largest probability below which the rule itself ends the draft before a slot.
    pub fn fallback_threshold(&self) -> Option<f64> {
        match *self {
            Self::Backtrack { alpha_fb, .. } => Some(alpha_fb),
            Self::Greedy {}
            | Self::Rejection {}
            | Self::Block {}
            | Self::Gumbel {}
            | Self::Typical { .. }
            | Self::EntropyAligned { .. }
            | Self::Lenient { .. }
            | Self::Threshold { .. }
            | Self::Relaxed { .. } => None,
        }
    }

    /// Name of the rule as YAML spells it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Greedy {} => "greedy",
            Self::Rejection {} => "rejection",
            Self::Block {} => "block",
            Self::Gumbel {} => "gumbel",
            Self::Typical { .. } => "typical",
            Self::EntropyAligned { .. } => "entropy_aligned",
            Self::Backtrack { .. } => "backtrack",
            Self::Lenient { .. } => "lenient",
            Self::Threshold { .. } => "threshold",
            Self::Relaxed { .. } => "relaxed",
        }
    }

    /// # Errors
    /// [`OutOfRange`] for a parameter outside the range in which its rule means anything.
    pub fn validate(&self) -> Result<(), OutOfRange> {
        let not_negative = |value: f64, field| require(value >= 0.0, field, value, "0 or positive");
        let share =
            |value: f64, field| require(value > 0.0 && value <= 1.0, field, value, "in (0, 1]");
        let rank = |value: usize, field| require(value > 0, field, value, "at least 1");
        match *self {
            Self::Greedy {} | Self::Rejection {} | Self::Block {} | Self::Gumbel {} => Ok(()),
            Self::Typical { epsilon, delta } => {
                not_negative(epsilon, "accept.epsilon")?;
                not_negative(delta, "accept.delta")
            }
            Self::EntropyAligned { delta, top_m } => {
                not_negative(delta, "accept.delta")?;
                rank(top_m, "accept.top_m")
            }
            Self::Backtrack { alpha_fb, alpha_rb } => {
                not_negative(alpha_fb, "accept.alpha_fb")?;
                not_negative(alpha_rb, "accept.alpha_rb")
            }
            Self::Lenient { lenience } => share(lenience, "accept.lenience"),
            Self::Threshold { single, acc } => {
                share(single, "accept.single")?;
                share(acc, "accept.acc")
            }
            Self::Relaxed { top_n, delta } => {
                rank(top_n, "accept.top_n")?;
                not_negative(delta, "accept.delta")
            }
        }
    }
}

fn one() -> f64 {
    1.0
}

fn default_typical_epsilon() -> f64 {
    0.09
}

fn default_typical_delta() -> f64 {
    0.3
}

fn default_alignment() -> f64 {
    0.5
}

fn default_top_m() -> usize {
    3
}

fn default_fallback() -> f64 {
    0.6
}

fn default_rollback() -> f64 {
    5.0
}

fn default_lenience() -> f64 {
    0.5
}

fn default_top_n() -> usize {
    1
}

#[cfg(test)]
mod tests;
