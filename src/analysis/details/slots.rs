//! What became of the slots of drafts: rejection by slot and by entropy.

use std::collections::BTreeMap;

use super::{DraftEntropies, ENTROPY_EDGES, Hazard, HazardSlot};
use crate::analysis::view::TrialView;
use crate::record::schema::{PositionRecord, RoundRecord};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::sample::Pairs;

/// Rounds by draft length, from 0 on.
pub(super) fn counts_of_draft_lens(rounds: &[&RoundRecord]) -> Vec<u64> {
    let mut counts = Vec::new();
    for round in rounds {
        if counts.len() <= round.draft_len {
            counts.resize(round.draft_len + 1, 0);
        }
        counts[round.draft_len] += 1;
    }
    counts
}

/// How often each slot is rejected; none when the verifier tested no slot.
pub(super) fn hazard(
    trial: &TrialView,
    rounds: &[&RoundRecord],
    bootstrap: &Bootstrap,
) -> Option<Hazard> {
    let n_slots = rounds.iter().map(|round| round.tested).max()?;
    let slots = (0..n_slots)
        .filter_map(|slot| {
            let mut by_prompt: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
            for round in rounds.iter().filter(|round| round.tested > slot) {
                let (rejected, reached) = by_prompt.entry(round.prompt).or_default();
                *rejected += f64::from(u8::from(round.accepted == slot));
                *reached += 1.0;
            }
            let (rejected, reached): (Vec<f64>, Vec<f64>) = by_prompt.into_values().unzip();
            Some(HazardSlot {
                reached: reached.iter().sum::<f64>() as u64,
                rejected: rejected.iter().sum::<f64>() as u64,
                share: bootstrap.ratio_of_sums(&Pairs::new(rejected, reached).ok()?),
            })
        })
        .collect();
    (n_slots > 0).then(|| Hazard {
        label: trial.label.clone(),
        family: trial.family.clone(),
        slots,
    })
}

/// Tested tokens by entropy; none when the verifier tested no draft token.
pub(super) fn entropies(trial: &TrialView, slots: &[&PositionRecord]) -> Option<DraftEntropies> {
    let count = |outcome: &str| {
        let mut counts = vec![0; ENTROPY_EDGES.len() + 1];
        for slot in slots.iter().filter(|slot| slot.outcome == outcome) {
            let below = |edge: &&f64| slot.entropy_nats >= **edge;
            counts[ENTROPY_EDGES.iter().take_while(below).count()] += 1;
        }
        counts
    };
    let (accepted, rejected) = (count("accepted"), count("rejected"));
    let n_tested: u64 = accepted.iter().chain(&rejected).sum();
    (n_tested > 0).then(|| DraftEntropies {
        label: trial.label.clone(),
        family: trial.family.clone(),
        accepted,
        rejected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::view::{DraftRule, TrialKind};
    use crate::record::schema::Mode;

    fn trial() -> TrialView {
        TrialView {
            label: "ebsd θ=1".to_owned(),
            kind: TrialKind::Speculative(DraftRule::Entropy),
            family: "ebsd".to_owned(),
            axes: vec![],
            batch_size: 1,
            mode: Mode::Live,
            dropped_after: None,
            lossless: true,
            result: Err("not run".to_owned()),
        }
    }

    fn round(prompt: usize, tested: usize, accepted: usize) -> RoundRecord {
        RoundRecord {
            prompt,
            tested,
            accepted,
            draft_len: tested + 1,
            ..RoundRecord::default()
        }
    }

    #[test]
    fn the_hazard_of_a_slot_is_the_share_rejected_of_those_that_reached_it() {
        // Slot 0 is reached four times and rejected once; slot 1 three times, rejected twice.
        let rounds = [
            round(0, 2, 2),
            round(0, 1, 0),
            round(1, 2, 1),
            round(1, 2, 1),
        ];
        let rounds: Vec<&RoundRecord> = rounds.iter().collect();
        let hazard = hazard(&trial(), &rounds, &Bootstrap::default()).unwrap();
        let facts: Vec<(u64, u64)> = hazard
            .slots
            .iter()
            .map(|slot| (slot.rejected, slot.reached))
            .collect();
        assert_eq!(facts, [(1, 4), (2, 3)]);
        assert_eq!(hazard.slots[0].share.estimate, 0.25);
        assert_eq!(counts_of_draft_lens(&rounds), [0, 0, 1, 3]);
    }

    #[test]
    fn only_tested_tokens_are_counted_by_entropy() {
        let slot = |entropy_nats: f64, outcome: &str| PositionRecord {
            entropy_nats,
            outcome: outcome.to_owned(),
            ..PositionRecord::default()
        };
        let slots = [
            slot(0.0, "accepted"),
            slot(0.003, "accepted"),
            slot(5.0, "rejected"),
            slot(5.0, "untested"),
        ];
        let slots: Vec<&PositionRecord> = slots.iter().collect();
        let counted = entropies(&trial(), &slots).unwrap();
        assert_eq!(counted.accepted[..3], [1, 1, 0]);
        assert_eq!(counted.rejected.last(), Some(&1));
        assert_eq!(counted.rejected.iter().sum::<u64>(), 1);
    }
}
