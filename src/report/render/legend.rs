//! The legend below the panels, where it covers no data.

use plotters::prelude::DrawingBackend;

use crate::report::canvas::{Canvas, DrawResult, Lettering, Place};
use crate::report::chart::{LegendEntry, Symbol};
use crate::report::style::{INK, Stroke, text};

const ROW_HEIGHT: f64 = 38.0;
const ENTRY_GAP: f64 = 34.0;
/// Between a symbol and its text.
const SYMBOL_GAP: f64 = 12.0;
/// More rows would squeeze the panels; what does not fit is counted.
const MOST_ROWS: usize = 4;

pub struct Entry {
    text: String,
    symbol: Option<Symbol>,
    x: f64,
}

fn symbol_width(symbol: Symbol) -> f64 {
    match symbol {
        Symbol::Joined(_) | Symbol::Rule(_) => 80.0,
        Symbol::Marker(_) | Symbol::Ring | Symbol::Swatch(_) => 30.0,
    }
}

/// Breaks the entries into rows of at most `width` pixels.
pub fn rows<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    entries: &[LegendEntry],
    width: f64,
) -> Vec<Vec<Entry>> {
    let mut rows: Vec<Vec<Entry>> = Vec::new();
    let mut x = width;
    for (index, entry) in entries.iter().enumerate() {
        let symbol_width = symbol_width(entry.symbol) + SYMBOL_GAP;
        let text = canvas.fitted(&entry.text, text::LEGEND, width - symbol_width);
        let entry_width = symbol_width + canvas.width(&text, text::LEGEND);
        if x + entry_width > width {
            if rows.len() == MOST_ROWS {
                let more = format!("… and {} more", entries.len() - index);
                rows.push(vec![Entry {
                    text: more,
                    symbol: None,
                    x: 0.0,
                }]);
                return rows;
            }
            rows.push(Vec::new());
            x = 0.0;
        }
        if let Some(row) = rows.last_mut() {
            row.push(Entry {
                text,
                symbol: Some(entry.symbol),
                x,
            });
        }
        x += entry_width + ENTRY_GAP;
    }
    rows
}

pub fn height(rows: &[Vec<Entry>]) -> f64 {
    rows.len() as f64 * ROW_HEIGHT
}

pub fn draw<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    rows: &[Vec<Entry>],
    corner: Place,
) -> DrawResult<DB> {
    for (index, row) in rows.iter().enumerate() {
        let y = corner.1 + (index as f64 + 0.5) * ROW_HEIGHT;
        for entry in row {
            let mut x = corner.0 + entry.x;
            if let Some(symbol) = entry.symbol {
                draw_symbol(canvas, symbol, x, y)?;
                x += symbol_width(symbol) + SYMBOL_GAP;
            }
            canvas.text(&entry.text, (x, y), Lettering::of_size(text::LEGEND))?;
        }
    }
    Ok(())
}

fn draw_symbol<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    symbol: Symbol,
    left: f64,
    y: f64,
) -> DrawResult<DB> {
    let width = symbol_width(symbol);
    let across = [(left, y), (left + width, y)];
    let centre = (left + width / 2.0, y);
    match symbol {
        Symbol::Joined(look) => {
            canvas.line(&across, look.stroke())?;
            canvas.marker(centre, look)
        }
        Symbol::Marker(look) => canvas.marker(centre, look),
        Symbol::Rule(stroke) => canvas.line(&across, stroke),
        Symbol::Swatch(colour) => {
            let corner = (left, y - 13.0);
            canvas.rectangle(corner, (left + width, y + 13.0), colour)
        }
        Symbol::Ring => canvas.ring(centre, 14.0, Stroke::solid(INK, 2.5)),
    }
}
