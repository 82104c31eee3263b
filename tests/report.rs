//! `report` on the folders of runs: the same files as at the end of the run, and a check that notices change.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use wedlm_bench::analysis::details::Category;
use wedlm_bench::cmd::sweep_view::FinishedRun;
use wedlm_bench::config::load_sweep;
use wedlm_bench::stats::bootstrap::Bootstrap;
use wedlm_bench::stats::interval::Interval;

const CONFIG: &str = "\
name: reported
models: {verifier: \"embedded:verifier\", drafter: \"embedded:drafter-10\", window: \"embedded:wedlm\"}
workload: {source: \"synthetic:mix\", limit: 4, seed: 9, max_new_tokens: 40}
decoders:
  - {name: fixed-k, kind: speculative, stop: {kind: fixed}, grid: {max_draft_len: [2, 4]}}
  - {name: ebsd, kind: speculative, stop: {kind: absolute}, grid: {stop.theta_abs: [0.3, 1.0], max_draft_len: [4, 8]}}
  - {name: wedlm, kind: window, grid: {select.entropy_threshold: [null, 0.4]}}
  - {name: lossy, kind: speculative, stop: {kind: fixed}, accept: {kind: typical}}
timing: {repeats: 2, warmup: 0}
";

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Exit code and the one sentence on standard error.
fn failure(output: &Output) -> (i32, String) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.trim().lines().count(), 1, "{text}");
    (output.status.code().unwrap(), text)
}

/// Runs a sweep; its folder.
fn swept(folder: &Path, config: &str) -> PathBuf {
    let path = folder.join("reported.yaml");
    fs::write(&path, config).unwrap();
    let out = folder.join("out");
    let text = stdout(&run(&[
        "sweep",
        path.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]));
    PathBuf::from(text.lines().last().unwrap())
}

/// Everything in a folder that a report consists of, by its path in there.
fn report(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in ["report.md", "report.html"] {
        files.insert(name.to_owned(), fs::read(folder.join(name)).unwrap());
    }
    for inner in ["figures", "tables"] {
        for entry in fs::read_dir(folder.join(inner)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            files.insert(format!("{inner}/{name}"), fs::read(&path).unwrap());
        }
    }
    files
}

fn assert_same(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(one), names(other));
    for (name, bytes) in one {
        assert!(bytes == &other[name], "{name} differs");
    }
}

/// Reading JSON may move the last digit.
fn assert_equal(shown: Option<Interval>, filed: Option<Interval>, of: &str) {
    let numbers = |interval: Interval| [interval.estimate, interval.low, interval.high];
    let (Some(one), Some(other)) = (shown.map(numbers), filed.map(numbers)) else {
        assert_eq!(shown, filed, "{of}");
        return;
    };
    for (one, other) in one.into_iter().zip(other) {
        let is_near = (one - other).abs() <= 1e-12 * one.abs();
        assert!(one == other || is_near, "{of}: {shown:?}, {filed:?}");
    }
}

/// Every number of a trial on a category, and every hazard, is in the report as it is in the files.
fn assert_one_set_of_numbers(folder: &Path) {
    let sweep = load_sweep(folder.join("sweep.yaml"), &[]).unwrap();
    let manifest = fs::read(folder.join("manifest.json")).unwrap();
    let run = FinishedRun {
        folder,
        sweep: &sweep,
        manifest: &manifest,
    };
    let view = run.view(&Bootstrap::default()).unwrap();
    let shown = &view.details.categories;
    let (mut n_trials, mut n_hazards) = (0, 0);
    for trial in &view.metrics.trials {
        for filed in &trial.categories {
            // A workload of one kind of prompts has no category but all of them.
            let is_it = |one: &&Category| one.name == filed.category || shown.len() == 1;
            let category = shown.iter().find(is_it).unwrap();
            assert_eq!(category.n_prompts as u64, filed.n_prompts);
            let mut trials = category.trials.iter();
            let Some(own) = trials.find(|one| one.label == trial.label) else {
                continue;
            };
            let of = format!("{}, {}", trial.label, category.name);
            assert_equal(own.speedup, filed.speedup, &of);
            assert_equal(own.acceptance_rate, filed.acceptance_rate, &of);
            assert_equal(own.quality.score, filed.quality.score, &of);
            assert_equal(own.quality.exact_match, filed.quality.exact_match, &of);
            assert_equal(own.quality.perplexity, filed.quality.perplexity, &of);
            n_trials += 1;
        }
    }
    for filed in &view.metrics.drafts {
        let hazards = view.details.hazards.iter();
        for own in hazards.filter(|own| own.label == filed.label) {
            assert_eq!(own.slots.len(), filed.hazard.len());
            for (own, filed) in own.slots.iter().zip(&filed.hazard) {
                assert_eq!((own.reached, own.rejected), (filed.reached, filed.rejected));
                assert_equal(Some(own.share), Some(filed.share), "hazard");
            }
            n_hazards += 1;
        }
    }
    assert!(n_trials >= 5 && n_hazards >= 1, "{n_trials}, {n_hazards}");
}

