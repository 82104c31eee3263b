//! Speculative decoding on models without weights: what it must keep, and what it may change.

#[path = "common/rules.rs"]
mod rules;

use std::collections::BTreeMap;

use proptest::prelude::*;
use rules::{ORDERS, STOP_RULES, VOCAB_LEN, drafter, rule, stop, verifier};
use statrs::distribution::{ChiSquared, ContinuousCDF};
use wedlm_bench::config::decoder::DecoderSpec;
use wedlm_bench::engine::autoregressive;
use wedlm_bench::engine::session::{self, Detail, EngineError, Models, Request, Sampling};
use wedlm_bench::engine::speculative::{self, SpeculativeRule};
use wedlm_bench::engine::step::{Counts, DraftStop, Finish, Generation, Outcome};
use wedlm_bench::model::lm::{LanguageModel, ModelError, TokenId};
use wedlm_bench::model::scripted::ScriptedModel;
use wedlm_bench::policy::accept::AcceptRule;
use wedlm_bench::policy::entropy::{EntropyRule, RowStats};
use wedlm_bench::policy::sample::{distribution, greedy};
use wedlm_bench::policy::stop::DraftOrder;

/// A prompt of 1 to 5 tokens.
fn prompt(number: u32) -> Vec<TokenId> {
    (0..=number % 5)
        .map(|i| (number + 7 * i) % VOCAB_LEN as u32)
        .collect()
}

fn greedy_request(prompt: &[TokenId]) -> Request<'_> {
    Request {
        prompt,
        max_new_tokens: 30,
        ..Request::default()
    }
}

fn sampled_request(prompt: &[TokenId], max_new_tokens: usize, seed: u64) -> Request<'_> {
    Request {
        prompt,
        max_new_tokens,
        sampling: Sampling {
            temperature: 1.0,
            ..Sampling::default()
        },
        seed,
        ..Request::default()
    }
}

fn speculate(rule: &SpeculativeRule, request: &Request<'_>) -> Generation {
    speculative::decode(&mut drafter(), &mut verifier(), rule, request).unwrap()
}

/// Everything that must hold of any speculative generation.
fn assert_counts_add_up(generation: &Generation, rule: &SpeculativeRule, request: &Request<'_>) {
    let rounds = &generation.rounds;
    let mut sum = Counts::default();
    let mut text_len = request.prompt.len();
    for round in rounds {
        assert_eq!(round.context_len, text_len);
        text_len += round.committed.len();
        let budget_left = request.max_new_tokens - (round.context_len - request.prompt.len());
        let room = rule.max_draft_len.min(budget_left - 1);
        assert!(
            round.draft.len() <= room,
            "{} > {room}: {rule:?}",
            round.draft.len()
        );
        let is_short = round.draft.len() < rule.min_draft_len.min(room);
        let may_be_short = round.stopped_by == DraftStop::Eos || rule.stop.is_oracle();
        assert!(!is_short || may_be_short, "{rule:?}");
        assert!(round.accepted <= round.tested && round.tested <= round.draft.len());
        assert_eq!(round.tested, round.draft.len().min(round.accepted + 1));
        assert_eq!(
            round.committed[..round.accepted],
            round.draft[..round.accepted]
        );
        assert_eq!(round.slots.len(), round.drafter_forwards);
        let outcomes = |outcome| {
            round
                .slots
                .iter()
                .filter(|slot| slot.outcome == outcome)
                .count()
        };
        assert_eq!(outcomes(Outcome::Accepted), round.accepted);
        assert_eq!(outcomes(Outcome::Rejected), round.tested - round.accepted);
        assert_eq!(
            outcomes(Outcome::Untested),
            round.draft.len() - round.tested
        );
        assert_eq!(
            outcomes(Outcome::NotDrafted),
            round.slots.len() - round.draft.len()
        );
        for (offset, slot) in round.slots.iter().enumerate() {
            assert_eq!(slot.position as usize, round.context_len + offset);
            assert!(
                round
                    .draft
                    .get(offset)
                    .is_none_or(|&token| token == slot.token)
            );
        }
        sum += Counts {
            rounds: 1,
            drafted: round.draft.len() as u64,
            tested: round.tested as u64,
            accepted: round.accepted as u64,
            committed: round.committed.len() as u64,
            drafter_forwards: round.drafter_forwards as u64,
            verifier_forwards: 1,
            token_instances: round.draft.len() as u64 + 1,
            ..Counts::default()
        };
    }
    sum.drafter_token_instances = generation.counts.drafter_token_instances;
    assert_eq!(generation.counts, sum);
    assert_eq!(sum.committed as usize, generation.ids.len());
    let committed: Vec<TokenId> = rounds
        .iter()
        .flat_map(|round| round.committed.clone())
        .collect();
    assert_eq!(committed, generation.ids);
    let most = request.prompt.len() as u64 + generation.ids.len() as u64;
    assert!(sum.drafter_token_instances >= sum.drafter_forwards);
    assert!(sum.drafter_token_instances <= sum.drafter_forwards + most);
}

