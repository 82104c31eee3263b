//! One look back at a finished text, outside of the timing.
//!
//! Behind any draft policy the context of a tested slot is the committed text: every token before it
//! was accepted. So one pass of verifier and drafter over the text gives what they said at all tested
//! slots, whatever decoder made it: each entropy, the overlap, and the text's probability under the
//! verifier. Decoders that agree on a text share the pass; nothing of it is in a measured time. A row
//! may differ from the one that was decoded with in the rounding of a differently blocked product.

use std::collections::HashMap;
use std::rc::Rc;

use crate::cmd::models::LoadedModels;
use crate::config::decoder::DecoderSpec;
use crate::engine::choice::compared_distribution;
use crate::engine::session::Request;
use crate::model::lm::{LanguageModel, ModelError, TokenId};
use crate::model::tokenizer::Tokenizer;
use crate::plan::Trial;
use crate::policy::entropy::{EntropyRule, RowStats};
use crate::record::journal::Entry;
use crate::record::schema::{PositionRecord, SlotRecord};
use crate::workload::metric::perplexity;

/// Rows of which a forward returns logits.
const PIECE_LEN: usize = 64;
/// Texts that are remembered: all trials decode a prompt, or a batch of them, before the next.
const MOST_REMEMBERED: usize = 64;
/// Tokens shown before a rejected one.
const N_BEFORE: usize = 12;

/// Looks back at the first repeat of each prompt.
#[derive(Debug)]
pub struct LookBack {
    is_on: bool,
    /// By prompt, text and whether a drafter was asked.
    seen: HashMap<(usize, String, bool), Rc<Seen>>,
}

/// What a pass over a text saw, by committed token.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// Under the verifier, in nats.
    log_probs: Vec<f64>,
    /// Of the drafter; empty without one.
    slots: Vec<SlotRecord>,
}

impl LookBack {
    pub fn new(is_on: bool) -> Self {
        Self {
            is_on,
            seen: HashMap::new(),
        }
    }

    /// Completes the rows of a generation and drops its tokens. Where the look back is off, the
    /// generation failed or is a later repeat, or a model fails, they stay as they are.
    pub fn complete(
        &mut self,
        entry: &mut Entry,
        trial: &Trial,
        request: &Request<'_>,
        models: &mut LoadedModels,
    ) {
        let ids = std::mem::take(&mut entry.ids);
        if !self.is_on || entry.generation.repeat > 0 || ids.is_empty() {
            return;
        }
        let asks_drafter = match trial.decoder {
            DecoderSpec::Speculative { .. } => true,
            DecoderSpec::Autoregressive { .. }
            | DecoderSpec::Window { .. }
            | DecoderSpec::WindowDraft { .. } => false,
        };
        add_texts(
            &mut entry.positions,
            models.tokenizer(),
            request.prompt,
            &ids,
        );
        let row = &mut entry.generation;
        let key = (row.prompt, row.text_hash.clone(), asks_drafter);
        let seen = match self.seen.get(&key) {
            Some(seen) => Rc::clone(seen),
            None => {
                let drafter = models.drafter.as_mut().filter(|_| asks_drafter);
                let drafter = drafter.map(|model| &mut model.lm as &mut dyn LanguageModel);
                let Some(verifier) = models.verifier.as_mut() else {
                    return;
                };
                let Ok(seen) = look(&mut verifier.lm, drafter, request, &ids) else {
                    return;
                };
                if self.seen.len() >= MOST_REMEMBERED {
                    self.seen.clear();
                }
                let seen = Rc::new(seen);
                self.seen.insert(key, Rc::clone(&seen));
                seen
            }
        };
        let log_prob: f64 = seen.log_probs.iter().sum();
        row.log_prob_nats = Some(log_prob).filter(|value| value.is_finite());
        row.perplexity = perplexity(&seen.log_probs).filter(|value| value.is_finite());
        add_seen(&mut entry.positions, &seen.slots, request.prompt.len());
    }
}

fn add_seen(positions: &mut [PositionRecord], seen: &[SlotRecord], prompt_len: usize) {
    let tested = positions
        .iter_mut()
        .filter(|slot| slot.outcome == "accepted" || slot.outcome == "rejected");
    for slot in tested {
        let index = (slot.position as usize).checked_sub(prompt_len);
        slot.seen = index.and_then(|index| seen.get(index)).copied();
    }
}

