//! Metrics as columns of a table.

use super::acceptance::rates;
use super::cost::cost;
use super::{
    AcceptanceRates, CategoryMetrics, Cost, Quality, RunMetrics, TrialMetrics, TrialRows, quality,
};
use crate::record::schema::{CategoryRecord, Figures, GenerationRecord, Mode, TrialRecord};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;
use crate::stats::quantile::Percentiles;

/// Adds the columns of these metrics to the rows of trials that ran here; empty where a trial has none.
pub fn fill(records: &mut [TrialRecord], metrics: &RunMetrics) {
    let nothing = TrialMetrics::default();
    let is_live = |record: &&mut TrialRecord| record.mode == Mode::Live.name();
    for record in records.iter_mut().filter(is_live) {
        let mut trials = metrics.trials.iter();
        let own = trials.find(|trial| trial.trial_id == record.trial_id);
        record.figures = of_trial(own.unwrap_or(&nothing));
    }
}

/// The columns of a replayed trial: what generations alone tell. Its rounds have no times.
pub fn figures_of_replay(rows: &[&GenerationRecord], bootstrap: &Bootstrap) -> Figures {
    let rows = TrialRows {
        generations: rows.to_vec(),
        ..TrialRows::default()
    };
    of_trial(&TrialMetrics {
        acceptance: rates(&rows, bootstrap),
        quality: quality(&rows.generations, bootstrap),
        cost: cost(&rows.generations, bootstrap),
        ..TrialMetrics::default()
    })
}

/// The metrics of a replayed trial, from its row.
pub fn replayed(record: &TrialRecord, bootstrap: &Bootstrap) -> TrialMetrics {
    let value = |name: &str| record.figures.get(name);
    let ends = |name: &str, estimate: Option<f64>| {
        let (low, high) = (
            value(&format!("{name}_low")),
            value(&format!("{name}_high")),
        );
        Interval::read(estimate, low, high, bootstrap.confidence)
    };
    let interval = |name: &str| ends(name, value(name));
    let count = |name: &str| value(name).map(|n| n as u64);
    let confidence = bootstrap.confidence;
    TrialMetrics {
        trial_id: record.trial_id.clone(),
        label: record.label.clone(),
        family: record.family.clone(),
        mode: Mode::Replay,
        acceptance: AcceptanceRates {
            of_drafted: Interval::read(
                record.acceptance_rate,
                record.acceptance_rate_low,
                record.acceptance_rate_high,
                confidence,
            ),
            of_tested: ends("acceptance_rate_tested", record.acceptance_rate_tested),
            overlap: None,
        },
        quality: Quality {
            score: interval("score"),
            exact_match: Interval::read(
                record.exact_match,
                record.exact_match_low,
                record.exact_match_high,
                confidence,
            ),
            perplexity: interval("perplexity"),
        },
        cost: Cost {
            flops: count("flops"),
            drafter_flops: count("drafter_flops"),
            flops_per_committed: interval("flops_per_committed"),
            flops_per_accepted: interval("flops_per_accepted"),
            wasted_share: interval("wasted_flops_share"),
        },
        ..TrialMetrics::default()
    }
}

/// The rows of `categories.parquet` of one trial.
pub fn category_record(trial: &TrialMetrics, category: &CategoryMetrics) -> CategoryRecord {
    let mut columns = Columns::default();
    columns.interval("speedup", category.speedup);
    columns.interval("acceptance_rate", category.acceptance_rate);
    columns.interval("acceptance_rate_tested", category.acceptance_rate_tested);
    columns.interval("score", category.quality.score);
    columns.interval("exact_match", category.quality.exact_match);
    columns.interval("perplexity", category.quality.perplexity);
    CategoryRecord {
        trial_id: trial.trial_id.clone(),
        label: trial.label.clone(),
        family: trial.family.clone(),
        category: category.category.clone(),
        n_prompts: category.n_prompts,
        drafted: category.drafted,
        tested: category.tested,
        accepted: category.accepted,
        committed: category.committed,
        figures: columns.0,
    }
}

fn of_trial(trial: &TrialMetrics) -> Figures {
    let (quality, cost) = (&trial.quality, &trial.cost);
    let mut columns = Columns::default();
    columns.interval("score", quality.score);
    columns.interval("perplexity", quality.perplexity);
    columns.ends("acceptance_rate_tested", trial.acceptance.of_tested);
    columns.interval("overlap", trial.acceptance.overlap);
    columns.number("flops", cost.flops.map(|n| n as f64));
    columns.number("drafter_flops", cost.drafter_flops.map(|n| n as f64));
    columns.interval("flops_per_committed", cost.flops_per_committed);
    columns.interval("flops_per_accepted", cost.flops_per_accepted);
    columns.interval("wasted_flops_share", cost.wasted_share);
    let latency = trial.latency.as_ref();
    columns.percentiles("round_ns", latency.map(|latency| &latency.round_ns));
    columns.percentiles("token_ns", latency.map(|latency| &latency.token_ns));
    let speedup = trial.forward_speedup.as_ref();
    columns.interval("forward_speedup_expected", speedup.map(|one| one.expected));
    columns.interval("forward_speedup_realised", speedup.map(|one| one.realised));
    columns.interval("forward_speedup_share", speedup.map(|one| one.share));
    columns.0
}

