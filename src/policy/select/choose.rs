//! The rules themselves: scores in, indices out.

use super::slow_fast::SlowFast;
use super::{MaskView, SelectRule, SelectState};

/// The share of a window that the window-scaled rule fills at most, and its shrinkage per slot;
/// both from the published sketch of the rule.
const WINDOW_SCALED_DIVISOR: usize = 4;
const WINDOW_SCALED_SHRINK: f64 = 0.01;

/// Indices into `masks`, ascending, never empty, of the masks to fill.
///
/// `masks` stand in window order. `uniforms` holds one number of [0, 1) per mask for the random
/// rule and is not read by the others. Ties go to the lower index.
///
/// # Panics
/// When `masks` is empty, or the random rule gets another number of uniforms.
pub fn select(
    rule: &SelectRule,
    state: &mut SelectState,
    masks: &[MaskView],
    uniforms: &[f64],
) -> Vec<usize> {
    assert!(!masks.is_empty(), "there is no mask to select");
    let penalty = rule.pos_penalty();
    let entropy = || adjusted(masks, penalty);
    let confidence = || penalised(masks, penalty, |mask| mask.confidence);
    let picked = match rule {
        SelectRule::Entropy {
            entropy_threshold: Some(threshold),
            cap,
            ..
        } => leftmost(below(&entropy(), *threshold), *cap),
        SelectRule::Entropy {
            entropy_threshold: None,
            ..
        }
        | SelectRule::Greedy { .. } => vec![argmin(&entropy())],
        SelectRule::LeftToRight { k } => (0..masks.len().min(*k)).collect(),
        SelectRule::Hybrid {
            base,
            step,
            target,
            min,
            max,
            cap,
            ..
        } => {
            let threshold = match state.recent_acceptance {
                None => *base,
                Some(acceptance) if acceptance > *target => base + step,
                Some(_) => base - step,
            };
            leftmost(below(&entropy(), threshold.max(*min).min(*max)), *cap)
        }
        SelectRule::WindowScaled {
            entropy_threshold, ..
        } => {
            let shrink = 1.0 - WINDOW_SCALED_SHRINK * state.window_size as f64;
            leftmost(
                below(&entropy(), entropy_threshold * shrink),
                Some(state.window_size / WINDOW_SCALED_DIVISOR),
            )
        }
        SelectRule::ConfidenceThreshold { theta, cap, .. }
        | SelectRule::Credit { theta, cap, .. } => leftmost(surest(&confidence(), *theta), *cap),
        SelectRule::ConfidenceFactor { factor, cap, .. } => {
            leftmost(factor_run(&confidence(), *factor), *cap)
        }
        SelectRule::Frechet { m, cap, .. } => leftmost(frechet_run(&confidence(), *m), *cap),
        SelectRule::TopkConfidence { k, steps, .. } => {
            let quota = match steps {
                Some(steps) => step_quota(state.window_size, *steps, state.n_selections),
                None => k.unwrap_or(1),
            };
            run(descending(&confidence()), quota)
        }
        SelectRule::Margin { theta, cap, .. } => {
            let margin = penalised(masks, penalty, |mask| mask.top1 - mask.top2);
            leftmost(surest(&margin, *theta), *cap)
        }
        SelectRule::EntropyBound { gamma, cap, .. } => {
            leftmost(entropy_bound_run(&entropy(), *gamma), *cap)
        }
        SelectRule::EbCumulative { threshold, cap, .. } => {
            leftmost(cumulative_run(&entropy(), *threshold), *cap)
        }
        SelectRule::Klass {
            theta,
            epsilon,
            history,
            cap,
            ..
        } => {
            state.observe_divergences(masks, *epsilon);
            let confidence = confidence();
            let ready: Vec<usize> = at_least(&confidence, *theta)
                .into_iter()
                .filter(|&index| state.calm[masks[index].slot] >= *history)
                .collect();
            leftmost(or_best(ready, argmax(&confidence)), *cap)
        }
        SelectRule::Slowfast {
            exploration_steps,
            far_theta,
            stable_window,
            stable_std,
            theta,
            cap,
        } => {
            let rule = SlowFast {
                exploration_steps: *exploration_steps,
                far_theta: *far_theta,
                stable_window: *stable_window,
                stable_std: *stable_std,
                theta: *theta,
            };
            let (picked, phase) = rule.choose(&state.phase, state.origin, masks);
            state.phase = phase;
            leftmost(picked, *cap)
        }
        SelectRule::Random { k, .. } => {
            assert_eq!(uniforms.len(), masks.len(), "one uniform per mask");
            run(descending(uniforms), *k)
        }
    };
    state.n_selections += 1;
    picked
}

