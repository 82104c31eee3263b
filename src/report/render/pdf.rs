//! A backend of plotters that writes a page of PDF 1.4: vectors throughout, text as outlines of the
//! embedded font, and the same bytes for the same figure.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write;

use plotters::prelude::DrawingBackend;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind, FontTransform,
};
use ttf_parser::{Face, GlyphId};

use self::document::{document, stream};
use self::outline::Outline;

mod document;
mod outline;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// Points (1/72 inch) per pixel of a finished figure: 1600 pixels are as wide as a text block.
const POINTS_PER_PIXEL: f64 = 0.3;
/// How far from the ends of an arc its control points are, for a quarter of a circle of radius 1.
const KAPPA: f64 = 0.552_284_75;

pub struct PdfBackend<'a> {
    /// Receives the document when the figure is presented.
    document: &'a mut Vec<u8>,
    face: Face<'a>,
    /// In backend pixels.
    size: (u32, u32),
    points_per_backend_pixel: f64,
    content: String,
    /// Outlines of the glyphs in use, in font units.
    glyphs: BTreeMap<u16, String>,
    fill: Option<(u8, u8, u8)>,
    stroke: Option<(u8, u8, u8)>,
}

impl<'a> PdfBackend<'a> {
    /// A page of `size` backend pixels, `oversampling` of which make one of the figure.
    pub fn new(
        document: &'a mut Vec<u8>,
        face: Face<'a>,
        size: (u32, u32),
        oversampling: u32,
    ) -> Self {
        Self {
            document,
            face,
            size,
            points_per_backend_pixel: POINTS_PER_PIXEL / f64::from(oversampling),
            content: String::new(),
            glyphs: BTreeMap::new(),
            fill: None,
            stroke: None,
        }
    }

    fn push(&mut self, operators: std::fmt::Arguments<'_>) {
        let written = self.content.write_fmt(operators);
        debug_assert!(written.is_ok(), "a string takes all that is written");
    }

    fn fill_with(&mut self, colour: BackendColor) {
        if self.fill != Some(colour.rgb) {
            self.fill = Some(colour.rgb);
            self.push(format_args!("{} rg\n", shares(colour.rgb)));
        }
    }

    fn stroke_with<S: BackendStyle>(&mut self, style: &S) {
        let rgb = style.color().rgb;
        if self.stroke != Some(rgb) {
            self.stroke = Some(rgb);
            self.push(format_args!("{} RG\n", shares(rgb)));
        }
        self.push(format_args!("{} w\n", style.stroke_width()));
    }

    fn path(&mut self, points: impl IntoIterator<Item = BackendCoord>) {
        for (number, (x, y)) in points.into_iter().enumerate() {
            let operator = if number == 0 { 'm' } else { 'l' };
            self.push(format_args!("{x} {y} {operator}\n"));
        }
    }

    /// Width of a text in font units.
    fn width(&self, glyphs: &[GlyphId]) -> f64 {
        glyphs.iter().map(|&glyph| self.advance(glyph)).sum()
    }

    /// Height of an x in font units, from its outline: the table that could tell is optional.
    fn x_height(&self) -> f64 {
        let x = self.face.glyph_index('x');
        let bounds = x.and_then(|x| self.face.glyph_bounding_box(x));
        bounds.map_or(0.0, |bounds| f64::from(bounds.y_max))
    }

    fn advance(&self, glyph: GlyphId) -> f64 {
        f64::from(self.face.glyph_hor_advance(glyph).unwrap_or(0))
    }

    fn finish(&mut self) -> Vec<u8> {
        let scale = self.points_per_backend_pixel;
        let (width, height) = (
            f64::from(self.size.0) * scale,
            f64::from(self.size.1) * scale,
        );
        // The page has its origin below; the figure, above.
        let content = format!("{scale} 0 0 -{scale} 0 {height} cm\n1 j\n{}", self.content);
        let first_glyph = 5;
        let names: String = self
            .glyphs
            .keys()
            .enumerate()
            .map(|(place, glyph)| format!("/g{glyph} {} 0 R ", first_glyph + place))
            .collect();
        let mut objects = vec![
            b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
            format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents 4 0 R \
                 /Resources << /XObject << {names}>> >> >>"
            )
            .into_bytes(),
            stream("", content.as_bytes()),
        ];
        let bounds = self.face.global_bounding_box();
        let form = format!(
            "/Type /XObject /Subtype /Form /BBox [{} {} {} {}] ",
            bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max
        );
        let outlines = self.glyphs.values();
        objects.extend(outlines.map(|outline| stream(&form, outline.as_bytes())));
        document(&objects)
    }
}

