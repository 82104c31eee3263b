//! What a judged draft adds to the text and to the counts.

use super::draft::Draft;
use crate::engine::ending;
use crate::engine::session::Request;
use crate::engine::step::{Counts, Durations, Finish, Generation, Outcome, Round, Slot};
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
    let drafted = draft.tokens.len();
    let tested = drafted.min(verdict.accepted + 1);
    let drafter_forwards = draft.forwards.len();
    let is_filled = |slot: &&Slot| slot.outcome == Outcome::Filled;
    generation.counts += Counts {
        rounds: 1,
        drafted: drafted as u64,
        tested: tested as u64,
        accepted: verdict.accepted as u64,
        committed: committed.len() as u64,
        filled: draft.slots.iter().filter(is_filled).count() as u64,
        drafter_forwards: drafter_forwards as u64,
        verifier_forwards: 1,
        drafter_token_instances: draft.token_instances(drafter_forwards) as u64,
        token_instances: drafted as u64 + 1,
        ..Counts::default()
    };
    generation.durations += durations;
    generation.ids.extend(&committed);
    generation.rounds.push(Round {
        context_len,
        draft: draft.tokens,
        stopped_by: draft.stopped_by,
        tested,
        accepted: verdict.accepted,
        committed,
        drafter_forwards,
        positions: Vec::new(),
        slots: draft.slots,
        durations,
    });
}
