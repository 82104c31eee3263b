//! One generation: decoded, scored, turned into rows.

use std::time::{Duration, Instant};

use crate::cmd::agreement::Agreement;
use crate::cmd::models::LoadedModels;
use crate::cmd::rows::{add_flops, add_rounds, fill, ns};
use crate::config::decoder::DecoderSpec;
use crate::engine::session::{EngineError, Request, decode_batch, decode_in_stream};
use crate::engine::shared;
use crate::engine::step::Generation;
use crate::model::lm::TokenId;
use crate::plan::Trial;
use crate::policy::sample::Sampling;
use crate::policy::stop::StopState;
use crate::record::journal::Entry;
use crate::record::schema::GenerationRecord;
use crate::workload::Item;

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

impl Settings {
    /// What a decoder is asked to do with a prompt.
    pub fn request<'a>(&'a self, prompt: &'a Prompt) -> Request<'a> {
        Request {
            prompt: &prompt.ids,
            max_new_tokens: self.max_new_tokens,
            stop_ids: &self.stop_ids,
            stop_strings: &self.stop_strings,
            mask_id: self.mask_id,
            sampling: self.sampling,
            seed: seed_of(self.seed, prompt.index),
            ..Request::default()
        }
    }
}

fn empty_entry(trial: &Trial, prompt: &Prompt, repeat: usize) -> Entry {
    Entry {
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
    }
}

/// Decodes prompts together with one trial, as many as its batch size or fewer. An error of the decoder
/// becomes rows that say so.
pub fn measure_batch(
    trial: &Trial,
    prompts: &[Prompt],
    repeat: usize,
    settings: &Settings,
    models: &mut LoadedModels,
) -> Vec<Entry> {
    let requests: Vec<Request<'_>> = prompts
        .iter()
        .map(|prompt| settings.request(prompt))
        .collect();
    if let Some(first) = prompts.first() {
        models.warm_up(&trial.decoder, &first.ids);
    }
    let (decoded, elapsed) = models.awake(|models| {
        let mut pair = models.borrow_batch(trial.decoder.batch_size());
        let started = Instant::now();
        let decoded = decode_batch(&trial.decoder, &mut pair, &requests);
        (decoded, started.elapsed())
    });
    let entries = prompts
        .iter()
        .map(|prompt| empty_entry(trial, prompt, repeat));
    match decoded {
        Ok(generations) => {
            let n_committed: u64 = generations.iter().map(|one| one.counts.committed).sum();
            let per_token = elapsed.as_secs_f64() / n_committed.max(1) as f64;
            let mut filled: Vec<Entry> = entries.collect();
            for ((entry, prompt), generation) in filled.iter_mut().zip(prompts).zip(&generations) {
                fill(entry, prompt, models, generation);
                add_flops(entry, &trial.decoder, models, generation);
                let share = per_token * generation.counts.committed as f64;
                entry.generation.wall_ns = ns(Duration::from_secs_f64(share));
                if repeat == 0 {
                    add_rounds(entry, generation, &Agreement::default());
                }
            }
            filled
        }
        Err(error) => entries
            .map(|mut entry| {
                entry.generation.error = Some(error.to_string());
                entry
            })
            .collect(),
    }
}

/// Decodes one prompt with one trial. `memory` is what the trial's stopping rule learned from earlier
/// prompts, None before the first. An error of the decoder becomes a row that says so.
pub fn measure(
    trial: &Trial,
    prompt: &Prompt,
    repeat: usize,
    settings: &Settings,
    models: &mut LoadedModels,
    memory: &mut Option<StopState>,
) -> Entry {
    let request = settings.request(prompt);
    let mut entry = empty_entry(trial, prompt, repeat);
    models.warm_up(&trial.decoder, &prompt.ids);
    let decoded = models.awake(|models| decoded(&trial.decoder, &request, models, memory));
    let outcome = decoded.and_then(|generation| {
        let agreement = if is_window(&trial.decoder) && repeat == 0 {
            Agreement::of(models, &request, &generation)?
        } else {
            Agreement::default()
        };
        Ok((generation, agreement))
    });
    match outcome {
        Ok((generation, agreement)) => {
            fill(&mut entry, prompt, models, &generation);
            add_flops(&mut entry, &trial.decoder, models, &generation);
            entry.generation.agreed = agreement.n_own();
            entry.generation.verifier_agreed = agreement.n_verifier();
            if repeat == 0 {
                add_rounds(&mut entry, &generation, &agreement);
            }
        }
        Err(error) => entry.generation.error = Some(error.to_string()),
    }
    entry
}

/// Window decoders share their forwards where `models` let them.
fn decoded(
    decoder: &DecoderSpec,
    request: &Request<'_>,
    models: &mut LoadedModels,
    memory: &mut Option<StopState>,
) -> Result<Generation, EngineError> {
    match models.sharing().filter(|_| is_window(decoder)) {
        Some(forwards) => shared::decode(decoder, forwards, request),
        None => decode_in_stream(decoder, &mut models.borrow(), request, memory),
    }
}

pub(super) fn is_window(decoder: &DecoderSpec) -> bool {
    matches!(decoder, DecoderSpec::Window { .. })
}

/// Every prompt draws from a stream of its own, the same in every trial.
fn seed_of(seed: u64, prompt: usize) -> u64 {
    seed.wrapping_add((prompt as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}
