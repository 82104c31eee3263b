//! Lines, markers and text on a plotters backend, in the pixels of the finished figure.
//!
//! Backends round to whole pixels; drawing everything twice as large and halving it afterwards
//! gives smooth slanted lines and half-pixel positions.

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::{DrawingArea, DrawingBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontFamily, FontTransform, IntoFont, RGBColor, ShapeStyle, TextStyle,
};

use super::style::{FONT_FAMILY, INK, Look, Marker, PAPER, Stroke};

/// How many backend pixels make one pixel of the figure, along each side.
pub const OVERSAMPLING: u32 = 2;

/// A place in pixels of the figure, from its upper left corner.
pub type Place = (f64, f64);

pub type DrawResult<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

pub struct Canvas<'a, DB: DrawingBackend> {
    pub area: &'a DrawingArea<DB, Shift>,
    pub text_habit: TextHabit,
}

/// Backends of plotters 0.3 disagree on what a font size means and on where the middle of a line
/// is; this brings them to the same picture.
#[derive(Debug, Clone, Copy)]
pub struct TextHabit {
    /// Font size to ask for, per size wanted.
    enlargement: f64,
    /// How much lower the text must be placed, per size wanted.
    drop: f64,
}

impl TextHabit {
    /// An em is 1/1.24 of the size, and half the height of an x is centred.
    pub const VECTOR: Self = Self {
        enlargement: 1.0,
        drop: 0.0,
    };
    /// The size is ascent + descent, 1.164 em in DejaVu Sans. The baseline is 0.097 of the size
    /// below the middle where the vector backend puts it 0.221 below.
    pub const BITMAP: Self = Self {
        enlargement: 1.164 / 1.24,
        drop: 0.221 - 0.097,
    };
}

/// How a text looks; its line is centred on its place.
#[derive(Clone, Copy)]
pub struct Lettering {
    pub size: f64,
    pub colour: RGBColor,
    pub horizontal: HPos,
    /// Reads from below to above.
    pub is_upright: bool,
}

impl Lettering {
    /// Left-aligned.
    pub const fn of_size(size: f64) -> Self {
        Self {
            size,
            colour: INK,
            horizontal: HPos::Left,
            is_upright: false,
        }
    }

    fn style(&self, enlargement: f64) -> TextStyle<'static> {
        let size = enlarged(self.size) * enlargement;
        let font = (FontFamily::Name(FONT_FAMILY), size).into_font();
        let font = if self.is_upright {
            font.transform(FontTransform::Rotate270)
        } else {
            font
        };
        TextStyle {
            font,
            color: self.colour.to_backend_color(),
            pos: Pos::new(self.horizontal, VPos::Center),
        }
    }
}

impl<DB: DrawingBackend> Canvas<'_, DB> {
    pub fn text(&self, text: &str, place: Place, lettering: Lettering) -> DrawResult<DB> {
        // Control characters have no glyph and are not allowed in SVG.
        let printable = super::number::printable(text);
        let drop = self.text_habit.drop * lettering.size;
        let place = if lettering.is_upright {
            (place.0 + drop, place.1)
        } else {
            (place.0, place.1 + drop)
        };
        let style = lettering.style(self.text_habit.enlargement);
        self.area.draw(&Text::new(printable, pixel(place), style))
    }

    /// Width of a text in pixels.
    pub fn width(&self, text: &str, size: f64) -> f64 {
        // Widths are always computed from the glyphs of the embedded font, as the bitmap does.
        let style = Lettering::of_size(size).style(TextHabit::BITMAP.enlargement);
        let (width, _) = self
            .area
            .estimate_text_size(text, &style)
            .unwrap_or_default();
        f64::from(width) / f64::from(OVERSAMPLING)
    }

    /// The longest form of `text` (middle left out) that is at most `width` pixels wide.
    pub fn fitted(&self, text: &str, size: f64, width: f64) -> String {
        let shortened = |length: usize| super::number::shortened(text, length);
        let n = text.chars().count();
        // Bisection: the longest length that fits lies in fitting..too_long.
        let (mut fitting, mut too_long) = (0, n + 1);
        while fitting + 1 < too_long {
            let middle = (fitting + too_long) / 2;
            if self.width(&shortened(middle), size) <= width {
                fitting = middle;
            } else {
                too_long = middle;
            }
        }
        shortened(fitting)
    }

    /// Breaks `text` between words into lines of at most `width` pixels; a longer word stands
    /// alone and is shortened.
    pub fn wrapped(&self, text: &str, size: f64, width: f64) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            let extended = lines.last().map(|line| format!("{line} {word}"));
            match (extended, lines.last_mut()) {
                (Some(extended), Some(line)) if self.width(&extended, size) <= width => {
                    *line = extended;
                }
                _ => lines.push(self.fitted(word, size, width)),
            }
        }
        lines
    }

    /// A polyline with the dash of its stroke.
    pub fn line(&self, places: &[Place], stroke: Stroke) -> DrawResult<DB> {
        let style = ShapeStyle::from(&stroke.colour).stroke_width(enlarged(stroke.width) as u32);
        for piece in dashes(places, stroke.dash.pattern()) {
            let path: Vec<_> = piece.into_iter().map(pixel).collect();
            self.area.draw(&PathElement::new(path, style))?;
        }
        Ok(())
    }

    pub fn rectangle(&self, corner: Place, opposite: Place, colour: RGBColor) -> DrawResult<DB> {
        self.area.draw(&Rectangle::new(
            [pixel(corner), pixel(opposite)],
            colour.filled(),
        ))
    }

    pub fn ring(&self, centre: Place, radius: f64, stroke: Stroke) -> DrawResult<DB> {
        let style = ShapeStyle::from(&stroke.colour).stroke_width(enlarged(stroke.width) as u32);
        self.area
            .draw(&Circle::new(pixel(centre), enlarged(radius) as i32, style))
    }

    /// A marker with a thin white border, so that markers that overlap stay apart.
    pub fn marker(&self, centre: Place, look: Look) -> DrawResult<DB> {
        let size = look.marker_size;
        if look.is_hollow {
            self.shape(centre, look.marker, size + 1.0, look.colour)?;
            self.shape(centre, look.marker, size - 2.5, PAPER)?;
        } else {
            self.shape(centre, look.marker, size + 2.0, PAPER)?;
            self.shape(centre, look.marker, size, look.colour)?;
        }
        if look.has_core {
            let colour = if look.is_hollow { look.colour } else { PAPER };
            self.shape(centre, Marker::Circle, 0.28 * size, colour)?;
        }
        Ok(())
    }

    fn shape(&self, centre: Place, marker: Marker, size: f64, colour: RGBColor) -> DrawResult<DB> {
        match outline(marker) {
            None => {
                let radius = enlarged(size) as i32;
                self.area
                    .draw(&Circle::new(pixel(centre), radius, colour.filled()))
            }
            Some(corners) => {
                let corner = |(x, y): Place| pixel((centre.0 + size * x, centre.1 + size * y));
                let corners: Vec<_> = corners.into_iter().map(corner).collect();
                self.area.draw(&Polygon::new(corners, colour.filled()))
            }
        }
    }
}

