//! Prompts as token ids, before any weights are loaded.

use crate::cmd::Failure;
use crate::cmd::measure::Prompt;
use crate::cmd::models::ModelNames;
use crate::config::workload::{ChatSpec, WorkloadSpec};
use crate::model::chat::{self, ChatTemplate, Message, Speaker};
use crate::model::checkpoint::Checkpoint;
use crate::model::lm::TokenId;
use crate::model::tokenizer::Tokenizer;

/// Rows that a cache has at least, for timing forwards in the middle of a text.
const MIN_CONTEXT: usize = 256;

/// The tokenizer of a model, and its chat template where one is asked for.
#[derive(Debug)]
pub struct Encoder {
    tokenizer: Tokenizer,
    chat: Option<(ChatTemplate, Option<Message>)>,
}

impl Encoder {
    /// # Errors
    /// When the model is not there, or has no chat template and `spec` asks for it.
    pub fn open(model: &str, spec: Option<&ChatSpec>) -> Result<Self, Failure> {
        let checkpoint = Checkpoint::open(model)?;
        let chat = spec
            .map(|spec| -> Result<_, Failure> {
                let date = chat::date(&spec.date).map_err(Failure::Usage)?;
                let system = spec.system.clone().map(|content| Message {
                    role: Speaker::System,
                    content,
                });
                Ok((ChatTemplate::of(&checkpoint, date)?, system))
            })
            .transpose()?;
        Ok(Self {
            tokenizer: Tokenizer::load(&checkpoint)?,
            chat,
        })
    }

    /// Ids of a prompt. A template writes the tokens at the beginning itself; without one the
    /// tokenizer puts them there.
    ///
    /// # Errors
    /// When the template or the tokenizer refuses it.
    pub fn ids(&self, prompt: &str) -> Result<Vec<TokenId>, Failure> {
        let ids = match &self.chat {
            None => self.tokenizer.encode_first(prompt),
            Some((template, system)) => {
                let said = Message {
                    role: Speaker::User,
                    content: prompt.to_string(),
                };
                let messages: Vec<Message> = system.iter().cloned().chain([said]).collect();
                self.tokenizer.encode(&template.render(&messages, true)?)
            }
        };
        ids.map_err(Failure::Other)
    }
}

/// The prompts of a workload in the tokens of `names`, and how many rows the longest one takes.
///
/// # Errors
/// When the workload, the tokenizer or the chat template cannot be used.
pub(super) fn load(
    spec: &WorkloadSpec,
    names: &ModelNames,
) -> Result<(Vec<Prompt>, usize), Failure> {
    let items = spec.load()?;
    let model = names
        .all()
        .next()
        .ok_or_else(|| Failure::Usage("no decoder of the sweep uses a model".into()))?;
    let encoder = Encoder::open(model, spec.chat.as_ref())?;
    let prompts = items
        .into_iter()
        .enumerate()
        .map(|(index, item)| {
            let ids = encoder.ids(&item.prompt)?;
            Ok(Prompt { index, item, ids })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let longest = prompts.iter().map(|prompt| prompt.ids.len()).max();
    Ok((prompts, longest.unwrap_or(0).max(MIN_CONTEXT)))
}
