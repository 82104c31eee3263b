//! Where drafts fail: each rejected token in the first class that fits.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::TrialRows;
use super::acceptance::tested;
use crate::record::schema::{PositionRecord, RoundRecord};
use crate::stats::sample::Sample;

/// Tokens whose entropy is below this quantile of all tested tokens of the trial are confident.
const CONFIDENT_QUANTILE: f64 = 0.25;

/// Why a rejection may have come about, in the order in which the classes are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionKind {
    /// The drafter was surer than of three quarters of its tested tokens.
    Confident,
    /// The first slot of a round behind one with a rejection: the drafter had to go on from the
    /// verifier's token.
    AfterRejection,
    /// The drafted token or the verifier's holds a digit.
    Digit,
    /// Behind `.`, `!`, `?`, a line end or nothing, blanks aside.
    SentenceStart,
    /// The draft ended the text here, or the verifier did.
    EndOfText,
    Other,
}

/// One rejected token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rejection {
    /// The text just before it.
    pub before: String,
    pub drafted: String,
    /// The verifier's token.
    pub instead: String,
    pub entropy_nats: f64,
}

/// The rejections of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectionClass {
    pub kind: RejectionKind,
    pub rejections: u64,
    /// Of all rejections.
    pub share: f64,
    /// Drafted tokens of these rounds that were not accepted.
    pub wasted_tokens: u64,
    pub wasted_share: f64,
    /// The first one.
    pub example: Rejection,
}

/// Classes that occur, the frequent ones first. Rejections without their texts, as where nobody looked
/// back, are `other` where a text would decide.
pub(super) fn rejections(rows: &TrialRows<'_>) -> Vec<RejectionClass> {
    let entropies = tested(&rows.positions).map(|slot| slot.entropy_nats);
    let Ok(entropies) = Sample::new(entropies.collect()) else {
        return Vec::new();
    };
    let confident_below = entropies.quantile(CONFIDENT_QUANTILE);
    let rounds: HashMap<(usize, usize), &RoundRecord> = rows
        .rounds
        .iter()
        .map(|round| ((round.prompt, round.round), *round))
        .collect();
    let ends: HashMap<usize, u64> = rows
        .generations
        .iter()
        .map(|row| (row.prompt, row.prompt_len as u64 + row.committed))
        .collect();
    let mut classes: BTreeMap<RejectionKind, Vec<(&PositionRecord, u64)>> = BTreeMap::new();
    for slot in rows
        .positions
        .iter()
        .filter(|slot| slot.outcome == "rejected")
    {
        let round = rounds.get(&(slot.prompt, slot.round)).copied();
        let before = slot.round.checked_sub(1);
        let before = before.and_then(|before| rounds.get(&(slot.prompt, before)).copied());
        let place = Place {
            is_confident: slot.entropy_nats < confident_below,
            is_behind_rejection: slot.slot == 0
                && before.is_some_and(|round| round.accepted < round.tested),
            is_last: ends.get(&slot.prompt) == Some(&(u64::from(slot.position) + 1))
                || round.is_some_and(|round| {
                    round.stopped_by == "eos" && slot.slot + 1 == round.draft_len
                }),
        };
        let wasted = round.map_or(0, |round| (round.draft_len - round.accepted) as u64);
        let class = classes.entry(kind(slot, &place)).or_default();
        class.push((slot, wasted));
    }
    let n: usize = classes.values().map(Vec::len).sum();
    let all_wasted: u64 = classes.values().flatten().map(|(_, wasted)| wasted).sum();
    let mut classes: Vec<RejectionClass> = classes
        .into_iter()
        .map(|(kind, own)| {
            let wasted: u64 = own.iter().map(|(_, wasted)| wasted).sum();
            RejectionClass {
                kind,
                rejections: own.len() as u64,
                share: own.len() as f64 / n as f64,
                wasted_tokens: wasted,
                wasted_share: wasted as f64 / all_wasted.max(1) as f64,
                example: example(own[0].0),
            }
        })
        .collect();
    classes.sort_by_key(|class| std::cmp::Reverse(class.rejections));
    classes
}

/// What the slot alone does not tell.
struct Place {
    is_confident: bool,
    is_behind_rejection: bool,
    is_last: bool,
}

