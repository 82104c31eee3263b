//! Hand-checked traces: ten prompt tokens, four slots, τ = 0.4, λ = 0.02, greedy.

use wedlm_bench::config::decoder::WindowVariant;
use wedlm_bench::engine::session::Request;
use wedlm_bench::engine::step::{Finish, Generation, Outcome};
use wedlm_bench::engine::window::decode;
use wedlm_bench::model::lm::TokenId;
use wedlm_bench::policy::select::SelectRule;

use crate::table::{Entry, MASK, TableModel};
use crate::{REORDERED, rule};

struct Expected {
    positions: &'static [u32],
    committed: &'static [TokenId],
    entropies: &'static [f64],
    adjusted: &'static [f64],
    filled: &'static [(u32, TokenId)],
}

/// Published table: a hard token at 14 in front of easy ones.
fn hard_fourteen(position: u32) -> Entry {
    match position {
        10 => (0.999, 0),
        11 => (0.6, 1),
        12 => (0.999, 2),
        13 => (0.95, 3),
        14 => (0.55, 4),
        15 => (0.99, 0),
        16 => (0.9, 1),
        17 => (0.999, 2),
        18 => (0.7, 3),
        19 => (0.97, 4),
        _ => (0.8, 5),
    }
}

/// The stop token is the easiest one, at slot 2, and everything behind it is easy too.
fn early_stop(position: u32) -> Entry {
    match position {
        10 => (0.6, 0),
        11 => (0.55, 1),
        12 => (0.999, 4),
        13 => (0.999, 2),
        _ => (0.9, 3),
    }
}

fn run(variant: WindowVariant, entry: fn(u32) -> Entry) -> (Generation, TableModel) {
    let mut model = TableModel::new(entry);
    let request = Request {
        prompt: &[0; 10],
        max_new_tokens: 8,
        stop_ids: &[4],
        mask_id: Some(MASK),
        ..Request::default()
    };
    let rule = rule(variant, 4, SelectRule::default());
    let generation = decode(&mut model, &rule, &request).unwrap();
    (generation, model)
}

fn close(ours: impl Iterator<Item = f64>, expected: &[f64]) {
    let ours: Vec<f64> = ours.collect();
    assert_eq!(ours.len(), expected.len(), "{ours:?}");
    for (ours, expected) in ours.iter().zip(expected) {
        assert!((ours - expected).abs() < 6e-5, "{ours} ≠ {expected}");
    }
}

fn assert_trace(generation: &Generation, expected: &[Expected]) {
    assert_eq!(generation.rounds.len(), expected.len());
    for (round, expected) in generation.rounds.iter().zip(expected) {
        assert_eq!(round.positions, expected.positions);
        assert_eq!(round.committed, expected.committed);
        close(
            round.slots.iter().map(|slot| slot.entropy),
            expected.entropies,
        );
        close(
            round.slots.iter().map(|slot| slot.adjusted),
            expected.adjusted,
        );
        let filled: Vec<(u32, TokenId)> = round
            .slots
            .iter()
            .filter(|slot| slot.outcome == Outcome::Filled)
            .map(|slot| (slot.position, slot.token))
            .collect();
        assert_eq!(filled, expected.filled);
    }
}

#[test]
fn the_engine_variant_reproduces_the_reference_trace() {
    let (generation, model) = run(WindowVariant::Engine, hard_fourteen);
    assert_trace(
        &generation,
        &[
            Expected {
                positions: &[10, 11, 12, 13],
                committed: &[],
                entropies: &[0.0079, 0.6730, 0.0079, 0.1985],
                adjusted: &[0.0079, 0.6930, 0.0479, 0.2585],
                filled: &[(10, 0), (12, 2), (13, 3)],
            },
            Expected {
                positions: &[10, 12, 13, 11, 14],
                committed: &[0],
                entropies: &[0.3251, 0.4227],
                adjusted: &[0.3251, 0.4827],
                filled: &[(11, 1)],
            },
            Expected {
                positions: &[11, 12, 13, 14, 15, 16, 17],
                committed: &[1, 2, 3],
                entropies: &[0.4227, 0.0560, 0.3251, 0.0079],
                adjusted: &[0.4227, 0.0760, 0.3651, 0.0679],
                filled: &[(15, 0), (16, 1), (17, 2)],
            },
            // Nothing below the threshold: the smallest alone.
            Expected {
                positions: &[15, 16, 17, 14],
                committed: &[],
                entropies: &[0.6881],
                adjusted: &[0.6881],
                filled: &[(14, 4)],
            },
            Expected {
                positions: &[14, 15, 16, 17, 18, 19, 20, 21],
                committed: &[4],
                entropies: &[],
                adjusted: &[],
                filled: &[],
            },
        ],
    );
    assert_eq!(generation.ids, [0, 1, 2, 3, 4]);
    assert_eq!(generation.finished_by, Finish::StopToken);
    assert_eq!(generation.counts.verifier_forwards, 5);
    assert_eq!(generation.counts.token_instances, 28);
    assert_eq!(generation.counts.filled, 8);
    assert_eq!(generation.counts.committed, 5);
    // Prefill first; then only committed rows stay, and only rows of masks are asked for.
    assert_eq!(model.cached_before, [0, 10, 10, 11, 14, 14]);
    assert_eq!(model.asked, [0, 4, 2, 4, 1, 0]);
}

