//! What holds for every model, rule and setting.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wedlm_bench::config::decoder::{Ending, WindowVariant};
use wedlm_bench::engine::session::Request;
use wedlm_bench::engine::step::{Finish, Generation, Outcome, Round};
use wedlm_bench::engine::window::{WindowRule, decode};
use wedlm_bench::model::lm::TokenId;
use wedlm_bench::model::scripted::ScriptedModel;
use wedlm_bench::policy::sample::Sampling;
use wedlm_bench::policy::select::SelectRule;

use crate::recompute::{Settings, Trace, recompute};
use crate::{MASK, VARIANTS, VOCAB_LEN, entropy, model, rule};

fn any_variant() -> impl Strategy<Value = WindowVariant> {
    prop::sample::select(VARIANTS.to_vec())
}

fn any_threshold() -> impl Strategy<Value = Option<f64>> {
    prop::option::of(prop::sample::select(vec![0.0, 0.4, 0.9, 1.5, 2.0, 5.0]))
}

pub fn any_select() -> impl Strategy<Value = SelectRule> {
    let rules = [
        r#"{"kind":"entropy","entropy_threshold":1.5}"#,
        r#"{"kind":"entropy","entropy_threshold":5,"cap":2}"#,
        r#"{"kind":"greedy"}"#,
        r#"{"kind":"left_to_right","k":3}"#,
        r#"{"kind":"hybrid","base":1.5,"step":0.5,"min":0.5,"max":2,"target":0.3}"#,
        r#"{"kind":"window_scaled","entropy_threshold":2}"#,
        r#"{"kind":"confidence_threshold","theta":0.5}"#,
        r#"{"kind":"confidence_factor","factor":2}"#,
        r#"{"kind":"frechet","m":-0.5}"#,
        r#"{"kind":"topk_confidence","steps":3}"#,
        r#"{"kind":"margin","theta":0.3}"#,
        r#"{"kind":"entropy_bound","gamma":2}"#,
        r#"{"kind":"eb_cumulative","threshold":3}"#,
        r#"{"kind":"klass","theta":0.3,"epsilon":5}"#,
        r#"{"kind":"slowfast","theta":0.4}"#,
        r#"{"kind":"credit","theta":0.5}"#,
        r#"{"kind":"random","k":2,"seed":4}"#,
    ];
    prop::sample::select(
        rules
            .map(|json| serde_json::from_str(json).unwrap())
            .to_vec(),
    )
}

pub fn any_sampling() -> impl Strategy<Value = Sampling> {
    prop::sample::select(vec![
        Sampling::default(),
        Sampling {
            temperature: 0.7,
            top_k: 5,
            top_p: 0.9,
        },
    ])
}

pub fn any_prompt() -> impl Strategy<Value = Vec<TokenId>> {
    prop::collection::vec(0..MASK, 1..5)
}

fn fills_of(round: &Round) -> Vec<(u32, TokenId)> {
    let filled = round
        .slots
        .iter()
        .filter(|slot| slot.outcome == Outcome::Filled);
    filled.map(|slot| (slot.position, slot.token)).collect()
}

/// Position and token of each fill, with the round in which it happened.
fn fills(generation: &Generation) -> Vec<(usize, u32, TokenId)> {
    let mut fills = Vec::new();
    for (index, round) in generation.rounds.iter().enumerate() {
        for slot in &round.slots {
            if slot.outcome == Outcome::Filled {
                fills.push((index, slot.position, slot.token));
            }
        }
    }
    fills
}

fn check_bookkeeping(
    generation: &Generation,
    rule: &WindowRule,
    request: &Request<'_>,
) -> Result<(), TestCaseError> {
    let counts = generation.counts;
    let n_ids = generation.ids.len();
    prop_assert!(n_ids <= request.max_new_tokens);
    match generation.finished_by {
        Finish::Budget => prop_assert_eq!(n_ids, request.max_new_tokens),
        Finish::StopToken => prop_assert!(request.stop_ids.contains(&generation.ids[n_ids - 1])),
        Finish::StopString => prop_assert!(false, "no stop string was given"),
    }
    let n_stops = generation.ids[..n_ids - 1]
        .iter()
        .filter(|id| request.stop_ids.contains(id))
        .count();
    prop_assert_eq!(n_stops, 0);

    let committed: Vec<TokenId> = generation
        .rounds
        .iter()
        .flat_map(|round| round.committed.clone())
        .collect();
    prop_assert_eq!(&committed, &generation.ids);
    prop_assert_eq!(counts.committed as usize, n_ids);
    prop_assert_eq!(counts.rounds as usize, generation.rounds.len());
    prop_assert_eq!(counts.verifier_forwards, counts.rounds);
    let n_fed: usize = generation
        .rounds
        .iter()
        .map(|round| round.positions.len())
        .sum();
    prop_assert_eq!(counts.token_instances as usize, n_fed);

    let fills = fills(generation);
    prop_assert_eq!(counts.filled as usize, fills.len());
    let mut by_position = BTreeMap::new();
    for (round, position, token) in fills {
        let earlier = by_position.insert(position, (round, token));
        prop_assert_eq!(earlier, None, "position {} was filled twice", position);
    }
    let mut n_forced = 0;
    for (index, round) in generation.rounds.iter().enumerate() {
        for (position, &token) in (round.context_len as u32..).zip(&round.committed) {
            match by_position.get(&position) {
                Some(&(filled_in, filled)) => {
                    prop_assert_eq!(filled, token);
                    match rule.variant {
                        WindowVariant::Engine | WindowVariant::Paper | WindowVariant::Block => {
                            let is_last = index == generation.rounds.len() - 1;
                            let may_be_at_once = is_last && rule.ending == Ending::Text;
                            prop_assert!(filled_in < index || filled_in == index && may_be_at_once);
                        }
                        WindowVariant::Notebook => prop_assert!(filled_in <= index),
                    }
                }
                None => {
                    prop_assert_eq!(token, MASK);
                    n_forced += 1;
                }
            }
        }
    }
    prop_assert_eq!(counts.forced_mask_commits, n_forced);
    if rule.variant != WindowVariant::Notebook {
        prop_assert_eq!(n_forced, 0);
        prop_assert!(!generation.ids.contains(&MASK));
    }
    Ok(())
}

