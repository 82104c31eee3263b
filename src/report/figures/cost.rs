//! How much longer does a forward take when it is fed more tokens?

use super::{NotShown, error_bar_note, notes};
use crate::analysis::view::{CostCurve, SweepView};
use crate::report::chart::{Across, Axis, Chart, Layer, LegendEntry, Panel, Point, Symbol};
use crate::report::scale::Limits;
use crate::report::style::{Dash, GREY, Look, Stroke};

const PROPORTIONAL: Stroke = Stroke {
    colour: GREY,
    width: 3.0,
    dash: Dash::Dotted,
};

/// cost(m) / cost(1) over m, between the two ideals: tokens for free, and every token at full
/// price.
pub fn chart(view: &SweepView) -> Result<Chart, NotShown> {
    if view.cost_curves.iter().all(|curve| curve.points.is_empty()) {
        return Err(NotShown::because("the cost of a forward was not measured"));
    }
    let mut layers = vec![Layer::Rule {
        across: Across::Y(1.0),
        stroke: Stroke::reference(),
    }];
    layers.extend(proportional(&view.cost_curves));
    let mut legend = Vec::new();
    for (index, curve) in view.cost_curves.iter().enumerate() {
        let look = Look::of_series(index);
        layers.push(Layer::Series {
            points: points(curve),
            look,
            is_joined: true,
        });
        legend.push(LegendEntry {
            text: curve.label.clone(),
            symbol: Symbol::Joined(look),
        });
    }
    for (text, stroke) in [
        ("more tokens for free", Stroke::reference()),
        ("every token at full price", PROPORTIONAL),
    ] {
        legend.push(LegendEntry {
            text: text.to_owned(),
            symbol: Symbol::Rule(stroke),
        });
    }
    let ratios = view.cost_curves.iter().flat_map(|curve| &curve.points);
    Ok(Chart {
        title: String::new(),
        subtitle: String::new(),
        panels: vec![Panel {
            title: String::new(),
            detail: String::new(),
            x: Axis::new(
                "tokens fed in one forward, m",
                Limits {
                    include: Some(1.0),
                    floor: Some(0.0),
                    is_whole: true,
                    ..Limits::NONE
                },
            ),
            y: Axis::new("time of a forward, cost(m) / cost(1)", Limits::SPEEDUP),
            layers,
        }],
        n_columns: 1,
        legend,
        notes: notes([error_bar_note(ratios.map(|point| point.ratio))]),
    })
}

fn points(curve: &CostCurve) -> Vec<Point> {
    let mut points: Vec<Point> = curve
        .points
        .iter()
        .map(|point| Point::with_y_interval(point.n_tokens as f64, point.ratio))
        .collect();
    points.sort_by(|one, other| one.x.total_cmp(&other.x));
    points
}

/// The line cost(m) = m as far as the data reach in both directions.
fn proportional(curves: &[CostCurve]) -> Option<Layer> {
    let largest = |of: fn(&Point) -> f64| {
        let drawable = curves.iter().flat_map(points).filter(Point::is_drawable);
        drawable.map(|point| of(&point)).fold(1.0, f64::max)
    };
    let end = largest(|point| point.x).min(largest(|point| point.y));
    (end > 1.0).then_some(Layer::Line {
        ends: [(1.0, 1.0), (end, end)],
        stroke: PROPORTIONAL,
    })
}
