//! The program as a user runs it: what it prints, what it writes, how it fails.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use polars_io::SerReader;
use polars_io::parquet::read::ParquetReader;
use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("HF_HOME")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Exit code and the one sentence on standard error.
fn failure(arguments: &[&str]) -> (i32, String) {
    let output = run(arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!text.contains("panicked"), "{text}");
    (output.status.code().unwrap(), text.trim().to_string())
}

#[test]
fn data_writes_the_same_problems_for_the_same_seed() {
    let one = stdout(&run(&[
        "data",
        "synthetic:gsm8k",
        "-n",
        "1000",
        "--seed",
        "1",
    ]));
    let same = stdout(&run(&[
        "data",
        "synthetic:gsm8k",
        "-n",
        "1000",
        "--seed",
        "1",
    ]));
    let other = stdout(&run(&[
        "data",
        "synthetic:gsm8k",
        "-n",
        "1000",
        "--seed",
        "2",
    ]));
    assert_eq!(one, same);
    assert_ne!(one, other);
    assert_eq!(one.lines().count(), 1000);
    for line in one.lines() {
        let problem: Value = serde_json::from_str(line).unwrap();
        assert!(problem["question"].is_string());
        assert!(problem["answer"].as_str().unwrap().contains("\n#### "));
    }
}

#[test]
fn data_writes_every_family_and_a_mix_of_them() {
    let lines = |source: &str, split: &str| -> Vec<String> {
        let arguments = ["data", source, "-n", "14", "--seed", "3", "--split", split];
        stdout(&run(&arguments))
            .lines()
            .map(str::to_owned)
            .collect()
    };
    let mix = lines("synthetic:mix", "train");
    let families = [
        "gsm8k",
        "code",
        "counting",
        "qa",
        "translation",
        "summary",
        "story",
    ];
    for (place, family) in families.into_iter().enumerate() {
        let source = format!("synthetic:{family}");
        let train = lines(&source, "train");
        assert_eq!(train.len(), 14);
        assert_eq!([&mix[place], &mix[place + 7]], [&train[0], &train[1]]);
        let held_out = lines(&source, "held-out");
        assert!(train.iter().all(|line| !held_out.contains(line)));
    }
}

#[test]
fn score_gives_a_log_probability_and_all_entropies_per_token() {
    let text = stdout(&run(&[
        "score",
        "--model",
        "tests/fixtures/qwen3",
        "--text",
        "The capital of France is",
        "--json",
    ]));
    let score: Value = serde_json::from_str(&text).unwrap();
    let golden: Value =
        serde_json::from_str(&fs::read_to_string("tests/fixtures/qwen3/golden.json").unwrap())
            .unwrap();
    let expected = &golden["prompts"][2];
    assert_eq!(score["ids"], expected["ids"]);
    let numbers = |value: &Value| -> Vec<f64> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_f64().unwrap())
            .collect()
    };
    for (got, expected) in numbers(&score["logprobs"])
        .iter()
        .zip(numbers(&expected["logprobs"]))
    {
        assert!((got - expected).abs() < 1e-3);
    }
    let entropies = score["entropies"].as_array().unwrap();
    assert_eq!(entropies.len(), score["ids"].as_array().unwrap().len());
    for (got, expected) in entropies
        .iter()
        .zip(expected["entropies"].as_array().unwrap())
    {
        for kind in ["shannon", "renyi_2", "tsallis_2", "topk_10", "min"] {
            assert!((got[kind].as_f64().unwrap() - expected[kind].as_f64().unwrap()).abs() < 1e-3);
        }
    }
    let by_ids = stdout(&run(&[
        "score",
        "--model",
        "tests/fixtures/qwen3",
        "--ids",
        "5,6,7",
        "--json",
    ]));
    assert!(
        by_ids.starts_with(r#"{"ids":[5,6,7],"logprobs":["#),
        "{by_ids}"
    );
}