fn kind(slot: &PositionRecord, place: &Place) -> RejectionKind {
    let has_digit = |text: &str| text.contains(|letter: char| letter.is_ascii_digit());
    let verifier = slot.verifier_text.as_deref().unwrap_or_default();
    if place.is_confident {
        RejectionKind::Confident
    } else if place.is_behind_rejection {
        RejectionKind::AfterRejection
    } else if has_digit(&slot.text) || has_digit(verifier) {
        RejectionKind::Digit
    } else if slot.text_before.as_deref().is_some_and(ends_sentence) {
        RejectionKind::SentenceStart
    } else if place.is_last {
        RejectionKind::EndOfText
    } else {
        RejectionKind::Other
    }
}

fn ends_sentence(text: &str) -> bool {
    let text = text.trim_end_matches(' ');
    text.is_empty() || text.ends_with(['.', '!', '?', '\n'])
}

fn example(slot: &PositionRecord) -> Rejection {
    Rejection {
        before: slot.text_before.clone().unwrap_or_default(),
        drafted: slot.text.clone(),
        instead: slot.verifier_text.clone().unwrap_or_default(),
        entropy_nats: slot.entropy_nats,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::GenerationRecord;

    fn slot(round: usize, slot: usize, entropy_nats: f64, text: [&str; 3]) -> PositionRecord {
        let [before, drafted, instead] = text;
        PositionRecord {
            round,
            slot,
            position: (10 * round + slot) as u32,
            entropy_nats,
            outcome: "rejected".into(),
            text: drafted.into(),
            text_before: Some(before.into()),
            verifier_text: Some(instead.into()),
            ..PositionRecord::default()
        }
    }

    fn round(round: usize, draft_len: usize, accepted: usize) -> RoundRecord {
        RoundRecord {
            round,
            draft_len,
            accepted,
            tested: draft_len.min(accepted + 1),
            ..RoundRecord::default()
        }
    }

    #[test]
    fn every_rejection_falls_into_the_first_class_that_fits() {
        // Entropies 0 to 6: a quarter of them is below 1.5.
        let slots = [
            slot(0, 2, 0.0, ["a ", "b", "c"]),
            slot(1, 0, 2.0, ["a ", "7", "c"]),
            slot(2, 1, 3.0, ["3*4=", "13", "12"]),
            slot(3, 1, 4.0, ["Done. ", "So", "He"]),
            slot(4, 1, 5.0, ["the", " end", " story"]),
            slot(5, 1, 6.0, ["a ", "b", "c"]),
            slot(6, 1, 1.0, ["a ", "2", "c"]),
        ];
        let rounds = [
            round(0, 5, 2),
            round(1, 3, 0),
            round(2, 2, 1),
            round(3, 2, 1),
            round(4, 2, 1),
            round(5, 4, 1),
            round(6, 2, 1),
        ];
        // The rejection of round 4 is at position 41, the last of the text.
        let generation = GenerationRecord {
            prompt_len: 2,
            committed: 40,
            ..GenerationRecord::default()
        };
        let rows = TrialRows {
            generations: vec![&generation],
            rounds: rounds.iter().collect(),
            positions: slots.iter().collect(),
        };
        let classes = rejections(&rows);
        let of = |kind: RejectionKind| classes.iter().find(|class| class.kind == kind).unwrap();
        assert_eq!(classes[0].kind, RejectionKind::Confident);
        let confident = of(RejectionKind::Confident);
        // Rounds 0 and 6 waste 3 + 1 of 3 + 3 + 1 + 1 + 1 + 3 + 1 tokens.
        assert_eq!((confident.rejections, confident.wasted_tokens), (2, 4));
        assert!((confident.wasted_share - 4.0 / 13.0).abs() < 1e-12);
        assert_eq!(of(RejectionKind::AfterRejection).wasted_tokens, 3);
        assert_eq!(of(RejectionKind::Digit).example.instead, "12");
        assert_eq!(of(RejectionKind::SentenceStart).example.drafted, "So");
        assert_eq!(of(RejectionKind::EndOfText).example.before, "the");
        assert_eq!(of(RejectionKind::Other).rejections, 1);
        let shares: f64 = classes.iter().map(|class| class.share).sum();
        assert!((shares - 1.0).abs() < 1e-12);
    }

    #[test]
    fn without_a_tested_token_nothing_is_classified() {
        assert_eq!(rejections(&TrialRows::default()), []);
    }
}
