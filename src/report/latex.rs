//! Tables for a paper, in LaTeX with booktabs.

use crate::report::tables::{Cell, Column, Row, TableView};

/// Tables that a paper prints; the others are for the screen.
const PRINTED: [&str; 9] = [
    "main",
    "categories",
    "window",
    "verdicts",
    "acceptance",
    "cost",
    "latency",
    "forwards",
    "tuned",
];
/// A table with more rows does not fit on a page and may break over several.
const MOST_ROWS_OF_A_PAGE: usize = 42;

/// `tables/<id>.tex` of every table that is printed: name and text. `mark` is a comment on top of each.
pub fn files(tables: &[TableView], mark: &str) -> Vec<(String, String)> {
    let printed: Vec<&TableView> = tables
        .iter()
        .filter(|table| PRINTED.contains(&table.id))
        .collect();
    let mut files: Vec<(String, String)> = printed
        .iter()
        .map(|one| {
            (
                format!("{}.tex", one.id),
                format!("% {mark}\n{}", table(one)),
            )
        })
        .collect();
    if !files.is_empty() {
        let preview = format!("% {mark}\n{}", preview(&printed));
        files.push(("preview.tex".to_owned(), preview));
    }
    files
}

/// Names of all files that [`files`] can give.
pub fn file_names() -> Vec<String> {
    let names = PRINTED.iter().chain(&["preview"]);
    names.map(|name| format!("{name}.tex")).collect()
}

/// A document that shows all tables.
fn preview(tables: &[&TableView]) -> String {
    let inputs: Vec<String> = tables
        .iter()
        .map(|table| format!("\\input{{{}}}", table.id))
        .collect();
    format!(
        "\\documentclass{{article}}\n\
         \\usepackage[utf8]{{inputenc}}\n\
         \\usepackage[a4paper,margin=15mm]{{geometry}}\n\
         \\usepackage{{booktabs,longtable}}\n\
         \\begin{{document}}\n\
         {}\n\
         \\end{{document}}\n",
        inputs.join("\n")
    )
}

fn table(table: &TableView) -> String {
    let columns: Vec<(usize, &Column)> = table
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.is_printed)
        .collect();
    let alignment: String = columns
        .iter()
        .map(|(_, column)| if column.is_number { 'r' } else { 'l' })
        .collect();
    let heads: Vec<String> = columns
        .iter()
        .map(|(_, column)| escaped(column.title))
        .collect();
    let head = format!("\\toprule\n{} \\\\\n\\midrule", heads.join(" & "));
    let lines = body(table, &columns);
    let caption = format!(
        "\\caption{{{}. {}}}\n\\label{{tab:{}}}",
        escaped(table.title),
        escaped(&table.caption),
        table.id
    );
    if table.rows.len() > MOST_ROWS_OF_A_PAGE {
        format!(
            "\\begingroup\n\\footnotesize\n\\setlength{{\\tabcolsep}}{{4pt}}\n\
             \\setlength{{\\LTcapwidth}}{{\\textwidth}}\n\
             \\begin{{longtable}}{{{alignment}}}\n{caption} \\\\\n{head}\n\\endfirsthead\n{head}\n\\endhead\n\
             \\bottomrule\n\\endfoot\n{lines}\n\\end{{longtable}}\n\\endgroup\n"
        )
    } else {
        format!(
            "\\begin{{table}}[t]\n\\centering\n\\footnotesize\n\\setlength{{\\tabcolsep}}{{4pt}}\n\
             {caption}\n\\begin{{tabular}}{{{alignment}}}\n{head}\n{lines}\n\\bottomrule\n\
             \\end{{tabular}}\n\\end{{table}}\n"
        )
    }
}

