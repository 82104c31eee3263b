use statrs::distribution::{ContinuousCDF, Normal};

use super::*;

const BASELINE: [f64; 5] = [9.0, 11.5, 8.2, 20.0, 14.1];
const TRIAL: [f64; 5] = [6.1, 7.0, 6.9, 9.5, 9.9];

fn pairs() -> Pairs {
    Pairs::new(BASELINE.to_vec(), TRIAL.to_vec()).unwrap()
}

fn with_resamples(n_resamples: usize) -> Bootstrap {
    Bootstrap {
        n_resamples: NonZeroUsize::new(n_resamples).unwrap(),
        ..Bootstrap::default()
    }
}

#[test]
fn random_resamples_come_close_to_all_resamples() {
    // The exact bounds over all 5⁵ resamples are in the tests of bounds.rs (scipy 1.17.1).
    let interval = with_resamples(50_000).ratio_of_sums(&pairs());
    assert!((interval.estimate - 1.5939086294416245).abs() < 1e-12);
    assert!((interval.low - 1.3817733990147782).abs() < 0.01);
    assert!((interval.high - 1.9643652561247218).abs() < 0.01);
}

#[test]
fn the_patch_data_give_the_published_ratio_and_jackknife_error() {
    // Efron and Tibshirani 1993, table 10.1: hormone patches; the ratio is −.0713 and its
    // jackknife standard error .106 (section 11.3); the 90 % interval is scipy 1.17.1,
    // bootstrap((y, z), paired=True, n_resamples=400000, method="BCa", rng=1): [−.2036, .1362].
    let y = [
        -1200.0, 2601.0, -2705.0, 1982.0, -1290.0, 351.0, -638.0, -2719.0,
    ];
    let z = [
        8406.0, 2342.0, 8187.0, 8459.0, 4795.0, 3516.0, 4796.0, 10238.0,
    ];
    let pairs = Pairs::new(y.to_vec(), z.to_vec()).unwrap();
    assert!((pairs.ratio_of_sums() + 0.0713).abs() < 5e-5);

    let jackknife = leave_one_out(8, |indices| pairs.ratio_of_sums_at(indices)).unwrap();
    let mean = jackknife.mean();
    let squares: f64 = jackknife.values().iter().map(|v| (v - mean).powi(2)).sum();
    assert!(((7.0 / 8.0 * squares).sqrt() - 0.1055).abs() < 5e-5);

    let bootstrap = Bootstrap {
        confidence: Confidence::new(0.9).unwrap(),
        ..with_resamples(50_000)
    };
    let interval = bootstrap.ratio_of_sums(&pairs);
    assert!((interval.low + 0.2036).abs() < 0.005, "{interval:?}");
    assert!((interval.high - 0.1362).abs() < 0.005, "{interval:?}");
}

#[test]
fn the_seed_decides_the_interval() {
    let pairs = pairs();
    let first = with_resamples(500);
    let other_seed = Bootstrap { seed: 18, ..first };
    assert_eq!(first.ratio_of_sums(&pairs), first.ratio_of_sums(&pairs));
    assert_ne!(
        first.ratio_of_sums(&pairs),
        other_seed.ratio_of_sums(&pairs)
    );
}

#[test]
fn the_resamples_are_the_same_on_every_machine() {
    let first_three = std::cell::RefCell::new(Vec::new());
    with_resamples(3).resample(6, |indices| {
        first_three.borrow_mut().push(indices.to_vec());
        None
    });
    // ChaCha8, seed 17, as rand 0.9 draws from 0..6; a change here changes every report.
    let expected = [[4, 4, 1, 3, 3, 3], [4, 4, 1, 3, 1, 2], [1, 2, 4, 3, 4, 2]];
    assert_eq!(first_three.into_inner(), expected);
}

#[test]
fn leaving_one_out_leaves_each_prompt_out_once() {
    let seen = std::cell::RefCell::new(Vec::new());
    leave_one_out(3, |indices| {
        seen.borrow_mut().push(indices.to_vec());
        Some(0.0)
    });
    assert_eq!(seen.into_inner(), [vec![1, 2], vec![0, 2], vec![0, 1]]);
}

#[test]
fn one_prompt_has_an_estimate_but_no_interval() {
    let one = Pairs::new(vec![3.0], vec![2.0]).unwrap();
    let interval = with_resamples(100).ratio_of_sums(&one);
    assert_eq!(interval.estimate, 1.5);
    assert!(!interval.is_bounded());
}

