//! Which trials are the fastest, as far as the data can tell.

use std::collections::HashSet;

use crate::analysis::view::TrialView;
use crate::report::verdict::{Call, compare};
use crate::stats::bootstrap::Bootstrap;

/// The fastest of `competitors` and all of them that it does not beat, by label: the paired bootstrap
/// over prompts of the verdict. Where the times of single prompts are not known, intervals that overlap
/// decide.
pub fn best_within_noise(
    competitors: &[&TrialView],
    bootstrap: &Bootstrap,
) -> (HashSet<String>, Criterion) {
    let speedup = |trial: &TrialView| trial.speedup();
    let fastest = competitors
        .iter()
        .filter_map(|trial| Some((*trial, speedup(trial)?)))
        .max_by(|(_, one), (_, other)| one.estimate.total_cmp(&other.estimate));
    let Some((fastest, best)) = fastest else {
        return (HashSet::new(), Criterion::Paired);
    };
    let mut criterion = Criterion::Paired;
    let mut level = HashSet::from([fastest.label.clone()]);
    for trial in competitors
        .iter()
        .filter(|trial| trial.label != fastest.label)
    {
        let Some(own) = speedup(trial) else {
            continue;
        };
        let is_level = match compare(fastest, trial, bootstrap) {
            Ok(verdict) => match verdict.call {
                Call::Faster => false,
                Call::Slower | Call::NotDistinguishable => true,
                Call::TooFewPrompts => verdict.ratio.low <= 1.0,
            },
            Err(_) => {
                criterion = Criterion::Overlap;
                own.high >= best.low
            }
        };
        if is_level {
            level.insert(trial.label.clone());
        }
    }
    (level, criterion)
}

/// How trials were found to be level with the fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criterion {
    Paired,
    Overlap,
}

impl Criterion {
    pub fn words(self, of: &str) -> String {
        match self {
            Self::Paired => format!(
                "Bold: the fastest {of} and all whose paired bootstrap over prompts does not tell them \
                 from it."
            ),
            Self::Overlap => {
                format!("Bold: the fastest {of} and all whose interval overlaps with its own.")
            }
        }
    }
}
