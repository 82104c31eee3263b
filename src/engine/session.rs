//! One decoder applied to one prompt, or to a batch of them.

use crate::config::decoder::DecoderSpec;
use crate::engine::batch::{self, Batching};
use crate::engine::speculative::SpeculativeRule;
use crate::engine::step::Generation;
use crate::engine::window::WindowRule;
use crate::engine::window_draft::WindowDraftRule;
use crate::engine::{autoregressive, speculative, window, window_draft};
use crate::model::lm::{BatchedLanguageModel, LanguageModel, ModelError, TokenId};
use crate::policy::OutOfRange;
pub use crate::policy::sample::Sampling;
use crate::policy::stop::StopState;

/// What a decoder is asked to continue.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    pub prompt: &'a [TokenId],
    /// Most tokens to commit.
    pub max_new_tokens: usize,
    /// Tokens that end the text; they are committed as its last token.
    pub stop_ids: &'a [TokenId],
    /// Stop strings as tokens, none of them empty; a text that ends with one of them ends there.
    pub stop_strings: &'a [Vec<TokenId>],
    /// The mask token; it is never drawn. Needed by window decoders.
    pub mask_id: Option<TokenId>,
    pub sampling: Sampling,
    /// Seeds every draw of this generation; unused when greedy.
    pub seed: u64,
    pub record: Detail,
}

/// What a decoder records beyond the counts; each costs extra passes over the vocabulary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Detail {
    /// Fill [`Slot::overlap`](crate::engine::step::Slot::overlap).
    pub overlap: bool,
    /// Fill [`Generation::leads`]; window decoders do not.
    pub leads: bool,
}

/// The models of a pair or a window decoder; a decoder takes those that it needs.
#[derive(Default)]
pub struct Models<'a> {
    pub verifier: Option<&'a mut dyn LanguageModel>,
    pub drafter: Option<&'a mut dyn LanguageModel>,
    pub window: Option<&'a mut dyn LanguageModel>,
}

/// The models of a pair, for several prompts at a time.
#[derive(Default)]
pub struct BatchedModels<'a> {
    pub verifier: Option<&'a mut dyn BatchedLanguageModel>,
    pub drafter: Option<&'a mut dyn BatchedLanguageModel>,
}

