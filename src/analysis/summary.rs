//! Every ratio that a report shows is derived here, from counts and durations.

use std::collections::{BTreeMap, HashMap};

use crate::analysis::measured::{Baseline, Measured};
use crate::analysis::metrics::figures_of_replay;
use crate::analysis::rates::{acceptance_rate, exact_match, ratio_of_sums, share};
use crate::analysis::trial_row::{axis_names, dropped_note, plain, record};
use crate::analysis::view::{DraftRule, Measures, TrialKind, TrialView};
use crate::config::decoder::DecoderSpec;
use crate::config::hardware::HardwareProfile;
use crate::plan::shard::Shard;
use crate::plan::{Trial, is_duplicate, reads_entropy, select_reads_entropy};
use crate::policy::stop::StopRule;
use crate::record::journal::Entry;
use crate::record::schema::{GenerationRecord, Mode, TrialRecord};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;
use crate::stats::sample::Pairs;

/// The trials of a run as a report and a table see them, the baseline first.
#[derive(Debug, Default)]
pub struct Summary {
    pub views: Vec<TrialView>,
    pub records: Vec<TrialRecord>,
}

/// What was measured in each shard; a run that is no shard has one.
type BaselinesOfShards = Vec<(Option<Shard>, Baseline)>;

/// Adds trial after trial to a [`Summary`]. A trial is compared with autoregressive decoding of the same
/// batch size, mode and shard, on the prompts that both have; a trial with an error has no figures.
#[derive(Debug)]
pub struct Summariser<'b> {
    summary: Summary,
    /// By batch size and mode, one of each shard, the one shown first.
    baselines: HashMap<(usize, Mode), BaselinesOfShards>,
    /// Prompts after which a trial was dropped, by its id.
    dropped: HashMap<&'b str, usize>,
    axis_names: Vec<String>,
    bootstrap: &'b Bootstrap,
}

impl<'b> Summariser<'b> {
    /// For the trials of a plan.
    pub fn new(trials: &[Trial], bootstrap: &'b Bootstrap) -> Self {
        Self {
            summary: Summary::default(),
            baselines: HashMap::new(),
            dropped: HashMap::new(),
            axis_names: axis_names(trials),
            bootstrap,
        }
    }

    /// Makes known which trials did not run on all prompts.
    #[must_use]
    pub fn with_dropped(mut self, dropped: HashMap<&'b str, usize>) -> Self {
        self.dropped = dropped;
        self
    }

    /// Makes known what trials of this batch size and mode, in the shard that it ran in, are compared with.
    pub fn add_baseline(&mut self, batch_size: usize, mode: Mode, measured: &Measured<'_>) {
        let baseline = (measured.shard(), Baseline::of(measured));
        let of_shards = self.baselines.entry((batch_size, mode)).or_default();
        of_shards.push(baseline);
    }

    /// Adds a trial, after its baseline.
    pub fn add(&mut self, trial: &Trial, mode: Mode, measured: &Result<Measured<'_>, String>) {
        let view = self.add_beside(trial, mode, measured);
        self.summary.views.push(view);
    }

    /// Adds a trial that ran here; a baseline is at once what the trials behind it are compared with.
    pub fn add_live(&mut self, trial: &Trial, measured: &Result<Measured<'_>, String>) {
        if let (TrialKind::Autoregressive, Ok(measured)) =
            (kind(&trial.decoder, &trial.id), measured)
        {
            self.add_baseline(trial.decoder.batch_size(), Mode::Live, measured);
        }
        self.add(trial, Mode::Live, measured);
    }

