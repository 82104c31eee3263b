//! A window as the drafter of a lossless verifier, on models without weights.

use std::collections::BTreeMap;

use proptest::prelude::*;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use wedlm_bench::config::decoder::DecoderSpec;
use wedlm_bench::engine::autoregressive;
use wedlm_bench::engine::session::{self, Detail, EngineError, Models, Request, Sampling};
use wedlm_bench::engine::step::{DraftStop, Finish, Generation, Outcome};
use wedlm_bench::engine::window_draft::{WindowDraftRule, decode};
use wedlm_bench::model::lm::{LanguageModel, TokenId};
use wedlm_bench::model::scripted::ScriptedModel;
use wedlm_bench::policy::accept::AcceptRule;
use wedlm_bench::policy::entropy::EntropyRule;
use wedlm_bench::policy::sample::distribution;
use wedlm_bench::policy::select::SelectRule;

const VOCAB_LEN: usize = 12;
const MASK: TokenId = 11;

/// Thresholds near the entropies of the models here.
const SELECT_RULES: [&str; 12] = [
    r#"{"kind": "entropy", "entropy_threshold": 1.5}"#,
    r#"{"kind": "entropy", "entropy_threshold": 5, "cap": 3}"#,
    r#"{"kind": "greedy"}"#,
    r#"{"kind": "left_to_right", "k": 3}"#,
    r#"{"kind": "hybrid", "base": 1.5, "step": 0.5, "min": 0.5, "max": 2, "target": 0.3}"#,
    r#"{"kind": "window_scaled", "entropy_threshold": 2}"#,
    r#"{"kind": "confidence_threshold", "theta": 0.4}"#,
    r#"{"kind": "topk_confidence", "steps": 3}"#,
    r#"{"kind": "klass", "theta": 0.3, "epsilon": 5}"#,
    r#"{"kind": "slowfast", "theta": 0.4}"#,
    r#"{"kind": "credit", "theta": 0.5}"#,
    r#"{"kind": "random", "k": 2}"#,
];

fn select(json: &str) -> SelectRule {
    serde_json::from_str(json).unwrap()
}

fn rule(json: &str) -> WindowDraftRule {
    WindowDraftRule {
        window_size: 6,
        n_fill_steps: 1,
        max_draft_len: None,
        select: select(json),
        entropy: EntropyRule::default(),
        accept: AcceptRule::default(),
    }
}

fn verifier() -> ScriptedModel {
    ScriptedModel::history(1, VOCAB_LEN, 6.0)
}

/// Fills a mask at q with what `model` says behind the tokens at 0 … q − 1, as far as they are
/// known: a window model that agrees with `model` on slot 0 and guesses further on.
fn window_of(seed: u64, vocab_len: usize, sharpness: f32, noise: f32) -> ScriptedModel {
    let mask = vocab_len as TokenId - 1;
    ScriptedModel::new(vocab_len, 4096, move |rows| {
        let &(token, position) = rows.last().unwrap();
        let seen: Vec<(TokenId, u32)> = if token == mask {
            let before = rows.iter().filter(|row| row.0 != mask && row.1 < position);
            before.copied().collect()
        } else {
            rows.to_vec()
        };
        let (tokens, positions): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        let mut model =
            ScriptedModel::history(seed, vocab_len, sharpness).perturbed(seed + 1, noise);
        let row = model.forward(&tokens, &positions, 1).unwrap();
        row.last().to_vec()
    })
}

fn window() -> ScriptedModel {
    window_of(1, VOCAB_LEN, 6.0, 1.5)
}

/// A prompt of 1 to 5 tokens.
fn prompt(number: u32) -> Vec<TokenId> {
    (0..=number % 5)
        .map(|i| (number + 7 * i) % (VOCAB_LEN as u32 - 1))
        .collect()
}

fn request(prompt: &[TokenId]) -> Request<'_> {
    Request {
        prompt,
        max_new_tokens: 24,
        mask_id: Some(MASK),
        ..Request::default()
    }
}

