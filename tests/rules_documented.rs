//! Every rule has its row in the documentation, with the code's defaults, and its place in a sweep.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wedlm_bench::config::decoder::DecoderSpec;
use wedlm_bench::config::load::load_sweep;
use wedlm_bench::plan::{Merged, Plan, plan};
use wedlm_bench::policy::accept::AcceptRule;
use wedlm_bench::policy::entropy::EntropyRule;
use wedlm_bench::policy::select::SelectRule;
use wedlm_bench::policy::stop::{DraftOrder, StopRule};

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The kinds that a tagged enum allows, from its own message.
fn kinds<T: DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
    let message = serde_json::from_value::<T>(json!({"kind": "?"}))
        .unwrap_err()
        .to_string();
    let kinds: Vec<String> = message
        .split('`')
        .skip(3)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(kinds.len() > 5, "{message}");
    kinds
}

/// Fields of the rule that YAML gets by naming the kind alone; none where that is not enough.
fn defaults<T: DeserializeOwned + Serialize>(kind: &str) -> Option<Vec<(String, Value)>> {
    let rule: T = serde_json::from_value(json!({"kind": kind})).ok()?;
    let Value::Object(fields) = serde_json::to_value(&rule).unwrap() else {
        panic!("{kind} is no mapping")
    };
    Some(
        fields
            .into_iter()
            .filter(|(field, _)| field != "kind")
            .collect(),
    )
}

fn cells(line: &str) -> Vec<String> {
    let escaped = line.replace("\\|", "\u{0}");
    let inner = escaped.trim().trim_matches('|');
    inner
        .split('|')
        .map(|cell| cell.trim().replace('\u{0}', "|"))
        .collect()
}

/// A row of a table: the heading and the text of each cell.
#[derive(Debug)]
struct Row {
    kind: String,
    cells: Vec<(String, String)>,
}

impl Row {
    /// Text below the heading, if the table has that column.
    fn find(&self, heading: &str) -> Option<&str> {
        self.cells
            .iter()
            .find(|(name, _)| name == heading)
            .map(|(_, text)| text.as_str())
    }

    fn get(&self, heading: &str) -> &str {
        self.find(heading)
            .unwrap_or_else(|| panic!("{} has no column '{heading}'", self.kind))
    }
}

/// Rows of the tables of kinds below a heading, up to the next heading of the second level.
fn rows(text: &str, heading: &str) -> Vec<Row> {
    let (_, section) = text.split_once(&format!("\n{heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut headings: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for line in section.lines().filter(|line| line.starts_with('|')) {
        let cells = cells(line);
        if cells[0].trim_matches('`') == "kind" {
            headings = cells;
        } else if cells.len() == headings.len() && cells[0].starts_with('`') {
            rows.push(Row {
                kind: cells[0].trim_matches('`').to_owned(),
                cells: headings.iter().cloned().zip(cells).collect(),
            });
        } else if cells.iter().any(|cell| cell != "---") {
            // A table of something else follows.
            headings.clear();
        }
    }
    rows
}

/// The rows below a heading: one for each kind of the enum, and no other.
fn rows_of<T: DeserializeOwned + std::fmt::Debug>(text: &str, heading: &str) -> Vec<Row> {
    let rows = rows(text, heading);
    let found: BTreeSet<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(found.len(), rows.len(), "a kind has two rows: {rows:?}");
    let kinds = kinds::<T>();
    assert_eq!(
        found,
        kinds.iter().map(String::as_str).collect(),
        "{heading}"
    );
    for row in &rows {
        assert!(row.get("source").len() > 4, "{} has no source", row.kind);
    }
    rows
}

/// `key: value` of every field, as YAML takes them.
fn as_yaml(fields: &[(String, Value)]) -> String {
    let cells: Vec<String> = fields
        .iter()
        .map(|(field, value)| match value {
            Value::String(name) => format!("`{field}: {name}`"),
            value => format!("`{field}: {value}`"),
        })
        .collect();
    if cells.is_empty() {
        "none".to_owned()
    } else {
        cells.join(", ")
    }
}

fn order_of(cell: &str) -> Option<DraftOrder> {
    serde_json::from_value(json!(cell)).ok()
}

#[test]
fn every_stopping_rule_has_a_row_with_its_defaults_and_its_memory() {
    let text = read("docs/rules.md");
    for row in rows_of::<StopRule>(&text, "## Stopping rules") {
        let kind = row.kind.as_str();
        let expected = match kind {
            "combined" => "`any:` or `all:`, a list of rules".to_owned(),
            // A seed that is not given is not written out.
            "random" => "`seed:` of the generation".to_owned(),
            _ => as_yaml(&defaults::<StopRule>(kind).unwrap()),
        };
        assert_eq!(row.get("parameters"), expected, "{kind}");
        let remembers = row.find("remembers").is_some_and(|what| !what.is_empty());
        assert_eq!(remembers, expected.contains("`scope: "), "{kind}");
    }
}

#[test]
fn the_orders_of_the_stopping_rules_are_those_of_their_module() {
    let text = read("docs/rules.md");
    let module = read("src/policy/stop/mod.rs");
    for row in rows_of::<StopRule>(&text, "## Stopping rules") {
        let start = format!("//! | `{}` |", row.kind);
        let line = module.lines().find(|line| line.starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("no row in the module for {}", row.kind));
        assert_eq!(row.get("order"), cells(&line[4..])[2], "{}", row.kind);
    }
}

#[test]
fn every_acceptance_rule_has_a_row_with_its_defaults_and_says_whether_it_is_lossless() {
    let text = read("docs/rules.md");
    for row in rows_of::<AcceptRule>(&text, "## Acceptance rules") {
        let kind = row.kind.as_str();
        let fields = defaults::<AcceptRule>(kind).unwrap();
        assert_eq!(row.get("parameters"), as_yaml(&fields), "{kind}");
        let rule: AcceptRule = serde_json::from_value(json!({"kind": kind})).unwrap();
        let says_yes = row.get("lossless").starts_with("yes");
        assert_eq!(says_yes, rule.is_lossless(), "{kind}");
    }
}

#[test]
fn every_entropy_has_a_row_with_its_defaults() {
    let text = read("docs/rules.md");
    for row in rows_of::<EntropyRule>(&text, "## Entropies") {
        let fields = defaults::<EntropyRule>(&row.kind).unwrap();
        assert_eq!(row.get("parameters"), as_yaml(&fields), "{}", row.kind);
    }
}

/// There a cell reads `` `theta` 0.9 ``, and a parameter without a default is named alone.
#[test]
fn every_selection_rule_has_a_row_with_its_defaults() {
    let text = read("docs/selection-rules.md");
    for row in rows_of::<SelectRule>(&text, "## Rules") {
        let parameters = format!("{},", row.get("parameters and defaults"));
        for (field, value) in defaults::<SelectRule>(&row.kind).unwrap() {
            let name = format!("`{field}`");
            let expected = match value.as_f64() {
                Some(number) => format!("{name} {number}"),
                None => name.clone(),
            };
            // What follows must not go on with the number: 0.9 is not 0.95.
            let is_listed = parameters
                .match_indices(&expected)
                .any(|(at, _)| parameters[at + expected.len()..].starts_with([',', ' ']));
            assert!(is_listed, "{}: {expected} in {parameters}", row.kind);
        }
    }
}

/// The sweeps of `configs/rules`, planned.
fn rule_sweeps() -> Vec<(String, Plan)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/rules");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let sweep = load_sweep(&file, &[]).unwrap_or_else(|error| panic!("{error}"));
            let n_prompts = sweep.workload.limit;
            assert!(
                n_prompts.is_some_and(|n| (4..=8).contains(&n)),
                "{file:?} has {n_prompts:?} prompts"
            );
            let plan = plan(&sweep).unwrap_or_else(|error| panic!("{error}"));
            (sweep.name, plan)
        })
        .collect()
}

