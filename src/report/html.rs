//! `report.html`: the report as one file that needs nothing else, neither network nor library.

use crate::analysis::view::SweepView;
use crate::report::figures::{Figure, FigureKind};
use crate::report::markdown;
use crate::report::tables::{Column, Row, TableView, Value};
use crate::stats::bootstrap::Bootstrap;

mod prose;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/sort.js");
/// A longer table scrolls within its own height.
const MOST_ROWS_IN_FULL: usize = 60;

/// What a page is made from.
pub struct Page<'a> {
    pub view: &'a SweepView,
    pub bootstrap: &'a Bootstrap,
    pub tables: &'a [TableView],
    pub figures: &'a [Figure],
    /// The SVG documents of the figures that are shown.
    pub drawings: &'a [(FigureKind, String)],
    /// Hash of the data, see `record::data_hash`.
    pub data_hash: &'a str,
}

impl Page<'_> {
    pub fn html(&self) -> String {
        let name = escaped(&self.view.name);
        let mut sections: Vec<String> = vec![
            prose::blocks(&format!(
                "{}\n\n{}",
                markdown::verdict(self.view, self.bootstrap),
                markdown::verdicts(self.view)
            )),
            prose::blocks(&markdown::prose(self.view)),
        ];
        let (first, others): (Vec<&TableView>, Vec<&TableView>) =
            self.tables.iter().partition(|table| table.id == "main");
        sections.splice(1..1, first.into_iter().map(table));
        sections.insert(2.min(sections.len()), self.figures());
        sections.extend(others.into_iter().map(table));
        sections.push(prose::blocks(&markdown::how_it_was_made(self.view)));
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"{HASH_NAME}\" content=\"{hash}\">\n<title>{name}</title>\n\
             <link rel=\"icon\" href=\"data:,\">\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{name}</h1>\n\
             <p class=\"quiet\">{size} · {device} · {date}</p>\n</header>\n{nav}\n<main>\n{main}\n</main>\n\
             {footer}\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
            hash = escaped(self.data_hash),
            size = escaped(&self.view.size()),
            device = escaped(&self.view.device),
            date = escaped(&self.view.date),
            nav = self.nav(),
            main = sections.join("\n"),
            footer = self.footer(),
        )
    }

    fn nav(&self) -> String {
        let tables = self
            .tables
            .iter()
            .map(|table| format!("<a href=\"#{}\">{}</a>", table.id, escaped(table.title)));
        let links: Vec<String> = tables
            .chain(["<a href=\"#figures\">Figures</a>".to_owned()])
            .collect();
        format!("<nav>{}</nav>", links.join(" "))
    }

    fn figures(&self) -> String {
        let mut parts = vec!["<section id=\"figures\">\n<h2>Figures</h2>".to_owned()];
        for figure in self.figures {
            let title = escaped(figure.kind.title());
            let source = escaped(figure.kind.source());
            let drawing = self.drawings.iter().find(|(kind, _)| *kind == figure.kind);
            parts.push(match (&figure.outcome, drawing) {
                (Ok(_), Some((_, svg))) => {
                    let labelled = svg.replacen(
                        "<svg ",
                        &format!("<svg role=\"img\" aria-label=\"{title}\" "),
                        1,
                    );
                    format!(
                        "<figure id=\"figure-{}\" title=\"{source}\">\n{labelled}\n\
                         <figcaption>{title}. Data: {source}.</figcaption>\n</figure>",
                        figure.kind.stem()
                    )
                }
                (Err(reason), _) => format!(
                    "<p class=\"quiet\">{title}: not drawn, {}.</p>",
                    escaped(&reason.to_string())
                ),
                (Ok(_), None) => String::new(),
            });
        }
        parts.push("</section>".to_owned());
        parts.join("\n")
    }

    fn footer(&self) -> String {
        let view = self.view;
        let hash = view
            .provenance
            .iter()
            .find(|(name, _)| name == "sweep file")
            .map_or(String::new(), |(_, text)| {
                format!(" · configuration: {}", escaped(text))
            });
        format!(
            "<footer>\n<p>command: <code>{}</code> · version: wedlm-bench {}{hash} · data SHA-256: \
             <code>{}</code></p>\n</footer>",
            escaped(&view.command),
            escaped(&view.version),
            escaped(self.data_hash),
        )
    }
}

/// Name of the `meta` element that holds the hash of the data.
pub const HASH_NAME: &str = "wedlm-bench-data-sha256";

