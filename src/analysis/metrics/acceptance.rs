//! How much of the drafts is accepted: the three rates, and by entropy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{TrialRows, one_if, ratio, sums_by_prompt};
use crate::analysis::bins::{ENTROPY_EDGES, bin_name, bin_of};
use crate::analysis::rates::{acceptance_rate, acceptance_rate_tested};
use crate::record::schema::PositionRecord;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;

/// Three answers to "how much is accepted"; none where nothing was drafted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AcceptanceRates {
    /// Σ accepted / Σ drafted: what a round pays for, tokens behind a rejection included.
    pub of_drafted: Option<Interval>,
    /// Σ accepted / Σ tested: the chance of a token that the verifier reached.
    pub of_tested: Option<Interval>,
    /// Mean Σ min(p, q) over tested slots: the chance under speculative sampling, whatever was drawn;
    /// none where nobody looked back.
    pub overlap: Option<Interval>,
}

/// Tested tokens whose entropy is in a bin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntropyBin {
    /// Such as `0.1 to 0.2`, in nats, of [`ENTROPY_EDGES`].
    pub name: String,
    pub tested: u64,
    /// accepted / tested, with an interval over prompts.
    pub accepted: Option<Interval>,
}

pub(super) fn rates(rows: &TrialRows<'_>, bootstrap: &Bootstrap) -> AcceptanceRates {
    let drafted = rows.generations.iter().any(|row| row.drafted > 0);
    if !drafted {
        return AcceptanceRates::default();
    }
    let overlaps = tested(&rows.positions).filter_map(|slot| Some((slot, slot.seen?.overlap)));
    let overlaps = sums_by_prompt(
        overlaps,
        |(slot, _)| slot.prompt,
        |(_, overlap)| (*overlap, 1.0),
    );
    AcceptanceRates {
        of_drafted: acceptance_rate(&rows.generations, bootstrap),
        of_tested: acceptance_rate_tested(&rows.generations, bootstrap),
        overlap: ratio(overlaps.into_values(), bootstrap),
    }
}

/// Acceptance by Shannon entropy, or by the entropy of the rule where nobody looked back.
pub(super) fn by_entropy(positions: &[&PositionRecord], bootstrap: &Bootstrap) -> Vec<EntropyBin> {
    let mut bins: BTreeMap<usize, Vec<&PositionRecord>> = BTreeMap::new();
    for slot in tested(positions) {
        let entropy = slot
            .seen
            .map_or(slot.entropy_nats, |seen| seen.shannon_nats);
        bins.entry(bin_of(&ENTROPY_EDGES, entropy))
            .or_default()
            .push(slot);
    }
    bins.into_iter()
        .map(|(bin, slots)| {
            let n = slots.len() as u64;
            let sums = sums_by_prompt(
                slots.into_iter(),
                |slot| slot.prompt,
                |slot| (one_if(is_accepted(slot)), 1.0),
            );
            EntropyBin {
                name: bin_name(&ENTROPY_EDGES, bin),
                tested: n,
                accepted: ratio(sums.into_values(), bootstrap),
            }
        })
        .collect()
}

/// The slots that were compared with the verifier.
pub(super) fn tested<'s, 'r>(
    positions: &'s [&'r PositionRecord],
) -> impl Iterator<Item = &'r PositionRecord> + 's {
    let slots = positions.iter().copied();
    slots.filter(|slot| slot.outcome == "accepted" || slot.outcome == "rejected")
}

pub(super) fn is_accepted(slot: &PositionRecord) -> bool {
    slot.outcome == "accepted"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::{GenerationRecord, SlotRecord};

    fn slot(prompt: usize, outcome: &str, shannon_nats: f64, overlap: f64) -> PositionRecord {
        PositionRecord {
            prompt,
            outcome: outcome.into(),
            seen: Some(SlotRecord {
                shannon_nats,
                overlap,
                ..SlotRecord::default()
            }),
            ..PositionRecord::default()
        }
    }

    #[test]
    fn the_three_rates_differ_by_what_they_are_taken_of() {
        let generation = GenerationRecord {
            drafted: 8,
            tested: 4,
            accepted: 3,
            ..GenerationRecord::default()
        };
        let slots = [
            slot(0, "accepted", 0.1, 0.9),
            slot(0, "rejected", 0.1, 0.5),
            slot(0, "untested", 0.1, 0.0),
        ];
        let rows = TrialRows {
            generations: vec![&generation],
            rounds: Vec::new(),
            positions: slots.iter().collect(),
        };
        let rates = rates(&rows, &Bootstrap::default());
        let estimate = |interval: Option<Interval>| interval.unwrap().estimate;
        assert_eq!(estimate(rates.of_drafted), 0.375);
        assert_eq!(estimate(rates.of_tested), 0.75);
        assert!((estimate(rates.overlap) - 0.7).abs() < 1e-12);
    }

    #[test]
    fn tested_tokens_fall_into_half_open_bins_of_shannon_entropy() {
        let slots = [
            slot(0, "accepted", 0.0, 1.0),
            slot(0, "accepted", 0.1, 1.0),
            slot(1, "rejected", 0.19, 1.0),
            slot(1, "rejected", 9.0, 1.0),
            slot(1, "untested", 9.0, 1.0),
        ];
        let bins = by_entropy(&slots.iter().collect::<Vec<_>>(), &Bootstrap::default());
        let facts: Vec<_> = bins
            .iter()
            .map(|bin| {
                (
                    bin.name.as_str(),
                    bin.tested,
                    bin.accepted.unwrap().estimate,
                )
            })
            .collect();
        assert_eq!(
            facts,
            [
                ("below 0.003", 1, 1.0),
                ("0.1 to 0.2", 2, 0.5),
                ("2.4 and more", 1, 0.0)
            ]
        );
    }

    #[test]
    fn without_a_draft_there_is_no_rate() {
        let generation = GenerationRecord {
            committed: 5,
            ..GenerationRecord::default()
        };
        let rows = TrialRows {
            generations: vec![&generation],
            ..TrialRows::default()
        };
        assert_eq!(
            rates(&rows, &Bootstrap::default()),
            AcceptanceRates::default()
        );
    }
}
