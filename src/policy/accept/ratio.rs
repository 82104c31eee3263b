//! Drafted tokens judged by the ratio of verifier and drafter probability.
//!
//! A rule is two distributions: of the number of accepted tokens, and of the token that follows
//! them. Running it draws once from each; adding up over both gives its output distribution exactly,
//! which is how the tests show that nothing is lost.

use super::Verdict;
use crate::model::lm::TokenId;
use crate::policy::sample::draw;

/// A rule that compares probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RatioRule {
    /// Token by token, with probability min(1, p/(lenience·q)); then from max(0, p − lenience·q).
    /// Lossless at lenience 1 (Leviathan et al. 2023; Chen et al. 2023).
    Rejection { lenience: f64 },
    /// All tokens together (Sun et al. 2024, arXiv 2403.10444). Lossless.
    Block,
    /// Token by token: kept if p(x) ≥ `single`, else with probability p(x)/`acc`; then from p without
    /// x. Lossless if both are 1, however x was drafted (SGLang).
    Threshold { single: f64, acc: f64 },
}

/// A draft of γ tokens with the distributions around it.
///
/// # Shapes
/// `tokens` γ, `drafter` γ rows, `verifier` γ + 1 rows, each row a distribution over one vocabulary.
#[derive(Debug, Clone, Copy)]
pub struct JudgedDraft<'a> {
    pub tokens: &'a [TokenId],
    pub drafter: &'a [Vec<f64>],
    pub verifier: &'a [Vec<f64>],
}

impl JudgedDraft<'_> {
    fn p(&self, slot: usize) -> f64 {
        self.verifier[slot][self.tokens[slot] as usize]
    }

    fn q(&self, slot: usize) -> f64 {
        self.drafter[slot][self.tokens[slot] as usize]
    }
}

/// Judges a draft with two independent uniforms in [0, 1).
pub fn accept(rule: &RatioRule, draft: &JudgedDraft<'_>, u_cut: f64, u_next: f64) -> Verdict {
    let accepted = draw(&cut_distribution(rule, draft), u_cut);
    let next = draw(&next_distribution(rule, draft, accepted), u_next);
    Verdict {
        accepted,
        next: next as TokenId,
    }
}

/// Probability that exactly 0, 1, …, γ tokens are accepted.
pub fn cut_distribution(rule: &RatioRule, draft: &JudgedDraft<'_>) -> Vec<f64> {
    assert_eq!(draft.tokens.len(), draft.drafter.len());
    assert_eq!(draft.tokens.len() + 1, draft.verifier.len());
    let slots = 0..draft.tokens.len();
    match *rule {
        RatioRule::Rejection { lenience } => stop_at_first_rejection(
            slots.map(|slot| (draft.p(slot) / (lenience * draft.q(slot))).min(1.0)),
        ),
        RatioRule::Threshold { single, acc } => stop_at_first_rejection(slots.map(|slot| {
            let p = draft.p(slot);
            if p >= single { 1.0 } else { (p / acc).min(1.0) }
        })),
        RatioRule::Block => longest_accepted_block(draft),
    }
}

/// Distribution of the verifier's own token behind `accepted` drafted ones.
pub fn next_distribution(rule: &RatioRule, draft: &JudgedDraft<'_>, accepted: usize) -> Vec<f64> {
    let p = &draft.verifier[accepted];
    if accepted == draft.tokens.len() {
        return p.clone();
    }
    let q = &draft.drafter[accepted];
    let residual: Vec<f64> = match *rule {
        RatioRule::Rejection { lenience } => excess(p, q, 1.0, lenience),
        RatioRule::Block => excess(p, q, joint_ratio(draft, accepted), 1.0),
        RatioRule::Threshold { .. } => {
            let mut rest = p.clone();
            rest[draft.tokens[accepted] as usize] = 0.0;
            rest
        }
    };
    let mass: f64 = residual.iter().sum();
    if mass > 0.0 {
        residual.into_iter().map(|weight| weight / mass).collect()
    } else {
        // Without a residual this cut has probability 0 up to rounding.
        p.clone()
    }
}

fn stop_at_first_rejection(acceptances: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut reached = 1.0;
    let mut cuts: Vec<f64> = Vec::new();
    for acceptance in acceptances {
        cuts.push(reached * (1.0 - acceptance));
        reached *= acceptance;
    }
    cuts.push(reached);
    cuts
}

/// Block verification draws u_i for each i and accepts the longest prefix with u_i ≤ h_i.
fn longest_accepted_block(draft: &JudgedDraft<'_>) -> Vec<f64> {
    let n = draft.tokens.len();
    let mut cuts = vec![0.0; n + 1];
    let mut longer_rejected = 1.0;
    for len in (1..=n).rev() {
        let h = block_acceptance(draft, len);
        cuts[len] = longer_rejected * h;
        longer_rejected *= 1.0 - h;
    }
    cuts[0] = longer_rejected;
    cuts
}

/// h_i: the probability with which the first `len` > 0 tokens are accepted as a block, given that no
/// longer block was.
fn block_acceptance(draft: &JudgedDraft<'_>, len: usize) -> f64 {
    let ratio = joint_ratio(draft, len);
    if len == draft.tokens.len() {
        return ratio;
    }
    let surplus: f64 = excess(&draft.verifier[len], &draft.drafter[len], ratio, 1.0)
        .iter()
        .sum();
    let denominator = surplus + 1.0 - ratio;
    if denominator > 0.0 {
        surplus / denominator
    } else {
        1.0
    }
}

/// p_i of block verification: p_0 = 1, p_i = min(1, p_{i−1}·p(x_i)/q(x_i)).
fn joint_ratio(draft: &JudgedDraft<'_>, len: usize) -> f64 {
    (0..len).fold(1.0, |ratio, slot| {
        (ratio * draft.p(slot) / draft.q(slot)).min(1.0)
    })
}

/// max(0, a·p − b·q), token by token.
fn excess(p: &[f64], q: &[f64], a: f64, b: f64) -> Vec<f64> {
    assert_eq!(p.len(), q.len(), "drafter and verifier share a vocabulary");
    p.iter()
        .zip(q)
        .map(|(p, q)| (a * p - b * q).max(0.0))
        .collect()
}
