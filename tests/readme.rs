//! Every command and every YAML block that the README shows works.

use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Parser;
use wedlm_bench::cli::{Cli, ExperimentArgs, ReplayArgs, SweepArgs, TraceArgs, Verb};
use wedlm_bench::config::experiment::Experiment;
use wedlm_bench::config::load_sweep;
use wedlm_bench::config::train::TrainSpec;
use wedlm_bench::plan::plan;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Text of the fenced blocks of one language in the README.
fn blocks(language: &str) -> Vec<String> {
    blocks_of("README.md", language)
}

fn blocks_of(file: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    text.split(&format!("```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_string())
        .collect()
}

/// Words of a shell line; quotes may span lines.
fn words(text: &str) -> Vec<Vec<String>> {
    let (mut commands, mut command, mut word) = (Vec::new(), Vec::new(), String::new());
    let (mut quote, mut is_open) = (None, false);
    for letter in text.chars() {
        match (quote, letter) {
            (Some(mark), _) if letter == mark => quote = None,
            (Some(_), _) => word.push(letter),
            (None, '"' | '\'') => (quote, is_open) = (Some(letter), true),
            (None, ' ' | '\n') => {
                if is_open || !word.is_empty() {
                    command.push(std::mem::take(&mut word));
                    is_open = false;
                }
                if letter == '\n' && !command.is_empty() {
                    commands.push(std::mem::take(&mut command));
                }
            }
            (None, _) => word.push(letter),
        }
    }
    commands
}

/// Arguments of every command of this program in the README and in documents that show some.
fn commands() -> Vec<Vec<String>> {
    [
        "README.md",
        "docs/experiments.md",
        "docs/training.md",
        "experiments/README.md",
    ]
    .iter()
    .flat_map(|file| blocks_of(file, "sh"))
    .flat_map(|block| words(&block))
    .filter_map(|command| {
        let start = match command[0].as_str() {
            "wedlm-bench" => 1,
            "cargo" => command.iter().position(|word| word == "--")? + 1,
            other => panic!("the README runs '{other}', which this test does not know"),
        };
        Some(command[start..].to_vec())
    })
    .collect()
}

#[test]
fn the_readme_has_the_two_commands() {
    let all = blocks("sh").join("");
    assert!(all.contains("cargo run --release -- sweep configs/gsm8k.yaml\n"));
    assert!(all.contains("cargo test --release\n"));
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(ci.contains("\ncargo test --release\n"));
}

#[test]
fn every_command_parses_and_its_files_are_valid() {
    let commands = commands();
    assert!(commands.len() >= 8, "{commands:?}");
    for command in commands {
        let cli =
            Cli::try_parse_from(std::iter::once("wedlm-bench".to_string()).chain(command.clone()))
                .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        match cli.verb {
            Verb::Sweep(SweepArgs { sweep, .. })
            | Verb::Trace(TraceArgs { sweep, .. })
            | Verb::Replay(ReplayArgs { sweep, .. }) => {
                let sweep = load_sweep(root().join(&sweep.config), &sweep.overrides).unwrap();
                plan(&sweep).unwrap();
            }
            Verb::Train(args) => drop(TrainSpec::load(&root().join(&args.config)).unwrap()),
            // The shell makes the folders of `experiments/*`; `tests/experiments.rs` loads each.
            Verb::Experiment(ExperimentArgs { folders, .. }) => {
                for folder in folders.iter().filter(|folder| !folder.ends_with("*")) {
                    Experiment::load(&root().join(folder), &[]).unwrap();
                }
            }
            // Their runs are not there.
            Verb::Merge(_) | Verb::Report(_) | Verb::Compare(_) => {}
            Verb::Generate(_)
            | Verb::Score(_)
            | Verb::Inspect(_)
            | Verb::Data(_)
            | Verb::Devices {} => {
                let output = Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
                    .args(&command)
                    .output()
                    .unwrap();
                let error = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{command:?}: {error}");
                assert!(!output.stdout.is_empty(), "{command:?}");
            }
        }
    }
}

#[test]
fn the_sweep_file_of_the_readme_plans() {
    let blocks = blocks("yaml");
    assert_eq!(blocks.len(), 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("first.yaml");
    fs::write(&path, &blocks[0]).unwrap();
    let plan = plan(&load_sweep(&path, &[]).unwrap()).unwrap();
    assert_eq!(plan.trials.len(), 2 + 4 + 9 + 3);
}

#[test]
fn every_training_file_is_valid_and_every_embedded_model_has_one() {
    let folder = root().join("configs/train");
    for entry in fs::read_dir(&folder).unwrap() {
        TrainSpec::load(&entry.unwrap().path()).unwrap();
    }
    let names = wedlm_bench::model::embedded::names();
    assert!(!names.is_empty());
    for name in names {
        let spec = TrainSpec::load(&folder.join(format!("{name}.yaml"))).unwrap();
        assert_eq!(spec.out, Path::new("models").join(name));
    }
}

#[test]
fn links_lead_somewhere() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let links: Vec<&str> = text
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap())
        .filter(|link| !link.starts_with("http"))
        .collect();
    assert!(links.len() >= 4);
    for link in links {
        assert!(root().join(link).exists(), "{link}");
    }
}
