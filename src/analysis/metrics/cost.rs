//! Floating-point operations for what they give.

use serde::{Deserialize, Serialize};

use super::ratio;
use crate::record::schema::GenerationRecord;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;

/// Intervals are over prompts; all none where the rows do not say what was computed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Operations of both models in all decode forwards.
    pub flops: Option<u64>,
    /// The drafter's part of them.
    pub drafter_flops: Option<u64>,
    pub flops_per_committed: Option<Interval>,
    /// None where nothing was accepted.
    pub flops_per_accepted: Option<Interval>,
    /// Operations on draft tokens that were not accepted, over all.
    pub wasted_share: Option<Interval>,
}

pub(super) fn cost(rows: &[&GenerationRecord], bootstrap: &Bootstrap) -> Cost {
    let known: Vec<(&GenerationRecord, u64)> = rows
        .iter()
        .filter_map(|row| Some((*row, flops(row)?)))
        .collect();
    if known.is_empty() {
        return Cost::default();
    }
    let per = |tokens: fn(&GenerationRecord) -> u64| {
        let pairs = known.iter().map(|(row, n)| (*n as f64, tokens(row) as f64));
        ratio(pairs, bootstrap)
    };
    let wasted = known
        .iter()
        .filter_map(|(row, n)| Some((row.wasted_flops? as f64, *n as f64)));
    Cost {
        flops: Some(known.iter().map(|(_, n)| n).sum()),
        drafter_flops: Some(known.iter().filter_map(|(row, _)| row.drafter_flops).sum()),
        flops_per_committed: per(|row| row.committed),
        flops_per_accepted: per(|row| row.accepted),
        wasted_share: ratio(wasted, bootstrap),
    }
}

/// Of both models.
fn flops(row: &GenerationRecord) -> Option<u64> {
    Some(row.verifier_flops? + row.drafter_flops.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verifier: u64, drafter: u64, wasted: u64, accepted: u64) -> GenerationRecord {
        GenerationRecord {
            verifier_flops: Some(verifier),
            drafter_flops: Some(drafter),
            wasted_flops: Some(wasted),
            accepted,
            committed: 2 * accepted,
            ..GenerationRecord::default()
        }
    }

    #[test]
    fn operations_are_added_up_before_they_are_divided() {
        let rows = [row(900, 100, 500, 5), row(500, 0, 0, 0)];
        let cost = cost(&rows.iter().collect::<Vec<_>>(), &Bootstrap::default());
        let estimate = |interval: Option<Interval>| interval.unwrap().estimate;
        assert_eq!((cost.flops, cost.drafter_flops), (Some(1_500), Some(100)));
        assert_eq!(estimate(cost.flops_per_committed), 150.0);
        assert_eq!(estimate(cost.flops_per_accepted), 300.0);
        assert_eq!(estimate(cost.wasted_share), 1.0 / 3.0);
    }

    #[test]
    fn rows_that_do_not_say_what_was_computed_have_no_cost() {
        let rows = [GenerationRecord::default()];
        let cost = cost(&rows.iter().collect::<Vec<_>>(), &Bootstrap::default());
        assert_eq!(cost, Cost::default());
    }
}
