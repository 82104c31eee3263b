//! One form for rules that decide alike.

use serde_json::json;

use super::canonical::text;
use crate::config::decoder::WindowVariant;
use crate::policy::accept::AcceptRule;
use crate::policy::sample::Sampling;
use crate::policy::select::SelectRule;
use crate::policy::stop::{Combination, StopRule};

/// Whether the rule decides by the slots of the current draft alone, so that its place in a list of
/// rules does not matter.
fn is_memoryless(stop: &StopRule) -> bool {
    match stop {
        StopRule::Fixed {}
        | StopRule::Absolute { .. }
        | StopRule::Relative { .. }
        | StopRule::Window { .. }
        | StopRule::Adaptive { .. }
        | StopRule::PositionDependent { .. }
        | StopRule::Svip { .. }
        | StopRule::Confidence { .. }
        | StopRule::PMin { .. }
        | StopRule::Kangaroo { .. }
        | StopRule::CumulativeProbability { .. }
        | StopRule::Margin { .. } => true,
        StopRule::Combined(combination) => combination.rules().iter().all(is_memoryless),
        StopRule::Random(_)
        | StopRule::Oracle {}
        | StopRule::Adaedl(_)
        | StopRule::DraftVerify(_)
        | StopRule::ConfidenceRoc(_)
        | StopRule::HfHeuristic(_)
        | StopRule::Gammatune(_)
        | StopRule::SglangEma(_)
        | StopRule::Goodput(_)
        | StopRule::CostawareHazard(_)
        | StopRule::SchmittGate(_) => false,
    }
}

pub(super) fn normal_stop(stop: &StopRule) -> StopRule {
    let absolute = |theta_abs: f64| StopRule::Absolute { theta_abs };
    match stop {
        // The mean of one entropy is the entropy.
        StopRule::Window {
            window_size: 1,
            theta_window,
        } => absolute(*theta_window),
        StopRule::Adaptive { theta_base, alpha } if *alpha == 0.0 => absolute(*theta_base),
        StopRule::PositionDependent { thetas }
            if thetas.iter().all(|theta| *theta == thetas[0]) =>
        {
            absolute(thetas[0])
        }
        // Both ask for the largest probability; the orders that they are used in are a field apart.
        StopRule::Kangaroo { theta } => StopRule::PMin { p_min: *theta },
        StopRule::Combined(combination) if is_memoryless(stop) => normal_combination(combination),
        StopRule::Fixed {}
        | StopRule::Absolute { .. }
        | StopRule::Relative { .. }
        | StopRule::Window { .. }
        | StopRule::Adaptive { .. }
        | StopRule::PositionDependent { .. }
        | StopRule::Combined(_)
        | StopRule::Random(_)
        | StopRule::Oracle {}
        | StopRule::Svip { .. }
        | StopRule::Adaedl(_)
        | StopRule::DraftVerify(_)
        | StopRule::Confidence { .. }
        | StopRule::ConfidenceRoc(_)
        | StopRule::PMin { .. }
        | StopRule::CumulativeProbability { .. }
        | StopRule::Margin { .. }
        | StopRule::HfHeuristic(_)
        | StopRule::Gammatune(_)
        | StopRule::SglangEma(_)
        | StopRule::Goodput(_)
        | StopRule::CostawareHazard(_)
        | StopRule::SchmittGate(_) => stop.clone(),
    }
}

/// Rules once each and in one order; a rule alone is the combination of it; `fixed` never fires.
fn normal_combination(combination: &Combination) -> StopRule {
    let mut rules: Vec<(String, StopRule)> = combination
        .rules()
        .iter()
        .map(normal_stop)
        .map(|rule| (text(&json!(rule)), rule))
        .collect();
    rules.sort_by(|(a, _), (b, _)| a.cmp(b));
    rules.dedup_by(|(a, _), (b, _)| a == b);
    let mut rules: Vec<StopRule> = rules.into_iter().map(|(_, rule)| rule).collect();
    let is_fixed = |rule: &StopRule| *rule == StopRule::Fixed {};
    match combination {
        Combination::Any(_) => rules.retain(|rule| !is_fixed(rule)),
        Combination::All(_) if rules.iter().any(is_fixed) => return StopRule::Fixed {},
        Combination::All(_) => {}
    }
    match (rules.len(), combination) {
        (0, _) => StopRule::Fixed {},
        (1, _) => rules.remove(0),
        (_, Combination::Any(_)) => StopRule::Combined(Combination::Any(rules)),
        (_, Combination::All(_)) => StopRule::Combined(Combination::All(rules)),
    }
}

