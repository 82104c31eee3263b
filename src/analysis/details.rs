//! What a comparison of the fastest trials needs beyond their totals: categories of prompts, latencies,
//! slots and entropies.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::Serialize;

use self::prompts::OfPrompts;
use self::slots::{counts_of_draft_lens, entropies, hazard_of};
use crate::analysis::fills::fills;
use crate::analysis::hazard::HazardSlot;
use crate::analysis::metrics::Quality;
use crate::analysis::read_back::ReadBack;
use crate::analysis::view::{SweepView, TrialKind, TrialView};
use crate::record::read::{TableError, read_positions, read_rounds};
use crate::record::schema::Mode;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;

mod prompts;
mod slots;

/// Each list is empty where the tables do not tell.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Details {
    /// Tables that the run folder does not hold, such as `rounds.parquet`.
    pub missing_tables: Vec<String>,
    /// All prompts as the first one, then, when there are several, the categories in alphabetical order.
    pub categories: Vec<Category>,
    pub latencies: Vec<Latency>,
    pub hazards: Vec<Hazard>,
    pub entropies: Vec<DraftEntropies>,
}

/// Prompts of one kind, such as `3-step`, and what each trial did on them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Category {
    pub name: String,
    pub n_prompts: usize,
    pub trials: Vec<CategoryTrial>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CategoryTrial {
    pub label: String,
    pub family: String,
    pub lossless: bool,
    /// Σ baseline wall time / Σ own, over the prompts of the category; none for the baseline itself.
    pub speedup: Option<Interval>,
    /// Σ wall time of the best fixed draft length / Σ own; none of that trial itself.
    pub against_fixed: Option<Interval>,
    /// Window decoders: agreement.
    pub acceptance_rate: Option<Interval>,
    pub quality: Quality,
}

/// Seconds from a prompt's start to its end, one per prompt (median of repeats), in rising order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Latency {
    pub label: String,
    /// Of the decoder entry; none for the baseline.
    pub family: Option<String>,
    pub mode: Mode,
    pub seconds: Vec<f64>,
}

/// How often the drafts of a trial are rejected, by slot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hazard {
    pub label: String,
    pub family: String,
    pub slots: Vec<HazardSlot>,
}

/// Tested draft tokens by the drafter's entropy at their slot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DraftEntropies {
    pub label: String,
    pub family: String,
    /// Counts by the bins of [`ENTROPY_EDGES`](crate::analysis::bins::ENTROPY_EDGES), one bin more than edges.
    pub accepted: Vec<u64>,
    pub rejected: Vec<u64>,
}

impl Details {
    /// Whether the run folder lacks the table.
    pub fn lacks(&self, table: &str) -> bool {
        self.missing_tables.iter().any(|missing| missing == table)
    }
}

/// Fills in [`SweepView::details`], the fills of the fastest window trials, and draft lengths that the
/// table of trials does not have.
///
/// # Errors
/// When a table of the run folder cannot be read.
pub fn add_details(
    view: &mut SweepView,
    back: &ReadBack,
    folder: &Path,
    bootstrap: &Bootstrap,
) -> Result<(), TableError> {
    let tables = ["generations.parquet", "rounds.parquet", "positions.parquet"];
    let missing = tables
        .iter()
        .filter(|table| !folder.join(table).is_file())
        .map(|table| (*table).to_owned());
    let mut details = Details {
        missing_tables: missing.collect(),
        ..Details::default()
    };
    let chosen = Chosen::of(view, back);
    let ids: HashSet<&str> = chosen.trials.iter().map(|(id, _)| *id).collect();
    let measured = OfPrompts {
        view,
        back,
        chosen: &chosen,
        bootstrap,
    };
    details.categories = measured.categories();
    details.latencies = measured.latencies();
    let mut draft_lens = Vec::new();
    if !details.lacks("rounds.parquet") {
        let rounds = read_rounds(&folder.join("rounds.parquet"), &ids)?;
        let by_trial = grouped(&rounds, |round| &round.trial_id);
        for (id, trial) in &chosen.trials {
            let own = by_trial.get(*id).map_or(&[][..], Vec::as_slice);
            if let TrialKind::Speculative(_) = trial.kind {
                details.hazards.extend(hazard_of(trial, own, bootstrap));
                draft_lens.push((trial.label.clone(), counts_of_draft_lens(own)));
            }
        }
    }
    let mut filled = Vec::new();
    if !details.lacks("positions.parquet") {
        let slots = read_positions(&folder.join("positions.parquet"), &ids)?;
        let by_trial = grouped(&slots, |slot| &slot.trial_id);
        for (id, trial) in &chosen.trials {
            let own = by_trial.get(*id).map_or(&[][..], Vec::as_slice);
            match trial.kind {
                TrialKind::Speculative(_) => details.entropies.extend(entropies(trial, own)),
                TrialKind::Window => filled.push((trial.label.clone(), fills(own, bootstrap))),
                TrialKind::Autoregressive | TrialKind::Duplicate => {}
            }
        }
    }
    view.details = details;
    for trial in &mut view.trials {
        let Ok(measures) = &mut trial.result else {
            continue;
        };
        let label = &trial.label;
        let lens = draft_lens.iter().find(|(of, _)| of == label);
        if let Some((_, lens)) = lens
            && measures.draft_len_histogram.is_empty()
        {
            measures.draft_len_histogram.clone_from(lens);
        }
        if let Some((_, fills)) = filled.iter().find(|(of, _)| of == label) {
            measures.fills.clone_from(fills);
        }
    }
    Ok(())
}

/// The trials that a report compares, with their ids.
struct Chosen<'v> {
    trials: Vec<(&'v str, &'v TrialView)>,
}

impl<'v> Chosen<'v> {
    fn of(view: &'v SweepView, back: &'v ReadBack) -> Self {
        let chosen = view.chosen().into_iter();
        Self {
            trials: chosen
                .filter_map(|trial| Some((back.id(trial)?, trial)))
                .collect(),
        }
    }
}

fn grouped<R>(rows: &[R], id: impl Fn(&R) -> &str) -> HashMap<String, Vec<&R>> {
    let mut groups: HashMap<String, Vec<&R>> = HashMap::new();
    for row in rows {
        groups.entry(id(row).to_owned()).or_default().push(row);
    }
    groups
}