#[test]
fn generate_reports_rounds_that_add_up_to_the_text() {
    let decoders = [
        "{kind: autoregressive}",
        "{kind: speculative, stop: {kind: absolute, theta_abs: 1.0}, max_draft_len: 8}",
        "{kind: window, select: {kind: entropy, entropy_threshold: 0.4}}",
    ];
    for decoder in decoders {
        let text = stdout(&run(&[
            "generate",
            "--decoder",
            decoder,
            "--prompt",
            "Question: Tom has 3 boxes with 4 pens in each box. How many pens does Tom have?\nAnswer:",
            "--max-new-tokens",
            "20",
            "--ignore-eos",
            "--json",
        ]));
        let generation: Value = serde_json::from_str(&text).unwrap();
        let rounds = generation["rounds"].as_array().unwrap();
        let committed: Vec<Value> = rounds
            .iter()
            .flat_map(|round| round["committed"].as_array().unwrap().clone())
            .collect();
        assert_eq!(
            generation["ids"].as_array().unwrap(),
            &committed,
            "{decoder}"
        );
        assert_eq!(committed.len(), 20);
        assert_eq!(generation["counts"]["verifier_forwards"], rounds.len());
        let is_window = decoder.contains("window");
        assert_eq!(rounds[0].get("positions").is_some(), is_window);
        assert_eq!(rounds[0].get("draft").is_some(), !is_window);
    }
    let shown = stdout(&run(&[
        "generate",
        "--prompt",
        "Question:",
        "--max-new-tokens",
        "8",
    ]));
    assert!(
        shown.contains("round   1") && shown.contains("tokens per forward"),
        "{shown}"
    );
}

#[test]
fn generate_writes_a_trace_that_spells_the_text() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("trace.jsonl");
    let generate = |decoder: &str, path: &Path| {
        run(&[
            "generate",
            "--decoder",
            decoder,
            "--prompt",
            "Question: Tom has 3 boxes.",
            "--max-new-tokens",
            "20",
            "--ignore-eos",
            "--json",
            "--trace",
            path.to_str().unwrap(),
        ])
    };
    for decoder in [
        "{kind: autoregressive}",
        "{kind: speculative, stop: {kind: absolute, theta_abs: 1.0}}",
        "{kind: window, variant: block, window_size: 8}",
    ] {
        let text = stdout(&generate(decoder, &path));
        let generation: Value = serde_json::from_str(&text).unwrap();
        let trace = fs::read_to_string(&path).unwrap();
        let mut committed: Vec<(u64, u64)> = trace
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| {
                assert!(line["text"].is_string());
                ["accepted", "verifier"]
                    .iter()
                    .any(|own| line["outcome"] == *own)
                    || line["committed_step"].is_u64()
            })
            .map(|line| {
                let number = |field: &str| line[field].as_u64().unwrap();
                (number("position"), number("token"))
            })
            .collect();
        committed.sort_unstable();
        let tokens: Vec<u64> = committed.iter().map(|&(_, token)| token).collect();
        assert_eq!(serde_json::json!(tokens), generation["ids"], "{decoder}");
    }
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);

    let nowhere = generate("{kind: autoregressive}", &out.path().join("no/trace.jsonl"));
    assert_eq!(nowhere.status.code(), Some(1));
    let message = String::from_utf8(nowhere.stderr).unwrap();
    assert!(
        message.contains("--trace ") && message.contains("no/trace.jsonl: cannot be written"),
        "{message}"
    );
}

fn sweep(out: &Path, extra: &[&str]) -> Output {
    let mut arguments = vec![
        "sweep",
        "configs/smoke.yaml",
        "--out",
        out.to_str().unwrap(),
    ];
    arguments.extend(extra);
    run(&arguments)
}

