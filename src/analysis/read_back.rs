//! A finished run read back from its folder: the trials as a report sees them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use crate::analysis::generations::Generations;
use crate::analysis::measured::Baseline;
use crate::analysis::replay_check::replay_check;
use crate::analysis::summary::kind;
use crate::analysis::trial_row::{dropped_after, plain};
use crate::analysis::view::{CheckedTrial, Measures, ReplayCheck, TrialKind, TrialView};
use crate::config::decoder::DecoderSpec;
use crate::plan::shard::Shard;
use crate::plan::{Trial, is_duplicate};
use crate::record::manifest::ReplayCounts;
use crate::record::read::{TableError, read_trials};
use crate::record::schema::{Mode, TrialRecord};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;

/// What the tables of trials and of generations hold.
#[derive(Debug, Default)]
pub struct ReadBack {
    /// The baseline first; trials that ran live to check their replay are in `checked` alone.
    pub views: Vec<TrialView>,
    pub checked: Vec<CheckedTrial>,
    /// The row of each view.
    pub records: Vec<TrialRecord>,
    /// By trial and mode, in the order of prompts and repeats; empty without `generations.parquet`.
    pub generations: Generations,
}

/// Why a run folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadBackError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("{path}: the decoder of the trial '{label}' cannot be read: {reason}")]
    Decoder {
        path: String,
        label: String,
        reason: String,
    },
    #[error("{path}: holds no trial")]
    Empty { path: String },
}

/// Reads `trials.parquet` and, where there is one, `generations.parquet` of a run folder. `plan` holds
/// the trials of the sweep, for the values of their axes.
///
/// # Errors
/// [`ReadBackError`] names the file.
pub fn read_back(
    folder: &Path,
    plan: &[Trial],
    bootstrap: &Bootstrap,
) -> Result<ReadBack, ReadBackError> {
    let path = folder.join("trials.parquet");
    let rows = read_trials(&path)?;
    if rows.is_empty() {
        return Err(ReadBackError::Empty {
            path: path.display().to_string(),
        });
    }
    let planned: HashMap<&str, &Trial> = plan
        .iter()
        .map(|trial| (trial.id.as_str(), trial))
        .collect();
    let generations = Generations::read(folder)?;
    let reader = Reader {
        generations: &generations,
        baselines: baselines(&rows, &generations),
        bootstrap,
    };
    let live: HashSet<String> = rows
        .iter()
        .filter(|row| row.mode == Mode::Live.name())
        .map(|row| row.trial_id.clone())
        .collect();
    let is_checked = |row: &TrialRecord| {
        row.mode == Mode::Replay.name() && row.error.is_none() && live.contains(&row.trial_id)
    };
    let replayed: HashMap<String, TrialRecord> = rows
        .iter()
        .filter(|row| is_checked(row))
        .map(|row| (row.trial_id.clone(), row.clone()))
        .collect();
    let mut back = ReadBack::default();
    // There may be very many rows: none is held twice.
    for row in rows {
        let is_live = row.mode == Mode::Live.name();
        if let Some(replayed) = replayed.get(&row.trial_id).filter(|_| is_live) {
            back.checked.extend(checked(replayed, &row, bootstrap));
            continue;
        }
        let decoder: DecoderSpec =
            serde_json::from_str(&row.config).map_err(|error| ReadBackError::Decoder {
                path: path.display().to_string(),
                label: row.label.clone(),
                reason: error.to_string(),
            })?;
        let planned = planned.get(row.trial_id.as_str());
        back.views
            .push(reader.view(&row, &decoder, planned.copied()));
        back.records.push(row);
    }
    drop(reader);
    back.generations = generations;
    Ok(back)
}

impl ReadBack {
    /// Replay against live, with the counts that the run noted; none when nothing was replayed.
    pub fn replay_check(&self, counts: Option<ReplayCounts>) -> Option<ReplayCheck> {
        let is_replayed = |view: &&TrialView| {
            view.mode == Mode::Replay
                && view.kind != TrialKind::Autoregressive
                && view.result.is_ok()
        };
        let n_replayed = self.views.iter().filter(is_replayed).count();
        let counts = counts.unwrap_or(ReplayCounts {
            n_replayed,
            ..ReplayCounts::default()
        });
        (n_replayed > 0).then(|| replay_check(counts, self.checked.clone()))
    }

    /// The id of a trial in the tables.
    pub fn id(&self, trial: &TrialView) -> Option<&str> {
        self.record(trial).map(|row| row.trial_id.as_str())
    }

    /// The row of a trial.
    pub fn record(&self, trial: &TrialView) -> Option<&TrialRecord> {
        let is_its_own =
            |row: &&TrialRecord| row.label == trial.label && row.mode == trial.mode.name();
        self.records.iter().find(is_its_own)
    }
}

fn checked(
    replayed: &TrialRecord,
    live: &TrialRecord,
    bootstrap: &Bootstrap,
) -> Option<CheckedTrial> {
    let speedup = |row: &TrialRecord| {
        let known = Interval::read(
            row.speedup,
            row.speedup_low,
            row.speedup_high,
            bootstrap.confidence,
        );
        known.filter(|interval| interval.estimate.is_finite())
    };
    Some(CheckedTrial {
        label: live.label.clone(),
        predicted: speedup(replayed)?,
        measured: speedup(live)?,
    })
}

type ShardBaselines = BTreeMap<Option<Shard>, Baseline>;

