//! The flat form of a grid of stopping rules: lists of thresholds and names, nothing nested.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::decoder::DecoderSpec;
use super::decoder_entry::Point;
use super::error::Fault;
use crate::policy::accept::AcceptRule;
use crate::policy::entropy::EntropyRule;
use crate::policy::stop::{Combination, DraftOrder, StopRule};

/// Lists of which every combination is taken, in the order of the fields, the last one fastest.
///
/// | strategy | reads |
/// |---|---|
/// | `fixed` | `max_draft_len` |
/// | `absolute` | `theta_abs` |
/// | `relative` | `theta_rel` |
/// | `window` | `window_size`, `theta_abs` as the threshold of the mean |
/// | `combined` | any of absolute, relative and window with all three parameters |
///
/// All but `fixed` also read `min_draft_len`, `max_draft_len` and `entropy_type`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ParamGrid {
    pub theta_abs: Vec<f64>,
    pub theta_rel: Vec<f64>,
    pub window_size: Vec<usize>,
    pub min_draft_len: Vec<usize>,
    pub max_draft_len: Vec<usize>,
    pub entropy_type: Vec<EntropyType>,
    pub stopping_strategy: Vec<Strategy>,
}

impl Default for ParamGrid {
    fn default() -> Self {
        Self {
            theta_abs: vec![1.0],
            theta_rel: vec![1.5],
            window_size: vec![3],
            min_draft_len: vec![1],
            max_draft_len: vec![8],
            entropy_type: vec![EntropyType::default()],
            stopping_strategy: vec![Strategy::Absolute],
        }
    }
}

/// A stopping rule of the flat form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    Fixed,
    Absolute,
    Relative,
    Window,
    Combined,
}

/// The kind of an [`EntropyRule`] whose parameters are the defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntropyType {
    kind: String,
    rule: EntropyRule,
}

impl Default for EntropyType {
    fn default() -> Self {
        Self {
            kind: "shannon".to_owned(),
            rule: EntropyRule::default(),
        }
    }
}

impl TryFrom<String> for EntropyType {
    type Error = serde_json::Error;

    fn try_from(kind: String) -> Result<Self, serde_json::Error> {
        let rule = EntropyRule::deserialize(json!({"kind": kind}))?;
        Ok(Self { kind, rule })
    }
}

impl From<EntropyType> for String {
    fn from(entropy: EntropyType) -> Self {
        entropy.kind
    }
}

/// One value of each list.
#[derive(Clone, Copy)]
struct Values<'a> {
    theta_abs: f64,
    theta_rel: f64,
    window_size: usize,
    min_draft_len: usize,
    max_draft_len: usize,
    entropy_type: &'a EntropyType,
    strategy: Strategy,
}

impl Strategy {
    /// The name of the rule, which its points are reported under.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Absolute => "absolute",
            Self::Relative => "relative",
            Self::Window => "window",
            Self::Combined => "combined",
        }
    }

    fn reads_theta_abs(self) -> bool {
        match self {
            Self::Absolute | Self::Window | Self::Combined => true,
            Self::Fixed | Self::Relative => false,
        }
    }

    fn reads_theta_rel(self) -> bool {
        match self {
            Self::Relative | Self::Combined => true,
            Self::Fixed | Self::Absolute | Self::Window => false,
        }
    }

    fn reads_window_size(self) -> bool {
        match self {
            Self::Window | Self::Combined => true,
            Self::Fixed | Self::Absolute | Self::Relative => false,
        }
    }
}

impl ParamGrid {
    /// Every combination with the name of its rule, duplicates included: a combination has the axes
    /// that its rule reads, so those that differ in others are equal.
    ///
    /// # Errors
    /// An empty list, or a value that is out of the range of its rule.
    pub fn points(&self) -> Result<Vec<(Strategy, Point)>, Fault> {
        self.refuse_empty_lists()?;
        refuse_zeros("window_size", &self.window_size)?;
        refuse_zeros("max_draft_len", &self.max_draft_len)?;
        self.combinations()
            .enumerate()
            .map(|(number, values)| {
                let point = values.point(number);
                point.decoder.check()?;
                Ok((values.strategy, point))
            })
            .collect()
    }

