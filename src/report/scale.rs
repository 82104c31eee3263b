//! Axes: which range is shown, where the ticks are, how they are labelled.

/// One axis, ready to be drawn. `low < high`, both finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    pub low: f64,
    pub high: f64,
    /// Rising, within `low..=high`.
    pub ticks: Vec<f64>,
    step: f64,
    /// What the ticks are called on an axis of names; empty on an axis of numbers.
    names: Vec<String>,
}

/// What the axis must respect beyond the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Values that the axis must show although no data lie there.
    pub include: Option<f64>,
    /// The axis ends here: no share lies above 1, no time below 0.
    pub floor: Option<f64>,
    pub ceiling: Option<f64>,
    /// Ticks at whole numbers only.
    pub is_whole: bool,
}

impl Limits {
    pub const NONE: Self = Self {
        include: None,
        floor: None,
        ceiling: None,
        is_whole: false,
    };
    /// For shares: from 0 to 1 at most.
    pub const SHARE: Self = Self {
        floor: Some(0.0),
        ceiling: Some(1.0),
        ..Self::NONE
    };
    /// For speedups: never below 0, and 1 is always on the axis.
    pub const SPEEDUP: Self = Self {
        include: Some(1.0),
        floor: Some(0.0),
        ..Self::NONE
    };
}

/// Whether a value can stand on an axis: a number, and not so large that labels and arithmetic
/// make no sense.
pub fn is_drawable(value: f64) -> bool {
    value.abs() <= 1e15
}

impl Scale {
    /// The axis that shows all drawable `values` with a little room around; `None` without any.
    pub fn of(values: impl IntoIterator<Item = f64>, limits: Limits) -> Option<Self> {
        let (low, high) = values
            .into_iter()
            .filter(|&value| is_drawable(value))
            .map(|value| (value, value))
            .reduce(|(low, high), (value, _)| (low.min(value), high.max(value)))?;
        let (low, high) = match limits.include {
            Some(value) => (low.min(value), high.max(value)),
            None => (low, high),
        };
        let room = if high > low {
            0.07 * (high - low)
        } else {
            // A single value sits in the middle of an axis of its own size.
            (0.1 * high.abs()).max(0.1)
        };
        let mut low_end = low - room;
        let mut high_end = high + room;
        // An end that stands on its limit needs no room, but data beyond it are still shown.
        if let Some(floor) = limits.floor {
            low_end = low_end.max(floor.min(low));
        }
        if let Some(ceiling) = limits.ceiling {
            high_end = high_end.min(ceiling.max(high));
        }
        Some(Self::between(low_end, high_end, limits.is_whole))
    }

    /// Axis over exactly `low..=high` with about six ticks.
    pub fn between(low: f64, high: f64, is_whole: bool) -> Self {
        let raw = (high - low) / 6.0;
        let step = if is_whole {
            nice_step(raw.max(1.0), &[1.0, 2.0, 4.0, 5.0])
        } else {
            nice_step(raw, &[1.0, 2.0, 2.5, 5.0])
        };
        // A tick that misses an end by a rounding error still belongs to the axis.
        let slack = 1e-9 * (high - low);
        let first = ((low - slack) / step).ceil();
        let last = ((high + slack) / step).floor();
        let ticks = (0..=(last - first).max(0.0) as u32)
            .map(|index| (first + f64::from(index)) * step)
            .filter(|tick| (low - slack..=high + slack).contains(tick))
            .collect();
        Self {
            low,
            high,
            ticks,
            step,
            names: Vec::new(),
        }
    }

    /// An axis of names, at 0, 1, 2, …; `None` without any.
    pub fn of_names(names: &[String]) -> Option<Self> {
        (!names.is_empty()).then(|| Self {
            low: -0.5,
            high: names.len() as f64 - 0.5,
            ticks: (0..names.len()).map(|place| place as f64).collect(),
            step: 1.0,
            names: names.to_vec(),
        })
    }

