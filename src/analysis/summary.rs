//! Every ratio that a report shows is derived here, from counts and durations.

use std::collections::{BTreeMap, HashMap};

use crate::config::decoder::DecoderSpec;
use crate::config::hardware::HardwareProfile;
use crate::plan::{Trial, reads_entropy, select_reads_entropy};
use crate::policy::stop::StopRule;
use crate::record::journal::Entry;
use crate::record::schema::{GenerationRecord, RoundRecord, TrialRecord};
use crate::analysis::view::{DraftRule, Measures, TrialKind, TrialView};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::{Confidence, Interval};
use crate::stats::proportion::wilson;
use crate::stats::sample::{Pairs, Sample};

/// What was measured of one trial.
#[derive(Debug)]
struct Measured<'a> {
    /// Wall time of each prompt, the median of its repeats.
    prompt_ns: Vec<f64>,
    /// The first repeat of each prompt: counts do not change from repeat to repeat.
    first: Vec<&'a GenerationRecord>,
    rounds: Vec<&'a RoundRecord>,
    n_repeats: usize,
}

/// The trials of a run as a report and a table see them, the baseline first.
#[derive(Debug)]
pub struct Summary {
    pub views: Vec<TrialView>,
    pub records: Vec<TrialRecord>,
}

/// Summarises a run. Prompts that one of the trials has not finished are left out of that trial's
/// and the baseline's comparison; a trial with an error has no figures.
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
    let baseline = trials
        .iter()
        .find(|trial| matches!(trial.decoder, DecoderSpec::Autoregressive {}))
        .and_then(|trial| measured(of(trial)).ok());
    let (mut views, mut records) = (Vec::new(), Vec::new());
    for trial in trials {
        let measured = measured(of(trial));
        let result = measured
            .as_ref()
            .map(|measured| measures(measured, baseline.as_ref(), profile, bootstrap))
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
            lossless: is_lossless(&trial.decoder),
            result,
        });
    }
    Summary { views, records }
}

/// Whether the text is provably the verifier's.
pub fn is_lossless(decoder: &DecoderSpec) -> bool {
    match decoder {
        DecoderSpec::Autoregressive {} => true,
        DecoderSpec::Speculative { accept, .. } | DecoderSpec::WindowDraft { accept, .. } => {
            accept.is_lossless()
        }
        DecoderSpec::Window { .. } => false,
    }
}

fn kind(decoder: &DecoderSpec) -> TrialKind {
    match decoder {
        DecoderSpec::Autoregressive {} => TrialKind::Autoregressive,
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
        _ => DraftRule::OtherSignal,
    }
}

fn measured<'a>(entries: &[&'a Entry]) -> Result<Measured<'a>, String> {
    if let Some(error) = entries.iter().find_map(|entry| entry.generation.error.clone()) {
        return Err(error);
    }
    let mut by_prompt: BTreeMap<usize, Vec<&Entry>> = BTreeMap::new();
    for &entry in entries {
        by_prompt.entry(entry.generation.prompt).or_default().push(entry);
    }
    if by_prompt.is_empty() {
        return Err("not run".to_string());
    }
    let mut measured = Measured {
        prompt_ns: Vec::new(),
        first: Vec::new(),
        rounds: Vec::new(),
        n_repeats: by_prompt.values().map(Vec::len).max().unwrap_or(0),
    };
    for repeats in by_prompt.values() {
        let times = repeats.iter().map(|entry| entry.generation.wall_ns as f64).collect();
        measured.prompt_ns.push(Sample::new(times).map_or(f64::NAN, |sample| sample.median()));
        if let Some(first) = repeats.iter().min_by_key(|entry| entry.generation.repeat) {
            measured.first.push(&first.generation);
            measured.rounds.extend(&first.rounds);
        }
    }
    Ok(measured)
}

fn sum(rows: &[&GenerationRecord], field: impl Fn(&GenerationRecord) -> u64) -> u64 {
    rows.iter().map(|row| field(row)).sum()
}