#[test]
fn a_sweep_ends_with_its_folder_and_leaves_every_file_in_it() {
    let out = tempfile::tempdir().unwrap();
    let text = stdout(&sweep(out.path(), &["--limit", "2"]));
    let folder = Path::new(text.lines().last().unwrap());
    for file in [
        "manifest.json",
        "sweep.yaml",
        "journal.jsonl",
        "trials.parquet",
        "generations.parquet",
        "rounds.parquet",
        "positions.parquet",
        "report.md",
    ] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    assert!(fs::read_dir(folder.join("figures")).unwrap().count() >= 4);
    assert!(!fs::read_dir(folder).unwrap().any(|entry| {
        entry
            .unwrap()
            .path()
            .extension()
            .is_some_and(|e| e == "tmp")
    }));
    let manifest: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["status"], "finished");
    assert_eq!(manifest["n_prompts"], 2);
    assert_eq!(manifest["costs"].as_array().unwrap().len(), 3);

    // The resolved file runs as it is and plans the same trials.
    let resolved = folder.join("sweep.yaml");
    let again = stdout(&run(&["sweep", resolved.to_str().unwrap(), "--dry-run"]));
    let planned = |text: &str| {
        text.lines()
            .take_while(|line| !line.contains(" points: "))
            .map(str::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(planned(&text), planned(&again));
}

#[test]
fn a_resumed_sweep_runs_only_what_is_missing() {
    let out = tempfile::tempdir().unwrap();
    let text = stdout(&sweep(out.path(), &["--limit", "2"]));
    let folder = Path::new(text.lines().last().unwrap()).to_path_buf();
    // As a kill leaves it: not finished, the last lines of the journal missing or cut.
    let manifest = folder.join("manifest.json");
    let running = fs::read_to_string(&manifest)
        .unwrap()
        .replace("\"finished\"", "\"running\"");
    fs::write(&manifest, running).unwrap();
    let journal = folder.join("journal.jsonl");
    let lines = fs::read_to_string(&journal).unwrap();
    let kept: Vec<&str> = lines.lines().take(3).collect();
    fs::write(
        &journal,
        format!("{}\n{{\"generation\":{{\"tri", kept.join("\n")),
    )
    .unwrap();

    let resumed = stdout(&sweep(out.path(), &["--limit", "2", "--resume"]));
    assert_eq!(Path::new(resumed.lines().last().unwrap()), folder);
    let after = fs::read_to_string(&journal).unwrap();
    assert!(
        after.starts_with(&kept.join("\n")),
        "finished generations are not run again"
    );
    assert_eq!(after.lines().count(), lines.lines().count());

    let running = fs::read_to_string(&manifest)
        .unwrap()
        .replace("\"finished\"", "\"running\"");
    fs::write(&manifest, running).unwrap();
    let other = sweep(out.path(), &["--limit", "1", "--resume"]);
    let note = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(
        note.contains("another configuration (workload.limit: 2, not 1)"),
        "{note}"
    );
    let started = stdout(&other);
    assert_ne!(Path::new(started.lines().last().unwrap()), folder);
    assert_eq!(
        fs::read_to_string(&journal).unwrap(),
        after,
        "a run of another configuration is left alone"
    );
}

/// The generations in the journal of a finished run, as JSON.
fn generations(text: &str) -> Vec<Value> {
    let folder = Path::new(text.lines().last().unwrap());
    let journal = fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    journal
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["generation"].take())
        .collect()
}

fn write_sweep(folder: &Path, decoders: &str) -> String {
    let path = folder.join("own.yaml");
    let text = format!(
        "name: own\n\
         models: {{verifier: \"embedded:verifier\", drafter: \"embedded:drafter-10\"}}\n\
         workload: {{source: \"synthetic:gsm8k\", limit: 5, seed: 17, max_new_tokens: 60}}\n\
         decoders:\n{decoders}\n\
         timing: {{repeats: 1, warmup: 0, duplicate_baseline: false}}\n"
    );
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_batch_gives_each_prompt_the_text_and_the_counts_that_it_has_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_sweep(
        folder.path(),
        "  - {name: ebsd, kind: speculative, stop: {kind: absolute}, grid: {batch_size: [1, 3]}}",
    );
    let out = folder.path().join("out");
    let rows = generations(&stdout(&run(&[
        "sweep",
        &path,
        "--out",
        out.to_str().unwrap(),
    ])));
    assert_eq!(
        rows.len(),
        4 * 5,
        "two baselines and two points, five prompts"
    );
    let mut trials: Vec<&str> = Vec::new();
    for row in &rows {
        let id = row["trial_id"].as_str().unwrap();
        if !trials.contains(&id) {
            trials.push(id);
        }
    }
    let counts = ["text", "rounds", "drafted", "accepted", "committed"];
    let of = |trial: &str, prompt: usize| -> Vec<&Value> {
        let row = rows
            .iter()
            .find(|row| row["trial_id"] == trial && row["prompt"] == prompt)
            .unwrap();
        assert!(row["latency_ns"].as_u64() > Some(0) && row["error"].is_null());
        counts.iter().map(|count| &row[*count]).collect()
    };
    let speculative = |trial: &&&str| of(trial, 0)[2].as_u64() > Some(0);
    let (drafting, baselines): (Vec<&&str>, Vec<&&str>) =
        trials.iter().partition(|trial| speculative(trial));
    for pair in [drafting, baselines] {
        assert_eq!(pair.len(), 2);
        for prompt in 0..5 {
            assert_eq!(of(pair[0], prompt), of(pair[1], prompt));
        }
    }
}

