use super::*;
use crate::analysis::view::SweepView;
use crate::config::load::parse_sweep;
use crate::plan::plan;

const PROMPTS: [u64; 3] = [1_000, 3_000, 2_000];

fn trials() -> Vec<Trial> {
    let text = "name: test
models: {verifier: 'embedded:v', drafter: 'embedded:d'}
workload: {source: 'synthetic:gsm8k', limit: 3}
timing: {duplicate_baseline: false}
decoders: [{name: k, kind: speculative, stop: {kind: fixed}, grid: {max_draft_len: [2, 4]}}]";
    plan(&parse_sweep("test.yaml", text, &[], &|_| None).unwrap())
        .unwrap()
        .trials
}

/// The generations of a trial on the first prompts, each `factor` times as long as [`PROMPTS`] says.
fn ran(trial: &Trial, shard: Option<&str>, factor: f64, n_prompts: usize) -> Vec<Entry> {
    let row = |(prompt, ns): (usize, &u64)| GenerationRecord {
        trial_id: trial.id.clone(),
        shard: shard.map(|shard| shard.parse().unwrap()),
        prompt,
        wall_ns: (*ns as f64 * factor) as u64,
        committed: 10,
        verifier_forwards: 10,
        text_hash: prompt.to_string(),
        ..GenerationRecord::default()
    };
    let rows = PROMPTS.iter().enumerate().take(n_prompts).map(row);
    rows.map(|generation| Entry {
        generation,
        ..Entry::default()
    })
    .collect()
}

fn estimate(interval: Option<Interval>) -> f64 {
    interval.unwrap().estimate
}

#[test]
fn the_baseline_timed_again_shows_the_noise_and_is_no_baseline() {
    let [once, first, second] = &trials()[..] else {
        panic!("a baseline and two trials")
    };
    let again = Trial {
        id: format!("{}-again", once.id),
        ..once.clone()
    };
    let entries = [
        ran(once, None, 1.0, 3),
        ran(&again, None, 1.25, 3),
        ran(first, None, 0.5, 3),
        ran(second, None, 2.0, 3),
    ]
    .concat();
    let trials = [once.clone(), again, first.clone(), second.clone()];
    let bootstrap = Bootstrap::default();
    let summariser = Summariser::new(&trials, &bootstrap);
    let summary = summarise(summariser, &trials, &entries, None);
    let speedups = summary.views.iter().map(|view| {
        let measures = view.measures().unwrap();
        estimate(measures.speedup)
    });
    assert_eq!(speedups.collect::<Vec<_>>(), [1.0, 0.8, 2.0, 0.5]);
    assert_eq!(summary.views[1].kind, TrialKind::Duplicate);
}

#[test]
fn a_trial_is_compared_with_the_baseline_of_its_own_shard() {
    let trials = trials();
    // The second machine is three times as slow; on both the trial takes half of the baseline's time.
    let entries = [
        ran(&trials[0], Some("2/2"), 3.0, 3),
        ran(&trials[2], Some("2/2"), 1.5, 3),
        ran(&trials[0], Some("1/2"), 1.0, 3),
        ran(&trials[1], Some("1/2"), 0.5, 3),
    ]
    .concat();
    let bootstrap = Bootstrap::default();
    let summariser = Summariser::new(&trials, &bootstrap);
    let summary = summarise(summariser, &trials, &entries, None);
    let measures = |index: usize| summary.views[index].measures().unwrap();
    for trial in [1, 2] {
        assert_eq!(estimate(measures(trial).speedup), 2.0);
        assert_eq!(estimate(measures(trial).same_text), 1.0);
        // As if they had run side by side.
        assert_eq!(measures(trial).prompt_ns, [500.0, 1_500.0, 1_000.0]);
    }
    assert_eq!(measures(0).prompt_ns, [1_000.0, 3_000.0, 2_000.0]);
    let shards = summary
        .records
        .iter()
        .map(|record| record.shard.unwrap().to_string());
    assert!(shards.eq(["1/2", "1/2", "2/2"]));
    let ratio = measures(1).tokens_per_second / measures(2).tokens_per_second;
    assert!(
        (ratio - 3.0).abs() < 1e-9,
        "tokens per second are those of the machine"
    );
}

#[test]
fn a_trial_whose_shard_has_no_baseline_has_no_speedup() {
    let trials = trials();
    let entries = [
        ran(&trials[0], Some("1/2"), 1.0, 3),
        ran(&trials[2], Some("2/2"), 0.5, 3),
    ]
    .concat();
    let bootstrap = Bootstrap::default();
    let summary = summarise(
        Summariser::new(&trials, &bootstrap),
        &trials,
        &entries,
        None,
    );
    assert_eq!(summary.views[2].measures().unwrap().speedup, None);
    assert_eq!(summary.views[1].result, Err("not run".to_string()));
}

#[test]
fn a_dropped_trial_keeps_the_figures_of_its_prompts_and_is_not_the_best() {
    let trials = trials();
    let entries = [
        ran(&trials[0], None, 1.0, 3),
        ran(&trials[1], None, 0.25, 2),
        ran(&trials[2], None, 0.5, 3),
    ]
    .concat();
    let bootstrap = Bootstrap::default();
    let dropped = HashMap::from([(trials[1].id.as_str(), 2)]);
    let summariser = Summariser::new(&trials, &bootstrap).with_dropped(dropped);
    let Summary { views, records } = summarise(summariser, &trials, &entries, None);
    assert_eq!(records[1].note.as_deref(), Some("dropped after 2 prompts"));
    assert_eq!(
        (records[1].n_prompts, records[2].note.as_deref()),
        (2, None)
    );
    assert_eq!(estimate(views[1].measures().unwrap().speedup), 4.0);
    let view = SweepView {
        trials: views[1..].to_vec(),
        ..SweepView::default()
    };
    assert_eq!(view.best_fixed().unwrap().label, "k max=4");
}

#[test]
fn an_error_of_the_calibration_adds_up_in_squares_of_logarithms() {
    let interval = |low: f64, high: f64| Interval {
        estimate: 2.0,
        low: 2.0 / low,
        high: 2.0 * high,
        confidence: 0.95,
    };
    let (one, other) = (interval(1.3, 1.3), interval(1.4, 1.0));
    let both = widened(one, &other);
    let expected = (1.3f64.ln().powi(2) + 1.4f64.ln().powi(2)).sqrt().exp();
    assert!((2.0 / both.low - expected).abs() < 1e-12);
    assert!((both.high / 2.0 - 1.3).abs() < 1e-12);
    assert_eq!(widened(one, &Interval::exact(1.7)), {
        let same = widened(one, &Interval::exact(1.0));
        assert!((same.low - one.low).abs() < 1e-12);
        same
    });
}