fn sampled(prompt: &[TokenId]) -> Request<'_> {
    Request {
        sampling: Sampling {
            temperature: 1.0,
            ..Sampling::default()
        },
        ..request(prompt)
    }
}

fn autoregressive(request: &Request<'_>) -> Generation {
    autoregressive::decode(&mut verifier(), request).unwrap()
}

/// Everything that must hold of any generation of this decoder.
fn assert_counts_add_up(generation: &Generation, rule: &WindowDraftRule, request: &Request<'_>) {
    let (mut text_len, mut filled, mut drafter_forwards, mut drafted) =
        (request.prompt.len(), 0, 0, 0);
    for round in &generation.rounds {
        assert_eq!(round.context_len, text_len);
        text_len += round.committed.len();
        let room = request.max_new_tokens - (round.context_len - request.prompt.len()) - 1;
        let longest = rule.max_draft_len.unwrap_or(rule.window_size);
        assert!(round.draft.len() <= longest.min(rule.window_size).min(room));
        assert_eq!(
            round.draft.is_empty(),
            room == 0,
            "a draft has a token if it may"
        );
        assert_eq!(round.drafter_forwards == 0, room == 0);
        assert_eq!(round.tested, round.draft.len().min(round.accepted + 1));
        assert_eq!(
            round.committed[..round.accepted],
            round.draft[..round.accepted]
        );
        assert_eq!(
            round.slots.len(),
            if room == 0 { 0 } else { rule.window_size }
        );
        for (slot, position) in round.slots.iter().zip(round.context_len..) {
            assert_eq!(slot.position as usize, position);
        }
        for (index, slot) in round.slots.iter().enumerate() {
            let expected = match index {
                _ if index >= round.draft.len() => {
                    assert!([Outcome::Filled, Outcome::Unfilled].contains(&slot.outcome));
                    continue;
                }
                _ if index < round.accepted => Outcome::Accepted,
                _ if index == round.accepted => Outcome::Rejected,
                _ => Outcome::Untested,
            };
            assert_eq!(slot.outcome, expected);
            assert_eq!(slot.token, round.draft[index]);
        }
        let is_filled = |slot: &&wedlm_bench::engine::step::Slot| slot.outcome == Outcome::Filled;
        filled += round.slots.iter().filter(is_filled).count();
        drafter_forwards += round.drafter_forwards;
        drafted += round.draft.len();
    }
    let counts = generation.counts;
    assert_eq!(generation.ids.len(), text_len - request.prompt.len());
    assert_eq!(counts.committed as usize, generation.ids.len());
    assert_eq!(counts.filled as usize, filled);
    assert_eq!(counts.drafted as usize, drafted);
    assert_eq!(counts.drafter_forwards as usize, drafter_forwards);
    assert_eq!(counts.verifier_forwards as usize, generation.rounds.len());
    assert_eq!(counts.token_instances, counts.drafted + counts.rounds);
    assert!(counts.drafter_token_instances as usize >= drafter_forwards * rule.window_size);
}

#[test]
fn greedy_text_is_the_autoregressive_text_for_every_rule_and_a_hundred_prompts() {
    let mut accepted = BTreeMap::new();
    for number in 0..100 {
        let prompt = prompt(number);
        let request = Request {
            stop_ids: if number % 2 == 0 { &[3] } else { &[] },
            max_new_tokens: 1 + number as usize % 24,
            ..request(&prompt)
        };
        let expected = autoregressive(&request);
        for json in SELECT_RULES {
            for (window_size, n_fill_steps, max_draft_len) in
                [(1, 1, None), (6, 1, Some(2)), (5, 3, None)]
            {
                let rule = WindowDraftRule {
                    window_size,
                    n_fill_steps,
                    max_draft_len,
                    ..rule(json)
                };
                let generation = decode(&mut window(), &mut verifier(), &rule, &request).unwrap();
                assert_eq!(generation.ids, expected.ids, "{rule:?}");
                assert_eq!(generation.finished_by, expected.finished_by);
                assert_counts_add_up(&generation, &rule, &request);
                *accepted.entry(json).or_insert(0) += generation.counts.accepted;
            }
        }
    }
    assert!(accepted.values().all(|&n| n > 100), "{accepted:?}");
}

