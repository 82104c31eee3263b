//! The house style of every figure: one palette, one font, one set of sizes.
//!
//! Series differ in colour, marker and dash at once, so that a figure reads in grey and by readers
//! who confuse colours.

use std::sync::OnceLock;

use plotters::style::{FontStyle, RGBColor, register_font};

/// Width and height of a figure in pixels: twice what it takes on a page.
pub const SIZE: (u32, u32) = (1600, 1000);

/// A CSS list of families, so that a viewer of the SVG without DejaVu takes a font of nearly the
/// same widths. The embedded font is registered under the whole list.
pub const FONT_FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

static FONT: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");

/// Makes the embedded font known to plotters, once per process. `false` when it is unreadable.
pub fn register_fonts() -> bool {
    static IS_REGISTERED: OnceLock<bool> = OnceLock::new();
    *IS_REGISTERED.get_or_init(|| register_font(FONT_FAMILY, FontStyle::Normal, FONT).is_ok())
}

/// The embedded font with its outlines; none when it is unreadable.
pub fn face() -> Option<ttf_parser::Face<'static>> {
    ttf_parser::Face::parse(FONT, 0).ok()
}

/// Heights of text in pixels.
pub mod text {
    pub const TITLE: f64 = 42.0;
    pub const PANEL: f64 = 30.0;
    pub const AXIS: f64 = 28.0;
    pub const TICK: f64 = 25.5;
    pub const LEGEND: f64 = 26.5;
    pub const NOTE: f64 = 22.5;
}

pub const INK: RGBColor = RGBColor(34, 34, 34);
pub const GREY: RGBColor = RGBColor(105, 105, 105);
pub const GRID: RGBColor = RGBColor(226, 226, 226);
pub const PAPER: RGBColor = RGBColor(255, 255, 255);

/// Okabe and Ito (2008), without the yellow, which is lost on white paper.
pub const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// Colours of a heat map from its least to its largest value: cividis (Nuñez, Anderton and Renslow
/// 2018), which gets steadily lighter and looks the same to readers who confuse red and green.
const RAMP: [RGBColor; 5] = [
    RGBColor(0, 34, 78),
    RGBColor(66, 78, 108),
    RGBColor(124, 123, 120),
    RGBColor(188, 175, 111),
    RGBColor(254, 232, 56),
];

/// The colour of a value that lies at `share` of the way from the least to the largest.
pub fn ramp(share: f64) -> RGBColor {
    let place = share.clamp(0.0, 1.0) * (RAMP.len() - 1) as f64;
    let below = (place.floor() as usize).min(RAMP.len() - 2);
    let part = place - below as f64;
    let (RGBColor(r, g, b), RGBColor(red, green, blue)) = (RAMP[below], RAMP[below + 1]);
    let mixed = |from: u8, to: u8| {
        (f64::from(from) + part * (f64::from(to) - f64::from(from))).round() as u8
    };
    RGBColor(mixed(r, red), mixed(g, green), mixed(b, blue))
}

/// How light a colour looks, from 0 to 1 (ITU-R BT.601).
fn lightness(RGBColor(red, green, blue): RGBColor) -> f64 {
    (0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue)) / 255.0
}

/// The colour in which text is read on `ground`.
pub fn ink_on(ground: RGBColor) -> RGBColor {
    if lightness(ground) < 0.5 { PAPER } else { INK }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    TriangleDown,
    Pentagon,
    Star,
}