/// A colour as PDF wants it, from 0 to 1.
fn shares((red, green, blue): (u8, u8, u8)) -> String {
    let share = |channel: u8| (f64::from(channel) / 255.0 * 1000.0).round() / 1000.0;
    format!("{} {} {}", share(red), share(green), share(blue))
}

impl DrawingBackend for PdfBackend<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        *self.document = self.finish();
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Drawn {
        self.fill_with(colour);
        self.push(format_args!("{x} {y} 1 1 re f\n"));
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let (x, y) = upper_left;
        let (width, height) = (bottom_right.0 - x, bottom_right.1 - y);
        let operator = self.begin(style, fill);
        self.push(format_args!("{x} {y} {width} {height} re {operator}\n"));
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.stroke_with(style);
        self.path(path);
        self.push(format_args!("S\n"));
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let operator = self.begin(style, fill);
        let (x, y, r) = (f64::from(x), f64::from(y), f64::from(radius));
        self.push(format_args!("{} {y} m\n", x + r));
        // Quarter turns of the arc from (1, 0) to (0, 1).
        for (cos, sin) in [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)] {
            let turned = |along: f64, across: f64| {
                let place = |value: f64| (value * 100.0).round() / 100.0;
                (
                    place(x + r * (along * cos - across * sin)),
                    place(y + r * (along * sin + across * cos)),
                )
            };
            let (one, two, end) = (turned(1.0, KAPPA), turned(KAPPA, 1.0), turned(0.0, 1.0));
            self.push(format_args!(
                "{} {} {} {} {} {} c\n",
                one.0, one.1, two.0, two.1, end.0, end.1
            ));
        }
        self.push(format_args!("h {operator}\n"));
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn {
        self.fill_with(style.color());
        self.path(corners);
        self.push(format_args!("h f\n"));
        Ok(())
    }

    /// Text at the size and place that the SVG backend gives it.
    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Drawn {
        let glyphs: Vec<GlyphId> = text
            .chars()
            .map(|one| self.face.glyph_index(one).unwrap_or(GlyphId(0)))
            .collect();
        let em = style.size() / 1.24;
        let per_unit = em / f64::from(self.face.units_per_em());
        let x_height = self.x_height() * per_unit;
        let mut along = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -self.width(&glyphs) * per_unit / 2.0,
            HPos::Right => -self.width(&glyphs) * per_unit,
        };
        let below = match style.anchor().v_pos {
            VPos::Top => 0.76 * em,
            VPos::Center => 0.5 * x_height,
            VPos::Bottom => -0.5 * x_height,
        };
        // Directions of the line and of "down" on a page whose y grows downwards.
        let (cos, sin) = match style.transform() {
            FontTransform::None => (1.0, 0.0),
            FontTransform::Rotate90 => (0.0, 1.0),
            FontTransform::Rotate180 => (-1.0, 0.0),
            FontTransform::Rotate270 => (0.0, -1.0),
        };
        self.fill_with(style.color());
        for glyph in glyphs {
            if self.outline(glyph) {
                let place = |value: f64| (value * 100.0).round() / 100.0;
                let (left, top) = (
                    place(f64::from(x) + along * cos - below * sin),
                    place(f64::from(y) + along * sin + below * cos),
                );
                let size = |part: f64| (part * per_unit * 1e6).round() / 1e6;
                self.push(format_args!(
                    "q {} {} {} {} {left} {top} cm /g{} Do Q\n",
                    size(cos),
                    size(sin),
                    size(sin),
                    size(-cos),
                    glyph.0
                ));
            }
            along += self.advance(glyph) * per_unit;
        }
        Ok(())
    }
}

impl PdfBackend<'_> {
    /// Sets the colour of a shape; the operator that paints it.
    fn begin<S: BackendStyle>(&mut self, style: &S, fill: bool) -> char {
        if fill {
            self.fill_with(style.color());
            'f'
        } else {
            self.stroke_with(style);
            'S'
        }
    }

    /// Keeps the outline of a glyph; `false` for one without any, such as a space.
    fn outline(&mut self, glyph: GlyphId) -> bool {
        if self.glyphs.contains_key(&glyph.0) {
            return true;
        }
        let mut outline = Outline::default();
        if self.face.outline_glyph(glyph, &mut outline).is_none() {
            return false;
        }
        outline.operators.push_str("f\n");
        self.glyphs.insert(glyph.0, outline.operators);
        true
    }
}
