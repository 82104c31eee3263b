//! What tables of trials have in common: captions, labels, rows.

use super::{Cell, Row, Value};
use crate::analysis::view::{SweepView, TrialView};
use crate::record::schema::Mode;

/// What is said of intervals and of their n.
pub fn intervals(view: &SweepView) -> String {
    let mut known = view.trials.iter().filter_map(TrialView::speedup);
    let confidence = known.find(|interval| interval.confidence < 1.0);
    let brackets = confidence.map_or(String::new(), |interval| {
        let percent = (interval.confidence * 1000.0).round() / 10.0;
        format!(" Brackets hold {percent} % intervals over prompts.")
    });
    format!("n = {}.{brackets}", view.size())
}

pub const LOSSY: &str = "A tilde (~) marks lossy output: not provably the verifier's distribution.";

pub fn row(trial: &TrialView, cells: Vec<Cell>) -> Row {
    Row {
        cells,
        is_lossy: !trial.lossless,
    }
}

pub fn output(trial: &TrialView) -> Value {
    let mut words = vec![if trial.lossless { "lossless" } else { "lossy" }.to_owned()];
    if trial.mode == Mode::Replay {
        words.push("replayed".to_owned());
    }
    words.extend(
        trial
            .dropped_after
            .map(|n| format!("dropped after {n} prompts")),
    );
    Value::Text(words.join(", "))
}

pub fn label(trial: &TrialView) -> Value {
    Value::Text(trial.label.clone())
}
