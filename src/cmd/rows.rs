//! From a generation to the rows that a run keeps of it.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::analysis::flops::{Flops, Shapes};
use crate::cmd::agreement::Agreement;
use crate::cmd::measure::Prompt;
use crate::cmd::models::LoadedModels;
use crate::config::decoder::DecoderSpec;
use crate::engine::step::{DraftStop, Finish, Generation, Outcome, Round, Slot};
use crate::model::lm::TokenId;
use crate::record::journal::Entry;
use crate::record::schema::{GenerationRecord, PositionRecord, RoundRecord};

pub(super) fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn finish_name(finish: Finish) -> &'static str {
    match finish {
        Finish::StopToken => "stop_token",
        Finish::StopString => "stop_string",
        Finish::Budget => "budget",
    }
}

pub(super) fn stop_name(stop: DraftStop) -> &'static str {
    match stop {
        DraftStop::MaxDraftLen => "max_draft_len",
        DraftStop::Rule => "rule",
        DraftStop::Eos => "eos",
    }
}

pub(super) fn fill(
    entry: &mut Entry,
    prompt: &Prompt,
    models: &LoadedModels,
    generation: &Generation,
) {
    let row = &mut entry.generation;
    let (counts, durations) = (&generation.counts, &generation.durations);
    row.wall_ns = ns(durations.wall);
    row.latency_ns = row.wall_ns;
    row.prefill_ns = ns(durations.prefill);
    row.draft_ns = ns(durations.draft);
    row.verify_ns = ns(durations.verify);
    row.policy_ns = ns(durations.policy);
    row.rounds = counts.rounds;
    row.drafted = counts.drafted;
    row.tested = counts.tested;
    row.accepted = counts.accepted;
    row.committed = counts.committed;
    row.filled = counts.filled;
    row.drafter_forwards = counts.drafter_forwards;
    row.verifier_forwards = counts.verifier_forwards;
    row.drafter_token_instances = counts.drafter_token_instances;
    row.token_instances = counts.token_instances;
    row.forced_mask_commits = counts.forced_mask_commits;
    row.shared_forwards = counts.shared_forwards;
    row.finished_by = finish_name(generation.finished_by).to_string();
    row.text = models.tokenizer().decode(&generation.ids);
    row.text_hash = hash(&generation.ids);
    row.is_correct = prompt.item.is_correct(&row.text);
    row.score = prompt.item.score(&row.text);
    entry.ids.clone_from(&generation.ids);
}

/// What the generation computed, by the decoder that made it.
pub(super) fn add_flops(
    entry: &mut Entry,
    decoder: &DecoderSpec,
    models: &LoadedModels,
    generation: &Generation,
) {
    let Some(shapes) = models.shapes(decoder) else {
        return;
    };
    let row = &mut entry.generation;
    let rounds = generation.rounds.as_slice();
    let flops = match decoder {
        DecoderSpec::Autoregressive { .. } | DecoderSpec::Speculative { .. } => {
            Flops::of_rounds(&shapes, row.prompt_len, rounds)
        }
        DecoderSpec::Window { .. } => Flops::of_window(&shapes.verifier, rounds),
        DecoderSpec::WindowDraft { .. } => {
            Flops::of_window_draft(&shapes, row.drafter_token_instances, rounds)
        }
    };
    note_flops(row, &shapes, &flops);
    if let DecoderSpec::Window { .. } = decoder {
        row.wasted_flops = None;
    }
}

/// Of models of these shapes.
pub(super) fn note_flops(row: &mut GenerationRecord, shapes: &Shapes, flops: &Flops) {
    row.verifier_flops = Some(flops.verifier);
    row.drafter_flops = shapes.drafter.map(|_| flops.drafter);
    row.wasted_flops = Some(flops.wasted);
}

fn hash(ids: &[TokenId]) -> String {
    let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    Sha256::digest(bytes)[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(super) fn add_rounds(entry: &mut Entry, generation: &Generation, agreement: &Agreement) {
    let (trial_id, prompt) = (&entry.generation.trial_id, entry.generation.prompt);
    let prompt_len = entry.generation.prompt_len;
    for (index, round) in generation.rounds.iter().enumerate() {
        entry.rounds.push(RoundRecord {
            trial_id: trial_id.clone(),
            prompt,
            round: index,
            context_len: round.context_len,
            draft_len: round.draft.len(),
            tested: round.tested,
            accepted: round.accepted,
            committed: round.committed.len(),
            filled: n_filled(round),
            drafter_forwards: round.drafter_forwards,
            n_rows: n_rows(round),
            stopped_by: stop_name(round.stopped_by).to_string(),
            wall_ns: ns(round.durations.wall),
            draft_ns: ns(round.durations.draft),
            verify_ns: ns(round.durations.verify),
            policy_ns: ns(round.durations.policy),
        });
        let first = round.slots.iter().map(|slot| slot.position).min();
        let stands = |flags: &Option<Vec<bool>>, slot: &Slot| {
            let place = (slot.position as usize).checked_sub(prompt_len)?;
            flags.as_ref()?.get(place).copied()
        };
        entry
            .positions
            .extend(round.slots.iter().enumerate().map(|(slot, view)| {
                let is_filled = view.outcome == Outcome::Filled;
                PositionRecord {
                    trial_id: trial_id.clone(),
                    prompt,
                    round: index,
                    slot,
                    position: view.position,
                    distance: view.position - first.unwrap_or(view.position),
                    token: view.token,
                    entropy_nats: view.entropy,
                    adjusted_nats: view.adjusted,
                    top1: view.top1,
                    margin: view.margin,
                    text: String::new(),
                    text_before: None,
                    verifier_text: None,
                    seen: None,
                    agrees: stands(&agreement.own, view).filter(|_| is_filled),
                    verifier_agrees: stands(&agreement.verifier, view).filter(|_| is_filled),
                    outcome: match view.outcome {
                        Outcome::Accepted => "accepted",
                        Outcome::Rejected => "rejected",
                        Outcome::Untested => "untested",
                        Outcome::NotDrafted => "not_drafted",
                        Outcome::Filled => "filled",
                        Outcome::Unfilled => "unfilled",
                    }
                    .to_string(),
                }
            }));
    }
}

fn n_filled(round: &Round) -> usize {
    round
        .slots
        .iter()
        .filter(|slot| slot.outcome == Outcome::Filled)
        .count()
}

/// Rows fed to the model whose output counts: the window, or the last committed token and the draft.
fn n_rows(round: &Round) -> usize {
    match round.positions.len() {
        0 => round.draft.len() + 1,
        n => n,
    }
}
