//! What the models are asked, and how often it is timed.

use serde::{Deserialize, Serialize};

use super::error::Fault;
use crate::model::chat;
use crate::workload::{
    self, Extraction, Families, Family, FewShot, Item, ScoreRule, Source, WorkloadError,
};

/// The prompts of a sweep and the length of the answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadSpec {
    pub source: Source,
    /// Number of prompts; none means all of a file.
    #[serde(default)]
    pub limit: Option<usize>,
    /// Draws the problems of a synthetic source; a file ignores it.
    #[serde(default)]
    pub seed: u64,
    /// Most tokens committed per prompt.
    #[serde(default = "default_max_new_tokens")]
    pub max_new_tokens: usize,
    /// Texts that end an answer; the one met stays in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Put each prompt into the verifier's chat template, as what the user says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<ChatSpec>,
    /// Solved examples in front of each prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few_shot: Option<FewShot>,
    /// Find the answers to word problems as lm-evaluation-harness does; none means by value, behind the
    /// first `####`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Extraction>,
}

/// The rest of a conversation in which a prompt stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatSpec {
    /// The system's message; none means no such message, and some templates put one of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// What a template that asks for the date takes for today.
    #[serde(default = "default_date")]
    pub date: String,
}

fn default_date() -> String {
    chat::DEFAULT_DATE.to_owned()
}

impl WorkloadSpec {
    /// [`limit`](Self::limit), or more than any file holds.
    pub fn n_prompts_at_most(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// # Errors
    /// An endless source without a limit, and counts of zero.
    pub fn check(&self) -> Result<(), Fault> {
        let is_endless = match self.source {
            Source::Synthetic { .. } | Source::SyntheticGsm8kNewTemplates {} => true,
            Source::Gsm8k { .. } | Source::Public { .. } => false,
        };
        if is_endless && self.limit.is_none() {
            let reason = format!("missing field 'limit': {} has no end", self.source);
            return Err(Fault::new("", reason));
        }
        if self.limit == Some(0) {
            return Err(Fault::new(
                "limit",
                "0 prompts measure nothing, expected 1 or more",
            ));
        }
        if self.max_new_tokens == 0 {
            return Err(Fault::new(
                "max_new_tokens",
                "0 tokens measure nothing, expected 1 or more",
            ));
        }
        if let Some(index) = self.stop.iter().position(String::is_empty) {
            let reason = "an empty string would end every answer before it begins";
            return Err(Fault::new(format!("stop[{index}]"), reason));
        }
        if let Some(chat) = &self.chat {
            chat::date(&chat.date).map_err(|reason| Fault::new("chat.date", reason))?;
        }
        if self
            .few_shot
            .as_ref()
            .is_some_and(|few_shot| few_shot.n == 0)
        {
            let reason = "0 examples are none, expected 1 or more, or no few_shot";
            return Err(Fault::new("few_shot.n", reason));
        }
        if self.answer.is_some() && !self.has_word_problems() {
            let reason = format!("{} has no answers behind '####', leave it out", self.source);
            return Err(Fault::new("answer", reason));
        }
        Ok(())
    }

    fn has_word_problems(&self) -> bool {
        match &self.source {
            Source::Gsm8k { .. } | Source::SyntheticGsm8kNewTemplates {} => true,
            Source::Synthetic { what } => match what {
                Families::Only(family) => *family == Family::Gsm8k,
                Families::Mix => false,
            },
            Source::Public { .. } => false,
        }
    }

    /// The prompts, with their examples and the rule that judges them.
    ///
    /// # Errors
    /// Those of the source.
    pub fn load(&self) -> Result<Vec<Item>, WorkloadError> {
        let mut items = workload::load(&self.source, self.n_prompts_at_most(), self.seed)?;
        if let Some(few_shot) = &self.few_shot {
            few_shot.apply(&mut items)?;
        }
        if let Some(rule) = self.answer {
            for item in &mut items {
                item.score = ScoreRule::Harness { rule };
            }
        }
        Ok(items)
    }
}

/// How often each prompt is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimingSpec {
    /// Timed generations of each prompt by each trial.
    pub repeats: usize,
    /// Prompts decoded by each trial before the clock counts.
    pub warmup: usize,
    /// Time the baseline as a second trial too: its speedup over itself is noise.
    pub duplicate_baseline: bool,
    /// After the first repeat, read each distinct text once more with verifier and drafter, outside of
    /// the timing: perplexity, every entropy of tested slots, overlap.
    pub look_back: bool,
    /// Run a forward once for all window trials that need it on a prompt in a repeat, and charge each of
    /// them the time that it took.
    pub share_forwards: bool,
}

impl Default for TimingSpec {
    fn default() -> Self {
        Self {
            repeats: 3,
            warmup: 1,
            duplicate_baseline: true,
            look_back: true,
            share_forwards: true,
        }
    }
}

impl TimingSpec {
    /// # Errors
    /// No repeat at all.
    pub fn check(&self) -> Result<(), Fault> {
        if self.repeats == 0 {
            return Err(Fault::new(
                "repeats",
                "0 repeats measure nothing, expected 1 or more",
            ));
        }
        Ok(())
    }
}

fn default_max_new_tokens() -> usize {
    96
}
