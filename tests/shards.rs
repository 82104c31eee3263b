//! Sweeps in parts and sweeps cut short, as a user runs them: shards, merge, resume, fail-fast, halving.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn stdout(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{text}{}", stderr(output));
    text
}

/// The run folder that a successful verb names in its last line.
fn folder(output: &Output) -> PathBuf {
    PathBuf::from(stdout(output).lines().last().unwrap())
}

fn refused(output: &Output) -> String {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    text
}

fn sweep(config: &str, out: &Path, extra: &[&str]) -> Output {
    run(&[&["sweep", config, "--out", out.to_str().unwrap()], extra].concat())
}

fn smoke(out: &Path, extra: &[&str]) -> Output {
    let once = ["--limit", "2", "--set", "timing.duplicate_baseline=false"];
    let extra = [&once[..], extra].concat();
    sweep("configs/smoke.yaml", out, &extra)
}

fn merge(out: &Path, runs: &[&Path], extra: &[&str]) -> Output {
    let runs: Vec<&str> = runs.iter().map(|run| run.to_str().unwrap()).collect();
    let out = ["--out", out.to_str().unwrap()];
    run(&[&["merge"], &runs[..], &out, extra].concat())
}

fn manifest(run: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(run.join("manifest.json")).unwrap()).unwrap()
}

/// As a kill leaves a run.
fn leave_unfinished(run: &Path) {
    let mut manifest = manifest(run);
    manifest["status"] = "running".into();
    fs::write(run.join("manifest.json"), manifest.to_string()).unwrap();
}

fn lines(run: &Path) -> Vec<String> {
    let journal = fs::read_to_string(run.join("journal.jsonl")).unwrap();
    journal.lines().map(str::to_owned).collect()
}

fn generations(run: &Path) -> Vec<Value> {
    lines(run)
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["generation"].take())
        .collect()
}

/// What decoding decides, without times: by trial and prompt.
fn facts(run: &Path) -> BTreeMap<(String, u64), Vec<Value>> {
    let facts = [
        "text",
        "text_hash",
        "rounds",
        "drafted",
        "tested",
        "accepted",
        "committed",
        "filled",
        "drafter_forwards",
        "verifier_forwards",
        "token_instances",
        "finished_by",
        "is_correct",
        "error",
    ];
    generations(run)
        .iter()
        .map(|row| {
            let trial = row["trial_id"].as_str().unwrap().to_owned();
            let values = facts.iter().map(|fact| row[*fact].clone()).collect();
            ((trial, row["prompt"].as_u64().unwrap()), values)
        })
        .collect()
}

/// Ids and labels of the trials that a sweep or its dry run prints first.
fn printed(text: &str) -> Vec<(String, String)> {
    text.lines()
        .take_while(|line| !line.contains(" points: "))
        .filter_map(|line| line.split_once("  "))
        .map(|(id, label)| (id.to_owned(), label.to_owned()))
        .collect()
}

#[test]
fn two_shards_merged_are_one_run_but_for_times() {
    let out = tempfile::tempdir().unwrap();
    let whole = folder(&smoke(out.path(), &[]));
    let machines = [out.path().join("one"), out.path().join("other")];
    let shards = ["1/2", "2/2"].map(|shard| {
        let machine = &machines[usize::from(shard == "2/2")];
        folder(&smoke(machine, &["--shard", shard]))
    });

    // One baseline in both; of the three other trials each is in one.
    let trials = shards.each_ref().map(|shard| {
        let ids = facts(shard).into_keys().map(|(trial, _)| trial);
        ids.collect::<BTreeSet<String>>()
    });
    let whole_facts = facts(&whole);
    let all: BTreeSet<String> = whole_facts.keys().map(|(trial, _)| trial.clone()).collect();
    assert_eq!(all.len(), 4);
    assert_eq!(&trials[0] | &trials[1], all);
    assert_eq!((&trials[0] & &trials[1]).len(), 1);
    for (shard, name) in shards.iter().zip(["1/2", "2/2"]) {
        let manifest = manifest(shard);
        assert_eq!(manifest["shard"], name);
        assert_eq!(
            manifest["config_hash"],
            self::manifest(&whole)["config_hash"]
        );
        assert!(generations(shard).iter().all(|row| row["shard"] == name));
    }

    let merged = merge(out.path(), &[&shards[1], &shards[0]], &[]);
    let report = fs::read_to_string(folder(&merged).join("report.md")).unwrap();
    assert!(report.contains("merged from shard 1/2") && report.contains("merged from shard 2/2"));
    assert!(
        report.contains("over the baseline of its own shard"),
        "{report}"
    );
    let merged = folder(&merged);
    assert_eq!(facts(&merged), whole_facts);
    // Both baselines stay, two prompts each; the rest is there once.
    assert_eq!(generations(&merged).len(), generations(&whole).len() + 2);
    let manifest = manifest(&merged);
    assert_eq!(manifest["status"], "finished");
    assert_eq!(manifest["shard"], Value::Null);
    assert_eq!(manifest["merged_from"][0]["shard"], "1/2");
    assert_eq!(manifest["n_trials"], 4);
    for file in [
        "sweep.yaml",
        "trials.parquet",
        "generations.parquet",
        "rounds.parquet",
        "positions.parquet",
    ] {
        assert!(merged.join(file).is_file(), "{file}");
    }
    assert_eq!(
        fs::read_to_string(merged.join("sweep.yaml")).unwrap(),
        fs::read_to_string(whole.join("sweep.yaml")).unwrap()
    );
    let again = refused(&merge(out.path(), &[&merged], &[]));
    assert!(again.contains("is merged itself"), "{again}");
}

