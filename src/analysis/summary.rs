//! Every ratio that a report shows is derived here, from counts and durations.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::analysis::fills::fills;
use crate::analysis::trial_row::{axis_names, plain, record};
use crate::analysis::view::{DraftRule, Measures, TrialKind, TrialView};
use crate::config::decoder::DecoderSpec;
use crate::config::hardware::HardwareProfile;
use crate::plan::{Trial, reads_entropy, select_reads_entropy};
use crate::policy::stop::StopRule;
use crate::record::journal::Entry;
use crate::record::schema::{GenerationRecord, PositionRecord, RoundRecord, TrialRecord};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::{Confidence, Interval};
use crate::stats::proportion::wilson;
use crate::stats::sample::{Pairs, Sample};

/// What was measured of one trial.
#[derive(Debug)]
pub(super) struct Measured<'a> {
    /// Wall time of each prompt, the median of its repeats.
    pub prompt_ns: Vec<f64>,
    /// The first repeat of each prompt: counts do not change from repeat to repeat.
    pub first: Vec<&'a GenerationRecord>,
    pub rounds: Vec<&'a RoundRecord>,
    pub slots: Vec<&'a PositionRecord>,
    pub n_repeats: usize,
}

/// The trials of a run as a report and a table see them, the baseline first.
#[derive(Debug)]
pub struct Summary {
    pub views: Vec<TrialView>,
    pub records: Vec<TrialRecord>,
}

/// Summarises a run. A trial is compared with autoregressive decoding of the same batch size, on the
/// prompts that both have finished; a trial with an error has no figures.
pub fn summarise(
    trials: &[Trial],
    entries: &[Entry],
    profile: Option<&HardwareProfile>,
    bootstrap: &Bootstrap,
) -> Summary {
    let mut by_trial: HashMap<&str, Vec<&Entry>> = HashMap::new();
    for entry in entries {
        by_trial
            .entry(entry.generation.trial_id.as_str())
            .or_default()
            .push(entry);
    }
    let axis_names = axis_names(trials);
    let nothing = Vec::new();
    let of = |trial: &Trial| by_trial.get(trial.id.as_str()).unwrap_or(&nothing);
    let baselines: HashMap<usize, Measured<'_>> = trials
        .iter()
        .filter(|trial| matches!(trial.decoder, DecoderSpec::Autoregressive { .. }))
        .filter_map(|trial| Some((trial.decoder.batch_size(), measured(of(trial)).ok()?)))
        .collect();
    let (mut views, mut records) = (Vec::new(), Vec::new());
    for trial in trials {
        let measured = measured(of(trial));
        let baseline = baselines.get(&trial.decoder.batch_size());
        let result = measured
            .as_ref()
            .map(|measured| measures(measured, baseline, profile, bootstrap))
            .map_err(Clone::clone);
        records.push(record(trial, measured.as_ref().ok(), &result, &axis_names));
        views.push(TrialView {
            label: trial.label.clone(),
            kind: kind(&trial.decoder),
            family: trial.family.clone(),
            axes: trial
                .axes
                .iter()
                .map(|(name, value)| (name.clone(), plain(value)))
                .collect(),
            batch_size: trial.decoder.batch_size(),
            lossless: is_lossless(&trial.decoder),
            result,
        });
    }
    Summary { views, records }
}

/// Whether the text is provably the verifier's.
pub fn is_lossless(decoder: &DecoderSpec) -> bool {
    match decoder {
        DecoderSpec::Autoregressive { .. } => true,
        DecoderSpec::Speculative { accept, .. } | DecoderSpec::WindowDraft { accept, .. } => {
            accept.is_lossless()
        }
        DecoderSpec::Window { .. } => false,
    }
}

fn kind(decoder: &DecoderSpec) -> TrialKind {
    match decoder {
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

fn measured<'a>(entries: &[&'a Entry]) -> Result<Measured<'a>, String> {
    if let Some(error) = entries
        .iter()
        .find_map(|entry| entry.generation.error.clone())
    {
        return Err(error);
    }
    let mut by_prompt: BTreeMap<usize, Vec<&Entry>> = BTreeMap::new();
    for &entry in entries {
        by_prompt
            .entry(entry.generation.prompt)
            .or_default()
            .push(entry);
    }
    if by_prompt.is_empty() {
        return Err("not run".to_string());
    }
    let mut measured = Measured {
        prompt_ns: Vec::new(),
        first: Vec::new(),
        rounds: Vec::new(),
        slots: Vec::new(),
        n_repeats: by_prompt.values().map(Vec::len).max().unwrap_or(0),
    };
    for repeats in by_prompt.values() {
        let times = repeats
            .iter()
            .map(|entry| entry.generation.wall_ns as f64)
            .collect();
        measured
            .prompt_ns
            .push(Sample::new(times).map_or(f64::NAN, |sample| sample.median()));
        if let Some(first) = repeats.iter().min_by_key(|entry| entry.generation.repeat) {
            measured.first.push(&first.generation);
            measured.rounds.extend(&first.rounds);
            measured.slots.extend(&first.positions);
        }
    }
    Ok(measured)
}

pub(super) fn sum(rows: &[&GenerationRecord], field: impl Fn(&GenerationRecord) -> u64) -> u64 {
    rows.iter().map(|row| field(row)).sum()
}

pub(super) fn ratio(numerator: u64, denominator: u64) -> Option<f64> {
    (denominator > 0).then(|| numerator as f64 / denominator as f64)
}

