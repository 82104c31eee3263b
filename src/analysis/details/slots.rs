//! What became of the slots of drafts: rejection by slot and by entropy.

use super::{DraftEntropies, Hazard};
use crate::analysis::bins::{ENTROPY_EDGES, bin_of};
use crate::analysis::hazard::hazard;
use crate::analysis::view::TrialView;
use crate::record::schema::{PositionRecord, RoundRecord};
use crate::stats::bootstrap::Bootstrap;

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
pub(super) fn hazard_of(
    trial: &TrialView,
    rounds: &[&RoundRecord],
    bootstrap: &Bootstrap,
) -> Option<Hazard> {
    let slots = hazard(rounds, bootstrap);
    (!slots.is_empty()).then(|| Hazard {
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
            counts[bin_of(&ENTROPY_EDGES, slot.entropy_nats)] += 1;
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

    #[test]
    fn rounds_are_counted_by_the_length_of_their_draft() {
        let rounds = [2, 3, 3].map(|draft_len| RoundRecord {
            draft_len,
            ..RoundRecord::default()
        });
        let rounds: Vec<&RoundRecord> = rounds.iter().collect();
        assert_eq!(counts_of_draft_lens(&rounds), [0, 0, 1, 2]);
        assert_eq!(
            hazard_of(&trial(), &rounds, &Bootstrap::default()),
            None,
            "no slot was tested"
        );
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