    /// The label of a tick, with as many decimals as the step needs.
    pub fn label(&self, tick: f64) -> String {
        if let Some(name) = self.names.get(tick.round() as usize) {
            return name.clone();
        }
        let tick = if tick.abs() < 1e-9 * self.step {
            0.0
        } else {
            tick
        };
        if self.high.abs().max(self.low.abs()) >= 1e6 || self.step < 1e-6 {
            return format!("{tick:.1e}").replace('-', "−");
        }
        let decimals = (0..6)
            .find(|&decimals| {
                let shifted = self.step * 10f64.powi(decimals);
                (shifted - shifted.round()).abs() < 1e-6 * shifted
            })
            .unwrap_or(6);
        format!("{tick:.*}", decimals as usize).replace('-', "−")
    }

    /// Where `value` lies between the ends: 0 at `low`, 1 at `high`.
    pub fn place(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// The nearest step above `raw` out of `factors` times a power of ten.
fn nice_step(raw: f64, factors: &[f64]) -> f64 {
    let power = 10f64.powf(raw.log10().floor());
    factors
        .iter()
        .map(|factor| factor * power)
        .find(|&step| step >= raw * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(scale: &Scale) -> Vec<String> {
        scale.ticks.iter().map(|&tick| scale.label(tick)).collect()
    }

    #[test]
    fn ticks_are_round_numbers_with_as_many_decimals_as_they_need() {
        let scale = Scale::between(0.0, 1.0, false);
        assert_eq!(labels(&scale), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let scale = Scale::between(-30.0, 70.0, false);
        assert_eq!(labels(&scale), ["−20", "0", "20", "40", "60"]);
        let scale = Scale::between(0.0, 0.15, false);
        assert_eq!(scale.label(0.025), "0.025");
    }

    #[test]
    fn an_axis_of_names_has_a_tick_for_each() {
        let names = ["2-step".to_owned(), "3-step".to_owned()];
        let scale = Scale::of_names(&names).unwrap();
        assert_eq!(labels(&scale), names);
        assert_eq!((scale.place(0.0), scale.place(1.0)), (0.25, 0.75));
        assert_eq!(Scale::of_names(&[]), None);
    }

    #[test]
    fn an_axis_of_counts_has_no_fractions() {
        let scale = Scale::between(-0.5, 2.5, true);
        assert_eq!(labels(&scale), ["0", "1", "2"]);
    }

    #[test]
    fn a_share_never_gets_room_above_one() {
        let scale = Scale::of([0.8, 1.0], Limits::SHARE).unwrap();
        assert_eq!(scale.high, 1.0);
        assert!(scale.low < 0.8 && scale.low > 0.7);
    }

    #[test]
    fn the_baseline_is_on_every_speedup_axis() {
        let scale = Scale::of([1.8, 2.1], Limits::SPEEDUP).unwrap();
        assert!(scale.low < 1.0);
    }

    #[test]
    fn infinities_and_nothing_at_all_make_no_axis() {
        let hopeless = [f64::NAN, f64::INFINITY, 1e300];
        assert_eq!(Scale::of(hopeless, Limits::NONE), None);
        assert_eq!(Scale::of([], Limits::SPEEDUP), None);
    }

    #[test]
    fn one_value_sits_inside_its_axis() {
        for value in [0.0, 1.0, -3.0, 1e9] {
            let scale = Scale::of([value; 3], Limits::NONE).unwrap();
            assert!(scale.low < value && value < scale.high, "{scale:?}");
        }
    }

    proptest! {
        #[test]
        fn every_axis_has_a_few_rising_ticks_within_its_ends(
            one in -1e9..1e9f64,
            other in -1e9..1e9f64,
            is_whole: bool,
        ) {
            let limits = Limits { is_whole, ..Limits::NONE };
            let scale = Scale::of([one, other], limits).unwrap();
            prop_assert!(scale.low < scale.high);
            prop_assert!(scale.ticks.len() <= 8);
            prop_assert!(scale.ticks.is_sorted_by(|a, b| a < b));
            let slack = 1e-6 * (scale.high - scale.low);
            for &tick in &scale.ticks {
                prop_assert!(scale.low - slack <= tick && tick <= scale.high + slack);
            }
        }
    }
}
