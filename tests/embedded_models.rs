//! The models that are compiled in: lossless on a real pair, and good enough to study.

use wedlm_bench::config::decoder::DecoderSpec;
use wedlm_bench::engine::session::{Models, Request, Sampling, decode};
use wedlm_bench::engine::step::{Finish, Generation};
use wedlm_bench::model::device::{DeviceSpec, Dtype};
use wedlm_bench::model::lm::{LanguageModel, TokenId};
use wedlm_bench::model::loaded::{LoadedModel, Placement};
use wedlm_bench::workload::{Families, Family, Item, Split, exact_match, synthetic_items};

fn open(name: &str) -> LoadedModel {
    let placement = Placement {
        device: DeviceSpec::Cpu,
        dtype: Dtype::F32,
        context_len: 512,
    };
    LoadedModel::open(&format!("embedded:{name}"), placement).unwrap()
}

fn word_problems(seed: u64, n: usize) -> Vec<Item> {
    synthetic_items(Family::Gsm8k.into(), Split::HeldOutSeed, seed, n).unwrap()
}

struct Trio {
    verifier: LoadedModel,
    drafter: LoadedModel,
    window: LoadedModel,
}

impl Trio {
    fn open() -> Self {
        Self {
            verifier: open("verifier"),
            drafter: open("drafter-10"),
            window: open("wedlm"),
        }
    }

    fn decode(
        &mut self,
        decoder: &str,
        prompt: &[TokenId],
        budget: usize,
        temperature: f64,
        seed: u64,
    ) -> Generation {
        let spec: DecoderSpec = serde_json::from_str(decoder).unwrap();
        let request = Request {
            prompt,
            max_new_tokens: budget,
            stop_ids: &self.verifier.eos_ids,
            mask_id: self.window.mask_id,
            sampling: Sampling {
                temperature,
                ..Sampling::default()
            },
            seed,
            ..Request::default()
        };
        let mut models = Models {
            verifier: Some(&mut self.verifier.lm as &mut dyn LanguageModel),
            drafter: Some(&mut self.drafter.lm as &mut dyn LanguageModel),
            window: Some(&mut self.window.lm as &mut dyn LanguageModel),
        };
        decode(&spec, &mut models, &request).unwrap()
    }

    fn encode(&self, item: &Item) -> Vec<TokenId> {
        self.verifier.tokenizer.encode(&item.prompt).unwrap()
    }
}

const AUTOREGRESSIVE: &str = r#"{"kind": "autoregressive"}"#;

#[test]
fn greedy_speculative_text_equals_autoregressive_text_on_100_prompts() {
    let mut trio = Trio::open();
    let decoders = [
        r#"{"kind": "speculative", "stop": {"kind": "fixed"}, "max_draft_len": 6}"#,
        r#"{"kind": "speculative", "stop": {"kind": "absolute", "theta_abs": 0.5}, "max_draft_len": 12}"#,
        r#"{"kind": "speculative", "stop": {"kind": "relative", "theta_rel": 2.0}, "order": "after"}"#,
        r#"{"kind": "speculative", "stop": {"kind": "adaedl"}, "max_draft_len": 10}"#,
    ];
    for (index, item) in word_problems(5, 100).iter().enumerate() {
        let prompt = trio.encode(item);
        let expected = trio.decode(AUTOREGRESSIVE, &prompt, 96, 0.0, 0);
        let decoder = decoders[index % decoders.len()];
        let got = trio.decode(decoder, &prompt, 96, 0.0, 0);
        assert_eq!(got.ids, expected.ids, "{decoder}: {}", item.prompt);
    }
}

/// Upper 1e-4 quantile of χ² with `dof` degrees of freedom (Wilson and Hilferty 1931).
fn chi_square_bound(dof: f64) -> f64 {
    let z = 3.719;
    let a = 2.0 / (9.0 * dof);
    dof * (1.0 - a + z * a.sqrt()).powi(3)
}

#[test]
fn sampled_speculative_text_has_the_verifiers_distribution() {
    let mut trio = Trio::open();
    // An open prompt, so that the distribution is broad.
    let prompt = trio.verifier.tokenizer.encode("Question:").unwrap();
    let n = 3000;
    for accept in ["rejection", "block"] {
        let speculative = format!(
            r#"{{"kind": "speculative", "stop": {{"kind": "fixed"}}, "max_draft_len": 2, "accept": {{"kind": "{accept}"}}}}"#
        );
        // Both tokens of a text of two, hashed to 64 cells.
        let mut counts = [[0.0f64; 64]; 2];
        for (side, decoder) in [AUTOREGRESSIVE, speculative.as_str()]
            .into_iter()
            .enumerate()
        {
            for draw in 0..n {
                let seed = (side as u64 + 1) * 1_000_003 + draw;
                let ids = trio.decode(decoder, &prompt, 3, 1.0, seed).ids;
                let cell = ids.iter().take(2).fold(7u64, |hash, &id| {
                    (hash ^ u64::from(id)).wrapping_mul(0x0100_0000_01b3) >> 3
                });
                counts[side][(cell % 64) as usize] += 1.0;
            }
        }
        let cells = counts[0]
            .iter()
            .zip(&counts[1])
            .filter(|(a, b)| *a + *b > 0.0);
        let statistic: f64 = cells
            .clone()
            .map(|(a, b)| (a - b) * (a - b) / (a + b))
            .sum();
        let dof = cells.count() as f64 - 1.0;
        assert!(dof >= 10.0, "the prompt is too narrow for a test: {dof}");
        assert!(
            statistic < chi_square_bound(dof),
            "{accept}: χ² {statistic} with {dof} degrees of freedom"
        );
    }
}