#[test]
fn what_a_merge_lacks_is_named_and_allowed_only_when_asked_for() {
    let out = tempfile::tempdir().unwrap();
    let output = smoke(out.path(), &["--shard", "1/2"]);
    let own = printed(&stdout(&output));
    let shard = folder(&output);
    let absent = |trial: &&(String, String)| !own.contains(trial);
    let all = printed(&stdout(&smoke(out.path(), &["--dry-run"])));
    let absent: Vec<&(String, String)> = all.iter().filter(absent).collect();
    assert!(!absent.is_empty() && own.len() + absent.len() == 4);

    let message = refused(&merge(out.path(), &[&shard], &[]));
    for (_, label) in &absent {
        assert!(message.contains(&format!("{label}: not run")), "{message}");
    }
    assert!(message.contains("--partial"), "{message}");
    let partial = folder(&merge(out.path(), &[&shard], &["--partial"]));
    assert_eq!(manifest(&partial)["status"], "partial");
    assert_eq!(facts(&partial), facts(&shard));

    // A prompt that the shard did not come to.
    let journal = lines(&shard);
    let of_last_prompt = |line: &&String| line.contains("\"prompt\":1");
    let last = journal.iter().rfind(of_last_prompt).unwrap();
    let kept: Vec<&String> = journal.iter().filter(|line| *line != last).collect();
    let text: String = kept.iter().map(|line| format!("{line}\n")).collect();
    fs::write(shard.join("journal.jsonl"), text).unwrap();
    let message = refused(&merge(out.path(), &[&shard], &[]));
    assert!(message.contains(": prompts 1"), "{message}");
}

#[test]
fn a_merge_needs_nothing_but_the_run_folders() {
    let out = tempfile::tempdir().unwrap();
    let beside = out.path().join("beside");
    fs::create_dir_all(beside.join("hardware")).unwrap();
    let profile = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/hardware/llama-3.1-8b-h100.yaml"),
    )
    .unwrap();
    let profile = profile.replace("name: llama-3.1-8b-h100", "name: mine");
    fs::write(beside.join("hardware/mine.yaml"), profile).unwrap();
    let config = beside.join("own.yaml");
    let text = HALVED
        .replace("name: halved", "name: own")
        .replace("halving: {eta: 2, min_prompts: 2}", "hardware: mine")
        .replace("limit: 6", "limit: 1");
    fs::write(&config, text).unwrap();
    let shards = ["1/2", "2/2"].map(|shard| {
        folder(&sweep(
            config.to_str().unwrap(),
            out.path(),
            &["--shard", shard],
        ))
    });
    fs::remove_dir_all(&beside).unwrap();
    let output = merge(out.path(), &[&shards[0], &shards[1]], &[]);
    let merged = folder(&output);
    let report = fs::read_to_string(merged.join("report.md")).unwrap();
    assert!(report.contains("projected for mine"), "{report}");
    let again = sweep(
        merged.join("sweep.yaml").to_str().unwrap(),
        out.path(),
        &["--dry-run"],
    );
    assert_eq!(printed(&stdout(&again)).len(), 6);
}

#[test]
fn runs_that_do_not_belong_together_are_not_merged() {
    let out = tempfile::tempdir().unwrap();
    let one = folder(&smoke(out.path(), &["--shard", "1/2"]));
    let longer = ["--shard", "2/2", "--set", "workload.max_new_tokens=20"];
    let other = folder(&smoke(out.path(), &longer));
    let message = refused(&merge(out.path(), &[&one, &other], &[]));
    assert!(
        message.contains("not of one sweep: another configuration"),
        "{message}"
    );
    let message = refused(&merge(out.path(), &[&one, &one], &[]));
    assert!(message.contains("are both shard 1/2"), "{message}");
    let message = refused(&merge(out.path(), &[out.path()], &[]));
    assert!(message.contains("is no run folder"), "{message}");
    fs::write(one.join("sweep.yaml"), "name: edited").unwrap();
    let message = refused(&merge(out.path(), &[&one], &["--partial"]));
    assert!(
        message.contains("sweep.yaml was changed after the run"),
        "{message}"
    );
}

