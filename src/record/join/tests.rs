use serde_json::json;

use super::*;
use crate::config::load::parse_sweep;
use crate::plan::{Plan, plan};
use crate::record::manifest::{Machine, Status};
use crate::record::schema::GenerationRecord;

fn planned() -> Plan {
    let text = "name: test
models: {verifier: 'embedded:v', drafter: 'embedded:d'}
workload: {source: 'synthetic:gsm8k', limit: 3}
timing: {duplicate_baseline: false}
decoders: [{name: k, kind: speculative, stop: {kind: fixed}, grid: {max_draft_len: [2, 4, 6, 8]}}]";
    plan(&parse_sweep("test.yaml", text, &[], &|_| None).unwrap()).unwrap()
}

fn shard(text: &str) -> Option<Shard> {
    Some(text.parse().unwrap())
}

fn manifest(shard: Option<Shard>) -> Manifest {
    Manifest {
        program: "wedlm-bench".into(),
        version: VERSION.into(),
        git_revision: "1".into(),
        command: Vec::new(),
        started: "2026-11-21T00:00:00Z".into(),
        finished: None,
        status: Status::Finished,
        config_hash: "c".into(),
        models: [("verifier".to_owned(), json!({"weights_sha256": "w"}))].into(),
        machine: Machine::here(),
        device: "cpu".into(),
        dtype: "f32".into(),
        threads: 1,
        seed: 0,
        n_prompts: 3,
        n_trials: 3,
        shard,
        merged_from: Vec::new(),
        costs: None,
        baseline_drift: None,
        experiments: std::collections::BTreeMap::new(),
        replay_check: None,
    }
}

fn entry(trial: &Trial, shard: Option<Shard>, prompt: usize, repeat: usize) -> Entry {
    Entry {
        generation: GenerationRecord {
            trial_id: trial.id.clone(),
            shard,
            prompt,
            repeat,
            ..GenerationRecord::default()
        },
        ..Entry::default()
    }
}

/// A run of a shard: three prompts, two repeats.
fn part(plan: &Plan, text: &str) -> Part {
    let shard = shard(text);
    let mut entries = Vec::new();
    for trial in &plan.part(shard.unwrap()).trials {
        for number in 0..6 {
            entries.push(entry(trial, shard, number / 2, number % 2));
        }
    }
    Part {
        name: format!("run-{text}"),
        manifest: manifest(shard),
        entries,
    }
}

fn missing(plan: &Plan, parts: &[Part]) -> Vec<String> {
    let whole = Whole {
        trials: &plan.trials,
        n_baselines: plan.n_baselines,
        n_prompts: 3,
        n_repeats: 2,
        dropped: &HashMap::new(),
    };
    let shards = parts.iter().map(|part| part.manifest.shard).collect();
    let entries: Vec<Entry> = parts.iter().flat_map(|part| part.entries.clone()).collect();
    whole.missing(&shards, &entries)
}

#[test]
fn two_shards_make_a_whole_whichever_is_named_first() {
    let plan = planned();
    let parts = vec![part(&plan, "2/2"), part(&plan, "1/2")];
    assert_eq!(missing(&plan, &parts), Vec::<String>::new());
    let parts = sorted(parts).unwrap();
    assert_eq!([&parts[0].name, &parts[1].name], ["run-1/2", "run-2/2"]);
    let joined = join(parts, &plan.trials, plan.n_baselines).unwrap();
    assert_eq!(joined.len(), (4 + 2) * 6, "both baselines are kept");
    let of_baseline = joined
        .iter()
        .filter(|entry| entry.generation.trial_id == plan.trials[0].id);
    let shards: Vec<Option<Shard>> = of_baseline.map(|entry| entry.generation.shard).collect();
    assert_eq!(shards[..6], [shard("1/2"); 6]);
    assert_eq!(shards[6..], [shard("2/2"); 6]);
}

