//! Whether the two tables of a trace fit together, and where to find what in them.

use super::{Index, Slots, TraceHeader, TracedPrompt};
use crate::engine::step::Finish;

/// Why two tables are no trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    #[error("the header names {expected} entropies, the table of slots has {found}")]
    Entropies { found: usize, expected: usize },
    #[error("column '{column}' has {found} rows, column 'prompt' {expected}")]
    ColumnLen {
        column: &'static str,
        found: usize,
        expected: usize,
    },
    #[error("prompt {prompt} {reason}")]
    Prompt { prompt: usize, reason: &'static str },
    #[error("row {row} should be prompt {prompt}, position {position}, depth {depth}: {reason}")]
    Row {
        row: usize,
        prompt: usize,
        position: usize,
        depth: usize,
        reason: &'static str,
    },
    #[error("row {row} belongs to no text")]
    Superfluous { row: usize },
}

/// A row that has to be there.
#[derive(Debug, Clone, Copy)]
struct Expected {
    row: usize,
    prompt: usize,
    position: usize,
    depth: usize,
}

impl Expected {
    fn error(self, reason: &'static str) -> TraceError {
        TraceError::Row {
            row: self.row,
            prompt: self.prompt,
            position: self.position,
            depth: self.depth,
            reason,
        }
    }

    /// # Errors
    /// [`TraceError::Row`] with `reason` unless `holds`.
    fn require(self, holds: bool, reason: &'static str) -> Result<(), TraceError> {
        if holds {
            Ok(())
        } else {
            Err(self.error(reason))
        }
    }

    /// # Errors
    /// [`TraceError::Row`] when the table has another row there.
    fn find(self, slots: &Slots) -> Result<(), TraceError> {
        let Self { row, depth, .. } = self;
        self.require(row < slots.len(), "the table ends before it")?;
        let is_there = slots.prompt[row] as usize == self.prompt
            && slots.position[row] as usize == self.position
            && slots.depth[row] as usize == depth;
        self.require(is_there, "the table has another row there")?;
        let is_on_text = depth == 0;
        self.require(
            slots.verifier_token[row].is_some() == is_on_text
                && slots.verifier_lead[row].is_some() == is_on_text,
            "the verifier's token and lead belong to the rows of depth 0",
        )
    }
}

/// Slots that drafts may look at behind a wrong token at `offset` of the text, an end of the text aside:
/// as many as the longest draft reaches, and the budget, of which the verifier's own token needs one.
pub(super) fn longest_chain(header: &TraceHeader, max_new_tokens: usize, offset: usize) -> usize {
    let by_budget = max_new_tokens.saturating_sub(offset + 2);
    header.max_draft_len.saturating_sub(1).min(by_budget)
}

/// # Errors
/// [`TraceError`].
pub(super) fn index(
    header: &TraceHeader,
    prompts: &[TracedPrompt],
    slots: &Slots,
) -> Result<Index, TraceError> {
    let (found, expected) = (slots.entropies.len(), header.entropies.len());
    if found != expected {
        return Err(TraceError::Entropies { found, expected });
    }
    let expected = slots.len();
    if let Some((column, found)) = slots.column_lens().find(|&(_, len)| len != expected) {
        return Err(TraceError::ColumnLen {
            column,
            found,
            expected,
        });
    }
    let mut index = Index {
        first_rows: Vec::with_capacity(prompts.len()),
        is_match: Vec::with_capacity(slots.len()),
        behind: Vec::with_capacity(slots.len()),
    };
    for (prompt, text) in prompts.iter().enumerate() {
        check_prompt(text).map_err(|reason| TraceError::Prompt { prompt, reason })?;
        index.add(header, prompt, text, slots)?;
    }
    let row = index.is_match.len();
    if row < slots.len() {
        return Err(TraceError::Superfluous { row });
    }
    Ok(index)
}

fn check_prompt(text: &TracedPrompt) -> Result<(), &'static str> {
    let is_budget_used = text.text_len == text.max_new_tokens;
    if text.prompt_len == 0 {
        Err("is empty")
    } else if text.text_len > text.max_new_tokens {
        Err("has a text longer than its budget")
    } else if text.finished_by == Finish::Budget && !is_budget_used {
        Err("ends at its budget before that is used up")
    } else if text.finished_by != Finish::Budget && text.text_len == 0 {
        Err("ends by a stop without a token")
    } else {
        Ok(())
    }
}

impl Index {
    /// Adds the rows of one prompt, which are next in the table.
    fn add(
        &mut self,
        header: &TraceHeader,
        prompt: usize,
        text: &TracedPrompt,
        slots: &Slots,
    ) -> Result<(), TraceError> {
        let first = self.is_match.len();
        self.first_rows.push(first);
        for offset in 0..text.text_len {
            let expected = Expected {
                row: first + offset,
                prompt,
                position: text.prompt_len + offset,
                depth: 0,
            };
            expected.find(slots)?;
            let row = expected.row;
            let is_match = slots.verifier_token[row] == Some(slots.token[row]);
            let is_last = offset + 1 == text.text_len && text.finished_by != Finish::Budget;
            expected.require(
                !is_match || slots.is_end[row] == is_last,
                "the text ends behind the token, or goes on, as 'is_end' says",
            )?;
            self.is_match.push(is_match);
        }
        let mut row = first + text.text_len;
        for offset in 0..text.text_len {
            let start = row;
            let origin = first + offset;
            let is_left = !self.is_match[origin] && !slots.is_end[origin];
            let longest = longest_chain(header, text.max_new_tokens, offset);
            for depth in 1..=if is_left { longest } else { 0 } {
                let expected = Expected {
                    row,
                    prompt,
                    position: text.prompt_len + offset + depth,
                    depth,
                };
                expected.find(slots)?;
                row += 1;
                if slots.is_end[expected.row] {
                    break;
                }
            }
            self.behind.push(start..row);
        }
        // Rows off the text have nothing behind them that is not in their own range.
        self.is_match.resize(row, false);
        self.behind.resize(row, 0..0);
        Ok(())
    }
}