fn enlarged(length: f64) -> f64 {
    (length * f64::from(OVERSAMPLING)).max(1.0)
}

fn pixel((x, y): Place) -> (i32, i32) {
    let scaled = |value: f64| (value * f64::from(OVERSAMPLING)).round() as i32;
    (scaled(x), scaled(y))
}

/// Corners of a marker of size 1 around the origin (y grows downwards), all of about the same
/// area; `None` for a circle.
fn outline(marker: Marker) -> Option<Vec<Place>> {
    match marker {
        Marker::Circle => None,
        Marker::Square => Some(vec![(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
        Marker::Triangle => Some(regular(3, 1.35, 1.35)),
        Marker::TriangleDown => Some(
            regular(3, 1.35, 1.35)
                .into_iter()
                .map(|(x, y)| (x, -y))
                .collect(),
        ),
        Marker::Diamond => Some(regular(4, 1.3, 1.3)),
        Marker::Pentagon => Some(regular(5, 1.15, 1.15)),
        Marker::Star => Some(regular(10, 1.45, 0.65)),
    }
}

/// `n` corners from the top on, every second one at the `inner` distance.
fn regular(n: usize, outer: f64, inner: f64) -> Vec<Place> {
    (0..n)
        .map(|index| {
            let radius = if index % 2 == 0 { outer } else { inner };
            let angle = std::f64::consts::TAU * index as f64 / n as f64;
            (radius * angle.sin(), -radius * angle.cos())
        })
        .collect()
}

/// Cuts a polyline into the drawn stretches of a dash pattern.
fn dashes(places: &[Place], pattern: &[f64]) -> Vec<Vec<Place>> {
    if pattern.is_empty() {
        return if places.len() < 2 {
            vec![]
        } else {
            vec![places.to_vec()]
        };
    }
    let mut pieces = Vec::new();
    let mut current = Vec::new();
    let mut phase = 0;
    let mut left = pattern[0];
    for pair in places.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let at = |distance: f64| {
            let part = distance / length;
            (
                from.0 + part * (to.0 - from.0),
                from.1 + part * (to.1 - from.1),
            )
        };
        let mut done = 0.0;
        while length > 0.0 && done < length {
            let stretch = left.min(length - done);
            let is_drawn = phase % 2 == 0;
            if is_drawn {
                if current.is_empty() {
                    current.push(at(done));
                }
                current.push(at(done + stretch));
            }
            done += stretch;
            left -= stretch;
            if left <= 0.0 {
                if is_drawn {
                    pieces.push(std::mem::take(&mut current));
                }
                phase = (phase + 1) % pattern.len();
                left = pattern[phase];
            }
        }
    }
    if !current.is_empty() {
        pieces.push(current);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(piece: &[Place]) -> f64 {
        piece
            .windows(2)
            .map(|pair| (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1))
            .sum()
    }

    #[test]
    fn dashes_cover_their_share_of_a_bent_line() {
        let bent = [(0.0, 0.0), (30.0, 40.0), (30.0, 90.0)];
        let pieces = dashes(&bent, &[6.0, 4.0]);
        assert_eq!(pieces.len(), 10);
        let drawn: f64 = pieces.iter().map(|piece| length(piece)).sum();
        assert!((drawn - 60.0).abs() < 1e-9);
    }

    #[test]
    fn a_line_without_length_has_no_dashes() {
        assert!(dashes(&[(1.0, 1.0)], &[6.0, 4.0]).is_empty());
        assert!(dashes(&[(1.0, 1.0), (1.0, 1.0)], &[6.0, 4.0]).is_empty());
        assert!(dashes(&[(1.0, 1.0)], &[]).is_empty());
    }

    #[test]
    fn all_markers_fill_about_the_same_area() {
        let area = |corners: Vec<Place>| {
            let next = corners.iter().cycle().skip(1);
            let cross = |(a, b): (&Place, &Place)| a.0 * b.1 - b.0 * a.1;
            (corners.iter().zip(next).map(cross).sum::<f64>() / 2.0).abs()
        };
        for marker in [
            Marker::Square,
            Marker::Triangle,
            Marker::Diamond,
            Marker::TriangleDown,
            Marker::Pentagon,
            Marker::Star,
        ] {
            let area = area(outline(marker).unwrap());
            assert!((2.2..3.6).contains(&area), "{marker:?}: {area}");
        }
    }
}
