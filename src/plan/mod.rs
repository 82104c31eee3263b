//! From a sweep to the trials that it takes: every point once, impossible ones refused.

mod canonical;
mod equal_rules;
mod grid;
pub mod halving;
mod label;
mod reads;
mod sample;
pub mod shard;
mod sobol;
mod trial;

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;

use crate::config::error::{ConfigError, Fault};
use crate::config::sweep::SweepSpec;

pub use reads::{reads_entropy, select_reads_entropy};
use sample::Cells;
pub use trial::{Trial, is_duplicate};

/// The trials of a sweep, in the order in which they are reported.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The baselines, then every distinct point in the order of the file, the first axis slowest.
    pub trials: Vec<Trial>,
    /// Autoregressive decoding, alone first, then for each batch size of the sweep, then alone once more.
    pub n_baselines: usize,
    pub refused: Vec<Refused>,
    /// Points that are no trial of their own because they equal an earlier one.
    pub merged: Merged,
    /// Distinct points that `sample` leaves out.
    pub n_left_out: usize,
    /// Trials of the other shards.
    pub n_elsewhere: usize,
}

/// A point that no decoder can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    pub label: String,
    pub reason: String,
}

/// How many points were merged, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Merged {
    /// They differ from another point in nothing that their rule reads.
    pub unread: usize,
    /// Their rule decides as another rule does, whatever it sees.
    pub equal_rules: usize,
}

impl Plan {
    /// Points of the sweep, the baselines not counted: trials of all shards, merged, refused and left out
    /// ones.
    pub fn n_points(&self) -> usize {
        self.n_distinct() + self.merged.unread + self.merged.equal_rules + self.refused.len()
    }

    /// Distinct points, those that `sample` leaves out included.
    pub fn n_distinct(&self) -> usize {
        self.trials.len() - self.n_baselines + self.n_elsewhere + self.n_left_out
    }
}

/// Plans a sweep. The same sweep gives the same plan, ids included.
///
/// # Errors
/// A decoder that cannot be read, a sweep of which every point is refused, or a sample that cannot be taken.
pub fn plan(sweep: &SweepSpec) -> Result<Plan, ConfigError> {
    let entries = grid::entries(sweep).map_err(|fault| fault.in_file(&sweep.file))?;
    let mut planning = Planning::default();
    let batch_sizes: BTreeSet<usize> = entries
        .iter()
        .flat_map(|entry| &entry.candidates)
        .map(|candidate| candidate.decoder.batch_size())
        .chain([1])
        .collect();
    for &batch_size in &batch_sizes {
        planning.add(sweep, grid::baseline(batch_size));
    }
    if sweep.timing.duplicate_baseline {
        let again = planning.trials[0].again();
        planning.trials.push(again);
    }
    let n_baselines = planning.trials.len();
    let cells: Vec<Cells> = entries
        .into_iter()
        .map(|entry| planning.add_entry(sweep, entry))
        .collect();
    let Planning {
        mut trials,
        refused,
        merged,
        ..
    } = planning;
    if let Some(first) = refused.first()
        && trials.len() == n_baselines
        && merged == Merged::default()
    {
        let reason = format!("every point is refused; {}: {}", first.label, first.reason);
        return Err(Fault::new("", reason).in_file(&sweep.file));
    }
    label::tell_apart(&mut trials);
    let n_all = trials.len();
    if let Some(sample) = &sweep.sample {
        let chosen = sample::choose(sample, &cells).map_err(|fault| fault.in_file(&sweep.file))?;
        let kept = trials.into_iter().enumerate();
        trials = kept
            .filter(|(place, _)| *place < n_baselines || chosen.contains(place))
            .map(|(_, trial)| trial)
            .collect();
    }
    Ok(Plan {
        n_left_out: n_all - trials.len(),
        n_elsewhere: 0,
        trials,
        n_baselines,
        refused,
        merged,
    })
}

#[derive(Default)]
struct Planning {
    trials: Vec<Trial>,
    refused: Vec<Refused>,
    merged: Merged,
    /// Index of the trial of each id.
    by_id: HashMap<String, usize>,
    /// What the points so far read.
    seen: HashSet<String>,
}

impl Planning {
    fn add_entry(&mut self, sweep: &SweepSpec, entry: grid::Entry) -> Cells {
        let first = self.trials.len();
        let mut trials = HashMap::new();
        for candidate in entry.candidates {
            let number = candidate.number;
            if let Some(trial) = self.add(sweep, candidate).filter(|trial| *trial >= first) {
                trials.insert(number, trial);
            }
        }
        Cells {
            path: entry.path,
            shape: entry.shape,
            trials,
            own: first..self.trials.len(),
        }
    }

    /// The index of the point's trial; none when it is refused.
    fn add(&mut self, sweep: &SweepSpec, candidate: grid::Candidate) -> Option<usize> {
        if let Some(reason) = canonical::refusal(&candidate.decoder, &sweep.sampling) {
            self.refused.push(Refused {
                label: candidate.label,
                reason,
            });
            return None;
        }
        let read = canonical::text(&canonical::read_parameters(&candidate.decoder));
        let is_new = self.seen.insert(read);
        let id = trial::id(sweep, &candidate.decoder);
        let Some(&index) = self.by_id.get(&id) else {
            self.by_id.insert(id.clone(), self.trials.len());
            self.trials.push(Trial::new(id, candidate));
            return Some(self.trials.len() - 1);
        };
        let names = &mut self.trials[index].names;
        if !names.contains(&candidate.label) {
            names.push(candidate.label);
        }
        if is_new {
            self.merged.equal_rules += 1;
        } else {
            self.merged.unread += 1;
        }
        Some(index)
    }
}

#[cfg(test)]
mod tests;
