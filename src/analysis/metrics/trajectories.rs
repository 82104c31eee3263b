//! How the drafter's entropy runs over the slots of a draft.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::acceptance::is_accepted;
use super::{one_if, ratio, sums_by_prompt};
use crate::record::schema::PositionRecord;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;

/// Shorter drafts have no shape.
const FEWEST_SLOTS: usize = 3;
/// A draft whose entropies all lie within this many nats is flat: about the step between the
/// thresholds that a sweep tries.
const FLAT_NATS: f64 = 0.25;
/// A slot inside of the draft makes a peak (or a dip) when it lies beyond both ends by this share of the
/// distance between the greatest and the least entropy.
const BEYOND_SHARE: f64 = 0.5;
/// Places from the first slot (0) to the last (1) at which the profile of a shape is given.
pub const PROFILE_PLACES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// The shape of a draft's entropies; the first that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    Flat,
    Peak,
    Dip,
    Rising,
    Falling,
}

/// The drafts of one shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShapeClass {
    pub shape: Shape,
    pub drafts: u64,
    /// Of all drafts of at least three tokens; the interval is over prompts.
    pub share: Option<Interval>,
    /// Σ accepted / Σ drafted.
    pub acceptance_rate: Option<Interval>,
    /// Mean entropy in nats at [`PROFILE_PLACES`], linear between slots.
    pub profile_nats: Vec<f64>,
    /// The first draft of this shape: its text, and how many of its tokens were accepted.
    pub example: String,
    pub example_accepted: usize,
}

/// A draft in the order of its slots.
struct Drafted<'r> {
    slots: Vec<&'r PositionRecord>,
    shape: Shape,
}

impl Drafted<'_> {
    fn prompt(&self) -> usize {
        self.slots[0].prompt
    }

    fn entropies(&self) -> Vec<f64> {
        entropies(&self.slots)
    }

    fn n_accepted(&self) -> usize {
        self.slots.iter().filter(|slot| is_accepted(slot)).count()
    }
}

fn entropies(slots: &[&PositionRecord]) -> Vec<f64> {
    slots.iter().map(|slot| slot.entropy_nats).collect()
}

/// Shapes by the entropy that the decoder read, the frequent ones first.
pub(super) fn shapes(positions: &[&PositionRecord], bootstrap: &Bootstrap) -> Vec<ShapeClass> {
    let drafts = drafts(positions);
    let mut classes: BTreeMap<Shape, Vec<&Drafted<'_>>> = BTreeMap::new();
    for draft in &drafts {
        classes.entry(draft.shape).or_default().push(draft);
    }
    let mut shapes: Vec<ShapeClass> = classes
        .into_iter()
        .map(|(shape, own)| {
            let shares = sums_by_prompt(
                drafts.iter(),
                |draft| draft.prompt(),
                |draft| (one_if(draft.shape == shape), 1.0),
            );
            let accepted = sums_by_prompt(
                own.iter(),
                |draft| draft.prompt(),
                |draft| (draft.n_accepted() as f64, draft.slots.len() as f64),
            );
            let first = own[0];
            ShapeClass {
                shape,
                drafts: own.len() as u64,
                share: ratio(shares.into_values(), bootstrap),
                acceptance_rate: ratio(accepted.into_values(), bootstrap),
                profile_nats: profile(&own),
                example: first.slots.iter().map(|slot| slot.text.as_str()).collect(),
                example_accepted: first.n_accepted(),
            }
        })
        .collect();
    shapes.sort_by_key(|class| std::cmp::Reverse(class.drafts));
    shapes
}

/// Drafts that are long enough, in the order of prompts and rounds.
fn drafts<'r>(positions: &[&'r PositionRecord]) -> Vec<Drafted<'r>> {
    let mut drafts: BTreeMap<(usize, usize), Vec<&PositionRecord>> = BTreeMap::new();
    let is_drafted = |slot: &PositionRecord| {
        let outcome = slot.outcome.as_str();
        outcome == "accepted" || outcome == "rejected" || outcome == "untested"
    };
    for slot in positions.iter().filter(|slot| is_drafted(slot)) {
        let draft = drafts.entry((slot.prompt, slot.round)).or_default();
        draft.push(slot);
    }
    let long = drafts
        .into_values()
        .filter(|slots| slots.len() >= FEWEST_SLOTS);
    long.map(|mut slots| {
        slots.sort_by_key(|slot| slot.slot);
        let shape = shape(&entropies(&slots));
        Drafted { slots, shape }
    })
    .collect()
}

