use std::collections::BTreeSet;

use super::*;
use crate::config::decoder::DecoderSpec;
use crate::engine::session::{Detail, Models, Request, decode};
use crate::model::lm::LanguageModel;
use crate::model::scripted::ScriptedModel;

const VOCAB_LEN: usize = 12;
const MASK: TokenId = 11;

fn slot(position: u32, token: TokenId, outcome: Outcome) -> Slot {
    Slot {
        position,
        token,
        entropy: 0.5,
        adjusted: 0.75,
        top1: 0.875,
        margin: 0.25,
        overlap: None,
        outcome,
    }
}

fn spelt(rounds: Vec<Round>) -> Vec<String> {
    let generation = Generation {
        rounds,
        ..Generation::default()
    };
    let text = lines(&generation, |token| format!("<{token}>"));
    assert!(text.ends_with('\n'));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_mask_has_a_line_in_every_step_and_a_filled_one_the_step_that_commits_it() {
    let rounds = vec![
        Round {
            context_len: 3,
            positions: vec![3, 4],
            slots: vec![slot(3, 7, Outcome::Unfilled), slot(4, 8, Outcome::Filled)],
            ..Round::default()
        },
        Round {
            context_len: 3,
            positions: vec![4, 3],
            slots: vec![slot(3, 6, Outcome::Filled)],
            ..Round::default()
        },
        // The budget ends the text before position 4.
        Round {
            context_len: 3,
            positions: vec![3, 4],
            committed: vec![6],
            ..Round::default()
        },
    ];
    let statistics = r#""entropy":0.5,"adjusted":0.75,"top1":0.875,"margin":0.25"#;
    assert_eq!(
        spelt(rounds),
        [
            format!(
                r#"{{"step":0,"position":3,"token":7,"text":"<7>",{statistics},"outcome":"unfilled","committed_step":null}}"#
            ),
            format!(
                r#"{{"step":0,"position":4,"token":8,"text":"<8>",{statistics},"outcome":"filled","committed_step":null}}"#
            ),
            format!(
                r#"{{"step":1,"position":3,"token":6,"text":"<6>",{statistics},"outcome":"filled","committed_step":2}}"#
            ),
        ]
    );
}

#[test]
fn a_mask_that_the_notebook_commits_is_forced_and_stands_as_the_token_in_the_text() {
    let rounds = vec![Round {
        context_len: 3,
        positions: vec![2, 3, 4],
        committed: vec![MASK],
        slots: vec![slot(3, 7, Outcome::Unfilled), slot(4, 8, Outcome::Unfilled)],
        ..Round::default()
    }];
    let lines: Vec<Value> = spelt(rounds)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["outcome"], "forced");
    assert_eq!(lines[0]["token"], MASK);
    assert_eq!(lines[0]["committed_step"], 0);
    assert_eq!(lines[1]["outcome"], "unfilled");
}

#[test]
fn a_draft_has_a_line_per_slot_and_one_for_the_token_of_the_verifier() {
    let rounds = vec![Round {
        context_len: 5,
        draft: vec![1, 2],
        tested: 2,
        accepted: 1,
        committed: vec![1, 9],
        slots: vec![
            slot(5, 1, Outcome::Accepted),
            slot(6, 2, Outcome::Rejected),
            slot(7, 3, Outcome::NotDrafted),
        ],
        ..Round::default()
    }];
    let drafted = |slot: usize, position: u32, token: TokenId, outcome: &str| {
        format!(
            r#"{{"round":0,"slot":{slot},"position":{position},"token":{token},"text":"<{token}>","entropy":0.5,"adjusted":0.75,"top1":0.875,"margin":0.25,"overlap":null,"outcome":"{outcome}"}}"#
        )
    };
    assert_eq!(
        spelt(rounds),
        [
            drafted(0, 5, 1, "accepted"),
            drafted(1, 6, 2, "rejected"),
            drafted(2, 7, 3, "refused"),
            r#"{"round":0,"slot":1,"position":6,"token":9,"text":"<9>","outcome":"verifier"}"#
                .to_owned(),
        ]
    );
}

