//! Whether a number that is known while drafting tells which token will be rejected.
//!
//! The slots are those that the verifier tested, so they belong to the policy that made the drafts: a
//! rule that stops early tests few uncertain tokens.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::acceptance::{is_accepted, tested};
use super::light;
use crate::record::schema::PositionRecord;
use crate::stats::auroc::{Predictions, Scored};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::correlation::{point_biserial, spearman};
use crate::stats::interval::Interval;
use crate::stats::sample::Sample;

/// Resamples of the correlations, each of which sorts all slots.
const N_SORTS: NonZeroUsize = const { NonZeroUsize::new(200).unwrap() };

/// One number against rejection. Intervals are over prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Such as `shannon` or `1 − top1`.
    pub name: String,
    /// Tested tokens, and the rejected ones among them.
    pub tested: u64,
    pub rejected: u64,
    /// Chance that a rejected token has the greater value than an accepted one: 0.5 knows nothing.
    pub auroc: Option<Interval>,
    /// Pearson's correlation of the value with acceptance as 1: negative when uncertain tokens are
    /// rejected.
    pub point_biserial: Option<Interval>,
    /// The same of ranks.
    pub spearman: Option<Interval>,
}

type Read = fn(&PositionRecord) -> Option<f64>;

/// Everything that is known of a slot, greater where the drafter is less certain.
const SIGNALS: [(&str, Read); 8] = [
    ("shannon", |slot| Some(slot.seen?.shannon_nats)),
    ("renyi_2", |slot| Some(slot.seen?.renyi_2_nats)),
    ("tsallis_2", |slot| Some(slot.seen?.tsallis_2)),
    ("topk_10", |slot| Some(slot.seen?.topk_10_nats)),
    ("min", |slot| Some(slot.seen?.min_nats)),
    ("varentropy", |slot| Some(slot.seen?.varentropy_nats2)),
    ("1 − top1", |slot| Some(1.0 - slot.top1)),
    ("1 − margin", |slot| Some(1.0 - slot.margin)),
];

/// One row per number that the slots have; none without a tested slot.
pub(super) fn signals(positions: &[&PositionRecord], bootstrap: &Bootstrap) -> Vec<Signal> {
    let tested: Vec<&PositionRecord> = tested(positions).collect();
    let known = SIGNALS.iter();
    known
        .filter_map(|(name, read)| signal(name, *read, &tested, bootstrap))
        .collect()
}

fn signal(
    name: &str,
    read: Read,
    tested: &[&PositionRecord],
    bootstrap: &Bootstrap,
) -> Option<Signal> {
    let slots: Vec<(&PositionRecord, f64)> = tested
        .iter()
        .filter_map(|slot| Some((*slot, read(slot)?)))
        .collect();
    let scored = slots.iter().map(|(slot, value)| Scored {
        prompt: slot.prompt as u64,
        score: *value,
        label: !is_accepted(slot),
    });
    let predictions = Predictions::new(scored.collect()).ok()?;
    let bootstrap = light(bootstrap, slots.len());
    let few = Bootstrap {
        n_resamples: bootstrap.n_resamples.min(N_SORTS),
        ..bootstrap
    };
    let correlation = |statistic: fn(&Sample, &[bool]) -> Option<f64>| {
        over_prompts(&slots, &few, |slots| {
            let values = Sample::new(slots.iter().map(|(_, value)| *value).collect()).ok()?;
            let labels: Vec<bool> = slots.iter().map(|(slot, _)| is_accepted(slot)).collect();
            statistic(&values, &labels)
        })
    };
    let rejected = slots.iter().filter(|(slot, _)| !is_accepted(slot)).count();
    Some(Signal {
        name: name.to_owned(),
        tested: slots.len() as u64,
        rejected: rejected as u64,
        auroc: bootstrap.auroc(&predictions),
        point_biserial: correlation(point_biserial),
        spearman: correlation(|values, labels| {
            let labels = labels.iter().map(|&label| super::one_if(label));
            spearman(values, &Sample::new(labels.collect()).ok()?)
        }),
    })
}

/// A statistic of slots, whole prompts being resampled.
fn over_prompts<'r>(
    slots: &[(&'r PositionRecord, f64)],
    bootstrap: &Bootstrap,
    statistic: impl Fn(&[(&'r PositionRecord, f64)]) -> Option<f64>,
) -> Option<Interval> {
    let mut sorted = slots.to_vec();
    sorted.sort_by_key(|(slot, _)| slot.prompt);
    let prompts: Vec<&[(&PositionRecord, f64)]> = sorted
        .chunk_by(|(one, _), (other, _)| one.prompt == other.prompt)
        .collect();
    let estimate = statistic(slots)?;
    Some(bootstrap.around(estimate, prompts.len(), |drawn| {
        let drawn: Vec<_> = drawn
            .iter()
            .flat_map(|&prompt| prompts[prompt])
            .copied()
            .collect();
        statistic(&drawn)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::SlotRecord;

    fn slot(prompt: usize, shannon_nats: f64, is_accepted: bool) -> PositionRecord {
        PositionRecord {
            prompt,
            outcome: if is_accepted { "accepted" } else { "rejected" }.into(),
            top1: (-shannon_nats).exp(),
            margin: 0.5,
            seen: Some(SlotRecord {
                shannon_nats,
                ..SlotRecord::default()
            }),
            ..PositionRecord::default()
        }
    }

    fn of<'s>(signals: &'s [Signal], name: &str) -> &'s Signal {
        signals.iter().find(|signal| signal.name == name).unwrap()
    }

    #[test]
    fn an_entropy_that_orders_all_tokens_has_area_one_and_a_negative_correlation() {
        let slots = [
            slot(0, 0.1, true),
            slot(0, 0.2, true),
            slot(1, 0.3, true),
            slot(1, 2.0, false),
            slot(2, 0.2, true),
            slot(2, 1.5, false),
        ];
        let signals = signals(&slots.iter().collect::<Vec<_>>(), &Bootstrap::default());
        let shannon = of(&signals, "shannon");
        assert_eq!((shannon.tested, shannon.rejected), (6, 2));
        assert_eq!(shannon.auroc.unwrap().estimate, 1.0);
        assert!(shannon.point_biserial.unwrap().estimate < -0.9);
        assert!(shannon.spearman.unwrap().estimate < -0.8);
        // The largest probability falls with this entropy, so it orders the tokens alike.
        assert_eq!(of(&signals, "1 − top1").auroc.unwrap().estimate, 1.0);
        // A number that is the same everywhere knows nothing and correlates with nothing.
        let margin = of(&signals, "1 − margin");
        assert_eq!(margin.auroc.unwrap().estimate, 0.5);
        assert_eq!(margin.spearman, None);
    }

    #[test]
    fn slots_that_nobody_looked_back_at_have_only_what_the_drafter_noted() {
        let mut bare = [slot(0, 0.5, true), slot(1, 1.0, false)];
        for slot in &mut bare {
            slot.seen = None;
        }
        let signals = signals(&bare.iter().collect::<Vec<_>>(), &Bootstrap::default());
        let names: Vec<_> = signals.iter().map(|signal| signal.name.as_str()).collect();
        assert_eq!(names, ["1 − top1", "1 − margin"]);
    }
}
