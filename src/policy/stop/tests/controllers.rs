//! Rules whose threshold moves: a few rounds by hand.

use super::super::*;
use super::*;

/// The confidence threshold in force, found by bisection over the drafted probability.
fn confidence_threshold(state: &StopState) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if fires_at(state, &[1.0], &[middle]) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The entropy threshold in force, found by bisection.
fn entropy_threshold(state: &StopState) -> f64 {
    let (mut low, mut high) = (0.0, 50.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if fires_at(state, &[middle], &[0.5]) {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

#[test]
fn draft_verify_moves_its_threshold_by_a_thousandth_per_round() {
    let mut state = rule(r#"{"kind": "draft_verify"}"#).start(0);
    let mut after = |drafted, accepted| {
        state.end_round(counts(drafted, accepted, 8));
        confidence_threshold(&state)
    };
    // m = 0.5: below 0.9, so θ' = θ + 0.01 and θ = 0.9·0.8 + 0.1·0.81.
    assert!((after(4, 4) - 0.801).abs() < 1e-9);
    // m = 0.75, 0.875: still below.
    assert!((after(4, 4) - 0.802).abs() < 1e-9);
    assert!((after(4, 4) - 0.803).abs() < 1e-9);
    // m = 0.9375: above, and the draft was not full, so θ falls.
    assert!((after(4, 4) - 0.802).abs() < 1e-9);
    // A full draft leaves θ; a round without a draft changes nothing at all.
    assert!((after(8, 8) - 0.802).abs() < 1e-9);
    assert!((after(0, 0) - 0.802).abs() < 1e-9);
}

#[test]
fn adaedl_becomes_stricter_after_rejections_and_looser_after_success() {
    let mut state = rule(r#"{"kind": "adaedl", "lambda": 0.6}"#).start(0);
    let threshold = |lambda: f64| (1.0 - lambda).powi(2) / 0.2;
    assert!((entropy_threshold(&state) - threshold(0.6)).abs() < 1e-9);
    let mut after = |drafted, accepted| {
        state.end_round(counts(drafted, accepted, 8));
        entropy_threshold(&state)
    };
    assert!((after(4, 0) - threshold(0.601)).abs() < 1e-9);
    // AR = 0.5, 0.75, 0.875 stay below 0.9; then 0.9375.
    for lambda in [0.602, 0.603, 0.604, 0.603] {
        assert!(
            (after(5, 5) - threshold(lambda)).abs() < 1e-9,
            "λ = {lambda}"
        );
    }
    // All of the longest draft accepted: λ stays.
    assert!((after(8, 8) - threshold(0.603)).abs() < 1e-9);
}

#[test]
fn the_roc_threshold_is_the_cheapest_split_once_more_than_five_tokens_were_compared() {
    let mut state = rule(r#"{"kind": "confidence_roc"}"#).start(0);
    let end = |state: &mut StopState, probabilities: &[f64], accepted: usize| {
        state.end_round(RoundOutcome {
            drafted: probabilities.len(),
            accepted,
            max_draft_len: 8,
            entropies: &[],
            probabilities,
        });
    };
    // 0.9 and 0.8 match, 0.3 does not, 0.99 is never compared.
    end(&mut state, &[0.9, 0.8, 0.3, 0.99], 2);
    assert!((confidence_threshold(&state) - 0.4).abs() < 1e-9);
    // Matched 0.7, 0.55; refused 0.5: six samples, split perfectly at 0.55.
    end(&mut state, &[0.7, 0.55, 0.5], 2);
    assert!((confidence_threshold(&state) - 0.55).abs() < 1e-9);
    // A match at 0.2 costs 3/5 if missed; taking in both mismatches costs 1.
    end(&mut state, &[0.2], 1);
    assert!((confidence_threshold(&state) - 0.55).abs() < 1e-9);
    // Two more low matches, 0.1 and 0.15: missing three of seven costs 9/7 > 1.
    end(&mut state, &[0.1, 0.15], 2);
    assert!((confidence_threshold(&state) - 0.1).abs() < 1e-9);
}

#[test]
fn the_hazard_rule_multiplies_learned_acceptances_of_bins_of_probability() {
    let json = r#"{"kind": "costaware_hazard", "cost_ratio": 0.3}"#;
    let mut state = rule(json).start(0);
    let fires = |state: &StopState, p: &[f64]| fires_at(state, &vec![1.0; p.len()], p);
    // Unseen bins have Beta(2, 2), mean 1/2: survival 1/2 · next 1/2 = 0.25 ≤ 0.3.
    assert!(fires(&state, &[0.95]));
    // 8 of 8 tokens with p in [0.9, 1] accepted: 10/12. 0.69 continues, 0.58, 0.48, 0.40, 0.33 too.
    state.end_round(RoundOutcome {
        drafted: 8,
        accepted: 8,
        max_draft_len: 8,
        entropies: &[],
        probabilities: &[0.95; 8],
    });
    assert!(!fires(&state, &[0.95; 5]));
    assert!(fires(&state, &[0.95; 6]));
    // Another bin has learned nothing.
    assert!(fires(&state, &[0.85]));
}

#[test]
fn the_gate_shuts_above_the_high_threshold_and_opens_below_the_low_one() {
    let json = r#"{"kind": "schmitt_gate", "low": 1.0, "high": 2.0, "ema": 1.0}"#;
    let mut state = rule(json).start(0);
    let mut shut_after = |entropy: f64| {
        state.end_round(RoundOutcome {
            entropies: &[entropy - 0.5, entropy + 0.5],
            ..counts(1, 0, 8)
        });
        fires_at(&state, &[0.1], &[0.9])
    };
    let gate = [1.5, 2.1, 1.5, 1.01, 0.99, 1.5, 2.0].map(&mut shut_after);
    assert_eq!(gate, [false, true, true, true, false, false, false]);
}

#[test]
fn the_mean_entropy_of_the_gate_moves_by_35_percent_per_round() {
    let mut state = rule(r#"{"kind": "schmitt_gate", "low": 1.0, "high": 2.0}"#).start(0);
    let mut shut_after = |entropy: f64| {
        state.end_round(RoundOutcome {
            entropies: &[entropy],
            ..counts(1, 0, 8)
        });
        fires_at(&state, &[0.1], &[0.9])
    };
    // Means 1.0, 1.7, 2.155; then 1.40, 0.91.
    assert_eq!(
        [1.0, 3.0, 3.0, 0.0, 0.0].map(&mut shut_after),
        [false, false, true, true, false]
    );
}

#[test]
fn memory_ends_with_the_prompt_unless_its_scope_is_the_stream() {
    for kind in [
        "adaedl",
        "draft_verify",
        "confidence_roc",
        "hf_heuristic",
        "gammatune",
        "sglang_ema",
        "goodput",
        "costaware_hazard",
        "schmitt_gate",
    ] {
        let learned = |scope: &str| {
            let rule = rule(&format!(r#"{{"kind": "{kind}", "scope": "{scope}"}}"#));
            let fresh = rule.start(3);
            let mut state = rule.start(3);
            for accepted in [0, 4, 4, 4, 4] {
                state.begin_round(8);
                state.end_round(RoundOutcome {
                    entropies: &[3.0],
                    probabilities: &[0.9, 0.8, 0.2, 0.1],
                    ..counts(4, accepted, 8)
                });
            }
            assert_ne!(state, fresh, "{kind} learns");
            state.begin_prompt(3);
            state != fresh
        };
        assert!(!learned("prompt"), "{kind}");
        assert!(learned("stream"), "{kind}");
    }
}

#[test]
fn members_of_a_combination_keep_scopes_of_their_own() {
    let json = r#"{"kind": "combined", "any": [
        {"kind": "draft_verify", "scope": "stream"}, {"kind": "draft_verify", "theta": 0.1}]}"#;
    let mut state = rule(json).start(0);
    state.end_round(counts(4, 0, 8));
    let learned = confidence_threshold(&state);
    state.begin_prompt(1);
    assert_eq!(confidence_threshold(&state), learned);
    assert!((learned - 0.801).abs() < 1e-9);
}
