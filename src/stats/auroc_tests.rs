use proptest::prelude::*;
use rand::Rng;
use statrs::distribution::Normal;

use super::*;
use crate::stats::bootstrap::Method;
use crate::stats::fixture::{self, assert_close};

fn predictions(scores: &[f64], labels: &[bool]) -> Predictions {
    let scored = scores.iter().zip(labels).enumerate();
    Predictions::new(
        scored
            .map(|(prompt, (&score, &label))| Scored {
                prompt: prompt as u64,
                score,
                label,
            })
            .collect(),
    )
    .unwrap()
}

#[test]
fn areas_and_delong_variances_are_those_of_the_definitions() {
    for case in fixture::cases("auroc") {
        let predictions = predictions(&case.numbers("scores"), &case.labels("labels"));
        assert_close(predictions.auroc().unwrap(), case.number("auroc"), 1e-12);
        let variance = predictions.delong_variance().unwrap();
        assert_close(variance, case.number("delong_variance"), 1e-12);
        let interval = predictions.delong(Confidence::P95).unwrap();
        let expected = case.numbers("delong_95");
        assert_close(interval.low, expected[0], 1e-9);
        assert_close(interval.high, expected[1], 1e-9);
    }
}

#[test]
fn three_of_four_pairs_in_order_and_a_tie_that_counts_one_half() {
    let labels = [false, false, true, true];
    assert_eq!(
        predictions(&[0.1, 0.4, 0.35, 0.8], &labels).auroc(),
        Some(0.75)
    );
    assert_eq!(
        predictions(&[0.1, 0.4, 0.4, 0.8], &labels).auroc(),
        Some(0.875)
    );
    assert_eq!(predictions(&[1.0; 4], &labels).auroc(), Some(0.5));
    assert_eq!(
        predictions(&[-0.0, 0.0, 0.0, 0.0], &labels).auroc(),
        Some(0.5)
    );
}

#[test]
fn one_class_has_no_area() {
    let rejected_only = predictions(&[0.2, 0.3], &[true, true]);
    assert_eq!(rejected_only.auroc(), None);
    assert!(fixture::bootstrap(10).auroc(&rejected_only).is_none());
    assert!(rejected_only.delong(Confidence::P95).is_none());
}

#[test]
fn a_score_that_is_not_a_number_is_named() {
    let scored = Scored {
        prompt: 0,
        score: f64::NAN,
        label: true,
    };
    let error = Predictions::new(vec![scored]).unwrap_err();
    assert!(matches!(error, SampleError::NotFinite { index: 0, .. }));
    assert!(matches!(Predictions::new(vec![]), Err(SampleError::Empty)));
}

#[test]
fn a_weight_is_the_same_as_repeating_the_prompt() {
    let mut random = fixture::random(4);
    let scored: Vec<Scored> = (0..60)
        .map(|index| Scored {
            prompt: 100 - index % 7,
            score: f64::from(random.random_range(0..12)),
            label: random.random_bool(0.4),
        })
        .collect();
    // Prompts 94, 95, ..., 100 in rising order.
    let weights = [0u32, 3, 1, 0, 2, 2, 5];
    let repeated = scored
        .iter()
        .flat_map(|&one| vec![one; weights[one.prompt as usize - 94] as usize])
        .collect();
    let by_weight = Predictions::new(scored).unwrap().weighted(&weights);
    assert_eq!(by_weight, Predictions::new(repeated).unwrap().auroc());
}

/// Prompts of 20 positions whose scores share a prompt effect as large as the noise. A positive
/// scores one higher, so the area between positions of different prompts is Φ(1 / √(2·2)).
fn clustered(n_prompts: u64, random: &mut rand_chacha::ChaCha8Rng) -> Predictions {
    let mut scored = Vec::new();
    for prompt in 0..n_prompts {
        let effect = fixture::normals(1, random)[0];
        let rate = random.random_range(0.2..0.8);
        for noise in fixture::normals(20, random) {
            let label = random.random_bool(rate);
            let score = f64::from(u8::from(label)) + effect + noise;
            scored.push(Scored {
                prompt,
                score,
                label,
            });
        }
    }
    Predictions::new(scored).unwrap()
}

