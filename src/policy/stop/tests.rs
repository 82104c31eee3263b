mod controllers;
mod equivalences;
mod lengths;

use super::*;

fn rule(json: &str) -> StopRule {
    serde_json::from_str(json).unwrap()
}

/// Slots of a draft whose drafter is greedy: its tokens have the largest probability.
fn fires_at(state: &StopState, entropies: &[f64], top1: &[f64]) -> bool {
    let last = top1[entropies.len() - 1];
    state.fires(SlotView {
        entropies,
        probabilities: &top1[..entropies.len()],
        top1: last,
        top2: (1.0 - last) * 0.75,
        draft_len_if_stopped: entropies.len() - 1,
    })
}

/// First slot at which the rule fires.
fn first_firing(json: &str, entropies: &[f64], top1: &[f64]) -> Option<usize> {
    let mut state = rule(json).start(0);
    state.begin_round(entropies.len());
    (0..entropies.len()).find(|&k| fires_at(&state, &entropies[..=k], top1))
}

fn by_entropy(json: &str, entropies: &[f64]) -> Option<usize> {
    first_firing(json, entropies, &vec![0.5; entropies.len()])
}

fn by_probability(json: &str, probabilities: &[f64]) -> Option<usize> {
    first_firing(json, &vec![1.0; probabilities.len()], probabilities)
}

/// A round of which only the counts matter.
fn counts(drafted: usize, accepted: usize, max_draft_len: usize) -> RoundOutcome<'static> {
    RoundOutcome {
        drafted,
        accepted,
        max_draft_len,
        entropies: &[],
        probabilities: &[0.5; 64],
    }
}

#[test]
fn an_absolute_threshold_fires_above_and_not_at_its_value() {
    let json = r#"{"kind": "absolute", "theta_abs": 1.5}"#;
    assert_eq!(by_entropy(json, &[1.0, 1.5, 1.6, 0.1]), Some(2));
    assert_eq!(by_entropy(json, &[1.0, 1.5]), None);
}

#[test]
fn a_relative_threshold_compares_neighbours_and_never_fires_first() {
    let json = r#"{"kind": "relative", "theta_rel": 1.5}"#;
    assert_eq!(by_entropy(json, &[9.0, 1.0, 1.5, 2.3]), Some(3));
    // From 0 to 0 is no rise; from 0 to anything is one.
    assert_eq!(by_entropy(json, &[0.0, 0.0, 1e-9]), Some(2));
    assert_eq!(by_entropy(json, &[9.0]), None);
}

#[test]
fn a_window_averages_the_last_entropies_or_as_many_as_there_are() {
    let json = r#"{"kind": "window", "window_size": 3, "theta_window": 1.0}"#;
    assert_eq!(by_entropy(json, &[1.1]), Some(0));
    // Means 0.9, 0.95, 0.9667, 1.1333 (of the last three).
    assert_eq!(by_entropy(json, &[0.9, 1.0, 1.0, 1.4]), Some(3));
    let of_one = r#"{"kind": "window", "window_size": 1, "theta_window": 1.0}"#;
    assert_eq!(by_entropy(of_one, &[0.9, 1.0, 1.01]), Some(2));
}

#[test]
fn an_adaptive_threshold_rises_by_alpha_per_slot() {
    let json = r#"{"kind": "adaptive", "theta_base": 1.0, "alpha": 0.5}"#;
    assert_eq!(by_entropy(json, &[1.0, 1.4, 1.9, 2.6]), Some(3));
    assert_eq!(by_entropy(json, &[1.1]), Some(0));
}

#[test]
fn position_dependent_thresholds_repeat_their_last_value() {
    let json = r#"{"kind": "position_dependent", "thetas": [2.0, 1.0]}"#;
    assert_eq!(by_entropy(json, &[1.9, 0.9, 0.9, 1.1]), Some(3));
    assert_eq!(by_entropy(json, &[1.9, 1.1]), Some(1));
}