fn generate(decoder: &str, stop_ids: &[TokenId]) -> Generation {
    let spec: DecoderSpec = serde_json::from_str(decoder).unwrap();
    let [mut verifier, mut drafter, mut window] =
        [0.0, 1.0, 1.0].map(|noise| ScriptedModel::history(1, VOCAB_LEN, 6.0).perturbed(2, noise));
    let mut models = Models {
        verifier: Some(&mut verifier as &mut dyn LanguageModel),
        drafter: Some(&mut drafter as &mut dyn LanguageModel),
        window: Some(&mut window as &mut dyn LanguageModel),
    };
    let request = Request {
        prompt: &[1, 2, 3],
        max_new_tokens: 40,
        stop_ids,
        mask_id: Some(MASK),
        record: Detail {
            overlap: true,
            ..Detail::default()
        },
        ..Request::default()
    };
    decode(&spec, &mut models, &request).unwrap()
}

#[test]
fn the_committed_lines_of_every_decoder_spell_its_text_and_the_others_add_up() {
    let decoders = [
        r#"{"kind": "autoregressive"}"#,
        r#"{"kind": "speculative", "stop": {"kind": "fixed"}, "max_draft_len": 5}"#,
        r#"{"kind": "speculative", "stop": {"kind": "absolute"}, "order": "before"}"#,
        r#"{"kind": "speculative", "stop": {"kind": "absolute"}, "order": "after_drop"}"#,
        r#"{"kind": "speculative", "stop": {"kind": "oracle"}}"#,
        r#"{"kind": "window_draft", "select": {"kind": "left_to_right", "k": 4}}"#,
        r#"{"kind": "window", "select": {"kind": "entropy", "entropy_threshold": 1}}"#,
        r#"{"kind": "window", "variant": "paper"}"#,
        r#"{"kind": "window", "variant": "block", "window_size": 6}"#,
        r#"{"kind": "window", "variant": "notebook"}"#,
    ];
    let (mut fields, mut outcomes) = (BTreeSet::new(), BTreeSet::new());
    for (decoder, stop_ids) in decoders.iter().flat_map(|d| [(d, vec![]), (d, vec![5])]) {
        let generation = generate(decoder, &stop_ids);
        let text = lines(&generation, |token| token.to_string());
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for line in &lines {
            fields.extend(line.as_object().unwrap().keys().cloned());
            outcomes.insert(line["outcome"].as_str().unwrap().to_owned());
        }
        let n_of = |outcome: &str| lines.iter().filter(|l| l["outcome"] == outcome).count();

        let mut committed: Vec<(u64, u64)> = lines
            .iter()
            .filter(|line| {
                line["outcome"] == "accepted"
                    || line["outcome"] == "verifier"
                    || line["committed_step"].is_u64()
            })
            .map(|line| {
                assert_eq!(line["text"], line["token"].to_string());
                (
                    line["position"].as_u64().unwrap(),
                    line["token"].as_u64().unwrap(),
                )
            })
            .collect();
        committed.sort_unstable();
        let ids = generation.ids.iter().map(|&id| u64::from(id));
        let expected: Vec<(u64, u64)> = (3..).zip(ids).collect();
        assert_eq!(committed, expected, "{decoder}");

        let counts = generation.counts;
        let n_drafted = n_of("accepted") + n_of("rejected") + n_of("untested");
        assert_eq!(n_drafted as u64, counts.drafted, "{decoder}");
        assert_eq!(n_of("filled") as u64, counts.filled, "{decoder}");
        assert_eq!(
            n_of("forced") as u64,
            counts.forced_mask_commits,
            "{decoder}"
        );
        let n_slots: usize = generation.rounds.iter().map(|r| r.slots.len()).sum();
        assert_eq!(lines.len(), n_slots + n_of("verifier"), "{decoder}");
    }
    // Every outcome, and the two that only a trace knows.
    assert_eq!(outcomes.len(), 6 + 2, "{outcomes:?}");
    let documentation = include_str!("../../../../docs/decode-trace.md");
    for name in fields.iter().chain(&outcomes) {
        assert!(documentation.contains(&format!("\n| `{name}` |")), "{name}");
    }
}
