//! Batched decoding on models without weights: what runs together decodes as it does alone.

#[path = "common/rules.rs"]
mod rules;

use proptest::prelude::*;
use rules::{ORDERS, STOP_RULES, VOCAB_LEN, drafter, rule, verifier};
use wedlm_bench::engine::autoregressive;
use wedlm_bench::engine::batch::{self, Batching};
use wedlm_bench::engine::session::{Detail, EngineError, Request, Sampling};
use wedlm_bench::engine::speculative::{self, SpeculativeRule};
use wedlm_bench::engine::step::{Durations, Finish, Generation};
use wedlm_bench::model::lm::{BatchedLanguageModel, ModelError, TokenId};
use wedlm_bench::model::scripted::{ScriptedBatch, ScriptedModel};
use wedlm_bench::policy::accept::AcceptRule;

const BATCH_SIZES: [usize; 4] = [1, 2, 3, 8];

fn batch_of(n_sequences: usize, model: fn() -> ScriptedModel) -> ScriptedBatch {
    ScriptedBatch::new((0..n_sequences).map(|_| model()).collect())
}

fn in_batches_of(batch_size: usize) -> Batching {
    Batching {
        batch_size,
        group_by_draft_len: false,
    }
}

/// A prompt of 1 to 9 tokens.
fn prompt(number: u32) -> Vec<TokenId> {
    (0..=(number * 5) % 9)
        .map(|i| (number + 7 * i) % VOCAB_LEN as u32)
        .collect()
}

/// Requests of different prompt lengths and budgets. Two of the twelve tokens end a text, so most end
/// before their budget.
fn requests(prompts: &[Vec<TokenId>]) -> Vec<Request<'_>> {
    prompts
        .iter()
        .enumerate()
        .map(|(number, prompt)| Request {
            prompt,
            max_new_tokens: 8 + 7 * (number % 4),
            stop_ids: &[3, 8],
            seed: number as u64,
            ..Request::default()
        })
        .collect()
}

fn prompts(n: u32) -> Vec<Vec<TokenId>> {
    (0..n).map(prompt).collect()
}

/// A generation without its durations, as text that compares.
fn facts(generation: &Generation) -> String {
    let mut generation = generation.clone();
    generation.durations = Durations::default();
    for round in &mut generation.rounds {
        round.durations = Durations::default();
    }
    serde_json::to_string(&generation).unwrap()
}

fn assert_same(together: &[Generation], alone: &[Generation], what: &str) {
    assert_eq!(together.len(), alone.len());
    for (number, (together, alone)) in together.iter().zip(alone).enumerate() {
        assert_eq!(facts(together), facts(alone), "request {number}: {what}");
    }
}

