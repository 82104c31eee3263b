//! Which masks of a window are filled after a forward.
//!
//! A rule sees one [`MaskView`] per mask, in window order, and names those to fill. It always names
//! at least one: that is what guarantees progress. `docs/selection-rules.md` lists every rule with
//! its formula and source.
//!
//! Notation: `H` entropy in nats, `c` probability of the token that would be written, `d` distance
//! in slots to the first remaining mask, `λ` = `pos_penalty`, `A = H + λ·d`. `cap` keeps the
//! leftmost of the chosen masks, because those are committed soonest.

mod bounds;
mod choose;
pub mod credit;
mod defaults;
pub mod divergence;
mod reads;
mod slow_fast;
mod state;

use serde::{Deserialize, Serialize};

use crate::model::lm::TokenId;

pub use choose::select;
pub use state::SelectState;

/// What a rule may know about one mask.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MaskView {
    /// Window slot, counted from the first uncommitted position.
    pub slot: usize,
    /// The token that filling this mask would write.
    pub token: TokenId,
    /// Entropy that the rule reads, of the raw row, in nats.
    pub entropy: f64,
    /// Two largest probabilities of the raw row.
    pub top1: f64,
    pub top2: f64,
    /// Probability of `token` in the raw row; under the credit rule, in the credited row.
    pub confidence: f64,
    /// KL(this row ‖ the row of the same position in the previous forward) in nats; `None` when the
    /// position is looked at for the first time, or the rule does not ask for it.
    pub divergence: Option<f64>,
}