#[test]
fn a_rule_that_learns_from_prompt_to_prompt_goes_on_learning_when_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_sweep(
        folder.path(),
        "  - {name: heuristic, kind: speculative, stop: {kind: hf_heuristic, start: 2, scope: stream}}\n  \
           - {name: forgetful, kind: speculative, stop: {kind: hf_heuristic, start: 2}}",
    );
    let out = folder.path().join("out");
    let arguments = ["sweep", &path, "--out", out.to_str().unwrap()];
    let text = stdout(&run(&arguments));
    let drafted = |rows: &[Value]| -> Vec<Vec<u64>> {
        let mut by_trial: Vec<(String, Vec<u64>)> = Vec::new();
        let mut rows = rows.to_vec();
        rows.sort_by_key(|row| row["prompt"].as_u64());
        for row in &rows {
            let id = row["trial_id"].as_str().unwrap().to_owned();
            let n = row["drafted"].as_u64().unwrap();
            match by_trial.iter_mut().find(|(trial, _)| *trial == id) {
                Some((_, list)) => list.push(n),
                None => by_trial.push((id, vec![n])),
            }
        }
        by_trial.sort();
        by_trial.into_iter().map(|(_, list)| list).collect()
    };
    let unbroken = drafted(&generations(&text));
    assert_eq!(unbroken.len(), 3);
    let learning: Vec<&Vec<u64>> = unbroken.iter().filter(|list| list[0] > 0).collect();
    assert_ne!(learning[0], learning[1], "a stream remembers");

    let run_folder = Path::new(text.lines().last().unwrap());
    let manifest = run_folder.join("manifest.json");
    let running = fs::read_to_string(&manifest)
        .unwrap()
        .replace("\"finished\"", "\"running\"");
    fs::write(&manifest, running).unwrap();
    let journal = run_folder.join("journal.jsonl");
    let kept: Vec<String> = fs::read_to_string(&journal)
        .unwrap()
        .lines()
        .take(7)
        .map(str::to_owned)
        .collect();
    fs::write(&journal, kept.join("\n") + "\n").unwrap();
    let resumed = stdout(&run(&[&arguments[..], &["--resume"]].concat()));
    assert_eq!(drafted(&generations(&resumed)), unbroken);
}

