//! How long a round takes, and how long one waits for a token.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{TrialRows, light};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::quantile::Percentiles;
use crate::stats::sample::Sample;

/// P50, P90 and P99 in nanoseconds over all rounds of all prompts, with intervals over prompts.
/// Prefill is not in them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Latency {
    /// From the start of a round to its end.
    pub round_ns: Percentiles,
    /// A round's time over the tokens that it committed, once for each of these.
    pub token_ns: Percentiles,
}

/// None without timed rounds.
pub(super) fn latency(rows: &TrialRows<'_>, bootstrap: &Bootstrap) -> Option<Latency> {
    let mut by_prompt: BTreeMap<usize, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    let timed = rows.rounds.iter().filter(|round| round.wall_ns > 0);
    for round in timed.filter(|round| round.committed > 0) {
        let (rounds, tokens) = by_prompt.entry(round.prompt).or_default();
        let ns = round.wall_ns as f64;
        rounds.push(ns);
        tokens.extend(std::iter::repeat_n(
            ns / round.committed as f64,
            round.committed,
        ));
    }
    let n_tokens = by_prompt.values().map(|(_, tokens)| tokens.len()).sum();
    let bootstrap = light(bootstrap, n_tokens);
    let (rounds, tokens): (Vec<_>, Vec<_>) = by_prompt.into_values().unzip();
    let percentiles = |values: Vec<Vec<f64>>| {
        let samples: Result<Vec<Sample>, _> = values.into_iter().map(Sample::new).collect();
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
    fn rounds_without_a_time_have_no_latency() {
        let rounds = [round(0, 0, 4)];
        let rows = TrialRows {
            rounds: rounds.iter().collect(),
            ..TrialRows::default()
        };
        assert_eq!(latency(&rows, &Bootstrap::default()), None);
    }
}