#[test]
fn shards_that_cannot_be_are_refused() {
    let out = tempfile::tempdir().unwrap();
    for (extra, expected) in [
        (&["--shard", "3/2"][..], "such as 2/4"),
        (&["--shard", "9/9"], "fewer trials than shards"),
        (
            &["--shard", "1/2", "--set", "halving={}"],
            "halving compares trials",
        ),
        (&["--shard", "1/2", "--set", "mode=auto"], "use mode live"),
    ] {
        let message = refused(&smoke(out.path(), extra));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn resume_takes_the_newest_run_that_it_continues_exactly() {
    let out = tempfile::tempdir().unwrap();
    let older = folder(&smoke(out.path(), &[]));
    let shard = folder(&smoke(out.path(), &["--shard", "1/2"]));
    let other = folder(&smoke(out.path(), &["--set", "workload.max_new_tokens=20"]));
    for run in [&older, &shard, &other] {
        leave_unfinished(run);
    }
    assert_eq!(folder(&smoke(out.path(), &["--resume"])), older);
    let resumed = smoke(out.path(), &["--shard", "1/2", "--resume"]);
    assert_eq!(folder(&resumed), shard, "shards are not mixed");

    // Nothing of the whole sweep is unfinished now, but a twin is.
    let started = smoke(out.path(), &["--resume"]);
    assert!(![&older, &shard, &other].contains(&&folder(&started)));
    let note = stderr(&started);
    assert!(note.contains(other.to_str().unwrap()), "{note}");
    assert!(
        note.contains("workload.max_new_tokens: 20, not 160"),
        "{note}"
    );
}

#[test]
fn a_named_folder_is_continued_or_the_reason_is_given() {
    let out = tempfile::tempdir().unwrap();
    let run = folder(&smoke(out.path(), &[]));
    let named = [&*format!("--resume={}", run.display())];
    let message = refused(&smoke(out.path(), &named));
    assert!(message.contains("is finished"), "{message}");
    leave_unfinished(&run);
    let message = refused(&smoke(
        out.path(),
        &[&named[..], &["--set", "seed=3"]].concat(),
    ));
    assert!(
        message.contains("another configuration (seed: 0, not 3)"),
        "{message}"
    );
    let message = refused(&smoke(
        out.path(),
        &[&named[..], &["--shard", "1/2"]].concat(),
    ));
    assert!(
        message.contains("the whole sweep, not shard 1/2"),
        "{message}"
    );
    let mut older = manifest(&run);
    older["version"] = "0.0.1".into();
    fs::write(run.join("manifest.json"), older.to_string()).unwrap();
    let message = refused(&smoke(out.path(), &named));
    assert!(message.contains("version 0.0.1, not "), "{message}");
    let nothing = [&*format!("--resume={}", out.path().display())];
    let message = refused(&smoke(out.path(), &nothing));
    assert!(message.contains("is no run folder"), "{message}");

    older["version"] = env!("CARGO_PKG_VERSION").into();
    fs::write(run.join("manifest.json"), older.to_string()).unwrap();
    let before = lines(&run);
    fs::write(run.join("journal.jsonl"), before[..2].join("\n") + "\n").unwrap();
    assert_eq!(folder(&smoke(out.path(), &named)), run);
    assert_eq!(lines(&run)[..2], before[..2]);
    assert_eq!(lines(&run).len(), before.len());
}

#[test]
fn fail_fast_stops_at_the_first_failure_and_keeps_what_is_done() {
    let out = tempfile::tempdir().unwrap();
    // No context holds so many tokens, so that every generation fails.
    let failing = ["--set", "workload.max_new_tokens=5000", "--fail-fast"];
    let output = smoke(out.path(), &failing);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("autoregressive, prompt 0: "), "{message}");
    let runs = fs::read_dir(out.path().join("smoke")).unwrap();
    let runs: Vec<PathBuf> = runs.map(|run| run.unwrap().path()).collect();
    assert_eq!((runs.len(), lines(&runs[0]).len()), (1, 1));
    assert_eq!(manifest(&runs[0])["status"], "interrupted");
    let output = smoke(out.path(), &[&failing[..], &["--resume"]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&runs[0]).len(), 2, "it goes on behind the failure");
    assert!(runs[0].join("report.md").is_file());
}

const HALVED: &str = "\
name: halved
models: {verifier: \"embedded:verifier\", drafter: \"embedded:drafter-10\"}
workload: {source: \"synthetic:gsm8k\", limit: 6, seed: 3, max_new_tokens: 40}
decoders:
  - {name: k, kind: speculative, stop: {kind: fixed}, grid: {max_draft_len: [1, 4, 8, 12]}}
  - {name: lossy, kind: speculative, stop: {kind: fixed}, accept: {kind: typical}}
halving: {eta: 2, min_prompts: 2}
timing: {repeats: 1, warmup: 0, duplicate_baseline: false}
";

/// Prompts that each trial ran.
fn n_prompts(run: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (trial, _) in facts(run).into_keys() {
        *counts.entry(trial).or_default() += 1;
    }
    counts
}

#[test]
fn halving_drops_trials_by_what_the_journal_holds() {
    let out = tempfile::tempdir().unwrap();
    let config = out.path().join("halved.yaml");
    fs::write(&config, HALVED).unwrap();
    let config = config.to_str().unwrap();
    let output = sweep(config, out.path(), &[]);
    let text = stdout(&output);
    let halving =
        "halving: trials and baselines: 6 up to prompt 2, 4 up to prompt 4, 3 up to prompt 6";
    assert!(text.contains(halving), "{text}");
    assert!(
        text.contains("3 of 5 trials were dropped before the last prompt"),
        "{text}"
    );
    let n_generations = 6 * 2 + 4 * 2 + 3 * 2;
    assert!(
        text.contains(&format!("{n_generations} generations of 6 trials run live")),
        "{text}"
    );
    let run = folder(&output);
    assert_eq!(generations(&run).len(), n_generations);
    let labels: BTreeMap<String, String> = printed(&text).into_iter().collect();
    let counts = n_prompts(&run);
    let of = |wanted: usize| -> BTreeSet<&str> {
        let ran = counts.iter().filter(|(_, n)| **n == wanted);
        ran.map(|(trial, _)| labels[trial].as_str()).collect()
    };
    assert_eq!((of(2).len(), of(4).len(), of(6).len()), (2, 1, 3));
    assert!(of(6).contains("autoregressive") && of(6).contains("lossy"));

    // The two that were dropped first are the slowest of the first two prompts.
    let mut speeds: Vec<(f64, &str)> = labels
        .iter()
        .filter(|(_, label)| label.starts_with("k "))
        .map(|(trial, label)| {
            let sum = |field: &str| -> f64 {
                let rows = generations(&run).into_iter();
                rows.filter(|row| row["trial_id"] == **trial && row["prompt"].as_u64() < Some(2))
                    .map(|row| row[field].as_f64().unwrap())
                    .sum()
            };
            (sum("committed") / sum("wall_ns"), label.as_str())
        })
        .collect();
    speeds.sort_by(|one, other| one.0.total_cmp(&other.0));
    let slowest: BTreeSet<&str> = speeds[..2].iter().map(|(_, label)| *label).collect();
    assert_eq!(of(2), slowest);
    let report = fs::read_to_string(run.join("report.md")).unwrap();
    for label in slowest {
        assert!(
            report.contains(&format!("| {label}, dropped after 2 prompts |")),
            "{report}"
        );
    }

    // Killed in the second rung, it decides the same about the first one.
    leave_unfinished(&run);
    let journal = lines(&run);
    fs::write(run.join("journal.jsonl"), journal[..14].join("\n") + "\n").unwrap();
    assert_eq!(folder(&sweep(config, out.path(), &["--resume"])), run);
    let resumed = n_prompts(&run);
    let after_first = |counts: &BTreeMap<String, usize>| -> BTreeSet<String> {
        let dropped = counts.iter().filter(|(_, n)| **n == 2);
        dropped.map(|(trial, _)| trial.clone()).collect()
    };
    assert_eq!(after_first(&resumed), after_first(&counts));
    assert_eq!(generations(&run).len(), n_generations);
    assert_eq!(lines(&run)[..14], journal[..14]);
}

#[test]
fn a_dry_run_says_how_many_trials_were_sampled() {
    let out = tempfile::tempdir().unwrap();
    let sample = |sample: &str| {
        let setting = format!("sample={sample}");
        stdout(&smoke(out.path(), &["--dry-run", "--set", &setting]))
    };
    let all = sample("{kind: random, n: 9}");
    assert!(
        all.contains("sample: 3 of 3 trials (random, seed 0)"),
        "{all}"
    );
    let some = sample("{kind: random, n: 2, seed: 4}");
    assert!(
        some.contains("sample: 2 of 3 trials (random, seed 4)"),
        "{some}"
    );
    let (all, some) = (printed(&all), printed(&some));
    assert_eq!((all.len(), some.len()), (4, 3));
    assert_eq!(all[0], some[0], "the baseline is not sampled");
    assert!(some.iter().all(|trial| all.contains(trial)));
}
