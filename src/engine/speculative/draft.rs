//! The drafter's half of a round.

use std::time::Duration;

use super::setting::{Dice, Setting};
use crate::engine::choice::compared_distribution;
use crate::engine::ending;
use crate::engine::step::{DraftStop, Slot};
use crate::model::lm::{ModelError, TokenId};
use crate::policy::entropy::{EntropyRule, RowStats};
use crate::policy::sample;
use crate::policy::stop::{DraftOrder, SlotView, StopState};

/// A draft, and all that was seen on the way.
#[derive(Debug, Default)]
pub(in crate::engine) struct Draft {
    pub tokens: Vec<TokenId>,
    pub stopped_by: DraftStop,
    /// One entry per slot looked at; those behind `tokens` were refused.
    pub slots: Vec<Slot>,
    /// Entropy that the rule reads, per slot looked at.
    pub entropies: Vec<f64>,
    /// Raw probability of the drafted token, per slot looked at.
    pub probabilities: Vec<f64>,
    /// Shannon entropy of the raw softmax per slot looked at, if the judge reads it.
    pub shannon: Vec<f64>,
    /// Distribution per slot looked at, if the judge or the record needs it.
    pub distributions: Vec<Vec<f64>>,
    /// Duration of each drafter forward.
    pub forwards: Vec<Duration>,
    /// Rows fed in each of them. The first feeds the committed tokens that the cache lacks.
    pub fed: Vec<usize>,
    bounds: Bounds,
    is_over: bool,
}

impl Draft {
    /// A draft without a token yet; over at once when the bounds leave no room for one.
    pub(super) fn within(bounds: Bounds) -> Self {
        let mut draft = Self {
            bounds,
            ..Self::default()
        };
        draft.end_at_bound();
        draft
    }

    /// Whether no further slot is to be looked at.
    pub fn is_over(&self) -> bool {
        self.is_over
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

    fn end_at_bound(&mut self) {
        if self.tokens.len() >= self.bounds.cap {
            self.is_over = true;
            self.stopped_by = if self.bounds.cap < self.bounds.room {
                DraftStop::Rule
            } else {
                DraftStop::MaxDraftLen
            };
        }
    }

    /// Rows fed in the first `n_forwards` forwards.
    pub fn token_instances(&self, n_forwards: usize) -> usize {
        self.fed[..n_forwards].iter().sum()
    }
}

/// How long a draft may get.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    /// What `max_draft_len` and the budget leave.
    pub room: usize,
    /// What the stopping rule asked for before the round, at most `room`.
    pub cap: usize,
}

/// A slot that was looked at, before its fate is known.
struct Candidate {
    token: TokenId,
    /// Raw probability of `token`.
    probability: f64,
    stats: RowStats,
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
    let candidate = look(setting, text.len(), draft, row, dice)?;
    match decide(setting, text, state, draft, candidate) {
        Some(stop) => {
            draft.stopped_by = stop;
            draft.is_over = true;
        }
        None => draft.end_at_bound(),
    }
    Ok(())
}

/// Notes what the drafter says of the next slot, and the token that its row would give.
fn look(
    setting: &Setting<'_>,
    context_len: usize,
    draft: &mut Draft,
    row: &[f32],
    dice: &mut Dice,
) -> Result<Candidate, ModelError> {
    let position = context_len + draft.tokens.len();
    let reads_shannon = setting.reads_drafter_shannon();
    let kinds = [setting.rule.entropy, EntropyRule::default()];
    let stats = RowStats::read(row, &kinds[..1 + usize::from(reads_shannon)]);
    if stats.is_nan() {
        return Err(ModelError::NotANumber { row: position - 1 });
    }
    let token = choose(setting, row, &stats, position, draft, dice);
    let candidate = Candidate {
        token,
        probability: stats.probability(row[token as usize]),
        stats,
    };
    draft.slots.push(Slot {
        position: position as u32,
        token,
        entropy: candidate.stats.entropies[0],
        adjusted: candidate.stats.entropies[0],
        top1: candidate.stats.top1,
        margin: candidate.stats.margin(),
        ..Slot::default()
    });
    draft.entropies.push(candidate.stats.entropies[0]);
    if reads_shannon {
        draft.shannon.push(candidate.stats.entropies[1]);
    }
    Ok(candidate)
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

/// Drafts the candidate or not; says why the draft ends, if it does.
fn decide(
    setting: &Setting<'_>,
    text: &[TokenId],
    state: &StopState,
    draft: &mut Draft,
    candidate: Candidate,
) -> Option<DraftStop> {
    let slot = draft.tokens.len();
    let (order, min) = (setting.rule.order, setting.rule.min_draft_len);
    let is_kept_for_sure = order == DraftOrder::After || setting.request.sampling.is_greedy();
    draft.probabilities.push(if is_kept_for_sure {
        candidate.probability
    } else {
        candidate.stats.top1
    });
    let fires = |draft: &Draft| {
        state.fires(SlotView {
            entropies: &draft.entropies,
            probabilities: &draft.probabilities,
            top1: candidate.stats.top1,
            top2: candidate.stats.top2,
            draft_len_if_stopped: slot + usize::from(order == DraftOrder::After),
        })
    };
    let falls_back = setting
        .rule
        .accept
        .fallback_threshold()
        .is_some_and(|threshold| candidate.stats.top1 < threshold);
    if slot >= min && (falls_back || (order == DraftOrder::Before && fires(draft))) {
        return Some(DraftStop::Rule);
    }
    let fires_after = order != DraftOrder::Before && slot + 1 >= min && fires(draft);
    if fires_after && order == DraftOrder::AfterDrop && slot >= min {
        return Some(DraftStop::Rule);
    }
    draft.tokens.push(candidate.token);
    draft.probabilities[slot] = candidate.probability;
    let ids = &text[setting.request.prompt.len()..];
    if ending::is_end(ids, &draft.tokens, setting.request) {
        return Some(DraftStop::Eos);
    }
    fires_after.then_some(DraftStop::Rule)
}
