//! When a drafter stops.
//!
//! A rule sees slot k = 0, 1, … of a draft: the drafter's distribution q_k, its entropy H_k in nats
//! (of the kind that the decoder names), the token x_k that it drafts or would draft, and
//! p_k = q_k(x_k). What the engine does with a firing rule is the [`DraftOrder`].
//!
//! | rule | fires when | natural order | source of the constants |
//! |---|---|---|---|
//! | `fixed` | never: drafts have `max_draft_len` tokens | – | Leviathan et al. 2023 |
//! | `absolute` | H_k > θ_abs | before | grid 0.5 … 2.5 of the experiment plan |
//! | `relative` | H_k > θ_rel · H_{k−1}, k > 0 | before | grid 1.2 … 3 of the plan |
//! | `window` | mean of the last w entropies > θ_window | before | w = 1, 3, 5 of the plan |
//! | `adaptive` | H_k > θ_base + α·k | before | the plan names no values |
//! | `position_dependent` | H_k > θ_min(k, last) | before | ablation of the plan |
//! | `combined` | any, or all, of its rules fire | of its rules | the plan |
//! | `random` | length uniform in 1..=max per round | – | baseline of the plan |
//! | `oracle` | exactly behind the last token that will be accepted | – | upper bound |
//! | `svip` | √(0.15·H_k) > h | after | SVIP, arXiv 2411.18462, its code |
//! | `adaedl` | 1 − √(γ·H_k) < λ, λ controlled | before | AdaEDL, arXiv 2410.18351 |
//! | `draft_verify` | p_k < θ, θ controlled | after | Draft & Verify (self-speculative decoding), its code |
//! | `confidence` | p_k < θ | after | Hugging Face transformers |
//! | `confidence_roc` | p_k < θ, θ from a ROC curve | after | Hugging Face transformers |
//! | `p_min` | max q_k < p_min | before | llama.cpp |
//! | `kangaroo` | max q_k < θ | after | Kangaroo, its code |
//! | `cumulative_probability` | Π_{j≤k} p_j < threshold | after | tail pruning of the draft-length audit |
//! | `margin` | q_k(1st) − q_k(2nd) < m | after | no canonical value |
//! | `hf_heuristic` | length +2 when all was accepted, else −1 | – | Hugging Face transformers |
//! | `gammatune` | length ±1 by the mean acceptance | – | arXiv 2504.00030 |
//! | `sglang_ema` | length from a ladder by the mean accepted length | – | SGLang |
//! | `goodput` | length that maximises expected tokens per cost | – | adaptive-k proposal to vLLM |
//! | `costaware_hazard` | survival · next acceptance ≤ cost ratio | after | Afterimage |
//! | `schmitt_gate` | gate shut by a high mean entropy, with hysteresis | before | gate proposed to vLLM |

mod combination;
mod defaults;
mod gate;
mod goodput;
mod hazard;
mod ladder;
mod length;
mod memory;
mod range;
mod roc;
mod slot_test;
mod state;
mod threshold;

use serde::{Deserialize, Serialize};

pub use self::combination::Combination;
pub use self::gate::SchmittGate;
pub use self::goodput::Goodput;
pub use self::hazard::CostawareHazard;
pub use self::ladder::SglangEma;
pub use self::length::{GammaTune, HfHeuristic, RandomLength};
pub use self::memory::MemoryScope;
pub use self::roc::ConfidenceRoc;
pub use self::slot_test::SlotView;
pub use self::state::{RoundOutcome, StopState};
pub use self::threshold::{AdaEdl, DraftVerify};
use crate::policy::{OutOfRange, require};

/// SVIP's constant under the root: cross-entropy of drafter and verifier ≈ constant · H_q.
pub const SVIP_FACTOR: f64 = 0.15;

/// What a firing rule does to the slot at which it fires.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftOrder {
    /// Once `k >= min_draft_len`, slot k is not drafted; its forward is spent.
    #[default]
    Before,
    /// Slot k is drafted, and once `k + 1 >= min_draft_len` it is the last.
    After,
    /// As `after`, but slot k is dropped unless that leaves fewer than `min_draft_len` tokens.
    AfterDrop,
}