#[test]
fn the_paper_variant_reaches_the_same_text_with_fewer_rows() {
    let (generation, _) = run(WindowVariant::Paper, hard_fourteen);
    let orders: Vec<&[u32]> = generation
        .rounds
        .iter()
        .map(|round| round.positions.as_slice())
        .collect();
    assert_eq!(
        orders,
        [
            [10, 11, 12, 13].as_slice(),
            &[10, 12, 13, 11],
            &[11, 12, 13, 14],
            &[14, 15, 16, 17],
        ]
    );
    assert_eq!(generation.ids, [0, 1, 2, 3, 4]);
    assert_eq!(generation.counts.verifier_forwards, 4);
    assert_eq!(generation.counts.token_instances, 16);
}

#[test]
fn the_block_variant_waits_with_new_masks_until_none_is_left() {
    let (generation, model) = run(WindowVariant::Block, hard_fourteen);
    assert_trace(
        &generation,
        &[
            Expected {
                positions: &[10, 11, 12, 13],
                committed: &[],
                entropies: &[0.0079, 0.6730, 0.0079, 0.1985],
                adjusted: &[0.0079, 0.6930, 0.0479, 0.2585],
                filled: &[(10, 0), (12, 2), (13, 3)],
            },
            // The one hard mask alone: the engine feeds a mask at 14 with it.
            Expected {
                positions: &[10, 12, 13, 11],
                committed: &[0],
                entropies: &[0.3251],
                adjusted: &[0.3251],
                filled: &[(11, 1)],
            },
            // The block is full: its last rows are computed with the masks of the next one.
            Expected {
                positions: &[11, 12, 13, 14, 15, 16, 17],
                committed: &[1, 2, 3],
                entropies: &[0.4227, 0.0560, 0.3251, 0.0079],
                adjusted: &[0.4227, 0.0760, 0.3651, 0.0679],
                filled: &[(15, 0), (16, 1), (17, 2)],
            },
            Expected {
                positions: &[15, 16, 17, 14],
                committed: &[],
                entropies: &[0.6881],
                adjusted: &[0.6881],
                filled: &[(14, 4)],
            },
            Expected {
                positions: &[14, 15, 16, 17, 18, 19, 20, 21],
                committed: &[4],
                entropies: &[],
                adjusted: &[],
                filled: &[],
            },
        ],
    );
    assert_eq!(generation.ids, [0, 1, 2, 3, 4]);
    assert_eq!(generation.finished_by, Finish::StopToken);
    assert_eq!(generation.counts.token_instances, 27);
    assert_eq!(model.cached_before, [0, 10, 10, 11, 14, 14]);
    assert_eq!(model.asked, [0, 4, 1, 4, 1, 0]);
}

#[test]
fn a_stop_token_filled_early_ends_the_text_only_when_it_is_committed() {
    for variant in REORDERED {
        let (generation, _) = run(variant, early_stop);
        let stop_filled = generation
            .rounds
            .iter()
            .position(|round| {
                round
                    .slots
                    .iter()
                    .any(|slot| slot.token == 4 && slot.outcome == Outcome::Filled)
            })
            .unwrap();
        assert_eq!(stop_filled, 0);
        assert!(generation.rounds.len() > 2);
        // Slot 3 was filled with a 2 in the first forward; it lies behind the stop and is dropped.
        assert_eq!(generation.ids, [0, 1, 4]);
        assert_eq!(generation.finished_by, Finish::StopToken);
    }
}
