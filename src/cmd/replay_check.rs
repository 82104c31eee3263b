//! Replay against live: do the rounds agree?

use std::collections::HashMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::cmd::rows::stop_name;
use crate::engine::speculative::SpeculativeRule;
use crate::engine::step::Generation;
use crate::plan::Trial;
use crate::record::journal::Entry;
use crate::record::manifest::ReplayCounts;
use crate::trace::Trace;
use crate::trace::replay::{Replay, ReplayRefusal};

/// A lead of the verifier's token below this many logits is a tie: rounding may turn it.
const TIE: f64 = 1e-3;

/// Which of the trials, given by speedup and acceptance, run live as well: up to half of `n` from the
/// frontier (no other trial has both larger), the fastest and others evenly along it. The rest is drawn
/// evenly over the ranks by speed, from a random start, so that every other trial is as likely as the next
/// and slow ones are among them. Ascending.
pub fn chosen(glances: &[(f64, f64)], n: usize, seed: u64) -> Vec<usize> {
    let mut by_speed: Vec<usize> = (0..glances.len()).collect();
    by_speed.sort_by(|&a, &b| glances[b].0.total_cmp(&glances[a].0).then(a.cmp(&b)));
    let mut best_acceptance = f64::NEG_INFINITY;
    let frontier: Vec<usize> = by_speed
        .iter()
        .copied()
        .filter(|&index| {
            let is_on_frontier = glances[index].1 > best_acceptance;
            best_acceptance = best_acceptance.max(glances[index].1);
            is_on_frontier
        })
        .collect();
    let n_frontier = n.div_ceil(2).min(frontier.len());
    let mut chosen: Vec<usize> = (0..n_frontier)
        .map(|place| frontier[place * (frontier.len() - 1) / (n_frontier - 1).max(1)])
        .collect();
    let rest: Vec<usize> = by_speed
        .into_iter()
        .filter(|index| !chosen.contains(index))
        .collect();
    let n_rest = n.saturating_sub(chosen.len()).min(rest.len());
    let start = ChaCha8Rng::seed_from_u64(seed).random_range(0..rest.len().max(1));
    let places = (0..n_rest).map(|one| (start + one * rest.len() / n_rest) % rest.len());
    chosen.extend(places.map(|place| rest[place]));
    chosen.sort_unstable();
    chosen
}

/// Compares the rounds of trials that ran live with their replay.
///
/// # Errors
/// When the trace does not determine one of the rules.
pub fn compare(
    trace: &Trace,
    checked: &[(Trial, SpeculativeRule)],
    entries: &[Entry],
    n_replayed: usize,
) -> Result<ReplayCounts, ReplayRefusal> {
    let mut live: HashMap<(&str, usize), &Entry> = HashMap::new();
    for entry in entries.iter().filter(|entry| entry.generation.repeat == 0) {
        let row = &entry.generation;
        live.insert((row.trial_id.as_str(), row.prompt), entry);
    }
    let mut check = ReplayCounts {
        n_replayed,
        ..ReplayCounts::default()
    };
    for (trial, rule) in checked {
        let generations = Replay::new(trace, rule)?.generations();
        for (index, replayed) in generations.iter().enumerate() {
            let prompt = trace.prompts()[index].id;
            let Some(live) = live.get(&(trial.id.as_str(), prompt)) else {
                continue;
            };
            check.n_generations += 1;
            check.n_rounds += live.rounds.len();
            if !agree(live, replayed) {
                check.n_different += 1;
                check.n_near_ties += usize::from(trace.has_near_tie(index, TIE));
            }
        }
    }
    Ok(check)
}

fn agree(live: &Entry, replayed: &Generation) -> bool {
    live.rounds.len() == replayed.rounds.len()
        && live
            .rounds
            .iter()
            .zip(&replayed.rounds)
            .all(|(live, replayed)| {
                live.context_len == replayed.context_len
                    && live.draft_len == replayed.draft.len()
                    && live.accepted == replayed.accepted
                    && live.tested == replayed.tested
                    && live.committed == replayed.committed.len()
                    && live.drafter_forwards == replayed.drafter_forwards
                    && live.stopped_by == stop_name(replayed.stopped_by)
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frontier_comes_first_and_the_rest_evenly_from_a_random_start() {
        // Speedup falls, acceptance of 0, 2 and 4 rises: these are the frontier.
        let glances = [(2.0, 0.5), (1.9, 0.4), (1.8, 0.7), (1.7, 0.6), (1.6, 0.9)];
        assert_eq!(chosen(&glances, 4, 1)[..1], [0]);
        let four = chosen(&glances, 4, 1);
        assert!(four.contains(&0) && four.contains(&4) && four.len() == 4);
        assert_eq!(chosen(&glances, 9, 1), [0, 1, 2, 3, 4]);
        assert_eq!(chosen(&glances, 1, 1), [0]);
        // Both ends of the frontier, before its middle.
        let three = chosen(&glances, 3, 1);
        assert!(three.contains(&0) && three.contains(&4), "{three:?}");
        assert!(chosen(&glances, 0, 1).is_empty());
        // The slower and the faster half of the rest have their share, whatever the start.
        let line: Vec<(f64, f64)> = (0..40).map(|one| (f64::from(one), 0.5)).collect();
        for seed in 0..20 {
            let nine = chosen(&line, 9, seed);
            let n_slow = nine.iter().filter(|&&index| index < 20).count();
            assert!(nine.len() == 9 && (4..=5).contains(&n_slow), "{nine:?}");
        }
    }
}