#[test]
fn mistakes_are_one_sentence_with_the_place_and_the_exit_code() {
    let cases: [(&[&str], i32, &str); 8] = [
        (
            &["sweep", "configs/nothing.yaml"],
            2,
            "configs/nothing.yaml: no such file",
        ),
        (
            &["sweep", "configs/smoke.yaml", "--set", "workload.limt=3"],
            2,
            "workload: unknown field 'limt', expected one of 'source', 'limit'",
        ),
        (
            &[
                "sweep",
                "configs/smoke.yaml",
                "--set",
                "models.drafter=no/such/folder",
            ],
            1,
            "no/such/folder: there is no such folder; give",
        ),
        (
            &[
                "sweep",
                "configs/smoke.yaml",
                "--set",
                "models.drafter=tests/fixtures/llama",
            ],
            1,
            "have different tokenizers: id ",
        ),
        (
            &[
                "sweep",
                "configs/smoke.yaml",
                "--set",
                "workload.source=gsm8k:no.jsonl",
            ],
            1,
            "no.jsonl",
        ),
        (
            &["sweep", "configs/smoke.yaml", "--device", "cuda:3"],
            1,
            "--features cuda",
        ),
        (
            &["score", "--model", "embedded:nothing", "--text", "a"],
            1,
            "there is no such embedded model",
        ),
        (
            &["generate", "--decoder", "{kind: fast}", "--prompt", "a"],
            2,
            "--decoder",
        ),
    ];
    for (arguments, code, expected) in cases {
        let (got, message) = failure(arguments);
        assert_eq!(got, code, "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn an_empty_prompt_and_a_full_context_are_errors() {
    let (code, message) = failure(&["generate", "--prompt", "", "--max-new-tokens", "4"]);
    assert_eq!(
        (code, message.contains("the prompt is empty")),
        (1, true),
        "{message}"
    );
    let (code, message) = failure(&["generate", "--prompt", "a", "--max-new-tokens", "5000"]);
    assert_eq!(
        (code, message.contains("holds 1024")),
        (1, true),
        "{message}"
    );
}

const REPLAYED: &str = "\
name: replayed
models: {verifier: \"embedded:verifier\", drafter: \"embedded:drafter-10\"}
workload: {source: \"synthetic:gsm8k\", limit: 4, seed: 9, max_new_tokens: 60}
decoders:
  - {name: fixed-k, kind: speculative, stop: {kind: fixed}, grid: {max_draft_len: [2, 4, 8]}}
  - {name: ebsd, kind: speculative, stop: {kind: absolute}, grid: {stop.theta_abs: [0.3, 1.0], entropy.kind: [shannon, min]}}
  - {name: learned, kind: speculative, stop: {kind: adaedl, scope: stream}, max_draft_len: 6}
  - {name: lossy, kind: speculative, stop: {kind: fixed}, accept: {kind: typical}}
mode: auto
replay: {check: 8}
timing: {repeats: 1, warmup: 0, duplicate_baseline: false}
";

/// Operations of the verifier, of the drafter, and the wasted ones, by trial, mode and prompt.
fn flops(generations: &Path) -> BTreeMap<(String, String, u64), [Option<u64>; 3]> {
    let file = fs::File::open(generations).unwrap();
    let table = ParquetReader::new(file).finish().unwrap();
    let words = |name: &str| -> Vec<String> {
        let column = table.column(name).unwrap().str().unwrap();
        column.iter().map(|text| text.unwrap().to_owned()).collect()
    };
    let counts = |name: &str| -> Vec<Option<u64>> {
        table.column(name).unwrap().u64().unwrap().iter().collect()
    };
    let (trials, modes, prompts) = (words("trial_id"), words("mode"), counts("prompt"));
    let flops = ["verifier_flops", "drafter_flops", "wasted_flops"].map(counts);
    (0..table.height())
        .map(|row| {
            let of = (
                trials[row].clone(),
                modes[row].clone(),
                prompts[row].unwrap(),
            );
            (of, flops.each_ref().map(|column| column[row]))
        })
        .collect()
}

#[test]
fn replayed_trials_have_the_rounds_that_they_have_live() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("replayed.yaml");
    fs::write(&config, REPLAYED).unwrap();
    let out = folder.path().join("out");
    let arguments = [
        "sweep",
        config.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    let text = stdout(&run(&arguments));
    assert!(text.contains("8 trials are replayed"), "{text}");
    assert!(text.contains("0 of 32 generations differ"), "{text}");
    let run_folder = Path::new(text.lines().last().unwrap());
    let live = generations(&text);
    assert_eq!(
        live.len(),
        (1 + 8 + 1) * 4,
        "the lossy trial runs live alone"
    );
    let report = fs::read_to_string(run_folder.join("report.md")).unwrap();
    assert!(report.contains("lossless, replayed"), "{report}");
    let flops = flops(&run_folder.join("generations.parquet"));
    let mut n_compared = 0;
    for ((trial, mode, prompt), replayed) in &flops {
        assert!(replayed[0].is_some() && replayed[2].is_some());
        let live = flops.get(&(trial.clone(), "live".to_owned(), *prompt));
        if let Some(live) = live.filter(|_| mode == "replay") {
            assert_eq!(replayed, live, "{trial}, prompt {prompt}");
            n_compared += 1;
        }
    }
    assert_eq!(
        n_compared,
        (1 + 8) * 4,
        "the baseline and all that was checked"
    );

    // The trace that the run left answers the same sweep on another machine.
    let trace = run_folder.join("trace");
    let replayed = stdout(&run(&[
        "replay",
        trace.to_str().unwrap(),
        config.to_str().unwrap(),
        "--hardware",
        "llama-3.1-8b-h100",
        "--out",
        out.to_str().unwrap(),
    ]));
    assert!(replayed.contains("times predicted for"), "{replayed}");
    let (code, error) = failure(&["replay", out.to_str().unwrap(), config.to_str().unwrap()]);
    assert!(code == 1 && error.contains("trace.json"), "{error}");
}

#[test]
fn a_trace_is_recorded_into_a_new_folder() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("replayed.yaml");
    fs::write(&config, REPLAYED).unwrap();
    let to = folder.path().join("traces");
    let arguments = [
        "trace",
        config.to_str().unwrap(),
        "--limit",
        "2",
        "--to",
        to.to_str().unwrap(),
    ];
    let text = stdout(&run(&arguments));
    assert!(
        text.contains("2 texts") && text.contains("drafts of up to 8 tokens"),
        "{text}"
    );
    for file in ["trace.json", "prompts.parquet", "slots.parquet"] {
        assert!(to.join(file).is_file(), "{file}");
    }
    let (code, error) = failure(&arguments);
    assert!(code == 2 && error.contains("is there already"), "{error}");
}