#[test]
fn prompts_that_all_agree_leave_no_doubt() {
    let pairs = Pairs::new(vec![2.0; 10], vec![1.0; 10]).unwrap();
    let interval = with_resamples(200).ratio_of_sums(&pairs);
    assert_eq!((interval.low, interval.high), (2.0, 2.0));
}

#[test]
fn pairing_removes_what_the_prompts_have_in_common() {
    // Lengths differ a hundredfold between prompts, but every prompt runs 1.5 times as fast.
    let baseline: Vec<f64> = (1..=40).map(|i| f64::from(i * i)).collect();
    let trial: Vec<f64> = baseline.iter().map(|time| time / 1.5).collect();
    let interval = with_resamples(500).ratio_of_sums(&Pairs::new(baseline, trial).unwrap());
    assert!(interval.high - interval.low < 1e-9);
}

#[test]
fn a_geometric_mean_gives_a_short_prompt_the_weight_of_a_long_one() {
    let pairs = Pairs::new(vec![2.0, 100.0], vec![1.0, 200.0]).unwrap();
    let interval = with_resamples(200).geometric_mean_ratio(&pairs).unwrap();
    assert!((interval.estimate - 1.0).abs() < 1e-12);
    assert!((interval.low - 0.5).abs() < 1e-12);
    assert!((interval.high - 2.0).abs() < 1e-12);
    assert!((pairs.ratio_of_sums() - 102.0 / 201.0).abs() < 1e-12);
}

#[test]
fn resamples_without_any_draft_are_left_out_of_an_acceptance_rate() {
    let pairs = Pairs::new(vec![0.0, 3.0, 0.0], vec![0.0, 4.0, 0.0]).unwrap();
    let interval = with_resamples(300).ratio_of_sums(&pairs);
    assert_eq!((interval.low, interval.high), (0.75, 0.75));
}

#[test]
fn settings_that_cannot_work_are_refused_when_they_are_read() {
    let parse = serde_json::from_str::<Bootstrap>;
    assert!(parse(r#"{"n_resamples": 0}"#).is_err());
    assert!(parse(r#"{"confidence": 95}"#).is_err());
    assert!(parse(r#"{"resamples": 100}"#).is_err());
    assert_eq!(parse("{}").unwrap(), Bootstrap::default());
}

/// Share of 500 intervals, each from fresh data, that hold the true value.
fn coverage(truth: f64, interval_of_fresh_data: impl Fn(&mut ChaCha8Rng) -> Interval) -> f64 {
    let mut random = ChaCha8Rng::seed_from_u64(2024);
    let covered = (0..500).filter(|_| interval_of_fresh_data(&mut random).contains(truth));
    covered.count() as f64 / 500.0
}

fn standard_normal(random: &mut ChaCha8Rng) -> f64 {
    Normal::standard().inverse_cdf(random.random_range(1e-12..1.0))
}

/// Wall times of a prompt: lengths vary by a factor of two, the speedup of a prompt around 1.6.
fn wall_times(random: &mut ChaCha8Rng) -> (f64, f64) {
    let trial = (0.5 * standard_normal(random)).exp();
    let speedup = 1.6 + 0.3 * standard_normal(random);
    (trial * speedup, trial)
}

#[test]
fn a_95_percent_interval_of_a_speedup_covers_the_truth_95_times_in_100() {
    for method in [Method::Percentile, Method::Bca] {
        let bootstrap = Bootstrap {
            method,
            ..with_resamples(400)
        };
        let share = coverage(1.6, |random| {
            let (baseline, trial) = (0..60).map(|_| wall_times(random)).unzip();
            bootstrap.ratio_of_sums(&Pairs::new(baseline, trial).unwrap())
        });
        assert!((0.92..=0.98).contains(&share), "{method:?}: {share}");
    }
}

#[test]
fn a_95_percent_interval_of_a_mean_covers_the_truth_95_times_in_100() {
    for method in [Method::Percentile, Method::Bca] {
        let bootstrap = Bootstrap {
            method,
            ..with_resamples(400)
        };
        let share = coverage(3.0, |random| {
            let values = (0..40).map(|_| 3.0 + standard_normal(random)).collect();
            bootstrap.mean(&Sample::new(values).unwrap())
        });
        assert!((0.92..=0.98).contains(&share), "{method:?}: {share}");
    }
}
