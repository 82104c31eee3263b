//! The figures of a sweep: which question each answers, and how its chart follows from the view.

mod acceptance_speedup;
mod cost;
mod curve;
mod draft_len;
mod threshold_acceptance;
mod window;

use std::path::Path;

use crate::analysis::view::SweepView;
use crate::report::chart::Chart;
use crate::report::render::{self, FigureError, FigureFiles};
use crate::stats::interval::Interval;

/// The figures that a sweep can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureKind {
    ThresholdAcceptance,
    AcceptanceSpeedup,
    DraftLength,
    Window,
    Cost,
}

/// A figure, or why this sweep has none of the kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    pub kind: FigureKind,
    pub outcome: Result<FigureFiles, NotShown>,
}

/// Why a sweep gives no such figure: a property of its trials, not a failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotShown(String);

/// Writes every figure of the sweep into `folder`, which must exist.
///
/// # Errors
/// [`FigureError`] when a file cannot be written.
pub fn draw_all(view: &SweepView, folder: &Path) -> Result<Vec<Figure>, FigureError> {
    FigureKind::ALL
        .into_iter()
        .map(|kind| kind.draw(view, &folder.join(kind.stem())))
        .collect()
}

impl FigureKind {
    pub const ALL: [Self; 5] = [
        Self::ThresholdAcceptance,
        Self::AcceptanceSpeedup,
        Self::DraftLength,
        Self::Window,
        Self::Cost,
    ];

    /// File name without folder and extension.
    pub fn stem(self) -> &'static str {
        match self {
            Self::ThresholdAcceptance => "threshold-acceptance",
            Self::AcceptanceSpeedup => "acceptance-speedup",
            Self::DraftLength => "draft-length",
            Self::Window => "window",
            Self::Cost => "forward-cost",
        }
    }

    /// Title of the figure and its alternative text.
    pub fn title(self) -> &'static str {
        match self {
            Self::ThresholdAcceptance => "Entropy threshold and acceptance",
            Self::AcceptanceSpeedup => "Acceptance and speedup",
            Self::DraftLength => "Draft length of the fastest trials",
            Self::Window => "Window decoding: entropy threshold against quality and speed",
            Self::Cost => "What a forward of m tokens costs",
        }
    }

    /// The file that its numbers come from.
    pub fn source(self) -> &'static str {
        match self {
            Self::ThresholdAcceptance
            | Self::AcceptanceSpeedup
            | Self::DraftLength
            | Self::Window => "trials.parquet",
            Self::Cost => "manifest.json: costs",
        }
    }

    /// Writes `<stem>.svg` and `<stem>.png`, or nothing when the sweep has no data of the kind.
    ///
    /// # Errors
    /// [`FigureError`] when a file cannot be written.
    pub fn draw(self, view: &SweepView, stem: &Path) -> Result<Figure, FigureError> {
        let outcome = match self.chart(view) {
            Ok(chart) => Ok(render::write(&chart, stem)?),
            Err(reason) => Err(reason),
        };
        Ok(Figure {
            kind: self,
            outcome,
        })
    }

    /// # Errors
    /// [`NotShown`].
    pub fn chart(self, view: &SweepView) -> Result<Chart, NotShown> {
        let chart = match self {
            Self::ThresholdAcceptance => threshold_acceptance::chart(view),
            Self::AcceptanceSpeedup => acceptance_speedup::chart(view),
            Self::DraftLength => draft_len::chart(view),
            Self::Window => window::chart(view),
            Self::Cost => cost::chart(view),
        }?;
        if chart.panels.iter().all(|panel| panel.scales().is_none()) {
            return Err(NotShown::because(
                "no value of this figure is a finite number",
            ));
        }
        Ok(Chart {
            title: self.title().to_owned(),
            subtitle: subtitle(view),
            ..chart
        })
    }
}

impl NotShown {
    fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

fn subtitle(view: &SweepView) -> String {
    format!(
        "{} · {} · {} · wedlm-bench {} · {}",
        view.name,
        view.size(),
        view.device,
        view.version,
        view.date
    )
}

/// The note that explains the error bars; `None` when no interval has any.
fn error_bar_note(intervals: impl IntoIterator<Item = Interval>) -> Option<String> {
    let with_bar = |interval: &Interval| interval.is_bounded() && interval.low < interval.high;
    let interval = intervals.into_iter().find(with_bar)?;
    let percent = (interval.confidence * 1000.0).round() / 10.0;
    Some(format!("Error bars: {percent} % confidence intervals."))
}

/// `2 trials <reason> are not shown.`; `None` for no trial.
fn not_shown_note(n: usize, reason: &str) -> Option<String> {
    match n {
        0 => None,
        1 => Some(format!("1 trial {reason} is not shown.")),
        _ => Some(format!("{n} trials {reason} are not shown.")),
    }
}

/// Joins the sentences that exist to one note.
fn notes(sentences: impl IntoIterator<Item = Option<String>>) -> Vec<String> {
    let text: Vec<String> = sentences.into_iter().flatten().collect();
    if text.is_empty() {
        vec![]
    } else {
        vec![text.join(" ")]
    }
}