#[test]
fn a_wrong_window_model_changes_the_cost_but_not_the_output() {
    let prompt = prompt(4);
    let request = request(&prompt);
    let expected = autoregressive(&request);
    let [right, wrong] = [window(), ScriptedModel::history(77, VOCAB_LEN, 6.0)].map(|mut model| {
        decode(
            &mut model,
            &mut verifier(),
            &rule(SELECT_RULES[3]),
            &request,
        )
        .unwrap()
    });
    assert_eq!(right.ids, expected.ids);
    assert_eq!(wrong.ids, expected.ids);
    assert!(right.counts.accepted > wrong.counts.accepted);
    assert!(right.counts.verifier_forwards < wrong.counts.verifier_forwards);
}

/// Masks at q, and text before q, are followed by q mod 10.
fn counting(rows: &[(TokenId, u32)]) -> Vec<f32> {
    let &(token, position) = rows.last().unwrap();
    let next = if token == MASK {
        position
    } else {
        position + 1
    };
    let mut row = vec![0.0; VOCAB_LEN];
    row[(next % 10) as usize] = 6.0;
    row
}

#[test]
fn a_sure_window_is_accepted_whole_and_the_text_that_it_lacks_is_fed_with_the_next_one() {
    let model = || ScriptedModel::new(VOCAB_LEN, 64, counting);
    let prompt = [0, 1, 2];
    let rule = WindowDraftRule {
        window_size: 4,
        ..rule(r#"{"kind": "entropy"}"#)
    };
    let (mut window, mut verifier) = (model(), model());
    let generation = decode(
        &mut window,
        &mut verifier,
        &rule,
        &Request {
            max_new_tokens: 12,
            ..request(&prompt)
        },
    )
    .unwrap();
    assert_eq!(generation.ids, [3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4]);
    let committed: Vec<usize> = generation
        .rounds
        .iter()
        .map(|round| round.committed.len())
        .collect();
    // Four of the window and the bonus token; the last round has room for one drafted token.
    assert_eq!(committed, [5, 5, 2]);
    let counts = generation.counts;
    assert_eq!((counts.drafted, counts.accepted, counts.filled), (9, 9, 3));
    // The prompt is cached by the prefill; later windows come with the five tokens before them.
    assert_eq!(
        (counts.drafter_forwards, counts.drafter_token_instances),
        (3, 4 + 9 + 9)
    );
    let stops: Vec<DraftStop> = generation
        .rounds
        .iter()
        .map(|round| round.stopped_by)
        .collect();
    assert_eq!(stops, [DraftStop::MaxDraftLen; 3]);
    let text: Vec<(TokenId, u32)> = prompt
        .iter()
        .chain(&generation.ids)
        .copied()
        .zip(0..)
        .collect();
    assert_eq!(window.cached_rows(), &text[..13]);
    assert_eq!(verifier.cached_rows(), &text[..14]);
}

#[test]
fn a_drafted_stop_token_ends_the_draft() {
    let model = || ScriptedModel::new(VOCAB_LEN, 64, counting);
    let prompt = [0, 1, 2];
    let request = Request {
        stop_ids: &[5],
        ..request(&prompt)
    };
    let generation = decode(
        &mut model(),
        &mut model(),
        &rule(r#"{"kind": "entropy"}"#),
        &request,
    )
    .unwrap();
    assert_eq!(generation.ids, [3, 4, 5]);
    assert_eq!(generation.finished_by, Finish::StopToken);
    let [round] = &generation.rounds[..] else {
        panic!("{:?}", generation.rounds)
    };
    assert_eq!(
        (round.draft.len(), round.accepted, round.stopped_by),
        (3, 3, DraftStop::Eos)
    );
}

#[test]
fn more_forwards_give_longer_drafts_and_slot_zero_is_waited_for() {
    let prompt = prompt(4);
    let with_steps = |n_fill_steps| {
        let rule = WindowDraftRule {
            n_fill_steps,
            ..rule(r#"{"kind": "left_to_right", "k": 1}"#)
        };
        decode(&mut window(), &mut verifier(), &rule, &request(&prompt)).unwrap()
    };
    for n_fill_steps in [1, 2, 4] {
        let generation = with_steps(n_fill_steps);
        let round = &generation.rounds[0];
        assert_eq!(
            (round.draft.len(), round.drafter_forwards),
            (n_fill_steps, n_fill_steps)
        );
    }
    // The surest slot is the last one: only the fourth forward fills slot 0.
    let backwards = |rows: &[(TokenId, u32)]| {
        let sharpness = rows.last().unwrap().1 as f32;
        (0..VOCAB_LEN)
            .map(|token| if token == 4 { sharpness } else { 0.0 })
            .collect()
    };
    let rule = WindowDraftRule {
        window_size: 4,
        ..rule(r#"{"kind": "greedy", "pos_penalty": 0}"#)
    };
    let mut backwards = ScriptedModel::new(VOCAB_LEN, 64, backwards);
    let generation = decode(&mut backwards, &mut verifier(), &rule, &request(&prompt)).unwrap();
    let round = &generation.rounds[0];
    assert_eq!(
        (round.drafter_forwards, round.draft.as_slice()),
        (4, &[4; 4][..])
    );
}

#[test]
fn prompt_budget_and_window_may_fill_the_caches_to_the_last_row_but_no_further() {
    let prompt = prompt(4);
    let request = request(&prompt);
    let rule = rule(SELECT_RULES[0]);
    // 22 tokens at most before the last draft, and the window.
    let needed = prompt.len() + 22 + 6;
    let fits = decode(
        &mut window().with_context_len(needed),
        &mut verifier(),
        &rule,
        &request,
    );
    assert_eq!(fits.unwrap().ids.len(), 24);
    let error = decode(
        &mut window().with_context_len(needed - 1),
        &mut verifier(),
        &rule,
        &request,
    );
    assert!(matches!(
        error.unwrap_err(),
        EngineError::PromptTooLong { role: "window", needed: n, .. } if n == needed
    ));
}

#[test]
fn what_cannot_run_or_would_not_be_lossless_is_refused_with_the_reason() {
    let prompt = prompt(1);
    let refusal = |rule: &WindowDraftRule, request: &Request<'_>| {
        decode(&mut window(), &mut verifier(), rule, request).unwrap_err()
    };
    let good = rule(SELECT_RULES[0]);
    let no_mask = Request {
        mask_id: None,
        ..request(&prompt)
    };
    assert!(matches!(refusal(&good, &no_mask), EngineError::MissingMask));
    assert!(matches!(
        refusal(&good, &request(&[])),
        EngineError::EmptyPrompt
    ));
    let no_steps = WindowDraftRule {
        n_fill_steps: 0,
        ..good.clone()
    };
    assert_eq!(
        refusal(&no_steps, &request(&prompt)).to_string(),
        "n_fill_steps is 0: it must be at least 1"
    );
    assert!(matches!(
        refusal(&good, &sampled(&prompt)),
        EngineError::GreedyAcceptance { .. }
    ));
    let lossy = WindowDraftRule {
        accept: serde_json::from_str(r#"{"kind": "typical"}"#).unwrap(),
        ..good.clone()
    };
    assert!(matches!(
        refusal(&lossy, &request(&prompt)),
        EngineError::LossyWindowDraft { accept: "typical" }
    ));
    let biased = WindowDraftRule {
        accept: AcceptRule::Block {},
        ..rule(SELECT_RULES[6])
    };
    assert!(matches!(
        refusal(&biased, &sampled(&prompt)),
        EngineError::BiasedWindowDraft {
            select: "confidence_threshold",
            accept: "block",
            ..
        }
    ));
    let mut models = Models {
        verifier: Some(&mut verifier() as &mut dyn LanguageModel),
        ..Models::default()
    };
    let spec: DecoderSpec = serde_json::from_str(r#"{"kind": "window_draft"}"#).unwrap();
    let error = session::decode(&spec, &mut models, &request(&prompt)).unwrap_err();
    assert!(matches!(
        error,
        EngineError::MissingModel { role: "window" }
    ));
}

#[test]
fn the_decoder_of_a_specification_is_this_one() {
    let prompt = prompt(4);
    let spec: DecoderSpec = serde_json::from_str(
        r#"{"kind": "window_draft", "window_size": 6, "select": {"kind": "left_to_right", "k": 3}}"#,
    )
    .unwrap();
    let (mut window_model, mut verifier_model) = (window(), verifier());
    let mut models = Models {
        verifier: Some(&mut verifier_model as &mut dyn LanguageModel),
        window: Some(&mut window_model as &mut dyn LanguageModel),
        ..Models::default()
    };
    let ours = session::decode(&spec, &mut models, &request(&prompt)).unwrap();
    let expected = decode(
        &mut window(),
        &mut verifier(),
        &rule(SELECT_RULES[3]),
        &request(&prompt),
    )
    .unwrap();
    assert_eq!(ours.ids, expected.ids);
    assert_eq!(ours.counts, expected.counts);
}

#[test]
fn a_gumbel_coupled_text_is_the_autoregressive_draw_whatever_the_selection_rule() {
    let (mut accepted, mut drafted) = (0, 0);
    for number in 0..20 {
        let prompt = prompt(number);
        let request = Request {
            seed: u64::from(number),
            ..sampled(&prompt)
        };
        let expected = autoregressive(&request).ids;
        for json in SELECT_RULES {
            let rule = WindowDraftRule {
                accept: AcceptRule::Gumbel {},
                n_fill_steps: 2,
                ..rule(json)
            };
            let generation = decode(&mut window(), &mut verifier(), &rule, &request).unwrap();
            assert_eq!(generation.ids, expected, "{rule:?}");
            accepted += generation.counts.accepted;
            drafted += generation.counts.drafted;
        }
    }
    // Independent draws would agree about one time in five.
    assert!(accepted * 3 > drafted, "{accepted} of {drafted}");
}

const SMALL: usize = 4;
const TEXT_LEN: usize = 4;

fn small_verifier() -> ScriptedModel {
    ScriptedModel::history(5, SMALL + 1, 2.0)
}

/// Every row sees everything, tokens to the right of a mask included.
fn small_window() -> ScriptedModel {
    ScriptedModel::history(6, SMALL + 1, 3.0)
}

fn small_request(seed: u64) -> Request<'static> {
    Request {
        prompt: &[1, 0],
        max_new_tokens: TEXT_LEN,
        mask_id: Some(SMALL as TokenId),
        sampling: Sampling {
            temperature: 1.0,
            ..Sampling::default()
        },
        seed,
        ..Request::default()
    }
}

/// Probability of every text of the verifier.
fn exact_texts() -> BTreeMap<Vec<TokenId>, f64> {
    let request = small_request(0);
    let mut texts = BTreeMap::from([(Vec::new(), 1.0)]);
    for _ in 0..TEXT_LEN {
        let mut longer = BTreeMap::new();
        for (text, p) in texts {
            let mut model = small_verifier();
            let fed: Vec<TokenId> = request.prompt.iter().chain(&text).copied().collect();
            let positions: Vec<u32> = (0..fed.len() as u32).collect();
            let row = model.forward(&fed, &positions, 1).unwrap();
            let next = distribution(row.last(), &request.sampling, request.mask_id);
            for token in 0..SMALL as TokenId {
                let text = [text.as_slice(), &[token]].concat();
                longer.insert(text, p * next[token as usize]);
            }
        }
        texts = longer;
    }
    texts
}

/// p-value of the χ² test of sampled texts against the verifier's.
fn fit(rule: &WindowDraftRule) -> f64 {
    const N: u64 = 4_000;
    let exact = exact_texts();
    let mut found: BTreeMap<Vec<TokenId>, f64> = BTreeMap::new();
    for seed in 0..N {
        let generation = decode(
            &mut small_window(),
            &mut small_verifier(),
            rule,
            &small_request(seed),
        )
        .unwrap();
        *found.entry(generation.ids).or_default() += 1.0;
    }
    let (mut statistic, mut n_cells, mut rest) = (0.0, 0.0, (0.0, 0.0));
    for (text, p) in &exact {
        let (observed, expected) = (found.get(text).copied().unwrap_or(0.0), p * N as f64);
        if expected < 5.0 {
            rest = (rest.0 + observed, rest.1 + expected);
        } else {
            statistic += (observed - expected).powi(2) / expected;
            n_cells += 1.0;
        }
    }
    if rest.1 >= 5.0 {
        statistic += (rest.0 - rest.1).powi(2) / rest.1;
        n_cells += 1.0;
    }
    1.0 - ChiSquared::new(n_cells - 1.0).unwrap().cdf(statistic)
}

#[test]
fn sampled_text_has_the_verifier_distribution() {
    for accept in [AcceptRule::Rejection {}, AcceptRule::Block {}] {
        for json in [
            r#"{"kind": "entropy", "entropy_threshold": 1.2}"#,
            r#"{"kind": "greedy", "pos_penalty": 0}"#,
            r#"{"kind": "left_to_right", "k": 2}"#,
            r#"{"kind": "random", "k": 1}"#,
        ] {
            for n_fill_steps in [1, 3] {
                let rule = WindowDraftRule {
                    window_size: 3,
                    n_fill_steps,
                    accept,
                    ..rule(json)
                };
                let p = fit(&rule);
                assert!(p > 1e-3, "{p}: {rule:?}");
            }
        }
    }
}

#[test]
fn overlap_is_recorded_on_request() {
    let prompt = prompt(4);
    let request = Request {
        record: Detail {
            overlap: true,
            ..Detail::default()
        },
        ..request(&prompt)
    };
    let generation = decode(
        &mut window(),
        &mut verifier(),
        &rule(SELECT_RULES[3]),
        &request,
    )
    .unwrap();
    for round in &generation.rounds {
        for (index, slot) in round.slots.iter().enumerate() {
            assert_eq!(slot.overlap.is_some(), index < round.draft.len());
            assert!(
                slot.overlap
                    .is_none_or(|overlap| (0.0..=1.0 + 1e-9).contains(&overlap))
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_window_drafts_the_autoregressive_text(
        json in prop::sample::select(SELECT_RULES.to_vec()),
        window_size in 1_usize..9,
        n_fill_steps in 1_usize..5,
        max_draft_len in prop::option::of(1_usize..9),
        max_new_tokens in 0_usize..24,
        prompt in prop::collection::vec(0..MASK, 1..6),
        noise in 0.0_f32..6.0,
        has_stop in any::<bool>(),
        is_coupled in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let request = Request {
            max_new_tokens,
            stop_ids: if has_stop { &[0] } else { &[] },
            seed,
            ..if is_coupled { sampled(&prompt) } else { request(&prompt) }
        };
        let accept = if is_coupled { AcceptRule::Gumbel {} } else { AcceptRule::Greedy {} };
        let rule = WindowDraftRule { window_size, n_fill_steps, max_draft_len, accept, ..rule(json) };
        let mut window = window_of(1, VOCAB_LEN, 6.0, noise);
        let generation = decode(&mut window, &mut verifier(), &rule, &request).unwrap();
        let expected = autoregressive(&request);
        prop_assert_eq!(&generation.ids, &expected.ids);
        prop_assert_eq!(generation.finished_by, expected.finished_by);
        if max_new_tokens > 0 {
            assert_counts_add_up(&generation, &rule, &request);
        }
    }
}
