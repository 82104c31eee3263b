//! Every decoder reproduces the reference traces, which were made without a cache.

mod common;

use common::{TIE, load, mask_id, read_json};
use serde::Deserialize;
use serde_json::Value;
use wedlm_bench::config::decoder::{DecoderSpec, WindowVariant};
use wedlm_bench::engine::session::{Models, Request, decode};
use wedlm_bench::engine::step::{DraftStop, Generation, Outcome, Round};
use wedlm_bench::model::burn_lm::BurnLm;
use wedlm_bench::model::lm::{LanguageModel, Logits, ModelError, TokenId};
use wedlm_bench::policy::select::SelectRule;

#[derive(Deserialize)]
struct Speculative {
    max_new_tokens: usize,
    cases: Vec<SpeculativeCase>,
}

#[derive(Deserialize)]
struct SpeculativeCase {
    config: serde_json::Map<String, Value>,
    prompt_ids: Vec<TokenId>,
    output: Vec<TokenId>,
    rounds: Vec<ReferenceRound>,
    counts: SpeculativeCounts,
    min_gap: f64,
}

#[derive(Deserialize)]
struct ReferenceRound {
    draft: Vec<TokenId>,
    entropies: Vec<f64>,
    stopped_by: String,
    accepted: usize,
    committed: Vec<TokenId>,
}

#[derive(Deserialize)]
struct SpeculativeCounts {
    drafter_forwards: u64,
    verifier_forwards: u64,
    drafted: u64,
    accepted: u64,
}

#[derive(Deserialize)]
struct Window {
    max_new_tokens: usize,
    cases: Vec<WindowCase>,
}

#[derive(Deserialize)]
struct WindowCase {
    model: String,
    config: WindowConfig,
    prompt_ids: Vec<TokenId>,
    output: Vec<TokenId>,
    steps: Vec<ReferenceStep>,
    counts: WindowCounts,
    min_gap: f64,
}

#[derive(Debug, Deserialize)]
struct WindowConfig {
    variant: WindowVariant,
    window_size: usize,
    entropy_threshold: Option<f64>,
    pos_penalty_factor: f64,
}

#[derive(Deserialize)]
struct ReferenceStep {
    #[serde(default)]
    positions: Vec<u32>,
    committed: Vec<TokenId>,
    filled: Vec<(u32, TokenId)>,
    entropies: Vec<f64>,
    adjusted: Vec<f64>,
}

#[derive(Deserialize)]
struct WindowCounts {
    forwards: u64,
    token_instances: Option<u64>,
    forced_mask_commits: Option<u64>,
}

/// The first difference between what was decoded and the reference.
type Difference = Option<String>;

fn differ<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, expected: &T) -> Difference {
    (got != expected).then(|| format!("{what}: {got:?}, expected {expected:?}"))
}

fn far(what: &str, got: &[f64], expected: &[f64]) -> Difference {
    let close =
        got.len() == expected.len() && got.iter().zip(expected).all(|(a, b)| (a - b).abs() < TIE);
    (!close).then(|| format!("{what}: {got:?}, expected {expected:?}"))
}

/// A difference in a case whose smallest margin is a tie is no error; such cases are rare.
fn judge(differences: Vec<(String, f64)>, n_cases: usize) {
    let (ties, errors): (Vec<_>, Vec<_>) = differences.into_iter().partition(|(_, gap)| *gap < TIE);
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(
        ties.len() * 10 <= n_cases,
        "too many ties to be ties: {ties:#?}"
    );
}

#[test]
fn speculative_decoding_reproduces_every_reference_round() {
    let golden: Speculative = read_json("speculative.json");
    let (mut drafter, mut verifier) = (load("llama-drafter"), load("llama"));
    let mut differences = Vec::new();
    for case in &golden.cases {
        let mut config = case.config.clone();
        config.insert("kind".into(), "speculative".into());
        let spec: DecoderSpec = serde_json::from_value(Value::Object(config)).unwrap();
        let mut models = Models {
            verifier: Some(&mut verifier as &mut dyn LanguageModel),
            drafter: Some(&mut drafter as &mut dyn LanguageModel),
            window: None,
        };
        let request = Request {
            prompt: &case.prompt_ids,
            max_new_tokens: golden.max_new_tokens,
            ..Request::default()
        };
        let generation = decode(&spec, &mut models, &request).unwrap();
        if let Some(difference) = speculative_difference(&generation, case) {
            differences.push((format!("{spec:?}: {difference}"), case.min_gap));
        }
    }
    assert_eq!(golden.cases.len(), 40);
    judge(differences, golden.cases.len());
}