    /// Adds a trial to the table alone and returns its view.
    pub fn add_beside(
        &mut self,
        trial: &Trial,
        mode: Mode,
        measured: &Result<Measured<'_>, String>,
    ) -> TrialView {
        let of_shards = self.baselines.get(&(trial.decoder.batch_size(), mode));
        let of_shards = of_shards.map_or(&[][..], Vec::as_slice);
        let is_baseline = kind(&trial.decoder, &trial.id) == TrialKind::Autoregressive;
        let result = measured
            .as_ref()
            .map(|measured| {
                let own = of_shards
                    .iter()
                    .find(|(shard, _)| *shard == measured.shard());
                let baseline = own.map(|(_, baseline)| baseline);
                let mut measures = measures(measured, baseline, is_baseline, self.bootstrap);
                if let (Some(own), Some(shown)) = (own, of_shards.first())
                    && own.0 != shown.0
                {
                    measures.prompt_ns = own.1.carried_over(measured, &shown.1);
                }
                measures
            })
            .map_err(Clone::clone);
        let dropped_after = self.dropped.get(trial.id.as_str()).copied();
        let mut record = record(
            trial,
            mode,
            measured.as_ref().ok(),
            &result,
            &self.axis_names,
        );
        record.note = dropped_after.map(dropped_note);
        if mode == Mode::Replay {
            // What ran here gets its figures with the metrics of its rounds.
            let rows = measured
                .as_ref()
                .map_or(&[][..], |measured| measured.rows.as_slice());
            let figures = figures_of_replay(rows, self.bootstrap);
            let mut earlier = self.summary.records.iter().rev();
            record.figures = match earlier.find(|one| one.mode == record.mode) {
                Some(earlier) => figures.named_as(&earlier.figures),
                None => figures,
            };
        }
        self.summary.records.push(record);
        TrialView {
            label: trial.label.clone(),
            kind: kind(&trial.decoder, &trial.id),
            family: trial.family.clone(),
            axes: trial
                .axes
                .iter()
                .map(|(name, value)| (name.clone(), plain(value)))
                .collect(),
            batch_size: trial.decoder.batch_size(),
            mode,
            dropped_after,
            lossless: trial.decoder.is_lossless(),
            result,
        }
    }

    pub fn finish(self) -> Summary {
        self.summary
    }
}

/// Adds trials that were all decoded. A baseline that several shards ran is shown as the first of them ran
/// it; each trial is compared with that of its own.
pub fn summarise(
    mut summariser: Summariser<'_>,
    trials: &[Trial],
    entries: &[Entry],
    profile: Option<&HardwareProfile>,
) -> Summary {
    let by_trial = by_trial(entries);
    for trial in trials {
        let own = by_trial.get(trial.id.as_str());
        let mut by_shard: BTreeMap<Option<Shard>, Vec<&Entry>> = BTreeMap::new();
        for &entry in own.into_iter().flatten() {
            let shard = by_shard.entry(entry.generation.shard).or_default();
            shard.push(entry);
        }
        let mut of_shards = by_shard
            .values()
            .map(|entries| Measured::live(entries, profile));
        let shown = of_shards
            .next()
            .unwrap_or_else(|| Measured::live(&[], profile));
        summariser.add_live(trial, &shown);
        for measured in of_shards.flatten().filter(|_| !is_duplicate(&trial.id)) {
            summariser.add_baseline(trial.decoder.batch_size(), Mode::Live, &measured);
        }
    }
    summariser.finish()
}

/// The entries of each trial, by its id.
pub fn by_trial(entries: &[Entry]) -> HashMap<&str, Vec<&Entry>> {
    let mut by_trial: HashMap<&str, Vec<&Entry>> = HashMap::new();
    for entry in entries {
        let id = entry.generation.trial_id.as_str();
        by_trial.entry(id).or_default().push(entry);
    }
    by_trial
}

