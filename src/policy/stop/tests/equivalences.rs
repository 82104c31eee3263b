//! Rules of different names that are one rule: rows of an ablation that cannot differ.

use proptest::prelude::*;

use super::super::*;
use super::*;
use crate::policy::entropy::{EntropyRule, RowStats};

/// Entropies that are not within rounding of the threshold.
fn entropies_off(threshold: f64) -> impl Strategy<Value = Vec<f64>> {
    let off = move |h: &f64| (h - threshold).abs() > 1e-9;
    prop::collection::vec(
        (0.0..6.0_f64).prop_filter("not at the threshold", off),
        1..20,
    )
}

fn firings(state: &StopState, entropies: &[f64]) -> Vec<bool> {
    (1..=entropies.len())
        .map(|len| fires_at(state, &entropies[..len], &vec![0.5; len]))
        .collect()
}

proptest! {
    #[test]
    fn svip_is_an_absolute_threshold_of_h_squared_over_0_15(
        (h, entropies) in (0.05..0.9_f64).prop_flat_map(|h| (Just(h), entropies_off(h * h / 0.15)))
    ) {
        let svip = StopRule::Svip { h }.start(0);
        let absolute = StopRule::Absolute { theta_abs: h * h / 0.15 }.start(0);
        prop_assert_eq!(firings(&svip, &entropies), firings(&absolute, &entropies));
    }

    #[test]
    fn adaedl_with_a_frozen_lambda_is_an_absolute_threshold(
        (gamma, lambda, entropies) in (0.05..0.5_f64, 0.0..0.95_f64).prop_flat_map(|(gamma, lambda)| {
            (Just(gamma), Just(lambda), entropies_off((1.0 - lambda).powi(2) / gamma))
        }),
        accepted in 0..8_usize,
    ) {
        let frozen = AdaEdl { gamma, lambda, beta2: 1.0, ..AdaEdl::default() };
        let mut adaedl = StopRule::Adaedl(frozen).start(0);
        adaedl.end_round(counts(8, accepted, 8));
        let theta_abs = (1.0 - lambda).powi(2) / gamma;
        let absolute = StopRule::Absolute { theta_abs }.start(0);
        prop_assert_eq!(firings(&adaedl, &entropies), firings(&absolute, &entropies));
    }

    #[test]
    fn a_threshold_on_the_min_entropy_is_a_confidence_threshold_of_a_greedy_drafter(
        logits in prop::collection::vec(-6.0..6.0_f32, 2..40),
        theta in 0.05..0.95_f64,
    ) {
        let stats = RowStats::read(&logits, &[EntropyRule::Min { temperature: 1.0 }]);
        prop_assume!((stats.top1 - theta).abs() > 1e-6);
        let slot = SlotView {
            entropies: &stats.entropies,
            probabilities: &[stats.probability(logits[stats.top1_token as usize])],
            top1: stats.top1,
            top2: stats.top2,
            draft_len_if_stopped: 0,
        };
        let confidence = StopRule::Confidence { theta }.start(0).fires(slot);
        let absolute = StopRule::Absolute { theta_abs: -theta.ln() }.start(0).fires(slot);
        prop_assert_eq!(confidence, absolute);
        prop_assert_eq!(confidence, StopRule::Kangaroo { theta }.start(0).fires(slot));
        prop_assert_eq!(confidence, StopRule::PMin { p_min: theta }.start(0).fires(slot));
    }

    #[test]
    fn an_adaptive_threshold_without_slope_and_a_window_of_one_are_absolute_thresholds(
        (theta, entropies) in (0.1..4.0_f64).prop_flat_map(|theta| (Just(theta), entropies_off(theta)))
    ) {
        let absolute = firings(&StopRule::Absolute { theta_abs: theta }.start(0), &entropies);
        for other in [
            StopRule::Adaptive { theta_base: theta, alpha: 0.0 },
            StopRule::Window { window_size: 1, theta_window: theta },
            StopRule::PositionDependent { thetas: vec![theta] },
            StopRule::Combined(Combination::Any(vec![StopRule::Absolute { theta_abs: theta }, StopRule::Fixed {}])),
            StopRule::Combined(Combination::All(vec![StopRule::Absolute { theta_abs: theta }])),
        ] {
            prop_assert_eq!(&firings(&other.start(0), &entropies), &absolute, "{:?}", other);
        }
    }
}
