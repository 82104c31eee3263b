//! Files with one JSON object per line, which is how the public data sets come.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::{Map, Value};

use super::error::WorkloadError;

/// One object of such a file, with its place for messages.
pub(super) struct Line<'a> {
    path: &'a Path,
    /// Counts from 1, blank lines included.
    pub number: usize,
    form: &'static str,
    object: Map<String, Value>,
}

/// The first `limit` items of a file, in file order.
///
/// Blank lines are skipped and nothing after the last item needed is read. `form` says in errors
/// what each line needs, e.g. `'question' and 'answer'`.
///
/// # Errors
///
/// The file cannot be read, is compressed or holds no object, a line is not a JSON object, or what
/// `item_of` returns.
pub(super) fn read_lines<T>(
    path: &Path,
    limit: usize,
    form: &'static str,
    mut item_of: impl FnMut(&Line) -> Result<T, WorkloadError>,
) -> Result<Vec<T>, WorkloadError> {
    let mut items = Vec::new();
    let mut is_empty = true;
    for (index, text) in open(path)?.lines().enumerate() {
        let text = text.map_err(|source| unreadable(path, source))?;
        if text.trim().is_empty() {
            continue;
        }
        is_empty = false;
        if items.len() == limit {
            break;
        }
        items.push(item_of(&Line::parse(path, index + 1, form, &text)?)?);
    }
    if is_empty {
        return Err(WorkloadError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(items)
}

fn open(path: &Path) -> Result<BufReader<File>, WorkloadError> {
    if path.extension().is_some_and(|extension| extension == "gz") {
        return Err(WorkloadError::Compressed {
            path: path.to_owned(),
        });
    }
    let file = File::open(path).map_err(|source| unreadable(path, source))?;
    Ok(BufReader::new(file))
}

pub(super) fn unreadable(path: &Path, source: std::io::Error) -> WorkloadError {
    WorkloadError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

impl<'a> Line<'a> {
    fn parse(
        path: &'a Path,
        number: usize,
        form: &'static str,
        text: &str,
    ) -> Result<Self, WorkloadError> {
        let not_json = |reason: String| WorkloadError::NotJson {
            path: path.to_owned(),
            line: number,
            reason,
            form,
        };
        let value = serde_json::from_str(text).map_err(|error| not_json(error.to_string()))?;
        match value {
            Value::Object(object) => Ok(Self {
                path,
                number,
                form,
                object,
            }),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(not_json("not an object".to_owned())),
        }
    }

    pub fn path(&self) -> &Path {
        self.path
    }

    /// A field that must be a text.
    pub fn text(&self, field: &'static str) -> Result<&str, WorkloadError> {
        let text = self.object.get(field).and_then(Value::as_str);
        text.ok_or_else(|| self.missing(field))
    }

    /// A field that may be absent or null, and otherwise must be a text.
    pub fn optional_text(&self, field: &'static str) -> Result<Option<&str>, WorkloadError> {
        match self.present(field) {
            None => Ok(None),
            Some(value) => match value.as_str() {
                Some(text) => Ok(Some(text)),
                None => Err(self.wrong(field, "a text")),
            },
        }
    }

    /// A field that must be a text or a list of at least one text.
    pub fn texts(&self, field: &'static str) -> Result<Vec<String>, WorkloadError> {
        let value = self.present(field).ok_or_else(|| self.missing(field))?;
        texts_of(value).ok_or_else(|| self.wrong(field, "a text or a list of texts"))
    }

    /// As [`texts`](Self::texts), but the field may be absent or null: then there are none.
    pub fn optional_texts(&self, field: &'static str) -> Result<Vec<String>, WorkloadError> {
        match self.present(field) {
            None => Ok(Vec::new()),
            Some(_) => self.texts(field),
        }
    }

    /// A field that must be a text or a whole number, as a text.
    pub fn name(&self, field: &'static str) -> Result<String, WorkloadError> {
        let value = self.present(field).ok_or_else(|| self.missing(field))?;
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
            Value::Number(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Array(_)
            | Value::Object(_) => Err(self.wrong(field, "a text or a whole number")),
        }
    }

    /// A field that may be absent, and otherwise must be an object of texts; in file order.
    pub fn named_texts(
        &self,
        field: &'static str,
    ) -> Result<Option<Vec<(&str, &str)>>, WorkloadError> {
        let Some(value) = self.present(field) else {
            return Ok(None);
        };
        let object = value.as_object();
        let texts = object.and_then(|object| {
            let pairs = object.iter();
            pairs
                .map(|(name, text)| Some((name.as_str(), text.as_str()?)))
                .collect()
        });
        match texts {
            Some(texts) => Ok(Some(texts)),
            None => Err(self.wrong(field, "an object of texts")),
        }
    }

    fn present(&self, field: &str) -> Option<&Value> {
        self.object.get(field).filter(|value| !value.is_null())
    }

    fn missing(&self, field: &'static str) -> WorkloadError {
        WorkloadError::MissingField {
            path: self.path.to_owned(),
            line: self.number,
            field,
            form: self.form,
        }
    }

    /// The error of a field whose value is not in the form allowed.
    pub fn wrong(&self, field: &'static str, allowed: impl Into<String>) -> WorkloadError {
        WorkloadError::WrongField {
            path: self.path.to_owned(),
            line: self.number,
            field,
            given: self
                .object
                .get(field)
                .map_or_else(|| "absent".to_owned(), shortened),
            allowed: allowed.into(),
        }
    }
}

fn texts_of(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(values) if !values.is_empty() => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect(),
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            None
        }
    }
}

/// The value as JSON, at most some forty characters of it.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line<'static> {
        Line::parse(Path::new("a.jsonl"), 3, "'x'", text).unwrap()
    }

    #[test]
    fn a_field_that_is_not_in_its_form_is_named_with_what_stands_there() {
        let line = line(r#"{"n": 7, "list": ["a", 1], "empty": [], "null": null}"#);
        let message = line.texts("list").unwrap_err().to_string();
        assert_eq!(
            message,
            r#"a.jsonl: line 3: the field 'list' is ["a",1], expected a text or a list of texts"#
        );
        let message = line.optional_text("n").unwrap_err().to_string();
        assert!(message.ends_with("'n' is 7, expected a text"), "{message}");
        let message = line.texts("empty").unwrap_err().to_string();
        assert!(message.contains("'empty' is []"), "{message}");
        let message = line.text("null").unwrap_err().to_string();
        assert!(
            message.ends_with("no text field 'null'; each line needs 'x'"),
            "{message}"
        );
        assert_eq!(line.optional_texts("null").unwrap(), Vec::<String>::new());
        assert_eq!(line.name("n").unwrap(), "7");
        assert!(line.named_texts("n").is_err());
    }

    #[test]
    fn a_long_value_is_shortened_at_a_character() {
        let value = Value::String("é".repeat(100));
        assert_eq!(shortened(&value).chars().count(), 41);
    }

    #[test]
    fn a_compressed_file_is_refused_with_the_remedy() {
        let error = read_lines(Path::new("x.jsonl.gz"), 1, "'x'", |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("gunzip"), "{error}");
    }
}
