//! What a figure shows, before any pixel: panels, their axes and layers, and a legend.

use plotters::style::RGBColor;

use crate::report::scale::{Limits, Scale, is_drawable};
use crate::report::style::{Look, Stroke};
use crate::stats::interval::Interval;

/// A figure of one or more panels with one legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub title: String,
    /// What was measured, on what, by which version.
    pub subtitle: String,
    /// In reading order.
    pub panels: Vec<Panel>,
    pub n_columns: usize,
    pub legend: Vec<LegendEntry>,
    /// What a reader must know, a line each.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// May be empty.
    pub title: String,
    /// A smaller line below the title; may be empty.
    pub detail: String,
    pub x: Axis,
    pub y: Axis,
    /// Later layers cover earlier ones.
    pub layers: Vec<Layer>,
}

/// An axis with its unit in the label; the range follows from the layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub label: String,
    pub limits: Limits,
    /// Names of the places 0, 1, 2, … when the axis is not one of numbers.
    pub names: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    Series {
        points: Vec<Point>,
        look: Look,
        /// Joins the points in the order given.
        is_joined: bool,
    },
    Bars {
        bars: Vec<Bar>,
        colour: RGBColor,
        /// In units of x.
        half_width: f64,
    },
    /// Filled squares of a heat map, one unit wide and high.
    Cells(Vec<HeatCell>),
    /// A bare line that does not stretch the axes: the caller keeps it within the data.
    Line {
        ends: [(f64, f64); 2],
        stroke: Stroke,
    },
    /// A straight line across the panel.
    Rule { across: Across, stroke: Stroke },
    /// A circle around a point of another layer.
    Ring { x: f64, y: f64 },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
    /// Ends of the horizontal error bar.
    pub x_ends: Option<(f64, f64)>,
    /// Ends of the vertical error bar.
    pub y_ends: Option<(f64, f64)>,
}

/// A square around a place, with a text in it that may be empty.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatCell {
    pub x: f64,
    pub y: f64,
    pub colour: RGBColor,
    pub text: String,
}

/// A bar from 0 to `height` around `x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    pub x: f64,
    pub height: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Across {
    /// The horizontal line y = value.
    Y(f64),
    /// The vertical line x = value.
    X(f64),
}

impl Across {
    pub fn value(self) -> f64 {
        match self {
            Self::Y(value) | Self::X(value) => value,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct LegendEntry {
    pub text: String,
    pub symbol: Symbol,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Symbol {
    /// Marker on its line.
    Joined(Look),
    Marker(Look),
    Rule(Stroke),
    Ring,
    Swatch(RGBColor),
}

impl Axis {
    pub fn new(label: impl Into<String>, limits: Limits) -> Self {
        Self {
            label: label.into(),
            limits,
            names: Vec::new(),
        }
    }

    /// An axis of names at 0, 1, 2, ….
    pub fn of_names(label: impl Into<String>, names: Vec<String>) -> Self {
        Self {
            names,
            ..Self::new(label, Limits::NONE)
        }
    }

    fn scale(&self, values: Vec<f64>) -> Option<Scale> {
        if self.names.is_empty() {
            Scale::of(values, self.limits)
        } else {
            Scale::of_names(&self.names)
        }
    }
}

impl Point {
    pub fn bare(x: f64, y: f64) -> Self {
        Self {
            x,
            y,
            x_ends: None,
            y_ends: None,
        }
    }

    pub fn with_y_interval(x: f64, y: Interval) -> Self {
        Self {
            y_ends: ends(&y),
            ..Self::bare(x, y.estimate)
        }
    }

    pub fn with_x_interval(x: Interval, y: f64) -> Self {
        Self {
            x_ends: ends(&x),
            ..Self::bare(x.estimate, y)
        }
    }

    pub fn with_intervals(x: Interval, y: Interval) -> Self {
        Self {
            x: x.estimate,
            x_ends: ends(&x),
            ..Self::with_y_interval(x.estimate, y)
        }
    }

    pub fn is_drawable(&self) -> bool {
        is_drawable(self.x) && is_drawable(self.y)
    }
}

/// An interval without width or without ends has no error bar.
fn ends(interval: &Interval) -> Option<(f64, f64)> {
    let is_bounded = is_drawable(interval.low) && is_drawable(interval.high);
    let has_bar = is_bounded && interval.low < interval.high;
    has_bar.then_some((interval.low, interval.high))
}

impl Panel {
    /// Axes that show every layer; `None` when no layer holds a drawable value.
    pub fn scales(&self) -> Option<(Scale, Scale)> {
        let mut xs = Vec::new();
        let mut ys = Vec::new();
        for layer in &self.layers {
            match layer {
                Layer::Series { points, .. } => {
                    for point in points.iter().filter(|point| point.is_drawable()) {
                        xs.push(point.x);
                        ys.push(point.y);
                        xs.extend(point.x_ends.iter().flat_map(|&(low, high)| [low, high]));
                        ys.extend(point.y_ends.iter().flat_map(|&(low, high)| [low, high]));
                    }
                }
                Layer::Bars { bars, .. } => {
                    for bar in bars.iter().filter(|bar| is_drawable(bar.height)) {
                        xs.extend([bar.x - 0.5, bar.x + 0.5]);
                        ys.extend([0.0, bar.height]);
                    }
                }
                Layer::Rule { across, .. } => match *across {
                    Across::Y(value) => ys.push(value),
                    Across::X(value) => xs.push(value),
                },
                Layer::Cells(cells) => {
                    xs.extend(cells.iter().map(|cell| cell.x));
                    ys.extend(cells.iter().map(|cell| cell.y));
                }
                Layer::Line { .. } | Layer::Ring { .. } => {}
            }
        }
        if xs.is_empty() || ys.is_empty() {
            return None;
        }
        Some((self.x.scale(xs)?, self.y.scale(ys)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::interval::Confidence;

    fn panel(points: Vec<Point>) -> Panel {
        Panel {
            title: String::new(),
            detail: String::new(),
            x: Axis::new("x", Limits::NONE),
            y: Axis::new("y", Limits::NONE),
            layers: vec![Layer::Series {
                points,
                look: Look::of_series(0),
                is_joined: false,
            }],
        }
    }

    #[test]
    fn the_axis_makes_room_for_the_error_bars() {
        let wide = Interval {
            estimate: 2.0,
            low: -5.0,
            high: 9.0,
            confidence: 0.95,
        };
        let (_, y) = panel(vec![Point::with_y_interval(1.0, wide)])
            .scales()
            .unwrap();
        assert!(y.low < -5.0 && y.high > 9.0);
    }

    #[test]
    fn an_unbounded_interval_draws_no_bar() {
        let unknown = Interval::unbounded(2.0, Confidence::P95);
        assert_eq!(Point::with_y_interval(1.0, unknown).y_ends, None);
        assert_eq!(
            Point::with_y_interval(1.0, Interval::exact(2.0)).y_ends,
            None
        );
    }

    #[test]
    fn a_panel_of_nan_has_no_axes() {
        assert_eq!(panel(vec![Point::bare(f64::NAN, 1.0)]).scales(), None);
        assert_eq!(panel(vec![]).scales(), None);
    }
}