#[test]
fn greedy_text_is_the_autoregressive_text_for_every_rule_and_order() {
    let prompts: Vec<Vec<TokenId>> = (0..100).map(prompt).collect();
    let references: Vec<Generation> = prompts
        .iter()
        .map(|prompt| autoregressive::decode(&mut verifier(), &greedy_request(prompt)).unwrap())
        .collect();
    for json in STOP_RULES {
        let (mut forwards, mut committed) = (0, 0);
        for order in ORDERS {
            let rule = SpeculativeRule {
                order,
                ..rule(json)
            };
            for (prompt, reference) in prompts.iter().zip(&references) {
                let request = greedy_request(prompt);
                let generation = speculate(&rule, &request);
                assert_eq!(generation.ids, reference.ids, "{json} {order:?}");
                assert_counts_add_up(&generation, &rule, &request);
                forwards += generation.counts.verifier_forwards;
                committed += generation.counts.committed;
            }
        }
        assert!(forwards < committed, "{json} saves no verifier forward");
    }
}

#[test]
fn an_autoregressive_round_commits_one_token_with_one_forward() {
    let prompt = prompt(3);
    let generation = autoregressive::decode(&mut verifier(), &greedy_request(&prompt)).unwrap();
    let counts = generation.counts;
    assert_eq!(generation.ids.len(), 30);
    assert_eq!(
        [counts.rounds, counts.committed, counts.verifier_forwards],
        [30; 3]
    );
    assert_eq!(counts.token_instances, 30);
    assert_eq!(counts.drafted + counts.drafter_forwards, 0);
    assert_eq!(generation.finished_by, Finish::Budget);
}

/// The procedure in its plainest form: no cache, every row computed from scratch.
fn recompute_everything(
    prompt: &[TokenId],
    rule: &SpeculativeRule,
    budget: usize,
    fires: impl Fn(&[f64]) -> bool,
) -> Vec<(Vec<TokenId>, Vec<f64>, bool, usize)> {
    let row = |mut model: ScriptedModel, text: &[TokenId]| {
        let positions: Vec<u32> = (0..text.len() as u32).collect();
        model.forward(text, &positions, 1).unwrap().last().to_vec()
    };
    let (mut text, mut rounds) = (prompt.to_vec(), Vec::new());
    while text.len() < prompt.len() + budget {
        let room = rule
            .max_draft_len
            .min(prompt.len() + budget - text.len() - 1);
        let (mut draft, mut entropies, mut is_cut) = (Vec::new(), Vec::new(), false);
        for k in 0..room {
            let logits = row(drafter(), &[&text[..], &draft].concat());
            entropies.push(RowStats::read(&logits, &[rule.entropy]).entropies[0]);
            let is_before = rule.order == DraftOrder::Before;
            if is_before && k >= rule.min_draft_len && fires(&entropies) {
                is_cut = true;
                break;
            }
            draft.push(greedy(&logits, None));
            if !is_before && k + 1 >= rule.min_draft_len && fires(&entropies) {
                is_cut = true;
                break;
            }
        }
        let mut accepted = 0;
        let own = loop {
            let own = greedy(
                &row(verifier(), &[&text[..], &draft[..accepted]].concat()),
                None,
            );
            if draft.get(accepted) != Some(&own) {
                break own;
            }
            accepted += 1;
        };
        text.extend(&draft[..accepted]);
        text.push(own);
        rounds.push((draft, entropies, is_cut, accepted));
    }
    rounds
}

