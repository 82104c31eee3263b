//! Drafted tokens judged by how plausible the verifier finds them. Lossy, without chance.

use crate::model::lm::TokenId;
use crate::policy::entropy::{EntropyRule, RowStats};

/// A rule that looks at one drafted token at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EvidenceRule {
    /// p(x) > min(ε, δ·e^−H(p)). Medusa computes H with ln(p + 1e-5); here it is exact.
    Typical { epsilon: f64, delta: f64 },
    /// |H(p) − H(q)| ≤ δ and x among the `top_m` likeliest.
    EntropyAligned { delta: f64, top_m: usize },
    /// x is the argmax of p, or −ln p(x) ≤ α_rb.
    Backtrack { alpha_rb: f64 },
    /// x is the argmax of p, or, below lenience 1, p(x) ≥ lenience·max p.
    RelativeTo { lenience: f64 },
    /// x among the `top_n` likeliest and p(x) ≥ max p − δ.
    Relaxed { top_n: usize, delta: f64 },
}

/// What is known of a drafted token x. Entropies in nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// p(x).
    pub probability: f64,
    /// max p.
    pub top1: f64,
    /// Tokens ahead of x in p, earlier ids first among equals; 0 for the argmax.
    pub rank: usize,
    /// H(p).
    pub verifier_entropy: f64,
    /// H(q).
    pub drafter_entropy: f64,
}

impl Evidence {
    /// From a row of the verifier's raw logits (greedy decoding).
    pub fn from_logits(row: &[f32], token: TokenId, drafter_entropy: f64) -> Self {
        let stats = RowStats::read(row, &[EntropyRule::default()]);
        Self {
            probability: stats.probability(row[token as usize]),
            top1: stats.top1,
            rank: rank(row, token),
            verifier_entropy: stats.entropies[0],
            drafter_entropy,
        }
    }

    /// From the distributions that tokens are drawn from (sampling).
    pub fn from_probabilities(p: &[f64], q: &[f64], token: TokenId) -> Self {
        Self {
            probability: p[token as usize],
            top1: p.iter().copied().fold(0.0, f64::max),
            rank: rank(p, token),
            verifier_entropy: entropy(p),
            drafter_entropy: entropy(q),
        }
    }
}

impl EvidenceRule {
    /// Does the token stay?
    pub fn accepts(&self, evidence: &Evidence) -> bool {
        let p = evidence.probability;
        let is_argmax = evidence.rank == 0;
        match *self {
            Self::Typical { epsilon, delta } => {
                p > epsilon.min(delta * (-evidence.verifier_entropy).exp())
            }
            Self::EntropyAligned { delta, top_m } => {
                (evidence.verifier_entropy - evidence.drafter_entropy).abs() <= delta
                    && evidence.rank < top_m
            }
            Self::Backtrack { alpha_rb } => is_argmax || -p.ln() <= alpha_rb,
            Self::RelativeTo { lenience } => {
                is_argmax || (lenience < 1.0 && p >= lenience * evidence.top1)
            }
            Self::Relaxed { top_n, delta } => {
                is_argmax || (evidence.rank < top_n && p >= evidence.top1 - delta)
            }
        }
    }

    /// Does the rule compare with the drafter's entropy?
    pub fn reads_drafter_entropy(&self) -> bool {
        match self {
            Self::EntropyAligned { .. } => true,
            Self::Typical { .. }
            | Self::Backtrack { .. }
            | Self::RelativeTo { .. }
            | Self::Relaxed { .. } => false,
        }
    }
}

fn rank<T: PartialOrd>(weights: &[T], token: TokenId) -> usize {
    let (before, rest) = weights.split_at(token as usize);
    let own = &rest[0];
    before.iter().filter(|weight| *weight >= own).count()
        + rest.iter().filter(|weight| *weight > own).count()
}

fn entropy(p: &[f64]) -> f64 {
    p.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum()
}
