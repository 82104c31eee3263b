//! Exact replay on models without weights: a trace tells every round that a live run would have had.

#[path = "common/rules.rs"]
mod rules;

#[path = "replay_scripted/recording.rs"]
mod recording;
#[path = "replay_scripted/refusals.rs"]
mod refusals;
#[path = "replay_scripted/totals.rs"]
mod totals;

use proptest::prelude::*;
use rules::{ORDERS, STOP_RULES, VOCAB_LEN, drafter, rule, verifier};
use wedlm_bench::engine::session::{Request, Sampling};
use wedlm_bench::engine::speculative::{self, SpeculativeRule};
use wedlm_bench::engine::step::{DraftStop, Durations, Finish, Generation, Outcome};
use wedlm_bench::model::lm::TokenId;
use wedlm_bench::policy::accept::AcceptRule;
use wedlm_bench::policy::entropy::EntropyRule;
use wedlm_bench::trace::Trace;
use wedlm_bench::trace::record::{RecordSetting, record};
use wedlm_bench::trace::replay::Replay;

/// Longest draft of the traces.
const MAX_DRAFT_LEN: usize = 8;
/// Least and most tokens of a draft.
const BOUNDS: [(usize, usize); 5] = [(1, 6), (0, 8), (3, 5), (4, 4), (0, 1)];
const N_PROMPTS: u32 = 50;
const SEEDS: [u64; 3] = [0, 17, 99];

/// Rules that learn, with a memory that lasts from prompt to prompt.
const STREAM_RULES: [&str; 10] = [
    r#"{"kind": "adaedl", "lambda": 0.5, "scope": "stream"}"#,
    r#"{"kind": "draft_verify", "theta": 0.5, "scope": "stream"}"#,
    r#"{"kind": "confidence_roc", "scope": "stream"}"#,
    r#"{"kind": "hf_heuristic", "start": 3, "scope": "stream"}"#,
    r#"{"kind": "gammatune", "scope": "stream"}"#,
    r#"{"kind": "sglang_ema", "scope": "stream"}"#,
    r#"{"kind": "goodput", "scope": "stream"}"#,
    r#"{"kind": "costaware_hazard", "scope": "stream"}"#,
    r#"{"kind": "schmitt_gate", "low": 1.0, "high": 1.2, "scope": "stream"}"#,
    r#"{"kind": "combined", "any": [{"kind": "random"}, {"kind": "goodput", "scope": "stream"}]}"#,
];

/// A prompt of 1 to 9 tokens.
fn prompt(number: u32) -> Vec<TokenId> {
    (0..=(number * 5) % 9)
        .map(|i| (number + 7 * i) % VOCAB_LEN as u32)
        .collect()
}

fn prompts() -> Vec<Vec<TokenId>> {
    (0..N_PROMPTS).map(prompt).collect()
}

fn stop_strings() -> Vec<Vec<TokenId>> {
    vec![vec![4, 5], vec![7, 1], vec![10], vec![0, 2, 6]]
}

/// Requests that end in every way there is, each prompt with its own seed.
fn requests<'a>(
    prompts: &'a [Vec<TokenId>],
    stop_strings: &'a [Vec<TokenId>],
    temperature: f64,
    seed: u64,
) -> Vec<Request<'a>> {
    let numbered = prompts.iter().enumerate();
    numbered
        .map(|(number, prompt)| Request {
            prompt,
            max_new_tokens: [30, 1, 12, 60, 2, 0, 5][number % 7],
            stop_ids: if number % 3 == 0 { &[3, 8] } else { &[] },
            stop_strings: if number % 4 == 1 { stop_strings } else { &[] },
            mask_id: (number % 5 == 2).then_some(9),
            sampling: Sampling {
                temperature,
                ..Sampling::default()
            },
            seed: seed + number as u64,
            ..Request::default()
        })
        .collect()
}