/// Writes drafted tokens as text, and around a rejected one what stood before it and what the verifier
/// put there.
fn add_texts(
    positions: &mut [PositionRecord],
    tokenizer: &Tokenizer,
    prompt: &[TokenId],
    ids: &[TokenId],
) {
    for slot in positions {
        let is_rejected = slot.outcome == "rejected";
        if is_rejected || slot.outcome == "accepted" || slot.outcome == "untested" {
            slot.text = tokenizer.decode_all(&[slot.token]);
        }
        let index = (slot.position as usize).checked_sub(prompt.len());
        if let Some(index) = index.filter(|&index| is_rejected && index <= ids.len()) {
            let text: Vec<TokenId> = prompt.iter().chain(&ids[..index]).copied().collect();
            let first = text.len().saturating_sub(N_BEFORE);
            slot.text_before = Some(tokenizer.decode_all(&text[first..]));
            slot.verifier_text = ids.get(index).map(|&id| tokenizer.decode_all(&[id]));
        }
    }
}

/// Reads a text once with both models. `ids` are the committed tokens, at least one.
///
/// # Errors
/// Those of the models.
fn look(
    verifier: &mut dyn LanguageModel,
    mut drafter: Option<&mut dyn LanguageModel>,
    request: &Request<'_>,
    ids: &[TokenId],
) -> Result<Seen, ModelError> {
    // The row of a token is the one before it, so the last token is not fed.
    let (last_of_prompt, body) = request
        .prompt
        .split_last()
        .expect("a generation has a prompt");
    let mut fed = vec![*last_of_prompt];
    fed.extend(&ids[..ids.len() - 1]);
    prefill(verifier, body)?;
    if let Some(drafter) = &mut drafter {
        prefill(*drafter, body)?;
    }
    let rules = EntropyRule::reported();
    let mut seen = Seen::default();
    for (piece, next) in fed.chunks(PIECE_LEN).zip(ids.chunks(PIECE_LEN)) {
        let positions = positions(verifier.cached_len(), piece.len());
        let p = verifier.forward(piece, &positions, piece.len())?;
        for (row, &token) in p.rows().zip(next) {
            let normalizer = RowStats::read(row, &[]).log_normalizer;
            seen.log_probs
                .push(f64::from(row[token as usize]) - normalizer);
        }
        if let Some(drafter) = &mut drafter {
            let q = drafter.forward(piece, &positions, piece.len())?;
            for (p, q) in p.rows().zip(q.rows()) {
                seen.slots.push(slot(p, q, &rules, request));
            }
        }
    }
    Ok(seen)
}

fn prefill(model: &mut dyn LanguageModel, body: &[TokenId]) -> Result<(), ModelError> {
    model.truncate(0);
    if !body.is_empty() {
        model.forward(body, &positions(0, body.len()), 0)?;
    }
    Ok(())
}

fn positions(first: usize, len: usize) -> Vec<u32> {
    (first as u32..(first + len) as u32).collect()
}