#[derive(Default)]
struct Columns(Figures);

impl Columns {
    fn number(&mut self, name: &str, value: Option<f64>) {
        self.0.push(name, value);
    }

    fn interval(&mut self, name: &str, interval: Option<Interval>) {
        self.number(name, interval.map(|interval| interval.estimate));
        self.ends(name, interval);
    }

    /// Of an interval whose estimate is a column already.
    fn ends(&mut self, name: &str, interval: Option<Interval>) {
        self.number(
            &format!("{name}_low"),
            interval.map(|interval| interval.low),
        );
        self.number(
            &format!("{name}_high"),
            interval.map(|interval| interval.high),
        );
    }

    fn percentiles(&mut self, name: &str, percentiles: Option<&Percentiles>) {
        let of = |quantile: fn(&Percentiles) -> Interval| percentiles.map(quantile);
        self.interval(&format!("{name}_p50"), of(|all| all.p50));
        self.interval(&format!("{name}_p90"), of(|all| all.p90));
        self.interval(&format!("{name}_p99"), of(|all| all.p99));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::metrics::ForwardSpeedup;
    use crate::record::schema::FIGURES;

    #[test]
    fn every_trial_has_the_same_columns_whatever_is_known_of_it() {
        let mut known = TrialMetrics {
            trial_id: "a".into(),
            ..TrialMetrics::default()
        };
        known.quality.score = Some(Interval::exact(0.5));
        known.cost.flops = Some(7);
        known.forward_speedup = Some(ForwardSpeedup {
            expected: Interval::exact(2.0),
            realised: Interval::exact(1.5),
            share: Interval::exact(0.75),
        });
        let metrics = RunMetrics {
            trials: vec![known],
            ..RunMetrics::default()
        };
        let record = |id: &str, mode: &str| TrialRecord {
            trial_id: id.into(),
            mode: mode.into(),
            ..TrialRecord::default()
        };
        // The replay of a trial that also ran here keeps its own.
        let mut records = [
            record("a", "live"),
            record("b", "live"),
            record("a", "replay"),
        ];
        records[2].figures = figures_of_replay(&[], &Bootstrap::default());
        fill(&mut records, &metrics);
        let value = |row: usize, name: &str| records[row].figures.get(name);
        assert_eq!(value(0, "score"), Some(0.5));
        assert_eq!(value(0, "score_high"), Some(0.5));
        assert_eq!(value(0, "flops"), Some(7.0));
        let speedups = ["expected", "realised_low", "share", "share_high"];
        let of = |row: usize| speedups.map(|name| value(row, &format!("forward_speedup_{name}")));
        assert_eq!(of(0), [Some(2.0), Some(1.5), Some(0.75), Some(0.75)]);
        assert_eq!((of(1), of(2)), ([None; 4], [None; 4]));
        assert_eq!(value(1, "flops"), None);
        assert_eq!(value(2, "flops"), None);
        let names = |row: usize| records[row].figures.names();
        assert!(names(0) == names(1) && names(0) == names(2));
        let is_told_from_an_axis = |name: &String| FIGURES.iter().any(|one| name.starts_with(one));
        assert!(names(0).iter().all(is_told_from_an_axis));
    }
    #[test]
    fn what_a_replay_computes_is_read_back_from_its_row() {
        let row = GenerationRecord {
            drafted: 4,
            tested: 2,
            accepted: 1,
            committed: 3,
            verifier_flops: Some(900),
            drafter_flops: Some(100),
            wasted_flops: Some(500),
            score: Some(1.0),
            ..GenerationRecord::default()
        };
        let bootstrap = Bootstrap::default();
        let record = TrialRecord {
            acceptance_rate_tested: Some(0.5),
            figures: figures_of_replay(&[&row, &row], &bootstrap),
            ..TrialRecord::default()
        };
        let metrics = replayed(&record, &bootstrap);
        assert_eq!(metrics.mode, Mode::Replay);
        assert_eq!(metrics.cost, cost(&[&row, &row], &bootstrap));
        assert_eq!(metrics.cost.flops, Some(2_000));
        let tested = metrics.acceptance.of_tested.unwrap();
        assert_eq!((tested.low, tested.estimate, tested.high), (0.5, 0.5, 0.5));
        assert_eq!(metrics.quality.score.unwrap().estimate, 1.0);
    }
}
