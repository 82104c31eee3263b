//! How often a draft is rejected at a slot, given that the verifier reached it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::analysis::rates::ratio_of_sums;
use crate::record::schema::RoundRecord;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HazardSlot {
    /// From 0 on.
    pub slot: usize,
    /// Rounds in which the verifier tested the slot: the exposure.
    pub reached: u64,
    pub rejected: u64,
    /// rejected / reached, with an interval over prompts: the rounds of a prompt depend on each other.
    pub share: Interval,
}

/// From slot 0 to the last one that was reached; none when the verifier tested no slot.
pub fn hazard(rounds: &[&RoundRecord], bootstrap: &Bootstrap) -> Vec<HazardSlot> {
    let n_slots = rounds.iter().map(|round| round.tested).max().unwrap_or(0);
    (0..n_slots)
        .filter_map(|slot| {
            let mut by_prompt: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
            for round in rounds.iter().filter(|round| round.tested > slot) {
                let (rejected, reached) = by_prompt.entry(round.prompt).or_default();
                *rejected += u64::from(round.accepted == slot);
                *reached += 1;
            }
            let pairs = by_prompt.values();
            let pairs = pairs.map(|(rejected, reached)| (*rejected as f64, *reached as f64));
            Some(HazardSlot {
                slot,
                reached: by_prompt.values().map(|(_, reached)| reached).sum(),
                rejected: by_prompt.values().map(|(rejected, _)| rejected).sum(),
                share: ratio_of_sums(pairs, bootstrap)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(prompt: usize, tested: usize, accepted: usize) -> RoundRecord {
        RoundRecord {
            prompt,
            tested,
            accepted,
            ..RoundRecord::default()
        }
    }

    #[test]
    fn the_hazard_of_a_slot_counts_the_rounds_that_reached_it() {
        // Slot 0 is reached by all that have a draft, slot 1 by the three that accepted slot 0.
        let rounds = [
            round(0, 2, 2),
            round(0, 1, 0),
            round(1, 2, 1),
            round(1, 3, 3),
            round(1, 0, 0),
        ];
        let hazard = hazard(&rounds.iter().collect::<Vec<_>>(), &Bootstrap::default());
        let facts: Vec<_> = hazard
            .iter()
            .map(|one| (one.slot, one.reached, one.rejected))
            .collect();
        assert_eq!(facts, [(0, 4, 1), (1, 3, 1), (2, 1, 0)]);
        assert_eq!(hazard[0].share.estimate, 0.25);
    }

    #[test]
    fn many_rounds_of_two_prompts_are_two_observations() {
        // One prompt always rejects, the other never: nothing is known of a third.
        let rounds: Vec<RoundRecord> = (0..400)
            .map(|number| round(number % 2, 1, number % 2))
            .collect();
        let hazard = hazard(&rounds.iter().collect::<Vec<_>>(), &Bootstrap::default());
        let share = hazard[0].share;
        assert_eq!((share.estimate, share.low, share.high), (0.5, 0.0, 1.0));
    }

    #[test]
    fn rounds_without_a_draft_have_no_slot() {
        assert_eq!(hazard(&[&round(0, 0, 0)], &Bootstrap::default()), []);
    }
}
