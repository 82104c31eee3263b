//! A generation as JSON lines: one for every position that the decoder looked at, in the order in
//! which it did. `docs/decode-trace.md` describes the fields.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::engine::step::{Generation, Outcome, Round, Slot};
use crate::model::lm::TokenId;

/// The lines of `generation`, each with its line feed. `spell` gives the text of one token alone.
///
/// A window round has a line per mask. Any other round has a line per slot of its draft, and one for
/// the verifier's own token if that was committed.
pub fn lines(generation: &Generation, spell: impl Fn(TokenId) -> String) -> String {
    let steps = committing_rounds(generation);
    let mut lines = String::new();
    let mut push = |line: Value| {
        lines += &line.to_string();
        lines.push('\n');
    };
    for (index, round) in generation.rounds.iter().enumerate() {
        if round.positions.is_empty() {
            for (slot, view) in round.slots.iter().enumerate() {
                push(draft_line(index, slot, view, &spell));
            }
            if let Some(line) = own_line(index, round, &spell) {
                push(line);
            }
        } else {
            for view in &round.slots {
                push(mask_line(index, round, view, &steps, &spell));
            }
        }
    }
    lines
}

/// For every committed position, the index of the round that committed it.
fn committing_rounds(generation: &Generation) -> HashMap<u32, usize> {
    let rounds = generation.rounds.iter().enumerate();
    rounds
        .flat_map(|(index, round)| {
            let positions = (round.context_len as u32..).take(round.committed.len());
            positions.map(move |position| (position, index))
        })
        .collect()
}

fn mask_line(
    step: usize,
    round: &Round,
    view: &Slot,
    steps: &HashMap<u32, usize>,
    spell: &impl Fn(TokenId) -> String,
) -> Value {
    let forced = forced_token(round, view);
    let is_written = forced.is_some() || view.outcome == Outcome::Filled;
    let token = forced.unwrap_or(view.token);
    json!({
        "step": step,
        "position": view.position,
        "token": token,
        "text": spell(token),
        "entropy": view.entropy,
        "adjusted": view.adjusted,
        "top1": view.top1,
        "margin": view.margin,
        "outcome": if forced.is_some() { "forced" } else { name(view.outcome) },
        "committed_step": steps.get(&view.position).filter(|_| is_written),
    })
}

/// The literal mask that the notebook variant commits where it filled nothing. No other decoder
/// commits a position in the very round that leaves it a mask.
fn forced_token(round: &Round, view: &Slot) -> Option<TokenId> {
    let index = (view.position as usize).checked_sub(round.context_len)?;
    let token = round.committed.get(index).copied();
    token.filter(|_| view.outcome == Outcome::Unfilled)
}

fn draft_line(round: usize, slot: usize, view: &Slot, spell: &impl Fn(TokenId) -> String) -> Value {
    json!({
        "round": round,
        "slot": slot,
        "position": view.position,
        "token": view.token,
        "text": spell(view.token),
        "entropy": view.entropy,
        "adjusted": view.adjusted,
        "top1": view.top1,
        "margin": view.margin,
        "overlap": view.overlap,
        "outcome": name(view.outcome),
    })
}

/// The verifier's token behind what it accepted; none when an accepted token ended the text.
fn own_line(index: usize, round: &Round, spell: &impl Fn(TokenId) -> String) -> Option<Value> {
    let slot = round.accepted;
    let &token = round.committed.get(slot)?;
    Some(json!({
        "round": index,
        "slot": slot,
        "position": round.context_len + slot,
        "token": token,
        "text": spell(token),
        "outcome": "verifier",
    }))
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Rejected => "rejected",
        Outcome::Untested => "untested",
        Outcome::NotDrafted => "refused",
        Outcome::Filled => "filled",
        Outcome::Unfilled => "unfilled",
    }
}

#[cfg(test)]
mod tests;
