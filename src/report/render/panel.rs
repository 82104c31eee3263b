//! One panel: frame, grid, ticks, labels, layers.

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::HPos;

use crate::report::canvas::{Canvas, DrawResult, Lettering, Place};
use crate::report::chart::{Across, HeatCell, Layer, Panel, Point};
use crate::report::scale::{Scale, is_drawable};
use crate::report::style::{GREY, GRID, INK, Look, Stroke, ink_on, text};

/// The rectangle of a panel with its title and labels, in pixels.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

const X_LABELS_HEIGHT: f64 = 78.0;
const Y_LABEL_WIDTH: f64 = 44.0;
/// Share of the panel that names on the y axis may take.
const WIDEST_NAME: f64 = 0.3;

/// From data to pixels: the cell here is the frame that holds the data.
struct Frame {
    cell: Cell,
    x: Scale,
    y: Scale,
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        self.cell.left + self.x.place(value) * (self.cell.right - self.cell.left)
    }

    fn y(&self, value: f64) -> f64 {
        self.cell.bottom - self.y.place(value) * (self.cell.bottom - self.cell.top)
    }

    fn at(&self, x: f64, y: f64) -> Place {
        (self.x(x), self.y(y))
    }
}

pub fn draw<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    panel: &Panel,
    cell: Cell,
) -> DrawResult<DB> {
    let mut top = cell.top;
    let quiet = Lettering {
        colour: GREY,
        ..Lettering::of_size(text::NOTE)
    };
    for (line, lettering) in [
        (&panel.title, Lettering::of_size(text::PANEL)),
        (&panel.detail, quiet),
    ] {
        if !line.is_empty() {
            let fitted = canvas.fitted(line, lettering.size, cell.right - cell.left);
            canvas.text(&fitted, (cell.left, top + lettering.size / 2.0), lettering)?;
            top += lettering.size + 6.0;
        }
    }
    if top > cell.top {
        // The label of the uppermost tick may reach above the frame.
        top += 14.0;
    }
    let Some((x, y)) = panel.scales() else {
        return draw_absence(canvas, cell);
    };
    let tick_width = y
        .ticks
        .iter()
        .map(|&tick| canvas.width(&y.label(tick), text::TICK))
        .fold(0.0, f64::max)
        .min(WIDEST_NAME * (cell.right - cell.left));
    let frame = Frame {
        cell: Cell {
            left: cell.left + Y_LABEL_WIDTH + tick_width + 12.0,
            top,
            // The last label of the x axis is centred on its tick and may stand out.
            right: cell.right - 14.0,
            bottom: cell.bottom - X_LABELS_HEIGHT,
        },
        x,
        y,
    };
    draw_axes(canvas, panel, cell, &frame)?;
    for layer in &panel.layers {
        draw_layer(canvas, layer, &frame)?;
    }
    Ok(())
}

fn draw_absence<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, cell: Cell) -> DrawResult<DB> {
    let centre = (
        (cell.left + cell.right) / 2.0,
        (cell.top + cell.bottom) / 2.0,
    );
    let lettering = Lettering {
        colour: GREY,
        horizontal: HPos::Center,
        ..Lettering::of_size(text::PANEL)
    };
    canvas.text("no data", centre, lettering)
}

fn draw_axes<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    panel: &Panel,
    cell: Cell,
    frame: &Frame,
) -> DrawResult<DB> {
    let Cell {
        left,
        top,
        right,
        bottom,
    } = frame.cell;
    let tick_text = Lettering::of_size(text::TICK);
    for &tick in &frame.y.ticks {
        let y = frame.y(tick);
        canvas.line(&[(left, y), (right, y)], Stroke::solid(GRID, 1.5))?;
        let lettering = Lettering {
            horizontal: HPos::Right,
            ..tick_text
        };
        let room = left - 10.0 - cell.left - Y_LABEL_WIDTH;
        let name = canvas.fitted(&frame.y.label(tick), text::TICK, room.max(1.0) + 2.0);
        canvas.text(&name, (left - 10.0, y), lettering)?;
    }
    for &tick in &frame.x.ticks {
        let x = frame.x(tick);
        canvas.line(&[(x, top), (x, bottom)], Stroke::solid(GRID, 1.5))?;
        let lettering = Lettering {
            horizontal: HPos::Center,
            ..tick_text
        };
        let name = match panel.x.names.len() {
            0 => frame.x.label(tick),
            n => canvas.fitted(
                &frame.x.label(tick),
                text::TICK,
                (right - left) / n as f64 - 6.0,
            ),
        };
        canvas.text(&name, (x, bottom + 20.0), lettering)?;
    }
    let axes = [(left, top), (left, bottom), (right, bottom)];
    canvas.line(&axes, Stroke::solid(INK, 2.0))?;

    let centred = Lettering {
        horizontal: HPos::Center,
        ..Lettering::of_size(text::AXIS)
    };
    let x_label = canvas.fitted(&panel.x.label, text::AXIS, right - left);
    let middle = (left + right) / 2.0;
    canvas.text(&x_label, (middle, bottom + 56.0), centred)?;
    let y_label = canvas.fitted(&panel.y.label, text::AXIS, bottom - top);
    let upright = Lettering {
        is_upright: true,
        ..centred
    };
    let middle = (top + bottom) / 2.0;
    canvas.text(&y_label, (cell.left + 16.0, middle), upright)
}

