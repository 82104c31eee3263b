//! The figures of a sweep: which question each answers, and how its chart follows from the view.

mod acceptance_speedup;
mod category;
mod cost;
mod curve;
mod draft_len;
mod entropy;
mod hazard;
mod heat_map;
mod latency;
mod replay;
mod threshold_acceptance;
mod window;

use std::path::Path;

use crate::analysis::view::{DraftRule, SweepView, TrialKind, TrialView};
use crate::report::chart::Chart;
use crate::report::render::{self, FigureError, FigureFiles};
use crate::stats::interval::Interval;

/// The figures that a sweep can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureKind {
    ThresholdAcceptance,
    AcceptanceSpeedup,
    Category,
    HeatMap,
    DraftLength,
    Hazard,
    Entropy,
    Window,
    Latency,
    Replay,
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
    pub const ALL: [Self; 11] = [
        Self::ThresholdAcceptance,
        Self::AcceptanceSpeedup,
        Self::Category,
        Self::HeatMap,
        Self::DraftLength,
        Self::Hazard,
        Self::Entropy,
        Self::Window,
        Self::Latency,
        Self::Replay,
        Self::Cost,
    ];

    /// File name without folder and extension.
    pub fn stem(self) -> &'static str {
        match self {
            Self::ThresholdAcceptance => "threshold-acceptance",
            Self::AcceptanceSpeedup => "acceptance-speedup",
            Self::Category => "category",
            Self::HeatMap => "heat-map",
            Self::DraftLength => "draft-length",
            Self::Hazard => "hazard",
            Self::Entropy => "draft-entropy",
            Self::Window => "window",
            Self::Latency => "latency",
            Self::Replay => "replay",
            Self::Cost => "forward-cost",
        }
    }

    /// Title of the figure and its alternative text.
    pub fn title(self) -> &'static str {
        match self {
            Self::ThresholdAcceptance => "Entropy threshold and acceptance",
            Self::AcceptanceSpeedup => "Acceptance and speedup",
            Self::Category => "Speedup over the best fixed draft length, by category of prompts",
            Self::HeatMap => "Speedup over two parameters",
            Self::DraftLength => "Draft length of the fastest trials",
            Self::Hazard => "Rejection by slot of the draft",
            Self::Entropy => "Drafter entropy of accepted and rejected tokens",
            Self::Window => "Window decoding: entropy threshold against quality and speed",
            Self::Latency => "Latency of a prompt",
            Self::Replay => "Predicted against measured speedup",
            Self::Cost => "What a forward of m tokens costs",
        }
    }

    /// The file that its numbers come from.
    pub fn source(self) -> &'static str {
        match self {
            Self::ThresholdAcceptance
            | Self::AcceptanceSpeedup
            | Self::HeatMap
            | Self::DraftLength
            | Self::Window
            | Self::Replay => "trials.parquet",
            Self::Category => "generations.parquet: category, wall_ns",
            Self::Hazard => "rounds.parquet: tested, accepted",
            Self::Entropy => "positions.parquet: entropy_nats, outcome",
            Self::Latency => "generations.parquet: latency_ns",
            Self::Cost => "manifest.json: costs",
        }
    }

    /// Writes `<stem>.svg`, `<stem>.png` and `<stem>.pdf`, or nothing when the sweep has no data of the kind.
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
            Self::Category => category::chart(view),
            Self::HeatMap => heat_map::chart(view),
            Self::DraftLength => draft_len::chart(view),
            Self::Hazard => hazard::chart(view),
            Self::Entropy => entropy::chart(view),
            Self::Latency => latency::chart(view),
            Self::Replay => replay::chart(view),
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

/// Place of a decoder entry in the sweep, which decides its look in every figure.
fn place_of(view: &SweepView, family: &str) -> usize {
    let families = view.families();
    let place = families.iter().position(|name| *name == family);
    place.unwrap_or(families.len())
}

/// What a comparison is about comes first: fixed k, then EBSD, then the others.
fn importance(kind: TrialKind) -> u8 {
    match kind {
        TrialKind::Speculative(DraftRule::FixedLength) => 0,
        TrialKind::Speculative(DraftRule::Entropy) => 1,
        TrialKind::Speculative(DraftRule::OtherSignal) => 2,
        TrialKind::Window => 3,
        TrialKind::Speculative(DraftRule::Reference) => 4,
        TrialKind::Autoregressive | TrialKind::Duplicate => 5,
    }
}

/// The trials that a figure shows, and how many of those that a report compares it does not.
struct Compared<'v> {
    trials: Vec<&'v TrialView>,
    /// For want of room.
    n_left_out: usize,
    /// For want of data.
    n_without: usize,
}

impl<'v> Compared<'v> {
    /// At most `most` trials that `has_data` admits by their labels: the best of every kind, then the
    /// important kinds first, and the fastest of a kind first.
    fn of(view: &'v SweepView, most: usize, has_data: impl Fn(&str) -> bool) -> Self {
        let chosen = view.chosen();
        let n_chosen = chosen.len();
        let mut trials: Vec<&TrialView> = chosen
            .into_iter()
            .filter(|trial| has_data(&trial.label))
            .collect();
        let speed = |trial: &TrialView| trial.speedup().map_or(0.0, |speedup| speedup.estimate);
        trials.sort_by(|one, other| {
            let kinds = importance(one.kind).cmp(&importance(other.kind));
            kinds.then(speed(other).total_cmp(&speed(one)))
        });
        let is_first = |place: &usize| {
            let kind = |place: usize| importance(trials[place].kind);
            *place == 0 || kind(place - 1) != kind(*place)
        };
        let (mut shown, rest): (Vec<usize>, Vec<usize>) = (0..trials.len()).partition(is_first);
        shown.extend(rest);
        shown.truncate(most);
        shown.sort_unstable();
        Self {
            n_left_out: trials.len() - shown.len(),
            n_without: n_chosen - trials.len(),
            trials: shown.into_iter().map(|place| trials[place]).collect(),
        }
    }

    fn note(&self) -> Option<String> {
        let count = |n: usize, what: &str| match n {
            0 => String::new(),
            1 => format!(" 1 {what} is not shown."),
            n => format!(" {n} {what} are not shown."),
        };
        Some(format!(
            "The fastest trial of each decoder entry.{}{}",
            count(self.n_left_out, "more"),
            count(self.n_without, "without such data"),
        ))
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