/// Why a decoder could not run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the prompt is empty: a decoder needs at least one token to continue")]
    EmptyPrompt,
    #[error("stop string {index} has no tokens: it would end every text before it begins")]
    EmptyStopString { index: usize },
    #[error("this decoder needs a {role} model: name one under models.{role}")]
    MissingModel { role: &'static str },
    #[error(
        "window decoding needs a mask token: the tokenizer or config.json of the model names none"
    )]
    MissingMask,
    #[error(
        "the prompt has {prompt_len} tokens, and with max_new_tokens {max_new_tokens} it needs a context of {needed}; \
         the {role} model holds {context_len}: shorten the prompt or lower max_new_tokens"
    )]
    PromptTooLong {
        role: &'static str,
        prompt_len: usize,
        max_new_tokens: usize,
        needed: usize,
        context_len: usize,
    },
    #[error(
        "accept rule 'greedy' compares with the argmax and cannot judge draws at temperature {temperature}: \
         use accept.kind rejection, block or gumbel (lossless), or sampling.temperature 0"
    )]
    GreedyAcceptance { temperature: f64 },
    #[error(
        "accept rule '{accept}' is lossy, and a window draft is verified to be lossless: \
         use accept.kind greedy, rejection, block or gumbel"
    )]
    LossyWindowDraft { accept: &'static str },
    #[error(
        "select rule '{select}' looks at the drawn tokens, so at temperature {temperature} their distribution \
         is not the row's and accept rule '{accept}' would not be lossless: use accept.kind gumbel, \
         a select.kind that reads rows alone (entropy, greedy, left_to_right, margin …), or sampling.temperature 0"
    )]
    BiasedWindowDraft {
        select: &'static str,
        accept: &'static str,
        temperature: f64,
    },
    #[error("min_draft_len is {min_draft_len}: it must be at most max_draft_len, {max_draft_len}")]
    DraftLenBounds {
        min_draft_len: usize,
        max_draft_len: usize,
    },
    #[error(
        "batch_size is {batch_size}: the {role} model has room for 1 to {n_sequences} sequences"
    )]
    BatchSize {
        role: &'static str,
        batch_size: usize,
        n_sequences: usize,
    },
    #[error("window decoders take one prompt at a time: leave batch_size out")]
    NotBatched,
    #[error(transparent)]
    Parameter(#[from] OutOfRange),
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Decodes one prompt, whatever `batch_size` says. The caches of the models are emptied first.
///
/// # Errors
/// See [`EngineError`].
pub fn decode(
    spec: &DecoderSpec,
    models: &mut Models<'_>,
    request: &Request<'_>,
) -> Result<Generation, EngineError> {
    decode_in_stream(spec, models, request, &mut None)
}

/// As [`decode`], for a stream of prompts: a stopping rule of scope `stream` keeps in `memory` what
/// it learned. `memory` is None before the first prompt and belongs to one `spec`.
///
/// # Errors
/// See [`EngineError`].
pub fn decode_in_stream(
    spec: &DecoderSpec,
    models: &mut Models<'_>,
    request: &Request<'_>,
    memory: &mut Option<StopState>,
) -> Result<Generation, EngineError> {
    match spec {
        DecoderSpec::Autoregressive { batch_size: _ } => {
            autoregressive::decode(need(&mut models.verifier, "verifier")?, request)
        }
        DecoderSpec::Speculative {
            stop,
            order,
            min_draft_len,
            max_draft_len,
            entropy,
            accept,
            batch_size: _,
        } => {
            let bounds = (*min_draft_len, *max_draft_len);
            let rule = SpeculativeRule::new(stop, *order, bounds, *entropy, *accept);
            rule.validate()?;
            let state = memory.get_or_insert_with(|| rule.stop.start(request.seed));
            let drafter = need(&mut models.drafter, "drafter")?;
            let verifier = need(&mut models.verifier, "verifier")?;
            speculative::decode_in_stream(drafter, verifier, &rule, request, state)
        }
        DecoderSpec::Window {
            variant,
            window_size,
            ending,
            select,
            entropy,
        } => {
            let rule = WindowRule {
                variant: *variant,
                window_size: *window_size,
                ending: *ending,
                select: select.clone(),
                entropy: *entropy,
            };
            window::decode(need(&mut models.window, "window")?, &rule, request)
        }
        DecoderSpec::WindowDraft {
            window_size,
            n_fill_steps,
            max_draft_len,
            select,
            entropy,
            accept,
        } => {
            let rule = WindowDraftRule {
                window_size: *window_size,
                n_fill_steps: *n_fill_steps,
                max_draft_len: *max_draft_len,
                select: select.clone(),
                entropy: *entropy,
                accept: *accept,
            };
            let window = need(&mut models.window, "window")?;
            let verifier = need(&mut models.verifier, "verifier")?;
            window_draft::decode(window, verifier, &rule, request)
        }
    }
}

/// Decodes the prompts together, all of them at a time. The caches are emptied first.
///
/// # Errors
/// See [`EngineError`].
pub fn decode_batch(
    spec: &DecoderSpec,
    models: &mut BatchedModels<'_>,
    requests: &[Request<'_>],
) -> Result<Vec<Generation>, EngineError> {
    let batching = Batching {
        batch_size: requests.len(),
        group_by_draft_len: false,
    };
    let verifier = models.verifier.as_deref_mut();
    let verifier = verifier.ok_or(EngineError::MissingModel { role: "verifier" })?;
    match spec {
        DecoderSpec::Autoregressive { batch_size: _ } => {
            batch::decode_autoregressive(verifier, requests, batching)
        }
        DecoderSpec::Speculative {
            stop,
            order,
            min_draft_len,
            max_draft_len,
            entropy,
            accept,
            batch_size: _,
        } => {
            let drafter = models.drafter.as_deref_mut();
            let drafter = drafter.ok_or(EngineError::MissingModel { role: "drafter" })?;
            let bounds = (*min_draft_len, *max_draft_len);
            let rule = SpeculativeRule::new(stop, *order, bounds, *entropy, *accept);
            batch::decode(drafter, verifier, &rule, requests, batching)
        }
        DecoderSpec::Window { .. } | DecoderSpec::WindowDraft { .. } => {
            Err(EngineError::NotBatched)
        }
    }
}

fn need<'m>(
    model: &'m mut Option<&mut dyn LanguageModel>,
    role: &'static str,
) -> Result<&'m mut dyn LanguageModel, EngineError> {
    match model {
        Some(model) => Ok(&mut **model),
        None => Err(EngineError::MissingModel { role }),
    }
}