/// The measured baselines by batch size.
fn baselines(rows: &[TrialRecord], generations: &Generations) -> HashMap<usize, ShardBaselines> {
    let mut baselines = HashMap::new();
    for row in rows {
        let decoder = serde_json::from_str(&row.config);
        if let Ok(DecoderSpec::Autoregressive { batch_size }) = decoder
            && !is_duplicate(&row.trial_id)
        {
            let of_shards = generations.measured(&row.trial_id);
            let of_shards = of_shards.iter();
            let of_shards = of_shards.map(|(shard, measured)| (*shard, Baseline::of(measured)));
            baselines.insert(batch_size, of_shards.collect());
        }
    }
    baselines
}

struct Reader<'r> {
    generations: &'r Generations,
    baselines: HashMap<usize, ShardBaselines>,
    bootstrap: &'r Bootstrap,
}

impl Reader<'_> {
    fn view(&self, row: &TrialRecord, decoder: &DecoderSpec, planned: Option<&Trial>) -> TrialView {
        let mode = match row.mode == Mode::Replay.name() {
            true => Mode::Replay,
            false => Mode::Live,
        };
        TrialView {
            label: row.label.clone(),
            kind: kind(decoder, &row.trial_id),
            family: row.family.clone(),
            axes: match planned {
                Some(trial) => {
                    let axes = trial.axes.iter();
                    axes.map(|(name, value)| (name.clone(), plain(value)))
                        .collect()
                }
                None => axes(row),
            },
            batch_size: decoder.batch_size(),
            mode,
            dropped_after: row.note.as_deref().and_then(dropped_after),
            lossless: row.is_lossless,
            result: match &row.error {
                Some(error) => Err(error.clone()),
                None => Ok(self.measures(row, decoder, mode)),
            },
        }
    }

    fn measures(&self, row: &TrialRecord, decoder: &DecoderSpec, mode: Mode) -> Measures {
        let confidence = self.bootstrap.confidence;
        let interval = |estimate, low, high| Interval::read(estimate, low, high, confidence);
        let rate = |counted: u64, over: u64| (over > 0).then(|| counted as f64 / over as f64);
        let filled = row
            .filled_per_forward
            .or_else(|| rate(row.filled, row.verifier_forwards))
            .filter(|_| kind(decoder, &row.trial_id) == TrialKind::Window);
        let draft_lens = row.draft_lens.as_deref();
        Measures {
            speedup: if kind(decoder, &row.trial_id) == TrialKind::Autoregressive {
                Some(Interval::exact(1.0))
            } else {
                interval(row.speedup, row.speedup_low, row.speedup_high)
            },
            speedup_geometric: interval(
                row.speedup_geometric,
                row.speedup_geometric_low,
                row.speedup_geometric_high,
            ),
            speedup_projected: row.speedup_projected,
            tokens_per_second: row.tokens_per_second.unwrap_or(f64::NAN),
            acceptance_rate: interval(
                row.acceptance_rate,
                row.acceptance_rate_low,
                row.acceptance_rate_high,
            ),
            block_efficiency: row.block_efficiency.unwrap_or(0.0),
            tokens_per_forward: row.tokens_per_forward.unwrap_or(0.0),
            drafted: row.drafted,
            accepted: row.accepted,
            committed: row.committed,
            filled_per_forward: interval(
                filled,
                row.filled_per_forward_low,
                row.filled_per_forward_high,
            ),
            shared_forwards: row.shared_forwards,
            fills: None,
            exact_match: interval(row.exact_match, row.exact_match_low, row.exact_match_high),
            same_text: interval(row.same_text, row.same_text_low, row.same_text_high),
            draft_len_histogram: draft_lens
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default(),
            prompt_ns: self.prompt_ns(row, decoder, mode),
        }
    }

    fn prompt_ns(&self, row: &TrialRecord, decoder: &DecoderSpec, mode: Mode) -> Vec<f64> {
        match mode {
            Mode::Replay => {
                let rows = self.generations.of(&row.trial_id, mode);
                rows.map(|row| row.wall_ns as f64).collect()
            }
            Mode::Live => {
                let measured = self.generations.measured(&row.trial_id);
                let Some((shard, measured)) = measured.into_iter().next() else {
                    return Vec::new();
                };
                let baselines = self.baselines.get(&decoder.batch_size());
                let shown = baselines.and_then(BTreeMap::first_key_value);
                let own = baselines.and_then(|of_shards| of_shards.get(&shard));
                match (own, shown) {
                    (Some(own), Some((first, shown))) if *first != shard => {
                        own.carried_over(&measured, shown)
                    }
                    (Some(_) | None, Some(_) | None) => measured.prompt_ns,
                }
            }
        }
    }
}

/// The axes of a trial that the plan does not know, because another version of the program made it:
/// the columns that have a value. A value is spelled as in the decoder, where it is found there.
fn axes(row: &TrialRecord) -> Vec<(String, String)> {
    let config: serde_json::Value = serde_json::from_str(&row.config).unwrap_or_default();
    let spelled = |name: &str| {
        let pointer = format!("/{}", name.replace('.', "/"));
        config.pointer(&pointer).map(plain)
    };
    row.axes
        .iter()
        .filter_map(|(name, value)| {
            let in_decoder = spelled(name);
            match (value, in_decoder) {
                (Some(value), in_decoder) => {
                    Some((name.clone(), in_decoder.unwrap_or_else(|| value.clone())))
                }
                // A number that is switched off is a null in the column of numbers.
                (None, Some(switched_off)) if switched_off == "none" => {
                    Some((name.clone(), switched_off))
                }
                (None, Some(_) | None) => None,
            }
        })
        .collect()
}
