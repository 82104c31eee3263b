use serde_json::json;

use super::*;
use crate::config::load::parse_sweep;

const HEADER: &str = "
name: test
models: {verifier: 'embedded:verifier', drafter: 'embedded:drafter-10', window: 'embedded:wedlm'}
workload: {source: 'synthetic:gsm8k', limit: 4, seed: 17, max_new_tokens: 64}
timing: {duplicate_baseline: false}
";

fn sweep(rest: &str) -> SweepSpec {
    parse_sweep("test.yaml", &format!("{HEADER}{rest}"), &[], &|_| None).unwrap()
}

fn planned(rest: &str) -> Plan {
    plan(&sweep(rest)).unwrap()
}

fn labels(plan: &Plan) -> Vec<&str> {
    plan.trials
        .iter()
        .map(|trial| trial.label.as_str())
        .collect()
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.trials.iter().map(|trial| trial.id.as_str()).collect()
}

const PARAM_GRID: &str = "
param_grid:
  theta_abs: [0.5, 1.0, 1.5, 2.0, 2.5]
  theta_rel: [1.2, 1.5, 2.0, 3.0]
  window_size: [1, 3, 5]
  min_draft_len: [1, 2, 3]
  max_draft_len: [8, 12, 16, 20]
  entropy_type: [shannon, renyi, topk]
  stopping_strategy: [absolute, relative, combined]
";

#[test]
fn the_flat_grid_of_6480_points_is_2484_trials() {
    let plan = planned(PARAM_GRID);
    assert_eq!(plan.n_points(), 6_480);
    // absolute 5·3·4·3, relative 4·3·4·3, combined 5·4·3·3·4·3; and the baseline.
    assert_eq!(plan.trials.len(), 180 + 144 + 2_160 + 1);
    // In `combined`, a window of one is the absolute rule beside it, but without the window the
    // rule is still no other point of this grid.
    let merged = Merged {
        unread: 6_480 - 2_484,
        equal_rules: 0,
    };
    assert_eq!(plan.merged, merged);
    assert!(plan.refused.is_empty());
}

#[test]
fn with_the_window_strategy_the_windows_of_one_are_merged_into_the_absolute_rule() {
    let with_window = PARAM_GRID.replace(
        "[absolute, relative, combined]",
        "[absolute, relative, window, combined]",
    );
    let plan = planned(&with_window);
    assert_eq!(plan.n_points(), 8_640);
    // window 5·3·3·4·3 = 540, of which a third has a window of one.
    assert_eq!(plan.trials.len(), 2_484 + 360 + 1);
    assert_eq!(plan.merged.equal_rules, 180);
    let merged = plan
        .trials
        .iter()
        .find(|trial| trial.label == "absolute θ=0.5 min=1 max=8 shannon")
        .unwrap();
    assert_eq!(merged.names[1..], ["window θ=0.5 w=1 min=1 max=8 shannon"]);
}

#[test]
fn the_baseline_comes_first_even_if_the_sweep_names_it() {
    let plan = planned("decoders: [{name: plain, kind: autoregressive}, {name: w, kind: window}]");
    assert_eq!(labels(&plan), ["autoregressive", "w"]);
    assert_eq!(plan.trials[0].names, ["autoregressive", "plain"]);
}

#[test]
fn the_baseline_is_timed_twice_unless_that_is_switched_off() {
    let text = HEADER.replace("duplicate_baseline: false", "repeats: 2");
    let text = format!(
        "{text}decoders: [{{name: plain, kind: autoregressive}}, {{name: w, kind: window}}]"
    );
    let plan = plan(&parse_sweep("test.yaml", &text, &[], &|_| None).unwrap()).unwrap();
    assert_eq!(
        labels(&plan),
        ["autoregressive", "autoregressive again", "w"]
    );
    assert_eq!((plan.n_baselines, plan.n_distinct()), (2, 1));
    let [once, again, _] = &plan.trials[..] else {
        panic!("{plan:?}")
    };
    assert_eq!(again.id, format!("{}-again", once.id));
    assert!(is_duplicate(&again.id) && !is_duplicate(&once.id));
    assert_eq!(again.decoder, once.decoder);
}

