//! Credit for tokens that were the first choice of a position in earlier forwards.
//!
//! Per position and token, `C ← β·C` in each forward, then `C[top1] += p(top1)^γ`, and the row that
//! decides is `logits + α·ln(1 + C)`. Source: `CreditThresholdParallelDecoder` of dInfer.
//!
//! Only first choices ever get credit, so a position has credit on a handful of tokens and the
//! credited row needs no second pass over the vocabulary.

use std::collections::BTreeMap;

use crate::model::lm::TokenId;

/// Credit of all open positions of one generation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    accounts: BTreeMap<u32, BTreeMap<TokenId, f64>>,
}

/// The three constants of the rule, `alpha` = α, `gamma` = γ, `beta` = β.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CreditTerms {
    pub alpha: f64,
    pub gamma: f64,
    pub beta: f64,
}

/// What credit adds to the logits of one row: ascending by token, one entry per credited token.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Boosts(Vec<(TokenId, f64)>);

impl Ledger {
    /// Books one forward of `position`, whose first choice was `token` with `probability`, and
    /// returns what its row is boosted by.
    pub fn book(
        &mut self,
        terms: CreditTerms,
        position: u32,
        token: TokenId,
        probability: f64,
    ) -> Boosts {
        let account = self.accounts.entry(position).or_default();
        for credit in account.values_mut() {
            *credit *= terms.beta;
        }
        *account.entry(token).or_default() += probability.powf(terms.gamma);
        Boosts(
            account
                .iter()
                .map(|(&token, credit)| (token, terms.alpha * credit.ln_1p()))
                .collect(),
        )
    }

    /// Closes the accounts of the positions before `position`.
    pub fn forget_before(&mut self, position: u32) {
        self.accounts = self.accounts.split_off(&position);
    }
}

impl Boosts {
    /// First choice of the boosted row. The first choice of the raw row is among the credited
    /// tokens, so no other token can come out on top.
    ///
    /// # Panics
    /// When there is no boost.
    pub fn argmax(&self, row: &[f32]) -> TokenId {
        let boosted = |&(token, boost): &(TokenId, f64)| f64::from(row[token as usize]) + boost;
        let first = self.0.first().expect("the first choice is credited");
        self.0
            .iter()
            .skip(1)
            .fold(first, |best, candidate| {
                if boosted(candidate) > boosted(best) {
                    candidate
                } else {
                    best
                }
            })
            .0
    }

    /// Probability of `token` in the boosted row, from the log-normaliser of the raw row.
    pub fn probability(&self, row: &[f32], log_normaliser: f64, token: TokenId) -> f64 {
        let raw = |token: TokenId| (f64::from(row[token as usize]) - log_normaliser).exp();
        let mass: f64 = 1.0
            + self
                .0
                .iter()
                .map(|&(token, boost)| raw(token) * boost.exp_m1())
                .sum::<f64>();
        let boost = self
            .0
            .iter()
            .find(|(credited, _)| *credited == token)
            .map_or(0.0, |(_, boost)| *boost);
        raw(token) * boost.exp() / mass
    }

    /// The boosted row.
    pub fn apply(&self, row: &[f32]) -> Vec<f32> {
        let mut row = row.to_vec();
        for &(token, boost) in &self.0 {
            row[token as usize] += boost as f32;
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: CreditTerms = CreditTerms {
        alpha: 0.7,
        gamma: 0.2,
        beta: 0.8,
    };

    fn close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-6, "{left} ≠ {right}");
    }

    #[test]
    fn credit_decays_and_grows_with_the_first_choice() {
        let mut ledger = Ledger::default();
        // p = 1 earns exactly 1: α·ln(1 + 1).
        assert_eq!(
            ledger.book(TERMS, 10, 3, 1.0),
            Boosts(vec![(3, 0.7 * 1f64.ln_1p())])
        );
        // 0.8·1 + 1 = 1.8 on token 3.
        assert_eq!(
            ledger.book(TERMS, 10, 3, 1.0),
            Boosts(vec![(3, 0.7 * 1.8f64.ln_1p())])
        );
    }

    #[test]
    fn positions_keep_separate_accounts_until_they_are_closed() {
        let mut ledger = Ledger::default();
        ledger.book(TERMS, 10, 3, 1.0);
        ledger.book(TERMS, 11, 4, 1.0);
        ledger.forget_before(11);
        assert_eq!(ledger.accounts.keys().copied().collect::<Vec<_>>(), [11]);
    }

    #[test]
    fn a_credited_token_can_overtake_the_first_choice() {
        // Raw probabilities .45 and .55: the gap is ln(.55/.45) = 0.2007 nats.
        let row: Vec<f32> = [0.45f64, 0.55].iter().map(|p| p.ln() as f32).collect();
        let boosts = Boosts(vec![(0, 0.5), (1, 0.1)]);
        assert_eq!(boosts.argmax(&row), 0);
    }

    #[test]
    fn the_boosted_probability_equals_a_softmax_of_the_boosted_row() {
        let row: Vec<f32> = [0.2f64, 0.3, 0.5].iter().map(|p| p.ln() as f32).collect();
        let boosts = Boosts(vec![(0, 1.0), (2, 0.25)]);
        let boosted = boosts.apply(&row);
        let mass: f64 = boosted.iter().map(|&logit| f64::from(logit).exp()).sum();
        for token in 0..3 {
            close(
                boosts.probability(&row, 0.0, token),
                f64::from(boosted[token as usize]).exp() / mass,
            );
        }
    }
}
