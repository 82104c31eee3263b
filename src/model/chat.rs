//! Prompts in the form that a model was trained to be talked to in.
//!
//! A checkpoint's template is Jinja text, rendered as `apply_chat_template` of Python's transformers
//! renders it. It sees the messages and the special tokens, and nothing else: no file, no clock, no
//! network.

use chrono::NaiveDate;
use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, ErrorKind, Value};
use minijinja_contrib::pycompat::unknown_method_callback;
use regex::Regex;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use crate::model::checkpoint::{Checkpoint, CheckpointError};

/// What a template hears when it asks for today's date: the day that Llama 3's own template falls
/// back to. The real one would give other prompts on another day.
pub const DEFAULT_DATE: &str = "2024-07-26";

/// Instructions after which a template is taken to be endless; a prompt takes some hundreds.
const FUEL: u64 = 2_000_000;
const NAME: &str = "chat_template";

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    System,
    User,
    Assistant,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    pub role: Speaker,
    pub content: String,
}

/// Why a conversation cannot be put into a template's form.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    #[error(
        "{model}: there is no chat template in chat_template.jinja, chat_template.json or tokenizer_config.json; leave out workload.chat (or --chat), or give the model of instruction type"
    )]
    NoTemplate { model: String },
    #[error("{model}: the chat template cannot be rendered: {reason}")]
    Template { model: String, reason: String },
}

/// A checkpoint's template, parsed.
#[derive(Debug)]
pub struct ChatTemplate {
    model: String,
    environment: Environment<'static>,
    /// `bos_token` and its like, as the tokenizer's configuration names them.
    special_tokens: Vec<(String, String)>,
}

/// Reads a day such as `2024-07-26`.
///
/// # Errors
/// When it is none.
pub fn date(text: &str) -> Result<NaiveDate, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is no day, expected one such as {DEFAULT_DATE}"))
}

impl ChatTemplate {
    /// The template of a checkpoint; `date` is what it takes for today.
    ///
    /// # Errors
    /// When there is none, or it is not Jinja.
    pub fn of(checkpoint: &Checkpoint, date: NaiveDate) -> Result<Self, ChatError> {
        let model = || checkpoint.name.clone();
        let source = checkpoint
            .chat_template
            .clone()
            .ok_or_else(|| ChatError::NoTemplate { model: model() })?;
        let special_tokens = checkpoint.special_tokens.clone();
        Self::new(model(), source, special_tokens, date)
    }

    /// # Errors
    /// When `source` is not Jinja.
    pub fn new(
        model: String,
        source: String,
        special_tokens: Vec<(String, String)>,
        date: NaiveDate,
    ) -> Result<Self, ChatError> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", |text: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, text))
        });
        environment.add_function("strftime_now", move |format: String| {
            formatted(date, &format)
        });
        environment
            .add_template_owned(NAME, generation_as_scope(&source))
            .map_err(|error| failed(&model, &error))?;
        Ok(Self {
            model,
            environment,
            special_tokens,
        })
    }

    /// The text of a conversation; with `add_generation_prompt` it ends where the assistant's next
    /// message begins.
    ///
    /// # Errors
    /// When the template refuses the conversation.
    pub fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<String, ChatError> {
        let none = Value::from(());
        let mut context: Vec<(&str, Value)> = vec![
            ("messages", Value::from_serialize(messages)),
            ("add_generation_prompt", add_generation_prompt.into()),
            ("tools", none.clone()),
            ("documents", none),
        ];
        let tokens = self.special_tokens.iter();
        context.extend(tokens.map(|(name, text)| (name.as_str(), text.as_str().into())));
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render(Value::from_iter(context)))
            .map_err(|error| failed(&self.model, &error))
    }
}

/// The tag `{% generation %}` shows a training what the assistant says. To the text it is a scope, as it is
/// in transformers.
fn generation_as_scope(source: &str) -> String {
    let tag = Regex::new(r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}");
    let tag = tag.expect("the expression is valid");
    tag.replace_all(source, "{%$1 ${2}with $3%}").into_owned()
}

fn failed(model: &str, error: &Error) -> ChatError {
    let reason = match error.kind() {
        ErrorKind::OutOfFuel => "it does not come to an end".to_string(),
        _ => error.to_string(),
    };
    ChatError::Template {
        model: model.to_string(),
        reason,
    }
}

/// A day in the form of `strftime`; the time is midnight.
fn formatted(date: NaiveDate, format: &str) -> Result<String, Error> {
    use std::fmt::Write;
    let mut text = String::new();
    let midnight = date.and_time(chrono::NaiveTime::MIN);
    match write!(text, "{}", midnight.format(format)) {
        Ok(()) => Ok(text),
        Err(_) => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("strftime_now: '{format}' is no format of a date"),
        )),
    }
}

/// `json.dumps` with `ensure_ascii=False`, which is what transformers gives templates: minijinja's own
/// escapes for HTML and leaves the spaces out.
fn to_json(value: Value, _: Rest<Value>, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let text = match indent {
        Some(width) => {
            let spaces = " ".repeat(width.min(16));
            dumped(&value, PrettyFormatter::with_indent(spaces.as_bytes()))
        }
        None => dumped(&value, Spaced),
    };
    text.map(Value::from_safe_string)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

fn dumped(value: &Value, formatter: impl Formatter) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// Python's separators: a space behind commas and colons.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

/// The template among the files of a checkpoint: `chat_template.jinja`, else `chat_template.json`, else
/// `tokenizer_config.json`, where it is a text or a list of named ones.
///
/// # Errors
/// When one of them is not JSON, or none of several is the default.
pub(super) fn template_of(
    files: &dyn Fn(&str) -> Result<Option<String>, CheckpointError>,
    place: &dyn Fn(&str) -> String,
) -> Result<Option<String>, CheckpointError> {
    if let Some(source) = files("chat_template.jinja")? {
        return Ok(Some(source));
    }
    for file in ["chat_template.json", "tokenizer_config.json"] {
        let Some(text) = files(file)? else { continue };
        let document: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| CheckpointError::file(place(file), error))?;
        match document.get("chat_template") {
            None | Some(serde_json::Value::Null) => {}
            Some(serde_json::Value::String(source)) => return Ok(Some(source.clone())),
            Some(serde_json::Value::Array(named)) => {
                return default_of(named)
                    .map(Some)
                    .map_err(|reason| CheckpointError::file(place(file), reason));
            }
            Some(other) => {
                let reason =
                    format!("chat_template is {other}, expected a text or a list of named texts");
                return Err(CheckpointError::file(place(file), reason));
            }
        }
    }
    Ok(None)
}

fn default_of(named: &[serde_json::Value]) -> Result<String, String> {
    let text = |entry: &serde_json::Value, key: &str| {
        let text = entry.get(key)?.as_str()?;
        Some(text.to_string())
    };
    let default = named
        .iter()
        .find(|entry| text(entry, "name").as_deref() == Some("default"));
    default
        .and_then(|entry| text(entry, "template"))
        .ok_or_else(|| {
            let names: Vec<String> = named
                .iter()
                .filter_map(|entry| text(entry, "name"))
                .collect();
            format!("chat_template lists {} and no 'default'", names.join(", "))
        })
}
