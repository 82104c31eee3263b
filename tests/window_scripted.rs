//! The window decoder on models without weights: what it feeds, fills, commits and keeps.

#[path = "window_scripted/block.rs"]
mod block;
#[path = "window_scripted/hugging_face.rs"]
mod hugging_face;
#[path = "window_scripted/memory.rs"]
mod memory;
#[path = "window_scripted/properties.rs"]
mod properties;
#[path = "window_scripted/recompute.rs"]
mod recompute;
#[path = "window_scripted/table.rs"]
mod table;
#[path = "window_scripted/trace.rs"]
mod trace;

use wedlm_bench::config::decoder::{Ending, WindowVariant};
use wedlm_bench::engine::session::{EngineError, Request};
use wedlm_bench::engine::step::{Finish, Generation, Outcome};
use wedlm_bench::engine::window::{WindowRule, decode};
use wedlm_bench::model::lm::{LanguageModel, ModelError, TokenId};
use wedlm_bench::model::scripted::ScriptedModel;
use wedlm_bench::policy::entropy::EntropyRule;
use wedlm_bench::policy::sample::Sampling;
use wedlm_bench::policy::select::SelectRule;

const VARIANTS: [WindowVariant; 4] = [
    WindowVariant::Engine,
    WindowVariant::Paper,
    WindowVariant::Block,
    WindowVariant::Notebook,
];
/// Those that feed filled slots before masks and commit no mask.
const REORDERED: [WindowVariant; 3] = [
    WindowVariant::Engine,
    WindowVariant::Paper,
    WindowVariant::Block,
];
const VOCAB_LEN: usize = 12;
const MASK: TokenId = 11;
const PROMPT: [TokenId; 3] = [1, 2, 3];

fn rule(variant: WindowVariant, window_size: usize, select: SelectRule) -> WindowRule {
    WindowRule {
        variant,
        window_size,
        ending: Ending::Cache,
        select,
        entropy: EntropyRule::default(),
    }
}

fn entropy(entropy_threshold: Option<f64>, pos_penalty: f64) -> SelectRule {
    SelectRule::Entropy {
        entropy_threshold,
        pos_penalty,
        cap: None,
    }
}

fn request(max_new_tokens: usize) -> Request<'static> {
    Request {
        prompt: &PROMPT,
        max_new_tokens,
        stop_ids: &[],
        mask_id: Some(MASK),
        ..Request::default()
    }
}

/// Entropies spread around 1.5 nats, with the mask token among the candidates.
fn model(seed: u64) -> ScriptedModel {
    ScriptedModel::history(seed, VOCAB_LEN, 8.0)
}

/// As [`model`], but the mask token has probability 0.
fn model_without_mask(seed: u64) -> ScriptedModel {
    ScriptedModel::new(VOCAB_LEN, 4096, move |rows| {
        let (tokens, positions): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
        let mut row = model(seed)
            .forward(&tokens, &positions, 1)
            .unwrap()
            .last()
            .to_vec();
        row[MASK as usize] = f32::NEG_INFINITY;
        row
    })
}

fn filled_positions(generation: &Generation) -> Vec<u32> {
    generation
        .rounds
        .iter()
        .flat_map(|round| &round.slots)
        .filter(|slot| slot.outcome == Outcome::Filled)
        .map(|slot| slot.position)
        .collect()
}

#[test]
fn the_mask_token_is_never_written_even_when_it_is_always_the_first_choice() {
    let always_mask = || {
        ScriptedModel::new(VOCAB_LEN, 64, |_| {
            let mut row = vec![0.0; VOCAB_LEN];
            row[MASK as usize] = 9.0;
            row[4] = 3.0;
            row
        })
    };
    for variant in REORDERED {
        let rule = rule(variant, 4, entropy(Some(0.4), 0.02));
        let generation = decode(&mut always_mask(), &rule, &request(6)).unwrap();
        assert_eq!(generation.ids, [4; 6]);
        assert_eq!(generation.counts.forced_mask_commits, 0);
    }
    // The notebook has no such guard: drawn masks are text there, and none of them was forced.
    let rule = rule(WindowVariant::Notebook, 4, entropy(Some(0.4), 0.02));
    let generation = decode(&mut always_mask(), &rule, &request(6)).unwrap();
    assert_eq!(generation.ids, [MASK; 6]);
    assert_eq!(generation.counts.forced_mask_commits, 0);
}

