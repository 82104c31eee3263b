//! A stopping rule of each kind, and the models that they are tried on.
#![allow(dead_code)]

use wedlm_bench::engine::speculative::SpeculativeRule;
use wedlm_bench::model::scripted::ScriptedModel;
use wedlm_bench::policy::accept::AcceptRule;
use wedlm_bench::policy::entropy::EntropyRule;
use wedlm_bench::policy::stop::{DraftOrder, StopRule};

pub const VOCAB_LEN: usize = 12;
pub const ORDERS: [DraftOrder; 3] = [DraftOrder::Before, DraftOrder::After, DraftOrder::AfterDrop];

/// One of each kind, with thresholds near the entropies of the models here (0.5 to 2 nats).
pub const STOP_RULES: [&str; 25] = [
    r#"{"kind": "fixed"}"#,
    r#"{"kind": "absolute", "theta_abs": 1.2}"#,
    r#"{"kind": "relative", "theta_rel": 1.2}"#,
    r#"{"kind": "window", "window_size": 2, "theta_window": 1.2}"#,
    r#"{"kind": "adaptive", "theta_base": 0.8, "alpha": 0.2}"#,
    r#"{"kind": "position_dependent", "thetas": [1.6, 1.2, 0.9]}"#,
    r#"{"kind": "combined", "any": [{"kind": "absolute", "theta_abs": 1.6}, {"kind": "relative"}]}"#,
    r#"{"kind": "combined", "all": [{"kind": "absolute", "theta_abs": 0.8}, {"kind": "random"}]}"#,
    r#"{"kind": "random"}"#,
    r#"{"kind": "oracle"}"#,
    r#"{"kind": "svip"}"#,
    r#"{"kind": "adaedl", "lambda": 0.5}"#,
    r#"{"kind": "draft_verify", "theta": 0.5}"#,
    r#"{"kind": "confidence"}"#,
    r#"{"kind": "confidence_roc"}"#,
    r#"{"kind": "p_min", "p_min": 0.5}"#,
    r#"{"kind": "kangaroo"}"#,
    r#"{"kind": "cumulative_probability"}"#,
    r#"{"kind": "margin"}"#,
    r#"{"kind": "hf_heuristic", "start": 3}"#,
    r#"{"kind": "gammatune"}"#,
    r#"{"kind": "sglang_ema"}"#,
    r#"{"kind": "goodput"}"#,
    r#"{"kind": "costaware_hazard"}"#,
    r#"{"kind": "schmitt_gate", "low": 1.0, "high": 1.2}"#,
];

pub fn stop(json: &str) -> StopRule {
    serde_json::from_str(json).unwrap()
}

/// Drafts of 1 to 6 tokens, order `before`, Shannon entropy, greedy acceptance.
pub fn rule(json: &str) -> SpeculativeRule {
    SpeculativeRule {
        stop: stop(json),
        order: DraftOrder::Before,
        min_draft_len: 1,
        max_draft_len: 6,
        entropy: EntropyRule::default(),
        accept: AcceptRule::default(),
    }
}

pub fn verifier() -> ScriptedModel {
    ScriptedModel::history(1, VOCAB_LEN, 6.0)
}

/// Agrees with the verifier on most tokens.
pub fn drafter() -> ScriptedModel {
    ScriptedModel::history(1, VOCAB_LEN, 6.0).perturbed(2, 1.5)
}