/// A rule that YAML can name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SelectRule {
    /// WeDLM: every mask with `A < entropy_threshold`, else the one with the smallest `A`.
    ///
    /// Defaults: `SamplingParams` of the WeDLM engine. An explicit null means no threshold: one
    /// mask per forward.
    Entropy {
        #[serde(default = "defaults::entropy_threshold")]
        entropy_threshold: Option<f64>,
        #[serde(default = "defaults::pos_penalty")]
        pos_penalty: f64,
        #[serde(default)]
        cap: Option<usize>,
    },
    /// The one mask with the smallest `A`; λ as in the accuracy tables of the WeDLM paper.
    Greedy {
        #[serde(default = "defaults::greedy_pos_penalty")]
        pos_penalty: f64,
    },
    /// The first `k` masks.
    LeftToRight {
        #[serde(default = "defaults::k")]
        k: usize,
    },
    /// [`Entropy`](Self::Entropy) with a threshold that follows the recent acceptance: `base + step`
    /// above `target`, else `base − step`, clipped to `min..=max`; `base` while nothing is known.
    ///
    /// A window decoder has no acceptance test of its own, so acceptance is the share of the last
    /// `recent` comparable committed tokens that equal the autoregressive choice of the same model,
    /// read from the rows of the committed tokens.
    Hybrid {
        #[serde(default = "defaults::threshold")]
        base: f64,
        #[serde(default = "defaults::hybrid_step")]
        step: f64,
        #[serde(default = "defaults::hybrid_target")]
        target: f64,
        #[serde(default = "defaults::hybrid_min")]
        min: f64,
        #[serde(default = "defaults::hybrid_max")]
        max: f64,
        #[serde(default = "defaults::hybrid_recent")]
        recent: usize,
        #[serde(default = "defaults::pos_penalty")]
        pos_penalty: f64,
        #[serde(default)]
        cap: Option<usize>,
    },
    /// Masks with `A < entropy_threshold·(1 − 0.01·W)`, at most the leftmost `max(1, W/4)`, for a
    /// window of W slots. The rule as published has no distance penalty.
    WindowScaled {
        #[serde(default = "defaults::threshold")]
        entropy_threshold: f64,
        #[serde(default)]
        pos_penalty: f64,
    },
    /// Masks with `c − λ·d ≥ theta`, else the largest (Fast-dLLM).
    ConfidenceThreshold {
        #[serde(default = "defaults::theta")]
        theta: f64,
        #[serde(default)]
        pos_penalty: f64,
        #[serde(default)]
        cap: Option<usize>,
    },
    /// The longest run `c₍₁₎ ≥ c₍₂₎ ≥ …` with `(n + 1)·(1 − c₍ₙ₎) ≤ factor` throughout (Fast-dLLM).
    ConfidenceFactor {
        #[serde(default = "defaults::factor")]
        factor: f64,
        #[serde(default)]
        pos_penalty: f64,
        #[serde(default)]
        cap: Option<usize>,
    },
    /// The longest run with `Σ c₍ⱼ₎ − (n − 1) − (1 − c₍ₙ₎) > m` (Fast-dLLM++): the Fréchet lower
    /// bound of the joint probability beats the best alternative by `m`.
    Frechet {
        #[serde(default = "defaults::frechet_m")]
        m: f64,
        #[serde(default)]
        pos_penalty: f64,
        #[serde(default)]
        cap: Option<usize>,
    },
    /// The `k` largest `c − λ·d` (LLaDA, low-confidence remasking). `steps` instead of `k` spreads
    /// a window over that many forwards: `W / steps` each, one more in the first `W % steps`.
    TopkConfidence {
        #[serde(default)]
        k: Option<usize>,
        #[serde(default)]
        steps: Option<usize>,
        #[serde(default)]
        pos_penalty: f64,
    },
    /// Masks with `(top1 − top2) − λ·d ≥ theta`, else the largest (the score of Dream's
    /// `topk_margin`; the threshold has no published value).
    Margin {
        #[serde(default = "defaults::margin_theta")]
        theta: f64,
        #[serde(default)]
        pos_penalty: f64,
        #[serde(default)]
        cap: Option<usize>,
    },
    /// The longest run of ascending `A` with `Σ A − max A ≤ gamma` (EB-Sampler).
    EntropyBound {
        #[serde(default = "defaults::gamma")]
        gamma: f64,
        #[serde(default)]
        pos_penalty: f64,
        #[serde(default)]
        cap: Option<usize>,
    },
    /// The longest run of ascending `A` with `Σ A < threshold` (JetEngine).
    EbCumulative {
        #[serde(default = "defaults::eb_threshold")]
        threshold: f64,
        #[serde(default)]
        pos_penalty: f64,
        #[serde(default)]
        cap: Option<usize>,
    },
    /// Masks with `c − λ·d ≥ theta` whose last `history` divergences from forward to forward are
    /// all below `epsilon`, else the largest `c − λ·d` (KLASS).
    Klass {
        #[serde(default = "defaults::theta")]
        theta: f64,
        #[serde(default = "defaults::epsilon")]
        epsilon: f64,
        #[serde(default = "defaults::history")]
        history: usize,
        #[serde(default)]
        pos_penalty: f64,
        #[serde(default)]
        cap: Option<usize>,
    },
    /// Explore, then fill a span (Slow-Fast Sampling); see `slow_fast.rs` for the two phases.
    Slowfast {
        #[serde(default = "defaults::exploration_steps")]
        exploration_steps: usize,
        /// Least confidence that the far end of the span needs.
        #[serde(default = "defaults::far_theta")]
        far_theta: f64,
        /// Estimates of the span that must agree.
        #[serde(default = "defaults::history")]
        stable_window: usize,
        /// Standard deviation, in slots, below which they agree.
        #[serde(default = "defaults::stable_std")]
        stable_std: f64,
        /// Confidence from which masks are filled together.
        #[serde(default = "defaults::theta")]
        theta: f64,
        #[serde(default)]
        cap: Option<usize>,
    },
    /// [`ConfidenceThreshold`](Self::ConfidenceThreshold) on rows to which earlier top-1 choices of
    /// the same position lend credit (dInfer's CreditDecoding); see [`credit`].
    Credit {
        #[serde(default = "defaults::theta")]
        theta: f64,
        #[serde(default = "defaults::credit_alpha")]
        alpha: f64,
        #[serde(default = "defaults::credit_gamma")]
        gamma: f64,
        #[serde(default = "defaults::credit_beta")]
        beta: f64,
        #[serde(default)]
        pos_penalty: f64,
        #[serde(default)]
        cap: Option<usize>,
    },
    /// `k` masks by lot. `seed` is mixed with the seed of the generation.
    Random {
        #[serde(default = "defaults::k")]
        k: usize,
        #[serde(default)]
        seed: u64,
    },
}

