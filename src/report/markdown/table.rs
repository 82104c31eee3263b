//! A table of the report as Markdown.

use super::{code, escaped};
use crate::report::tables::{Cell, TableView, Value};

/// Its caption and its rows, without a title.
pub fn block(table: &TableView) -> String {
    format!("{}\n\n{}", escaped(&table.caption), rows(table))
}

/// Title and block, the title as a heading of that level.
pub fn section(table: &TableView, level: usize) -> String {
    format!("{} {}\n\n{}", "#".repeat(level), table.title, block(table))
}

fn rows(table: &TableView) -> String {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let titles = table.columns.iter().map(|column| escaped(column.title));
    let rules = table.columns.iter().map(|column| match column.is_number {
        true => "--:",
        false => "---",
    });
    let rules: Vec<&str> = rules.collect();
    let mut lines = vec![line(titles.collect()), format!("|{}|", rules.join("|"))];
    for row in &table.rows {
        let mut mark = row.is_lossy;
        let cells = row.cells.iter().zip(&table.columns).map(|(cell, column)| {
            let is_lossy_name = column.title == "trial" && std::mem::take(&mut mark);
            let tilde = if is_lossy_name { "\\~" } else { "" };
            format!("{tilde}{}", printed(cell))
        });
        lines.push(line(cells.collect()));
    }
    lines.join("\n")
}

fn printed(cell: &Cell) -> String {
    let text = match &cell.value {
        Value::Text(text) => escaped(text),
        // A bar ends a cell even within a code span.
        Value::Code(text) => code(text).replace('|', "\\|"),
        number @ (Value::Count(_)
        | Value::Number { .. }
        | Value::Interval { .. }
        | Value::Nothing) => number.text(),
    };
    if cell.is_best {
        format!("**{text}**")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tables::{Column, Row};

    #[test]
    fn a_cell_cannot_end_its_row_and_says_what_is_best_and_what_is_lossy() {
        let column = |title: &'static str, is_number: bool| Column {
            title,
            source: "",
            is_number,
            is_printed: true,
        };
        let best = Cell {
            value: Value::Number {
                value: 1.5,
                decimals: 1,
            },
            is_best: true,
        };
        let table = TableView {
            id: "any",
            title: "Any",
            caption: "n < 3.".to_owned(),
            columns: vec![
                column("trial", false),
                column("speedup", true),
                column("example", false),
            ],
            rows: vec![Row {
                is_lossy: true,
                cells: vec![
                    Value::Text("k|4\n*".to_owned()).into(),
                    best,
                    Value::Code("a|b`".to_owned()).into(),
                ],
            }],
        };
        let expected = "### Any\n\nn &lt; 3.\n\n\
                        | trial | speedup | example |\n|---|--:|---|\n\
                        | \\~k\\|4 \\* | **1.5** | `` a\\|b` `` |";
        assert_eq!(section(&table, 3), expected);
    }
}
