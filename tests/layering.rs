//! The arrows of the architecture: who may use whom, and who may import which library.

use std::fs;
use std::path::{Path, PathBuf};

/// Stages in order; each may use those before it, and the leaves.
const STAGES: [&str; 7] = [
    "config", "plan", "engine", "trace", "record", "analysis", "report",
];
/// Leaves know nothing of the stages.
const LEAVES: [&str; 4] = ["policy", "model", "workload", "stats"];
/// A library and the folders that may import it.
const LIBRARIES: [(&str, &[&str]); 4] = [
    ("burn", &["model", "train"]),
    ("plotters", &["report"]),
    ("polars", &["record", "analysis"]),
    ("serde_yaml", &["config"]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Lines of code of a folder of `src`, with their file; tests and comments left out.
fn lines(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src")
        .join(folder);
    sources(&root)
        .into_iter()
        .filter(|path| {
            !path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .contains("tests")
        })
        .flat_map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap().to_string();
            code.lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(|line| (path.clone(), line.to_string()))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn uses(line: &str, module: &str) -> bool {
    let path = format!("crate::{module}");
    line.match_indices(&path).any(|(at, _)| {
        !line[at + path.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
    })
}

#[test]
fn leaves_use_no_stage() {
    for leaf in LEAVES {
        for (path, line) in lines(leaf) {
            let stage = STAGES
                .iter()
                .chain(&["cmd", "cli", "train"])
                .find(|stage| uses(&line, stage));
            assert!(stage.is_none(), "{}: {line}", path.display());
        }
    }
}

#[test]
fn stages_use_only_stages_before_them() {
    for (place, stage) in STAGES.iter().enumerate() {
        for (path, line) in lines(stage) {
            let later = STAGES[place + 1..]
                .iter()
                .chain(&["cmd", "cli", "train"])
                .find(|later| uses(&line, later));
            assert!(later.is_none(), "{}: {line}", path.display());
        }
    }
}

#[test]
fn a_trace_needs_no_configuration_and_of_the_models_only_their_interface() {
    for (path, line) in lines("trace") {
        let has = |module: &str| uses(&line, module);
        let is_allowed = !has("config")
            && !has("plan")
            && !has("workload")
            && (!has("model") || line.contains("crate::model::lm"));
        assert!(is_allowed, "{}: {line}", path.display());
    }
}

#[test]
fn policy_and_stats_see_no_tensor_clock_or_file() {
    for folder in ["policy", "stats"] {
        for (path, line) in lines(folder) {
            let impure = [
                "std::fs",
                "std::time",
                "burn::",
                "rand::rng()",
                "thread_rng",
            ]
            .iter()
            .find(|word| line.contains(**word));
            assert!(impure.is_none(), "{}: {line}", path.display());
        }
    }
}

#[test]
fn each_library_stays_in_its_folders() {
    let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    for folder in folders
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
    {
        let folder = folder.file_name().to_string_lossy().into_owned();
        for (path, line) in lines(&folder) {
            for (library, allowed) in LIBRARIES {
                let imports = line.contains(&format!("{library}::"));
                assert!(
                    !imports || allowed.contains(&folder.as_str()),
                    "{}: {line}",
                    path.display()
                );
            }
        }
    }
}
