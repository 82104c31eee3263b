//! Window decoders that share forwards of a real model write what they write alone, bit by bit.

mod common;

use common::{load, mask_id};
use wedlm_bench::config::decoder::{DecoderSpec, WindowVariant};
use wedlm_bench::engine::session::{Models, Request, decode};
use wedlm_bench::engine::shared::{self, SharedForwards};
use wedlm_bench::engine::step::{Durations, Generation};
use wedlm_bench::model::lm::TokenId;
use wedlm_bench::policy::entropy::EntropyRule;

const MODEL: &str = "qwen3";

/// Token ids and entropies stay, exactly.
fn content(mut generation: Generation) -> Generation {
    generation.durations = Durations::default();
    generation.counts.shared_forwards = 0;
    for round in &mut generation.rounds {
        round.durations = Durations::default();
    }
    generation
}

fn trials() -> Vec<DecoderSpec> {
    let selects = [
        r#"{"kind":"entropy","entropy_threshold":null}"#,
        r#"{"kind":"entropy","entropy_threshold":1.5}"#,
        r#"{"kind":"entropy","entropy_threshold":2.5,"pos_penalty":0.1}"#,
        r#"{"kind":"entropy","entropy_threshold":2.5,"pos_penalty":0}"#,
        r#"{"kind":"left_to_right","k":2}"#,
        r#"{"kind":"left_to_right","k":3}"#,
        r#"{"kind":"hybrid"}"#,
    ];
    let variants = [
        WindowVariant::Engine,
        WindowVariant::Paper,
        WindowVariant::Block,
        WindowVariant::Notebook,
    ];
    let rules = |variant| {
        selects.map(|select| DecoderSpec::Window {
            variant,
            window_size: 6,
            ending: Default::default(),
            select: serde_json::from_str(select).unwrap(),
            entropy: EntropyRule::default(),
        })
    };
    variants.into_iter().flat_map(rules).collect()
}

#[test]
fn a_real_model_gives_the_same_bits_whether_its_forwards_are_shared_or_not() {
    let mut model = load(MODEL);
    let mut forwards = SharedForwards::new(model.twin());
    let (mut n_asked, mut n_shared) = (0, 0);
    for first in 5..9 {
        let prompt: Vec<TokenId> = (first..first + 13).collect();
        let request = Request {
            prompt: &prompt,
            max_new_tokens: 24,
            mask_id: Some(mask_id(MODEL)),
            ..Request::default()
        };
        forwards.forget();
        for trial in trials() {
            let ours = shared::decode(&trial, &mut forwards, &request).unwrap();
            let mut models = Models {
                window: Some(&mut model),
                ..Models::default()
            };
            let theirs = decode(&trial, &mut models, &request).unwrap();
            n_asked += ours.counts.verifier_forwards + 1;
            n_shared += ours.counts.shared_forwards;
            assert_eq!(content(ours), content(theirs), "{trial:?}");
        }
    }
    let runs = forwards.runs();
    assert_eq!(runs.asked, n_asked - n_shared);
    assert!(n_shared > 0 && runs.restored > 0, "{runs:?}, {n_shared}");
}
