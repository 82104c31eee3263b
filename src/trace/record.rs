//! Makes a trace with the models at hand.
//!
//! Three steps for each text, or for as many as the models have room for: it is decoded, with drafts of a
//! fixed length, which changes the time and not the verifier's text; the drafter reads it, many rows in a
//! forward; and the drafter goes on behind each of its wrong tokens, one row in a forward. Where rounding
//! depends on how many rows a forward has, a live run may differ near a tie; [`Trace::near_ties`] counts
//! the places.

mod alone;
mod chains;
mod pass;

use self::alone::Alone;
use self::pass::Cached;
use super::row::{Own, Said, Slots};
use super::{Trace, TraceHeader, TracedPrompt};
use crate::engine::batch::{self, Batching};
use crate::engine::choice::own_token;
use crate::engine::session::{Detail, EngineError, Request};
use crate::engine::speculative::SpeculativeRule;
use crate::engine::step::Finish;
use crate::engine::{ending, prompt};
use crate::model::lm::{BatchedLanguageModel, LanguageModel, ModelError, TokenId};
use crate::policy::entropy::{EntropyRule, RowStats};
use crate::policy::require;

/// Tokens drafted at a time while the texts are decoded: good on most pairs.
const DRAFT_LEN: usize = 8;

/// What is recorded, and how the models are fed.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSetting {
    /// Longest draft that the trace can replay.
    pub max_draft_len: usize,
    /// Entropies that its rules may read.
    pub entropies: Vec<EntropyRule>,
    /// Most rows of which a forward returns the logits while a text is read, so that these fit into
    /// memory. With 1 the drafter is fed as while it drafts, but for the rounds that start with two
    /// rows.
    pub piece_len: usize,
}

/// Why a trace could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("request {index} has another sampling than request 0: record them apart")]
    MixedSampling { index: usize },
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A decoded text.
struct Text<'r> {
    request: &'r Request<'r>,
    /// Of prompt and text.
    tokens: Vec<TokenId>,
    /// Of the tokens behind the prompt.
    leads: Vec<f64>,
    finished_by: Finish,
}

impl Text<'_> {
    fn prompt_len(&self) -> usize {
        self.request.prompt.len()
    }

    /// The tokens behind the prompt.
    fn ids(&self) -> &[TokenId] {
        &self.tokens[self.prompt_len()..]
    }
}

/// What a drafter says of one text.
struct Speech {
    /// At each position of the text.
    on_text: Vec<Said>,
    /// Behind its wrong tokens, from the last of these to the first.
    behind: Vec<Chain>,
}

/// What a drafter says behind a wrong token.
struct Chain {
    /// Of the wrong token, in the text.
    offset: usize,
    slots: Vec<Said>,
}

/// Records the texts of `requests`, in this order. At a positive temperature drafter and verifier draw
/// with the same noise (accept rule `gumbel`). The caches are emptied first.
///
/// # Errors
/// [`RecordError`]; a request that cannot run refuses all before anything is decoded.
pub fn record(
    drafter: &mut dyn LanguageModel,
    verifier: &mut dyn LanguageModel,
    setting: &RecordSetting,
    requests: &[Request<'_>],
) -> Result<Trace, RecordError> {
    record_batched(&mut Alone(drafter), &mut Alone(verifier), setting, requests)
}

/// As [`record`], as many texts at a time as both models have room for.
///
/// # Errors
/// See [`record`].
pub fn record_batched(
    drafter: &mut dyn BatchedLanguageModel,
    verifier: &mut dyn BatchedLanguageModel,
    setting: &RecordSetting,
    requests: &[Request<'_>],
) -> Result<Trace, RecordError> {
    check(drafter, setting, requests)?;
    let sampling = requests
        .first()
        .map_or_else(Default::default, |r| r.sampling);
    let header = TraceHeader {
        max_draft_len: setting.max_draft_len,
        entropies: setting.entropies.clone(),
        sampling,
    };
    let batching = Batching {
        batch_size: drafter.n_sequences().min(verifier.n_sequences()),
        group_by_draft_len: false,
    };
    let rule = SpeculativeRule {
        min_draft_len: 1,
        max_draft_len: setting.max_draft_len.min(DRAFT_LEN),
        ..SpeculativeRule::without_drafts(EntropyRule::default())
    };
    let mut texts: Vec<Text<'_>> = Vec::with_capacity(requests.len());
    let mut slots = Slots::with_entropies(setting.entropies.len());
    // A model with several sequences decodes best with all texts at hand; with one, the caches hold the
    // prompt of a text until the next one is decoded.
    let is_alone = batching.batch_size == 1;
    let n_decoded = if is_alone { 1 } else { requests.len().max(1) };
    let cached = match is_alone && rule.max_draft_len > 0 {
        true => Cached::Prompts,
        false => Cached::Nothing,
    };
    let asked: Vec<Request<'_>> = requests.iter().map(with_leads).collect();
    for requests in asked.chunks(n_decoded) {
        let generations = match rule.max_draft_len {
            0 => batch::decode_autoregressive(verifier, requests, batching)?,
            1.. => batch::decode(drafter, verifier, &rule, requests, batching)?,
        };
        let first = texts.len();
        let decoded = requests.iter().zip(generations);
        texts.extend(decoded.map(|(request, generation)| Text {
            request,
            tokens: [request.prompt, &generation.ids].concat(),
            leads: generation.leads,
            finished_by: generation.finished_by,
        }));
        for (number, group) in texts[first..].chunks(batching.batch_size).enumerate() {
            let speeches =
                listen(drafter, &header, setting, group, cached).map_err(EngineError::from)?;
            let first = first + number * batching.batch_size;
            for (index, (text, speech)) in group.iter().zip(&speeches).enumerate() {
                write(&mut slots, first + index, text, speech);
            }
        }
    }
    let prompts = texts.iter().enumerate().map(|(id, text)| TracedPrompt {
        id,
        prompt_len: text.prompt_len(),
        max_new_tokens: text.request.max_new_tokens,
        text_len: text.ids().len(),
        finished_by: text.finished_by,
        seed: text.request.seed,
    });
    let trace = Trace::new(header, prompts.collect(), slots);
    Ok(trace.expect("what was recorded keeps the format"))
}

/// The request, so that the decoder notes by how much the verifier prefers its tokens.
fn with_leads<'r>(request: &Request<'r>) -> Request<'r> {
    Request {
        record: Detail {
            leads: true,
            ..Detail::default()
        },
        ..*request
    }
}

