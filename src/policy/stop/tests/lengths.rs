//! Rules that choose the length before the round.

use proptest::prelude::*;

use super::super::*;
use super::*;

/// Lengths over rounds in which `accepts` of the drafted tokens are accepted.
fn lengths(
    json: &str,
    max_draft_len: usize,
    rounds: usize,
    accepts: impl Fn(usize) -> usize,
) -> Vec<usize> {
    let mut state = rule(json).start(7);
    (0..rounds)
        .map(|_| {
            let length = state.begin_round(max_draft_len);
            state.end_round(counts(length, accepts(length), max_draft_len));
            length
        })
        .collect()
}

#[test]
fn the_heuristic_adds_two_after_a_whole_draft_and_takes_one_off_otherwise() {
    let json = r#"{"kind": "hf_heuristic", "start": 3}"#;
    assert_eq!(lengths(json, 8, 5, |n| n), [3, 5, 7, 8, 8]);
    assert_eq!(lengths(json, 8, 5, |n| n - 1), [3, 2, 1, 1, 1]);
    // The default of 20 is cut to the cap, and falls from there.
    assert_eq!(
        lengths(r#"{"kind": "hf_heuristic"}"#, 8, 3, |_| 0),
        [8, 7, 6]
    );
}

#[test]
fn gammatune_moves_by_one_outside_its_dead_band() {
    let json = r#"{"kind": "gammatune", "start": 4, "ema": 1.0}"#;
    assert_eq!(lengths(json, 6, 4, |n| n), [4, 5, 6, 6]);
    assert_eq!(lengths(json, 6, 5, |_| 0), [4, 3, 2, 1, 1]);
    // 2 of 4 is between 0.4 and 0.7.
    assert_eq!(lengths(json, 6, 3, |_| 2), [4, 4, 4]);
}

#[test]
fn the_ladder_moves_every_fifth_round_after_ten_of_warm_up() {
    let up = lengths(r#"{"kind": "sglang_ema"}"#, 8, 30, |n| n);
    // After round 15 the mean is 3 > 2.5; after round 20 it is 5 − 2·0.8⁵ = 4.34, after round 25
    // 5 − 2·0.8¹⁰ = 4.79 > 4.5.
    assert_eq!(up, [vec![3; 15], vec![5; 10], vec![7; 5]].concat());
    let down = lengths(r#"{"kind": "sglang_ema"}"#, 8, 25, |_| 0);
    assert_eq!(down, [vec![3; 15], vec![1; 10]].concat());
    // A mean of 2 is neither above 3 − 0.5 nor at most 1 − 0.5 − 0.25.
    assert_eq!(lengths(r#"{"kind": "sglang_ema"}"#, 8, 25, |_| 2), [3; 25]);
}

#[test]
fn goodput_drafts_long_when_drafts_are_cheap_or_good_and_short_otherwise() {
    let length = |cost: f64, prior: f64| {
        let json = format!(
            r#"{{"kind": "goodput", "epsilon": 0, "cost_ratio": {cost}, "prior": {prior}}}"#
        );
        rule(&json).start(0).begin_round(8)
    };
    assert_eq!(length(0.0, 0.5), 8);
    assert_eq!(length(0.1, 1.0), 8);
    assert_eq!(length(0.5, 0.1), 1);
    // α = 0.85, c = 0.1144: 1.657, 1.937 … the maximum over K of (1 + Σα^i)/(1 + K·c) is at 5.
    let goodput =
        |k: i32| (0..=k).map(|i| 0.85_f64.powi(i)).sum::<f64>() / (1.0 + f64::from(k) * 0.1144);
    let best = (1..=8)
        .max_by(|&a, &b| goodput(a).total_cmp(&goodput(b)))
        .unwrap();
    assert_eq!(length(0.1144, 0.85), best as usize);
}

#[test]
fn goodput_learns_the_acceptance_of_each_position_from_the_tokens_compared() {
    let json = r#"{"kind": "goodput", "epsilon": 0, "ema": 1.0, "prior": 0.9, "cost_ratio": 0.1}"#;
    let mut state = rule(json).start(0);
    assert!(state.begin_round(8) > 2);
    // Two accepted, the third refused: position 3 has acceptance 0, so length 2 is best.
    state.end_round(counts(5, 2, 8));
    assert_eq!(state.begin_round(8), 2);
}

#[test]
fn goodput_explores_a_tenth_of_the_rounds() {
    let json = r#"{"kind": "goodput", "cost_ratio": 0.0, "prior": 1.0}"#;
    let chosen = lengths(json, 8, 4000, |n| n);
    let explored = chosen.iter().filter(|&&length| length < 8).count() as f64;
    // Of the tenth, one in eight is 8 again: 350 expected, standard deviation 18.
    assert!((explored - 350.0).abs() < 90.0, "{explored}");
}

#[test]
fn random_lengths_are_uniform_over_one_to_the_cap_and_a_function_of_the_seed() {
    let chosen = lengths(r#"{"kind": "random"}"#, 4, 8000, |_| 0);
    for length in 1..=4 {
        let n = chosen.iter().filter(|&&other| other == length).count() as f64;
        // 2000 expected, standard deviation 39.
        assert!((n - 2000.0).abs() < 200.0, "{length}: {n}");
    }
    let of_seed = |json: &str, seed: u64| -> Vec<usize> {
        let mut state = rule(json).start(seed);
        (0..50).map(|_| state.begin_round(8)).collect()
    };
    let own = r#"{"kind": "random", "seed": 5}"#;
    assert_eq!(of_seed(own, 1), of_seed(own, 2));
    assert_ne!(
        of_seed(r#"{"kind": "random"}"#, 1),
        of_seed(r#"{"kind": "random"}"#, 2)
    );
}

#[test]
fn of_combined_lengths_any_takes_the_shortest_and_all_the_longest() {
    let two = r#"[{"kind": "hf_heuristic", "start": 2}, {"kind": "gammatune", "start": 5}]"#;
    let length = |list: &str| {
        rule(&format!(r#"{{"kind": "combined", "{list}": {two}}}"#))
            .start(0)
            .begin_round(8)
    };
    assert_eq!(length("any"), 2);
    assert_eq!(length("all"), 5);
}

#[test]
fn a_length_inside_all_holds_back_the_other_rules() {
    let json = r#"{"kind": "combined", "all": [
        {"kind": "absolute", "theta_abs": 1.0}, {"kind": "gammatune", "start": 3}]}"#;
    let mut state = rule(json).start(0);
    assert_eq!(state.begin_round(8), 8);
    let fires = |draft_len_if_stopped: usize| {
        state.fires(SlotView {
            entropies: &[2.0],
            probabilities: &[0.5],
            top1: 0.5,
            top2: 0.2,
            draft_len_if_stopped,
        })
    };
    assert_eq!([2, 3, 4].map(fires), [false, true, true]);
}

proptest! {
    #[test]
    fn every_rule_asks_for_one_to_max_tokens(
        kind in prop::sample::select(vec![
            "fixed", "absolute", "random", "oracle", "hf_heuristic", "gammatune", "sglang_ema", "goodput",
            "adaedl", "schmitt_gate",
        ]),
        seed: u64,
        rounds in prop::collection::vec((1..20_usize, 0.0..1.0_f64), 1..60),
    ) {
        let mut state = rule(&format!(r#"{{"kind": "{kind}"}}"#)).start(seed);
        for (max_draft_len, share) in rounds {
            let length = state.begin_round(max_draft_len);
            prop_assert!((1..=max_draft_len).contains(&length), "{} of {}", length, max_draft_len);
            let accepted = (share * (length + 1) as f64) as usize;
            state.end_round(counts(length, accepted, max_draft_len));
        }
    }
}