fn ratio(numerator: u64, denominator: u64) -> Option<f64> {
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

fn share(rows: &[&GenerationRecord], holds: impl Fn(&GenerationRecord) -> Option<bool>) -> Option<Interval> {
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
    let is_window = sum(rows, |row| row.filled) > 0;
    let texts: HashMap<usize, &str> = baseline
        .map(|baseline| baseline.first.iter().map(|row| (row.prompt, row.text_hash.as_str())).collect())
        .unwrap_or_default();
    Measures {
        speedup: baseline.and_then(|baseline| speedup(own, baseline, bootstrap)),
        speedup_projected: profile.zip(baseline).and_then(|(profile, baseline)| {
            let own_seconds = projected_seconds(own, profile);
            (own_seconds > 0.0).then(|| projected_seconds(baseline, profile) / own_seconds)
        }),
        tokens_per_second: committed as f64 / (own.prompt_ns.iter().sum::<f64>() / 1e9),
        acceptance_rate: if is_window {
            let known: Vec<&GenerationRecord> =
                rows.iter().copied().filter(|row| row.agreed.is_some()).collect();
            ratio_interval(&known, bootstrap, |row| row.agreed.unwrap_or(0), |row| row.committed)
        } else {
            ratio_interval(rows, bootstrap, |row| row.accepted, |row| row.drafted)
        },
        block_efficiency: ratio(committed, forwards).unwrap_or(0.0),
        tokens_per_forward: ratio(committed, forwards).unwrap_or(0.0),
        drafted: sum(rows, |row| row.drafted),
        accepted: sum(rows, |row| row.accepted),
        committed,
        filled_per_forward: is_window
            .then(|| ratio_interval(rows, bootstrap, |row| row.filled, |row| row.verifier_forwards))
            .flatten(),
        exact_match: share(rows, |row| row.is_correct),
        same_text: share(rows, |row| {
            texts.get(&row.prompt).map(|text| *text == row.text_hash)
        }),
        draft_len_histogram: histogram(own),
        prompt_ns: own.prompt_ns.clone(),
    }
}

/// Σ baseline / Σ own over the prompts that both have.
fn speedup(own: &Measured<'_>, baseline: &Measured<'_>, bootstrap: &Bootstrap) -> Option<Interval> {
    if std::ptr::eq(own.first[0], baseline.first[0]) {
        return Some(Interval::exact(1.0));
    }
    let theirs: HashMap<usize, f64> = prompts(baseline).collect();
    let (mut numerator, mut denominator) = (Vec::new(), Vec::new());
    for (prompt, ns) in prompts(own) {
        if let Some(&baseline_ns) = theirs.get(&prompt) {
            numerator.push(baseline_ns);
            denominator.push(ns);
        }
    }
    Some(bootstrap.ratio_of_sums(&Pairs::new(numerator, denominator).ok()?))
}

fn prompts<'a>(measured: &'a Measured<'_>) -> impl Iterator<Item = (usize, f64)> + 'a {
    let rows = measured.first.iter().map(|row| row.prompt);
    rows.zip(measured.prompt_ns.iter().copied())
}

/// Seconds that the decode rounds would take on the profile's machine; prefill not included.
fn projected_seconds(measured: &Measured<'_>, profile: &HardwareProfile) -> f64 {
    measured
        .rounds
        .iter()
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

/// Every axis of the sweep, in the order in which trials first have it.
fn axis_names(trials: &[Trial]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in trials.iter().flat_map(|trial| &trial.axes) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "none".to_string(),
        other => other.to_string(),
    }
}

fn record(
    trial: &Trial,
    measured: Option<&Measured<'_>>,
    result: &Result<Measures, String>,
    axis_names: &[String],
) -> TrialRecord {
    let axes = axis_names
        .iter()
        .map(|name| {
            let value = trial.axes.iter().find(|(axis, _)| axis == name);
            (name.clone(), value.map(|(_, value)| plain(value)))
        })
        .collect();
    let kind = match trial.decoder {
        DecoderSpec::Autoregressive {} => "autoregressive",
        DecoderSpec::Speculative { .. } => "speculative",
        DecoderSpec::Window { .. } => "window",
        DecoderSpec::WindowDraft { .. } => "window_draft",
    };
    let mut record = TrialRecord {
        trial_id: trial.id.clone(),
        label: trial.label.clone(),
        names: trial.names.join(" | "),
        family: trial.family.clone(),
        kind: kind.to_string(),
        config: serde_json::to_string(&trial.decoder).unwrap_or_default(),
        is_lossless: is_lossless(&trial.decoder),
        mode: "live".to_string(),
        axes,
        error: result.as_ref().err().cloned(),
        ..TrialRecord::default()
    };
    if let (Some(measured), Ok(measures)) = (measured, result) {
        fill(&mut record, measured, measures);
    }
    record
}

fn fill(record: &mut TrialRecord, measured: &Measured<'_>, measures: &Measures) {
    let rows = measured.first.as_slice();
    record.n_prompts = rows.len() as u64;
    record.n_repeats = measured.n_repeats as u64;
    record.drafted = measures.drafted;
    record.tested = sum(rows, |row| row.tested);
    record.accepted = measures.accepted;
    record.committed = measures.committed;
    record.filled = sum(rows, |row| row.filled);
    record.rounds = sum(rows, |row| row.rounds);
    record.drafter_forwards = sum(rows, |row| row.drafter_forwards);
    record.verifier_forwards = sum(rows, |row| row.verifier_forwards);
    record.token_instances = sum(rows, |row| row.token_instances);
    record.tokens_per_second = Some(measures.tokens_per_second);
    record.speedup = measures.speedup.map(|interval| interval.estimate);
    record.speedup_low = measures.speedup.map(|interval| interval.low);
    record.speedup_high = measures.speedup.map(|interval| interval.high);
    record.speedup_projected = measures.speedup_projected;
    record.acceptance_rate = measures.acceptance_rate.map(|interval| interval.estimate);
    record.acceptance_rate_low = measures.acceptance_rate.map(|interval| interval.low);
    record.acceptance_rate_high = measures.acceptance_rate.map(|interval| interval.high);
    record.acceptance_rate_tested = ratio(record.accepted, record.tested);
    record.mean_draft_len = ratio(record.drafted, record.rounds).filter(|_| record.drafted > 0);
    record.block_efficiency = Some(measures.block_efficiency);
    record.tokens_per_forward = Some(measures.tokens_per_forward);
    record.cache_efficiency = ratio(record.committed, record.token_instances);
    record.exact_match = measures.exact_match.map(|interval| interval.estimate);
    record.exact_match_low = measures.exact_match.map(|interval| interval.low);
    record.exact_match_high = measures.exact_match.map(|interval| interval.high);
    record.same_text = measures.same_text.map(|interval| interval.estimate);
}
