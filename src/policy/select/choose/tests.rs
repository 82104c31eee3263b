use super::*;

/// Masks in consecutive slots.
fn by_entropy(entropies: &[f64]) -> Vec<MaskView> {
    let slots: Vec<usize> = (0..entropies.len()).collect();
    at_slots(&slots, entropies)
}

fn at_slots(slots: &[usize], entropies: &[f64]) -> Vec<MaskView> {
    slots
        .iter()
        .zip(entropies)
        .map(|(&slot, &entropy)| MaskView {
            slot,
            entropy,
            ..MaskView::default()
        })
        .collect()
}

fn by_confidence(confidences: &[f64]) -> Vec<MaskView> {
    confidences
        .iter()
        .enumerate()
        .map(|(slot, &confidence)| MaskView {
            slot,
            confidence,
            ..MaskView::default()
        })
        .collect()
}

fn rule(json: &str) -> SelectRule {
    serde_json::from_str(json).unwrap()
}

/// A first selection in a window of 16 slots.
fn picked(json: &str, masks: &[MaskView]) -> Vec<usize> {
    select(&rule(json), &mut SelectState::new(16), masks, &[])
}

#[test]
fn the_worked_example_of_the_reference_selects_three_of_five() {
    let masks = at_slots(&[2, 3, 5, 7, 9], &[0.3, 0.5, 1.2, 0.4, 2.0]);
    let rule = rule(r#"{"kind":"entropy","entropy_threshold":0.6}"#);
    let adjusted = rule.adjusted_entropies(&masks);
    for (ours, expected) in adjusted.iter().zip([0.30, 0.52, 1.26, 0.50, 2.14]) {
        assert!((ours - expected).abs() < 1e-12, "{ours} ≠ {expected}");
    }
    let picked = select(&rule, &mut SelectState::new(16), &masks, &[]);
    assert_eq!(picked, [0, 1, 3]);
    let slots: Vec<usize> = picked.iter().map(|&index| masks[index].slot).collect();
    assert_eq!(slots, [2, 3, 7]);
}

#[test]
fn the_threshold_is_strict() {
    let masks = by_entropy(&[0.35, 0.36, 0.37, 0.38, 0.39, 0.40]);
    assert_eq!(
        picked(r#"{"kind":"entropy","pos_penalty":0}"#, &masks),
        [0, 1, 2, 3, 4]
    );
    assert_eq!(picked(r#"{"kind":"entropy"}"#, &masks), [0, 1]);
}

#[test]
fn entropy_rules_choose_what_their_formulas_say() {
    let masks = by_entropy(&[0.5, 0.1, 0.3, 0.05]);
    for (json, expected) in [
        (
            r#"{"kind":"entropy","entropy_threshold":0.4,"pos_penalty":0}"#,
            vec![1, 2, 3],
        ),
        // The cap keeps the leftmost, not the lowest.
        (r#"{"kind":"entropy","pos_penalty":0,"cap":2}"#, vec![1, 2]),
        // Nothing is below 0: the smallest alone, as without a threshold.
        (
            r#"{"kind":"entropy","entropy_threshold":0,"pos_penalty":0}"#,
            vec![3],
        ),
        (
            r#"{"kind":"entropy","entropy_threshold":null,"pos_penalty":0}"#,
            vec![3],
        ),
        // A = .5, .2, .5, .35
        (r#"{"kind":"greedy"}"#, vec![1]),
        (r#"{"kind":"greedy","pos_penalty":1}"#, vec![0]),
        (r#"{"kind":"left_to_right"}"#, vec![0]),
        (r#"{"kind":"left_to_right","k":3}"#, vec![0, 1, 2]),
        (r#"{"kind":"left_to_right","k":9}"#, vec![0, 1, 2, 3]),
        // Ascending .05, .1, .3, .5: sums without the last .0, .05, .15 > .1
        (r#"{"kind":"entropy_bound"}"#, vec![1, 3]),
        (r#"{"kind":"entropy_bound","gamma":0.2}"#, vec![1, 2, 3]),
        (r#"{"kind":"entropy_bound","gamma":0}"#, vec![3]),
        // Sums .05, .15, .45 ≥ .35
        (r#"{"kind":"eb_cumulative"}"#, vec![1, 3]),
        (r#"{"kind":"eb_cumulative","threshold":0.01}"#, vec![3]),
        // τ = 0.4·(1 − 0.16) = 0.336 for 16 slots
        (r#"{"kind":"window_scaled"}"#, vec![1, 2, 3]),
    ] {
        assert_eq!(picked(json, &masks), expected, "{json}");
    }
}

#[test]
fn the_window_scaled_rule_fills_at_most_a_quarter_of_the_window() {
    let masks = by_entropy(&[0.1; 8]);
    let rule = rule(r#"{"kind":"window_scaled"}"#);
    for (window_size, expected) in [(8, vec![0, 1]), (16, vec![0, 1, 2, 3]), (2, vec![0])] {
        let picked = select(&rule, &mut SelectState::new(window_size), &masks, &[]);
        assert_eq!(picked, expected, "W = {window_size}");
    }
    // 0.35 passes with 8 slots (τ = .368) but not with 16 (τ = .336).
    let masks = by_entropy(&[0.35, 0.35]);
    let with = |window_size| select(&rule, &mut SelectState::new(window_size), &masks, &[]);
    assert_eq!(with(8), [0, 1]);
    assert_eq!(with(16), [0]);
}

#[test]
fn the_hybrid_threshold_follows_the_recent_acceptance() {
    let masks = by_entropy(&[0.25, 0.35, 0.45]);
    let rule = rule(r#"{"kind":"hybrid","pos_penalty":0}"#);
    for (recent_acceptance, expected) in [
        (None, vec![0, 1]),          // τ = .4
        (Some(0.99), vec![0, 1, 2]), // τ = .5
        (Some(0.95), vec![0]),       // not above the target: τ = .3
    ] {
        let mut state = SelectState::new(16);
        state.recent_acceptance = recent_acceptance;
        assert_eq!(select(&rule, &mut state, &masks, &[]), expected);
    }
}

#[test]
fn the_hybrid_threshold_is_clipped() {
    let masks = by_entropy(&[0.15, 0.19, 0.55, 0.65]);
    let wide = rule(r#"{"kind":"hybrid","step":5,"pos_penalty":0}"#);
    let mut state = SelectState::new(16);
    state.recent_acceptance = Some(1.0);
    assert_eq!(select(&wide, &mut state, &masks, &[]), [0, 1, 2]);
    state.recent_acceptance = Some(0.0);
    assert_eq!(select(&wide, &mut state, &masks, &[]), [0, 1]);
}

#[test]
fn confidence_rules_choose_what_their_formulas_say() {
    let masks = by_confidence(&[0.7, 0.99, 0.9, 0.95]);
    for (json, expected) in [
        // The bound belongs to the set.
        (r#"{"kind":"confidence_threshold"}"#, vec![1, 2, 3]),
        (r#"{"kind":"confidence_threshold","theta":0.999}"#, vec![1]),
        (r#"{"kind":"confidence_threshold","cap":1}"#, vec![1]),
        // .7, .97, .86, .89
        (
            r#"{"kind":"confidence_threshold","pos_penalty":0.02}"#,
            vec![1],
        ),
        // (n + 1)(1 − c) for .99, .95, .9, .7: .02, .15, .4, 1.5
        (r#"{"kind":"confidence_factor"}"#, vec![1, 2, 3]),
        (r#"{"kind":"confidence_factor","factor":0.2}"#, vec![1, 3]),
        (r#"{"kind":"confidence_factor","factor":0}"#, vec![1]),
        // Σc − (n − 1) − (1 − c) for .99, .95, .9, .7: .98, .89, .74, .24
        (r#"{"kind":"frechet"}"#, vec![0, 1, 2, 3]),
        (r#"{"kind":"frechet","m":0.5}"#, vec![1, 2, 3]),
        (r#"{"kind":"frechet","m":0.99}"#, vec![1]),
        (r#"{"kind":"topk_confidence"}"#, vec![1]),
        (r#"{"kind":"topk_confidence","k":3}"#, vec![1, 2, 3]),
        // 16 slots in 8 forwards
        (r#"{"kind":"topk_confidence","steps":8}"#, vec![1, 3]),
        (r#"{"kind":"topk_confidence","steps":99}"#, vec![1]),
        (r#"{"kind":"credit"}"#, vec![1, 2, 3]),
    ] {
        assert_eq!(picked(json, &masks), expected, "{json}");
    }
}

#[test]
fn a_step_quota_gives_the_remainder_to_the_first_forwards() {
    // 16 slots in 6 forwards: 3, 3, 3, 3, 2, 2, and again.
    let masks = by_confidence(&[0.5; 8]);
    let rule = rule(r#"{"kind":"topk_confidence","steps":6}"#);
    let mut state = SelectState::new(16);
    let quotas: Vec<usize> = (0..7)
        .map(|_| select(&rule, &mut state, &masks, &[]).len())
        .collect();
    assert_eq!(quotas, [3, 3, 3, 3, 2, 2, 3]);
}

#[test]
fn the_margin_rule_reads_the_gap_and_not_the_top() {
    let masks = [(0.6, 0.39), (0.55, 0.01), (0.5, 0.0)]
        .iter()
        .enumerate()
        .map(|(slot, &(top1, top2))| MaskView {
            slot,
            top1,
            top2,
            ..MaskView::default()
        })
        .collect::<Vec<_>>();
    assert_eq!(picked(r#"{"kind":"margin"}"#, &masks), [1, 2]);
    assert_eq!(picked(r#"{"kind":"margin","theta":0.9}"#, &masks), [1]);
}

#[test]
fn klass_waits_until_a_row_has_been_calm_for_its_history() {
    let looks = |divergences: [Option<f64>; 2]| -> Vec<MaskView> {
        by_confidence(&[0.95, 0.99])
            .into_iter()
            .zip(divergences)
            .map(|(mask, divergence)| MaskView { divergence, ..mask })
            .collect()
    };
    let rule = rule(r#"{"kind":"klass"}"#);
    let mut state = SelectState::new(16);
    let mut look = |divergences| select(&rule, &mut state, &looks(divergences), &[]);
    // No history: the most confident one alone.
    assert_eq!(look([None, None]), [1]);
    assert_eq!(look([Some(0.001), Some(0.02)]), [1]);
    // Calm twice in a row: mask 0 is ready; mask 1 has been calm once only.
    assert_eq!(look([Some(0.009), Some(0.001)]), [0]);
    assert_eq!(look([Some(0.009), Some(0.001)]), [0, 1]);
    // One jump starts the count again.
    assert_eq!(look([Some(0.5), Some(0.001)]), [1]);
    assert_eq!(look([Some(0.001), Some(0.001)]), [1]);
}

#[test]
fn the_calm_count_moves_with_the_window() {
    let rule = rule(r#"{"kind":"klass","history":1}"#);
    let mut state = SelectState::new(16);
    let mask = |slot, confidence, divergence| MaskView {
        slot,
        confidence,
        divergence,
        ..MaskView::default()
    };
    select(
        &rule,
        &mut state,
        &[mask(2, 0.95, None), mask(3, 0.95, Some(0.0))],
        &[],
    );
    state.slide(2);
    assert_eq!(state.calm, [0, 1]);
}

#[test]
fn slowfast_keeps_its_phase_between_selections() {
    let rule = rule(r#"{"kind":"slowfast"}"#);
    let mut state = SelectState::new(16);
    let masks = by_confidence(&[0.5, 0.6, 0.4, 0.1]);
    assert_eq!(select(&rule, &mut state, &masks, &[]), [1]);
    assert_eq!(select(&rule, &mut state, &masks, &[]), [1]);
    // The span ends behind slot 2; slot 3 must wait although it is sure now.
    let masks = by_confidence(&[0.5, 0.2, 0.4, 0.99]);
    assert_eq!(select(&rule, &mut state, &masks, &[]), [0]);
}

#[test]
fn the_random_rule_takes_the_masks_with_the_largest_numbers() {
    let masks = by_entropy(&[0.1, 0.2, 0.3, 0.4]);
    let uniforms = [0.2, 0.9, 0.1, 0.8];
    let with = |json: &str| select(&rule(json), &mut SelectState::new(16), &masks, &uniforms);
    assert_eq!(with(r#"{"kind":"random"}"#), [1]);
    assert_eq!(with(r#"{"kind":"random","k":3}"#), [0, 1, 3]);
}

#[test]
fn ties_go_to_the_lower_slot() {
    let masks = by_entropy(&[0.7; 4]);
    for kind in ["greedy", "topk_confidence", "margin", "klass", "slowfast"] {
        let json = match kind {
            "greedy" => r#"{"kind":"greedy","pos_penalty":0}"#.to_owned(),
            other => format!(r#"{{"kind":"{other}"}}"#),
        };
        assert_eq!(picked(&json, &masks), [0], "{kind}");
    }
}

#[test]
fn every_rule_chooses_at_least_one_mask_in_window_order() {
    let hopeless: Vec<MaskView> = (0..5)
        .map(|slot| MaskView {
            slot: slot + 3,
            entropy: 9.0,
            top1: 1e-4,
            top2: 1e-4,
            confidence: 1e-4,
            ..MaskView::default()
        })
        .collect();
    let sure: Vec<MaskView> = (0..5)
        .map(|slot| MaskView {
            slot: slot + 3,
            entropy: 0.0,
            top1: 1.0,
            top2: 0.0,
            confidence: 1.0,
            divergence: Some(0.0),
            ..MaskView::default()
        })
        .collect();
    for kind in [
        "entropy",
        "greedy",
        "left_to_right",
        "hybrid",
        "window_scaled",
        "confidence_threshold",
        "confidence_factor",
        "frechet",
        "topk_confidence",
        "margin",
        "entropy_bound",
        "eb_cumulative",
        "klass",
        "slowfast",
        "credit",
        "random",
    ] {
        let rule = rule(&format!(r#"{{"kind":"{kind}"}}"#));
        for masks in [&hopeless, &sure] {
            let mut state = SelectState::new(8);
            for _ in 0..4 {
                let picked = select(&rule, &mut state, masks, &[0.5; 5]);
                assert!(!picked.is_empty(), "{kind}");
                assert!(picked.is_sorted_by(|a, b| a < b), "{kind}: {picked:?}");
                assert!(picked.iter().all(|&index| index < 5), "{kind}");
            }
        }
    }
}
