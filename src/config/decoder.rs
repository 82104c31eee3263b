//! The decoders that YAML can name.

use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::models::Role;
use crate::policy::accept::AcceptRule;
use crate::policy::entropy::EntropyRule;
use crate::policy::select::SelectRule;
use crate::policy::stop::{Combination, DraftOrder, StopRule};

/// One decoder with every parameter resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum DecoderSpec {
    /// One verifier forward per token; the baseline of every sweep.
    Autoregressive {
        /// Prompts that share each forward.
        #[serde(default = "default_batch_size")]
        batch_size: usize,
    },
    /// A drafter proposes, the verifier accepts or corrects.
    Speculative {
        stop: StopRule,
        #[serde(default)]
        order: DraftOrder,
        #[serde(default = "default_min_draft_len")]
        min_draft_len: usize,
        #[serde(default = "default_max_draft_len")]
        max_draft_len: usize,
        #[serde(default)]
        entropy: EntropyRule,
        #[serde(default)]
        accept: AcceptRule,
        /// Prompts that share each forward; their drafts may differ in length.
        #[serde(default = "default_batch_size")]
        batch_size: usize,
    },
    /// WeDLM: masks behind the prefix are filled where their adjusted entropy is low.
    Window {
        #[serde(default)]
        variant: WindowVariant,
        #[serde(default = "default_window_size")]
        window_size: usize,
        #[serde(default, skip_serializing_if = "Ending::is_default")]
        ending: Ending,
        #[serde(default)]
        select: SelectRule,
        #[serde(default)]
        entropy: EntropyRule,
    },
    /// A window proposes its leading filled slots, the verifier accepts or corrects.
    WindowDraft {
        #[serde(default = "default_window_size")]
        window_size: usize,
        #[serde(default = "default_n_fill_steps")]
        n_fill_steps: usize,
        #[serde(default)]
        max_draft_len: Option<usize>,
        #[serde(default)]
        select: SelectRule,
        #[serde(default)]
        entropy: EntropyRule,
        #[serde(default)]
        accept: AcceptRule,
    },
}

/// Which window procedure runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowVariant {
    /// The reference engine: masks are refilled at the start of a step, by the filled prefix.
    #[default]
    Engine,
    /// The paper's Algorithm 1: refill at the end of a step, by what was committed.
    Paper,
    /// Stop-and-wait: a window of masks is filled whole before the next one is appended.
    Block,
    /// The notebook's procedure: no reordering, next-token shift, literal masks committed by force.
    Notebook,
}

/// When a window decoder is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// When its last tokens have their cache rows: the reference engine, which commits them with one
    /// more forward.
    #[default]
    Cache,
    /// When its text is complete, as an autoregressive decoder, which does not feed its last token either.
    Text,
}

impl Ending {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl DecoderSpec {
    /// The models that the decoder runs.
    pub fn roles(&self) -> &'static [Role] {
        match self {
            Self::Autoregressive { .. } => &[Role::Verifier],
            Self::Speculative { .. } => &[Role::Verifier, Role::Drafter],
            Self::Window { .. } => &[Role::Window],
            Self::WindowDraft { .. } => &[Role::Verifier, Role::Window],
        }
    }

    /// Prompts that it decodes at a time.
    pub fn batch_size(&self) -> usize {
        match self {
            Self::Autoregressive { batch_size } | Self::Speculative { batch_size, .. } => {
                *batch_size
            }
            Self::Window { .. } | Self::WindowDraft { .. } => 1,
        }
    }

    /// Whether the text is provably the verifier's.
    pub fn is_lossless(&self) -> bool {
        match self {
            Self::Autoregressive { .. } => true,
            Self::Speculative { accept, .. } | Self::WindowDraft { accept, .. } => {
                accept.is_lossless()
            }
            Self::Window { .. } => false,
        }
    }

    /// Whether every parameter is inside the range in which it means something.
    ///
    /// # Errors
    /// The first one that is not, by its path below the decoder.
    pub fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Autoregressive { batch_size } => at_least_one("batch_size", *batch_size),
            Self::Speculative {
                stop,
                order: _,
                min_draft_len: _,
                max_draft_len,
                entropy,
                accept,
                batch_size,
            } => {
                at_least_one("max_draft_len", *max_draft_len)?;
                at_least_one("batch_size", *batch_size)?;
                check_stop(stop, "stop")?;
                entropy.validate()?;
                Ok(accept.validate()?)
            }
            Self::Window {
                variant: _,
                window_size,
                ending: _,
                select,
                entropy,
            } => {
                at_least_one("window_size", *window_size)?;
                entropy.validate()?;
                Ok(select.validate()?)
            }
            Self::WindowDraft {
                window_size,
                n_fill_steps,
                max_draft_len,
                select,
                entropy,
                accept,
            } => {
                at_least_one("window_size", *window_size)?;
                at_least_one("n_fill_steps", *n_fill_steps)?;
                at_least_one("max_draft_len", max_draft_len.unwrap_or(1))?;
                entropy.validate()?;
                select.validate()?;
                accept.validate()?;
                lossless(accept)
            }
        }
    }
}

fn at_least_one(key: &str, value: usize) -> Result<(), Fault> {
    match value {
        0 => Err(Fault::new(key, "0 is out of range, expected 1 or more")),
        1.. => Ok(()),
    }
}

/// A window draft is there to be lossless.
fn lossless(accept: &AcceptRule) -> Result<(), Fault> {
    if accept.is_lossless() {
        return Ok(());
    }
    let reason = format!(
        "'{}' is lossy here, expected 'greedy', 'rejection', 'block' or 'gumbel'",
        accept.kind()
    );
    Err(Fault::new("accept.kind", reason))
}

/// Rules inside a combination are checked one by one, so that the path leads to the one meant.
fn check_stop(rule: &StopRule, path: &str) -> Result<(), Fault> {
    if let StopRule::Combined(combination) = rule {
        let list = match combination {
            Combination::Any(_) => "any",
            Combination::All(_) => "all",
        };
        for (index, member) in combination.rules().iter().enumerate() {
            check_stop(member, &format!("{path}.{list}[{index}]"))?;
        }
    }
    rule.validate().map_err(|error| {
        let mut fault = Fault::from(error);
        fault.path = match fault.path.strip_prefix("stop") {
            Some(rest) => format!("{path}{rest}"),
            None => path.to_owned(),
        };
        fault
    })
}

fn default_min_draft_len() -> usize {
    1
}

fn default_max_draft_len() -> usize {
    8
}

fn default_batch_size() -> usize {
    1
}

fn default_window_size() -> usize {
    16
}

fn default_n_fill_steps() -> usize {
    1
}