/// When a draft ends before `max_draft_len`. The module's table has the formulas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum StopRule {
    /// Drafts of `max_draft_len` tokens.
    Fixed {},
    /// H_k > θ_abs.
    Absolute {
        #[serde(default = "defaults::one")]
        theta_abs: f64,
    },
    /// H_k > θ_rel · H_{k−1}, never at k = 0. So a step from 0 to 0 does not fire, and one from 0 to
    /// anything above does.
    Relative {
        #[serde(default = "defaults::default_theta_rel")]
        theta_rel: f64,
    },
    /// Mean of the last `window_size` entropies of this draft (of fewer, if fewer exist) > θ_window.
    Window {
        #[serde(default = "defaults::default_window_size")]
        window_size: usize,
        #[serde(default = "defaults::one")]
        theta_window: f64,
    },
    /// H_k > θ_base + α·k.
    Adaptive {
        #[serde(default = "defaults::one")]
        theta_base: f64,
        #[serde(default = "defaults::default_slope")]
        alpha: f64,
    },
    /// H_k > `thetas[k]`; the last threshold holds for all later slots.
    PositionDependent {
        #[serde(default = "defaults::default_thetas")]
        thetas: Vec<f64>,
    },
    /// `any` or `all` of a list of rules.
    Combined(Combination),
    /// A length drawn uniformly from 1..=`max_draft_len` for each round.
    Random(RandomLength),
    /// The accepted part of a draft of `max_draft_len` tokens, whatever `min_draft_len` says: the
    /// bound on what any stopping rule can reach. Counted and timed are the drafter forwards of the
    /// accepted tokens, and a verifier forward over these tokens alone.
    Oracle {},
    /// √(0.15·H_k) > h, that is H_k > h²/0.15.
    Svip {
        #[serde(default = "defaults::default_svip_h")]
        h: f64,
    },
    Adaedl(AdaEdl),
    DraftVerify(DraftVerify),
    /// p_k < θ. Default 0.4: `assistant_confidence_threshold` of Hugging Face transformers.
    Confidence {
        #[serde(default = "defaults::default_confidence")]
        theta: f64,
    },
    ConfidenceRoc(ConfidenceRoc),
    /// max q_k < p_min. Default 0.75: `--draft-p-min` of older llama.cpp (now 0).
    PMin {
        #[serde(default = "defaults::default_p_min")]
        p_min: f64,
    },
    /// max q_k < θ. Default 0.6: README of Kangaroo. Its loop tests the score of the token before, so
    /// the token of low confidence stays: order `after`.
    Kangaroo {
        #[serde(default = "defaults::default_kangaroo")]
        theta: f64,
    },
    /// Π_{j≤k} p_j < threshold. Default 0.1, from the audit's 0.05 … 0.2.
    CumulativeProbability {
        #[serde(default = "defaults::default_cumulative")]
        threshold: f64,
    },
    /// Difference of the two largest probabilities < m. Default 0.2: ours, no source names one.
    Margin {
        #[serde(default = "defaults::default_margin")]
        m: f64,
    },
    HfHeuristic(HfHeuristic),
    Gammatune(GammaTune),
    SglangEma(SglangEma),
    Goodput(Goodput),
    CostawareHazard(CostawareHazard),
    SchmittGate(SchmittGate),
}

impl StopRule {
    /// A controller for one text. `seed` feeds the rules that draw.
    pub fn start(&self, seed: u64) -> StopState {
        StopState::new(self, seed)
    }

    pub fn is_oracle(&self) -> bool {
        matches!(self, Self::Oracle {})
    }

    /// How long the rule remembers; a combination's members have scopes of their own.
    pub fn scope(&self) -> MemoryScope {
        match self {
            Self::Fixed {}
            | Self::Absolute { .. }
            | Self::Relative { .. }
            | Self::Window { .. }
            | Self::Adaptive { .. }
            | Self::PositionDependent { .. }
            | Self::Combined(_)
            | Self::Random(_)
            | Self::Oracle {}
            | Self::Svip { .. }
            | Self::Confidence { .. }
            | Self::PMin { .. }
            | Self::Kangaroo { .. }
            | Self::CumulativeProbability { .. }
            | Self::Margin { .. } => MemoryScope::Prompt,
            Self::Adaedl(rule) => rule.scope,
            Self::DraftVerify(rule) => rule.scope,
            Self::ConfidenceRoc(rule) => rule.scope,
            Self::HfHeuristic(rule) => rule.scope,
            Self::Gammatune(rule) => rule.scope,
            Self::SglangEma(rule) => rule.scope,
            Self::Goodput(rule) => rule.scope,
            Self::CostawareHazard(rule) => rule.scope,
            Self::SchmittGate(rule) => rule.scope,
        }
    }