#[test]
fn points_follow_the_grid_with_the_first_axis_slowest() {
    let plan = planned(
        "decoders: [{name: x, kind: speculative, stop: {kind: absolute},
          grid: {stop.theta_abs: [1, 2], entropy.kind: [renyi, shannon]}}]",
    );
    assert_eq!(
        labels(&plan)[1..],
        [
            "x θ=1.0 renyi",
            "x θ=1.0 shannon",
            "x θ=2.0 renyi",
            "x θ=2.0 shannon"
        ]
    );
    let axes = &plan.trials[2].axes;
    assert_eq!(axes[0], ("stop.theta_abs".to_owned(), json!(1.0)));
    assert_eq!(axes[1], ("entropy.kind".to_owned(), json!("shannon")));
}

#[test]
fn zip_advances_together_list_alternates_and_exclude_leaves_out() {
    let plan = planned(
        "decoders: [{name: x, kind: speculative, stop: {kind: absolute},
          list: [{entropy.kind: renyi}, {entropy.kind: min, order: after}],
          zip: {min_draft_len: [1, 2], max_draft_len: [4, 8]},
          grid: {stop.theta_abs: [1, 2]},
          exclude: [{entropy.kind: min, stop.theta_abs: 2.0}]}]",
    );
    assert_eq!(
        labels(&plan)[1..],
        [
            "x renyi min=1 max=4 θ=1.0",
            "x renyi min=1 max=4 θ=2.0",
            "x renyi min=2 max=8 θ=1.0",
            "x renyi min=2 max=8 θ=2.0",
            "x min order=after min=1 max=4 θ=1.0",
            "x min order=after min=2 max=8 θ=1.0",
        ]
    );
}

#[test]
fn parameters_that_a_rule_does_not_read_make_no_trials() {
    let plan = planned(
        "decoders:
          - {name: k, kind: speculative, stop: {kind: fixed}, grid: {entropy.kind: [shannon, renyi], order: [before, after], max_draft_len: [4, 8]}}
          - {name: c, kind: speculative, stop: {kind: confidence}, grid: {entropy.kind: [shannon, renyi], order: [before, after]}}
          - {name: w, kind: window, select: {kind: margin}, grid: {entropy.kind: [shannon, renyi]}}",
    );
    assert_eq!(
        labels(&plan)[1..],
        ["k max=4", "k max=8", "c order=before", "c order=after", "w"]
    );
    assert_eq!(plan.merged.unread, 6 + 2 + 1);
    assert_eq!(plan.n_points(), 8 + 4 + 2);
}

#[test]
fn a_varied_kind_takes_the_axes_that_it_has() {
    let plan = planned(
        "decoders: [{name: x, kind: speculative, grid: {stop.kind: [absolute, relative],
          stop.theta_abs: [1, 2], stop.theta_rel: [2, 3, 4]}}]",
    );
    assert_eq!(
        labels(&plan)[1..],
        [
            "x absolute θ=1.0",
            "x absolute θ=2.0",
            "x relative θ_rel=2.0",
            "x relative θ_rel=3.0",
            "x relative θ_rel=4.0",
        ]
    );
    assert_eq!(plan.merged.unread, 12 - 5);
}

/// Pairs of decoders that decide alike, at temperature 0.
const EQUAL: [(&str, &str); 9] = [
    (
        "stop: {kind: absolute, theta_abs: 2}",
        "stop: {kind: window, window_size: 1, theta_window: 2}",
    ),
    (
        "stop: {kind: absolute, theta_abs: 2}",
        "stop: {kind: adaptive, theta_base: 2, alpha: 0}",
    ),
    (
        "stop: {kind: absolute, theta_abs: 2}",
        "stop: {kind: position_dependent, thetas: [2, 2]}",
    ),
    (
        "stop: {kind: absolute, theta_abs: 2}",
        "stop: {kind: combined, any: [{kind: absolute, theta_abs: 2}, {kind: fixed}]}",
    ),
    (
        "stop: {kind: fixed}",
        "stop: {kind: combined, all: [{kind: absolute}, {kind: fixed}]}",
    ),
    (
        "stop: {kind: p_min, p_min: 0.6}",
        "stop: {kind: kangaroo, theta: 0.6}",
    ),
    (
        "stop: {kind: combined, all: [{kind: absolute}, {kind: relative}]}",
        "stop: {kind: combined, all: [{kind: relative}, {kind: absolute}, {kind: relative}]}",
    ),
    (
        "stop: {kind: combined, any: [{kind: absolute}, {kind: relative}]}",
        "stop: {kind: combined, any: [{kind: absolute}, {kind: relative}, {kind: window, window_size: 1}]}",
    ),
    (
        "stop: {kind: svip}, accept: {kind: greedy}",
        "stop: {kind: svip}, accept: {kind: block}",
    ),
];