#[test]
fn resampling_prompts_covers_the_true_area_and_ignoring_them_does_not() {
    let truth = Normal::standard().cdf(0.5);
    let mut random = fixture::random(21);
    let bootstrap = Bootstrap {
        method: Method::Percentile,
        ..fixture::bootstrap(200)
    };
    let (mut by_prompts, mut by_positions) = (0, 0);
    for _ in 0..200 {
        let predictions = clustered(40, &mut random);
        by_prompts += u32::from(bootstrap.auroc(&predictions).unwrap().contains(truth));
        let delong = predictions.delong(Confidence::P95).unwrap();
        by_positions += u32::from(delong.contains(truth));
    }
    // Nominal 95 % is 190 of 200; four standard errors are 12.
    assert!(by_prompts >= 180, "{by_prompts} of 200");
    assert!(by_positions < 170, "{by_positions} of 200");
}

#[test]
fn one_position_per_prompt_gives_the_interval_of_delong() {
    let mut random = fixture::random(8);
    let labels: Vec<bool> = (0..400).map(|_| random.random_bool(0.5)).collect();
    let noise = fixture::normals(400, &mut random);
    let scores: Vec<f64> = labels
        .iter()
        .zip(noise)
        .map(|(&label, noise)| f64::from(u8::from(label)) + noise)
        .collect();
    let predictions = predictions(&scores, &labels);
    let resampled = fixture::bootstrap(1_000).auroc(&predictions).unwrap();
    let delong = predictions.delong(Confidence::P95).unwrap();
    assert!(
        (resampled.low - delong.low).abs() < 0.01,
        "{resampled:?} {delong:?}"
    );
    assert!((resampled.high - delong.high).abs() < 0.01);
}

#[test]
fn a_score_and_the_same_score_with_noise_differ_by_more_than_their_own_errors() {
    let mut random = fixture::random(9);
    let exact = clustered(60, &mut random);
    let blurred = Predictions {
        positions: {
            let mut positions = exact.positions.clone();
            // A third of the scores says nothing: their labels are exchanged at random.
            for position in positions.iter_mut().step_by(3) {
                position.is_positive = random.random_bool(0.5);
            }
            positions
        },
        ..exact.clone()
    };
    let bootstrap = fixture::bootstrap(300);
    let difference = bootstrap.auroc_difference(&exact, &blurred).unwrap();
    let own = bootstrap.auroc(&exact).unwrap();
    assert!(difference.low > 0.0, "{difference:?}");
    assert!(difference.high - difference.low < own.high - own.low);
    let nothing = bootstrap.auroc_difference(&exact, &exact).unwrap();
    assert_eq!((nothing.low, nothing.high), (0.0, 0.0));
}

proptest! {
    #[test]
    fn the_area_is_the_share_of_pairs_in_order(
        positions in prop::collection::vec((0i32..8, any::<bool>()), 2..40),
    ) {
        let scores: Vec<f64> = positions.iter().map(|one| f64::from(one.0)).collect();
        let labels: Vec<bool> = positions.iter().map(|one| one.1).collect();
        let (mut won, mut pairs) = (0.0, 0.0);
        for one in positions.iter().filter(|one| one.1) {
            for other in positions.iter().filter(|other| !other.1) {
                pairs += 1.0;
                won += if one.0 > other.0 { 1.0 } else if one.0 == other.0 { 0.5 } else { 0.0 };
            }
        }
        prop_assume!(pairs > 0.0);
        let area = predictions(&scores, &labels).auroc().unwrap();
        prop_assert!((area - won / pairs).abs() < 1e-12);

        let opposite: Vec<f64> = scores.iter().map(|score| -score).collect();
        let mirrored = predictions(&opposite, &labels).auroc().unwrap();
        prop_assert!((area + mirrored - 1.0).abs() < 1e-12);
    }
}
