//! The paragraphs of `report.md` as HTML: the Markdown that this program writes, not Markdown at large.

use super::escaped;

/// Headings of the second level, lists, paragraphs; tables are left out, because a page has its own.
pub fn blocks(markdown: &str) -> String {
    let blocks = markdown.split("\n\n").map(str::trim).filter_map(|block| {
        if block.is_empty() || block.starts_with('|') {
            None
        } else if let Some(heading) = block.strip_prefix("## ") {
            Some(format!("<h2>{}</h2>", inline(heading)))
        } else if block.lines().all(|line| line.starts_with("- ")) {
            let items = block
                .lines()
                .map(|line| format!("<li>{}</li>", inline(&line[2..])));
            Some(format!("<ul>{}</ul>", items.collect::<String>()))
        } else {
            Some(format!("<p>{}</p>", inline(block)))
        }
    });
    blocks.collect::<Vec<_>>().join("\n")
}

/// Code spans, strong and emphasised text, escapes.
fn inline(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let after = &rest[character.len_utf8()..];
        match character {
            '\\' => {
                let literal: String = after.chars().take(1).collect();
                html += &escaped(&literal);
                rest = &after[literal.len()..];
                continue;
            }
            '`' => {
                let fence: String = rest.chars().take_while(|one| *one == '`').collect();
                let inside = &rest[fence.len()..];
                if let Some(end) = inside.find(&fence) {
                    html += &format!("<code>{}</code>", escaped(inside[..end].trim()));
                    rest = &inside[end + fence.len()..];
                    continue;
                }
                html.push('`');
            }
            '*' => {
                let (tag, length) = if after.starts_with('*') {
                    ("strong", 2)
                } else {
                    ("em", 1)
                };
                match open.iter().rposition(|one| *one == tag) {
                    Some(place) => {
                        for tag in open.drain(place..).rev() {
                            html += &format!("</{tag}>");
                        }
                    }
                    None => {
                        html += &format!("<{tag}>");
                        open.push(tag);
                    }
                }
                rest = &rest[length..];
                continue;
            }
            '&' if ["lt;", "gt;", "amp;"]
                .iter()
                .any(|one| after.starts_with(one)) =>
            {
                html.push('&')
            }
            _ => html += &escaped(&character.to_string()),
        }
        rest = after;
    }
    for tag in open.into_iter().rev() {
        html += &format!("</{tag}>");
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_markup_of_the_report_becomes_tags_and_nothing_else_does() {
        assert_eq!(
            inline(r"**Speed.** *n* is `a<b`, &lt;x&gt; \*y\* <z>"),
            "<strong>Speed.</strong> <em>n</em> is <code>a&lt;b</code>, &lt;x&gt; *y* &lt;z&gt;"
        );
        assert_eq!(inline("`` echo `date` ``"), "<code>echo `date`</code>");
    }

    #[test]
    fn what_is_not_closed_is_closed_at_the_end() {
        assert_eq!(inline("**a *b"), "<strong>a <em>b</em></strong>");
        assert_eq!(inline("a ` b \\"), "a ` b ");
    }

    #[test]
    fn blocks_are_headings_lists_and_paragraphs() {
        let html = blocks("## T\n\ntext\n\n- a\n- b\n\n| x |\n|---|");
        assert_eq!(
            html,
            "<h2>T</h2>\n<p>text</p>\n<ul><li>a</li><li>b</li></ul>"
        );
    }
}
