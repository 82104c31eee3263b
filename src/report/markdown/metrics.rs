//! What lies behind the speedups: by kind of prompt, in operations and in time, and where drafts fail.

use super::table;
use crate::report::tables::TableView;

const IN_DETAIL: [&str; 6] = [
    "categories",
    "acceptance",
    "cost",
    "latency",
    "forwards",
    "tuned",
];
/// Long, and so folded.
const OF_DRAFTS: [&str; 5] = ["hazard", "entropy", "signals", "shapes", "rejections"];

/// Empty where no such number is known.
pub fn section(tables: &[TableView]) -> String {
    let of = |ids: &[&str]| -> Vec<&TableView> {
        let is_one = |table: &&TableView| ids.contains(&table.id);
        tables.iter().filter(is_one).collect()
    };
    let mut sections: Vec<String> = of(&IN_DETAIL)
        .into_iter()
        .map(|one| table::section(one, 3))
        .collect();
    let folded: Vec<String> = of(&OF_DRAFTS).into_iter().map(folded).collect();
    if !folded.is_empty() {
        sections.push("### What drafts look like, and where they fail".to_owned());
        sections.extend(folded);
    }
    if sections.is_empty() {
        return String::new();
    }
    format!(
        "## Metrics in detail\n\n\
         Baseline, best fixed k and the fastest trial of every decoder entry; all trials: \
         `trials.parquet`, `categories.parquet` and `metrics.json`. Intervals are over prompts unless a table says otherwise.\n\n{}",
        sections.join("\n\n")
    )
}

fn folded(one: &TableView) -> String {
    format!(
        "<details><summary>{}</summary>\n\n{}\n\n</details>",
        one.title,
        table::block(one)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty(id: &'static str, title: &'static str) -> TableView {
        TableView {
            id,
            title,
            caption: "n = 3.".to_owned(),
            columns: vec![],
            rows: vec![],
        }
    }

    #[test]
    fn tables_of_drafts_are_folded_behind_the_others() {
        let tables = [
            empty("hazard", "Hazard by slot"),
            empty("cost", "Cost and quality"),
        ];
        let text = section(&tables);
        let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
        assert!(place("### Cost and quality") < place("### What drafts look like"));
        place("<details><summary>Hazard by slot</summary>\n\nn = 3.");
    }

    #[test]
    fn without_metrics_there_is_no_section() {
        assert_eq!(section(&[empty("main", "The best of each decoder")]), "");
    }
}
