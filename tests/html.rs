//! `report.html` as a reader meets it: in a browser where there is one, and tag by tag.

use std::path::{Path, PathBuf};
use std::process::Command;

use wedlm_bench::report::files::Report;

#[path = "figures/made_up.rs"]
mod made_up;

fn page(folder: &Path) -> PathBuf {
    let view = made_up::sweep();
    let report = Report {
        view: &view,
        bootstrap: &made_up::bootstrap(),
        data_hash: "0123456789abcdef",
    };
    report.write(folder).unwrap();
    folder.join("report.html")
}

fn browser() -> Option<&'static str> {
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| {
            let version = Command::new(name).arg("--version").output();
            version.is_ok_and(|output| output.status.success())
        })
}

/// The document after its script ran, and what the browser logged.
fn dumped(browser: &str, page: &Path, fragment: &str) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--dump-dom",
            "--enable-logging=stderr",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}{fragment}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success());
    (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// The part of a document that is one table.
fn table<'a>(document: &'a str, id: &str) -> &'a str {
    let start = document
        .find(&format!("<table data-table=\"{id}\""))
        .unwrap();
    let end = document[start..].find("</table>").unwrap();
    &document[start..start + end]
}

/// Sort keys of a column, from 1 on, in the order of the rows; none for cells without a number.
fn keys(document: &str, id: &str, column: usize) -> Vec<Option<f64>> {
    let body = table(document, id).split("<tbody>").nth(1).unwrap();
    body.split("<tr")
        .skip(1)
        .map(|row| {
            let cell = row.split("<td").nth(column).unwrap();
            let tag = cell.split('>').next().unwrap();
            let key = tag.split("data-key=\"").nth(1)?;
            Some(key.split('"').next()?.parse().unwrap())
        })
        .collect()
}

#[test]
fn a_browser_sorts_the_table_that_the_address_asks_for_and_has_nothing_to_complain_about() {
    let Some(browser) = browser() else {
        println!("no chromium on the path: the page is only checked tag by tag");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path());
    let speedup = 5;
    let (unsorted, log) = dumped(browser, &page, "");
    assert!(!log.contains("CONSOLE"), "{log}");
    let as_planned = keys(&unsorted, "main", speedup);
    assert!(as_planned.len() > 8 && as_planned.iter().all(Option::is_some));
    assert!(!as_planned.is_sorted());

    let (rising, log) = dumped(browser, &page, "#sort=main,5");
    assert!(!log.contains("CONSOLE"), "{log}");
    let mut expected = as_planned.clone();
    expected.sort_by(|one, other| one.partial_cmp(other).unwrap());
    assert_eq!(keys(&rising, "main", speedup), expected);
    let sorted = table(&rising, "main").matches("aria-sort=\"ascending\"");
    assert_eq!(sorted.count(), 1);
    assert_eq!(
        keys(&rising, "all", speedup),
        keys(&unsorted, "all", speedup),
        "the other tables stay as they are"
    );

    let (falling, _) = dumped(browser, &page, "#sort=main,5,desc");
    expected.reverse();
    assert_eq!(keys(&falling, "main", speedup), expected);

    // Only the baseline has no acceptance rate: last in either direction.
    for fragment in ["#sort=main,8", "#sort=main,8,desc"] {
        let (document, log) = dumped(browser, &page, fragment);
        assert!(!log.contains("CONSOLE"), "{log}");
        let keys = keys(&document, "main", 8);
        assert_eq!(keys.last(), Some(&None), "{fragment}");
        assert_eq!(keys.iter().filter(|key| key.is_none()).count(), 1);
    }
}

#[test]
fn an_address_that_asks_for_nonsense_changes_nothing() {
    let Some(browser) = browser() else {
        println!("no chromium on the path: not checked");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path());
    let (plain, _) = dumped(browser, &page, "");
    for fragment in [
        "#sort=main,99",
        "#sort=nothing,1",
        "#sort=<b>,1",
        "#figures",
    ] {
        let (document, log) = dumped(browser, &page, fragment);
        assert!(!log.contains("CONSOLE"), "{fragment}: {log}");
        assert_eq!(keys(&document, "main", 5), keys(&plain, "main", 5));
    }
}

/// Tags in order: name, and whether it opens, closes or does both.
fn tags(document: &str) -> Vec<(String, bool, bool)> {
    let mut tags = Vec::new();
    let mut rest = document;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if tag.starts_with('!') {
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(|one| one.is_ascii_alphanumeric())
            .collect();
        assert!(!name.is_empty(), "<{tag}>");
        let is_void = ["meta", "link", "br"].contains(&name.as_str()) || tag.ends_with('/');
        let is_end = tag.starts_with('/');
        if !is_end && ["style", "script"].contains(&name.as_str()) {
            let end = rest.find(&format!("</{name}")).expect("it is closed");
            rest = &rest[end..];
        }
        tags.push((name, !is_end, is_end || is_void));
    }
    tags
}

#[test]
fn every_tag_is_closed_in_the_order_in_which_it_was_opened() {
    let folder = tempfile::tempdir().unwrap();
    let document = std::fs::read_to_string(page(folder.path())).unwrap();
    let mut open: Vec<String> = Vec::new();
    for (name, opens, closes) in tags(&document) {
        if opens {
            open.push(name.clone());
        }
        if closes {
            assert_eq!(open.pop(), Some(name), "{open:?}");
        }
    }
    assert_eq!(open, Vec::<String>::new());
}

#[test]
fn a_page_holds_every_figure_and_every_table_and_refers_to_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let document = std::fs::read_to_string(page(folder.path())).unwrap();
    assert_eq!(document.matches("<svg ").count(), 11);
    for id in ["main", "categories", "window", "replay", "all", "failures"] {
        assert!(document.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    for reference in ["src=", "@import", "url(", "https:"] {
        assert!(!document.contains(reference), "{reference}");
    }
    assert!(document.contains("5e884898da28"), "how it was made");
    let ids: Vec<&str> = document
        .split(" id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    for (place, id) in ids.iter().enumerate() {
        assert!(!ids[..place].contains(id), "{id} is there twice");
    }
}
