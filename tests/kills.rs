//! A sweep that is killed at any moment and resumed ends like one that was not.

#[path = "common/times.rs"]
mod times;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use self::times::forget_times;

const CONFIG: &str = "\
name: kills
models: {verifier: \"embedded:verifier\", drafter: \"embedded:drafter-10\", window: \"embedded:wedlm\"}
workload: {source: \"synthetic:gsm8k\", limit: 12, seed: 5, max_new_tokens: 40}
decoders:
  - {name: fixed, kind: speculative, stop: {kind: fixed}, max_draft_len: 4}
  - {name: stream, kind: speculative, stop: {kind: hf_heuristic, start: 2, scope: stream}}
  - {name: batched, kind: speculative, stop: {kind: absolute}, batch_size: 5}
  - {name: window, kind: window, window_size: 8, grid: {select.entropy_threshold: [0.3, 0.6]}}
timing: {repeats: 2, warmup: 0}
";

/// Kills of one test run; `WEDLM_KILLS=500` asks for more.
fn n_kills() -> usize {
    let asked = std::env::var("WEDLM_KILLS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(50)
}

fn sweep(config: &Path, out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wedlm-bench"));
    command
        .arg("sweep")
        .arg(config)
        .arg("--out")
        .arg(out)
        .arg("--resume")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

fn finish(config: &Path, out: &Path) -> PathBuf {
    let output = sweep(config, out).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    PathBuf::from(text.lines().last().unwrap())
}

/// The finished runs under `out`. A kill between two of its first files leaves a folder without a manifest.
fn finished(out: &Path) -> Vec<PathBuf> {
    // A kill before the first file leaves no folder.
    let folders = fs::read_dir(out.join("kills")).into_iter().flatten();
    let finished = folders.map(|entry| entry.unwrap().path()).filter(|folder| {
        fs::read_to_string(folder.join("manifest.json"))
            .is_ok_and(|manifest| manifest.contains(r#""status": "finished""#))
    });
    finished.collect()
}

/// What a run's journal holds, but for times and for whose forwards were used: each generation, its rounds and its slots.
fn facts(folder: &Path) -> BTreeMap<String, Value> {
    let journal = fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    let mut facts = BTreeMap::new();
    for line in journal.lines() {
        let mut entry: Value = serde_json::from_str(line).unwrap();
        forget_times(&mut entry);
        let row = &entry["generation"];
        let key = format!("{} {} {}", row["trial_id"], row["prompt"], row["repeat"]);
        let twice = facts.insert(key, entry);
        assert!(twice.is_none(), "a generation is there twice");
    }
    facts
}

#[test]
fn a_sweep_killed_many_times_ends_like_an_unbroken_one() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("kills.yaml");
    fs::write(&config, CONFIG).unwrap();
    let unbroken = facts(&finish(&config, &folder.path().join("unbroken")));
    let n_trials = 8; // two baselines and one of them again, three speculative decoders, two windows
    assert_eq!(unbroken.len(), n_trials * 12 * 2);

    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let mut n_killed = 0;
    let mut n_finished = 0;
    while n_killed < n_kills() {
        let out = folder.path().join(format!("killed-{n_finished}"));
        let mut child = sweep(&config, &out).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(rng.random_range(0..1500)));
        child.kill().unwrap();
        child.wait().unwrap();
        // A run may be finished before its process is; the next command would start another one beside it.
        if !finished(&out).is_empty() {
            n_finished += 1;
        } else {
            n_killed += 1;
        }
    }
    println!("{n_killed} kills, {n_finished} runs came to their end between them");
    finish(&config, &folder.path().join(format!("killed-{n_finished}")));
    for number in 0..=n_finished {
        let ended = finished(&folder.path().join(format!("killed-{number}")));
        assert_eq!(ended.len(), 1, "one run per folder");
        let ended = &ended[0];
        assert_eq!(facts(ended), unbroken);
        for table in ["trials", "generations", "rounds", "positions"] {
            let path = ended.join(format!("{table}.parquet"));
            let bytes = fs::read(&path).unwrap();
            assert!(bytes.ends_with(b"PAR1"), "{} is whole", path.display());
        }
    }
}
