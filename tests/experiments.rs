//! Experiments as a user runs them: claims, verdicts, spliced READMEs, rules that change too late.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use wedlm_bench::analysis::hypotheses::select::is_planned_in;
use wedlm_bench::config::experiment::{DecisionRule, Experiment, ExperimentSpec};
use wedlm_bench::config::load::parse;
use wedlm_bench::plan::plan;
use wedlm_bench::report::splice::empty_block;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap()
}

fn stderr(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

fn stdout(output: &Output) -> String {
    stderr(output, 0);
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&text(path)).unwrap()
}

const SWEEP: &str = "name: tiny
models: {verifier: \"embedded:verifier\", drafter: \"embedded:drafter-10\"}
workload: {source: \"synthetic:gsm8k\", limit: 2, max_new_tokens: 12}
decoders:
  - {name: fixed-k, kind: speculative, stop: {kind: fixed}, max_draft_len: 4}
  - {name: absolute, kind: speculative, stop: {kind: absolute}, grid: {stop.theta_abs: [0.5, 1.0]}}
timing: {repeats: 1, warmup: 0, duplicate_baseline: false, look_back: true}
";

const CLAIM: &str = "claim: It is faster.
sweeps: [{file: ../tiny.yaml}]
questions:
  - name: speed
    asks: Is it faster?
    rule: {kind: beats, margin: 0.0, candidates: {entries: [absolute]}, baselines: {entries: [fixed-k]}}
  - name: quality
    asks: Are the texts the same?
    rule:
      kind: equivalent
      metric: same_text
      margin: {absolute: 0.9}
      min_prompts: 2
      candidates: {entries: [absolute]}
      baselines: {entries: [autoregressive]}
  - name: levels
    asks: Does the other entry differ on the same prompts?
    rule:
      kind: differs
      metric: nats_per_token
      margin: 0.5
      reference: fixed
      levels:
        - {name: fixed, select: {entries: [fixed-k]}}
        - {name: absolute, select: {entries: [absolute]}}
";

/// A project of two experiments that share a sweep.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let project = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for slug in ["h1", "h2"] {
            fs::create_dir_all(project.at(&format!("experiments/{slug}"))).unwrap();
            fs::write(project.claim(slug), CLAIM).unwrap();
        }
        fs::write(project.at("experiments/tiny.yaml"), SWEEP).unwrap();
        let readme = format!("# One\n\nby hand\n\n{}", empty_block("verdict"));
        fs::write(project.at("experiments/h1/README.md"), readme).unwrap();
        let table = format!("# All\n\n{}", empty_block("verdicts"));
        fs::write(project.at("experiments/README.md"), &table).unwrap();
        fs::write(project.at("README.md"), &table).unwrap();
        project
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn claim(&self, slug: &str) -> PathBuf {
        self.at(&format!("experiments/{slug}/experiment.yaml"))
    }

    /// The verb on both experiments, and on what else the shell would give.
    fn experiment(&self, extra: &[&str]) -> Output {
        let places = ["experiments/h1", "experiments/h2", "experiments/tiny.yaml"];
        let places: Vec<String> = places
            .iter()
            .map(|place| self.at(place).display().to_string())
            .collect();
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        run(&[&["experiment"], &places[..], extra].concat())
    }

    fn verdict(&self, slug: &str) -> Value {
        json(&self.at(&format!("experiments/{slug}/verdict.json")))
    }
}

