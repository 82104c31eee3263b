//! The part of a plan that one of several machines measures.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Plan, Trial};
use crate::config::decoder::DecoderSpec;

/// Part `index` of `of` equal ones, written `index/of`; the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    index: usize,
    of: usize,
}

/// A text that names no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no shard, expected I/N with I from 1 to N, such as 2/4")]
pub struct NotAShard(String);

impl FromStr for Shard {
    type Err = NotAShard;

    fn from_str(text: &str) -> Result<Self, NotAShard> {
        let numbers = text.split_once('/');
        let shard = numbers.and_then(|(index, of)| {
            Some(Self {
                index: index.parse().ok()?,
                of: of.parse().ok()?,
            })
        });
        shard
            .filter(|shard| (1..=shard.of).contains(&shard.index))
            .ok_or_else(|| NotAShard(text.to_owned()))
    }
}

impl TryFrom<String> for Shard {
    type Error = NotAShard;

    fn try_from(text: String) -> Result<Self, NotAShard> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl Plan {
    /// The plan of a shard: all baselines, because a speedup is over the baseline of the same machine, and its
    /// part of the other trials, in the order of the plan.
    ///
    /// The dearest trial goes first, each to the shard with the least work so far: R. L. Graham, Bounds on
    /// multiprocessing timing anomalies, SIAM J. Appl. Math. 17 (1969), 416–429. Equally dear ones go by
    /// their ids, so that the parts depend on the sweep alone.
    pub fn part(&self, shard: Shard) -> Self {
        let (baselines, others) = self.trials.split_at(self.n_baselines);
        let mut dearest_first: Vec<(f64, &Trial)> = others
            .iter()
            .map(|trial| (cost(&trial.decoder), trial))
            .collect();
        dearest_first.sort_by(|(a, one), (b, other)| b.total_cmp(a).then(one.id.cmp(&other.id)));
        let mut loads = vec![0.0; shard.of];
        let mut own: BTreeSet<&str> = baselines.iter().map(|trial| trial.id.as_str()).collect();
        for (cost, trial) in dearest_first {
            let lightest = (0..shard.of)
                .min_by(|&a, &b| f64::total_cmp(&loads[a], &loads[b]))
                .expect("there is a shard");
            loads[lightest] += cost;
            if lightest + 1 == shard.index {
                own.insert(&trial.id);
            }
        }
        let is_own = |trial: &&Trial| own.contains(trial.id.as_str());
        let trials: Vec<Trial> = self.trials.iter().filter(is_own).cloned().collect();
        Self {
            n_elsewhere: self.n_elsewhere + self.trials.len() - trials.len(),
            trials,
            ..self.clone()
        }
    }
}

/// Work of a decoder per token that it commits, in forwards of the verifier over one row: good enough to share
/// trials out, and the same on every machine.
///
/// A forward of m rows counts 1 + m/8: less than m on every device, more than 1 on most; b prompts at a time
/// share the 1. A drafter's forward counts a tenth of the verifier's. Half of the longest draft is taken to be
/// accepted, and a window to commit two tokens per forward.
fn cost(decoder: &DecoderSpec) -> f64 {
    let batch_size = decoder.batch_size() as f64;
    let forward = |n_rows: f64| 1.0 / batch_size + n_rows / 8.0;
    match decoder {
        DecoderSpec::Autoregressive { .. } => forward(1.0),
        DecoderSpec::Speculative { max_draft_len, .. } => {
            let draft_len = *max_draft_len as f64;
            (draft_len * forward(1.0) / 10.0 + forward(1.0 + draft_len)) / (1.0 + draft_len / 2.0)
        }
        DecoderSpec::Window { window_size, .. } => forward(*window_size as f64) / 2.0,
        DecoderSpec::WindowDraft {
            window_size,
            n_fill_steps,
            max_draft_len,
            ..
        } => {
            let fills = *n_fill_steps as f64 * forward(*window_size as f64);
            let longest = max_draft_len.map_or(*window_size, |most| most.min(*window_size));
            let draft_len = (2 * n_fill_steps).min(longest) as f64;
            (fills + forward(1.0 + draft_len)) / (1.0 + draft_len / 2.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::load::parse_sweep;
    use crate::plan::plan;

    fn planned() -> Plan {
        let text = "name: test
models: {verifier: 'embedded:v', drafter: 'embedded:d', window: 'embedded:w'}
workload: {source: 'synthetic:gsm8k', limit: 4}
timing: {duplicate_baseline: false}
decoders:
  - {name: k, kind: speculative, stop: {kind: fixed}, grid: {batch_size: [1, 2], max_draft_len: [2, 4, 8, 16]}}
  - {name: w, kind: window, grid: {window_size: [4, 16, 64], select.pos_penalty: [0, 0.1, 0.2]}}
  - {name: d, kind: window_draft, grid: {n_fill_steps: [1, 2, 4], max_draft_len: [2, null]}}";
        plan(&parse_sweep("test.yaml", text, &[], &|_| None).unwrap()).unwrap()
    }

    fn shard(text: &str) -> Shard {
        text.parse().unwrap()
    }

    fn others(plan: &Plan, index: usize, of: usize) -> Vec<Trial> {
        let part = plan.part(shard(&format!("{index}/{of}")));
        assert_eq!(part.n_points(), plan.n_points());
        let trials = part.trials;
        assert_eq!(trials[..plan.n_baselines], plan.trials[..plan.n_baselines]);
        trials[plan.n_baselines..].to_vec()
    }

    #[test]
    fn every_trial_is_in_one_shard_and_the_baselines_are_in_all() {
        let plan = planned();
        assert_eq!((plan.n_baselines, plan.trials.len()), (2, 2 + 8 + 9 + 6));
        for of in 1..30 {
            let mut ids: Vec<String> = (1..=of)
                .flat_map(|index| others(&plan, index, of))
                .map(|trial| trial.id)
                .collect();
            let mut expected: Vec<String> = plan.trials[2..].iter().map(|t| t.id.clone()).collect();
            ids.sort();
            expected.sort();
            assert_eq!(ids, expected, "{of} shards");
        }
    }

    #[test]
    fn shards_differ_in_cost_by_one_trial_at_most_and_keep_the_order_of_the_plan() {
        let plan = planned();
        let dearest = plan
            .trials
            .iter()
            .map(|t| cost(&t.decoder))
            .fold(0.0, f64::max);
        for of in 2..8 {
            let parts: Vec<Vec<Trial>> = (1..=of).map(|index| others(&plan, index, of)).collect();
            let load = |part: &Vec<Trial>| part.iter().map(|t| cost(&t.decoder)).sum::<f64>();
            let loads: Vec<f64> = parts.iter().map(load).collect();
            let (least, most) = loads
                .iter()
                .fold((f64::MAX, 0.0_f64), |(a, b), x| (a.min(*x), b.max(*x)));
            assert!(most - least <= dearest, "{loads:?}");
            for part in parts {
                let place = |t: &Trial| plan.trials.iter().position(|other| other == t);
                assert!(part.iter().map(place).is_sorted());
            }
        }
    }

    #[test]
    fn the_estimate_orders_decoders_as_they_were_measured_on_a_cpu() {
        // Tokens per second of the main job: a window of 16 307, autoregressive 582, a draft of 10 1036.
        let of = |text: &str| {
            let plan = planned();
            let trial = plan
                .trials
                .iter()
                .find(|trial| trial.label == text)
                .unwrap();
            cost(&trial.decoder)
        };
        let (window, plain) = (of("w w=16 λ=0.0"), of("autoregressive"));
        assert!(window > plain && plain > of("k batch=1 max=8"));
        assert!(of("k batch=2 max=8") < of("k batch=1 max=8"));
        assert!(of("w w=64 λ=0.0") > window);
    }

    #[test]
    fn a_shard_is_read_as_it_is_written_and_nothing_else_is_one() {
        for text in ["1/1", "2/4", "10/10"] {
            assert_eq!(shard(text).to_string(), text);
        }
        for text in ["0/4", "5/4", "1", "1/0", "a/b", "1/4/2", "-1/4", ""] {
            let error = text.parse::<Shard>().unwrap_err().to_string();
            assert!(error.contains("such as 2/4"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn the_order_of_the_trials_does_not_change_who_gets_which(seed: u64) {
            use rand::SeedableRng;
            use rand::seq::SliceRandom;
            let plan = planned();
            let mut shuffled = plan.clone();
            let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            shuffled.trials[plan.n_baselines..].shuffle(&mut random);
            let ids = |plan: &Plan| {
                let mut ids: Vec<String> = others(plan, 2, 3).into_iter().map(|t| t.id).collect();
                ids.sort();
                ids
            };
            prop_assert_eq!(ids(&plan), ids(&shuffled));
        }
    }
}
