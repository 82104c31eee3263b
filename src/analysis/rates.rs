//! Rates of a trial over all of its prompts or some, each computed in one way wherever it is shown.
//!
//! A ratio is one of sums over prompts with the full bootstrap, a share of prompts has Wilson's interval.

use crate::record::schema::GenerationRecord;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::{Confidence, Interval};
use crate::stats::proportion::wilson;
use crate::stats::sample::Pairs;

/// Σ one / Σ other of pairs, one pair a prompt; none where the second sum is zero. Of the baseline's wall
/// times and a trial's own it is the speedup.
pub fn ratio_of_sums(
    pairs: impl Iterator<Item = (f64, f64)>,
    bootstrap: &Bootstrap,
) -> Option<Interval> {
    let (one, other) = pairs.unzip();
    Some(bootstrap.ratio_of_sums(&Pairs::new(one, other).ok()?))
}

/// Σ accepted / Σ drafted. Of a window decoder, which drafts nothing: the share of committed tokens that
/// equal its own autoregressive choice.
pub fn acceptance_rate(rows: &[&GenerationRecord], bootstrap: &Bootstrap) -> Option<Interval> {
    let agreed = rows
        .iter()
        .filter_map(|row| Some((row.agreed? as f64, row.committed as f64)));
    if agreed.clone().next().is_some() {
        return ratio_of_sums(agreed, bootstrap);
    }
    let counts = rows
        .iter()
        .map(|row| (row.accepted as f64, row.drafted as f64));
    ratio_of_sums(counts, bootstrap)
}

/// Σ accepted / Σ tested; none of a window decoder, whose `accepted` are no tokens of a draft.
pub fn acceptance_rate_tested(
    rows: &[&GenerationRecord],
    bootstrap: &Bootstrap,
) -> Option<Interval> {
    let counts = rows
        .iter()
        .map(|row| (row.accepted as f64, row.tested as f64));
    ratio_of_sums(counts, bootstrap).filter(|_| rows.iter().any(|row| row.drafted > 0))
}

/// Right answers among the prompts whose answer is right or wrong.
pub fn exact_match(rows: &[&GenerationRecord]) -> Option<Interval> {
    share(rows.iter().filter_map(|row| row.is_correct))
}

/// Share of prompts for which something holds; none without a prompt.
pub fn share(holds: impl Iterator<Item = bool>) -> Option<Interval> {
    let (mut yes, mut n) = (0, 0);
    for holds in holds {
        yes += u64::from(holds);
        n += 1;
    }
    wilson(yes, n, Confidence::P95)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(accepted: u64, drafted: u64, agreed: Option<u64>) -> GenerationRecord {
        GenerationRecord {
            accepted,
            drafted,
            tested: drafted / 2,
            committed: 10,
            agreed,
            ..GenerationRecord::default()
        }
    }

    #[test]
    fn a_draft_is_accepted_and_a_window_agrees_with_itself() {
        let estimate = |rows: &[GenerationRecord]| {
            let rows: Vec<_> = rows.iter().collect();
            acceptance_rate(&rows, &Bootstrap::default()).map(|rate| rate.estimate)
        };
        assert_eq!(estimate(&[row(3, 8, None), row(1, 8, None)]), Some(0.25));
        assert_eq!(estimate(&[row(3, 0, Some(9)), row(1, 0, None)]), Some(0.9));
        assert_eq!(estimate(&[row(0, 0, None)]), None);
        let window = row(3, 0, Some(9));
        assert_eq!(
            acceptance_rate_tested(&[&window], &Bootstrap::default()),
            None
        );
    }

    #[test]
    fn prompts_without_an_answer_count_for_nothing() {
        let rows = [Some(true), None, Some(false)].map(|is_correct| GenerationRecord {
            is_correct,
            ..GenerationRecord::default()
        });
        let share = exact_match(&rows.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(share.estimate, 0.5);
        assert_eq!(Some(share), wilson(1, 2, Confidence::P95));
        assert_eq!(exact_match(&[]), None);
    }
}