fn speculative_difference(generation: &Generation, case: &SpeculativeCase) -> Difference {
    let round = |(index, (got, expected)): (usize, (&Round, &ReferenceRound))| {
        let stopped_by = match got.stopped_by {
            DraftStop::MaxDraftLen => "max_draft_len",
            DraftStop::Rule => "rule",
            DraftStop::Eos => "eos",
        };
        let entropies: Vec<f64> = got.slots.iter().map(|slot| slot.entropy).collect();
        differ("draft", &got.draft, &expected.draft)
            .or_else(|| differ("accepted", &got.accepted, &expected.accepted))
            .or_else(|| differ("committed", &got.committed, &expected.committed))
            .or_else(|| differ("stopped_by", &stopped_by, &expected.stopped_by.as_str()))
            .or_else(|| far("entropies", &entropies, &expected.entropies))
            .map(|difference| format!("round {index}: {difference}"))
    };
    let counts = &generation.counts;
    (generation
        .rounds
        .iter()
        .zip(&case.rounds)
        .enumerate()
        .find_map(round))
    .or_else(|| differ("output", &generation.ids, &case.output))
    .or_else(|| differ("rounds", &generation.rounds.len(), &case.rounds.len()))
    .or_else(|| {
        differ(
            "drafter forwards",
            &counts.drafter_forwards,
            &case.counts.drafter_forwards,
        )
    })
    .or_else(|| {
        differ(
            "verifier forwards",
            &counts.verifier_forwards,
            &case.counts.verifier_forwards,
        )
    })
    .or_else(|| differ("drafted", &counts.drafted, &case.counts.drafted))
    .or_else(|| differ("accepted", &counts.accepted, &case.counts.accepted))
}

/// Decodes every case of a trace file with what `wrap` makes of its model.
fn check_windows<M: LanguageModel>(file: &str, wrap: impl Fn(BurnLm) -> M) {
    let golden: Window = read_json(file);
    let mut differences = Vec::new();
    for name in ["llama", "qwen3"] {
        let mut model = wrap(load(name));
        let mask_id = mask_id(name);
        for case in golden.cases.iter().filter(|case| case.model == name) {
            let difference = decode_window(&mut model, mask_id, case, golden.max_new_tokens);
            let config = &case.config;
            differences.extend(
                difference.map(|text| (format!("{name} {config:?}: {text}"), case.min_gap)),
            );
        }
    }
    assert_eq!(golden.cases.len(), 64);
    judge(differences, golden.cases.len());
}

fn decode_window(
    model: &mut dyn LanguageModel,
    mask_id: TokenId,
    case: &WindowCase,
    max_new_tokens: usize,
) -> Difference {
    let spec = DecoderSpec::Window {
        variant: case.config.variant,
        window_size: case.config.window_size,
        ending: Default::default(),
        select: SelectRule::Entropy {
            entropy_threshold: case.config.entropy_threshold,
            pos_penalty: case.config.pos_penalty_factor,
            cap: None,
        },
        entropy: Default::default(),
    };
    let mut models = Models {
        window: Some(model),
        ..Models::default()
    };
    let request = Request {
        prompt: &case.prompt_ids,
        max_new_tokens,
        mask_id: Some(mask_id),
        ..Request::default()
    };
    let generation = decode(&spec, &mut models, &request).unwrap();
    match case.config.variant {
        WindowVariant::Engine | WindowVariant::Paper | WindowVariant::Block => {
            window_difference(&generation, case)
        }
        WindowVariant::Notebook => notebook_difference(&generation, case, max_new_tokens),
    }
}

#[test]
fn window_decoding_reproduces_every_reference_step() {
    check_windows("window-causal.json", |model| model);
}