/// The shape of at least [`FEWEST_SLOTS`] entropies.
fn shape(entropies: &[f64]) -> Shape {
    let (first, last) = (entropies[0], entropies[entropies.len() - 1]);
    let greatest = entropies.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = entropies.iter().copied().fold(f64::INFINITY, f64::min);
    let span = greatest - least;
    let beyond = BEYOND_SHARE * span;
    if span < FLAT_NATS {
        Shape::Flat
    } else if greatest - first.max(last) >= beyond {
        Shape::Peak
    } else if first.min(last) - least >= beyond {
        Shape::Dip
    } else if last > first {
        Shape::Rising
    } else {
        Shape::Falling
    }
}

fn profile(drafts: &[&Drafted<'_>]) -> Vec<f64> {
    let at = |place: f64| {
        let values = drafts
            .iter()
            .map(|draft| value_at(&draft.entropies(), place));
        values.sum::<f64>() / drafts.len() as f64
    };
    PROFILE_PLACES.iter().map(|&place| at(place)).collect()
}

/// Linear between the two slots around `place`.
fn value_at(entropies: &[f64], place: f64) -> f64 {
    let place = place * (entropies.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(entropies.len() - 1);
    entropies[below] + (entropies[above] - entropies[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(
        prompt: usize,
        round: usize,
        entropies: &[f64],
        accepted: usize,
    ) -> Vec<PositionRecord> {
        let slots = entropies.iter().enumerate();
        slots
            .map(|(slot, &entropy_nats)| PositionRecord {
                prompt,
                round,
                slot,
                entropy_nats,
                text: format!("{slot} "),
                outcome: match slot.cmp(&accepted) {
                    std::cmp::Ordering::Less => "accepted",
                    std::cmp::Ordering::Equal => "rejected",
                    std::cmp::Ordering::Greater => "untested",
                }
                .into(),
                ..PositionRecord::default()
            })
            .collect()
    }

    #[test]
    fn a_shape_is_told_from_the_ends_the_greatest_and_the_least_entropy() {
        assert_eq!(shape(&[0.1, 0.3, 0.2]), Shape::Flat);
        assert_eq!(shape(&[0.1, 1.0, 2.0]), Shape::Rising);
        assert_eq!(shape(&[2.0, 0.9, 0.0]), Shape::Falling);
        assert_eq!(shape(&[0.1, 2.0, 0.2]), Shape::Peak);
        assert_eq!(shape(&[2.0, 0.1, 1.9]), Shape::Dip);
        // The bump beyond the last slot is less than half of the span.
        assert_eq!(shape(&[0.0, 1.4, 1.0]), Shape::Rising);
    }

    #[test]
    fn drafts_of_a_shape_share_a_row_with_acceptance_profile_and_example() {
        let slots = [
            draft(0, 0, &[0.0, 1.0, 2.0], 3),
            draft(0, 1, &[0.0, 0.0, 0.1], 3),
            draft(1, 0, &[0.0, 0.5, 1.0, 1.5, 2.0], 1),
            // Too short to have a shape.
            draft(1, 1, &[0.0, 9.0], 1),
            draft(1, 2, &[1.0, 2.0, 4.0], 0),
        ]
        .concat();
        let shapes = shapes(&slots.iter().collect::<Vec<_>>(), &Bootstrap::default());
        assert_eq!(shapes.len(), 2);
        let rising = &shapes[0];
        assert_eq!((rising.shape, rising.drafts), (Shape::Rising, 3));
        assert_eq!(rising.share.unwrap().estimate, 0.75);
        // 3 + 1 + 0 accepted of 3 + 5 + 3 drafted.
        assert!((rising.acceptance_rate.unwrap().estimate - 4.0 / 11.0).abs() < 1e-12);
        // Middles are 1, 1 and 2; ends 2, 2 and 4.
        assert!((rising.profile_nats[2] - 4.0 / 3.0).abs() < 1e-12);
        assert!((rising.profile_nats[4] - 8.0 / 3.0).abs() < 1e-12);
        assert_eq!(rising.example, "0 1 2 ");
        assert_eq!(rising.example_accepted, 3);
    }
}
