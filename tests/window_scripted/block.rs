//! Block decoding: a window is filled whole before the next one is appended.

use proptest::prelude::*;
use serde_json::Value;
use wedlm_bench::config::decoder::WindowVariant;
use wedlm_bench::engine::session::Request;
use wedlm_bench::engine::step::{Generation, Outcome, Round, Slot};
use wedlm_bench::engine::window::decode;
use wedlm_bench::model::lm::TokenId;
use wedlm_bench::model::scripted::ScriptedModel;
use wedlm_bench::policy::select::SelectRule;

use crate::hugging_face::{Settings, Step, generate_wedlm};
use crate::properties::{any_prompt, any_sampling, any_select};
use crate::{MASK, VOCAB_LEN, filled_positions, model, model_without_mask, request, rule};

fn filled(round: &Round) -> Vec<(u32, TokenId)> {
    let is_filled = |slot: &&Slot| slot.outcome == Outcome::Filled;
    let slots = round.slots.iter().filter(is_filled);
    slots.map(|slot| (slot.position, slot.token)).collect()
}

fn select(json: &str) -> SelectRule {
    serde_json::from_str(json).unwrap()
}

/// The rule of `generate_wedlm`, which takes a threshold of 0 for none.
fn rule_of(confidence_threshold: f64) -> SelectRule {
    if confidence_threshold == 0.0 {
        select(r#"{"kind":"topk_confidence","k":1}"#)
    } else {
        select(&format!(
            r#"{{"kind":"confidence_threshold","theta":{confidence_threshold}}}"#
        ))
    }
}

/// How much was compared: steps that filled one mask, and steps that filled several.
#[derive(Default)]
struct Compared {
    single: usize,
    several: usize,
}

/// Decodes with the engine and holds every forward against a step of the reference.
fn compare(request: &Request<'_>, settings: &Settings, seed: u64, compared: &mut Compared) {
    let Settings {
        block_size,
        confidence_threshold,
        ..
    } = *settings;
    let reference = generate_wedlm(
        &mut model_without_mask(seed),
        request.prompt,
        request.max_new_tokens,
        settings,
    );
    let rule = rule(
        WindowVariant::Block,
        block_size,
        rule_of(confidence_threshold),
    );
    let generation = decode(&mut model_without_mask(seed), &rule, request).unwrap();

    let within = &reference.ids[..request.max_new_tokens];
    let end = within
        .iter()
        .position(|id| request.stop_ids.contains(id))
        .map_or(within.len(), |index| index + 1);
    assert_eq!(generation.ids, within[..end]);

    let (last, rounds) = generation.rounds.split_last().unwrap();
    let steps: Vec<&Step> = reference.blocks.iter().flatten().collect();
    if end == reference.ids.len() {
        assert_eq!(rounds.len(), steps.len());
    }
    for (round, step) in rounds.iter().zip(&steps) {
        let positions: Vec<u32> = round.slots.iter().map(|slot| slot.position).collect();
        let expected: Vec<u32> = step.confidences.iter().map(|&(place, _)| place).collect();
        assert_eq!(positions, expected);
        for (slot, (_, p_max)) in round.slots.iter().zip(&step.confidences) {
            assert!((slot.top1 - p_max).abs() < 1e-6, "{} ≠ {p_max}", slot.top1);
        }
        assert_eq!(filled(round), step.filled);
        match step.filled.len() {
            1 => compared.single += 1,
            _ => compared.several += 1,
        }
    }
    // The engine needs a forward more: the rows of the last tokens are computed behind their choice.
    assert!(rounds.len() <= steps.len() && last.slots.is_empty());
}

#[test]
fn every_forward_fills_what_the_reference_without_a_cache_fills() {
    let mut compared = Compared::default();
    for block_size in [1, 2, 3, 5, 8, 16] {
        for confidence_threshold in [0.0, 0.3, 0.5, 0.7, 0.9] {
            let settings = Settings {
                block_size,
                mask_id: MASK,
                confidence_threshold,
            };
            for seed in 0..12 {
                let prompt: Vec<TokenId> = (0..=seed as TokenId % 4).map(|k| 3 * k % 11).collect();
                let request = Request {
                    prompt: &prompt,
                    stop_ids: if seed % 3 == 0 { &[0] } else { &[] },
                    ..request(1 + (7 * seed as usize + block_size) % 40)
                };
                compare(&request, &settings, seed, &mut compared);
            }
        }
    }
    let Compared { single, several } = compared;
    assert!(single > 4000 && several > 400, "{single}, {several}");
}

/// Everything but the durations.
fn rounds_of(generation: &Generation) -> Vec<Value> {
    let Value::Array(mut rounds) = serde_json::to_value(&generation.rounds).unwrap() else {
        panic!("rounds are a list")
    };
    for round in &mut rounds {
        round["durations"].take();
    }
    rounds
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_block_of_one_slot_is_a_stream_of_one_slot(
        select in any_select(),
        max_new_tokens in 1_usize..24,
        prompt in any_prompt(),
        sampling in any_sampling(),
        model_seed in any::<u64>(),
        seed in any::<u64>(),
        has_stop in any::<bool>(),
    ) {
        let request = Request {
            prompt: &prompt,
            stop_ids: if has_stop { &[0] } else { &[] },
            sampling,
            seed,
            ..request(max_new_tokens)
        };
        let run = |variant| {
            decode(&mut model(model_seed), &rule(variant, 1, select.clone()), &request).unwrap()
        };
        let (block, stream) = (run(WindowVariant::Block), run(WindowVariant::Engine));
        prop_assert_eq!(rounds_of(&block), rounds_of(&stream));
        prop_assert_eq!(&block.ids, &stream.ids);
        prop_assert_eq!(block.counts, stream.counts);
        prop_assert_eq!(block.finished_by, stream.finished_by);
    }

    #[test]
    fn masks_only_become_fewer_until_a_block_is_full_and_the_next_one_comes_whole(
        select in any_select(),
        window_size in 1_usize..10,
        max_new_tokens in 1_usize..40,
        prompt in any_prompt(),
        sampling in any_sampling(),
        model_seed in any::<u64>(),
    ) {
        let request = Request { prompt: &prompt, sampling, ..request(max_new_tokens) };
        let rule = rule(WindowVariant::Block, window_size, select);
        let generation = decode(&mut model(model_seed), &rule, &request).unwrap();
        let (last, rounds) = generation.rounds.split_last().unwrap();
        prop_assert!(last.slots.is_empty());
        let mut block = 0;
        let mut n_left = window_size;
        for round in rounds {
            if n_left == 0 {
                block += 1;
                n_left = window_size;
            }
            prop_assert_eq!(round.slots.len(), n_left);
            let start = prompt.len() + block * window_size;
            for slot in &round.slots {
                let position = slot.position as usize;
                prop_assert!((start..start + window_size).contains(&position));
            }
            let n_filled = filled(round).len();
            prop_assert!(n_filled > 0);
            n_left -= n_filled;
        }
    }
}

#[test]
fn a_block_waits_where_a_stream_goes_on() {
    // Positions 3, 4, 5 … are sure but for every fourth, so each block of four ends on a hard one.
    let confidences = |position: u32| if position % 4 == 2 { 0.5 } else { 0.99 };
    let run = |variant| {
        let rule = rule(variant, 4, select(r#"{"kind":"confidence_threshold"}"#));
        decode(&mut by_position(confidences), &rule, &request(16)).unwrap()
    };
    let (block, stream) = (run(WindowVariant::Block), run(WindowVariant::Engine));
    let fills = |generation: &Generation| -> Vec<usize> {
        let rounds = generation.rounds.iter();
        rounds.map(|round| filled(round).len()).collect()
    };
    // Three sure tokens, then the hard one; the stream has new sure ones beside it.
    assert_eq!(fills(&block), [3, 1, 3, 1, 3, 1, 3, 1, 0]);
    assert_eq!(fills(&stream)[..4], [3, 3, 1, 3]);
    assert_eq!(block.ids, stream.ids);
}

#[test]
fn the_steps_of_a_quota_begin_anew_with_every_block() {
    // 6 / 4 = 1 each, one more in the first 6 % 4 = 2.
    let quota = select(r#"{"kind":"topk_confidence","steps":4}"#);
    let rule = rule(WindowVariant::Block, 6, quota);
    let generation = decode(&mut model(7), &rule, &request(18)).unwrap();
    let fills: Vec<usize> = generation
        .rounds
        .iter()
        .map(|round| filled(round).len())
        .collect();
    assert_eq!(fills, [2, 2, 1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 0]);
}

#[test]
fn an_exploration_does_not_go_on_in_the_next_block() {
    // Ends are never stable, so that only the fourth forward of an exploration ends it. The first
    // block takes three. Were its three estimates kept, the mean of the last two, 4.5, would end
    // the span behind position 4 of the text, and position 3 would be filled before 5.
    let confidences = |position: u32| match position - 3 {
        0 => 0.8,
        1 => 0.6,
        2 => 0.35,
        3 => 0.35,
        4 => 0.8,
        _ => 0.6,
    };
    let slowfast = select(r#"{"kind":"slowfast","exploration_steps":4,"stable_std":0}"#);
    let rule = rule(WindowVariant::Block, 3, slowfast);
    let generation = decode(&mut by_position(confidences), &rule, &request(6)).unwrap();
    let relative: Vec<u32> = filled_positions(&generation)
        .iter()
        .map(|position| position - 3)
        .collect();
    assert_eq!(relative, [0, 1, 2, 4, 5, 3]);
}

/// Every row gives token 4 the probability of its position, and the others equal shares of the rest.
fn by_position(confidence: fn(u32) -> f64) -> ScriptedModel {
    ScriptedModel::new(VOCAB_LEN, 128, move |rows| {
        let p = confidence(rows[rows.len() - 1].1);
        let mut row = vec![((1.0 - p) / (VOCAB_LEN - 1) as f64).ln() as f32; VOCAB_LEN];
        row[4] = p.ln() as f32;
        row
    })
}