#[test]
fn what_is_missing_is_named_by_trial_and_prompt() {
    let plan = planned();
    let (one, mut other) = (part(&plan, "1/2"), part(&plan, "2/2"));
    let own = plan.part(shard("2/2").unwrap()).trials;
    assert_eq!(own.len(), 3);
    // A repeat of the first two prompts of one trial, all of another, a baseline's last prompt.
    other.entries.retain(|entry| {
        let row = &entry.generation;
        let is = |trial: &Trial| row.trial_id == trial.id;
        !(is(&own[1]) && row.prompt < 2 && row.repeat == 1
            || is(&own[2])
            || is(&own[0]) && row.prompt == 2)
    });
    let absent = missing(&plan, &[one.clone(), other]);
    let mut expected = vec![
        "autoregressive in shard 2/2: prompts 2".to_owned(),
        format!("{}: prompts 0–1", own[1].label),
        format!("{}: not run", own[2].label),
    ];
    expected[1..].sort();
    assert_eq!(
        [&absent[..1], &{
            let mut rest = absent[1..].to_vec();
            rest.sort();
            rest
        }]
        .concat(),
        expected
    );
    let alone = missing(&plan, &[one]);
    assert_eq!(
        alone.len(),
        2,
        "the trials of the shard that was not given: {alone:?}"
    );
}

#[test]
fn dropped_trials_lack_nothing_behind_their_last_prompt() {
    let plan = planned();
    let trial = &plan.trials[1];
    let entries: Vec<Entry> = plan
        .trials
        .iter()
        .flat_map(|trial| (0..3).map(|prompt| entry(trial, None, prompt, 0)))
        .filter(|entry| entry.generation.trial_id != trial.id || entry.generation.prompt < 2)
        .collect();
    let missing = |dropped: &HashMap<&str, usize>| {
        let whole = Whole {
            trials: &plan.trials,
            n_baselines: 1,
            n_prompts: 3,
            n_repeats: 1,
            dropped,
        };
        whole.missing(&[None].into(), &entries)
    };
    assert_eq!(
        missing(&HashMap::new()),
        [format!("{}: prompts 2", trial.label)]
    );
    assert!(missing(&HashMap::from([(trial.id.as_str(), 2)])).is_empty());
}

#[test]
fn runs_of_different_sweeps_models_sizes_or_versions_are_not_joined() {
    let plan = planned();
    let complaint = |change: fn(&mut Manifest)| {
        let mut other = part(&plan, "2/2");
        change(&mut other.manifest);
        sorted(vec![part(&plan, "1/2"), other])
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        complaint(|manifest| manifest.config_hash = "d".into()),
        "run-2/2 and run-1/2 are not of one sweep: another configuration"
    );
    assert_eq!(
        complaint(|manifest| {
            manifest.models = [("verifier".to_owned(), json!({"weights_sha256": "x"}))].into();
            manifest.n_prompts = 9;
        }),
        "run-2/2 and run-1/2 are not of one sweep: other weights of the verifier, 9 prompts, not 3"
    );
    assert!(
        complaint(|manifest| manifest.version = "0.0.1".into())
            .contains("was made by version 0.0.1")
    );
    assert_eq!(
        complaint(|manifest| manifest.shard = shard("1/2")),
        "run-1/2 and run-2/2 are both shard 1/2: give one of them"
    );
    assert!(
        complaint(|manifest| manifest.merged_from.push(self::manifest(None)))
            .contains("is merged itself")
    );
}

#[test]
fn a_trial_in_two_runs_and_a_trial_of_no_sweep_are_refused() {
    let plan = planned();
    let one = part(&plan, "1/2");
    let mut other = part(&plan, "2/2");
    let doubled = one.entries.last().unwrap().clone();
    let label = plan
        .trials
        .iter()
        .find(|trial| trial.id == doubled.generation.trial_id)
        .map(|trial| trial.label.clone())
        .unwrap();
    other.entries.push(doubled);
    let error = join(vec![one.clone(), other], &plan.trials, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("run-1/2 and run-2/2 both hold {label} on prompt 2: give one of them")
    );
    let mut strange = one;
    strange.entries[0].generation.trial_id = "0123".into();
    let error = join(vec![strange], &plan.trials, 1).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("holds a trial 0123 that is not in its sweep.yaml")
    );
}