/// One generation is the other without its last forward, which only commits.
fn check_last_forward_left_out(
    ended: &Generation,
    whole: &Generation,
    variant: WindowVariant,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(&ended.ids, &whole.ids);
    prop_assert_eq!(ended.finished_by, whole.finished_by);
    prop_assert_eq!(ended.counts.filled, whole.counts.filled);
    let n_left_out = usize::from(variant != WindowVariant::Notebook);
    prop_assert_eq!(ended.rounds.len() + n_left_out, whole.rounds.len());
    for (ours, theirs) in ended.rounds.iter().zip(&whole.rounds) {
        prop_assert_eq!(&ours.positions, &theirs.positions);
        prop_assert_eq!(fills_of(ours), fills_of(theirs));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_rule_ends_within_its_budget_and_commits_only_what_it_filled(
        variant in any_variant(),
        select in any_select(),
        window_size in 1_usize..10,
        max_new_tokens in 1_usize..24,
        prompt in any_prompt(),
        sampling in any_sampling(),
        model_seed in any::<u64>(),
        seed in any::<u64>(),
        has_stop in any::<bool>(),
    ) {
        let request = Request {
            prompt: &prompt,
            max_new_tokens,
            stop_ids: if has_stop { &[0] } else { &[] },
            mask_id: Some(MASK),
            sampling,
            seed,
            ..Request::default()
        };
        // Not one row more than the decoder says it needs.
        let n_windows = match variant {
            WindowVariant::Engine | WindowVariant::Block => 2,
            WindowVariant::Paper | WindowVariant::Notebook => 1,
        };
        let context_len = prompt.len() + max_new_tokens - 1 + n_windows * window_size;
        let run = |ending| {
            let rule = WindowRule { ending, ..rule(variant, window_size, select.clone()) };
            let mut model = ScriptedModel::history(model_seed, VOCAB_LEN, 8.0)
                .with_context_len(context_len);
            let generation = decode(&mut model, &rule, &request).unwrap();
            check_bookkeeping(&generation, &rule, &request)?;
            Ok::<_, TestCaseError>(generation)
        };
        let (whole, ended) = (run(Ending::Cache)?, run(Ending::Text)?);
        check_last_forward_left_out(&ended, &whole, variant)?;
    }

    #[test]
    fn a_cached_decoder_equals_one_that_recomputes_everything(
        variant in any_variant(),
        window_size in 1_usize..10,
        threshold in any_threshold(),
        pos_penalty in prop::sample::select(vec![0.0, 0.02, 0.1, 1.0]),
        max_new_tokens in 1_usize..24,
        prompt in any_prompt(),
        sampling in any_sampling(),
        model_seed in any::<u64>(),
        seed in any::<u64>(),
        has_stop in any::<bool>(),
    ) {
        let request = Request {
            prompt: &prompt,
            max_new_tokens,
            stop_ids: if has_stop { &[0] } else { &[] },
            mask_id: Some(MASK),
            sampling,
            seed,
            ..Request::default()
        };
        let settings = Settings { variant, window_size, threshold, pos_penalty };
        let expected = recompute(&mut model(model_seed), &request, &settings, MASK);
        let rule = rule(variant, window_size, entropy(threshold, pos_penalty));
        let generation = decode(&mut model(model_seed), &rule, &request).unwrap();
        let ours = Trace {
            n_forwards: generation.rounds.len(),
            filled: fills(&generation)
                .into_iter()
                .map(|(_, position, token)| (position, token))
                .collect(),
            ids: generation.ids,
        };
        prop_assert_eq!(ours, expected);
    }
}
