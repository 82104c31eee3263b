//! How good filled tokens are, by the entropy at which they were filled and by their distance.

use std::collections::BTreeMap;

use crate::analysis::bins::{bin_name, bin_of};
use crate::analysis::rates::ratio_of_sums;
use crate::analysis::view::{FillGroup, Fills};
use crate::record::schema::PositionRecord;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;

/// Where the bins of filled slots meet.
const ENTROPY_EDGES: [f64; 7] = [0.01, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6];
/// Last distances of the distance bins; a last bin is open.
const DISTANCE_ENDS: [u32; 5] = [0, 1, 3, 7, 15];

/// None when no slot was filled. Intervals are over prompts, because the slots of a text depend on
/// each other.
pub fn fills(slots: &[&PositionRecord], bootstrap: &Bootstrap) -> Option<Fills> {
    let filled: Vec<&PositionRecord> = slots
        .iter()
        .copied()
        .filter(|slot| slot.outcome == "filled" && slot.agrees.is_some())
        .collect();
    let entropy_bin = |slot: &PositionRecord| bin_of(&ENTROPY_EDGES, slot.entropy_nats);
    let entropy_name = |bin: usize| bin_name(&ENTROPY_EDGES, bin);
    let distance_bin = |slot: &PositionRecord| {
        let distance = slot.distance;
        DISTANCE_ENDS
            .iter()
            .take_while(|end| distance > **end)
            .count()
    };
    (!filled.is_empty()).then(|| Fills {
        by_entropy: grouped(&filled, entropy_bin, entropy_name, bootstrap),
        by_distance: grouped(&filled, distance_bin, distance_name, bootstrap),
    })
}

fn distance_name(bin: usize) -> String {
    let low = bin
        .checked_sub(1)
        .map_or(0, |below| DISTANCE_ENDS[below] + 1);
    match DISTANCE_ENDS.get(bin) {
        Some(&high) if low == high => low.to_string(),
        Some(high) => format!("{low} to {high}"),
        None => format!("{low} and more"),
    }
}

fn grouped(
    filled: &[&PositionRecord],
    bin: impl Fn(&PositionRecord) -> usize,
    name: impl Fn(usize) -> String,
    bootstrap: &Bootstrap,
) -> Vec<FillGroup> {
    let mut groups: BTreeMap<usize, Vec<&PositionRecord>> = BTreeMap::new();
    for slot in filled {
        groups.entry(bin(slot)).or_default().push(slot);
    }
    groups
        .into_iter()
        .map(|(bin, slots)| FillGroup {
            name: name(bin),
            n: slots.len() as u64,
            agreed: share(&slots, |slot| slot.agrees, bootstrap),
            verifier_agreed: share(&slots, |slot| slot.verifier_agrees, bootstrap),
        })
        .collect()
}

fn share(
    slots: &[&PositionRecord],
    holds: impl Fn(&PositionRecord) -> Option<bool>,
    bootstrap: &Bootstrap,
) -> Option<Interval> {
    let mut by_prompt: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for slot in slots {
        if let Some(holds) = holds(slot) {
            let (agreed, n) = by_prompt.entry(slot.prompt).or_default();
            *agreed += f64::from(u8::from(holds));
            *n += 1.0;
        }
    }
    ratio_of_sums(by_prompt.into_values(), bootstrap)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(prompt: usize, entropy: f64, distance: u32, agrees: Option<bool>) -> PositionRecord {
        PositionRecord {
            prompt,
            entropy_nats: entropy,
            distance,
            outcome: "filled".into(),
            agrees,
            verifier_agrees: agrees.map(|agrees| !agrees),
            ..PositionRecord::default()
        }
    }

    #[test]
    fn slots_fall_into_half_open_entropy_bins_and_closed_distance_bins() {
        let slots = [
            slot(0, 0.0, 0, Some(true)),
            slot(0, 0.01, 1, Some(true)),
            slot(1, 0.049, 3, Some(false)),
            slot(1, 0.05, 4, Some(true)),
            slot(1, 9.0, 99, Some(true)),
            slot(1, 9.0, 99, None),
        ];
        let slots: Vec<&PositionRecord> = slots.iter().collect();
        let fills = fills(&slots, &Bootstrap::default()).unwrap();
        let facts = |groups: &[FillGroup]| -> Vec<(String, u64)> {
            groups
                .iter()
                .map(|group| (group.name.clone(), group.n))
                .collect()
        };
        let named = |list: &[(&str, u64)]| -> Vec<(String, u64)> {
            list.iter()
                .map(|(name, n)| ((*name).to_owned(), *n))
                .collect()
        };
        assert_eq!(
            facts(&fills.by_entropy),
            named(&[
                ("below 0.01", 1),
                ("0.01 to 0.05", 2),
                ("0.05 to 0.1", 1),
                ("1.6 and more", 1)
            ])
        );
        assert_eq!(
            facts(&fills.by_distance),
            named(&[
                ("0", 1),
                ("1", 1),
                ("2 to 3", 1),
                ("4 to 7", 1),
                ("16 and more", 1)
            ])
        );
        assert_eq!(fills.by_entropy[1].agreed.unwrap().estimate, 0.5);
        assert_eq!(fills.by_entropy[0].verifier_agreed.unwrap().estimate, 0.0);
    }

    #[test]
    fn without_a_committed_fill_there_is_no_table() {
        let slots = [slot(0, 0.1, 0, None)];
        let slots: Vec<&PositionRecord> = slots.iter().collect();
        assert_eq!(fills(&slots, &Bootstrap::default()), None);
    }
}
