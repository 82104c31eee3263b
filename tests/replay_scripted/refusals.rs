//! What a trace does not determine is refused, with the reason.

use wedlm_bench::engine::session::EngineError;
use wedlm_bench::engine::speculative::SpeculativeRule;
use wedlm_bench::policy::entropy::EntropyRule;
use wedlm_bench::trace::replay::{Replay, ReplayRefusal};

use super::rules::rule;
use super::{prompt, requests, trace_of};

/// Why the rule cannot be replayed on a short trace at this temperature.
fn refusal(rule: &SpeculativeRule, temperature: f64) -> ReplayRefusal {
    let prompts = [prompt(3)];
    let trace = trace_of(&requests(&prompts, &[], temperature, 0));
    Replay::new(&trace, rule).unwrap_err()
}

#[test]
fn what_depends_on_the_draft_is_refused() {
    let with = |accept: &str| SpeculativeRule {
        accept: serde_json::from_str(accept).unwrap(),
        ..rule(r#"{"kind": "fixed"}"#)
    };
    for accept in [
        r#"{"kind": "typical"}"#,
        r#"{"kind": "entropy_aligned"}"#,
        r#"{"kind": "backtrack"}"#,
        r#"{"kind": "relaxed", "top_n": 2}"#,
    ] {
        for temperature in [0.0, 0.8] {
            let refusal = refusal(&with(accept), temperature);
            assert!(
                matches!(refusal, ReplayRefusal::NotTheVerifiersChoice { .. }),
                "{accept}: {refusal}"
            );
        }
    }
    let lenient = with(r#"{"kind": "lenient", "lenience": 0.5}"#);
    let message = refusal(&lenient, 0.0).to_string();
    assert!(message.contains("'lenient' judges tokens by their probability"));
    for accept in [
        r#"{"kind": "rejection"}"#,
        r#"{"kind": "block"}"#,
        r#"{"kind": "threshold"}"#,
        r#"{"kind": "lenient", "lenience": 0.5}"#,
    ] {
        let refusal = refusal(&with(accept), 0.8);
        assert!(
            matches!(
                refusal,
                ReplayRefusal::TextDependsOnDraft {
                    temperature: 0.8,
                    ..
                }
            ),
            "{accept}: {refusal}"
        );
    }
}

#[test]
fn what_the_trace_does_not_hold_is_refused_by_name() {
    let fixed = rule(r#"{"kind": "fixed"}"#);
    let other_entropy = SpeculativeRule {
        entropy: EntropyRule::Topk {
            k: 5,
            renormalize: true,
            temperature: 1.0,
        },
        ..fixed.clone()
    };
    assert_eq!(
        refusal(&other_entropy, 0.0).to_string(),
        "the trace has no entropy 'topk_5', only shannon, renyi_2, renyi_0_5_t0_7, tsallis_2, topk_4, \
         topk_2_raw, min, varentropy"
    );
    let longer = SpeculativeRule {
        max_draft_len: 9,
        ..fixed
    };
    let refusal = refusal(&longer, 0.0);
    assert_eq!(
        refusal.to_string(),
        "max_draft_len is 9, the trace goes up to 8"
    );
}

#[test]
fn what_no_decoder_runs_is_refused_as_a_live_run_refuses_it() {
    let upside_down = SpeculativeRule {
        min_draft_len: 7,
        ..rule(r#"{"kind": "fixed"}"#)
    };
    assert!(matches!(
        refusal(&upside_down, 0.0),
        ReplayRefusal::Invalid(EngineError::DraftLenBounds { .. })
    ));
    assert!(matches!(
        refusal(&rule(r#"{"kind": "fixed"}"#), 0.8),
        ReplayRefusal::Invalid(EngineError::GreedyAcceptance { .. })
    ));
    let out_of_range = rule(r#"{"kind": "window", "window_size": 0}"#);
    assert!(matches!(
        refusal(&out_of_range, 0.0),
        ReplayRefusal::Invalid(EngineError::Parameter(_))
    ));
}
