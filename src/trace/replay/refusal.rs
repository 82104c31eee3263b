//! What a trace cannot tell.

use crate::engine::session::EngineError;
use crate::engine::speculative::SpeculativeRule;
use crate::policy::accept::Judge;
use crate::trace::TraceHeader;

/// Why a trace does not determine the rounds of a rule, which then has to run live.
#[derive(Debug, thiserror::Error)]
pub enum ReplayRefusal {
    #[error(
        "accept rule '{accept}' at temperature {temperature} draws what it accepts, so the text depends on the \
         draft: run it live, or use accept.kind gumbel"
    )]
    TextDependsOnDraft {
        accept: &'static str,
        temperature: f64,
    },
    #[error(
        "accept rule '{accept}' judges tokens by their probability instead of comparing them with the \
         verifier's own: run it live, or use accept.kind greedy or gumbel"
    )]
    NotTheVerifiersChoice { accept: &'static str },
    #[error("the trace has no entropy '{entropy}', only {}", recorded.join(", "))]
    EntropyNotRecorded {
        entropy: String,
        recorded: Vec<String>,
    },
    #[error("max_draft_len is {max_draft_len}, the trace goes up to {recorded}")]
    DraftTooLong {
        max_draft_len: usize,
        recorded: usize,
    },
    /// No decoder runs it.
    #[error(transparent)]
    Invalid(#[from] EngineError),
}

impl TraceHeader {
    /// Whether a trace with this header tells the rounds of `rule`: the number of the entropy that the
    /// rule reads.
    ///
    /// # Errors
    /// [`ReplayRefusal`] with the reason why not.
    pub fn admits(&self, rule: &SpeculativeRule) -> Result<usize, ReplayRefusal> {
        rule.validate()?;
        let temperature = self.sampling.temperature;
        let accept = rule.accept.kind();
        match rule.accept.judge(self.sampling.is_greedy()) {
            Some(Judge::Match { .. }) => {}
            Some(Judge::Ratio(_)) => {
                return Err(ReplayRefusal::TextDependsOnDraft {
                    accept,
                    temperature,
                });
            }
            Some(Judge::Evidence(_)) => {
                return Err(ReplayRefusal::NotTheVerifiersChoice { accept });
            }
            None => return Err(EngineError::GreedyAcceptance { temperature }.into()),
        }
        if rule.max_draft_len > self.max_draft_len {
            return Err(ReplayRefusal::DraftTooLong {
                max_draft_len: rule.max_draft_len,
                recorded: self.max_draft_len,
            });
        }
        let column = self.entropies.iter().position(|kind| *kind == rule.entropy);
        column.ok_or_else(|| ReplayRefusal::EntropyNotRecorded {
            entropy: rule.entropy.label(),
            recorded: self.entropies.iter().map(|kind| kind.label()).collect(),
        })
    }
}