#[test]
fn the_embedded_pair_solves_held_out_problems_with_most_drafts_accepted() {
    let mut trio = Trio::open();
    let fixed = r#"{"kind": "speculative", "stop": {"kind": "fixed"}, "max_draft_len": 4}"#;
    let mut right = 0;
    for item in &word_problems(99, 60) {
        let prompt = trio.encode(item);
        let generation = trio.decode(fixed, &prompt, 160, 0.0, 0);
        let text = trio.verifier.tokenizer.decode(&generation.ids);
        right += usize::from(exact_match(&text, item.answer.as_ref().unwrap()));
    }
    // Far below what the model cards say, so that only a broken model fails.
    assert!(right >= 45, "verifier: {right} of 60");
    // Of word problems alone nearly all drafts are right.
    let items = synthetic_items(Families::Mix, Split::HeldOutSeed, 99, 63).unwrap();
    let (mut drafted, mut accepted) = (0, 0);
    for item in &items {
        let prompt = trio.encode(item);
        let counts = trio.decode(fixed, &prompt, 160, 0.0, 0).counts;
        drafted += counts.drafted;
        accepted += counts.accepted;
    }
    let acceptance = accepted as f64 / drafted as f64;
    assert!((0.5..0.95).contains(&acceptance), "acceptance {acceptance}");
}

#[test]
fn the_embedded_window_model_solves_most_problems_filling_several_masks_per_forward() {
    let mut trio = Trio::open();
    let items = word_problems(99, 40);
    // Far below what the model card says, so that only a broken model fails.
    for (window_size, fewest_right) in [(5, 36), (6, 30), (16, 24)] {
        solves_most(&mut trio, &items, window_size, fewest_right);
    }
}

fn solves_most(trio: &mut Trio, items: &[Item], window_size: usize, fewest_right: usize) {
    let window = format!(
        r#"{{"kind": "window", "window_size": {window_size}, "select": {{"kind": "entropy", "entropy_threshold": 0.4, "pos_penalty": 0.02}}}}"#
    );
    let (mut right, mut ended, mut committed, mut forwards) = (0, 0, 0, 0);
    for item in items {
        let prompt = trio.encode(item);
        let generation = trio.decode(&window, &prompt, 200, 0.0, 0);
        let text = trio.window.tokenizer.decode(&generation.ids);
        right += usize::from(exact_match(&text, item.answer.as_ref().unwrap()));
        ended += usize::from(generation.finished_by == Finish::StopToken);
        committed += generation.counts.committed;
        forwards += generation.counts.verifier_forwards;
    }
    assert!(
        right >= fewest_right,
        "window of {window_size}: {right} of 40"
    );
    assert!(ended >= 36, "{ended} of 40 end by themselves");
    let tokens_per_forward = committed as f64 / forwards as f64;
    assert!(
        tokens_per_forward > 2.5,
        "{tokens_per_forward} tokens per forward"
    );
}

#[test]
fn the_models_solve_most_problems_of_each_family_that_has_answers() {
    let mut trio = Trio::open();
    let decoders = [
        (
            r#"{"kind": "speculative", "stop": {"kind": "fixed"}, "max_draft_len": 6}"#,
            true,
        ),
        (
            r#"{"kind": "window", "window_size": 5, "select": {"kind": "entropy", "entropy_threshold": 0.4, "pos_penalty": 0.02}}"#,
            false,
        ),
    ];
    for family in Family::ALL {
        let items = synthetic_items(family.into(), Split::HeldOutSeed, 99, 12).unwrap();
        for (decoder, is_lossless) in decoders {
            let mut verdicts = Vec::new();
            for item in &items {
                let prompt = trio.encode(item);
                let got = trio.decode(decoder, &prompt, 200, 0.0, 0);
                if is_lossless {
                    let expected = trio.decode(AUTOREGRESSIVE, &prompt, 200, 0.0, 0);
                    assert_eq!(got.ids, expected.ids, "{}", item.prompt);
                    assert_eq!(got.finished_by, Finish::StopToken, "{}", item.prompt);
                }
                verdicts.extend(item.is_correct(&trio.verifier.tokenizer.decode(&got.ids)));
            }
            let right = verdicts.iter().filter(|is_right| **is_right).count();
            // Far below what the model cards say, so that only a broken model fails.
            assert!(
                3 * right >= 2 * verdicts.len(),
                "{family:?}, {decoder}: {right}"
            );
            assert_eq!(verdicts.is_empty(), family == Family::Story);
        }
    }
}