pub(super) fn kind(decoder: &DecoderSpec, trial_id: &str) -> TrialKind {
    match decoder {
        DecoderSpec::Autoregressive { .. } if is_duplicate(trial_id) => TrialKind::Duplicate,
        DecoderSpec::Autoregressive { .. } => TrialKind::Autoregressive,
        DecoderSpec::Speculative { stop, .. } => TrialKind::Speculative(draft_rule(stop)),
        DecoderSpec::Window { .. } => TrialKind::Window,
        DecoderSpec::WindowDraft { select, .. } => {
            TrialKind::Speculative(if select_reads_entropy(select) {
                DraftRule::Entropy
            } else {
                DraftRule::OtherSignal
            })
        }
    }
}

fn draft_rule(stop: &StopRule) -> DraftRule {
    match stop {
        StopRule::Fixed {} => DraftRule::FixedLength,
        StopRule::Random(_) | StopRule::Oracle {} => DraftRule::Reference,
        rule if reads_entropy(rule) => DraftRule::Entropy,
        _reads_another_signal => DraftRule::OtherSignal,
    }
}

pub(super) fn sum(rows: &[&GenerationRecord], field: impl Fn(&GenerationRecord) -> u64) -> u64 {
    rows.iter().map(|row| field(row)).sum()
}

pub(super) fn ratio(numerator: u64, denominator: u64) -> Option<f64> {
    (denominator > 0).then(|| numerator as f64 / denominator as f64)
}

fn measures(
    own: &Measured<'_>,
    baseline: Option<&Baseline>,
    is_baseline: bool,
    bootstrap: &Bootstrap,
) -> Measures {
    let rows = own.rows.as_slice();
    let committed = sum(rows, |row| row.committed);
    let forwards = sum(rows, |row| row.verifier_forwards);
    let is_window = rows.iter().any(|row| row.agreed.is_some());
    let pairs = baseline.and_then(|baseline| {
        let (theirs, own) = baseline.paired_ns(own);
        Pairs::new(theirs, own).ok()
    });
    let speedup = |pairs: &Pairs| {
        let over_prompts = bootstrap.ratio_of_sums(pairs);
        match own.calibration {
            Some(calibration) => widened(over_prompts, &calibration),
            None => over_prompts,
        }
    };
    Measures {
        speedup: if is_baseline {
            Some(Interval::exact(1.0))
        } else {
            pairs.as_ref().map(speedup)
        },
        speedup_geometric: pairs
            .as_ref()
            .filter(|_| !is_baseline)
            .and_then(|pairs| bootstrap.geometric_mean_ratio(pairs).ok()),
        speedup_projected: baseline.and_then(|baseline| baseline.projected_speedup(own)),
        tokens_per_second: committed as f64 / (own.prompt_ns.iter().sum::<f64>() / 1e9),
        acceptance_rate: acceptance_rate(rows, bootstrap),
        block_efficiency: ratio(committed, forwards).unwrap_or(0.0),
        tokens_per_forward: ratio(committed, forwards).unwrap_or(0.0),
        drafted: sum(rows, |row| row.drafted),
        accepted: sum(rows, |row| row.accepted),
        committed,
        filled_per_forward: {
            let filled = rows
                .iter()
                .map(|row| (row.filled as f64, row.verifier_forwards as f64));
            ratio_of_sums(filled, bootstrap).filter(|_| is_window)
        },
        shared_forwards: sum(rows, |row| row.shared_forwards),
        fills: None,
        exact_match: exact_match(rows),
        same_text: share(rows.iter().filter_map(|row| baseline?.has_same_text(row))),
        draft_len_histogram: own.draft_lens.clone(),
        prompt_ns: own.prompt_ns.clone(),
    }
}

/// The interval with an independent relative error added: half widths on the log scale add up in
/// squares.
fn widened(interval: Interval, error: &Interval) -> Interval {
    let joint = |own: f64, other: f64| own.ln().hypot(other.ln()).exp();
    let (estimate, center) = (interval.estimate, error.estimate);
    Interval {
        low: estimate / joint(estimate / interval.low, center / error.low),
        high: estimate * joint(interval.high / estimate, error.high / center),
        ..interval
    }
}

#[cfg(test)]
mod tests;