fn draw_layer<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    layer: &Layer,
    frame: &Frame,
) -> DrawResult<DB> {
    match layer {
        Layer::Series {
            points,
            look,
            is_joined,
        } => draw_series(canvas, points, *look, *is_joined, frame),
        Layer::Bars {
            bars,
            colour,
            half_width,
        } => {
            for bar in bars.iter().filter(|bar| is_drawable(bar.height)) {
                let corner = frame.at(bar.x - half_width, bar.height);
                canvas.rectangle(corner, frame.at(bar.x + half_width, 0.0), *colour)?;
            }
            Ok(())
        }
        Layer::Cells(cells) => {
            for cell in cells {
                draw_cell(canvas, cell, frame)?;
            }
            Ok(())
        }
        Layer::Line { ends, stroke } => canvas.line(&ends.map(|(x, y)| frame.at(x, y)), *stroke),
        Layer::Rule { across, stroke } if is_drawable(across.value()) => {
            let Cell {
                left,
                top,
                right,
                bottom,
            } = frame.cell;
            let ends = match *across {
                Across::Y(value) => [(left, frame.y(value)), (right, frame.y(value))],
                Across::X(value) => [(frame.x(value), bottom), (frame.x(value), top)],
            };
            canvas.line(&ends, *stroke)
        }
        Layer::Ring { x, y } if is_drawable(*x) && is_drawable(*y) => {
            canvas.ring(frame.at(*x, *y), 17.0, Stroke::solid(INK, 3.0))
        }
        Layer::Rule { .. } | Layer::Ring { .. } => Ok(()),
    }
}

fn draw_cell<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    cell: &HeatCell,
    frame: &Frame,
) -> DrawResult<DB> {
    let corner = frame.at(cell.x - 0.5, cell.y + 0.5);
    let opposite = frame.at(cell.x + 0.5, cell.y - 0.5);
    canvas.rectangle(corner, opposite, cell.colour)?;
    let lettering = Lettering {
        colour: ink_on(cell.colour),
        horizontal: HPos::Center,
        ..Lettering::of_size(text::NOTE)
    };
    let fits = canvas.width(&cell.text, text::NOTE) < opposite.0 - corner.0;
    if fits && !cell.text.is_empty() {
        canvas.text(&cell.text, frame.at(cell.x, cell.y), lettering)?;
    }
    Ok(())
}

fn draw_series<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    points: &[Point],
    look: Look,
    is_joined: bool,
    frame: &Frame,
) -> DrawResult<DB> {
    let drawable = || points.iter().filter(|point| point.is_drawable());
    for point in drawable() {
        if let Some((low, high)) = point.y_ends {
            let (from, to) = (frame.at(point.x, low), frame.at(point.x, high));
            draw_whisker(canvas, [from, to], (6.0, 0.0), look.whisker())?;
        }
        if let Some((low, high)) = point.x_ends {
            let (from, to) = (frame.at(low, point.y), frame.at(high, point.y));
            draw_whisker(canvas, [from, to], (0.0, 6.0), look.whisker())?;
        }
    }
    if is_joined {
        let places: Vec<Place> = drawable().map(|point| frame.at(point.x, point.y)).collect();
        canvas.line(&places, look.stroke())?;
    }
    for point in drawable() {
        canvas.marker(frame.at(point.x, point.y), look)?;
    }
    Ok(())
}

/// A line with caps of half-width `cap` at its ends.
fn draw_whisker<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    ends: [Place; 2],
    cap: Place,
    stroke: Stroke,
) -> DrawResult<DB> {
    canvas.line(&ends, stroke)?;
    for (x, y) in ends {
        canvas.line(&[(x - cap.0, y - cap.1), (x + cap.0, y + cap.1)], stroke)?;
    }
    Ok(())
}
