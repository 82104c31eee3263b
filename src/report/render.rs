//! Draws any [`Chart`] in the house style, as SVG, as PNG and as PDF.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use plotters::backend::{BitMapBackend, SVGBackend};
use plotters::drawing::IntoDrawingArea;
use plotters::prelude::DrawingBackend;

use self::pdf::PdfBackend;
use super::canvas::{Canvas, DrawResult, Lettering, OVERSAMPLING, TextHabit};
use super::chart::Chart;
use super::style::{self, GREY, SIZE, text};

mod legend;
mod panel;
mod pdf;

/// Why a figure could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    #[error("cannot write the figure {path}: {reason}")]
    Write { path: PathBuf, reason: String },
    #[error("the embedded font cannot be read: the program was built from a broken file")]
    Font,
}

/// The files of a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureFiles {
    pub svg: PathBuf,
    pub png: PathBuf,
    pub pdf: PathBuf,
}

const MARGIN: f64 = 36.0;
const PANELS_TOP: f64 = 122.0;
const NOTE_HEIGHT: f64 = 31.0;
const GAP: f64 = 34.0;

/// Writes `<stem>.svg`, `<stem>.png` and `<stem>.pdf`, each under a temporary name first.
///
/// # Errors
/// [`FigureError`]; the folder of `stem` must exist.
pub fn write(chart: &Chart, stem: &Path) -> Result<FigureFiles, FigureError> {
    let files = FigureFiles {
        svg: with_suffix(stem, ".svg"),
        png: with_suffix(stem, ".png"),
        pdf: with_suffix(stem, ".pdf"),
    };
    for (bytes, place) in [
        (svg(chart)?.into_bytes(), &files.svg),
        (pdf(chart)?, &files.pdf),
    ] {
        let unfinished = with_suffix(place, ".unfinished");
        fs::write(&unfinished, bytes)
            .and_then(|()| fs::rename(&unfinished, place))
            .map_err(|error| failed(place, &error))?;
    }

    let pixels = pixels(chart)?;
    let unfinished = with_suffix(stem, ".unfinished.png");
    save_png(&pixels, &unfinished)?;
    fs::rename(&unfinished, &files.png).map_err(|error| failed(&files.png, &error))?;
    Ok(files)
}

