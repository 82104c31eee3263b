//! Entropies of a row of logits, and what else one look at the row gives.
//!
//! Every entropy is in nats, of the raw softmax over the whole vocabulary (before top-k, top-p and
//! the sampling temperature), unless the rule's own `temperature` or `k` says otherwise.

pub(crate) mod exp;
mod formulas;
mod one_pass;
mod row_stats;
mod sums;

use serde::{Deserialize, Serialize};

pub use self::row_stats::RowStats;
use crate::policy::{OutOfRange, require};

/// Which entropy a decoder reads. `temperature` divides the logits before the softmax.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum EntropyRule {
    /// −Σ p ln p.
    Shannon {
        #[serde(default = "one")]
        temperature: f64,
    },
    /// ln(Σ p^α) / (1 − α); Shannon in the limit α → 1.
    Renyi {
        #[serde(default = "two")]
        alpha: f64,
        #[serde(default = "one")]
        temperature: f64,
    },
    /// (1 − Σ p^q) / (q − 1); Shannon in the limit q → 1.
    Tsallis {
        #[serde(default = "two")]
        q: f64,
        #[serde(default = "one")]
        temperature: f64,
    },
    /// −Σ p ln p over the k largest probabilities, which are first scaled to sum 1 if `renormalize`.
    Topk {
        #[serde(default = "default_k")]
        k: usize,
        #[serde(default = "yes")]
        renormalize: bool,
        #[serde(default = "one")]
        temperature: f64,
    },
    /// −ln max p.
    Min {
        #[serde(default = "one")]
        temperature: f64,
    },
    /// Variance of −ln p under p, in nats².
    Varentropy {
        #[serde(default = "one")]
        temperature: f64,
    },
}

impl Default for EntropyRule {
    fn default() -> Self {
        Self::Shannon { temperature: 1.0 }
    }
}

impl EntropyRule {
    /// The rules that are reported beside each other wherever no trial chooses one.
    pub fn reported() -> [Self; 6] {
        let temperature = 1.0;
        [
            Self::Shannon { temperature },
            Self::Renyi {
                alpha: 2.0,
                temperature,
            },
            Self::Tsallis {
                q: 2.0,
                temperature,
            },
            Self::Topk {
                k: 10,
                renormalize: true,
                temperature,
            },
            Self::Min { temperature },
            Self::Varentropy { temperature },
        ]
    }

    pub fn temperature(&self) -> f64 {
        match *self {
            Self::Shannon { temperature }
            | Self::Renyi { temperature, .. }
            | Self::Tsallis { temperature, .. }
            | Self::Topk { temperature, .. }
            | Self::Min { temperature }
            | Self::Varentropy { temperature } => temperature,
        }
    }

    /// Name for a column or a legend: `shannon`, `renyi_2`, `topk_50`, `topk_50_raw`,
    /// `shannon_t0_5`.
    pub fn label(&self) -> String {
        let mut label = match *self {
            Self::Shannon { .. } => "shannon".to_owned(),
            Self::Renyi { alpha, .. } => format!("renyi_{alpha}"),
            Self::Tsallis { q, .. } => format!("tsallis_{q}"),
            Self::Topk { k, renormalize, .. } => {
                format!("topk_{k}{}", if renormalize { "" } else { "_raw" })
            }
            Self::Min { .. } => "min".to_owned(),
            Self::Varentropy { .. } => "varentropy".to_owned(),
        };
        if self.temperature() != 1.0 {
            label += &format!("_t{}", self.temperature());
        }
        label.replace('.', "_")
    }

    /// # Errors
    /// [`OutOfRange`] for an order, a k or a temperature that is not positive and finite.
    pub fn validate(&self) -> Result<(), OutOfRange> {
        let is_positive = |value: f64| value > 0.0 && value.is_finite();
        let temperature = self.temperature();
        require(
            is_positive(temperature),
            "entropy.temperature",
            temperature,
            "positive and finite",
        )?;
        match *self {
            Self::Renyi { alpha, .. } => require(
                is_positive(alpha),
                "entropy.alpha",
                alpha,
                "positive and finite",
            ),
            Self::Tsallis { q, .. } => {
                require(is_positive(q), "entropy.q", q, "positive and finite")
            }
            Self::Topk { k, .. } => require(k > 0, "entropy.k", k, "at least 1"),
            Self::Shannon { .. } | Self::Min { .. } | Self::Varentropy { .. } => Ok(()),
        }
    }
}

fn one() -> f64 {
    1.0
}

fn two() -> f64 {
    2.0
}

fn default_k() -> usize {
    50
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests;