#[test]
fn an_experiment_runs_its_sweep_once_judges_splices_and_notices_a_rule_that_changed() {
    let project = Project::new();
    let out = project.at("results");
    let run_it = ["--limit", "2", "--out", out.to_str().unwrap()];
    let printed = stdout(&project.experiment(&run_it));
    assert!(
        printed.contains("INCONCLUSIVE h1: 2 prompts are fewer than the 10"),
        "{printed}"
    );

    // Both share the sweep, so there is one run, which names both rules.
    let runs: Vec<PathBuf> = fs::read_dir(out.join("tiny"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [one_run] = &runs[..] else {
        panic!("{runs:?}")
    };
    let manifest = json(&one_run.join("manifest.json"));
    let verdict = project.verdict("h1");
    for slug in ["h1", "h2"] {
        assert_eq!(
            manifest["experiments"][slug]["rule_hash"],
            verdict["rule_hash"]
        );
    }
    assert_eq!(manifest["experiments"]["h1"]["hash"], verdict["hash"]);
    assert_eq!(verdict["registration"], "before_the_run");
    assert_eq!(verdict["decision"], "inconclusive");
    let [speed, quality, levels] = verdict["answers"].as_array().unwrap().as_slice() else {
        panic!("{verdict}")
    };
    assert_eq!(
        (speed["findings"][0]["n"].as_u64(), speed["times"].as_str()),
        (Some(2), Some("measured"))
    );
    assert!(speed["findings"][0]["effect"]["estimate"].as_f64().unwrap() > 0.0);
    // Lossless: the same text on both prompts.
    assert_eq!(quality["findings"][0]["note"], "equal on 2 of 2 prompts");
    assert_eq!(verdict["runs"][0]["n_prompts"], 2);
    // Paired by prompt across trials, with what looking back told of the texts.
    assert_eq!(levels["findings"][0]["n"], 2);
    assert_eq!(levels["findings"][0]["effect"]["estimate"], 1.0);

    let readme = text(&project.at("experiments/h1/README.md"));
    assert!(readme.starts_with("# One\n\nby hand\n"), "{readme}");
    assert!(
        readme.contains("**INCONCLUSIVE**: It is faster."),
        "{readme}"
    );
    assert!(text(&project.at("experiments/h2/README.md")).contains("**INCONCLUSIVE**"));
    assert!(
        text(&project.at("experiments/README.md"))
            .contains("| [h2](h2/README.md) | It is faster. |")
    );
    assert!(text(&project.at("README.md")).contains("| [h1](experiments/h1/README.md) |"));
    let report = text(&one_run.join("report.md"));
    assert!(
        report.contains("## Verdicts\n\n`h1` **INCONCLUSIVE**: It is faster."),
        "{report}"
    );
    assert!(text(&one_run.join("report.html")).contains("id=\"verdicts\""));
    assert!(text(&one_run.join("tables/verdicts.tex")).contains("INCONCLUSIVE"));
    stdout(&run(&["report", one_run.to_str().unwrap(), "--check"]));

    // Judged again from the tables it is the same, and --check agrees.
    let again = ["--judge-only", one_run.to_str().unwrap()];
    stdout(&project.experiment(&again));
    assert_eq!(project.verdict("h1"), verdict);
    assert_eq!(text(&project.at("experiments/h1/README.md")), readme);
    stdout(&project.experiment(&["--check"]));

    // A block edited by hand is noticed.
    let edited = readme.replace("**INCONCLUSIVE**", "**PASS**");
    fs::write(project.at("experiments/h1/README.md"), edited).unwrap();
    let complaint = stderr(&project.experiment(&["--check"]), 1);
    assert!(
        complaint.contains("h1: the block of its README"),
        "{complaint}"
    );

    // So is a sweep that would have more prompts.
    fs::write(
        project.at("experiments/tiny.yaml"),
        SWEEP.replace("limit: 2", "limit: 9"),
    )
    .unwrap();
    let complaint = stderr(&project.experiment(&["--check"]), 1);
    assert!(
        complaint.contains("its verdict is of 2 prompts of the sweep 'tiny'"),
        "{complaint}"
    );
    fs::write(project.at("experiments/tiny.yaml"), SWEEP).unwrap();

    // So is a rule that was made easier after the run; spelling is not.
    fs::write(project.claim("h2"), format!("# the same\n{CLAIM}")).unwrap();
    fs::write(
        project.claim("h1"),
        CLAIM.replace("margin: 0.0", "margin: -0.9, min_prompts: 2"),
    )
    .unwrap();
    let complaint = stderr(&project.experiment(&["--check"]), 1);
    assert!(
        complaint.contains("h1: its verdict is of another experiment.yaml"),
        "{complaint}"
    );
    assert!(!complaint.contains("h2"), "{complaint}");
    let printed = stdout(&project.experiment(&again));
    assert!(
        printed.contains("h1") && printed.contains("(rule changed after the run)"),
        "{printed}"
    );
    assert_eq!(
        project.verdict("h1")["registration"],
        "changed_after_the_run"
    );
    assert_eq!(project.verdict("h2")["registration"], "before_the_run");
    for place in [
        "experiments/h1/README.md",
        "experiments/README.md",
        "README.md",
    ] {
        assert!(
            text(&project.at(place)).contains("(rule changed after the run)"),
            "{place}"
        );
    }
    stdout(&project.experiment(&["--check"]));

    // A run compared with itself has not become slower.
    let one_run = one_run.to_str().unwrap();
    let compared = stdout(&run(&["compare", one_run, one_run, "--fail-on", "-5%"]));
    assert!(compared.contains("2 prompts, paired"), "{compared}");
    let compared = stdout(&run(&["compare", one_run, one_run, "--json"]));
    let compared: Value = serde_json::from_str(&compared).unwrap();
    assert_eq!(compared["trials"].as_array().unwrap().len(), 4);
    assert_eq!(
        compared["trials"][1]["tokens_per_second"]["change"]["estimate"],
        1.0
    );
}

#[test]
fn what_cannot_be_judged_is_refused_with_place_and_remedy() {
    let project = Project::new();
    let cases = [
        (
            CLAIM.replace("[absolute]", "[absolute], axes: {stop.theta_abs: [9]}"),
            "rule.candidates: selects no trial of its sweeps",
        ),
        (
            CLAIM.replace("entries: [absolute]", "labels: [absolut]"),
            "rule.candidates.labels: no trial is called 'absolut'",
        ),
        (
            CLAIM.replace("kind: beats", "kind: wins"),
            "unknown value 'wins'",
        ),
        (CLAIM.replace("tiny.yaml", "tinny.yaml"), "did you mean"),
    ];
    for (claim, expected) in cases {
        fs::write(project.claim("h1"), claim).unwrap();
        let error = stderr(&project.experiment(&[]), 2);
        assert!(error.contains(expected), "{error}");
    }
    fs::write(project.claim("h1"), CLAIM).unwrap();
    let error = stderr(
        &project.experiment(&["--judge-only", project.at("experiments").to_str().unwrap()]),
        2,
    );
    assert!(error.contains("is no run folder"), "{error}");
    let error = stderr(
        &run(&["experiment", project.at("nowhere").to_str().unwrap()]),
        2,
    );
    assert!(error.contains("no such folder"), "{error}");
    let error = stderr(&project.experiment(&["--check"]), 1);
    assert!(error.contains("h1: has no verdict.json"), "{error}");
}

fn committed() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(root().join("experiments"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("experiment.yaml").is_file())
        .collect();
    folders.sort();
    folders
}

#[test]
fn every_experiment_that_comes_with_the_program_loads_and_selects_trials() {
    let folders = committed();
    assert_eq!(folders.len(), 16);
    for folder in folders {
        let experiment = Experiment::load(&folder, &[]).unwrap_or_else(|error| panic!("{error}"));
        let plans: Vec<_> = experiment
            .sweeps
            .iter()
            .map(|sweep| (sweep.name.clone(), plan(sweep).unwrap()))
            .collect();
        assert!(
            plans.iter().all(|(_, plan)| plan.refused.is_empty()),
            "{}",
            folder.display()
        );
        for question in &experiment.spec.questions {
            for (path, group) in question.rule.groups() {
                let of_group = plans.iter().filter(|(name, _)| group.names_sweep(name));
                let n = of_group
                    .flat_map(|(_, plan)| &plan.trials)
                    .filter(|trial| is_planned_in(group, trial))
                    .count();
                let baseline = group.entries == ["autoregressive"];
                assert!(
                    n > 1 || (baseline && n == 1),
                    "{}: {path} selects {n}",
                    folder.display()
                );
            }
        }
        let readme = text(&folder.join("README.md"));
        assert!(
            readme.contains("**Claim.**") && readme.contains("<!-- verdict: "),
            "{}",
            folder.display()
        );
    }
}

#[test]
fn every_committed_verdict_is_what_its_readme_says() {
    for folder in committed()
        .iter()
        .filter(|folder| folder.join("verdict.json").is_file())
    {
        stdout(&run(&["experiment", folder.to_str().unwrap(), "--check"]));
    }
}

#[test]
fn the_documentation_of_experiments_is_right_and_names_every_rule() {
    let document = text(&root().join("docs/experiments.md"));
    let blocks: Vec<&str> = document
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 1);
    let spec: ExperimentSpec = parse("docs/experiments.md", blocks[0], &[]).unwrap();
    assert_eq!(spec.sweeps.len(), 2);
    let message = serde_json::from_str::<DecisionRule>("{\"kind\": \"?\"}")
        .unwrap_err()
        .to_string();
    let kinds: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
    assert_eq!(kinds.len(), 6, "{message}");
    for kind in kinds {
        assert!(document.contains(&format!("\n### {kind}\n")), "{kind}");
    }
}