impl Default for SelectRule {
    fn default() -> Self {
        Self::Entropy {
            entropy_threshold: defaults::entropy_threshold(),
            pos_penalty: defaults::pos_penalty(),
            cap: None,
        }
    }
}

impl SelectRule {
    /// λ, the penalty per slot of distance; 0 for rules without one.
    pub fn pos_penalty(&self) -> f64 {
        match self {
            Self::Entropy { pos_penalty, .. }
            | Self::Greedy { pos_penalty }
            | Self::Hybrid { pos_penalty, .. }
            | Self::WindowScaled { pos_penalty, .. }
            | Self::ConfidenceThreshold { pos_penalty, .. }
            | Self::ConfidenceFactor { pos_penalty, .. }
            | Self::Frechet { pos_penalty, .. }
            | Self::TopkConfidence { pos_penalty, .. }
            | Self::Margin { pos_penalty, .. }
            | Self::EntropyBound { pos_penalty, .. }
            | Self::EbCumulative { pos_penalty, .. }
            | Self::Klass { pos_penalty, .. }
            | Self::Credit { pos_penalty, .. } => *pos_penalty,
            Self::LeftToRight { .. } | Self::Slowfast { .. } | Self::Random { .. } => 0.0,
        }
    }

    /// `A = H + λ·d` of each mask, in nats.
    pub fn adjusted_entropies(&self, masks: &[MaskView]) -> Vec<f64> {
        choose::adjusted(masks, self.pos_penalty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<SelectRule, serde_json::Error> {
        serde_json::from_str(json)
    }

    fn threshold(rule: &SelectRule) -> Option<f64> {
        match rule {
            SelectRule::Entropy {
                entropy_threshold, ..
            } => *entropy_threshold,
            other => panic!("{other:?} is not the entropy rule"),
        }
    }

    #[test]
    fn an_absent_threshold_is_the_default_and_an_explicit_null_is_none() {
        assert_eq!(
            threshold(&parse(r#"{"kind":"entropy"}"#).unwrap()),
            Some(0.4)
        );
        assert_eq!(
            threshold(&parse(r#"{"kind":"entropy","entropy_threshold":null}"#).unwrap()),
            None
        );
        assert_eq!(
            threshold(&parse(r#"{"kind":"entropy","entropy_threshold":1}"#).unwrap()),
            Some(1.0)
        );
    }

    #[test]
    fn every_rule_needs_no_more_than_its_name_and_survives_a_round_trip() {
        for kind in [
            "entropy",
            "greedy",
            "left_to_right",
            "hybrid",
            "window_scaled",
            "confidence_threshold",
            "confidence_factor",
            "frechet",
            "topk_confidence",
            "margin",
            "entropy_bound",
            "eb_cumulative",
            "klass",
            "slowfast",
            "credit",
            "random",
        ] {
            let rule = parse(&format!(r#"{{"kind":"{kind}"}}"#)).unwrap();
            rule.validate().unwrap();
            let json = serde_json::to_string(&rule).unwrap();
            assert_eq!(parse(&json).unwrap(), rule, "{kind}");
        }
    }

    #[test]
    fn a_switched_off_threshold_survives_a_round_trip() {
        let rule = SelectRule::Entropy {
            entropy_threshold: None,
            pos_penalty: 0.02,
            cap: Some(4),
        };
        let json = serde_json::to_string(&rule).unwrap();
        assert_eq!(parse(&json).unwrap(), rule);
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = parse(r#"{"kind":"greedy","penalty":0.1}"#).unwrap_err();
        assert!(
            error.to_string().contains("unknown field `penalty`"),
            "{error}"
        );
    }

    #[test]
    fn the_default_rule_is_the_engines() {
        assert_eq!(
            SelectRule::default(),
            parse(r#"{"kind":"entropy"}"#).unwrap()
        );
        assert_eq!(SelectRule::default().pos_penalty(), 0.02);
    }
}