    /// Values of each list, in the order of the fields.
    pub fn shape(&self) -> Vec<usize> {
        vec![
            self.theta_abs.len(),
            self.theta_rel.len(),
            self.window_size.len(),
            self.min_draft_len.len(),
            self.max_draft_len.len(),
            self.entropy_type.len(),
            self.stopping_strategy.len(),
        ]
    }

    fn combinations(&self) -> impl Iterator<Item = Values<'_>> {
        let grid = self;
        grid.theta_abs.iter().flat_map(move |&theta_abs| {
            grid.theta_rel.iter().flat_map(move |&theta_rel| {
                grid.window_size.iter().flat_map(move |&window_size| {
                    grid.lengths()
                        .flat_map(move |(min_draft_len, max_draft_len)| {
                            grid.entropy_type.iter().flat_map(move |entropy_type| {
                                grid.stopping_strategy.iter().map(move |&strategy| Values {
                                    theta_abs,
                                    theta_rel,
                                    window_size,
                                    min_draft_len,
                                    max_draft_len,
                                    entropy_type,
                                    strategy,
                                })
                            })
                        })
                })
            })
        })
    }

    fn lengths(&self) -> impl Iterator<Item = (usize, usize)> {
        self.min_draft_len
            .iter()
            .flat_map(|&min| self.max_draft_len.iter().map(move |&max| (min, max)))
    }

    fn refuse_empty_lists(&self) -> Result<(), Fault> {
        let lists = [
            ("theta_abs", self.theta_abs.is_empty()),
            ("theta_rel", self.theta_rel.is_empty()),
            ("window_size", self.window_size.is_empty()),
            ("min_draft_len", self.min_draft_len.is_empty()),
            ("max_draft_len", self.max_draft_len.is_empty()),
            ("entropy_type", self.entropy_type.is_empty()),
            ("stopping_strategy", self.stopping_strategy.is_empty()),
        ];
        match lists.iter().find(|(_, is_empty)| *is_empty) {
            Some((name, _)) => Err(Fault::new(
                *name,
                "the list has no values, expected at least one",
            )),
            None => Ok(()),
        }
    }
}

fn refuse_zeros(list: &str, values: &[usize]) -> Result<(), Fault> {
    match values.iter().position(|value| *value == 0) {
        Some(index) => Err(Fault::new(
            format!("{list}[{index}]"),
            "0 is out of range, expected 1 or more",
        )),
        None => Ok(()),
    }
}

impl Values<'_> {
    fn point(&self, number: usize) -> Point {
        Point {
            decoder: DecoderSpec::Speculative {
                stop: self.stop(),
                order: DraftOrder::default(),
                min_draft_len: self.min_draft_len,
                max_draft_len: self.max_draft_len,
                entropy: self.entropy_type.rule,
                accept: AcceptRule::default(),
                batch_size: 1,
            },
            axes: self.axes(),
            number,
        }
    }

    fn stop(&self) -> StopRule {
        let absolute = StopRule::Absolute {
            theta_abs: self.theta_abs,
        };
        let relative = StopRule::Relative {
            theta_rel: self.theta_rel,
        };
        let window = StopRule::Window {
            window_size: self.window_size,
            theta_window: self.theta_abs,
        };
        match self.strategy {
            Strategy::Fixed => StopRule::Fixed {},
            Strategy::Absolute => absolute,
            Strategy::Relative => relative,
            Strategy::Window => window,
            Strategy::Combined => {
                StopRule::Combined(Combination::Any(vec![absolute, relative, window]))
            }
        }
    }

    fn axes(&self) -> Vec<(String, Value)> {
        let strategy = self.strategy;
        let is_fixed = strategy == Strategy::Fixed;
        let axes = [
            (
                "theta_abs",
                json!(self.theta_abs),
                strategy.reads_theta_abs(),
            ),
            (
                "theta_rel",
                json!(self.theta_rel),
                strategy.reads_theta_rel(),
            ),
            (
                "window_size",
                json!(self.window_size),
                strategy.reads_window_size(),
            ),
            ("min_draft_len", json!(self.min_draft_len), !is_fixed),
            ("max_draft_len", json!(self.max_draft_len), true),
            ("entropy_type", json!(self.entropy_type.kind), !is_fixed),
        ];
        axes.into_iter()
            .filter(|(_, _, is_read)| *is_read)
            .map(|(axis, value, _)| (axis.to_owned(), value))
            .collect()
    }
}
