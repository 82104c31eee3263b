//! How long a round takes, and how long one waits for a token.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{TrialRows, light};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::quantile::Percentiles;
use crate::stats::sample::Sample;

/// P50, P90 and P99 in nanoseconds over all rounds of all prompts, with intervals over prompts.
/// Prefill is not in them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// From the start of a round to its end.
    pub round_ns: Percentiles,
    /// A round's time over the tokens that it committed, once for each of these. Rounds that commit
    /// nothing, as a window decoder has them, add their time to the next one that does.
    pub token_ns: Percentiles,
}

/// Times of one prompt.
#[derive(Default)]
struct Times {
    rounds: Vec<f64>,
    tokens: Vec<f64>,
    /// Since a token was committed.
    waited: f64,
}

/// None without timed rounds.
pub(super) fn latency(rows: &TrialRows<'_>, bootstrap: &Bootstrap) -> Option<Latency> {
    let mut by_prompt: BTreeMap<usize, Times> = BTreeMap::new();
    for round in rows.rounds.iter().filter(|round| round.wall_ns > 0) {
        let times = by_prompt.entry(round.prompt).or_default();
        let ns = round.wall_ns as f64;
        times.rounds.push(ns);
        times.waited += ns;
        if round.committed > 0 {
            let share = times.waited / round.committed as f64;
            times
                .tokens
                .extend(std::iter::repeat_n(share, round.committed));
            times.waited = 0.0;
        }
    }
    let n_tokens = by_prompt.values().map(|times| times.tokens.len()).sum();
    let bootstrap = light(bootstrap, n_tokens);
    let times = by_prompt.into_values();
    let (rounds, tokens): (Vec<_>, Vec<_>) =
        times.map(|times| (times.rounds, times.tokens)).unzip();
    let percentiles = |values: Vec<Vec<f64>>| {
        let samples: Result<Vec<Sample>, _> = values
            .into_iter()
            .filter(|values| !values.is_empty())
            .map(Sample::new)
            .collect();
        Percentiles::clustered(&samples.ok()?, &bootstrap)
    };
    Some(Latency {
        round_ns: percentiles(rounds)?,
        token_ns: percentiles(tokens)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::RoundRecord;

    fn round(prompt: usize, wall_ns: u64, committed: usize) -> RoundRecord {
        RoundRecord {
            prompt,
            wall_ns,
            committed,
            ..RoundRecord::default()
        }
    }

    #[test]
    fn a_token_takes_its_share_of_the_round_that_committed_it() {
        // Tokens wait 10, 10, 10, 10, 60; rounds take 40 and 60.
        let rounds = [round(0, 40, 4), round(1, 60, 1)];
        let rows = TrialRows {
            rounds: rounds.iter().collect(),
            ..TrialRows::default()
        };
        let latency = latency(&rows, &Bootstrap::default()).unwrap();
        assert_eq!(latency.round_ns.p50.estimate, 50.0);
        assert_eq!(latency.token_ns.p50.estimate, 10.0);
        // Type 7: at place 3.6 between the fourth value, 10, and the fifth, 60.
        assert!((latency.token_ns.p90.estimate - 40.0).abs() < 1e-9);
        assert!(latency.token_ns.p90.low >= 10.0 && latency.token_ns.p90.high <= 60.0);
    }

    #[test]
    fn a_round_that_commits_nothing_makes_the_next_token_wait() {
        let rounds = [round(0, 30, 0), round(0, 50, 2), round(0, 40, 1)];
        let rows = TrialRows {
            rounds: rounds.iter().collect(),
            ..TrialRows::default()
        };
        let latency = latency(&rows, &Bootstrap::default()).unwrap();
        // Tokens wait 40, 40, 40; rounds take 30, 40, 50.
        assert_eq!(latency.token_ns.p90.estimate, 40.0);
        assert_eq!(latency.round_ns.p50.estimate, 40.0);
    }

    #[test]
    fn rounds_without_a_time_have_no_latency() {
        let rounds = [round(0, 0, 4)];
        let rows = TrialRows {
            rounds: rounds.iter().collect(),
            ..TrialRows::default()
        };
        assert_eq!(latency(&rows, &Bootstrap::default()), None);
    }
}
