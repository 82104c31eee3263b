//! Small made-up views for the unit tests of this folder.

use crate::analysis::view::{DraftRule, Measures, SweepView, TrialKind, TrialView};
use crate::record::schema::Mode;
use crate::stats::interval::Interval;

/// Wall times of twelve prompts, divided by `speed`.
pub fn twelve(speed: f64) -> Vec<f64> {
    let times = [100.0, 210.0, 330.0].into_iter().cycle();
    times.take(12).map(|time| time / speed).collect()
}

/// A lossless speculative trial that is alone in its family.
pub fn trial(label: &str, rule: DraftRule, speedup: f64, prompt_ns: Vec<f64>) -> TrialView {
    TrialView {
        label: label.to_owned(),
        kind: TrialKind::Speculative(rule),
        family: label.to_owned(),
        axes: vec![],
        batch_size: 1,
        mode: Mode::Live,
        dropped_after: None,
        lossless: true,
        result: Ok(Measures {
            speedup: Some(Interval {
                estimate: speedup,
                low: speedup - 0.05,
                high: speedup + 0.05,
                confidence: 0.95,
            }),
            speedup_geometric: Some(Interval {
                estimate: speedup,
                low: speedup,
                high: speedup,
                confidence: 0.95,
            }),
            tokens_per_second: 50.0 * speedup,
            acceptance_rate: Some(Interval::exact(0.75)),
            block_efficiency: 3.0,
            tokens_per_forward: 3.0,
            exact_match: Some(Interval::exact(0.8)),
            prompt_ns,
            ..Measures::default()
        }),
    }
}

pub fn failed(label: &str, error: &str) -> TrialView {
    TrialView {
        result: Err(error.to_owned()),
        ..trial(label, DraftRule::Entropy, 1.0, vec![])
    }
}

pub fn view(trials: Vec<TrialView>) -> SweepView {
    let times = trials.iter().find_map(|trial| trial.measures());
    let n_prompts = times.map_or(0, |measures| measures.prompt_ns.len());
    SweepView {
        name: "smoke".to_owned(),
        command: "wedlm-bench sweep configs/smoke.yaml".to_owned(),
        version: "0.1.0".to_owned(),
        date: "2026-11-21".to_owned(),
        device: "cpu".to_owned(),
        n_prompts,
        repeats: 1,
        trials,
        ..SweepView::default()
    }
}