/// The rows; a text that the first column repeats is printed once, with a rule above the next one.
fn body(table: &TableView, columns: &[(usize, &Column)]) -> String {
    let first = |row: &Row| {
        columns
            .first()
            .map(|(index, _)| row.cells[*index].value.text())
    };
    let is_grouped = table
        .rows
        .windows(2)
        .any(|pair| first(&pair[0]) == first(&pair[1]));
    let mut lines = Vec::new();
    for (number, row) in table.rows.iter().enumerate() {
        let is_new = number == 0 || first(&table.rows[number - 1]) != first(row);
        if is_grouped && is_new && number > 0 {
            lines.push("\\midrule".to_owned());
        }
        let mut mark = row.is_lossy;
        let cells: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(place, (index, column))| {
                if is_grouped && !is_new && place == 0 {
                    return String::new();
                }
                let is_name = column.title == "trial" && std::mem::take(&mut mark);
                printed(&row.cells[*index], is_name)
            })
            .collect();
        lines.push(format!("{} \\\\", cells.join(" & ")));
    }
    lines.join("\n")
}

fn printed(cell: &Cell, is_lossy_name: bool) -> String {
    let mut text = escaped(&cell.value.text());
    if is_lossy_name {
        text = format!("$\\sim${text}");
    }
    if cell.is_best {
        format!("\\textbf{{{text}}}")
    } else {
        text
    }
}

/// Text that LaTeX shows as it is. Letters beyond those of Western European fonts are replaced by a
/// symbol or by their code.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '~' => escaped.push_str("$\\sim$"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '\\' => escaped.push_str("\\textbackslash{}"),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            '|' => escaped.push_str("\\textbar{}"),
            // Two accents print as a closing quotation mark, which every font has.
            '"' => escaped.push_str("''"),
            // A bracket behind a line break would be taken for its length.
            '[' => escaped.push_str("{[}"),
            ']' => escaped.push_str("{]}"),
            '–' => escaped.push_str("--"),
            '−' => escaped.push_str("$-$"),
            'ρ' => escaped.push_str("$\\rho$"),
            '×' => escaped.push_str("$\\times$"),
            '·' => escaped.push_str("$\\cdot$"),
            '…' => escaped.push_str("\\ldots{}"),
            'α' => escaped.push_str("$\\alpha$"),
            'γ' => escaped.push_str("$\\gamma$"),
            'θ' => escaped.push_str("$\\theta$"),
            'λ' => escaped.push_str("$\\lambda$"),
            'τ' => escaped.push_str("$\\tau$"),
            'Σ' => escaped.push_str("$\\Sigma$"),
            ' '..='\u{7e}' | 'À'..='ſ' => escaped.push(character),
            _ => escaped.push_str(&format!("U+{:04X}", u32::from(character))),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tables::Value;

    #[test]
    fn what_latex_would_read_as_a_command_is_printed() {
        assert_eq!(
            escaped("a_b & 50 % #1 {x} ~^\\"),
            "a\\_b \\& 50 \\% \\#1 \\{x\\} $\\sim$\\textasciicircum{}\\textbackslash{}"
        );
        assert_eq!(escaped("θ=1.0 [−1, 2]"), "$\\theta$=1.0 {[}$-$1, 2{]}");
        assert_eq!(escaped("語\n"), "U+8A9EU+000A");
    }

    #[test]
    fn a_lossy_trial_has_a_tilde_and_the_best_number_is_bold() {
        let column = |title: &'static str, is_number: bool| Column {
            title,
            source: "",
            is_number,
            is_printed: true,
        };
        let number = Value::Number {
            value: 1.5,
            decimals: 1,
        };
        let view = TableView {
            id: "main",
            title: "Best",
            caption: "n = 3.".to_owned(),
            columns: vec![column("trial", false), column("speedup", true)],
            rows: vec![Row {
                is_lossy: true,
                cells: vec![
                    Value::Text("typical".to_owned()).into(),
                    Cell {
                        value: number,
                        is_best: true,
                    },
                ],
            }],
        };
        let files = files(&[view], "made up");
        assert_eq!(files.len(), 2);
        let text = &files[0].1;
        assert!(text.starts_with("% made up\n"));
        assert!(text.contains("\\begin{tabular}{lr}"), "{text}");
        assert!(
            text.contains("$\\sim$typical & \\textbf{1.5} \\\\"),
            "{text}"
        );
        assert!(files[1].1.contains("\\input{main}"));
    }
}