/// `p` and `q` are the rows of verifier and drafter.
fn slot(p: &[f32], q: &[f32], rules: &[EntropyRule; 6], request: &Request<'_>) -> SlotRecord {
    let entropies = RowStats::read(q, rules).entropies;
    let (p, q) = (
        compared_distribution(p, request),
        compared_distribution(q, request),
    );
    SlotRecord {
        shannon_nats: entropies[0],
        renyi_2_nats: entropies[1],
        tsallis_2: entropies[2],
        topk_10_nats: entropies[3],
        min_nats: entropies[4],
        varentropy_nats2: entropies[5],
        // Models of one family may pad their vocabularies differently; padding has probability 0.
        overlap: p.iter().zip(&q).map(|(p, q)| p.min(*q)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::speculative::{SpeculativeRule, decode};
    use crate::engine::step::{Generation, Outcome};
    use crate::model::scripted::ScriptedModel;
    use crate::policy::accept::AcceptRule;
    use crate::policy::sample::{self, Sampling};
    use crate::policy::stop::{DraftOrder, StopRule};

    const VOCAB_LEN: usize = 11;

    fn verifier() -> ScriptedModel {
        ScriptedModel::history(3, VOCAB_LEN, 6.0)
    }

    fn drafter() -> ScriptedModel {
        verifier().perturbed(4, 2.0)
    }

    /// More tokens than a piece has rows.
    fn request() -> Request<'static> {
        Request {
            prompt: &[1, 2, 3],
            max_new_tokens: 150,
            ..Request::default()
        }
    }

    fn decoded(request: &Request<'_>, accept: AcceptRule) -> Generation {
        let rule = SpeculativeRule {
            stop: StopRule::Fixed {},
            order: DraftOrder::Before,
            min_draft_len: 1,
            max_draft_len: 4,
            entropy: EntropyRule::default(),
            accept,
        };
        decode(&mut drafter(), &mut verifier(), &rule, request).unwrap()
    }

    #[test]
    fn a_look_back_sees_what_the_drafter_said_at_every_tested_slot() {
        let request = request();
        let generation = decoded(&request, AcceptRule::default());
        let mut drafter = drafter();
        let seen = look(
            &mut verifier(),
            Some(&mut drafter),
            &request,
            &generation.ids,
        )
        .unwrap();
        assert_eq!(seen.slots.len(), generation.ids.len());
        let mut n_rejected = 0;
        let slots = generation.rounds.iter().flat_map(|round| &round.slots);
        for slot in slots {
            let is_tested = matches!(slot.outcome, Outcome::Accepted | Outcome::Rejected);
            n_rejected += usize::from(slot.outcome == Outcome::Rejected);
            if is_tested {
                let seen = seen.slots[slot.position as usize - request.prompt.len()];
                assert_eq!(seen.shannon_nats, slot.entropy);
                assert!((seen.min_nats + slot.top1.ln()).abs() < 1e-6);
            }
        }
        assert!(n_rejected > 10, "{n_rejected}");
    }

    #[test]
    fn the_overlap_is_the_one_that_a_decoder_would_have_noted() {
        let sampled = Request {
            sampling: Sampling {
                temperature: 0.7,
                top_k: 5,
                ..Sampling::default()
            },
            seed: 5,
            ..request()
        };
        let mut noting = sampled;
        noting.record.overlap = true;
        let generation = decoded(&noting, AcceptRule::Rejection {});
        let mut drafter = drafter();
        let seen = look(
            &mut verifier(),
            Some(&mut drafter),
            &sampled,
            &generation.ids,
        )
        .unwrap();
        let slots = generation.rounds.iter().flat_map(|round| &round.slots);
        let mut n = 0;
        for slot in slots.filter(|slot| slot.outcome == Outcome::Rejected) {
            let seen = seen.slots[slot.position as usize - sampled.prompt.len()];
            assert!((seen.overlap - slot.overlap.unwrap()).abs() < 1e-12);
            n += 1;
        }
        assert!(n > 10, "{n}");
    }

    #[test]
    fn the_probability_of_a_text_is_the_product_of_its_tokens() {
        let request = request();
        let ids = [4, 5, 6];
        let seen = look(&mut verifier(), None, &request, &ids).unwrap();
        let mut text = request.prompt.to_vec();
        for (&id, log_prob) in ids.iter().zip(&seen.log_probs) {
            let mut model = verifier();
            let logits = model.forward(&text, &positions(0, text.len()), 1).unwrap();
            let one = Sampling {
                temperature: 1.0,
                ..Sampling::default()
            };
            let p = sample::distribution(logits.last(), &one, None)[id as usize];
            assert!((p.ln() - log_prob).abs() < 1e-5, "{p} {log_prob}");
            text.push(id);
        }
        assert!(seen.slots.is_empty());
    }

    #[test]
    fn only_tested_slots_have_seen_something() {
        let slot = |position, outcome: &str| PositionRecord {
            position,
            outcome: outcome.into(),
            ..PositionRecord::default()
        };
        let mut positions = [
            slot(5, "accepted"),
            slot(6, "rejected"),
            slot(7, "untested"),
            slot(6, "not_drafted"),
        ];
        let of = |shannon_nats| SlotRecord {
            shannon_nats,
            ..SlotRecord::default()
        };
        add_seen(&mut positions, &[of(0.5), of(1.5), of(2.5)], 5);
        let seen = positions.map(|slot| slot.seen.map(|seen| seen.shannon_nats));
        assert_eq!(seen, [Some(0.5), Some(1.5), None, None]);
    }
}