/// One of each kind.
fn entropies() -> Vec<EntropyRule> {
    let kinds = [
        r#"{"kind": "shannon"}"#,
        r#"{"kind": "renyi", "alpha": 2.0}"#,
        r#"{"kind": "renyi", "alpha": 0.5, "temperature": 0.7}"#,
        r#"{"kind": "tsallis", "q": 2.0}"#,
        r#"{"kind": "topk", "k": 4}"#,
        r#"{"kind": "topk", "k": 2, "renormalize": false}"#,
        r#"{"kind": "min"}"#,
        r#"{"kind": "varentropy"}"#,
    ];
    let parsed = kinds.iter().map(|json| serde_json::from_str(json).unwrap());
    parsed.collect()
}

fn setting() -> RecordSetting {
    RecordSetting {
        max_draft_len: MAX_DRAFT_LEN,
        entropies: entropies(),
        piece_len: 16,
    }
}

fn trace_of(requests: &[Request<'_>]) -> Trace {
    record(&mut drafter(), &mut verifier(), &setting(), requests).unwrap()
}

/// A stream of live runs, without the durations.
fn live(rule: &SpeculativeRule, requests: &[Request<'_>]) -> Vec<Generation> {
    let (mut drafter, mut verifier) = (drafter(), verifier());
    let mut state = rule.stop.start(requests[0].seed);
    let mut decode = |request| {
        let (drafter, verifier) = (&mut drafter, &mut verifier);
        let decoded =
            speculative::decode_in_stream(drafter, verifier, rule, request, &mut state).unwrap();
        without_durations(decoded)
    };
    requests.iter().map(&mut decode).collect()
}

fn without_durations(mut generation: Generation) -> Generation {
    generation.durations = Durations::default();
    for round in &mut generation.rounds {
        round.durations = Durations::default();
    }
    generation
}

/// What a comparison has met, so that it cannot pass by meeting nothing.
#[derive(Debug, Default)]
struct Met {
    rounds: usize,
    stops: [usize; 3],
    finishes: [usize; 3],
    outcomes: [usize; 4],
}

impl Met {
    fn add(&mut self, generation: &Generation) {
        self.rounds += generation.rounds.len();
        self.finishes[match generation.finished_by {
            Finish::StopToken => 0,
            Finish::StopString => 1,
            Finish::Budget => 2,
        }] += 1;
        for round in &generation.rounds {
            self.stops[match round.stopped_by {
                DraftStop::MaxDraftLen => 0,
                DraftStop::Rule => 1,
                DraftStop::Eos => 2,
            }] += 1;
            for slot in &round.slots {
                self.outcomes[match slot.outcome {
                    Outcome::Accepted => 0,
                    Outcome::Rejected => 1,
                    Outcome::Untested => 2,
                    Outcome::NotDrafted => 3,
                    Outcome::Filled | Outcome::Unfilled => panic!("no window here"),
                }] += 1;
            }
        }
    }
}

fn assert_every_round_is_the_live_one(accept: AcceptRule, temperature: f64) {
    let (prompts, stop_strings) = (prompts(), stop_strings());
    let mut met = Met::default();
    for seed in SEEDS {
        let requests = requests(&prompts, &stop_strings, temperature, seed);
        let trace = trace_of(&requests);
        for json in STOP_RULES.iter().chain(&STREAM_RULES) {
            for order in ORDERS {
                for (min_draft_len, max_draft_len) in BOUNDS {
                    let rule = SpeculativeRule {
                        order,
                        min_draft_len,
                        max_draft_len,
                        accept,
                        ..rule(json)
                    };
                    let replayed = Replay::new(&trace, &rule).unwrap().generations();
                    let live = live(&rule, &requests);
                    assert_eq!(replayed.len(), live.len());
                    for (number, (replayed, live)) in replayed.iter().zip(&live).enumerate() {
                        assert_eq!(replayed, live, "prompt {number}, seed {seed}: {rule:?}");
                        met.add(live);
                    }
                }
            }
        }
    }
    println!("{accept:?} at temperature {temperature}: {met:?}");
    assert!(met.rounds > 300_000, "{met:?}");
    let counts = [&met.stops[..], &met.finishes, &met.outcomes].concat();
    assert!(counts.iter().all(|&n| n > 2_000), "{met:?}");
}

#[test]
fn every_round_of_every_rule_is_the_live_one_when_greedy() {
    assert_every_round_is_the_live_one(AcceptRule::Greedy {}, 0.0);
}

#[test]
fn every_round_of_every_rule_is_the_live_one_when_coupled_at_a_temperature() {
    assert_every_round_is_the_live_one(AcceptRule::Gumbel {}, 0.8);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_bounds_budget_and_sampling_replay_as_they_run(
        json in prop::sample::select([&STOP_RULES[..], &STREAM_RULES].concat()),
        order in prop::sample::select(ORDERS.to_vec()),
        (min_draft_len, max_draft_len) in
            (0..=MAX_DRAFT_LEN).prop_flat_map(|max| (0..=max, Just(max))),
        budgets in prop::collection::vec(0..25_usize, 1..6),
        sampling in prop::sample::select(vec![
            Sampling::default(),
            Sampling { temperature: 1.3, ..Sampling::default() },
            Sampling { temperature: 0.7, top_k: 5, top_p: 0.9 },
        ]),
        seed in 0..1000_u64,
    ) {
        let (prompts, stop_strings) = (prompts(), stop_strings());
        let mut requests = requests(&prompts, &stop_strings, 0.0, seed);
        requests.rotate_left(seed as usize % N_PROMPTS as usize);
        requests.truncate(budgets.len());
        for (request, &max_new_tokens) in requests.iter_mut().zip(&budgets) {
            (request.max_new_tokens, request.sampling) = (max_new_tokens, sampling);
        }
        let accept = AcceptRule::Gumbel {};
        let rule = SpeculativeRule { order, min_draft_len, max_draft_len, accept, ..rule(json) };
        let trace = trace_of(&requests);
        let replayed = Replay::new(&trace, &rule).unwrap().generations();
        prop_assert_eq!(replayed, live(&rule, &requests));
    }
}

#[test]
fn a_rule_reads_the_entropy_that_it_names() {
    let (prompts, stop_strings) = (prompts(), stop_strings());
    let requests = requests(&prompts, &stop_strings, 0.0, 5);
    let trace = trace_of(&requests);
    let mut drafted: Vec<Vec<u64>> = Vec::new();
    for entropy in entropies() {
        let rule = SpeculativeRule {
            entropy,
            ..rule(r#"{"kind": "absolute", "theta_abs": 0.7}"#)
        };
        let replayed = Replay::new(&trace, &rule).unwrap().generations();
        assert_eq!(replayed, live(&rule, &requests), "{entropy:?}");
        let lens = replayed.iter().map(|generation| generation.counts.drafted);
        let lens = lens.collect();
        assert!(!drafted.contains(&lens), "{entropy:?} drafts as another");
        drafted.push(lens);
    }
}

#[test]
fn sampling_rules_replay_at_temperature_zero_where_they_compare_with_the_argmax() {
    let (prompts, stop_strings) = (prompts(), stop_strings());
    let requests = requests(&prompts, &stop_strings, 0.0, 5);
    let trace = trace_of(&requests);
    for json in [
        r#"{"kind": "rejection"}"#,
        r#"{"kind": "block"}"#,
        r#"{"kind": "gumbel"}"#,
        r#"{"kind": "threshold", "single": 0.3, "acc": 0.5}"#,
    ] {
        let rule = SpeculativeRule {
            accept: serde_json::from_str(json).unwrap(),
            ..rule(r#"{"kind": "svip"}"#)
        };
        let replayed = Replay::new(&trace, &rule).unwrap().generations();
        assert_eq!(replayed, live(&rule, &requests), "{json}");
    }
}
