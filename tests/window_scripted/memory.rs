//! Rules that remember earlier forwards, at work inside the decoder.

use wedlm_bench::config::decoder::WindowVariant;
use wedlm_bench::engine::step::{Generation, Outcome};
use wedlm_bench::engine::window::decode;
use wedlm_bench::model::scripted::ScriptedModel;

use crate::{VOCAB_LEN, request, rule};

/// Every row gives token 4 the probability `p`, and the rest to token 5, whatever came before.
fn constant(p: f64) -> ScriptedModel {
    ScriptedModel::new(VOCAB_LEN, 128, move |_| {
        let mut row = vec![f32::NEG_INFINITY; VOCAB_LEN];
        row[4] = p.ln() as f32;
        row[5] = (1.0 - p).ln() as f32;
        row
    })
}

fn run(p: f64, select: &str) -> Generation {
    let select = serde_json::from_str(select).unwrap();
    let rule = rule(WindowVariant::Engine, 6, select);
    decode(&mut constant(p), &rule, &request(30)).unwrap()
}

fn fills_per_round(generation: &Generation) -> Vec<usize> {
    let is_filled = |slot: &&wedlm_bench::engine::step::Slot| slot.outcome == Outcome::Filled;
    generation
        .rounds
        .iter()
        .map(|round| round.slots.iter().filter(is_filled).count())
        .collect()
}

#[test]
fn klass_fills_together_once_rows_have_stayed_the_same_for_two_forwards() {
    let fills = fills_per_round(&run(0.99, r#"{"kind":"klass"}"#));
    // The first two forwards have no history; in the third, the four masks that were there from the
    // start have been calm twice, the two refilled ones have not.
    assert_eq!(fills[..3], [1, 1, 4]);
    let impatient = fills_per_round(&run(0.99, r#"{"kind":"confidence_threshold"}"#));
    assert_eq!(impatient[0], 6);
}

#[test]
fn credit_lifts_a_first_choice_over_the_threshold() {
    // C = .85^.2 = .968; boost .7·ln 1.968 = .474; .85·1.606 / (.85·1.606 + .15) = .901 ≥ .9.
    let credited = run(0.85, r#"{"kind":"credit"}"#);
    assert_eq!(fills_per_round(&credited)[0], 6);
    let plain = run(0.85, r#"{"kind":"confidence_threshold"}"#);
    assert_eq!(fills_per_round(&plain)[0], 1);
    assert_eq!(credited.ids, plain.ids);
}
