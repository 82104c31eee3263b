//! The commands and YAML of docs/real-checkpoints.md.

use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Parser;
use wedlm_bench::cli::{Cli, Verb};
use wedlm_bench::config::load::{load_sweep, parse_sweep};
use wedlm_bench::model::device::Dtype;
use wedlm_bench::plan::plan;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn blocks(language: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/real-checkpoints.md")).unwrap();
    text.split(&format!("```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_string())
        .collect()
}

#[test]
fn every_command_works_but_that_those_for_the_network_are_only_parsed() {
    let lines: Vec<String> = blocks("sh")
        .iter()
        .flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(lines.len(), 9);
    let mut n_run = 0;
    for line in &lines {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == "cargo" {
            let place = words.iter().position(|word| *word == "--example").unwrap();
            assert!(
                root()
                    .join(format!("examples/{}.rs", words[place + 1]))
                    .is_file()
            );
            continue;
        }
        assert_eq!(words[0], "wedlm-bench");
        match Cli::try_parse_from(&words)
            .unwrap_or_else(|error| panic!("{line}: {error}"))
            .verb
        {
            Verb::Sweep(args) => {
                let sweep = load_sweep(root().join(&args.sweep.config), &[]).unwrap();
                assert!(plan(&sweep).unwrap().trials.len() > 10);
            }
            Verb::Inspect(args) => assert_eq!(args.download, args.model.starts_with("hf:")),
            Verb::Generate(args) => assert_eq!(Dtype::from(args.dtype), Dtype::Bf16),
            other => panic!("{other:?}"),
        }
        if !line.contains("--download") {
            let output = Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
                .args(&words[1..])
                .current_dir(root())
                .env("HF_HUB_CACHE", "no/such/cache")
                .output()
                .unwrap();
            assert!(output.status.success(), "{line}");
            assert!(!output.stdout.is_empty(), "{line}");
            n_run += 1;
        }
    }
    assert_eq!(n_run, 6);
}

#[test]
fn every_workload_is_that_of_a_sweep() {
    let blocks = blocks("yaml");
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let text = format!(
            "name: x\nmodels: {{verifier: 'embedded:v', window: 'embedded:w'}}\n{block}\ndecoders: [{{name: w, kind: window}}]\n"
        );
        parse_sweep("docs", &text, &[], &|_| None).unwrap_or_else(|error| panic!("{error}"));
    }
}
