//! Metrics as columns of a table.

use super::{CategoryMetrics, RunMetrics, TrialMetrics};
use crate::record::schema::{CategoryRecord, Figures, TrialRecord};
use crate::stats::interval::Interval;
use crate::stats::quantile::Percentiles;

/// Adds the columns of these metrics to the rows of trials; empty where a trial has none.
pub fn fill(records: &mut [TrialRecord], metrics: &RunMetrics) {
    let nothing = TrialMetrics::default();
    for record in records {
        let is_live = record.mode == crate::record::schema::Mode::Live.name();
        let own = metrics
            .trials
            .iter()
            .find(|trial| is_live && trial.trial_id == record.trial_id);
        record.figures = of_trial(own.unwrap_or(&nothing));
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
    columns.0
}

#[derive(Default)]
struct Columns(Figures);

impl Columns {
    fn number(&mut self, name: &str, value: Option<f64>) {
        self.0.push((name.to_owned(), value));
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
    use crate::record::schema::FIGURES;

    #[test]
    fn every_trial_has_the_same_columns_whatever_is_known_of_it() {
        let mut known = TrialMetrics {
            trial_id: "a".into(),
            ..TrialMetrics::default()
        };
        known.quality.score = Some(Interval::exact(0.5));
        known.cost.flops = Some(7);
        let metrics = RunMetrics {
            trials: vec![known],
            ..RunMetrics::default()
        };
        let record = |id: &str, mode: &str| TrialRecord {
            trial_id: id.into(),
            mode: mode.into(),
            ..TrialRecord::default()
        };
        // The replay of a trial that also ran here has no measured columns.
        let mut records = [
            record("a", "live"),
            record("b", "live"),
            record("a", "replay"),
        ];
        fill(&mut records, &metrics);
        let value = |row: usize, name: &str| {
            let mut figures = records[row].figures.iter();
            figures.find(|(other, _)| other == name).unwrap().1
        };
        assert_eq!(value(0, "score"), Some(0.5));
        assert_eq!(value(0, "score_high"), Some(0.5));
        assert_eq!(value(0, "flops"), Some(7.0));
        assert_eq!(value(1, "flops"), None);
        assert_eq!(value(2, "flops"), None);
        let names = |row: usize| records[row].figures.iter().map(|(name, _)| name);
        assert!(names(0).eq(names(1)));
        let is_told_from_an_axis = |name: &String| FIGURES.iter().any(|one| name.starts_with(one));
        assert!(names(0).all(is_told_from_an_axis));
    }
}