/// `H + λ·d`: entropy plus the penalty for the distance to the first remaining mask.
pub(super) fn adjusted(masks: &[MaskView], penalty: f64) -> Vec<f64> {
    masks
        .iter()
        .map(|mask| mask.entropy + penalty * (mask.slot - masks[0].slot) as f64)
        .collect()
}

/// `score − λ·d`, for scores of which more is better.
fn penalised(masks: &[MaskView], penalty: f64, score: impl Fn(&MaskView) -> f64) -> Vec<f64> {
    masks
        .iter()
        .map(|mask| score(mask) - penalty * (mask.slot - masks[0].slot) as f64)
        .collect()
}

/// First index of the smallest score.
fn argmin(scores: &[f64]) -> usize {
    (1..scores.len()).fold(0, |best, index| {
        if scores[index] < scores[best] {
            index
        } else {
            best
        }
    })
}

/// First index of the largest score.
pub(super) fn argmax(scores: &[f64]) -> usize {
    (1..scores.len()).fold(0, |best, index| {
        if scores[index] > scores[best] {
            index
        } else {
            best
        }
    })
}

/// All indices with a score of at least `bound`.
pub(super) fn at_least(scores: &[f64], bound: f64) -> Vec<usize> {
    (0..scores.len())
        .filter(|&index| scores[index] >= bound)
        .collect()
}

/// All indices with a score strictly below `threshold`, else the smallest.
fn below(scores: &[f64], threshold: f64) -> Vec<usize> {
    let chosen = (0..scores.len())
        .filter(|&index| scores[index] < threshold)
        .collect();
    or_best(chosen, argmin(scores))
}

/// All indices with a score of at least `theta`, else the largest.
fn surest(scores: &[f64], theta: f64) -> Vec<usize> {
    or_best(at_least(scores, theta), argmax(scores))
}

fn or_best(chosen: Vec<usize>, best: usize) -> Vec<usize> {
    if chosen.is_empty() {
        vec![best]
    } else {
        chosen
    }
}

fn leftmost(mut picked: Vec<usize>, cap: Option<usize>) -> Vec<usize> {
    if let Some(cap) = cap {
        picked.truncate(cap.max(1));
    }
    picked
}

fn descending(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order
}

fn ascending(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    order
}

/// The first `n` (at least one) of an order, back in window order.
fn run(mut order: Vec<usize>, n: usize) -> Vec<usize> {
    order.truncate(n.max(1));
    order.sort_unstable();
    order
}

fn factor_run(confidence: &[f64], factor: f64) -> Vec<usize> {
    let order = descending(confidence);
    let n = order
        .iter()
        .zip(1usize..)
        .take_while(|&(&index, n)| (n + 1) as f64 * (1.0 - confidence[index]) <= factor)
        .count();
    run(order, n)
}

fn frechet_run(confidence: &[f64], m: f64) -> Vec<usize> {
    let order = descending(confidence);
    let mut sum = 0.0;
    let n = order
        .iter()
        .zip(0usize..)
        .take_while(|&(&index, n_before)| {
            sum += confidence[index];
            let joint = sum - n_before as f64;
            joint - (1.0 - confidence[index]) > m
        })
        .count();
    run(order, n)
}

fn entropy_bound_run(entropy: &[f64], gamma: f64) -> Vec<usize> {
    let order = ascending(entropy);
    let mut sum_before = 0.0;
    let n = order
        .iter()
        .take_while(|&&index| {
            let fits = sum_before <= gamma;
            sum_before += entropy[index];
            fits
        })
        .count();
    run(order, n)
}

fn cumulative_run(entropy: &[f64], threshold: f64) -> Vec<usize> {
    let order = ascending(entropy);
    let mut sum = 0.0;
    let n = order
        .iter()
        .take_while(|&&index| {
            sum += entropy[index];
            sum < threshold
        })
        .count();
    run(order, n)
}

/// Masks due in selection number `n_selections` when a window is spread over `steps` forwards.
fn step_quota(window_size: usize, steps: usize, n_selections: usize) -> usize {
    let has_one_more = n_selections % steps < window_size % steps;
    window_size / steps + usize::from(has_one_more)
}

#[cfg(test)]
mod tests;
