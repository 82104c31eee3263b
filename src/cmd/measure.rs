//! One generation: decoded, scored, turned into rows.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::cmd::models::LoadedModels;
use crate::config::decoder::DecoderSpec;
use crate::engine::session::{EngineError, Request, decode};
use crate::engine::step::{DraftStop, Finish, Generation, Outcome, Round};
use crate::model::lm::{LanguageModel, TokenId};
use crate::plan::Trial;
use crate::policy::sample::{Sampling, greedy};
use crate::record::journal::Entry;
use crate::record::schema::{GenerationRecord, PositionRecord, RoundRecord};
use crate::workload::{Item, exact_match};

/// A prompt with its tokens.
#[derive(Debug, Clone)]
pub struct Prompt {
    pub index: usize,
    pub item: Item,
    pub ids: Vec<TokenId>,
}

/// What is the same for every generation of a sweep.
#[derive(Debug, Clone)]
pub struct Settings {
    pub max_new_tokens: usize,
    pub sampling: Sampling,
    pub seed: u64,
    pub stop_ids: Vec<TokenId>,
    pub stop_strings: Vec<Vec<TokenId>>,
    pub mask_id: Option<TokenId>,
}

/// Decodes one prompt with one trial. An error of the decoder becomes a row that says so.
pub fn measure(
    trial: &Trial,
    prompt: &Prompt,
    repeat: usize,
    settings: &Settings,
    models: &mut LoadedModels,
) -> Entry {
    let request = Request {
        prompt: &prompt.ids,
        max_new_tokens: settings.max_new_tokens,
        stop_ids: &settings.stop_ids,
        stop_strings: &settings.stop_strings,
        mask_id: settings.mask_id,
        sampling: settings.sampling,
        seed: seed_of(settings.seed, prompt.index),
        ..Request::default()
    };
    let mut entry = Entry {
        generation: GenerationRecord {
            trial_id: trial.id.clone(),
            prompt: prompt.index,
            item_id: prompt.item.id.clone(),
            category: prompt.item.category.clone(),
            repeat,
            prompt_len: prompt.ids.len(),
            ..GenerationRecord::default()
        },
        ..Entry::default()
    };
    let decoded = decode(&trial.decoder, &mut models.borrow(), &request);
    let outcome = decoded.and_then(|generation| {
        let agreed = match (&trial.decoder, repeat) {
            (DecoderSpec::Window { .. }, 0) => Some(agreement(models, &request, &generation)?),
            _ => None,
        };
        Ok((generation, agreed))
    });
    match outcome {
        Ok((generation, agreed)) => {
            fill(&mut entry, prompt, models, &generation);
            entry.generation.agreed = agreed;
            if repeat == 0 {
                add_rounds(&mut entry, &generation);
            }
        }
        Err(error) => entry.generation.error = Some(error.to_string()),
    }
    entry
}

/// Every prompt draws from a stream of its own, the same in every trial.
fn seed_of(seed: u64, prompt: usize) -> u64 {
    seed.wrapping_add((prompt as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// How many committed tokens are the window model's own next-token choice on the final text: one
/// teacher-forced pass, outside of the timing.
fn agreement(
    models: &mut LoadedModels,
    request: &Request<'_>,
    generation: &Generation,
) -> Result<u64, EngineError> {
    let Some(window) = models.window.as_mut() else {
        return Err(EngineError::MissingModel { role: "window" });
    };
    let Some((_, fed)) = generation.ids.split_last() else {
        return Ok(0);
    };
    let text = [request.prompt, fed].concat();
    let positions: Vec<u32> = (0..text.len() as u32).collect();
    window.lm.truncate(0);
    let logits = window.lm.forward(&text, &positions, generation.ids.len())?;
    let agreed = logits
        .rows()
        .zip(&generation.ids)
        .filter(|(row, id)| greedy(row, request.mask_id) == **id)
        .count();
    Ok(agreed as u64)
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn fill(entry: &mut Entry, prompt: &Prompt, models: &LoadedModels, generation: &Generation) {
    let row = &mut entry.generation;
    let (counts, durations) = (&generation.counts, &generation.durations);
    row.wall_ns = ns(durations.wall);
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
    row.finished_by = match generation.finished_by {
        Finish::StopToken => "stop_token",
        Finish::StopString => "stop_string",
        Finish::Budget => "budget",
    }
    .to_string();
    row.text = models.tokenizer().decode(&generation.ids);
    row.text_hash = hash(&generation.ids);
    row.is_correct = prompt
        .item
        .answer
        .as_ref()
        .map(|answer| exact_match(&row.text, answer));
}

fn hash(ids: &[TokenId]) -> String {
    let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    Sha256::digest(bytes)[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn add_rounds(entry: &mut Entry, generation: &Generation) {
    let (trial_id, prompt) = (&entry.generation.trial_id, entry.generation.prompt);
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
            stopped_by: match round.stopped_by {
                DraftStop::MaxDraftLen => "max_draft_len",
                DraftStop::Rule => "rule",
                DraftStop::Eos => "eos",
            }
            .to_string(),
            wall_ns: ns(round.durations.wall),
            draft_ns: ns(round.durations.draft),
            verify_ns: ns(round.durations.verify),
            policy_ns: ns(round.durations.policy),
        });
        entry
            .positions
            .extend(round.slots.iter().enumerate().map(|(slot, view)| {
                PositionRecord {
                    trial_id: trial_id.clone(),
                    prompt,
                    round: index,
                    slot,
                    position: view.position,
                    token: view.token,
                    entropy_nats: view.entropy,
                    adjusted_nats: view.adjusted,
                    top1: view.top1,
                    margin: view.margin,
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
