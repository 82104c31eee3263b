//! What a judged draft adds to the text and to the counts.

use super::draft::Draft;
use crate::engine::ending;
use crate::engine::session::Request;
use crate::engine::step::{
    Counts, Durations, Finish, Generation, Outcome, Round, RoundCounts, Slot,
};
use crate::model::lm::TokenId;
use crate::policy::accept::Verdict;

/// The accepted tokens and the verifier's, up to where the text ends. `ids` are those before.
pub(in crate::engine) fn committed(
    ids: &[TokenId],
    draft: &Draft,
    verdict: &Verdict,
    request: &Request<'_>,
) -> (Vec<TokenId>, Option<Finish>) {
    let mut tokens = draft.tokens[..verdict.accepted].to_vec();
    tokens.push(verdict.next);
    let cut = ending::cut(ids, &tokens, request);
    // A drafted token that ends the text ends its draft, so no accepted token is dropped here.
    assert!(cut.len >= verdict.accepted);
    tokens.truncate(cut.len);
    (tokens, cut.finish)
}

/// Books one round.
pub(in crate::engine) fn record(
    generation: &mut Generation,
    context_len: usize,
    draft: Draft,
    verdict: &Verdict,
    committed: Vec<TokenId>,
    durations: Durations,
) {
    let drafter_forwards = draft.forwards.len();
    let counts = RoundCounts {
        drafted: draft.tokens.len(),
        accepted: verdict.accepted,
        committed: committed.len(),
        drafter_forwards,
        drafter_token_instances: draft.token_instances(drafter_forwards),
    };
    let is_filled = |slot: &&Slot| slot.outcome == Outcome::Filled;
    generation.counts += Counts {
        filled: draft.slots.iter().filter(is_filled).count() as u64,
        ..Counts::from(counts)
    };
    generation.durations += durations;
    generation.ids.extend(&committed);
    generation.leads.truncate(generation.ids.len());
    generation.rounds.push(Round {
        context_len,
        draft: draft.tokens,
        stopped_by: draft.course.stopped_by(),
        tested: counts.tested(),
        accepted: verdict.accepted,
        committed,
        drafter_forwards,
        positions: Vec::new(),
        slots: draft.slots,
        durations,
    });
}
