use super::*;
use crate::analysis::cost::{ForwardTimes, SizeTimes};
use crate::analysis::timed::timed_prompts;
use crate::record::journal::Entry;
use crate::record::schema::GenerationRecord;

fn cost(times: &[(usize, f64)]) -> Option<ForwardCost> {
    let sizes = times.iter().map(|&(n_tokens, ns)| SizeTimes {
        n_tokens,
        ns: vec![ns],
    });
    let times = ForwardTimes {
        sizes: sizes.collect(),
        ..ForwardTimes::default()
    };
    times.cost()
}

/// Verifier: 100 ns and 20 for each further row; drafter: 10; window: as the verifier.
fn costs() -> RunCosts {
    let large = cost(&[(1, 100.0), (5, 180.0)]);
    let costs = RoleCosts {
        verifier: large.clone(),
        drafter: cost(&[(1, 10.0)]),
        window: large,
    };
    RunCosts([(None, costs)].into())
}

fn trial(decoder: &str) -> Trial {
    Trial {
        id: "own".into(),
        label: "own".into(),
        family: "own".into(),
        names: Vec::new(),
        decoder: serde_json::from_str(decoder).unwrap(),
        axes: Vec::new(),
    }
}

fn fixed() -> Trial {
    trial(r#"{"kind": "speculative", "stop": {"kind": "fixed"}}"#)
}

fn window() -> Trial {
    trial(r#"{"kind": "window"}"#)
}

/// `prefill_ns` of 1000 before the decoding.
fn entry(
    prompt: usize,
    repeat: usize,
    decode_ns: u64,
    committed: u64,
    rounds: &[(usize, usize)],
) -> Entry {
    let rounds = rounds
        .iter()
        .map(|&(drafter_forwards, n_rows)| RoundRecord {
            prompt,
            drafter_forwards,
            n_rows,
            ..RoundRecord::default()
        });
    Entry {
        generation: GenerationRecord {
            prompt,
            repeat,
            prefill_ns: 1_000,
            wall_ns: 1_000 + decode_ns,
            committed,
            ..GenerationRecord::default()
        },
        rounds: rounds.collect(),
        ..Entry::default()
    }
}

fn of(
    trial: &Trial,
    own: &[Entry],
    baseline: &[Entry],
    costs: &RunCosts,
) -> Option<ForwardSpeedup> {
    let (own, baseline): (Vec<_>, Vec<_>) = (own.iter().collect(), baseline.iter().collect());
    let prompts = timed_prompts(&own, &baseline);
    let rows = TrialRows::of(&own);
    forward_speedup(trial, &prompts, &rows, costs, &Bootstrap::default())
}

fn is(interval: Interval, value: f64) -> bool {
    (interval.estimate - value).abs() < 1e-12
}

/// Prompts of 8 and 4 tokens that took nothing but forwards.
fn baseline() -> [Entry; 2] {
    [entry(0, 0, 800, 8, &[]), entry(1, 0, 400, 4, &[])]
}

#[test]
fn where_nothing_but_forwards_takes_time_all_of_the_speedup_is_there() {
    // Four drafter forwards and five rows: 40 + 180; a round without a draft: 100.
    let own = [
        entry(0, 0, 220 + 220, 8, &[(4, 5), (4, 5)]),
        entry(1, 0, 220 + 100, 4, &[(4, 5), (0, 1)]),
    ];
    let speedup = of(&fixed(), &own, &baseline(), &costs()).unwrap();
    assert!(is(speedup.expected, 1_200.0 / 760.0), "{speedup:?}");
    assert!(is(speedup.realised, 1_200.0 / 760.0), "{speedup:?}");
    assert!(is(speedup.share, 1.0), "{speedup:?}");
    // So it is on each prompt, and in every resample.
    assert!((speedup.share.low - 1.0).abs() < 1e-12 && (speedup.share.high - 1.0).abs() < 1e-12);
    assert!(speedup.expected.low < speedup.expected.high);
}

#[test]
fn what_is_not_a_forward_lowers_the_share_and_repeats_count_by_their_median() {
    let own = [
        entry(0, 0, 1_100, 8, &[(4, 5), (4, 5)]),
        entry(0, 1, 550, 8, &[]),
        entry(0, 2, 550, 8, &[]),
    ];
    let speedup = of(&fixed(), &own, &baseline(), &costs()).unwrap();
    assert!(is(speedup.expected, 800.0 / 440.0), "{speedup:?}");
    assert!(is(speedup.realised, 800.0 / 550.0), "{speedup:?}");
    assert!(is(speedup.share, 0.8), "{speedup:?}");
    assert!(
        !speedup.share.is_bounded(),
        "one prompt says nothing of others"
    );
}

#[test]
fn a_window_pays_for_the_rows_that_it_feeds() {
    // Nine rows lie beyond the largest size that was timed: 180 + 4 · 20.
    let own = [entry(0, 0, 180 + 260, 8, &[(0, 5), (0, 9)])];
    let speedup = of(&window(), &own, &baseline(), &costs()).unwrap();
    assert!(is(speedup.expected, 800.0 / 440.0), "{speedup:?}");
    assert!(is(speedup.share, 1.0), "{speedup:?}");
}

#[test]
fn a_text_of_another_length_than_the_baselines_does_not_change_the_share() {
    let own = [entry(0, 0, 180, 3, &[(0, 5)])];
    let speedup = of(&window(), &own, &baseline(), &costs()).unwrap();
    assert!(is(speedup.expected, 800.0 / 180.0), "{speedup:?}");
    assert!(is(speedup.share, 1.0), "{speedup:?}");
}

#[test]
fn a_trial_without_times_has_no_expected_speedup() {
    let own = [entry(0, 0, 440, 8, &[(4, 5), (4, 5)])];
    let known = |trial: &Trial, own: &[Entry], baseline: &[Entry], costs: &RunCosts| {
        of(trial, own, baseline, costs).is_some()
    };
    assert!(known(&fixed(), &own, &baseline(), &costs()));
    assert!(!known(&fixed(), &own, &baseline(), &RunCosts::default()));
    assert!(!known(&fixed(), &own, &[], &costs()));
    let without_rounds = [entry(0, 0, 440, 8, &[])];
    assert!(!known(&fixed(), &without_rounds, &baseline(), &costs()));
    let mut without_window = costs();
    without_window.0.get_mut(&None).unwrap().window = None;
    assert!(!known(&window(), &own, &baseline(), &without_window));
    assert!(known(&fixed(), &own, &baseline(), &without_window));
}

#[test]
fn neither_a_baseline_nor_a_batch_nor_a_window_that_drafts_has_one() {
    let own = [entry(0, 0, 440, 8, &[(4, 5), (4, 5)])];
    for decoder in [
        r#"{"kind": "autoregressive"}"#,
        r#"{"kind": "speculative", "stop": {"kind": "fixed"}, "batch_size": 4}"#,
        r#"{"kind": "window_draft"}"#,
    ] {
        assert_eq!(of(&trial(decoder), &own, &baseline(), &costs()), None);
    }
}