fn kind_of(rule: &impl Serialize) -> String {
    let value = serde_json::to_value(rule).unwrap();
    value["kind"].as_str().unwrap().to_owned()
}

#[test]
fn the_sweeps_of_rules_name_every_kind_and_no_trial_twice() {
    let (mut stop, mut accept) = (BTreeSet::new(), BTreeSet::new());
    let (mut entropy, mut select) = (BTreeSet::new(), BTreeSet::new());
    for (name, plan) in rule_sweeps() {
        assert_eq!(plan.refused, [], "{name}");
        assert_eq!(plan.merged, Merged::default(), "{name}");
        for trial in plan.trials {
            match trial.decoder {
                DecoderSpec::Autoregressive { .. } => {}
                DecoderSpec::Speculative {
                    stop: rule,
                    entropy: read,
                    accept: judge,
                    ..
                } => {
                    stop.insert(kind_of(&rule));
                    entropy.insert(kind_of(&read));
                    accept.insert(kind_of(&judge));
                }
                DecoderSpec::Window {
                    select: rule,
                    entropy: read,
                    ..
                }
                | DecoderSpec::WindowDraft {
                    select: rule,
                    entropy: read,
                    ..
                } => {
                    select.insert(kind_of(&rule));
                    entropy.insert(kind_of(&read));
                }
            }
        }
    }
    assert_eq!(stop, kinds::<StopRule>().into_iter().collect());
    assert_eq!(accept, kinds::<AcceptRule>().into_iter().collect());
    assert_eq!(entropy, kinds::<EntropyRule>().into_iter().collect());
    assert_eq!(select, kinds::<SelectRule>().into_iter().collect());
}

#[test]
fn the_sweeps_of_rules_use_each_stopping_rule_in_its_natural_order() {
    let rows = rows_of::<StopRule>(&read("docs/rules.md"), "## Stopping rules");
    let mut n_checked = 0;
    for (name, plan) in rule_sweeps() {
        for trial in plan.trials {
            let DecoderSpec::Speculative { stop, order, .. } = trial.decoder else {
                continue;
            };
            let row = rows.iter().find(|row| row.kind == stop.kind()).unwrap();
            if let Some(natural) = order_of(row.get("order")) {
                assert_eq!(order, natural, "{name}: {}", trial.label);
                n_checked += 1;
            }
        }
    }
    assert!(n_checked > 20, "{n_checked} trials have a natural order");
}