#[test]
fn equal_rules_are_one_trial_under_both_names() {
    for (a, b) in EQUAL {
        let plan = planned(&format!(
            "decoders: [{{name: a, kind: speculative, {a}}}, {{name: b, kind: speculative, {b}}}]"
        ));
        assert_eq!(plan.trials.len(), 2, "{a} and {b}");
        assert_eq!(plan.trials[1].names, ["a", "b"]);
        assert_eq!(
            plan.merged,
            Merged {
                unread: 0,
                equal_rules: 1
            }
        );
    }
}

/// Pairs that look alike and are not.
const DIFFERENT: [(&str, &str); 6] = [
    (
        "stop: {kind: fixed}, accept: {kind: backtrack}, min_draft_len: 1",
        "stop: {kind: fixed}, accept: {kind: backtrack}, min_draft_len: 2",
    ),
    (
        "stop: {kind: absolute, theta_abs: 2}",
        "stop: {kind: window, window_size: 2, theta_window: 2}",
    ),
    (
        "stop: {kind: absolute}, order: before",
        "stop: {kind: absolute}, order: after",
    ),
    (
        "stop: {kind: random, seed: 1}",
        "stop: {kind: random, seed: 2}",
    ),
    (
        "stop: {kind: svip}, accept: {kind: greedy}",
        "stop: {kind: svip}, accept: {kind: typical}",
    ),
    (
        "stop: {kind: combined, any: [{kind: absolute}, {kind: relative}]}",
        "stop: {kind: combined, all: [{kind: absolute}, {kind: relative}]}",
    ),
];

#[test]
fn rules_that_decide_differently_stay_apart() {
    for (a, b) in DIFFERENT {
        let plan = planned(&format!(
            "decoders: [{{name: a, kind: speculative, {a}}}, {{name: b, kind: speculative, {b}}}]"
        ));
        assert_eq!(labels(&plan), ["autoregressive", "a", "b"], "{a} and {b}");
    }
}

#[test]
fn a_threshold_that_nothing_is_below_is_the_greedy_selection() {
    let plan = planned(
        "decoders:
          - {name: t, kind: window, grid: {select.entropy_threshold: [null, 0, 0.2]}}
          - {name: g, kind: window, select: {kind: greedy, pos_penalty: 0.02}}",
    );
    assert_eq!(labels(&plan)[1..], ["t τ=none", "t τ=0.2"]);
    assert_eq!(plan.trials[1].names, ["t τ=none", "t τ=0.0", "g"]);
}

#[test]
fn a_block_of_one_slot_is_the_engine_with_one_slot() {
    let plan = planned(
        "decoders:
          - {name: w, kind: window, grid: {window_size: [1, 2], variant: [engine, block, paper]}}",
    );
    assert_eq!(
        labels(&plan)[1..],
        [
            "w w=1 engine",
            "w w=1 paper",
            "w w=2 engine",
            "w w=2 block",
            "w w=2 paper"
        ]
    );
    assert_eq!(plan.trials[1].names, ["w w=1 engine", "w w=1 block"]);
}

#[test]
fn window_drafts_that_decide_alike_are_one_trial() {
    let plan = planned(
        "decoders:
          - {name: d, kind: window_draft, window_size: 4, grid: {max_draft_len: [null, 2, 4, 9], n_fill_steps: [4, 5]}}
          - {name: a, kind: window_draft, window_size: 4, n_fill_steps: 4, accept: {kind: block}}
          - {name: m, kind: window_draft, select: {kind: margin}, grid: {entropy.kind: [shannon, renyi]}}
          - {name: w, kind: window}",
    );
    assert_eq!(
        labels(&plan)[1..],
        ["d max=none steps=4", "d max=2 steps=4", "m", "w"]
    );
    assert_eq!(plan.merged.equal_rules, 6 + 1);
    assert_eq!(plan.merged.unread, 1);
}