#[test]
fn without_a_threshold_or_with_zero_every_forward_that_meets_masks_fills_exactly_one() {
    for threshold in [None, Some(0.0)] {
        for variant in REORDERED {
            let rule = rule(variant, 5, entropy(threshold, 0.02));
            let generation = decode(&mut model(3), &rule, &request(20)).unwrap();
            for round in &generation.rounds {
                let n_filled = round
                    .slots
                    .iter()
                    .filter(|slot| slot.outcome == Outcome::Filled)
                    .count();
                assert_eq!(n_filled, round.slots.len().min(1));
            }
            let counts = generation.counts;
            match variant {
                // There are always masks; only the last forward merely commits.
                WindowVariant::Engine | WindowVariant::Block => {
                    assert_eq!(counts.filled, counts.verifier_forwards - 1);
                }
                WindowVariant::Paper | WindowVariant::Notebook => {}
            }
        }
    }
}

#[test]
fn a_penalty_above_the_largest_entropy_fills_strictly_left_to_right_in_n_plus_one_forwards() {
    // H ≤ ln 12 = 2.48 < 2.5.
    for variant in REORDERED {
        let rule = rule(variant, 6, entropy(None, 2.5));
        let generation = decode(&mut model(5), &rule, &request(17)).unwrap();
        let expected: Vec<u32> = (3..3 + 17).collect();
        assert_eq!(filled_positions(&generation), expected);
        assert_eq!(generation.counts.verifier_forwards, 17 + 1);
    }
}

#[test]
fn a_window_of_one_slot_feeds_the_last_token_and_one_mask() {
    let rule = rule(WindowVariant::Engine, 1, SelectRule::default());
    let generation = decode(&mut model(1), &rule, &request(7)).unwrap();
    let fed: Vec<usize> = generation
        .rounds
        .iter()
        .map(|round| round.positions.len())
        .collect();
    assert_eq!(fed, [1, 2, 2, 2, 2, 2, 2, 2]);
    assert_eq!(generation.ids.len(), 7);
}

#[test]
fn the_budget_is_met_exactly_whatever_the_window() {
    for variant in VARIANTS {
        for (window_size, budget) in [(4, 1), (4, 7), (8, 8), (8, 9), (16, 3), (1, 5)] {
            let rule = rule(variant, window_size, entropy(Some(2.0), 0.02));
            let generation = decode(&mut model(2), &rule, &request(budget)).unwrap();
            assert_eq!(generation.ids.len(), budget);
            assert_eq!(generation.finished_by, Finish::Budget);
        }
    }
}

#[test]
fn a_budget_of_nothing_costs_nothing() {
    let generation = decode(
        &mut model(2),
        &rule(WindowVariant::Engine, 4, SelectRule::default()),
        &request(0),
    )
    .unwrap();
    assert!(generation.ids.is_empty() && generation.rounds.is_empty());
}

#[test]
fn windows_have_their_full_length_again_after_each_commit() {
    let select = || entropy(Some(1.5), 0.02);
    let engine = rule(WindowVariant::Engine, 6, select());
    let generation = decode(&mut model(4), &engine, &request(40)).unwrap();
    assert!(
        generation
            .rounds
            .iter()
            .any(|round| round.committed.len() > 1)
    );
    for round in &generation.rounds[..generation.rounds.len() - 1] {
        assert_eq!(round.positions.len(), 6 + round.committed.len());
    }
    let paper = rule(WindowVariant::Paper, 6, select());
    let generation = decode(&mut model(4), &paper, &request(40)).unwrap();
    assert!(
        generation
            .rounds
            .iter()
            .all(|round| round.positions.len() == 6)
    );
}

#[test]
fn only_committed_rows_stay_in_the_cache() {
    for variant in REORDERED {
        let mut model = model(6);
        let rule = rule(variant, 5, entropy(Some(1.5), 0.02));
        let generation = decode(&mut model, &rule, &request(13)).unwrap();
        let text: Vec<(TokenId, u32)> = PROMPT
            .iter()
            .chain(&generation.ids)
            .copied()
            .zip(0..)
            .collect();
        assert_eq!(model.cached_rows(), text);
    }
}

#[test]
fn the_forced_masks_of_the_notebook_are_counted() {
    let rule = rule(WindowVariant::Notebook, 6, entropy(Some(1.0), 0.0));
    // The model cannot draw the mask, so every mask in the text is forced.
    let generation = decode(&mut model_without_mask(8), &rule, &request(30)).unwrap();
    let n_masks = generation.ids.iter().filter(|&&id| id == MASK).count();
    assert!(n_masks > 0);
    assert_eq!(generation.counts.forced_mask_commits, n_masks as u64);
}

