//! The verifier's half of a round.

use super::draft::Draft;
use super::setting::{Dice, Setting};
use crate::engine::choice::{check_row, compared_distribution, own_token};
use crate::engine::step::Outcome;
use crate::model::lm::{LanguageModel, Logits, ModelError, TokenId};
use crate::policy::accept::evidence::{Evidence, EvidenceRule};
use crate::policy::accept::ratio::{self, JudgedDraft, RatioRule};
use crate::policy::accept::{Judge, Verdict, matching};
use crate::policy::sample;

/// Feeds the last committed token and the draft.
///
/// # Shapes
/// Returns one row per drafted token, and the row behind the draft.
///
/// # Errors
/// Those of the verifier.
pub(in crate::engine) fn forward(
    verifier: &mut dyn LanguageModel,
    text: &[TokenId],
    draft: &[TokenId],
) -> Result<Logits, ModelError> {
    let first = text.len() - 1;
    assert_eq!(verifier.cached_len(), first, "the last token is not cached");
    let fed: Vec<TokenId> = [&text[first..], draft].concat();
    let positions: Vec<u32> = (first as u32..(first + fed.len()) as u32).collect();
    verifier.forward(&fed, &positions, fed.len())
}

/// What the rule makes of the draft.
///
/// # Errors
/// [`ModelError::NotANumber`] for a row that is no distribution.
pub(in crate::engine) fn judge(
    setting: &Setting<'_>,
    rows: &Logits,
    text: &[TokenId],
    draft: &Draft,
    dice: &mut Dice,
) -> Result<Verdict, ModelError> {
    match setting.judge {
        Judge::Match { .. } => matching::accept(&draft.tokens, |slot| {
            let position = text.len() + slot;
            own_token(rows.row(slot), position, position - 1, setting.request)
        }),
        Judge::Ratio(rule) => by_ratio(&rule, setting, rows, text, draft, dice),
        Judge::Evidence(rule) => by_evidence(&rule, setting, rows, text, draft, dice),
    }
}

fn by_ratio(
    rule: &RatioRule,
    setting: &Setting<'_>,
    rows: &Logits,
    text: &[TokenId],
    draft: &Draft,
    dice: &mut Dice,
) -> Result<Verdict, ModelError> {
    let mut verifier = Vec::with_capacity(rows.n_rows());
    for (slot, row) in rows.rows().enumerate() {
        check_row(row, text.len() + slot - 1)?;
        verifier.push(compared_distribution(row, setting.request));
    }
    let mut drafter = draft.distributions[..draft.tokens.len()].to_vec();
    for row in &mut drafter {
        // Models of one family may pad their vocabularies differently; padding has probability 0.
        row.resize(verifier[0].len(), 0.0);
    }
    let judged = JudgedDraft {
        tokens: &draft.tokens,
        drafter: &drafter,
        verifier: &verifier,
    };
    let (u_cut, u_next) = (dice.throw(), dice.throw());
    Ok(ratio::accept(rule, &judged, u_cut, u_next))
}

fn by_evidence(
    rule: &EvidenceRule,
    setting: &Setting<'_>,
    rows: &Logits,
    text: &[TokenId],
    draft: &Draft,
    dice: &mut Dice,
) -> Result<Verdict, ModelError> {
    let request = setting.request;
    let is_greedy = request.sampling.is_greedy();
    let mut accepted = 0;
    for (slot, &token) in draft.tokens.iter().enumerate() {
        let row = rows.row(slot);
        check_row(row, text.len() + slot - 1)?;
        let evidence = if is_greedy {
            let drafter_entropy = draft.shannon.get(slot).copied();
            Evidence::from_logits(row, token, drafter_entropy.unwrap_or(f64::NAN))
        } else {
            let p = compared_distribution(row, request);
            Evidence::from_probabilities(&p, &draft.distributions[slot], token)
        };
        if !rule.accepts(&evidence) {
            break;
        }
        accepted += 1;
    }
    let row = rows.row(accepted);
    check_row(row, text.len() + accepted - 1)?;
    let next = if is_greedy {
        sample::greedy(row, request.mask_id)
    } else {
        sample::draw(&compared_distribution(row, request), dice.throw()) as TokenId
    };
    Ok(Verdict { accepted, next })
}

/// Writes the outcomes into the slots of the draft, and the overlaps if the request asks for them.
pub(in crate::engine) fn mark_slots(
    setting: &Setting<'_>,
    rows: &Logits,
    draft: &mut Draft,
    accepted: usize,
) {
    let drafted = draft.tokens.len();
    for (index, slot) in draft.slots.iter_mut().enumerate().take(drafted) {
        slot.outcome = Outcome::of_drafted(index, accepted);
    }
    if setting.request.record.overlap {
        let looked_at = draft.slots.iter_mut().zip(&draft.distributions);
        for ((slot, q), row) in looked_at.zip(rows.rows()) {
            let p = compared_distribution(row, setting.request);
            slot.overlap = Some(p.iter().zip(q).map(|(p, q)| p.min(*q)).sum());
        }
    }
}