#[test]
fn a_report_made_again_is_the_same_and_one_of_other_data_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let run_folder = swept(folder.path(), CONFIG);
    let place = run_folder.to_str().unwrap();
    let first = report(&run_folder);
    assert_one_set_of_numbers(&run_folder);
    for kind in ["category", "heat-map", "hazard", "latency", "window"] {
        for extension in ["svg", "png", "pdf"] {
            let name = format!("figures/{kind}.{extension}");
            assert!(first.contains_key(&name), "{name}");
        }
    }
    let elsewhere = folder.path().join("elsewhere");
    let out = elsewhere.to_str().unwrap();
    stdout(&run(&["report", place, "--out", out]));
    assert_same(&first, &report(&elsewhere));

    assert_eq!(stdout(&run(&["report", place, "--check"])), "");
    stdout(&run(&["report", place, "--check", "--out", out]));
    fs::write(elsewhere.join("report.html"), "old").unwrap();
    let (code, text) = failure(&run(&["report", place, "--check", "--out", out]));
    assert_eq!(code, 1);
    assert!(text.contains("report.html: does not say"), "{text}");

    // Without the large tables the report has less in it, and says what is missing.
    for table in ["generations", "rounds", "positions"] {
        fs::remove_file(run_folder.join(format!("{table}.parquet"))).unwrap();
    }
    let (code, text) = failure(&run(&["report", place, "--check"]));
    assert_eq!(code, 1);
    assert!(
        text.contains("report.md: was made from other data"),
        "{text}"
    );
    assert_same(&first, &report(&run_folder));
    stdout(&run(&["report", place]));
    stdout(&run(&["report", place, "--check"]));
    let text = fs::read_to_string(run_folder.join("report.md")).unwrap();
    assert!(
        text.contains("not drawn, the run folder holds no rounds"),
        "{text}"
    );
    assert!(text.contains("## The best of each decoder"));
    assert!(!run_folder.join("figures/hazard.svg").exists());
}

#[test]
fn replayed_trials_come_back_with_their_check() {
    let folder = tempfile::tempdir().unwrap();
    let config = CONFIG.to_owned() + "mode: auto\nreplay: {check: 4}\n";
    let run_folder = swept(folder.path(), &config);
    let first = report(&run_folder);
    let text = String::from_utf8(first["report.md"].clone()).unwrap();
    assert!(text.contains("6 trials were read off one trace"), "{text}");
    assert!(text.contains("16 generations"), "{text}");
    assert!(text.contains("n = 4 trials"), "{text}");
    assert!(first.contains_key("figures/replay.svg"));
    stdout(&run(&["report", run_folder.to_str().unwrap()]));
    assert_same(&first, &report(&run_folder));
}

#[test]
fn several_runs_get_a_report_each() {
    let folder = tempfile::tempdir().unwrap();
    let reference = "results/reference/gsm8k";
    let out = folder.path().to_str().unwrap();
    let copy = folder.path().join("runs/copy");
    fs::create_dir_all(&copy).unwrap();
    for name in ["manifest.json", "sweep.yaml", "trials.parquet"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(reference);
        fs::copy(from.join(name), copy.join(name)).unwrap();
    }
    let runs = [reference, copy.to_str().unwrap()];
    let text = stdout(&run(&["report", runs[0], runs[1], "--out", out]));
    assert_eq!(text.lines().count(), 2);
    let one = report(&folder.path().join("reference/gsm8k"));
    assert_same(&one, &report(&folder.path().join("runs/copy")));
    let page = String::from_utf8(one["report.html"].clone()).unwrap();
    let manifest = fs::read_to_string(copy.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    for part in [
        "<table data-table=\"main\"",
        "<table data-table=\"window\"",
        manifest["git_revision"].as_str().unwrap(),
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_folder_that_holds_no_run_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let (code, text) = failure(&run(&["report", place]));
    assert_eq!(code, 2);
    assert!(text.contains("is no run folder: manifest.json"), "{text}");
}
