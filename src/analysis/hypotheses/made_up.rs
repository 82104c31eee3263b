//! Runs with known answers for the unit tests of this folder.

use crate::analysis::hypotheses::data::{Arm, Figures, Prompt, RunData};
use crate::config::experiment::Group;

/// Wall time of the autoregressive baseline on every prompt.
pub const BASELINE_NS: f64 = 100.0;

/// `n_each` prompts of each category, in turn: prompt i is of category i mod the number of them.
pub fn run(categories: &[&str], n_each: usize, arms: Vec<Arm>) -> RunData {
    let prompts = (0..categories.len() * n_each).map(|index| Prompt {
        item_id: format!("item-{}", index / categories.len()),
        category: categories[index % categories.len()].to_owned(),
        answer_len: 10.0 + index as f64,
        ..Prompt::default()
    });
    RunData {
        sweep: "made-up".to_owned(),
        seed: 17,
        prompts: prompts.collect(),
        arms,
    }
}

/// A measured trial with these wall times, three of four drafts accepted and the text of the baseline.
pub fn arm(label: &str, ns: Vec<f64>) -> Arm {
    let figures = |ns| Figures {
        ns,
        baseline_ns: Some(BASELINE_NS),
        drafted: 8.0,
        accepted: 6.0,
        committed: 10.0,
        forwards: 4.0,
        is_correct: Some(true),
        score: Some(1.0),
        same_text: Some(true),
        nats: Some(1.0),
    };
    Arm {
        id: label.to_owned(),
        config: label.to_owned(),
        label: label.to_owned(),
        names: vec![label.to_owned()],
        axes: Vec::new(),
        live: Some(ns.into_iter().map(figures).collect()),
        replay: None,
    }
}

/// Noise of a few percent that is the same in every test: −1 to 1 by the number of the prompt.
pub fn wobble(prompt: usize, salt: usize) -> f64 {
    let mixed = (prompt * 7919 + salt * 104_729 + 31) % 1009;
    mixed as f64 / 504.0 - 1.0
}

/// `time` on every prompt, give or take a share of it.
pub fn noisy(n: usize, salt: usize, share: f64, time: impl Fn(usize) -> f64) -> Vec<f64> {
    (0..n)
        .map(|prompt| time(prompt) * (1.0 + share * wobble(prompt, salt)))
        .collect()
}

pub fn group(entries: &[&str]) -> Group {
    Group {
        entries: entries.iter().map(|&entry| entry.to_owned()).collect(),
        ..Group::default()
    }
}