fn one_by_one(rule: &SpeculativeRule, requests: &[Request<'_>]) -> Vec<Generation> {
    let decode = |request| speculative::decode(&mut drafter(), &mut verifier(), rule, request);
    requests
        .iter()
        .map(|request| decode(request).unwrap())
        .collect()
}

fn together(
    rule: &SpeculativeRule,
    requests: &[Request<'_>],
    batching: Batching,
) -> Vec<Generation> {
    let n = batching.batch_size;
    let (mut drafter, mut verifier) = (batch_of(n, drafter), batch_of(n, verifier));
    batch::decode(&mut drafter, &mut verifier, rule, requests, batching).unwrap()
}

#[test]
fn every_rule_order_and_batch_size_decodes_as_one_by_one() {
    let prompts = prompts(13);
    let requests = requests(&prompts);
    for json in STOP_RULES {
        for order in ORDERS {
            let rule = SpeculativeRule {
                order,
                ..rule(json)
            };
            let alone = one_by_one(&rule, &requests);
            let ends = |finish| {
                let all = alone.iter();
                all.filter(|generation| generation.finished_by == finish)
                    .count()
            };
            assert!(ends(Finish::StopToken) >= 3 && ends(Finish::Budget) >= 1);
            for batch_size in BATCH_SIZES {
                for group_by_draft_len in [false, true] {
                    let batching = Batching {
                        batch_size,
                        group_by_draft_len,
                    };
                    let together = together(&rule, &requests, batching);
                    assert_same(&together, &alone, &format!("{json} {order:?} {batching:?}"));
                }
            }
        }
    }
}

#[test]
fn autoregressive_batches_decode_as_one_by_one_greedy_and_sampled() {
    let prompts = prompts(13);
    for temperature in [0.0, 0.8] {
        let mut requests = requests(&prompts);
        for request in &mut requests {
            request.sampling.temperature = temperature;
        }
        let alone: Vec<Generation> = requests
            .iter()
            .map(|request| autoregressive::decode(&mut verifier(), request).unwrap())
            .collect();
        for batch_size in BATCH_SIZES {
            let mut verifier = batch_of(batch_size, verifier);
            let batching = in_batches_of(batch_size);
            let together =
                batch::decode_autoregressive(&mut verifier, &requests, batching).unwrap();
            assert_same(&together, &alone, &format!("{temperature} {batch_size}"));
        }
    }
}

#[test]
fn sampled_and_lossy_acceptance_decodes_as_one_by_one() {
    let prompts = prompts(13);
    let accepts = [
        r#"{"kind": "rejection"}"#,
        r#"{"kind": "block"}"#,
        r#"{"kind": "gumbel"}"#,
        r#"{"kind": "lenient", "lenience": 0.5}"#,
        r#"{"kind": "typical"}"#,
        r#"{"kind": "entropy_aligned"}"#,
        r#"{"kind": "backtrack"}"#,
    ];
    for accept in accepts {
        let rule = SpeculativeRule {
            accept: serde_json::from_str(accept).unwrap(),
            ..rule(r#"{"kind": "absolute", "theta_abs": 1.2}"#)
        };
        let mut requests = requests(&prompts);
        for request in &mut requests {
            request.sampling = Sampling {
                temperature: 0.9,
                ..Sampling::default()
            };
            request.record = Detail {
                overlap: true,
                ..Detail::default()
            };
        }
        let alone = one_by_one(&rule, &requests);
        for batch_size in BATCH_SIZES {
            let together = together(&rule, &requests, in_batches_of(batch_size));
            assert_same(&together, &alone, &format!("{accept} {batch_size}"));
        }
    }
}

#[test]
fn a_stop_string_ends_each_text_of_a_batch_where_it_ends_it_alone() {
    let prompts = prompts(9);
    let mut requests = requests(&prompts);
    for request in &mut requests {
        request.stop_ids = &[];
    }
    // The fifth and sixth token of every other text.
    let free = one_by_one(&rule(r#"{"kind": "fixed"}"#), &requests);
    let strings: Vec<Vec<TokenId>> = free
        .iter()
        .step_by(2)
        .map(|generation| generation.ids[4..6].to_vec())
        .collect();
    for request in &mut requests {
        request.stop_strings = &strings;
    }
    for stop in [r#"{"kind": "fixed"}"#, r#"{"kind": "oracle"}"#] {
        let rule = rule(stop);
        let alone = one_by_one(&rule, &requests);
        let ended = alone
            .iter()
            .filter(|generation| generation.finished_by == Finish::StopString);
        assert!(ended.count() >= 5, "{stop}");
        for batch_size in BATCH_SIZES {
            let together = together(&rule, &requests, in_batches_of(batch_size));
            assert_same(&together, &alone, &format!("{stop} {batch_size}"));
        }
    }
    let alone: Vec<Generation> = requests
        .iter()
        .map(|request| autoregressive::decode(&mut verifier(), request).unwrap())
        .collect();
    let together =
        batch::decode_autoregressive(&mut batch_of(3, verifier), &requests, in_batches_of(3))
            .unwrap();
    for (together, alone) in together.iter().zip(&alone) {
        assert_eq!(together.ids, alone.ids);
        assert_eq!(together.finished_by, alone.finished_by);
    }
}

#[test]
fn four_equal_prompts_cost_the_forwards_of_one() {
    let prompts = vec![prompt(3); 4];
    let requests: Vec<Request<'_>> = prompts
        .iter()
        .map(|prompt| Request {
            prompt,
            max_new_tokens: 40,
            ..Request::default()
        })
        .collect();
    let rule = rule(r#"{"kind": "absolute", "theta_abs": 1.2}"#);
    let (mut drafter, mut verifier) = (batch_of(4, drafter), batch_of(4, verifier));
    let together = batch::decode(
        &mut drafter,
        &mut verifier,
        &rule,
        &requests,
        in_batches_of(4),
    )
    .unwrap();
    let counts = together[0].counts;
    assert_eq!(
        verifier.n_forwards() as u64,
        1 + counts.verifier_forwards,
        "prefill and rounds"
    );
    assert_eq!(drafter.n_forwards() as u64, 1 + counts.drafter_forwards);
    assert!(together.iter().all(|other| other.counts == counts));
}

#[test]
fn a_finished_sequence_makes_room_for_the_next_prompt_at_once() {
    // Budgets of 30, 10, 10 and 10 tokens, one token a round: two slots need 30 rounds, where waves of
    // two would need 30 + 10.
    let prompts = vec![prompt(3); 4];
    let requests: Vec<Request<'_>> = [30, 10, 10, 10]
        .iter()
        .zip(&prompts)
        .map(|(&max_new_tokens, prompt)| Request {
            prompt,
            max_new_tokens,
            ..Request::default()
        })
        .collect();
    let mut verifier = batch_of(2, verifier);
    let together =
        batch::decode_autoregressive(&mut verifier, &requests, in_batches_of(2)).unwrap();
    let lens: Vec<usize> = together
        .iter()
        .map(|generation| generation.ids.len())
        .collect();
    assert_eq!(lens, [30, 10, 10, 10]);
    let prefills = 3;
    assert_eq!(verifier.n_forwards(), 30 + prefills);
    // 60 tokens by 60 rows, whatever they shared.
    let rows: u64 = together
        .iter()
        .map(|generation| generation.counts.token_instances)
        .sum();
    assert_eq!(rows, 60);
}

#[test]
fn grouping_by_draft_length_takes_more_verifier_forwards_for_the_same_text() {
    let prompts = prompts(8);
    let requests = requests(&prompts);
    let rule = rule(r#"{"kind": "random"}"#);
    let forwards = |group_by_draft_len| {
        let (mut drafter, mut verifier) = (batch_of(8, drafter), batch_of(8, verifier));
        let batching = Batching {
            batch_size: 8,
            group_by_draft_len,
        };
        batch::decode(&mut drafter, &mut verifier, &rule, &requests, batching).unwrap();
        (drafter.n_forwards(), verifier.n_forwards())
    };
    let (one_call, grouped) = (forwards(false), forwards(true));
    assert_eq!(one_call.0, grouped.0);
    assert!(grouped.1 > one_call.1, "{grouped:?} {one_call:?}");
}

#[test]
fn ten_thousand_rounds_do_not_grow_the_caches() {
    let prompts = prompts(12);
    let requests: Vec<Request<'_>> = prompts
        .iter()
        .map(|prompt| Request {
            prompt,
            max_new_tokens: 60,
            ..Request::default()
        })
        .collect();
    let rule = rule(r#"{"kind": "fixed"}"#);
    let (mut drafter, mut verifier) = (batch_of(3, drafter), batch_of(3, verifier));
    let mut run = || {
        let batching = in_batches_of(3);
        let generations =
            batch::decode(&mut drafter, &mut verifier, &rule, &requests, batching).unwrap();
        let rounds: u64 = generations.iter().map(|g| g.counts.rounds).sum();
        let capacities = [drafter.cache_capacities(), verifier.cache_capacities()].concat();
        (rounds, capacities)
    };
    let (mut rounds, first) = run();
    while rounds < 10_000 {
        let (more, capacities) = run();
        rounds += more;
        assert_eq!(capacities, first);
    }
    // The longest text has 9 + 60 tokens; a vector at most doubles what it needs.
    assert!(first.iter().all(|&rows| rows <= 2 * 69), "{first:?}");
}

#[test]
fn the_shares_of_a_sequence_are_no_more_than_its_wall_and_walls_overlap() {
    let prompts = prompts(6);
    let requests = requests(&prompts);
    let rule = rule(r#"{"kind": "absolute", "theta_abs": 1.2}"#);
    let started = std::time::Instant::now();
    let generations = together(&rule, &requests, in_batches_of(3));
    let elapsed = started.elapsed();
    let mut models = std::time::Duration::ZERO;
    for generation in &generations {
        let parts = |d: &Durations| d.prefill + d.draft + d.verify + d.policy;
        let total = generation.durations;
        assert!(parts(&total) <= total.wall && total.wall <= elapsed);
        let walls: std::time::Duration = generation.rounds.iter().map(|r| r.durations.wall).sum();
        assert!(walls <= total.wall);
        assert!(
            generation
                .rounds
                .iter()
                .all(|round| parts(&round.durations) <= round.durations.wall)
        );
        models += total.prefill + total.draft + total.verify;
    }
    assert!(models <= elapsed);
}

#[test]
fn budgets_of_zero_and_an_empty_list_need_no_forward() {
    let prompt = prompt(1);
    let nothing = Request {
        prompt: &prompt,
        max_new_tokens: 0,
        ..Request::default()
    };
    let rule = rule(r#"{"kind": "fixed"}"#);
    let (mut drafter, mut verifier) = (batch_of(2, drafter), batch_of(2, verifier));
    for requests in [vec![], vec![nothing; 3]] {
        let generations = batch::decode(
            &mut drafter,
            &mut verifier,
            &rule,
            &requests,
            in_batches_of(2),
        )
        .unwrap();
        assert_eq!(generations.len(), requests.len());
        assert!(generations.iter().all(|g| g.ids.is_empty()));
    }
    assert_eq!(drafter.n_forwards() + verifier.n_forwards(), 0);
}

#[test]
fn what_cannot_run_is_refused_with_the_reason() {
    let prompt = prompt(1);
    let request = Request {
        prompt: &prompt,
        max_new_tokens: 5,
        ..Request::default()
    };
    let rule = rule(r#"{"kind": "fixed"}"#);
    let refuse = |requests: &[Request<'_>], batch_size| {
        let (mut drafter, mut verifier) = (batch_of(2, drafter), batch_of(3, verifier));
        let batching = in_batches_of(batch_size);
        let error = batch::decode(&mut drafter, &mut verifier, &rule, requests, batching);
        assert_eq!(drafter.n_forwards() + verifier.n_forwards(), 0);
        error.unwrap_err()
    };
    for batch_size in [0, 3] {
        let message = refuse(&[request], batch_size).to_string();
        let expected =
            format!("batch_size is {batch_size}: the drafter model has room for 1 to 2 sequences");
        assert_eq!(message, expected);
    }
    let empty = Request {
        prompt: &[],
        ..request
    };
    assert!(matches!(
        refuse(&[request, empty], 2),
        EngineError::EmptyPrompt
    ));
    let empty_string = Request {
        stop_strings: &[Vec::new()],
        ..request
    };
    assert!(matches!(
        refuse(&[request, empty_string], 2),
        EngineError::EmptyStopString { index: 0 }
    ));
    let long = Request {
        max_new_tokens: 5000,
        ..request
    };
    assert!(matches!(
        refuse(&[request, long], 2),
        EngineError::PromptTooLong {
            role: "drafter",
            ..
        }
    ));
    let sampled = Request {
        sampling: Sampling {
            temperature: 1.0,
            ..Sampling::default()
        },
        ..request
    };
    assert!(matches!(
        refuse(&[sampled], 2),
        EngineError::GreedyAcceptance { .. }
    ));
}

#[test]
fn a_row_that_is_not_a_number_ends_the_batch_with_its_cache_row() {
    // Rows behind position 6 are broken.
    let broken = || {
        ScriptedModel::new(VOCAB_LEN, 64, |rows| {
            let is_late = rows.last().is_some_and(|&(_, position)| position > 6);
            vec![if is_late { f32::NAN } else { 1.0 }; VOCAB_LEN]
        })
    };
    let prompts = [prompt(0), prompt(1)];
    let mut requests = requests(&prompts);
    let mut verifier = batch_of(2, broken);
    let error = batch::decode_autoregressive(&mut verifier, &requests, in_batches_of(2));
    assert!(matches!(
        error.unwrap_err(),
        EngineError::Model(ModelError::NotANumber { row: 7 })
    ));
    // The next batch starts from empty caches.
    for request in &mut requests {
        request.max_new_tokens = 1;
    }
    batch::decode_autoregressive(&mut verifier, &requests, in_batches_of(2)).unwrap();
    assert_eq!(verifier.cached_len(0), prompts[0].len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_mix_of_requests_decodes_as_one_by_one(
        sizes in prop::collection::vec((1_usize..20, 0_usize..30, 0_u64..1000), 1..10),
        batch_size in 1_usize..6,
        group_by_draft_len: bool,
        max_draft_len in 1_usize..8,
        temperature in prop::sample::select(vec![0.0, 0.7]),
    ) {
        let prompts: Vec<Vec<TokenId>> = sizes
            .iter()
            .map(|&(len, _, seed)| {
                (0..len as u64).map(|i| ((seed + 5 * i) % VOCAB_LEN as u64) as TokenId).collect()
            })
            .collect();
        let requests: Vec<Request<'_>> = sizes
            .iter()
            .zip(&prompts)
            .map(|(&(_, max_new_tokens, seed), prompt)| Request {
                prompt,
                max_new_tokens,
                stop_ids: &[2],
                sampling: Sampling { temperature, ..Sampling::default() },
                seed,
                ..Request::default()
            })
            .collect();
        let rule = SpeculativeRule {
            max_draft_len,
            accept: AcceptRule::Rejection {},
            ..rule(r#"{"kind": "goodput"}"#)
        };
        let batching = Batching { batch_size, group_by_draft_len };
        let together = together(&rule, &requests, batching);
        for (together, alone) in together.iter().zip(one_by_one(&rule, &requests)) {
            prop_assert_eq!(facts(together), facts(&alone));
        }
    }
}