#[test]
fn a_combination_fires_with_any_or_with_all_of_its_rules() {
    let rules =
        r#"[{"kind": "absolute", "theta_abs": 1.0}, {"kind": "relative", "theta_rel": 2.0}]"#;
    let entropies = [0.2, 0.5, 1.1, 2.3];
    assert_eq!(
        by_entropy(
            &format!(r#"{{"kind": "combined", "any": {rules}}}"#),
            &entropies
        ),
        Some(1)
    );
    assert_eq!(
        by_entropy(
            &format!(r#"{{"kind": "combined", "all": {rules}}}"#),
            &entropies
        ),
        Some(2)
    );
}

#[test]
fn probability_rules_fire_below_their_threshold() {
    let p = [0.9, 0.8, 0.5, 0.3];
    assert_eq!(by_probability(r#"{"kind": "confidence"}"#, &p), Some(3));
    assert_eq!(by_probability(r#"{"kind": "p_min"}"#, &p), Some(2));
    assert_eq!(by_probability(r#"{"kind": "kangaroo"}"#, &p), Some(2));
    // Products 0.9, 0.72, 0.36, 0.108.
    let product = |threshold: f64| {
        by_probability(
            &format!(r#"{{"kind": "cumulative_probability", "threshold": {threshold}}}"#),
            &p,
        )
    };
    assert_eq!(product(0.1), None);
    assert_eq!(product(0.4), Some(2));
    // The second largest is 3/4 of the rest: margins 0.825, 0.65, 0.125.
    assert_eq!(by_probability(r#"{"kind": "margin"}"#, &p), Some(2));
}

#[test]
fn fixed_and_oracle_never_fire() {
    for json in [r#"{"kind": "fixed"}"#, r#"{"kind": "oracle"}"#] {
        assert_eq!(first_firing(json, &[9.0; 20], &[1e-9; 20]), None);
    }
}

#[test]
fn a_kind_alone_is_a_rule_with_its_defaults() {
    let expect = |json: &str, expected: StopRule| assert_eq!(rule(json), expected);
    expect(
        r#"{"kind": "absolute"}"#,
        StopRule::Absolute { theta_abs: 1.0 },
    );
    expect(
        r#"{"kind": "relative"}"#,
        StopRule::Relative { theta_rel: 1.5 },
    );
    expect(
        r#"{"kind": "window"}"#,
        StopRule::Window {
            window_size: 3,
            theta_window: 1.0,
        },
    );
    expect(
        r#"{"kind": "adaptive"}"#,
        StopRule::Adaptive {
            theta_base: 1.0,
            alpha: 0.1,
        },
    );
    expect(r#"{"kind": "svip"}"#, StopRule::Svip { h: 0.3 });
    expect(
        r#"{"kind": "random", "seed": 4}"#,
        StopRule::Random(RandomLength { seed: Some(4) }),
    );
    expect(
        r#"{"kind": "adaedl", "lambda": 0.3}"#,
        StopRule::Adaedl(AdaEdl {
            lambda: 0.3,
            ..AdaEdl::default()
        }),
    );
}

#[test]
fn every_kind_survives_a_round_trip_and_refuses_an_unknown_key() {
    for kind in [
        "fixed",
        "absolute",
        "relative",
        "window",
        "adaptive",
        "position_dependent",
        "random",
        "oracle",
        "svip",
        "adaedl",
        "draft_verify",
        "confidence",
        "confidence_roc",
        "p_min",
        "kangaroo",
        "cumulative_probability",
        "margin",
        "hf_heuristic",
        "gammatune",
        "sglang_ema",
        "goodput",
        "costaware_hazard",
        "schmitt_gate",
    ] {
        let parsed = rule(&format!(r#"{{"kind": "{kind}"}}"#));
        assert_eq!(parsed.kind(), kind);
        assert!(parsed.validate().is_ok(), "{kind}");
        let written = serde_json::to_string(&parsed).unwrap();
        assert_eq!(rule(&written), parsed, "{written}");
        let misspelt = format!(r#"{{"kind": "{kind}", "thetta": 1}}"#);
        let error = serde_json::from_str::<StopRule>(&misspelt)
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown field `thetta`"), "{kind}: {error}");
    }
}

#[test]
fn a_combination_has_exactly_one_list_and_refuses_an_unknown_key() {
    let list = r#"[{"kind": "absolute"}]"#;
    let parsed = rule(&format!(r#"{{"kind": "combined", "any": {list}}}"#));
    assert_eq!(
        serde_json::to_string(&parsed).unwrap(),
        r#"{"kind":"combined","any":[{"kind":"absolute","theta_abs":1.0}]}"#
    );
    let error = |json: String| {
        serde_json::from_str::<StopRule>(&json)
            .unwrap_err()
            .to_string()
    };
    assert!(error(r#"{"kind": "combined"}"#.to_owned()).contains("exactly one of `any` and `all`"));
    assert!(
        error(format!(
            r#"{{"kind": "combined", "any": {list}, "all": {list}}}"#
        ))
        .contains("exactly one")
    );
    assert!(
        error(format!(r#"{{"kind": "combined", "some": {list}}}"#))
            .contains("unknown field `some`")
    );
    let empty = rule(r#"{"kind": "combined", "all": []}"#);
    assert!(empty.validate().is_err());
    let oracle = rule(r#"{"kind": "combined", "any": [{"kind": "oracle"}]}"#);
    assert!(oracle.validate().is_err());
}

#[test]
fn parameters_out_of_range_are_named() {
    let message = |json: &str| rule(json).validate().unwrap_err().to_string();
    assert_eq!(
        message(r#"{"kind": "window", "window_size": 0}"#),
        "stop.window_size is 0: it must be at least 1"
    );
    assert!(
        message(r#"{"kind": "position_dependent", "thetas": []}"#).starts_with("stop.thetas is []")
    );
    assert!(message(r#"{"kind": "sglang_ema", "start": 2}"#).contains("one of stop.steps"));
    assert!(message(r#"{"kind": "sglang_ema", "steps": [3, 1]}"#).contains("rising"));
    assert!(message(r#"{"kind": "adaedl", "gamma": 0}"#).starts_with("stop.gamma is 0"));
    assert!(message(r#"{"kind": "costaware_hazard", "bins": 0}"#).starts_with("stop.bins is 0"));
    assert!(message(r#"{"kind": "schmitt_gate", "low": 3.0}"#).contains("at most stop.high"));
    assert!(message(r#"{"kind": "goodput", "epsilon": 1.5}"#).contains("in [0, 1]"));
    assert!(message(r#"{"kind": "gammatune", "lower_at": 0.9}"#).contains("below stop.raise_at"));
    let infinite = StopRule::Absolute {
        theta_abs: f64::INFINITY,
    };
    assert!(
        infinite
            .validate()
            .unwrap_err()
            .to_string()
            .contains("finite")
    );
}
