//! The LaTeX tables: parsed here, and compiled where a LaTeX is installed.

use std::path::Path;
use std::process::Command;

use wedlm_bench::report::files::Report;

#[path = "figures/made_up.rs"]
mod made_up;

/// The tables of a sweep whose labels are full of what LaTeX would obey.
fn write(folder: &Path) {
    let mut view = made_up::sweep();
    for trial in &mut view.trials {
        if trial.family == "ebsd-relative" {
            trial.label += " 50% a_b & #1 {x} ~^ \\end{tabular} θ_語";
        }
    }
    let report = Report {
        view: &view,
        bootstrap: &made_up::bootstrap(),
        data_hash: "0123456789abcdef",
    };
    report.write(folder).unwrap();
}

fn texts(folder: &Path) -> Vec<(String, String)> {
    let mut texts: Vec<(String, String)> = std::fs::read_dir(folder.join("tables"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    texts.sort();
    texts
}

/// Without comments and escaped characters.
fn bare(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('%'));
    let mut text = lines.collect::<Vec<_>>().join("\n");
    for escaped in ["\\{", "\\}", "\\&", "\\%", "\\#", "\\_", "\\$"] {
        text = text.replace(escaped, "");
    }
    text
}

fn arguments<'a>(text: &'a str, command: &str) -> Vec<&'a str> {
    text.split(&format!("\\{command}{{"))
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap())
        .collect()
}

#[test]
fn braces_and_environments_are_balanced_and_nothing_unescaped_is_left() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let texts = texts(folder.path());
    let names: Vec<&str> = texts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["categories.tex", "main.tex", "preview.tex", "window.tex"]
    );
    for (name, text) in &texts {
        assert!(text.starts_with("% wedlm-bench-data-sha256: 0123456789abcdef\n"));
        let text = bare(text);
        let mut depth = 0;
        for character in text.chars() {
            depth += match character {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            assert!(depth >= 0, "{name}");
        }
        assert_eq!(depth, 0, "{name}");
        assert!(
            !text.contains(['#', '%', '_', '^', '~', '"']),
            "{name}: {text}"
        );
        assert_eq!(text.matches('$').count() % 2, 0, "{name}");
        let (mut begun, mut ended) = (arguments(&text, "begin"), arguments(&text, "end"));
        begun.sort_unstable();
        ended.sort_unstable();
        assert_eq!(begun, ended, "{name}");
    }
}

#[test]
fn every_row_has_as_many_cells_as_the_table_has_columns() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    for (name, text) in texts(folder.path()) {
        if name == "preview.tex" {
            continue;
        }
        let text = bare(&text);
        let start = text
            .find("\\begin{tabular}{")
            .or_else(|| text.find("\\begin{longtable}{"))
            .unwrap();
        let columns = text[start..].split(['{', '}']).nth(3).unwrap().len();
        assert!(columns >= 5, "{name}");
        let rows: Vec<&str> = text[start..]
            .lines()
            .filter(|line| line.ends_with("\\\\") && !line.starts_with("\\label"))
            .collect();
        assert!(rows.len() > 8, "{name}");
        for row in rows {
            assert_eq!(row.matches('&').count() + 1, columns, "{name}: {row}");
        }
        assert!(text.contains("\\textbf{"), "{name}: the best is bold");
    }
}

#[test]
fn the_preview_compiles() {
    let compiler = ["tectonic", "pdflatex"].into_iter().find(|name| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    });
    let Some(compiler) = compiler else {
        println!("neither tectonic nor pdflatex on the path: the tables are only parsed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let mut command = Command::new(compiler);
    if compiler == "pdflatex" {
        command.args(["-interaction=nonstopmode", "-halt-on-error"]);
    }
    let output = command
        .arg("preview.tex")
        .current_dir(folder.path().join("tables"))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{log}");
    assert!(folder.path().join("tables/preview.pdf").is_file());
}
