//! Trials that differ in one number and share a name become a curve.

use crate::report::chart::{Layer, Point};
use crate::report::style::Look;
use crate::stats::interval::Interval;

/// One trial on a curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    pub curve: String,
    pub x: f64,
    pub y: Interval,
}

/// Observations of one name in rising order of x.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    pub name: String,
    points: Vec<(f64, Interval)>,
}

/// Curves in the order of their first observation.
pub fn curves(observations: impl IntoIterator<Item = Observation>) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for Observation { curve, x, y } in observations {
        match curves.iter_mut().find(|known| known.name == curve) {
            Some(known) => known.points.push((x, y)),
            None => curves.push(Curve {
                name: curve,
                points: vec![(x, y)],
            }),
        }
    }
    for curve in &mut curves {
        curve
            .points
            .sort_by(|(one, _), (other, _)| one.total_cmp(other));
    }
    curves
}

/// Distance between neighbouring curves where they share their x, so that error bars stand side
/// by side.
pub fn dodge(curves: &[Curve]) -> f64 {
    let xs = || {
        curves
            .iter()
            .flat_map(|curve| &curve.points)
            .map(|&(x, _)| x)
    };
    let low = xs().fold(f64::INFINITY, f64::min);
    let high = xs().fold(f64::NEG_INFINITY, f64::max);
    if curves.len() > 1 && high > low {
        0.015 * (high - low)
    } else {
        0.0
    }
}

impl Curve {
    /// Whether several trials share an x, because they differ in an axis that is not shown.
    pub fn has_repeated_x(&self) -> bool {
        self.points.windows(2).any(|pair| pair[0].0 == pair[1].0)
    }

    /// The curve moved sideways by `shift`: every trial with its error bar, or, where trials share
    /// an x, their mean as the curve and the trials as small open markers.
    pub fn layers(&self, look: Look, shift: f64) -> Vec<Layer> {
        let line = |points| Layer::Series {
            points,
            look,
            is_joined: true,
        };
        if !self.has_repeated_x() {
            let point = |&(x, y): &(f64, Interval)| Point::with_y_interval(x + shift, y);
            return vec![line(self.points.iter().map(point).collect())];
        }
        let single = |&(x, y): &(f64, Interval)| Point::bare(x + shift, y.estimate);
        let mean = |same: &[(f64, Interval)]| {
            let sum: f64 = same.iter().map(|(_, y)| y.estimate).sum();
            Point::bare(same[0].0 + shift, sum / same.len() as f64)
        };
        let singles = Layer::Series {
            points: self.points.iter().map(single).collect(),
            look: look.small().hollow(),
            is_joined: false,
        };
        let groups = self.points.chunk_by(|one, other| one.0 == other.0);
        vec![singles, line(groups.map(mean).collect())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observation(curve: &str, x: f64, y: f64) -> Observation {
        Observation {
            curve: curve.to_owned(),
            x,
            y: Interval::exact(y),
        }
    }

    fn ys(layer: &Layer) -> Vec<f64> {
        match layer {
            Layer::Series { points, .. } => points.iter().map(|point| point.y).collect(),
            Layer::Bars { .. }
            | Layer::Line { .. }
            | Layer::Rule { .. }
            | Layer::Ring { .. }
            | Layer::Cells(_) => {
                vec![]
            }
        }
    }

    #[test]
    fn observations_are_joined_in_the_order_of_x_not_of_the_plan() {
        let curves = curves([
            observation("shannon", 2.0, 0.6),
            observation("renyi", 1.0, 0.7),
            observation("shannon", 1.0, 0.8),
        ]);
        assert_eq!(curves.len(), 2);
        let layers = curves[0].layers(Look::of_series(0), 0.0);
        assert_eq!(ys(&layers[0]), [0.8, 0.6]);
    }

    #[test]
    fn trials_that_share_an_x_are_averaged_and_still_shown() {
        let curves = curves([
            observation("shannon", 1.0, 0.6),
            observation("shannon", 1.0, 0.8),
            observation("shannon", 2.0, 0.5),
        ]);
        let layers = curves[0].layers(Look::of_series(0), 0.0);
        assert_eq!(ys(&layers[0]), [0.6, 0.8, 0.5]);
        let means = ys(&layers[1]);
        assert!((means[0] - 0.7).abs() < 1e-12 && means[1] == 0.5);
    }

    #[test]
    fn a_single_curve_is_not_moved() {
        let one = curves([observation("a", 0.0, 1.0), observation("a", 9.0, 1.0)]);
        assert_eq!(dodge(&one), 0.0);
    }
}