#[test]
fn a_window_draft_that_would_not_be_lossless_is_refused() {
    let plan = planned(
        "sampling: {temperature: 1}
decoders:
          - {name: d, kind: window_draft, grid: {select.kind: [entropy, credit], accept.kind: [greedy, block, gumbel]}}",
    );
    assert_eq!(
        labels(&plan)[1..],
        ["d entropy block", "d entropy gumbel", "d credit gumbel"]
    );
    let reasons: Vec<&str> = plan
        .refused
        .iter()
        .map(|refused| refused.reason.as_str())
        .collect();
    let greedy = "greedy acceptance needs temperature 0, and it is 1: use accept.kind rejection, block or gumbel";
    let credit = "credit selection reads the drawn tokens, so block acceptance would not be lossless at temperature 1: \
                  use accept.kind gumbel or a select.kind that reads rows alone";
    assert_eq!(reasons, [greedy, greedy, credit]);
}

#[test]
fn impossible_points_are_refused_with_the_reason_and_the_others_stay() {
    let plan = planned(
        "decoders: [{name: x, kind: speculative, stop: {kind: absolute},
          grid: {min_draft_len: [1, 5], max_draft_len: [4, 8]}}]",
    );
    assert_eq!(
        labels(&plan)[1..],
        ["x min=1 max=4", "x min=1 max=8", "x min=5 max=8"]
    );
    let refused = Refused {
        label: "x min=5 max=4".to_owned(),
        reason: "min_draft_len 5 is more than max_draft_len 4".to_owned(),
    };
    assert_eq!(plan.refused, [refused]);
    assert_eq!(plan.n_points(), 4);
}

#[test]
fn a_sweep_of_which_every_point_is_refused_is_an_error() {
    let sweep = sweep(
        "sampling: {temperature: 0.7}
decoders: [{name: x, kind: speculative, stop: {kind: fixed}}]",
    );
    assert_eq!(
        plan(&sweep).unwrap_err().to_string(),
        "test.yaml: every point is refused; x: greedy acceptance needs temperature 0, and it is 0.7: \
         use accept.kind rejection, block or gumbel"
    );
}

const TWO: &str = "decoders: [{name: x, kind: speculative, stop: {kind: absolute, theta_abs: 1}, max_draft_len: 8}, {name: w, kind: window}]";

#[test]
fn ids_depend_on_values_and_not_on_their_order_or_spelling() {
    let reordered = "decoders: [{max_draft_len: 8, stop: {theta_abs: 1.0, kind: absolute}, kind: speculative, \
                     name: other, entropy: {kind: shannon}}, {kind: window, window_size: 16, name: w}]";
    assert_eq!(ids(&planned(TWO)), ids(&planned(reordered)));
    assert_eq!(ids(&planned(TWO)), ids(&planned(TWO)));
}

#[test]
fn ids_are_the_same_in_every_run_of_the_program() {
    // Written down once: a change here makes runs of before and after incomparable.
    let plan =
        planned("decoders: [{name: k, kind: speculative, stop: {kind: fixed}, max_draft_len: 4}]");
    assert_eq!(ids(&plan), ["d59607e7deb3", "d059ac04921e"]);
}

#[test]
fn an_id_changes_with_what_its_trial_uses_and_with_nothing_else() {
    let base = sweep(TWO);
    let before = plan(&base).unwrap();
    let changed = |change: fn(&mut SweepSpec)| {
        let mut sweep = base.clone();
        change(&mut sweep);
        let after = plan(&sweep).unwrap();
        ids(&before)
            .iter()
            .zip(ids(&after))
            .map(|(a, b)| *a == b)
            .collect::<Vec<_>>()
    };
    assert_eq!(changed(|sweep| sweep.seed = 1), [false; 3]);
    assert_eq!(changed(|sweep| sweep.workload.limit = Some(5)), [false; 3]);
    assert_eq!(changed(|sweep| sweep.sampling.top_p = 0.9), [false; 3]);
    assert_eq!(changed(|sweep| sweep.timing.repeats = 9), [true; 3]);
    assert_eq!(
        changed(|sweep| sweep.device = crate::model::device::DeviceSpec::Wgpu),
        [true; 3]
    );
    let other_drafter: fn(&mut SweepSpec) =
        |sweep| sweep.models.drafter = sweep.models.window.clone();
    assert_eq!(changed(other_drafter), [true, false, true]);
}

