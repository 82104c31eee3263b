//! From a YAML file to a typed document: read, parse, fill variables in, override, check.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use super::error::{ConfigError, Fault};
use super::interpolate::{Lookup, interpolate};
use super::sweep::SweepSpec;
use super::wording::nearest;
use super::{overrides, strict};

/// A sweep file with its overrides applied, checked as far as the file alone allows.
///
/// # Errors
/// Any [`ConfigError`]; each names file, key, what is wrong and what is allowed.
pub fn load_sweep(path: impl AsRef<Path>, overrides: &[String]) -> Result<SweepSpec, ConfigError> {
    let file = path.as_ref().display().to_string();
    parse_sweep(&file, &text_of(path.as_ref())?, overrides, &environment)
}

/// [`load_sweep`] on a text: `file` is only a name for messages and for the paths next to it.
///
/// # Errors
/// As [`load_sweep`].
pub fn parse_sweep(
    file: &str,
    text: &str,
    overrides: &[String],
    lookup: Lookup<'_>,
) -> Result<SweepSpec, ConfigError> {
    let document = document(file, text, overrides, lookup)?;
    let mut sweep: SweepSpec = strict::read(&document).map_err(|fault| fault.in_file(file))?;
    file.clone_into(&mut sweep.file);
    sweep.check().map_err(|fault| fault.in_file(file))?;
    sweep.hardware_profile()?;
    Ok(sweep)
}

/// Any other YAML file of the project, such as a hardware profile, under the same rules.
///
/// # Errors
/// As [`load_sweep`].
pub fn load<T: DeserializeOwned>(
    path: impl AsRef<Path>,
    overrides: &[String],
) -> Result<T, ConfigError> {
    let file = path.as_ref().display().to_string();
    parse(&file, &text_of(path.as_ref())?, overrides)
}

/// [`load`] on a text.
///
/// # Errors
/// As [`load_sweep`].
pub fn parse<T: DeserializeOwned>(
    file: &str,
    text: &str,
    overrides: &[String],
) -> Result<T, ConfigError> {
    let document = document(file, text, overrides, &environment)?;
    strict::read(&document).map_err(|fault| fault.in_file(file))
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn document(
    file: &str,
    text: &str,
    overrides: &[String],
    lookup: Lookup<'_>,
) -> Result<Value, ConfigError> {
    let mut yaml: serde_yaml::Value =
        serde_yaml::from_str(text).map_err(|error| syntax(file, &error))?;
    yaml.apply_merge().map_err(|error| syntax(file, &error))?;
    let mut document = json(yaml).map_err(|fault| fault.in_file(file))?;
    if document.is_null() {
        return Err(unreadable(file, "the file holds nothing".to_owned()));
    }
    interpolate(&mut document, lookup).map_err(|fault| fault.in_file(file))?;
    for assignment in overrides {
        overrides::apply(&mut document, assignment)?;
    }
    Ok(document)
}

fn text_of(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => {
                let instead = sibling(path)
                    .unwrap_or_else(|| "expected a YAML file such as those in configs/".to_owned());
                format!("no such file; {instead}")
            }
            std::io::ErrorKind::InvalidData => "not text in UTF-8".to_owned(),
            _ => error.to_string(),
        };
        unreadable(&path.display().to_string(), reason)
    })
}

/// "did you mean …?" for a file name that is nearly that of a YAML file beside it.
fn sibling(path: &Path) -> Option<String> {
    let (folder, name) = (path.parent()?, path.file_name()?);
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"))
        .collect();
    names.sort();
    nearest(&name.to_string_lossy(), names.iter().map(String::as_str))
        .map(|found| format!("did you mean '{}'?", path.with_file_name(found).display()))
}

fn unreadable(file: &str, reason: String) -> ConfigError {
    ConfigError::Unreadable {
        file: file.to_owned(),
        reason,
    }
}

fn syntax(file: &str, error: &serde_yaml::Error) -> ConfigError {
    let Some(place) = error.location() else {
        return unreadable(file, error.to_string());
    };
    // The parser ends its messages with " at line 3 column 5", which the sentence starts with here.
    let message = error.to_string();
    let reason = message.split(" at line ").next().unwrap_or(&message);
    ConfigError::Syntax {
        file: file.to_owned(),
        line: place.line(),
        column: place.column(),
        reason: reason
            .replace("duplicate entry with key", "duplicate key")
            .replace('"', "'"),
    }
}

/// The same tree as JSON, in which the rest of the program looks at it.
fn json(yaml: serde_yaml::Value) -> Result<Value, Fault> {
    match yaml {
        serde_yaml::Value::Null => Ok(Value::Null),
        serde_yaml::Value::Bool(value) => Ok(Value::Bool(value)),
        serde_yaml::Value::String(text) => Ok(Value::String(text)),
        serde_yaml::Value::Number(number) => json_number(&number).map(Value::Number),
        serde_yaml::Value::Sequence(list) => list
            .into_iter()
            .enumerate()
            .map(|(index, item)| json(item).map_err(|fault| fault.below(&format!("[{index}]"))))
            .collect(),
        serde_yaml::Value::Mapping(mapping) => {
            let mut map = Map::new();
            for (key, item) in mapping {
                let serde_yaml::Value::String(key) = key else {
                    let key = serde_yaml::to_string(&key).unwrap_or_default();
                    let key = key.trim_end();
                    return Err(Fault::new(
                        "",
                        format!("the key {key} is not text; write \"{key}\""),
                    ));
                };
                let item = json(item).map_err(|fault| fault.below(&key))?;
                map.insert(key, item);
            }
            Ok(Value::Object(map))
        }
        serde_yaml::Value::Tagged(tagged) => Err(Fault::new(
            "",
            format!("the YAML tag {} is not used here; leave it out", tagged.tag),
        )),
    }
}

fn json_number(number: &serde_yaml::Number) -> Result<Number, Fault> {
    let whole = number
        .as_u64()
        .map(Number::from)
        .or_else(|| number.as_i64().map(Number::from));
    whole
        .or_else(|| number.as_f64().and_then(Number::from_f64))
        .ok_or_else(|| Fault::new("", format!("{number} is not a finite number")))
}
