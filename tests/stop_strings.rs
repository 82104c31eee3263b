//! Every decoder ends a text at the same stop string.

use proptest::prelude::*;
use wedlm_bench::config::decoder::DecoderSpec;
use wedlm_bench::engine::session::{EngineError, Models, Request, decode};
use wedlm_bench::engine::step::{Finish, Generation};
use wedlm_bench::model::lm::{LanguageModel, TokenId};
use wedlm_bench::model::scripted::ScriptedModel;

const VOCAB_LEN: usize = 12;
const MASK: TokenId = 11;

const LOSSLESS: [&str; 4] = [
    r#"{"kind": "autoregressive"}"#,
    r#"{"kind": "speculative", "stop": {"kind": "fixed"}, "max_draft_len": 5}"#,
    r#"{"kind": "speculative", "stop": {"kind": "oracle"}, "max_draft_len": 5}"#,
    r#"{"kind": "window_draft", "window_size": 6, "select": {"kind": "left_to_right", "k": 4}}"#,
];

const WINDOWS: [&str; 4] = [
    r#"{"kind": "window", "window_size": 6, "select": {"kind": "entropy", "entropy_threshold": 5}}"#,
    r#"{"kind": "window", "variant": "paper", "window_size": 6, "select": {"kind": "left_to_right", "k": 4}}"#,
    r#"{"kind": "window", "variant": "block", "window_size": 6, "select": {"kind": "entropy", "entropy_threshold": 2}}"#,
    r#"{"kind": "window", "variant": "notebook", "window_size": 6, "select": {"kind": "left_to_right", "k": 4}}"#,
];

fn run(decoder: &str, request: &Request<'_>) -> Result<Generation, EngineError> {
    let spec: DecoderSpec = serde_json::from_str(decoder).unwrap();
    let [mut verifier, mut drafter, mut window] =
        [0.0, 1.0, 1.0].map(|noise| ScriptedModel::history(1, VOCAB_LEN, 6.0).perturbed(2, noise));
    let mut models = Models {
        verifier: Some(&mut verifier as &mut dyn LanguageModel),
        drafter: Some(&mut drafter as &mut dyn LanguageModel),
        window: Some(&mut window as &mut dyn LanguageModel),
    };
    decode(&spec, &mut models, request)
}

fn request<'a>(prompt: &'a [TokenId], stop_strings: &'a [Vec<TokenId>]) -> Request<'a> {
    Request {
        prompt,
        max_new_tokens: 30,
        stop_strings,
        mask_id: Some(MASK),
        ..Request::default()
    }
}

/// Number of tokens up to the end of the first stop string.
fn end_of(ids: &[TokenId], stop_strings: &[Vec<TokenId>]) -> Option<usize> {
    (1..=ids.len()).find(|&len| stop_strings.iter().any(|stop| ids[..len].ends_with(stop)))
}

#[test]
fn a_string_that_the_prompt_begins_is_not_met() {
    let free = run(LOSSLESS[0], &request(&[1, 2], &[])).unwrap();
    // The last token of the prompt and the first of the answer.
    let across = [vec![2, free.ids[0]]];
    let generation = run(LOSSLESS[0], &request(&[1, 2], &across)).unwrap();
    assert!(generation.ids.len() > 1);
}

#[test]
fn a_stop_string_without_tokens_is_refused_by_every_decoder() {
    let stop_strings = [vec![3, 4], vec![]];
    for decoder in LOSSLESS.iter().chain(&WINDOWS) {
        let error = run(decoder, &request(&[1, 2], &stop_strings)).unwrap_err();
        assert!(
            matches!(error, EngineError::EmptyStopString { index: 1 }),
            "{decoder}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_text_ends_behind_the_first_stop_string_of_the_text_that_would_have_been(
        prompt in prop::collection::vec(0..MASK, 1..5),
        start in 0_usize..28,
        len in 1_usize..5,
        decoder in prop::sample::select([LOSSLESS.as_slice(), &WINDOWS].concat()),
        other in prop::collection::vec(0..MASK, 1..4),
    ) {
        let free = run(decoder, &request(&prompt, &[])).unwrap();
        let end = (start + len).min(free.ids.len());
        let stop_strings = [free.ids[start..end].to_vec(), other];
        let generation = run(decoder, &request(&prompt, &stop_strings)).unwrap();
        let expected = end_of(&free.ids, &stop_strings).unwrap();
        prop_assert_eq!(&generation.ids, &free.ids[..expected]);
        prop_assert_eq!(generation.finished_by, Finish::StopString);
        prop_assert_eq!(generation.counts.committed as usize, generation.ids.len());
    }

    #[test]
    fn lossless_decoders_end_at_the_same_string(
        prompt in prop::collection::vec(0..MASK, 1..5),
        stop_strings in prop::collection::vec(prop::collection::vec(0..MASK, 1..3), 1..8),
    ) {
        let expected = run(LOSSLESS[0], &request(&prompt, &stop_strings)).unwrap();
        for decoder in &LOSSLESS[1..] {
            let generation = run(decoder, &request(&prompt, &stop_strings)).unwrap();
            prop_assert_eq!(&generation.ids, &expected.ids);
            prop_assert_eq!(generation.finished_by, expected.finished_by);
        }
    }
}
