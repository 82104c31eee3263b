//! Generated blocks of hand-written Markdown, between markers.

/// A block with nothing in it yet.
pub fn empty_block(name: &str) -> String {
    format!("{}\n{}\n", begin(name), end(name))
}

fn begin(name: &str) -> String {
    format!("<!-- {name}: generated from here on; do not edit -->")
}

fn end(name: &str) -> String {
    format!("<!-- {name}: generated up to here -->")
}

/// `text` with `block` between the markers of that name.
///
/// # Errors
/// A sentence that says which markers are missing.
pub fn spliced(text: &str, name: &str, block: &str) -> Result<String, String> {
    let (begin, end) = (begin(name), end(name));
    let start = text.find(&begin).map(|place| place + begin.len());
    let stop = start.and_then(|start| Some(start + text[start..].find(&end)?));
    match (start, stop) {
        (Some(start), Some(stop)) => Ok(format!(
            "{}\n{}\n{}",
            &text[..start],
            block.trim_end(),
            &text[stop..]
        )),
        (Some(_) | None, Some(_) | None) => Err(format!(
            "the markers '{begin}' and '{end}' are missing, put each on a line of its own"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_markers_changes_and_a_second_time_nothing() {
        let text = format!("# Title\n\nby hand\n\n{}\nbehind\n", empty_block("verdict"));
        let once = spliced(&text, "verdict", "new\n").unwrap();
        assert!(
            once.starts_with("# Title\n\nby hand\n\n<!-- verdict: "),
            "{once}"
        );
        assert!(
            once.contains("-->\nnew\n<!-- verdict: generated up to here -->\n\nbehind\n"),
            "{once}"
        );
        assert_eq!(spliced(&once, "verdict", "new\n").unwrap(), once);
        let twice = spliced(&once, "verdict", "newer\n").unwrap();
        assert_eq!(twice, once.replace("\nnew\n", "\nnewer\n"));
    }

    #[test]
    fn a_missing_marker_is_named() {
        let error = spliced("# Title\n", "verdict", "new").unwrap_err();
        assert!(
            error.contains("<!-- verdict: generated from here on"),
            "{error}"
        );
        let half = super::begin("verdict");
        assert!(spliced(&half, "verdict", "new").is_err());
    }
}