#[test]
fn cached_rounds_equal_those_of_a_procedure_that_recomputes_everything() {
    for (order, min_draft_len) in [
        (DraftOrder::Before, 0),
        (DraftOrder::Before, 2),
        (DraftOrder::After, 0),
    ] {
        let rule = SpeculativeRule {
            order,
            min_draft_len,
            ..rule(r#"{"kind": "absolute", "theta_abs": 1.2}"#)
        };
        for number in 0..20 {
            let prompt = prompt(number);
            let expected = recompute_everything(&prompt, &rule, 30, |h| *h.last().unwrap() > 1.2);
            let rounds = speculate(&rule, &greedy_request(&prompt)).rounds;
            let found: Vec<_> = rounds
                .into_iter()
                .map(|round| {
                    let entropies: Vec<f64> = round.slots.iter().map(|slot| slot.entropy).collect();
                    let is_cut = round.stopped_by == DraftStop::Rule;
                    (round.draft, entropies, is_cut, round.accepted)
                })
                .collect();
            assert_eq!(found, expected);
        }
    }
}

#[test]
fn a_wrong_drafter_changes_the_cost_but_not_the_output() {
    let prompt = prompt(8);
    let request = greedy_request(&prompt);
    let rule = rule(r#"{"kind": "fixed"}"#);
    let run = |mut drafter: ScriptedModel| {
        speculative::decode(&mut drafter, &mut verifier(), &rule, &request).unwrap()
    };
    let perfect = run(verifier());
    let wrong = run(ScriptedModel::history(99, VOCAB_LEN, 6.0));
    assert_eq!(perfect.ids, wrong.ids);
    // 30 tokens, 7 per round: 6 drafted and accepted, 1 added.
    assert_eq!(perfect.counts.verifier_forwards, 5);
    assert_eq!(perfect.counts.accepted, perfect.counts.drafted);
    assert!(wrong.counts.verifier_forwards > 20);
    assert!(wrong.counts.accepted < wrong.counts.drafted / 4);
}

#[test]
fn a_drafter_that_lags_is_fed_two_tokens_in_one_forward() {
    let prompt = prompt(8);
    let rule = rule(r#"{"kind": "fixed"}"#);
    let request = greedy_request(&prompt);
    let generation =
        speculative::decode(&mut verifier(), &mut verifier(), &rule, &request).unwrap();
    // Rounds of 6, 6, 6, 6 and, with 2 tokens of budget left, 1 drafted token.
    assert_eq!(generation.counts.drafter_forwards, 25);
    // Each round but the first starts one token behind.
    assert_eq!(generation.counts.drafter_token_instances, 25 + 4);
}

#[test]
fn a_stop_token_ends_the_draft_and_the_text_where_the_autoregressive_text_ends() {
    for number in 0..50 {
        let prompt = prompt(number);
        let stop_ids = [number % VOCAB_LEN as u32, 3];
        let request = Request {
            stop_ids: &stop_ids,
            ..greedy_request(&prompt)
        };
        let reference = autoregressive::decode(&mut verifier(), &request).unwrap();
        for json in STOP_RULES {
            let rule = rule(json);
            let generation = speculate(&rule, &request);
            assert_eq!(generation.ids, reference.ids, "{json}");
            assert_eq!(generation.finished_by, reference.finished_by);
            assert_counts_add_up(&generation, &rule, &request);
            for round in &generation.rounds {
                let stops = round
                    .draft
                    .iter()
                    .filter(|token| stop_ids.contains(token))
                    .count();
                assert_eq!(
                    stops,
                    usize::from(round.stopped_by == DraftStop::Eos),
                    "{json}"
                );
            }
        }
    }
}

#[test]
fn an_oracle_has_no_token_rejected_and_needs_the_fewest_forwards() {
    for number in 0..20 {
        let prompt = prompt(number);
        let request = greedy_request(&prompt);
        let oracle = speculate(&rule(r#"{"kind": "oracle"}"#), &request);
        assert_eq!(oracle.counts.drafted, oracle.counts.accepted);
        assert_eq!(oracle.counts.drafter_forwards, oracle.counts.drafted);
        for json in STOP_RULES {
            let other = speculate(&rule(json), &request).counts;
            assert!(
                oracle.counts.verifier_forwards <= other.verifier_forwards,
                "{json}"
            );
        }
        let fixed = speculate(&rule(r#"{"kind": "fixed"}"#), &request);
        let accepted = |generation: &Generation| -> Vec<usize> {
            generation
                .rounds
                .iter()
                .map(|round| round.accepted)
                .collect()
        };
        assert_eq!(accepted(&oracle), accepted(&fixed));
    }
}

#[test]
fn prompt_and_budget_may_fill_the_caches_to_the_last_row_but_no_further() {
    let prompt = prompt(4);
    let request = greedy_request(&prompt);
    let needed = prompt.len() + 30 - 1;
    for json in STOP_RULES {
        let run = |drafter_len: usize, verifier_len: usize| {
            speculative::decode(
                &mut drafter().with_context_len(drafter_len),
                &mut verifier().with_context_len(verifier_len),
                &rule(json),
                &request,
            )
        };
        assert_eq!(run(needed, needed).unwrap().ids.len(), 30, "{json}");
        for (error, expected_role) in [
            (run(needed - 1, needed), "drafter"),
            (run(needed, needed - 1), "verifier"),
        ] {
            let Err(EngineError::PromptTooLong {
                role, needed: rows, ..
            }) = error
            else {
                panic!("{json}: a short context must be refused");
            };
            assert_eq!((role, rows), (expected_role, needed));
        }
    }
}

#[test]
fn the_caches_hold_the_text_but_its_last_token_when_a_generation_ends() {
    let prompt = prompt(6);
    let (mut drafter, mut verifier) = (drafter(), verifier());
    for json in STOP_RULES {
        let request = greedy_request(&prompt);
        let generation =
            speculative::decode(&mut drafter, &mut verifier, &rule(json), &request).unwrap();
        let text = [&prompt[..], &generation.ids].concat();
        let rows: Vec<(TokenId, u32)> = text.iter().copied().zip(0..).collect();
        assert_eq!(verifier.cached_rows(), &rows[..rows.len() - 1], "{json}");
        assert!(rows.starts_with(drafter.cached_rows()), "{json}");
    }
}

#[test]
fn the_mask_token_is_neither_drafted_nor_committed() {
    let prompt = prompt(2);
    // The first choice of both models again and again, if it were allowed.
    let tempting = |seed: u64| {
        ScriptedModel::new(VOCAB_LEN, 100, move |rows| {
            let mut inner = ScriptedModel::history(seed, VOCAB_LEN, 6.0);
            let (tokens, positions): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
            let mut row = inner
                .forward(&tokens, &positions, 1)
                .unwrap()
                .last()
                .to_vec();
            row[5] = 50.0;
            row
        })
    };
    for accept in [
        AcceptRule::Greedy {},
        AcceptRule::Rejection {},
        AcceptRule::Gumbel {},
    ] {
        let temperature = if accept == (AcceptRule::Greedy {}) {
            0.0
        } else {
            1.0
        };
        let rule = SpeculativeRule {
            accept,
            ..rule(r#"{"kind": "fixed"}"#)
        };
        let request = Request {
            mask_id: Some(5),
            sampling: Sampling {
                temperature,
                ..Sampling::default()
            },
            ..greedy_request(&prompt)
        };
        let generation =
            speculative::decode(&mut tempting(1), &mut tempting(2), &rule, &request).unwrap();
        assert!(!generation.ids.contains(&5));
        assert!(
            generation
                .rounds
                .iter()
                .all(|round| !round.draft.contains(&5))
        );
    }
}

#[test]
fn overlap_is_recorded_on_request_and_is_one_between_equal_models() {
    let prompt = prompt(2);
    let request = Request {
        record: Detail {
            overlap: true,
            ..Detail::default()
        },
        ..greedy_request(&prompt)
    };
    let rule = rule(r#"{"kind": "absolute", "theta_abs": 1.2}"#);
    let overlaps = |generation: &Generation| -> Vec<f64> {
        let slots = generation.rounds.iter().flat_map(|round| &round.slots);
        slots.map(|slot| slot.overlap.unwrap()).collect()
    };
    let same = speculative::decode(&mut verifier(), &mut verifier(), &rule, &request).unwrap();
    assert!(
        overlaps(&same)
            .iter()
            .all(|overlap| (overlap - 1.0).abs() < 1e-9)
    );
    let other = overlaps(&speculate(&rule, &request));
    assert!(other.iter().all(|overlap| (0.0..1.0).contains(overlap)));
    let without = speculate(&rule, &greedy_request(&prompt));
    assert!(
        without
            .rounds
            .iter()
            .flat_map(|round| &round.slots)
            .all(|slot| slot.overlap.is_none())
    );
}

#[test]
fn leads_are_recorded_on_request_one_for_each_token_and_drafts_do_not_change_them() {
    for number in 0..20 {
        let prompt = prompt(number);
        for request in [
            greedy_request(&prompt),
            sampled_request(&prompt, 30, number.into()),
        ] {
            let request = Request {
                record: Detail {
                    leads: true,
                    ..Detail::default()
                },
                ..request
            };
            let expected = autoregressive::decode(&mut verifier(), &request).unwrap();
            assert_eq!(expected.leads.len(), expected.ids.len());
            assert!(expected.leads.iter().all(|&lead| lead > 0.0));
            for json in STOP_RULES {
                let rule = SpeculativeRule {
                    accept: AcceptRule::Gumbel {},
                    ..rule(json)
                };
                let generation = speculate(&rule, &request);
                assert_eq!(generation.ids, expected.ids, "{json}");
                assert_eq!(generation.leads, expected.leads, "{json}");
            }
        }
        let without = speculate(&rule(STOP_RULES[0]), &greedy_request(&prompt));
        assert!(without.leads.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_draft_keeps_to_its_bounds_and_the_budget(
        json in prop::sample::select(STOP_RULES.to_vec()),
        order in prop::sample::select(ORDERS.to_vec()),
        (min_draft_len, max_draft_len) in (0..8_usize).prop_flat_map(|max| (0..=max, Just(max))),
        max_new_tokens in 1..25_usize,
        is_greedy: bool,
        number in 0..1000_u32,
    ) {
        let accept = if is_greedy { AcceptRule::Greedy {} } else { AcceptRule::Block {} };
        let rule = SpeculativeRule { order, min_draft_len, max_draft_len, accept, ..rule(json) };
        let prompt = prompt(number);
        let request = if is_greedy {
            Request { max_new_tokens, ..greedy_request(&prompt) }
        } else {
            sampled_request(&prompt, max_new_tokens, u64::from(number))
        };
        let generation = speculate(&rule, &request);
        assert_counts_add_up(&generation, &rule, &request);
        prop_assert_eq!(generation.ids.len(), max_new_tokens);
    }
}

/// Exact probability of each text of `len` tokens under the model.
fn exact_texts(
    mut model: ScriptedModel,
    prompt: &[TokenId],
    sampling: &Sampling,
    len: usize,
) -> BTreeMap<Vec<TokenId>, f64> {
    let mut texts = BTreeMap::from([(Vec::new(), 1.0)]);
    for _ in 0..len {
        let mut longer = BTreeMap::new();
        for (text, probability) in texts {
            let tokens = [prompt, &text].concat();
            let positions: Vec<u32> = (0..tokens.len() as u32).collect();
            model.truncate(0);
            let logits = model.forward(&tokens, &positions, 1).unwrap();
            for (token, p) in distribution(logits.last(), sampling, None)
                .into_iter()
                .enumerate()
            {
                if p > 0.0 {
                    longer.insert([&text[..], &[token as u32]].concat(), probability * p);
                }
            }
        }
        texts = longer;
    }
    texts
}

/// p-value of Pearson's test that the texts are drawn from `expected`.
fn goodness_of_fit(
    expected: &BTreeMap<Vec<TokenId>, f64>,
    texts: impl Iterator<Item = Vec<TokenId>>,
) -> f64 {
    let mut observed: BTreeMap<Vec<TokenId>, f64> = BTreeMap::new();
    for text in texts {
        assert!(expected.contains_key(&text), "{text:?} is impossible");
        *observed.entry(text).or_default() += 1.0;
    }
    let n: f64 = observed.values().sum();
    let statistic: f64 = expected
        .iter()
        .map(|(text, p)| {
            let found = observed.get(text).copied().unwrap_or(0.0);
            (found - n * p).powi(2) / (n * p)
        })
        .sum();
    1.0 - ChiSquared::new(expected.len() as f64 - 1.0)
        .unwrap()
        .cdf(statistic)
}

/// p-value of the texts of 3 tokens over a vocabulary of 3 that 6000 seeds give.
fn fit_of(rule: &SpeculativeRule, sampling: Sampling) -> f64 {
    const LEN: usize = 3;
    let prompt = [1, 2];
    let verifier = || ScriptedModel::history(4, 3, 2.0);
    let mut judge = verifier();
    let mut guess = verifier().perturbed(5, 2.5);
    let expected = exact_texts(verifier(), &prompt, &sampling, LEN);
    let texts = (0..6000).map(|seed| {
        let request = Request {
            sampling,
            ..sampled_request(&prompt, LEN, seed)
        };
        speculative::decode(&mut guess, &mut judge, rule, &request)
            .unwrap()
            .ids
    });
    goodness_of_fit(&expected, texts)
}

/// With fixed seeds the outcome is certain; a right sampler would fall below once in a thousand.
const SIGNIFICANT: f64 = 1e-3;

#[test]
fn speculative_sampling_preserves_the_verifier_distribution() {
    let sampling = Sampling {
        temperature: 1.0,
        ..Sampling::default()
    };
    for accept in [
        AcceptRule::Rejection {},
        AcceptRule::Block {},
        AcceptRule::Gumbel {},
        AcceptRule::Threshold {
            single: 1.0,
            acc: 1.0,
        },
        AcceptRule::Lenient { lenience: 1.0 },
    ] {
        for json in [
            r#"{"kind": "fixed"}"#,
            r#"{"kind": "absolute", "theta_abs": 0.9}"#,
        ] {
            let rule = SpeculativeRule {
                accept,
                max_draft_len: 3,
                ..rule(json)
            };
            let p_value = fit_of(&rule, sampling);
            assert!(p_value > SIGNIFICANT, "{accept:?} {json}: {p_value}");
        }
    }
}

#[test]
fn a_rule_that_reads_the_drafted_probability_preserves_the_distribution_in_every_order() {
    let sampling = Sampling {
        temperature: 1.0,
        ..Sampling::default()
    };
    for order in ORDERS {
        for accept in [AcceptRule::Rejection {}, AcceptRule::Block {}] {
            let rule = SpeculativeRule {
                order,
                accept,
                min_draft_len: 0,
                max_draft_len: 3,
                ..rule(r#"{"kind": "confidence", "theta": 0.45}"#)
            };
            let p_value = fit_of(&rule, sampling);
            assert!(p_value > SIGNIFICANT, "{order:?} {accept:?}: {p_value}");
        }
    }
}

#[test]
fn temperature_and_top_p_apply_to_drafter_and_verifier_alike() {
    let sampling = Sampling {
        temperature: 0.7,
        top_k: 0,
        top_p: 0.6,
    };
    for accept in [
        AcceptRule::Rejection {},
        AcceptRule::Block {},
        AcceptRule::Gumbel {},
    ] {
        let rule = SpeculativeRule {
            accept,
            ..rule(r#"{"kind": "fixed"}"#)
        };
        let p_value = fit_of(&rule, sampling);
        assert!(p_value > SIGNIFICANT, "{accept:?}: {p_value}");
    }
}

#[test]
fn the_test_of_the_distribution_notices_a_lossy_rule() {
    let sampling = Sampling {
        temperature: 1.0,
        ..Sampling::default()
    };
    for accept in [
        AcceptRule::Lenient { lenience: 0.5 },
        AcceptRule::Threshold {
            single: 0.3,
            acc: 1.0,
        },
        AcceptRule::Typical {
            epsilon: 0.09,
            delta: 0.3,
        },
    ] {
        assert!(!accept.is_lossless());
        let rule = SpeculativeRule {
            accept,
            ..rule(r#"{"kind": "fixed"}"#)
        };
        assert!(fit_of(&rule, sampling) < 1e-9, "{accept:?}");
    }
}

#[test]
fn a_gumbel_coupled_text_is_the_autoregressive_draw_whatever_the_stopping_rule() {
    for number in 0..10 {
        let prompt = prompt(number);
        let request = sampled_request(&prompt, 30, u64::from(number));
        let reference = autoregressive::decode(&mut verifier(), &request).unwrap();
        for json in STOP_RULES {
            for order in ORDERS {
                let rule = SpeculativeRule {
                    order,
                    accept: AcceptRule::Gumbel {},
                    ..rule(json)
                };
                let generation = speculate(&rule, &request);
                assert_eq!(generation.ids, reference.ids, "{json} {order:?}");
                assert_counts_add_up(&generation, &rule, &request);
            }
        }
    }
    let prompt = prompt(1);
    let texts: Vec<_> = (0..2)
        .map(|seed| {
            autoregressive::decode(&mut verifier(), &sampled_request(&prompt, 30, seed))
                .unwrap()
                .ids
        })
        .collect();
    assert_ne!(texts[0], texts[1], "another seed gives another text");
}

#[test]
fn sampling_rules_are_greedy_at_temperature_zero() {
    let prompt = prompt(9);
    let request = greedy_request(&prompt);
    let reference = speculate(&rule(r#"{"kind": "svip"}"#), &request);
    for accept in [
        AcceptRule::Rejection {},
        AcceptRule::Block {},
        AcceptRule::Gumbel {},
        AcceptRule::Threshold {
            single: 1.0,
            acc: 1.0,
        },
        AcceptRule::Lenient { lenience: 1.0 },
        AcceptRule::Relaxed {
            top_n: 1,
            delta: 0.0,
        },
    ] {
        let generation = speculate(
            &SpeculativeRule {
                accept,
                ..rule(r#"{"kind": "svip"}"#)
            },
            &request,
        );
        assert_eq!(generation.ids, reference.ids, "{accept:?}");
        assert_eq!(generation.counts, reference.counts, "{accept:?}");
    }
}

#[test]
fn lossy_rules_accept_more_and_change_the_text() {
    let lossy = [
        AcceptRule::Typical {
            epsilon: 0.09,
            delta: 0.3,
        },
        AcceptRule::EntropyAligned {
            delta: 0.5,
            top_m: 3,
        },
        AcceptRule::Backtrack {
            alpha_fb: 0.0,
            alpha_rb: 5.0,
        },
        AcceptRule::Lenient { lenience: 0.3 },
        AcceptRule::Relaxed {
            top_n: 3,
            delta: 0.3,
        },
    ];
    let total = |accept: AcceptRule| {
        let (mut accepted_share, mut n_changed) = (0.0, 0);
        for number in 0..40 {
            let prompt = prompt(number);
            let request = greedy_request(&prompt);
            let rule = SpeculativeRule {
                accept,
                ..rule(r#"{"kind": "fixed"}"#)
            };
            let generation = speculate(&rule, &request);
            assert_counts_add_up(&generation, &rule, &request);
            accepted_share += generation.counts.accepted as f64 / generation.counts.drafted as f64;
            let exact = autoregressive::decode(&mut verifier(), &request).unwrap();
            n_changed += usize::from(exact.ids != generation.ids);
        }
        (accepted_share / 40.0, n_changed)
    };
    let (exact_share, n_changed) = total(AcceptRule::Greedy {});
    assert_eq!(n_changed, 0);
    for accept in lossy {
        let (share, n_changed) = total(accept);
        let is_stricter = matches!(accept, AcceptRule::EntropyAligned { .. });
        assert!(
            is_stricter || share > exact_share,
            "{accept:?}: {share} against {exact_share}"
        );
        assert!(n_changed > 0, "{accept:?}");
    }
}

#[test]
fn backtracking_hands_over_to_the_verifier_where_the_drafter_is_unsure() {
    let prompt = prompt(9);
    let accept = AcceptRule::Backtrack {
        alpha_fb: 0.5,
        alpha_rb: 5.0,
    };
    let rule = SpeculativeRule {
        accept,
        min_draft_len: 0,
        ..rule(r#"{"kind": "fixed"}"#)
    };
    let generation = speculate(&rule, &greedy_request(&prompt));
    let slots = || generation.rounds.iter().flat_map(|round| &round.slots);
    assert!(slots().any(|slot| slot.outcome == Outcome::NotDrafted));
    for slot in slots() {
        assert_eq!(slot.outcome == Outcome::NotDrafted, slot.top1 < 0.5);
    }
}

#[test]
fn a_rule_of_scope_stream_remembers_and_one_of_scope_prompt_does_not() {
    let lengths = |scope: &str| -> Vec<usize> {
        let json = format!(r#"{{"kind": "hf_heuristic", "start": 1, "scope": "{scope}"}}"#);
        let spec = DecoderSpec::Speculative {
            stop: stop(&json),
            order: DraftOrder::Before,
            min_draft_len: 1,
            max_draft_len: 6,
            entropy: EntropyRule::default(),
            accept: AcceptRule::default(),
            batch_size: 1,
        };
        let mut memory = None;
        let prompt = prompt(3);
        (0..2)
            .map(|_| {
                // A drafter that is always right lets the length grow by 2 per round.
                let (mut drafter, mut judge) = (verifier(), verifier());
                let mut models = Models {
                    drafter: Some(&mut drafter),
                    verifier: Some(&mut judge),
                    window: None,
                };
                let request = greedy_request(&prompt);
                let generation =
                    session::decode_in_stream(&spec, &mut models, &request, &mut memory).unwrap();
                generation.rounds[0].draft.len()
            })
            .collect()
    };
    assert_eq!(lengths("prompt"), [1, 1]);
    assert_eq!(lengths("stream"), [1, 6]);
}

#[test]
fn what_cannot_run_is_refused_with_the_reason() {
    let prompt = prompt(1);
    let run = |rule: &SpeculativeRule, request: &Request<'_>| {
        speculative::decode(&mut drafter(), &mut verifier(), rule, request)
            .unwrap_err()
            .to_string()
    };
    let fixed = rule(r#"{"kind": "fixed"}"#);
    let message = run(&fixed, &sampled_request(&prompt, 5, 0));
    assert!(message.contains("rejection, block or gumbel"), "{message}");
    assert!(run(&fixed, &greedy_request(&[])).contains("prompt is empty"));
    let upside_down = SpeculativeRule {
        min_draft_len: 7,
        ..fixed.clone()
    };
    assert!(run(&upside_down, &greedy_request(&prompt)).contains("at most max_draft_len, 6"));
    let bad = rule(r#"{"kind": "window", "window_size": 0}"#);
    assert!(run(&bad, &greedy_request(&prompt)).contains("stop.window_size is 0"));

    let error = session::decode(
        &DecoderSpec::Autoregressive { batch_size: 1 },
        &mut Models::default(),
        &greedy_request(&prompt),
    );
    assert!(matches!(
        error,
        Err(EngineError::MissingModel { role: "verifier" })
    ));
}

#[test]
fn a_row_that_is_not_a_number_is_an_error_of_its_cache_row() {
    let prompt = prompt(1);
    let broken = || {
        ScriptedModel::new(VOCAB_LEN, 100, |rows| {
            let value = if rows.len() > 4 { f32::NAN } else { 1.0 };
            let mut row = vec![0.0; VOCAB_LEN];
            row[rows.len() % VOCAB_LEN] = value;
            row
        })
    };
    let rule = rule(r#"{"kind": "fixed"}"#);
    let row_of = |result: Result<Generation, EngineError>| match result {
        Err(EngineError::Model(ModelError::NotANumber { row })) => row,
        other => panic!("{other:?}"),
    };
    let request = greedy_request(&prompt);
    assert_eq!(row_of(autoregressive::decode(&mut broken(), &request)), 4);
    let healthy = || {
        ScriptedModel::new(VOCAB_LEN, 100, |rows| {
            let mut row = vec![0.0; VOCAB_LEN];
            row[rows.len() % VOCAB_LEN] = 1.0;
            row
        })
    };
    assert_eq!(
        row_of(speculative::decode(
            &mut broken(),
            &mut healthy(),
            &rule,
            &request
        )),
        4
    );
    assert_eq!(
        row_of(speculative::decode(
            &mut healthy(),
            &mut broken(),
            &rule,
            &request
        )),
        4
    );
}

#[test]
fn a_budget_of_zero_or_one_token_needs_no_draft() {
    let prompt = prompt(1);
    for json in STOP_RULES {
        for (budget, forwards) in [(0, 0), (1, 1)] {
            let request = Request {
                max_new_tokens: budget,
                ..greedy_request(&prompt)
            };
            let generation = speculate(&rule(json), &request);
            assert_eq!(generation.ids.len(), budget);
            assert_eq!(generation.counts.verifier_forwards, forwards);
            assert_eq!(generation.counts.drafter_forwards, 0);
        }
    }
}

#[test]
fn the_parts_of_a_duration_add_up_to_no_more_than_the_whole() {
    let prompt = prompt(1);
    for json in STOP_RULES {
        let generation = speculate(&rule(json), &greedy_request(&prompt));
        let all = generation.durations;
        assert!(
            all.prefill + all.draft + all.verify + all.policy <= all.wall,
            "{json}"
        );
        for round in &generation.rounds {
            let parts = round.durations;
            assert!(
                parts.draft + parts.verify + parts.policy <= parts.wall,
                "{json}"
            );
        }
    }
}
