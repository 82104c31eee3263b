//! What forwards cost on the machines of a run, by what each model is for.

use std::collections::BTreeMap;

use crate::analysis::cost::ForwardTimes;
use crate::config::models::Role;
use crate::plan::shard::Shard;
use crate::record::manifest::Manifest;
use crate::trace::cost::ForwardCost;

/// Costs of the forwards of one machine's models; none of a model that was not timed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoleCosts {
    pub verifier: Option<ForwardCost>,
    pub drafter: Option<ForwardCost>,
    pub window: Option<ForwardCost>,
}

impl RoleCosts {
    /// Of a run that is not merged. Times and roles meet in the names of the models.
    pub fn of(manifest: &Manifest) -> Self {
        let times = ForwardTimes::all_of(manifest);
        let of = |role: Role| {
            let name = manifest.models.get(role.key())?["name"].as_str()?;
            times.iter().find(|times| times.model == name)?.cost()
        };
        Self {
            verifier: of(Role::Verifier),
            drafter: of(Role::Drafter),
            window: of(Role::Window),
        }
    }
}

/// Costs by the part of a sweep whose machine they were measured on; a run that is no part has one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunCosts(pub BTreeMap<Option<Shard>, RoleCosts>);

impl RunCosts {
    /// Of a run, merged or not.
    pub fn of(manifest: &Manifest) -> Self {
        let parts = match &manifest.merged_from[..] {
            [] => std::slice::from_ref(manifest),
            parts => parts,
        };
        let costs = parts.iter().map(|part| (part.shard, RoleCosts::of(part)));
        Self(costs.collect())
    }

    /// None of a part that the run does not know.
    pub fn on(&self, shard: Option<Shard>) -> Option<&RoleCosts> {
        self.0.get(&shard)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn times(model: &str, ns: f64) -> Value {
        json!({"model": model, "context_len": 96, "sizes": [{"n_tokens": 1, "ns": [ns]}]})
    }

    fn manifest(shard: Option<&str>, costs: &[Value]) -> Manifest {
        let manifest = json!({
            "program": "", "version": "", "git_revision": "", "command": [], "started": "",
            "status": "finished", "config_hash": "", "device": "cpu", "dtype": "f32", "threads": 1,
            "machine": {"os": "", "architecture": "", "n_cores": 1},
            "seed": 0, "n_prompts": 1, "n_trials": 1, "shard": shard, "costs": costs,
            "models": {"drafter": {"name": "small"}, "verifier": {"name": "large"}},
        });
        serde_json::from_value(manifest).unwrap()
    }

    fn ns(cost: Option<&ForwardCost>) -> Option<f64> {
        Some((cost?.line(1).fixed_seconds * 1e9).round())
    }

    #[test]
    fn times_are_those_of_the_model_that_has_the_role() {
        let costs = [times("large", 50.0), times("small", 10.0)];
        let costs = RunCosts::of(&manifest(None, &costs));
        let own = costs.on(None).unwrap();
        assert_eq!(ns(own.verifier.as_ref()), Some(50.0));
        assert_eq!(ns(own.drafter.as_ref()), Some(10.0));
        assert_eq!(own.window, None);
        let untimed = RunCosts::of(&manifest(None, &[]));
        assert_eq!(untimed.on(None), Some(&RoleCosts::default()));
    }

    #[test]
    fn each_part_of_a_merged_run_has_the_times_of_its_own_machine() {
        let part = |shard: &str, ns: f64| manifest(Some(shard), &[times("large", ns)]);
        let merged = Manifest {
            shard: None,
            merged_from: vec![part("1/2", 50.0), part("2/2", 80.0)],
            ..part("1/2", 50.0)
        };
        let costs = RunCosts::of(&merged);
        let verifier = |shard: &str| {
            let shard = shard.parse().unwrap();
            ns(costs.on(Some(shard))?.verifier.as_ref())
        };
        assert_eq!((verifier("1/2"), verifier("2/2")), (Some(50.0), Some(80.0)));
        assert_eq!(costs.on(None), None);
    }
}
