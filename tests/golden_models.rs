//! Every model family gives the numbers of transformers on the reference checkpoints.

mod common;

use std::collections::BTreeMap;

use common::read_json;
use serde::Deserialize;
use wedlm_bench::model::burn_lm::BurnLm;
use wedlm_bench::model::lm::{LanguageModel, TokenId};
use wedlm_bench::policy::entropy::{EntropyRule, RowStats};
use wedlm_bench::policy::sample::greedy;

#[derive(Deserialize)]
struct Golden {
    prompts: Vec<Prompt>,
}

#[derive(Deserialize)]
struct Prompt {
    text: String,
    ids: Vec<TokenId>,
    logits: Vec<Vec<f32>>,
    logprobs: Vec<f64>,
    entropies: Vec<BTreeMap<String, f64>>,
    greedy: Vec<TokenId>,
}

/// The reference of qwen2 was converted by `model.to(bfloat16)`, which rounds the rotary
/// frequencies too: with exact ones its logits differ by up to 0.42.
fn load(family: &str) -> BurnLm {
    let model = common::load(family);
    if family == "qwen2" {
        model.with_rounded_rope()
    } else {
        model
    }
}

const FAMILIES: [&str; 5] = ["llama", "llama3-rope", "mistral", "qwen2", "qwen3"];

fn positions(range: std::ops::Range<usize>) -> Vec<u32> {
    range.map(|position| position as u32).collect()
}

/// Logits of every row, fed in pieces of `piece` tokens.
fn rows(model: &mut dyn LanguageModel, ids: &[TokenId], piece: usize) -> Vec<Vec<f32>> {
    model.truncate(0);
    let mut out = Vec::new();
    for (index, chunk) in ids.chunks(piece).enumerate() {
        let start = index * piece;
        let logits = model
            .forward(chunk, &positions(start..start + chunk.len()), chunk.len())
            .unwrap();
        out.extend(logits.rows().map(<[f32]>::to_vec));
    }
    out
}

fn largest_difference(one: &[Vec<f32>], other: &[Vec<f32>]) -> f32 {
    assert_eq!(one.len(), other.len());
    one.iter()
        .flatten()
        .zip(other.iter().flatten())
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

#[test]
fn logits_equal_the_reference_in_one_piece_and_token_by_token() {
    for family in FAMILIES {
        let golden: Golden = read_json(&format!("{family}/golden.json"));
        let mut model = load(family);
        for prompt in &golden.prompts {
            for piece in [usize::MAX, 1, 3] {
                let rows = rows(&mut model, &prompt.ids, piece.min(prompt.ids.len()));
                let error = largest_difference(&rows, &prompt.logits);
                assert!(
                    error < 2e-3,
                    "{family} {:?} piece {piece}: {error}",
                    prompt.text
                );
            }
        }
    }
}

#[test]
fn log_probabilities_and_entropies_equal_the_reference() {
    let rules = [
        ("shannon", EntropyRule::default()),
        (
            "renyi_2",
            EntropyRule::Renyi {
                alpha: 2.0,
                temperature: 1.0,
            },
        ),
        (
            "tsallis_2",
            EntropyRule::Tsallis {
                q: 2.0,
                temperature: 1.0,
            },
        ),
        (
            "topk_10",
            EntropyRule::Topk {
                k: 10,
                renormalize: true,
                temperature: 1.0,
            },
        ),
        ("min", EntropyRule::Min { temperature: 1.0 }),
    ];
    let kinds = rules.map(|(_, rule)| rule);
    for family in FAMILIES {
        let golden: Golden = read_json(&format!("{family}/golden.json"));
        let mut model = load(family);
        for prompt in &golden.prompts {
            let rows = rows(&mut model, &prompt.ids, prompt.ids.len());
            for (index, row) in rows.iter().enumerate() {
                let stats = RowStats::read(row, &kinds);
                for ((name, _), value) in rules.iter().zip(&stats.entropies) {
                    let expected = prompt.entropies[index][*name];
                    assert!(
                        (value - expected).abs() < 1e-3,
                        "{family} {name}: {value} {expected}"
                    );
                }
                if let Some(&next) = prompt.ids.get(index + 1) {
                    let logprob = f64::from(row[next as usize]) - stats.log_normalizer;
                    assert!(
                        (logprob - prompt.logprobs[index]).abs() < 1e-3,
                        "{family}: {logprob}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_greedy_continuation_equals_the_reference_with_and_without_a_cache() {
    for family in FAMILIES {
        let golden: Golden = read_json(&format!("{family}/golden.json"));
        let mut model = load(family);
        for prompt in &golden.prompts {
            for cached in [true, false] {
                let mut ids = prompt.ids.clone();
                model.truncate(0);
                for &expected in &prompt.greedy {
                    if !cached {
                        model.truncate(0);
                    }
                    let start = model.cached_len();
                    let new = positions(start..ids.len());
                    let logits = model.forward(&ids[start..], &new, 1).unwrap();
                    let token = greedy(logits.last(), None);
                    assert_eq!(
                        token, expected,
                        "{family} {:?} cached {cached}",
                        prompt.text
                    );
                    ids.push(token);
                }
            }
        }
    }
}

#[test]
fn rolled_back_rows_leave_no_trace() {
    for family in FAMILIES {
        let golden: Golden = read_json(&format!("{family}/golden.json"));
        let mut model = load(family);
        let ids = &golden.prompts[0].ids;
        let expected = rows(&mut model, ids, ids.len());
        model.truncate(0);
        model.forward(&ids[..10], &positions(0..10), 0).unwrap();
        let junk = [7, 8, 9];
        model.forward(&junk, &positions(10..13), 0).unwrap();
        model.truncate(10);
        let logits = model
            .forward(&ids[10..], &positions(10..ids.len()), ids.len() - 10)
            .unwrap();
        let got: Vec<Vec<f32>> = logits.rows().map(<[f32]>::to_vec).collect();
        let error = largest_difference(&got, &expected[10..]);
        assert!(error < 1e-4, "{family}: {error}");
    }
}

#[test]
fn a_full_cache_is_a_clear_error_and_leaves_the_cache_as_it_was() {
    let mut model = load("llama");
    let ids = vec![5; 510];
    model.forward(&ids, &positions(0..510), 0).unwrap();
    let error = model
        .forward(&[1, 2, 3], &[510, 511, 512], 1)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("510 cached + 3 new tokens exceed the context length of 512"),
        "{error}"
    );
    assert_eq!(model.cached_len(), 510);
    model.forward(&[1, 2], &[510, 511], 1).unwrap();
}