fn table(table: &TableView) -> String {
    let heads: String = table
        .columns
        .iter()
        .map(|column| {
            format!(
                "<th scope=\"col\"{} title=\"{}\"><button type=\"button\">{}</button></th>",
                class(column.is_number, false),
                escaped(column.source),
                escaped(column.title)
            )
        })
        .collect();
    let rows: Vec<String> = table
        .rows
        .iter()
        .map(|one| row(one, &table.columns))
        .collect();
    let is_long = table.rows.len() > MOST_ROWS_IN_FULL;
    format!(
        "<section id=\"{id}\">\n<h2>{title}</h2>\n<p class=\"quiet\" id=\"about-{id}\">{caption}</p>\n\
         <div class=\"scroll{long}\">\n\
         <table data-table=\"{id}\" aria-describedby=\"about-{id}\">\n<thead><tr>{heads}</tr></thead>\n\
         <tbody>\n{rows}\n</tbody>\n</table>\n</div>\n{sources}\n</section>",
        id = table.id,
        title = escaped(table.title),
        long = if is_long { " long" } else { "" },
        caption = escaped(&table.caption),
        rows = rows.join("\n"),
        sources = sources(table),
    )
}

fn row(row: &Row, columns: &[Column]) -> String {
    let mut mark = row.is_lossy;
    let cells: String = row
        .cells
        .iter()
        .zip(columns)
        .map(|(cell, column)| {
            let text = escaped(&cell.value.text());
            let text = match cell.value {
                Value::Code(_) => format!("<code>{text}</code>"),
                Value::Text(_)
                | Value::Count(_)
                | Value::Number { .. }
                | Value::Interval { .. }
                | Value::Nothing => text,
            };
            let key = cell
                .value
                .sort_key()
                .map_or(String::new(), |key| format!(" data-key=\"{key}\""));
            let tilde = if column.title == "trial" && std::mem::take(&mut mark) {
                "~"
            } else {
                ""
            };
            let class = if column.title == "error" {
                " class=\"error\"".to_owned()
            } else {
                class(column.is_number, cell.is_best)
            };
            format!("<td{class}{key}>{tilde}{text}</td>")
        })
        .collect();
    let class = if row.is_lossy { " class=\"lossy\"" } else { "" };
    format!("<tr{class}>{cells}</tr>")
}

fn class(is_number: bool, is_best: bool) -> String {
    match (is_number, is_best) {
        (false, false) => String::new(),
        (true, false) => " class=\"number\"".to_owned(),
        (false, true) => " class=\"best\"".to_owned(),
        (true, true) => " class=\"number best\"".to_owned(),
    }
}

/// Where the numbers of each column come from, for readers without a pointer.
fn sources(table: &TableView) -> String {
    let items: String = table
        .columns
        .iter()
        .map(|column| {
            format!(
                "<dt>{}</dt><dd>{}</dd>",
                escaped(column.title),
                escaped(column.source)
            )
        })
        .collect();
    format!("<details><summary>Where the numbers come from</summary><dl>{items}</dl></details>")
}

/// Text that HTML shows as it is, in elements and in attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ if character.is_control() => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::view::DraftRule;
    use crate::report::small_view::{failed, trial, twelve, view};
    use crate::report::tables::tables;

    fn page(view: &SweepView) -> String {
        let bootstrap = Bootstrap::default();
        let tables = tables(view, &bootstrap);
        let page = Page {
            view,
            bootstrap: &bootstrap,
            tables: &tables,
            figures: &[],
            drawings: &[],
            data_hash: "abc",
        };
        page.html()
    }

    #[test]
    fn a_name_full_of_markup_is_shown_and_not_obeyed() {
        let hostile = "</td><script>alert(1)</script>\"'&";
        let mut view = view(vec![
            trial(hostile, DraftRule::FixedLength, 1.5, twelve(1.0)),
            failed("svip", hostile),
        ]);
        view.name = hostile.to_owned();
        view.command = hostile.to_owned();
        view.trials[0].family = hostile.to_owned();
        let html = page(&view);
        assert_eq!(html.matches("<script>").count(), 1, "our own");
        assert!(html.contains("&lt;/td&gt;&lt;script&gt;alert(1)"));
    }

    #[test]
    fn a_page_asks_for_nothing_from_elsewhere() {
        let html = page(&view(vec![trial(
            "k",
            DraftRule::FixedLength,
            1.5,
            twelve(1.0),
        )]));
        for reference in ["http:", "https:", "src=", "@import", "url("] {
            assert!(!html.contains(reference), "{reference}");
        }
        assert!(html.contains("<meta name=\"wedlm-bench-data-sha256\" content=\"abc\">"));
    }

    #[test]
    fn numbers_can_be_sorted_and_say_where_they_come_from() {
        let html = page(&view(vec![trial(
            "k",
            DraftRule::FixedLength,
            1.5,
            twelve(1.0),
        )]));
        assert!(
            html.contains("data-key=\"1.5\">1.50 [1.45, 1.55]</td>"),
            "{html}"
        );
        assert!(html.contains("title=\"trials.parquet: speedup, speedup_low, speedup_high\""));
    }
}
