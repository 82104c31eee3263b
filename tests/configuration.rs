//! The sweeps that come with the program, and the examples of the documentation.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wedlm_bench::config::SweepSpec;
use wedlm_bench::config::hardware::HardwareProfile;
use wedlm_bench::config::load::{load, load_sweep, parse, parse_sweep};
use wedlm_bench::config::train::{ObjectiveSpec, TokenizerSpec, TrainSpec};
use wedlm_bench::plan::plan;
use wedlm_bench::policy::accept::AcceptRule;
use wedlm_bench::policy::entropy::EntropyRule;
use wedlm_bench::policy::stop::StopRule;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} holds no YAML file");
    files
}

fn sweeps() -> Vec<SweepSpec> {
    ["configs", "configs/rules"]
        .into_iter()
        .flat_map(yaml_files)
        .map(|file| load_sweep(file, &[]).unwrap_or_else(|error| panic!("{error}")))
        .collect()
}

#[test]
fn every_sweep_that_comes_with_the_program_plans_without_refusals() {
    for sweep in sweeps() {
        let plan = plan(&sweep).unwrap_or_else(|error| panic!("{error}"));
        assert!(plan.trials.len() > 1, "{}", sweep.file);
        assert_eq!(plan.refused, [], "{}", sweep.file);
        assert_eq!(plan.trials[0].label, "autoregressive");
    }
}

#[test]
fn every_hardware_profile_that_comes_with_the_program_is_found_by_its_name() {
    for file in yaml_files("configs/hardware") {
        let profile: HardwareProfile = load(&file, &[]).unwrap_or_else(|error| panic!("{error}"));
        let found = HardwareProfile::find(&profile.name, Path::new("elsewhere")).unwrap();
        assert_eq!(found, Some(profile));
    }
}

/// The comments of the files count the trials; these are the counts.
#[test]
fn the_sweeps_have_as_many_trials_as_their_comments_say() {
    for (file, n_trials) in [
        ("smoke", 4),
        ("gsm8k", 45),
        ("gsm8k-qwen", 28),
        ("llama", 13),
        ("wedlm-8b", 18),
        ("batch", 9),
        ("wedlm", 45),
        ("ebsd-grid", 2_490),
        ("rules/accept-lossless", 9),
        ("rules/accept-lossy", 11),
        ("rules/entropies", 22),
        ("rules/select-confidence", 14),
        ("rules/select-entropy", 9),
        ("rules/stop-entropy", 13),
        ("rules/stop-memory", 13),
        ("rules/stop-probability", 9),
    ] {
        let path = root().join(format!("configs/{file}.yaml"));
        let plan = plan(&load_sweep(path, &[]).unwrap()).unwrap();
        // The baseline comes twice.
        assert_eq!(plan.trials.len(), n_trials + 1, "{file}");
    }
}

#[test]
fn a_sweep_written_out_with_every_default_plans_the_same_trials() {
    for sweep in sweeps() {
        let text = sweep.to_yaml().unwrap();
        let again = parse_sweep(&sweep.file, &text, &[], &|_| None)
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(plan(&again), plan(&sweep), "{}", sweep.file);
        assert_eq!(again.to_yaml().unwrap(), text, "{}", sweep.file);
    }
}

#[test]
fn written_out_defaults_are_there_to_read() {
    let sweep = parse_sweep(
        "test.yaml",
        "name: test
models: {verifier: 'embedded:v', drafter: 'embedded:d', window: 'embedded:w'}
workload: {source: 'synthetic:gsm8k', limit: 4}
decoders:
  - {name: x, kind: speculative, grid: {stop.kind: [absolute, svip], min_draft_len: [1, 2]}}
  - {name: y, kind: window, list: [{entropy.kind: renyi, entropy.alpha: 3}, {}]}",
        &[],
        &|_| None,
    )
    .unwrap();
    let text = sweep.to_yaml().unwrap();
    let again = parse_sweep("test.yaml", &text, &[], &|_| None).unwrap();
    assert_eq!(plan(&again), plan(&sweep));
    assert_eq!(again.workload.max_new_tokens, 96);
    assert!(text.contains("max_new_tokens: 96"), "{text}");
    let [x, y] = &again.decoders[..] else {
        panic!("{text}")
    };
    assert_eq!(x.decoder["max_draft_len"], 8);
    assert_eq!(
        x.decoder["entropy"],
        json!({"kind": "shannon", "temperature": 1.0})
    );
    assert!(
        !x.decoder.contains_key("stop"),
        "its fields depend on the axis stop.kind"
    );
    assert_eq!(y.decoder["window_size"], 16);
    assert!(
        !y.decoder.contains_key("entropy"),
        "its fields depend on the alternatives"
    );
}