fn check(
    drafter: &dyn BatchedLanguageModel,
    setting: &RecordSetting,
    requests: &[Request<'_>],
) -> Result<(), RecordError> {
    let at_least_one = require(
        setting.piece_len > 0,
        "piece_len",
        setting.piece_len,
        "at least 1",
    );
    at_least_one.map_err(EngineError::from)?;
    for entropy in &setting.entropies {
        entropy.validate().map_err(EngineError::from)?;
    }
    for (index, request) in requests.iter().enumerate() {
        if request.sampling != requests[0].sampling {
            return Err(RecordError::MixedSampling { index });
        }
        prompt::check_fits("drafter", drafter.context_len(), request)?;
    }
    Ok(())
}

/// What the drafter says on each text and off it.
fn listen(
    drafter: &mut dyn BatchedLanguageModel,
    header: &TraceHeader,
    setting: &RecordSetting,
    texts: &[Text<'_>],
    cached: Cached,
) -> Result<Vec<Speech>, ModelError> {
    let mut on_texts: Vec<Vec<Said>> = texts.iter().map(|_| Vec::new()).collect();
    pass::read(
        drafter,
        texts,
        setting.piece_len,
        cached,
        |text, offset, row| {
            let ids = &texts[text].ids()[..offset];
            on_texts[text].push(say(row, ids, texts[text].request, &header.entropies)?);
            Ok(())
        },
    )?;
    let behind = chains::follow(drafter, header, texts, &on_texts)?;
    let speeches = on_texts.into_iter().zip(behind);
    Ok(speeches
        .map(|(on_text, behind)| Speech { on_text, behind })
        .collect())
}

/// What a row of the drafter says behind prompt and `ids`.
fn say(
    row: &[f32],
    ids: &[TokenId],
    request: &Request<'_>,
    entropies: &[EntropyRule],
) -> Result<Said, ModelError> {
    let position = request.prompt.len() + ids.len();
    let token = own_token(row, position, position - 1, request)?;
    let stats = RowStats::read(row, entropies);
    Ok(Said {
        token,
        is_end: ending::is_end(ids, &[token], request),
        probability: stats.probability(row[token as usize]),
        stats,
    })
}

fn write(slots: &mut Slots, prompt: usize, text: &Text<'_>, speech: &Speech) {
    let owns = text.ids().iter().zip(&text.leads);
    for (offset, (said, (&token, &lead))) in speech.on_text.iter().zip(owns).enumerate() {
        let position = text.prompt_len() + offset;
        slots.push(prompt, position, 0, said, Some(Own { token, lead }));
    }
    for chain in speech.behind.iter().rev() {
        for (said, depth) in chain.slots.iter().zip(1..) {
            let position = text.prompt_len() + chain.offset + depth;
            slots.push(prompt, position, depth, said, None);
        }
    }
}
