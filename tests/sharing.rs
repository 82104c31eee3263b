//! A sweep whose window trials share forwards writes what it writes when they do not, but for times.

#[path = "common/times.rs"]
mod times;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use self::times::forget_times;

const CONFIG: &str = "\
name: sharing
models: {verifier: \"embedded:verifier\", window: \"embedded:wedlm\"}
workload: {source: \"synthetic:gsm8k\", limit: 2, seed: 5, max_new_tokens: 40}
decoders:
  - name: window
    kind: window
    window_size: 8
    grid: {variant: [engine, block], select.entropy_threshold: [null, 0.3, 0.6]}
timing: {repeats: 2, warmup: 1}
";

fn sweep(folder: &Path, arguments: &[&str]) -> PathBuf {
    let config = folder.join("sharing.yaml");
    fs::write(&config, CONFIG).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
        .arg("sweep")
        .arg(&config)
        .arg("--out")
        .arg(folder)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    PathBuf::from(text.lines().last().unwrap())
}

fn entries(folder: &Path) -> Vec<Value> {
    let journal = fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    let lines = journal.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn n_shared(entries: &[Value]) -> u64 {
    let rows = entries.iter().map(|entry| &entry["generation"]);
    rows.map(|row| row["shared_forwards"].as_u64().unwrap())
        .sum()
}

/// Generations, rounds and slots by trial, prompt and repeat, without what sharing may change.
fn facts(mut entries: Vec<Value>) -> BTreeMap<String, Value> {
    entries.iter_mut().for_each(forget_times);
    let key = |row: &Value| format!("{} {} {}", row["trial_id"], row["prompt"], row["repeat"]);
    let keyed = entries
        .into_iter()
        .map(|entry| (key(&entry["generation"]), entry));
    keyed.collect()
}

#[test]
fn texts_rounds_and_entropies_do_not_depend_on_whether_forwards_are_shared() {
    let folder = tempfile::tempdir().unwrap();
    let sharing = sweep(folder.path(), &[]);
    let shared = entries(&sharing);
    let alone = entries(&sweep(
        folder.path(),
        &["--set", "timing.share_forwards=false"],
    ));
    // Two baselines and six windows on two prompts, twice.
    assert_eq!((shared.len(), alone.len()), (32, 32));
    assert!(n_shared(&shared) > 0);
    assert_eq!(n_shared(&alone), 0);
    for entry in &shared {
        let row = &entry["generation"];
        let n = |field: &str| row[field].as_u64().unwrap();
        let is_baseline = n("filled") == 0;
        assert!(!is_baseline || n("shared_forwards") == 0);
        assert!(n("shared_forwards") <= n("verifier_forwards") + 1);
        assert!(n("prefill_ns") > 0 || is_baseline);
        let parts = n("prefill_ns") + n("draft_ns") + n("verify_ns") + n("policy_ns");
        assert!(n("wall_ns") >= parts, "{row}");
    }
    assert_eq!(facts(shared), facts(alone));
    let report = fs::read_to_string(sharing.join("report.md")).unwrap();
    assert!(report.contains("**Shared forwards.**"));
}

#[test]
fn a_sweep_that_is_resumed_between_two_trials_of_a_prompt_ends_like_an_unbroken_one() {
    let folder = tempfile::tempdir().unwrap();
    let run = sweep(folder.path(), &[]);
    let unbroken = entries(&run);
    let manifest = run.join("manifest.json");
    let journal = run.join("journal.jsonl");
    let finished = fs::read_to_string(&manifest).unwrap();
    let lines = fs::read_to_string(&journal).unwrap();
    for n_kept in [3, 5, 12, 29] {
        let running = finished.replace("\"finished\"", "\"running\"");
        fs::write(&manifest, running).unwrap();
        let kept: Vec<&str> = lines.lines().take(n_kept).collect();
        fs::write(&journal, kept.join("\n") + "\n").unwrap();
        assert_eq!(sweep(folder.path(), &["--resume"]), run);
        assert_eq!(facts(entries(&run)), facts(unbroken.clone()));
    }
}