    /// Whether the rule, or a member of it, carries what it learned from one prompt to the next.
    pub fn remembers_prompts(&self) -> bool {
        match self {
            Self::Combined(combination) => combination.rules().iter().any(Self::remembers_prompts),
            rule => rule.scope() == MemoryScope::Stream,
        }
    }

    /// Name of the rule as YAML spells it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Fixed {} => "fixed",
            Self::Absolute { .. } => "absolute",
            Self::Relative { .. } => "relative",
            Self::Window { .. } => "window",
            Self::Adaptive { .. } => "adaptive",
            Self::PositionDependent { .. } => "position_dependent",
            Self::Combined(_) => "combined",
            Self::Random(_) => "random",
            Self::Oracle {} => "oracle",
            Self::Svip { .. } => "svip",
            Self::Adaedl(_) => "adaedl",
            Self::DraftVerify(_) => "draft_verify",
            Self::Confidence { .. } => "confidence",
            Self::ConfidenceRoc(_) => "confidence_roc",
            Self::PMin { .. } => "p_min",
            Self::Kangaroo { .. } => "kangaroo",
            Self::CumulativeProbability { .. } => "cumulative_probability",
            Self::Margin { .. } => "margin",
            Self::HfHeuristic(_) => "hf_heuristic",
            Self::Gammatune(_) => "gammatune",
            Self::SglangEma(_) => "sglang_ema",
            Self::Goodput(_) => "goodput",
            Self::CostawareHazard(_) => "costaware_hazard",
            Self::SchmittGate(_) => "schmitt_gate",
        }
    }

    /// # Errors
    /// [`OutOfRange`] for a threshold that is no number, an empty list, or a parameter outside the
    /// range that its rule documents.
    pub fn validate(&self) -> Result<(), OutOfRange> {
        let number =
            |value: f64, field| require(value.is_finite(), field, value, "a finite number");
        match self {
            Self::Fixed {} | Self::Oracle {} | Self::Random(_) => Ok(()),
            Self::Absolute { theta_abs } => number(*theta_abs, "stop.theta_abs"),
            Self::Relative { theta_rel } => number(*theta_rel, "stop.theta_rel"),
            Self::Window {
                window_size,
                theta_window,
            } => {
                require(
                    *window_size > 0,
                    "stop.window_size",
                    window_size,
                    "at least 1",
                )?;
                number(*theta_window, "stop.theta_window")
            }
            Self::Adaptive { theta_base, alpha } => {
                number(*theta_base, "stop.theta_base")?;
                number(*alpha, "stop.alpha")
            }
            Self::PositionDependent { thetas } => {
                require(
                    !thetas.is_empty(),
                    "stop.thetas",
                    "[]",
                    "a list with a threshold",
                )?;
                thetas
                    .iter()
                    .try_for_each(|&theta| number(theta, "stop.thetas"))
            }
            Self::Combined(rules) => rules.validate(),
            Self::Svip { h } => number(*h, "stop.h"),
            Self::Confidence { theta } | Self::Kangaroo { theta } => number(*theta, "stop.theta"),
            Self::PMin { p_min } => number(*p_min, "stop.p_min"),
            Self::CumulativeProbability { threshold } => number(*threshold, "stop.threshold"),
            Self::Margin { m } => number(*m, "stop.m"),
            Self::Adaedl(rule) => rule.validate(),
            Self::DraftVerify(rule) => rule.validate(),
            Self::ConfidenceRoc(rule) => rule.validate(),
            Self::HfHeuristic(rule) => rule.validate(),
            Self::Gammatune(rule) => rule.validate(),
            Self::SglangEma(rule) => rule.validate(),
            Self::Goodput(rule) => rule.validate(),
            Self::CostawareHazard(rule) => rule.validate(),
            Self::SchmittGate(rule) => rule.validate(),
        }
    }
}

#[cfg(test)]
mod tests;
