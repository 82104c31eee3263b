//! How far predicted speedups are from measured ones.

use crate::analysis::view::{CheckedTrial, ReplayCheck};
use crate::record::manifest::ReplayCounts;
use crate::stats::correlation::spearman;
use crate::stats::sample::Sample;

/// The check of the rounds, given by its counts, with that of the times.
pub fn replay_check(counts: ReplayCounts, trials: Vec<CheckedTrial>) -> ReplayCheck {
    let column = |of: fn(&CheckedTrial) -> f64| Sample::new(trials.iter().map(of).collect()).ok();
    let errors = column(|trial| (trial.predicted.estimate / trial.measured.estimate - 1.0).abs());
    let (one, other) = (
        column(|trial| trial.predicted.estimate),
        column(|trial| trial.measured.estimate),
    );
    ReplayCheck {
        n_replayed: counts.n_replayed,
        n_generations: counts.n_generations,
        n_rounds: counts.n_rounds,
        n_different: counts.n_different,
        n_near_ties: counts.n_near_ties,
        median_error: errors.as_ref().map(Sample::median),
        largest_error: errors.map(|errors| errors.quantile(1.0)),
        rank_correlation: one
            .zip(other)
            .and_then(|(one, other)| spearman(&one, &other)),
        trials,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::interval::Interval;

    #[test]
    fn errors_are_relative_to_what_was_measured() {
        let checked = |predicted: f64, measured: f64| CheckedTrial {
            label: String::new(),
            predicted: Interval::exact(predicted),
            measured: Interval::exact(measured),
        };
        let trials = vec![checked(1.5, 1.0), checked(2.0, 2.0), checked(2.5, 2.0)];
        let check = replay_check(ReplayCounts::default(), trials);
        assert_eq!(check.median_error, Some(0.25));
        assert_eq!(check.largest_error, Some(0.5));
    }
}