const MARKERS: [Marker; 7] = [
    Marker::Circle,
    Marker::Square,
    Marker::Triangle,
    Marker::Diamond,
    Marker::TriangleDown,
    Marker::Pentagon,
    Marker::Star,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dash {
    Solid,
    Dashed,
    Dotted,
    DashDotted,
}

const DASHES: [Dash; 4] = [Dash::Solid, Dash::Dashed, Dash::Dotted, Dash::DashDotted];

impl Dash {
    /// Lengths of drawn and empty stretches in turn, in pixels; empty for an unbroken line.
    pub fn pattern(self) -> &'static [f64] {
        match self {
            Self::Solid => &[],
            Self::Dashed => &[16.0, 9.0],
            Self::Dotted => &[4.0, 7.0],
            Self::DashDotted => &[18.0, 7.0, 4.0, 7.0],
        }
    }
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stroke {
    pub colour: RGBColor,
    /// Pixels.
    pub width: f64,
    pub dash: Dash,
}

impl Stroke {
    pub const fn solid(colour: RGBColor, width: f64) -> Self {
        Self {
            colour,
            width,
            dash: Dash::Solid,
        }
    }

    /// A reference line: a baseline, a definition.
    pub const fn reference() -> Self {
        Self {
            colour: GREY,
            width: 3.0,
            dash: Dash::Dashed,
        }
    }
}

/// How one series is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    pub colour: RGBColor,
    pub marker: Marker,
    pub dash: Dash,
    /// Projected and secondary values have open markers.
    pub is_hollow: bool,
    /// A dot in the marker, for the series beyond the seven shapes.
    pub has_core: bool,
    /// Radius of the marker in pixels.
    pub marker_size: f64,
}

impl Look {
    /// The look of series number `index`. Seven shapes, then seven with a dot; looks repeat after
    /// 98 series.
    pub fn of_series(index: usize) -> Self {
        let turn = index / PALETTE.len();
        Self {
            colour: PALETTE[index % PALETTE.len()],
            marker: MARKERS[(index + turn) % MARKERS.len()],
            dash: DASHES[(index + turn) % DASHES.len()],
            is_hollow: false,
            has_core: turn % 2 == 1,
            marker_size: 10.0,
        }
    }

    pub fn hollow(self) -> Self {
        Self {
            is_hollow: true,
            ..self
        }
    }

    pub fn small(self) -> Self {
        Self {
            marker_size: 6.0,
            has_core: false,
            ..self
        }
    }

    /// The colour of the series halfway to white, for areas and for what must not stand out.
    pub fn pale(&self) -> RGBColor {
        let RGBColor(red, green, blue) = self.colour;
        let paler = |channel: u8| channel / 2 + 127;
        RGBColor(paler(red), paler(green), paler(blue))
    }

    /// Error bars.
    pub fn whisker(&self) -> Stroke {
        Stroke::solid(self.pale(), 2.5)
    }

    pub fn stroke(&self) -> Stroke {
        Stroke {
            colour: self.colour,
            width: 3.5,
            dash: self.dash,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_font_can_be_read() {
        assert!(register_fonts());
    }

    #[test]
    fn the_ramp_gets_lighter_with_every_step_and_bears_text() {
        let steps: Vec<f64> = (0..=20).map(|n| f64::from(n) / 20.0).collect();
        assert!(steps.is_sorted_by(|a, b| lightness(ramp(*a)) < lightness(ramp(*b))));
        for step in steps {
            let ground = ramp(step);
            assert!((lightness(ground) - lightness(ink_on(ground))).abs() > 0.35);
        }
    }

    #[test]
    fn series_that_share_a_colour_differ_in_their_marker() {
        for index in 0..42 {
            let (one, next) = (Look::of_series(index), Look::of_series(index + 7));
            assert_eq!(one.colour, next.colour);
            assert_ne!(one.marker, next.marker);
        }
    }

    #[test]
    fn fourteen_series_can_be_told_apart_in_grey() {
        let shape = |index| {
            let look = Look::of_series(index);
            (look.marker, look.has_core)
        };
        for index in 0..14 {
            assert!((0..index).all(|earlier| shape(earlier) != shape(index)));
        }
    }

    #[test]
    fn neighbouring_series_differ_in_colour_marker_and_dash() {
        for index in 0..20 {
            let (one, next) = (Look::of_series(index), Look::of_series(index + 1));
            assert_ne!(one.colour, next.colour);
            assert!(one.marker != next.marker || one.dash != next.dash);
        }
    }
}