#[test]
fn the_hybrid_rule_compares_every_committed_token_with_the_autoregressive_choice() {
    let hybrid: SelectRule = serde_json::from_str(r#"{"kind":"hybrid"}"#).unwrap();
    // Logits that depend on the position alone, shifted by one between masks and text: the row of
    // the mask at q and the row of the token at q − 1 both prefer q mod 10.
    let agreeing = |rows: &[(TokenId, u32)]| {
        let &(token, position) = rows.last().unwrap();
        let next = if token == MASK {
            position
        } else {
            position + 1
        };
        let mut row = vec![0.0; VOCAB_LEN];
        row[(next % 10) as usize] = 6.0;
        row
    };
    for variant in REORDERED {
        let mut model = ScriptedModel::new(VOCAB_LEN, 128, agreeing);
        let generation = decode(&mut model, &rule(variant, 4, hybrid.clone()), &request(20));
        let counts = generation.unwrap().counts;
        assert_eq!((counts.tested, counts.accepted), (20, 20));
    }
    let other = rule(WindowVariant::Engine, 4, SelectRule::default());
    assert_eq!(
        decode(&mut model(1), &other, &request(20))
            .unwrap()
            .counts
            .tested,
        0
    );
}

#[test]
fn a_request_that_cannot_be_served_is_refused_with_the_reason() {
    let rule_of = |window_size| rule(WindowVariant::Engine, window_size, SelectRule::default());
    let refusal = |rule: &WindowRule, request: &Request<'_>, context_len: usize| {
        let mut model = model(1).with_context_len(context_len);
        decode(&mut model, rule, request).unwrap_err()
    };
    let good = request(10);
    let no_mask = Request {
        mask_id: None,
        ..good
    };
    let no_prompt = Request {
        prompt: &[],
        ..good
    };
    assert!(matches!(
        refusal(&rule_of(4), &no_mask, 99),
        EngineError::MissingMask
    ));
    assert!(matches!(
        refusal(&rule_of(4), &no_prompt, 99),
        EngineError::EmptyPrompt
    ));
    assert_eq!(
        refusal(&rule_of(0), &good, 99).to_string(),
        "window_size is 0: it must be at least 1"
    );
    // 3 prompt tokens, 9 committed before the last forward, 2 windows of 4.
    assert!(matches!(
        refusal(&rule_of(4), &good, 19),
        EngineError::PromptTooLong {
            role: "window",
            needed: 20,
            context_len: 19,
            ..
        }
    ));
}

#[test]
fn a_row_that_is_no_distribution_is_an_error_and_not_a_token() {
    for variant in VARIANTS {
        let mut model = ScriptedModel::new(VOCAB_LEN, 64, |_| vec![f32::NAN; VOCAB_LEN]);
        let rule = rule(variant, 4, SelectRule::default());
        let error = decode(&mut model, &rule, &request(5)).unwrap_err();
        assert!(matches!(
            error,
            EngineError::Model(ModelError::NotANumber { .. })
        ));
    }
}

#[test]
fn sampling_depends_on_the_seed_and_on_nothing_else() {
    for variant in VARIANTS {
        let rule = rule(variant, 5, entropy(Some(1.5), 0.02));
        let with_seed = |seed| {
            let request = Request {
                seed,
                sampling: Sampling {
                    temperature: 1.0,
                    ..Sampling::default()
                },
                ..request(24)
            };
            decode(&mut model(9), &rule, &request).unwrap().ids
        };
        assert_eq!(with_seed(1), with_seed(1));
        assert_ne!(with_seed(1), with_seed(2));
    }
}

#[test]
fn the_choice_of_positions_by_lot_has_its_own_seed() {
    let with_seed = |seed| {
        let rule = rule(WindowVariant::Engine, 8, SelectRule::Random { k: 2, seed });
        filled_positions(&decode(&mut model(9), &rule, &request(24)).unwrap())
    };
    assert_eq!(with_seed(1), with_seed(1));
    assert_ne!(with_seed(1), with_seed(2));
}

#[test]
fn every_rule_that_yaml_can_name_is_documented() {
    let documentation = include_str!("../docs/selection-rules.md");
    // serde lists the known kinds when it meets an unknown one.
    let error = serde_json::from_str::<SelectRule>(r#"{"kind":"?"}"#).unwrap_err();
    let message = error.to_string();
    let kinds: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
    assert_eq!(kinds.len(), 16, "{message}");
    for kind in kinds {
        assert!(documentation.contains(&format!("\n| `{kind}` |")), "{kind}");
    }
}
