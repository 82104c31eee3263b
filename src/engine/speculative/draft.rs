//! The drafter's half of a round.

use std::time::Duration;

use super::course::{Bounds, Course, SlotFacts};
use super::setting::{Dice, Setting};
use crate::engine::choice::compared_distribution;
use crate::engine::ending;
use crate::engine::step::Slot;
use crate::model::lm::{ModelError, TokenId};
use crate::policy::entropy::{EntropyRule, RowStats};
use crate::policy::sample;
use crate::policy::stop::StopState;

/// A draft, and all that was seen on the way.
#[derive(Debug, Default)]
pub(in crate::engine) struct Draft {
    pub tokens: Vec<TokenId>,
    /// How far it went, and why no further.
    pub course: Course,
    /// One entry per slot looked at; those behind `tokens` were refused.
    pub slots: Vec<Slot>,
    /// Shannon entropy of the raw softmax per slot looked at, if the judge reads it.
    pub shannon: Vec<f64>,
    /// Distribution per slot looked at, if the judge or the record needs it.
    pub distributions: Vec<Vec<f64>>,
    /// Duration of each drafter forward.
    pub forwards: Vec<Duration>,
    /// Rows fed in each of them. The first feeds the committed tokens that the cache lacks.
    pub fed: Vec<usize>,
}

impl Draft {
    /// A draft without a token yet; over at once when the bounds leave no room for one.
    pub(super) fn within(bounds: Bounds) -> Self {
        let mut draft = Self::default();
        draft.course.begin(bounds);
        draft
    }

    /// What a drafter with `cached_len` rows has to see before it can say something of the next slot.
    pub fn missing_tokens<'d>(&'d self, text: &'d [TokenId], cached_len: usize) -> &'d [TokenId] {
        let last_drafted = self.tokens.last().map(std::slice::from_ref);
        last_drafted.unwrap_or_else(|| &text[cached_len..])
    }

    /// Notes a drafter forward over `n_fed` rows.
    pub fn note_forward(&mut self, n_fed: usize, duration: Duration) {
        self.fed.push(n_fed);
        self.forwards.push(duration);
    }

    /// Rows fed in the first `n_forwards` forwards.
    pub fn token_instances(&self, n_forwards: usize) -> usize {
        self.fed[..n_forwards].iter().sum()
    }

    /// Reduces the draft to its first `accepted` tokens, one forward each. Returns the duration of the
    /// forwards that are undone.
    pub(super) fn cut(&mut self, accepted: usize) -> Duration {
        self.course.cut(accepted);
        self.tokens.truncate(accepted);
        self.slots.truncate(accepted);
        self.fed.truncate(accepted);
        self.forwards.drain(accepted..).sum()
    }
}

/// Reads the drafter's row of the next slot: its token is drafted, or the draft ends before it.
///
/// # Errors
/// [`ModelError::NotANumber`] when the row is no distribution.
pub(super) fn see_row(
    setting: &Setting<'_>,
    text: &[TokenId],
    state: &StopState,
    draft: &mut Draft,
    row: &[f32],
    dice: &mut Dice,
) -> Result<(), ModelError> {
    let slot = look(setting, text, draft, row, dice)?;
    if !draft.course.see(setting.terms(), state, &slot) {
        draft.tokens.pop();
    }
    Ok(())
}

/// Notes what the drafter says of the next slot, and appends the token that its row would give.
fn look(
    setting: &Setting<'_>,
    text: &[TokenId],
    draft: &mut Draft,
    row: &[f32],
    dice: &mut Dice,
) -> Result<SlotFacts, ModelError> {
    let position = text.len() + draft.tokens.len();
    let reads_shannon = setting.reads_drafter_shannon();
    let kinds = [setting.rule.entropy, EntropyRule::default()];
    let stats = RowStats::read(row, &kinds[..1 + usize::from(reads_shannon)]);
    if stats.is_nan() {
        return Err(ModelError::NotANumber { row: position - 1 });
    }
    if reads_shannon {
        draft.shannon.push(stats.entropies[1]);
    }
    let token = choose(setting, row, &stats, position, draft, dice);
    draft.tokens.push(token);
    let ids = &text[setting.request.prompt.len()..];
    let slot = SlotFacts {
        entropy: stats.entropies[0],
        probability: stats.probability(row[token as usize]),
        top1: stats.top1,
        top2: stats.top2,
        is_end: ending::is_end(ids, &draft.tokens, setting.request),
    };
    draft.slots.push(slot.slot(position as u32, token));
    Ok(slot)
}

/// The drafter's token; keeps its distribution if somebody asks for it later.
fn choose(
    setting: &Setting<'_>,
    row: &[f32],
    stats: &RowStats,
    position: usize,
    draft: &mut Draft,
    dice: &mut Dice,
) -> TokenId {
    let request = setting.request;
    let is_greedy = request.sampling.is_greedy();
    let distribution =
        (!is_greedy || setting.keeps_distributions()).then(|| compared_distribution(row, request));
    let token = match &distribution {
        Some(q) if setting.is_coupled() => sample::draw_coupled(q, &dice.noise, position as u32),
        Some(q) if !is_greedy => sample::draw(q, dice.throw()) as TokenId,
        Some(_) | None if request.mask_id == Some(stats.top1_token) => {
            sample::greedy(row, request.mask_id)
        }
        Some(_) | None => stats.top1_token,
    };
    if setting.keeps_distributions() {
        draft.distributions.extend(distribution);
    }
    token
}