#[test]
fn two_trials_never_share_a_label() {
    let plan = planned(
        "decoders: [{name: x, kind: speculative, list: [
          {stop: {kind: confidence, theta: 0.5}}, {stop: {kind: confidence, theta: 0.50}},
          {stop: {kind: absolute, theta_abs: 1}}, {stop: {theta_abs: 1, kind: absolute}}]},
         {name: x (absolute θ=1), kind: window}]",
    );
    let mut distinct: Vec<_> = labels(&plan);
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), plan.trials.len());
    assert_eq!(plan.trials.len(), 4);
}

fn sampled(rest: &str, sample: &str) -> Plan {
    planned(&format!("{rest}\nsample: {sample}"))
}

#[test]
fn a_sample_keeps_the_baseline_the_order_and_the_ids_of_the_plan() {
    let all = planned(PARAM_GRID);
    for kind in ["sobol", "random"] {
        let plan = sampled(PARAM_GRID, &format!("{{kind: {kind}, n: 200, seed: 3}}"));
        assert_eq!((plan.trials.len(), plan.n_left_out), (201, 2_284), "{kind}");
        assert_eq!((plan.n_points(), plan.n_distinct()), (6_480, 2_484));
        let place = |trial: &Trial| all.trials.iter().position(|other| other == trial).unwrap();
        let places: Vec<usize> = plan.trials.iter().map(place).collect();
        assert!(places[0] == 0 && places.is_sorted(), "{kind}");
        assert_eq!(
            plan,
            sampled(PARAM_GRID, &format!("{{kind: {kind}, n: 200, seed: 3}}"))
        );
        assert_ne!(
            plan,
            sampled(PARAM_GRID, &format!("{{kind: {kind}, n: 200, seed: 4}}"))
        );
    }
}

#[test]
fn a_sobol_sample_of_the_flat_grid_takes_every_strategy_and_value_about_equally_often() {
    let plan = sampled(PARAM_GRID, "{kind: sobol, n: 120}");
    let n = |family: &str, axis: &str, value: f64| {
        let trials = plan.trials.iter().filter(|trial| trial.family == family);
        let has = |trial: &&Trial| {
            trial
                .axes
                .iter()
                .any(|(a, v)| a == axis && *v == json!(value))
        };
        trials.filter(has).count()
    };
    // Points are drawn from all 6,480, a third of each strategy; equal ones are one trial.
    for family in ["absolute", "relative", "combined"] {
        let trials = plan
            .trials
            .iter()
            .filter(|trial| trial.family == family)
            .count();
        assert!((30..=50).contains(&trials), "{family}: {trials}");
    }
    for theta in [0.5, 1.0, 1.5, 2.0, 2.5] {
        let (absolute, combined) = (
            n("absolute", "theta_abs", theta),
            n("combined", "theta_abs", theta),
        );
        assert!(
            (4..=12).contains(&absolute) && (4..=12).contains(&combined),
            "θ = {theta}: {absolute}, {combined}"
        );
    }
}

#[test]
fn a_sample_over_several_entries_leaves_none_of_them_out() {
    let decoders = "decoders:
          - {name: k, kind: speculative, stop: {kind: fixed}, grid: {max_draft_len: [2, 4, 6, 8]}}
          - {name: o, kind: speculative, stop: {kind: oracle}}
          - {name: w, kind: window, grid: {window_size: [4, 8, 16, 32], select.entropy_threshold: [0.2, 0.3, 0.4, 0.5]},
             exclude: [{window_size: 32}]}";
    let plan = sampled(decoders, "{kind: sobol, n: 8, seed: 1}");
    let n = |family: &str| {
        plan.trials
            .iter()
            .filter(|trial| trial.family == family)
            .count()
    };
    assert_eq!([n("k"), n("o"), n("w")], [2, 1, 5]);
    for n in [17, 1_000] {
        let all = sampled(decoders, &format!("{{kind: sobol, n: {n}}}"));
        assert_eq!(all, planned(decoders), "a sample of {n} of 17");
    }
}

#[test]
fn a_sample_too_small_for_its_entries_is_an_error() {
    let sweep = sweep(
        "decoders: [{name: w, kind: window, grid: {window_size: [4, 8]}}, {name: m, kind: window, select: {kind: margin}}]
sample: {kind: sobol, n: 1}",
    );
    assert_eq!(
        plan(&sweep).unwrap_err().to_string(),
        "test.yaml: sample.n: 1 is too few for one trial of each of 2 entries, expected 2 or more"
    );
}