/// Ratio of sums with an interval over prompts; none where nothing was counted.
fn ratio_interval(
    rows: &[&GenerationRecord],
    bootstrap: &Bootstrap,
    numerator: impl Fn(&GenerationRecord) -> u64,
    denominator: impl Fn(&GenerationRecord) -> u64,
) -> Option<Interval> {
    let column = |field: &dyn Fn(&GenerationRecord) -> u64| -> Vec<f64> {
        rows.iter().map(|row| field(row) as f64).collect()
    };
    if sum(rows, &denominator) == 0 {
        return None;
    }
    let pairs = Pairs::new(column(&numerator), column(&denominator)).ok()?;
    Some(bootstrap.ratio_of_sums(&pairs))
}

fn share(
    rows: &[&GenerationRecord],
    holds: impl Fn(&GenerationRecord) -> Option<bool>,
) -> Option<Interval> {
    let answers: Vec<bool> = rows.iter().filter_map(|row| holds(row)).collect();
    let right = answers.iter().filter(|answer| **answer).count() as u64;
    wilson(right, answers.len() as u64, Confidence::P95)
}

fn measures(
    own: &Measured<'_>,
    baseline: Option<&Measured<'_>>,
    profile: Option<&HardwareProfile>,
    bootstrap: &Bootstrap,
) -> Measures {
    let rows = own.first.as_slice();
    let committed = sum(rows, |row| row.committed);
    let forwards = sum(rows, |row| row.verifier_forwards);
    let is_window = rows.iter().any(|row| row.agreed.is_some());
    let texts: HashMap<usize, &str> = baseline
        .map(|baseline| {
            baseline
                .first
                .iter()
                .map(|row| (row.prompt, row.text_hash.as_str()))
                .collect()
        })
        .unwrap_or_default();
    let is_baseline =
        baseline.is_some_and(|baseline| std::ptr::eq(own.first[0], baseline.first[0]));
    let pairs = baseline.and_then(|baseline| paired(own, baseline));
    Measures {
        speedup: if is_baseline {
            Some(Interval::exact(1.0))
        } else {
            pairs.as_ref().map(|pairs| bootstrap.ratio_of_sums(pairs))
        },
        speedup_geometric: pairs
            .as_ref()
            .filter(|_| !is_baseline)
            .and_then(|pairs| bootstrap.geometric_mean_ratio(pairs).ok()),
        speedup_projected: profile.zip(baseline).and_then(|(profile, baseline)| {
            let finished: HashSet<usize> = rows.iter().map(|row| row.prompt).collect();
            let own_seconds = projected_seconds(own, &finished, profile);
            (own_seconds > 0.0)
                .then(|| projected_seconds(baseline, &finished, profile) / own_seconds)
        }),
        tokens_per_second: committed as f64 / (own.prompt_ns.iter().sum::<f64>() / 1e9),
        acceptance_rate: if is_window {
            let known: Vec<&GenerationRecord> = rows
                .iter()
                .copied()
                .filter(|row| row.agreed.is_some())
                .collect();
            ratio_interval(
                &known,
                bootstrap,
                |row| row.agreed.unwrap_or(0),
                |row| row.committed,
            )
        } else {
            ratio_interval(rows, bootstrap, |row| row.accepted, |row| row.drafted)
        },
        block_efficiency: ratio(committed, forwards).unwrap_or(0.0),
        tokens_per_forward: ratio(committed, forwards).unwrap_or(0.0),
        drafted: sum(rows, |row| row.drafted),
        accepted: sum(rows, |row| row.accepted),
        committed,
        filled_per_forward: is_window
            .then(|| {
                ratio_interval(
                    rows,
                    bootstrap,
                    |row| row.filled,
                    |row| row.verifier_forwards,
                )
            })
            .flatten(),
        fills: is_window.then(|| fills(&own.slots, bootstrap)).flatten(),
        exact_match: share(rows, |row| row.is_correct),
        same_text: share(rows, |row| {
            texts.get(&row.prompt).map(|text| *text == row.text_hash)
        }),
        draft_len_histogram: histogram(own),
        prompt_ns: own.prompt_ns.clone(),
    }
}

/// Wall times of baseline and own on the prompts that both have.
fn paired(own: &Measured<'_>, baseline: &Measured<'_>) -> Option<Pairs> {
    let theirs: HashMap<usize, f64> = prompts(baseline).collect();
    let (mut numerator, mut denominator) = (Vec::new(), Vec::new());
    for (prompt, ns) in prompts(own) {
        if let Some(&baseline_ns) = theirs.get(&prompt) {
            numerator.push(baseline_ns);
            denominator.push(ns);
        }
    }
    Pairs::new(numerator, denominator).ok()
}

fn prompts<'a>(measured: &'a Measured<'_>) -> impl Iterator<Item = (usize, f64)> + 'a {
    let rows = measured.first.iter().map(|row| row.prompt);
    rows.zip(measured.prompt_ns.iter().copied())
}

/// Seconds that the decode rounds of `prompts` would take on the profile's machine; prefill not included.
fn projected_seconds(
    measured: &Measured<'_>,
    prompts: &HashSet<usize>,
    profile: &HardwareProfile,
) -> f64 {
    measured
        .rounds
        .iter()
        .filter(|round| prompts.contains(&round.prompt))
        .map(|round| profile.round_seconds(round.drafter_forwards, round.n_rows, round.context_len))
        .sum()
}

fn histogram(measured: &Measured<'_>) -> Vec<u64> {
    let mut counts = Vec::new();
    for round in &measured.rounds {
        if counts.len() <= round.draft_len {
            counts.resize(round.draft_len + 1, 0);
        }
        counts[round.draft_len] += 1;
    }
    counts
}