/// Text of the fenced YAML blocks of a document.
fn yaml_blocks(text: &str) -> Vec<&str> {
    text.split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// Keys that have values, at any depth.
fn key_names(value: &Value) -> Vec<String> {
    let fields = value.as_object().into_iter().flatten();
    fields
        .flat_map(|(key, value)| match value {
            Value::Object(_) => key_names(value),
            _ => vec![key.clone()],
        })
        .collect()
}

#[test]
fn the_training_page_explains_every_key() {
    let text = std::fs::read_to_string(root().join("docs/training.md")).unwrap();
    let example: TrainSpec = parse("example", yaml_blocks(&text)[0], &[]).unwrap();
    let other_kinds = (
        TokenizerSpec::Train {
            vocab_len: 1,
            n_documents: 1,
        },
        ObjectiveSpec::Wedlm {
            block_lens: vec![1],
            min_mask_ratio: 0.0,
            n_end_tokens: 1,
            autoregressive_weight: 1.0,
        },
    );
    let mut keys = vec!["n_in_turn".to_string()];
    keys.extend(key_names(&json!(example)));
    keys.extend(key_names(&json!(other_kinds.0)));
    keys.extend(key_names(&json!(other_kinds.1)));
    assert!(keys.len() > 30, "{keys:?}");
    let families = ["gsm8k"];
    for key in keys.iter().filter(|key| !families.contains(&key.as_str())) {
        let is_explained = text.contains(&format!("`{key}`")) || text.contains(&format!(".{key}`"));
        assert!(is_explained, "{key}");
    }
}

/// A block of the documentation as a whole sweep: keys that it leaves out are filled in.
fn completed(block: &str) -> String {
    let has = |key: &str| {
        block
            .lines()
            .any(|line| line.starts_with(&format!("{key}:")))
    };
    let rest = [
        ("name", "name: example"),
        (
            "models",
            "models: {verifier: 'embedded:v', drafter: 'embedded:d', window: 'embedded:w'}",
        ),
        (
            "workload",
            "workload: {source: 'synthetic:gsm8k', limit: 4}",
        ),
        ("decoders", "decoders: [{name: other, kind: window}]"),
    ];
    let missing: Vec<&str> = rest
        .iter()
        .filter(|(key, _)| !has(key))
        .map(|(_, line)| *line)
        .collect();
    format!("{block}\n{}\n", missing.join("\n"))
}

#[test]
fn every_yaml_block_of_the_documentation_is_right() {
    let read = |name: &str| std::fs::read_to_string(root().join("docs").join(name)).unwrap();
    let text = read("configuration.md") + &read("selection-rules.md") + &read("rules.md");
    let blocks = yaml_blocks(&text);
    assert!(blocks.len() > 12, "{} blocks", blocks.len());
    for block in blocks {
        if block.contains("t_verify:") {
            let profile: Result<HardwareProfile, _> = parse("example", block, &[]);
            assert!(profile.is_ok(), "{profile:?}");
            continue;
        }
        let sweep = parse_sweep("example", &completed(block), &[], &|_| None)
            .unwrap_or_else(|error| panic!("{error}\n{block}"));
        let plan = plan(&sweep).unwrap_or_else(|error| panic!("{error}\n{block}"));
        assert_eq!(plan.refused, [], "{block}");
    }
}

/// The kinds that a tagged enum allows, from its own message.
fn kinds<T: DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
    let message = serde_json::from_value::<T>(json!({"kind": "?"}))
        .unwrap_err()
        .to_string();
    message
        .split('`')
        .skip(3)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Asserts that the row of each kind lists each field with its default.
fn assert_rows<T: DeserializeOwned + Serialize + std::fmt::Debug>(text: &str) {
    let kinds = kinds::<T>();
    assert!(kinds.len() > 2, "{kinds:?}");
    for kind in kinds {
        let Ok(rule) = serde_json::from_value::<T>(json!({"kind": kind})) else {
            // `combined` has no default list of rules.
            assert!(
                text.contains(&format!("\n| `{kind}` |")),
                "no row for {kind}"
            );
            continue;
        };
        let Value::Object(fields) = serde_json::to_value(&rule).unwrap() else {
            panic!("{rule:?} is no mapping")
        };
        let mut cells: Vec<String> = fields
            .iter()
            .filter(|(field, _)| *field != "kind")
            .map(|(field, value)| match value {
                Value::String(name) => format!("`{field}: {name}`"),
                value => format!("`{field}: {value}`"),
            })
            .collect();
        if cells.is_empty() && kind != "random" {
            cells.push("none".to_owned());
        }
        let is_row = |line: &&str| {
            line.starts_with(&format!("| `{kind}` |"))
                && cells.iter().all(|cell| line.contains(cell))
        };
        assert!(
            text.lines().find(is_row).is_some(),
            "no row for {kind} with {}",
            cells.join(", ")
        );
    }
}

#[test]
fn the_documentation_lists_every_rule_with_its_defaults() {
    let text = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    assert_rows::<StopRule>(&text);
    assert_rows::<EntropyRule>(&text);
    assert_rows::<AcceptRule>(&text);
}

#[test]
fn the_documentation_lists_every_key_of_a_sweep() {
    let text = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let sweep = parse_sweep(
        "example",
        &completed(
            "param_grid: {theta_abs: [1]}\nhardware: llama-3.1-8b-h100\nsample: {kind: random, n: 1}\nhalving: {}",
        ),
        &[],
        &|_| None,
    )
    .unwrap();
    let Value::Object(top) = serde_json::to_value(&sweep).unwrap() else {
        panic!("a sweep is a mapping")
    };
    for (key, value) in &top {
        assert!(text.contains(&format!("\n| `{key}` |")), "no row for {key}");
        if let Value::Object(section) = value {
            for inner in section.keys() {
                assert!(
                    text.contains(&format!("\n| `{key}.{inner}` |")),
                    "no row for {key}.{inner}"
                );
            }
        }
    }
}
