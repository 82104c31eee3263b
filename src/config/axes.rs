//! The axes along which an entry is varied, and the combinations that they make.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::{Fault, join};

/// Dotted paths, each with the values that it takes, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Axes(Vec<(String, Vec<Value>)>);

/// Values of an axis that are no list, or an empty one.
#[derive(Debug, thiserror::Error)]
pub enum NoValues {
    #[error("the axis '{0}' is no list of values, expected one such as [0.5, 1.0]")]
    NotAList(String),
    #[error("the axis '{0}' has no values, expected at least one")]
    Empty(String),
}

impl TryFrom<Map<String, Value>> for Axes {
    type Error = NoValues;

    fn try_from(map: Map<String, Value>) -> Result<Self, NoValues> {
        map.into_iter()
            .map(|(axis, values)| match values {
                Value::Array(values) if values.is_empty() => Err(NoValues::Empty(axis)),
                Value::Array(values) => Ok((axis, values)),
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Object(_) => Err(NoValues::NotAList(axis)),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl From<Axes> for Map<String, Value> {
    fn from(axes: Axes) -> Self {
        axes.0
            .into_iter()
            .map(|(axis, values)| (axis, Value::Array(values)))
            .collect()
    }
}

impl Axes {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Values of each axis.
    pub fn lens(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|(_, values)| values.len())
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(axis, _)| axis.as_str())
    }
}

/// One axis at one of its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    pub axis: String,
    pub value: Value,
    /// Key of the entry that holds the axis: `grid`, `zip` or `list[2]`.
    pub source: String,
    /// Index of the value, where the axis is a list of them.
    pub index: Option<usize>,
}

impl Setting {
    /// The key of the axis, such as `grid.stop.theta_abs`.
    pub fn key(&self) -> String {
        join(&self.source, &self.axis)
    }

    /// The key of the value, such as `grid.stop.theta_abs[2]`.
    pub fn origin(&self) -> String {
        match self.index {
            Some(index) => format!("{}[{index}]", self.key()),
            None => self.key(),
        }
    }
}

/// Every combination: `list` slowest, then the rows of `zip`, then the product of `grid` with its
/// last axis fastest.
///
/// # Errors
/// An axis that is varied twice, or lists of `zip` that differ in length.
pub fn alternatives(
    list: &[Map<String, Value>],
    zip: &Axes,
    grid: &Axes,
) -> Result<Vec<Vec<Setting>>, Fault> {
    refuse_repeats(list, zip, grid)?;
    let mut combinations = list_rows(list);
    combinations = product(&combinations, &zip_rows(zip)?);
    for (axis, values) in &grid.0 {
        let column: Vec<Vec<Setting>> = values
            .iter()
            .enumerate()
            .map(|(index, value)| vec![setting(axis, value, "grid", index)])
            .collect();
        combinations = product(&combinations, &column);
    }
    Ok(combinations)
}

fn setting(axis: &str, value: &Value, source: &str, index: usize) -> Setting {
    Setting {
        axis: axis.to_owned(),
        value: value.clone(),
        source: source.to_owned(),
        index: Some(index),
    }
}

fn product(slow: &[Vec<Setting>], fast: &[Vec<Setting>]) -> Vec<Vec<Setting>> {
    slow.iter()
        .flat_map(|slow| fast.iter().map(|fast| [slow.as_slice(), fast].concat()))
        .collect()
}

fn list_rows(list: &[Map<String, Value>]) -> Vec<Vec<Setting>> {
    if list.is_empty() {
        return vec![Vec::new()];
    }
    list.iter()
        .enumerate()
        .map(|(index, row)| {
            row.iter()
                .map(|(axis, value)| Setting {
                    axis: axis.clone(),
                    value: value.clone(),
                    source: format!("list[{index}]"),
                    index: None,
                })
                .collect()
        })
        .collect()
}

fn zip_rows(zip: &Axes) -> Result<Vec<Vec<Setting>>, Fault> {
    let Some((first, values)) = zip.0.first() else {
        return Ok(vec![Vec::new()]);
    };
    let n_rows = values.len();
    if let Some((axis, values)) = zip.0.iter().find(|(_, values)| values.len() != n_rows) {
        let reason = format!(
            "'{axis}' has {} values and '{first}' has {n_rows}; axes that advance together need \
             equally many",
            values.len()
        );
        return Err(Fault::new("zip", reason));
    }
    let row = |index: usize| {
        zip.0
            .iter()
            .map(|(axis, values)| setting(axis, &values[index], "zip", index))
            .collect()
    };
    Ok((0..n_rows).map(row).collect())
}

fn refuse_repeats(list: &[Map<String, Value>], zip: &Axes, grid: &Axes) -> Result<(), Fault> {
    let in_list = |axis: &str| list.iter().any(|row| row.contains_key(axis));
    let repeated = |source: &str, axis: &str, other: &str| {
        let reason = format!("this axis is varied under '{other}' already; name it once");
        Err(Fault::new(join(source, axis), reason))
    };
    for axis in zip.names() {
        if in_list(axis) {
            return repeated("zip", axis, "list");
        }
    }
    for axis in grid.names() {
        if in_list(axis) {
            return repeated("grid", axis, "list");
        }
        if zip.names().any(|zipped| zipped == axis) {
            return repeated("grid", axis, "zip");
        }
    }
    Ok(())
}