/// The figure as an SVG document.
///
/// # Errors
/// [`FigureError::Font`].
pub fn svg(chart: &Chart) -> Result<String, FigureError> {
    let (width, height) = backend_size();
    let mut document = String::new();
    let backend = SVGBackend::with_string(&mut document, (width, height));
    draw(chart, backend, TextHabit::VECTOR)?;
    // The view box keeps the fine coordinates, the nominal size is that of the PNG.
    let fine = format!(r#"width="{width}" height="{height}""#);
    let nominal = format!(r#"width="{}" height="{}""#, SIZE.0, SIZE.1);
    Ok(document.replacen(&fine, &nominal, 1))
}

/// The figure as a PDF document of one page.
///
/// # Errors
/// [`FigureError::Font`].
pub fn pdf(chart: &Chart) -> Result<Vec<u8>, FigureError> {
    let face = style::face().ok_or(FigureError::Font)?;
    let mut document = Vec::new();
    let backend = PdfBackend::new(&mut document, face, backend_size(), OVERSAMPLING);
    draw(chart, backend, TextHabit::VECTOR)?;
    Ok(document)
}

/// The figure as rows of RGB bytes, [`SIZE`] pixels.
fn pixels(chart: &Chart) -> Result<Vec<u8>, FigureError> {
    let (width, height) = backend_size();
    let mut fine = vec![255; (width * height * 3) as usize];
    let backend = BitMapBackend::with_buffer(&mut fine, (width, height));
    draw(chart, backend, TextHabit::BITMAP)?;
    Ok(halved(&fine, width as usize))
}

/// Means of blocks of 2 × 2 pixels.
///
/// # Shapes
/// `fine`: `[2·height, fine_width, 3]` → `[height, fine_width / 2, 3]`.
fn halved(fine: &[u8], fine_width: usize) -> Vec<u8> {
    let row_len = fine_width * 3;
    let mut coarse = Vec::with_capacity(fine.len() / 4);
    for rows in fine.chunks_exact(2 * row_len) {
        let (upper, lower) = rows.split_at(row_len);
        for (upper, lower) in upper.chunks_exact(6).zip(lower.chunks_exact(6)) {
            for channel in 0..3 {
                let sum = [upper, lower]
                    .iter()
                    .map(|pair| u16::from(pair[channel]) + u16::from(pair[channel + 3]))
                    .sum::<u16>();
                coarse.push(((sum + 2) / 4) as u8);
            }
        }
    }
    coarse
}

fn save_png(pixels: &[u8], path: &Path) -> Result<(), FigureError> {
    let mut backend = BitMapBackend::new(path, SIZE);
    backend
        .blit_bitmap((0, 0), SIZE, pixels)
        .and_then(|()| backend.present())
        .map_err(|error| failed(path, &error))
}

fn backend_size() -> (u32, u32) {
    (SIZE.0 * OVERSAMPLING, SIZE.1 * OVERSAMPLING)
}

fn with_suffix(stem: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(stem);
    name.push(suffix);
    PathBuf::from(name)
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> FigureError {
    FigureError::Write {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

fn draw<DB: DrawingBackend>(
    chart: &Chart,
    backend: DB,
    text_habit: TextHabit,
) -> Result<(), FigureError> {
    if !style::register_fonts() {
        return Err(FigureError::Font);
    }
    let area = backend.into_drawing_area();
    let canvas = Canvas {
        area: &area,
        text_habit,
    };
    draw_chart(&canvas, chart)
        .and_then(|()| area.present())
        .map_err(|error| failed(Path::new(&chart.title), &error))
}

fn draw_chart<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, chart: &Chart) -> DrawResult<DB> {
    let (width, height) = (f64::from(SIZE.0), f64::from(SIZE.1));
    canvas.area.fill(&style::PAPER)?;
    let usable = width - 2.0 * MARGIN;

    let title = canvas.fitted(&chart.title, text::TITLE, usable);
    canvas.text(&title, (MARGIN, 44.0), Lettering::of_size(text::TITLE))?;
    let quiet = Lettering {
        colour: GREY,
        ..Lettering::of_size(text::NOTE)
    };
    let subtitle = canvas.fitted(&chart.subtitle, text::NOTE, usable);
    canvas.text(&subtitle, (MARGIN, 86.0), quiet)?;

    let mut bottom = height - 20.0;
    let lines = |note: &String| canvas.wrapped(note, text::NOTE, usable);
    let notes: Vec<String> = chart.notes.iter().flat_map(lines).collect();
    for line in notes.iter().rev() {
        canvas.text(line, (MARGIN, bottom - NOTE_HEIGHT / 2.0), quiet)?;
        bottom -= NOTE_HEIGHT;
    }
    let rows = legend::rows(canvas, &chart.legend, usable);
    // The legend keeps a little distance from the notes.
    bottom -= legend::height(&rows) + 4.0;
    legend::draw(canvas, &rows, (MARGIN, bottom))?;

    let n_columns = chart.n_columns.max(1);
    let n_rows = chart.panels.len().div_ceil(n_columns).max(1);
    let cell_width = (usable - GAP * (n_columns - 1) as f64) / n_columns as f64;
    let cell_height = (bottom - 14.0 - PANELS_TOP - GAP * (n_rows - 1) as f64) / n_rows as f64;
    for (index, panel) in chart.panels.iter().enumerate() {
        let (column, row) = (index % n_columns, index / n_columns);
        let left = MARGIN + column as f64 * (cell_width + GAP);
        let top = PANELS_TOP + row as f64 * (cell_height + GAP);
        let cell = panel::Cell {
            left,
            top,
            right: left + cell_width,
            bottom: top + cell_height,
        };
        panel::draw(canvas, panel, cell)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_takes_the_mean_of_four_pixels() {
        // Two rows of two pixels: red channel 0, 100 over 200, 100; green 255; blue 1, 2, 3, 4.
        let fine = [0, 255, 1, 100, 255, 2, 200, 255, 3, 100, 255, 4];
        assert_eq!(halved(&fine, 2), [100, 255, 3]);
    }

    #[test]
    fn a_stem_with_a_dot_keeps_it() {
        let path = with_suffix(Path::new("out/v1.2"), ".svg");
        assert_eq!(path, Path::new("out/v1.2.svg"));
    }
}