/// The traces of `window.json` come from transformers without an attention mask, which takes every
/// jump of the position ids for the start of another packed sequence: rows behind a jump do not see
/// the prefix. Under that mask the same decoder gives the same steps.
#[test]
fn under_the_packed_mask_of_transformers_the_decoder_reproduces_its_traces_too() {
    check_windows("window.json", Packed::new);
}

/// A model whose rows attend only to rows since the last jump of the position ids.
struct Packed {
    inner: BurnLm,
    rows: Vec<(TokenId, u32)>,
}

impl Packed {
    fn new(inner: BurnLm) -> Self {
        Self {
            inner,
            rows: Vec::new(),
        }
    }
}

impl LanguageModel for Packed {
    fn vocab_len(&self) -> usize {
        self.inner.vocab_len()
    }

    fn context_len(&self) -> usize {
        self.inner.context_len()
    }

    fn cached_len(&self) -> usize {
        self.rows.len()
    }

    fn forward(
        &mut self,
        tokens: &[TokenId],
        positions: &[u32],
        n_logits: usize,
    ) -> Result<Logits, ModelError> {
        self.rows
            .extend(tokens.iter().copied().zip(positions.iter().copied()));
        let mut all = Vec::new();
        for segment in self.rows.chunk_by(|one, next| next.1 == one.1 + 1) {
            let (tokens, positions): (Vec<_>, Vec<_>) = segment.iter().copied().unzip();
            self.inner.truncate(0);
            let logits = self.inner.forward(&tokens, &positions, tokens.len())?;
            all.extend(logits.rows().flatten().copied());
        }
        let first = all.len() - n_logits * self.vocab_len();
        Ok(Logits::new(all.split_off(first), self.vocab_len()))
    }

    fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
    }
}

fn filled(round: &Round) -> Vec<(u32, TokenId)> {
    round
        .slots
        .iter()
        .filter(|slot| slot.outcome == Outcome::Filled)
        .map(|slot| (slot.position, slot.token))
        .collect()
}

fn decisions_differ(got: &Round, expected: &ReferenceStep) -> Difference {
    let entropies: Vec<f64> = got.slots.iter().map(|slot| slot.entropy).collect();
    let adjusted: Vec<f64> = got.slots.iter().map(|slot| slot.adjusted).collect();
    differ("filled", &filled(got), &expected.filled)
        .or_else(|| far("entropies", &entropies, &expected.entropies))
        .or_else(|| far("adjusted", &adjusted, &expected.adjusted))
}

fn window_difference(generation: &Generation, case: &WindowCase) -> Difference {
    let step = |(index, (got, expected)): (usize, (&Round, &ReferenceStep))| {
        differ("positions", &got.positions, &expected.positions)
            .or_else(|| differ("committed", &got.committed, &expected.committed))
            .or_else(|| decisions_differ(got, expected))
            .map(|difference| format!("step {index}: {difference}"))
    };
    let counts = &generation.counts;
    (generation
        .rounds
        .iter()
        .zip(&case.steps)
        .enumerate()
        .find_map(step))
    .or_else(|| differ("output", &generation.ids, &case.output))
    .or_else(|| differ("forwards", &counts.verifier_forwards, &case.counts.forwards))
    .or_else(|| {
        differ(
            "token instances",
            &Some(counts.token_instances),
            &case.counts.token_instances,
        )
    })
}

/// The reference lets the last commit run past the budget; ours ends there.
fn notebook_difference(generation: &Generation, case: &WindowCase, budget: usize) -> Difference {
    let step = |(index, (got, expected)): (usize, (&Round, &ReferenceStep))| {
        let committed =
            expected.committed[..got.committed.len().min(expected.committed.len())].to_vec();
        differ("committed", &got.committed, &committed)
            .or_else(|| decisions_differ(got, expected))
            .map(|difference| format!("step {index}: {difference}"))
    };
    let counts = &generation.counts;
    (generation
        .rounds
        .iter()
        .zip(&case.steps)
        .enumerate()
        .find_map(step))
    .or_else(|| differ("output", &generation.ids, &case.output[..budget].to_vec()))
    .or_else(|| differ("forwards", &counts.verifier_forwards, &case.counts.forwards))
    .or_else(|| {
        differ(
            "forced masks",
            &Some(counts.forced_mask_commits),
            &case.counts.forced_mask_commits,
        )
    })
}
