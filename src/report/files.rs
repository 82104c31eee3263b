//! The files of a report, written from one view of the run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::analysis::view::SweepView;
use crate::record::folder::write_whole;
use crate::record::parquet::WriteError;
use crate::report::figures::{self, Figure, FigureKind};
use crate::report::html::{HASH_NAME, Page};
use crate::report::render::FigureError;
use crate::report::tables::tables;
use crate::report::{latex, markdown};
use crate::stats::bootstrap::Bootstrap;

const FIGURES: &str = "figures";
const TABLES: &str = "tables";

/// What a report is made from.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    pub view: &'a SweepView,
    /// For the verdict and for what is best within noise.
    pub bootstrap: &'a Bootstrap,
    /// See [`crate::record::data_hash`]; every file of text carries it.
    pub data_hash: &'a str,
}

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Figure(#[from] FigureError),
}

impl Report<'_> {
    /// Writes `report.md`, `report.html`, `tables/*.tex` and `figures/*` into a folder, which must exist,
    /// and removes what an earlier report left of tables and figures that this one does not have.
    ///
    /// # Errors
    /// [`ReportError`] when a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), ReportError> {
        let figures_folder = made(folder, FIGURES)?;
        let figures = figures::draw_all(self.view, &figures_folder)?;
        remove_stale_figures(&figures, &figures_folder);
        let drawings = drawings(&figures)?;

        let tables = tables(self.view, self.bootstrap);
        let tables_folder = made(folder, TABLES)?;
        let latex = latex::files(&tables, &self.mark());
        for name in latex::file_names() {
            match latex.iter().find(|(known, _)| *known == name) {
                Some((_, text)) => write_whole(&tables_folder.join(name), text.as_bytes())?,
                None => remove(&tables_folder.join(name)),
            }
        }
        let page = Page {
            view: self.view,
            bootstrap: self.bootstrap,
            tables: &tables,
            figures: &figures,
            drawings: &drawings,
            data_hash: self.data_hash,
        };
        write_whole(&folder.join("report.html"), page.html().as_bytes())?;
        let text = markdown::report(self.view, &tables, &figures, FIGURES, self.bootstrap);
        let marked = format!("{text}\n<!-- {} -->\n", self.mark());
        Ok(write_whole(&folder.join("report.md"), marked.as_bytes())?)
    }

    fn mark(&self) -> String {
        format!("{HASH_NAME}: {}", self.data_hash)
    }
}

/// What is wrong with the report in a folder, given the hash of the data as they are now: a file that
/// is missing, or one that was made from other data. Empty when nothing is.
pub fn outdated(folder: &Path, data_hash: &str) -> Vec<String> {
    let mut places = vec![folder.join("report.md"), folder.join("report.html")];
    let names = latex::file_names().into_iter();
    let tables = names.map(|name| folder.join(TABLES).join(name));
    places.extend(tables.filter(|place| place.is_file()));
    places
        .into_iter()
        .filter_map(|place| {
            let name = place.display();
            match fs::read_to_string(&place) {
                Err(error) => Some(format!("{name}: {error}")),
                Ok(text) => match hash_in(&text) {
                    None => Some(format!("{name}: does not say from which data it was made")),
                    Some(hash) if hash == data_hash => None,
                    Some(_) => Some(format!("{name}: was made from other data")),
                },
            }
        })
        .collect()
}

/// The hash behind its name: digits between anything that is no digit.
fn hash_in(text: &str) -> Option<&str> {
    let start = text.rfind(HASH_NAME)? + HASH_NAME.len();
    let behind = text[start..].trim_start_matches([':', ' ', '"']);
    let behind = behind.trim_start_matches("content=\"");
    let end = behind.find(|one: char| !one.is_ascii_hexdigit())?;
    Some(&behind[..end])
}

fn made(folder: &Path, name: &str) -> Result<PathBuf, WriteError> {
    let place = folder.join(name);
    fs::create_dir_all(&place).map_err(|error| WriteError::new(&place, error))?;
    Ok(place)
}

/// The SVG documents of the figures that were drawn.
fn drawings(figures: &[Figure]) -> Result<Vec<(FigureKind, String)>, FigureError> {
    figures
        .iter()
        .filter_map(|figure| Some((figure.kind, figure.outcome.as_ref().ok()?)))
        .map(|(kind, files)| {
            let svg = fs::read_to_string(&files.svg).map_err(|error| FigureError::Write {
                path: files.svg.clone(),
                reason: error.to_string(),
            })?;
            Ok((kind, svg))
        })
        .collect()
}

fn remove_stale_figures(figures: &[Figure], folder: &Path) {
    for figure in figures.iter().filter(|figure| figure.outcome.is_err()) {
        for extension in ["svg", "png", "pdf"] {
            remove(&folder.join(format!("{}.{extension}", figure.kind.stem())));
        }
    }
}

/// Removes a file of an earlier report; that there is none is as good.
fn remove(place: &Path) {
    drop(fs::remove_file(place));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::view::DraftRule;
    use crate::report::small_view::{trial, twelve, view};

    #[test]
    fn a_report_is_outdated_when_its_data_change_or_a_file_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert_eq!(outdated(path, "ab12").len(), 2, "there is none yet");
        let view = view(vec![trial("k", DraftRule::FixedLength, 1.5, twelve(1.0))]);
        let report = Report {
            view: &view,
            bootstrap: &Bootstrap::default(),
            data_hash: "ab12",
        };
        report.write(path).unwrap();
        assert_eq!(outdated(path, "ab12"), Vec::<String>::new());
        let complaints = outdated(path, "ab13");
        assert_eq!(complaints.len(), 4, "{complaints:?}");
        assert!(complaints[0].contains("report.md: was made from other data"));
        fs::remove_file(path.join("report.html")).unwrap();
        assert!(outdated(path, "ab12")[0].contains("report.html"));
    }

    #[test]
    fn a_table_and_a_figure_that_the_run_no_longer_has_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for old in ["tables/window.tex", "figures/window.svg"] {
            fs::create_dir_all(path.join(old).parent().unwrap()).unwrap();
            fs::write(path.join(old), "old").unwrap();
        }
        let view = view(vec![trial("k", DraftRule::FixedLength, 1.5, twelve(1.0))]);
        let report = Report {
            view: &view,
            bootstrap: &Bootstrap::default(),
            data_hash: "ab12",
        };
        report.write(path).unwrap();
        assert!(!path.join("tables/window.tex").exists());
        assert!(!path.join("figures/window.svg").exists());
        assert!(path.join("tables/main.tex").is_file());
    }
}
