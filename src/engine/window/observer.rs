//! What a row of logits says about its mask, in one pass over the vocabulary.

use std::collections::BTreeMap;
use std::slice;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::engine::session::Request;
use crate::model::lm::{ModelError, TokenId};
use crate::policy::entropy::{EntropyRule, RowStats};
use crate::policy::noise::Noise;
use crate::policy::sample::{self, Sampling};
use crate::policy::select::credit::{Boosts, CreditTerms, Ledger};
use crate::policy::select::divergence::kl;
use crate::policy::select::{MaskView, SelectRule};

/// Where a row of logits belongs.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Window slot of the mask that the row predicts.
    pub slot: usize,
    /// Absolute position of that mask.
    pub position: u32,
    /// Physical cache row that computed the logits, for error messages.
    pub cache_row: usize,
}

/// Turns rows into views, with the memory that some rules need.
pub struct Observer {
    entropy: EntropyRule,
    sampling: Sampling,
    /// The token that may not be chosen.
    forbidden: Option<TokenId>,
    draws: Draws,
    credit: Option<(CreditTerms, Ledger)>,
    previous: Option<BTreeMap<u32, PreviousRow>>,
}

/// The chance in sampled tokens.
enum Draws {
    /// One uniform per row.
    Stream(Box<ChaCha8Rng>),
    /// The exponentials that belong to a position.
    Coupled(Noise),
}

/// The row of a position in the forward before.
struct PreviousRow {
    logits: Vec<f32>,
    log_normalizer: f64,
}

impl Observer {
    pub fn new(
        select: &SelectRule,
        entropy: EntropyRule,
        request: &Request<'_>,
        forbidden: Option<TokenId>,
    ) -> Self {
        let mut credit = None;
        if let SelectRule::Credit {
            alpha, gamma, beta, ..
        } = *select
        {
            credit = Some((CreditTerms { alpha, gamma, beta }, Ledger::default()));
        }
        Self {
            entropy,
            sampling: request.sampling,
            forbidden,
            draws: Draws::Stream(Box::new(ChaCha8Rng::seed_from_u64(request.seed))),
            credit,
            previous: matches!(select, SelectRule::Klass { .. }).then(BTreeMap::new),
        }
    }

    /// Draws with `noise` from now on.
    pub fn couple(&mut self, noise: Noise) {
        self.draws = Draws::Coupled(noise);
    }

    /// Reads one row of raw logits. Above temperature 0 it draws one uniform, whether or not the
    /// mask will be filled, as the reference sampler does.
    ///
    /// # Errors
    /// [`ModelError::NotANumber`].
    pub fn look(&mut self, place: Place, row: &[f32]) -> Result<MaskView, ModelError> {
        let stats = RowStats::read(row, slice::from_ref(&self.entropy));
        if stats.is_nan() {
            return Err(ModelError::NotANumber {
                row: place.cache_row,
            });
        }
        // The statistics know the first choice already; only a forbidden one costs another look.
        let first_choice = if Some(stats.top1_token) == self.forbidden {
            sample::greedy(row, self.forbidden)
        } else {
            stats.top1_token
        };
        let boosts = self.credit.as_mut().map(|(terms, ledger)| {
            let probability = stats.probability(row[first_choice as usize]);
            ledger.book(*terms, place.position, first_choice, probability)
        });
        let token = self.choose_token(place.position, row, first_choice, boosts.as_ref());
        let confidence = match &boosts {
            Some(boosts) => boosts.probability(row, stats.log_normalizer, token),
            None => stats.probability(row[token as usize]),
        };
        Ok(MaskView {
            slot: place.slot,
            token,
            entropy: stats.entropies[0],
            top1: stats.top1,
            top2: stats.top2,
            confidence,
            divergence: self.divergence(place.position, row, stats.log_normalizer),
        })
    }

    /// Drops what is remembered of positions before `position`: they are committed.
    pub fn forget_before(&mut self, position: u32) {
        if let Some((_, ledger)) = &mut self.credit {
            ledger.forget_before(position);
        }
        if let Some(previous) = &mut self.previous {
            *previous = previous.split_off(&position);
        }
    }

    fn choose_token(
        &mut self,
        position: u32,
        row: &[f32],
        first_choice: TokenId,
        boosts: Option<&Boosts>,
    ) -> TokenId {
        if self.sampling.is_greedy() {
            return boosts.map_or(first_choice, |boosts| boosts.argmax(row));
        }
        let weights = match boosts {
            Some(boosts) => {
                sample::distribution(&boosts.apply(row), &self.sampling, self.forbidden)
            }
            None => sample::distribution(row, &self.sampling, self.forbidden),
        };
        match &mut self.draws {
            Draws::Stream(draws) => sample::draw(&weights, draws.random()) as TokenId,
            Draws::Coupled(noise) => sample::draw_coupled(&weights, noise, position),
        }
    }

    fn divergence(&mut self, position: u32, row: &[f32], log_normalizer: f64) -> Option<f64> {
        let previous = self.previous.as_mut()?;
        let now = PreviousRow {
            logits: row.to_vec(),
            log_normalizer,
        };
        let before = previous.insert(position, now)?;
        Some(kl(
            row,
            log_normalizer,
            &before.logits,
            before.log_normalizer,
        ))
    }
}