/// When greedy, most rules compare a drafted token with the verifier's first choice, as `greedy`.
pub(super) fn normal_accept(accept: AcceptRule, sampling: &Sampling) -> AcceptRule {
    let exact = AcceptRule::Greedy {};
    if sampling.is_greedy() && accept.judge(true) == exact.judge(true) {
        exact
    } else {
        accept
    }
}

/// A threshold that no adjusted entropy is below selects the lowest one, as `greedy` does.
pub(super) fn normal_select(select: &SelectRule) -> SelectRule {
    match select {
        SelectRule::Entropy {
            entropy_threshold,
            pos_penalty,
            cap: _,
        } if *pos_penalty >= 0.0 && entropy_threshold.is_none_or(|threshold| threshold <= 0.0) => {
            SelectRule::Greedy {
                pos_penalty: *pos_penalty,
            }
        }
        SelectRule::Entropy { .. }
        | SelectRule::Greedy { .. }
        | SelectRule::Hybrid { .. }
        | SelectRule::WindowScaled { .. }
        | SelectRule::LeftToRight { .. }
        | SelectRule::ConfidenceThreshold { .. }
        | SelectRule::ConfidenceFactor { .. }
        | SelectRule::Frechet { .. }
        | SelectRule::TopkConfidence { .. }
        | SelectRule::Margin { .. }
        | SelectRule::EntropyBound { .. }
        | SelectRule::EbCumulative { .. }
        | SelectRule::Klass { .. }
        | SelectRule::Slowfast { .. }
        | SelectRule::Credit { .. }
        | SelectRule::Random { .. } => select.clone(),
    }
}

/// A window of one slot is full as soon as that is filled, so a block of one is refilled like a
/// stream.
pub(super) fn normal_variant(variant: WindowVariant, window_size: usize) -> WindowVariant {
    match variant {
        WindowVariant::Block if window_size == 1 => WindowVariant::Engine,
        WindowVariant::Engine
        | WindowVariant::Paper
        | WindowVariant::Block
        | WindowVariant::Notebook => variant,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::stop::SlotView;

    /// Rules that have another form.
    fn merged_rules() -> Vec<StopRule> {
        let absolute = |theta_abs| StopRule::Absolute { theta_abs };
        let window = |window_size| StopRule::Window {
            window_size,
            theta_window: 1.0,
        };
        let relative = StopRule::Relative { theta_rel: 1.5 };
        let any = |rules: &[StopRule]| StopRule::Combined(Combination::Any(rules.to_vec()));
        let all = |rules: &[StopRule]| StopRule::Combined(Combination::All(rules.to_vec()));
        vec![
            window(1),
            StopRule::Adaptive {
                theta_base: 1.5,
                alpha: 0.0,
            },
            StopRule::PositionDependent {
                thetas: vec![0.5; 3],
            },
            StopRule::Kangaroo { theta: 0.6 },
            any(&[absolute(1.0), relative.clone(), window(1)]),
            any(&[StopRule::Fixed {}, relative.clone()]),
            all(&[window(3), StopRule::Fixed {}]),
            all(&[window(3), relative.clone(), window(3)]),
            any(&[all(&[absolute(1.0), window(1)]), all(&[relative])]),
        ]
    }

    proptest! {
        #[test]
        fn a_rule_and_its_form_want_the_same_drafts(
            slots in prop::collection::vec((0.0..3.0_f64, 0.01..1.0_f64), 1..12),
            max_draft_len in 1..12_usize,
        ) {
            let entropies: Vec<f64> = slots.iter().map(|slot| slot.0).collect();
            let probabilities: Vec<f64> = slots.iter().map(|slot| slot.1).collect();
            for rule in merged_rules() {
                let form = normal_stop(&rule);
                prop_assert_ne!(&form, &rule);
                let (mut given, mut normal) = (rule.start(7), form.start(7));
                prop_assert_eq!(given.begin_round(max_draft_len), normal.begin_round(max_draft_len));
                for k in 0..slots.len() {
                    let slot = SlotView {
                        entropies: &entropies[..=k],
                        probabilities: &probabilities[..=k],
                        top1: probabilities[k],
                        top2: probabilities[k] / 2.0,
                        draft_len_if_stopped: k,
                    };
                    prop_assert_eq!(given.fires(slot), normal.fires(slot), "{:?} at {}", rule, k);
                }
            }
        }
    }

    #[test]
    fn a_form_is_its_own_form() {
        for rule in merged_rules() {
            let form = normal_stop(&rule);
            assert_eq!(normal_stop(&form), form);
        }
    }
}
