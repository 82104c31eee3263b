//! The outline of a glyph as path operators.

use ttf_parser::OutlineBuilder;

/// Path operators of a glyph.
#[derive(Default)]
pub struct Outline {
    pub operators: String,
    last: (f32, f32),
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.operators += &format!("{x} {y} m\n");
        self.last = (x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.operators += &format!("{x} {y} l\n");
        self.last = (x, y);
    }

    /// PDF knows cubic curves only: their control points lie two thirds of the way to the quadratic one.
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let towards = |from: f32, to: f32| ((from + (to - from) * 2.0 / 3.0) * 10.0).round() / 10.0;
        let (x0, y0) = self.last;
        self.curve_to(
            towards(x0, x1),
            towards(y0, y1),
            towards(x, x1),
            towards(y, y1),
            x,
            y,
        );
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.operators += &format!("{x1} {y1} {x2} {y2} {x} {y} c\n");
        self.last = (x, y);
    }

    fn close(&mut self) {
        self.operators.push_str("h\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quadratic_curve_keeps_its_ends() {
        let mut outline = Outline::default();
        outline.move_to(0.0, 0.0);
        outline.quad_to(30.0, 60.0, 60.0, 0.0);
        assert_eq!(outline.operators, "0 0 m\n20 40 40 40 60 0 c\n");
    }
}
