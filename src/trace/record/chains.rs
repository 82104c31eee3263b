//! Goes on behind the wrong tokens of a drafter.

use super::{Chain, Text, say};
use crate::model::lm::{BatchedLanguageModel, ModelError, SequenceRows, TokenId};
use crate::trace::TraceHeader;
use crate::trace::check::longest_chain;
use crate::trace::row::Said;

/// The wrong tokens of one text, from the last to the first: so the cache, which holds the text when it
/// starts, only has to be cut.
struct Walk<'t> {
    text: &'t Text<'t>,
    /// Wrong tokens that are still to be followed, by rising offset.
    waiting: Vec<Start>,
    current: Option<Open>,
    done: Vec<Chain>,
}

#[derive(Clone, Copy)]
struct Start {
    /// Of the wrong token, in the text.
    offset: usize,
    token: TokenId,
    /// Most slots to look at behind it.
    longest: usize,
}

/// A chain that goes on.
struct Open {
    chain: Chain,
    longest: usize,
    /// The text and the tokens off it; the last one is not fed yet.
    ids: Vec<TokenId>,
}

/// One token for one sequence.
struct Step {
    sequence: usize,
    token: [TokenId; 1],
    position: [u32; 1],
}

/// What the drafter says behind each wrong token of each text, by falling offset. Sequence i of `drafter`
/// has cached text i without its last token.
///
/// # Errors
/// Those of the model.
pub(super) fn follow(
    drafter: &mut dyn BatchedLanguageModel,
    header: &TraceHeader,
    texts: &[Text<'_>],
    on_texts: &[Vec<Said>],
) -> Result<Vec<Vec<Chain>>, ModelError> {
    let mut walks: Vec<Walk<'_>> = texts
        .iter()
        .zip(on_texts)
        .map(|(text, said)| Walk::new(header, text, said))
        .collect();
    loop {
        let steps: Vec<Step> = walks
            .iter_mut()
            .enumerate()
            .filter_map(|(sequence, walk)| walk.next_step(sequence))
            .collect();
        if steps.is_empty() {
            return Ok(walks.into_iter().map(|walk| walk.done).collect());
        }
        let mut rows = Vec::with_capacity(steps.len());
        for step in &steps {
            let n_before = step.position[0] as usize;
            drafter.truncate(step.sequence, n_before);
            assert_eq!(drafter.cached_len(step.sequence), n_before);
            rows.push(SequenceRows {
                sequence: step.sequence,
                tokens: &step.token,
                positions: &step.position,
                n_logits: 1,
            });
        }
        for (step, logits) in steps.iter().zip(drafter.forward(&rows)?) {
            walks[step.sequence].see(header, logits.last())?;
        }
    }
}

impl<'t> Walk<'t> {
    fn new(header: &TraceHeader, text: &'t Text<'t>, said: &[Said]) -> Self {
        let own = text.ids().iter().zip(said).enumerate();
        let starts = own.filter_map(|(offset, (&own, said))| {
            let longest = longest_chain(header, text.request.max_new_tokens, offset);
            let is_left = said.token != own && !said.is_end && longest > 0;
            is_left.then_some(Start {
                offset,
                token: said.token,
                longest,
            })
        });
        Self {
            text,
            waiting: starts.collect(),
            current: None,
            done: Vec::new(),
        }
    }

    /// The token to feed next; None once every wrong token was followed.
    fn next_step(&mut self, sequence: usize) -> Option<Step> {
        if self.current.is_none() {
            self.current = Some(self.waiting.pop()?.open(self.text.ids()));
        }
        let ids = &self.current.as_ref()?.ids;
        Some(Step {
            sequence,
            token: [*ids.last()?],
            position: [(self.text.prompt_len() + ids.len() - 1) as u32],
        })
    }

    fn see(&mut self, header: &TraceHeader, row: &[f32]) -> Result<(), ModelError> {
        let mut open = self.current.take().expect("a row follows a step");
        let said = say(row, &open.ids, self.text.request, &header.entropies)?;
        open.ids.push(said.token);
        let is_end = said.is_end;
        open.chain.slots.push(said);
        if is_end || open.chain.slots.len() == open.longest {
            self.done.push(open.chain);
        } else {
            self.current = Some(open);
        }
        Ok(())
    }
}

impl Start {
    fn open(self, ids: &[TokenId]) -> Open {
        Open {
            chain: Chain {
                offset: self.offset,
                slots: Vec::with_capacity(self.longest),
            },
            longest: self.longest,
            ids: [&ids[..self.offset], &[self.token]].concat(),
        }
    }
}
