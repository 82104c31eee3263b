//! What is known of one trial before it is summarised: decoded here, or read off a trace.

use std::collections::{BTreeMap, HashMap};

use crate::config::hardware::HardwareProfile;
use crate::plan::shard::Shard;
use crate::record::journal::Entry;
use crate::record::schema::GenerationRecord;
use crate::stats::interval::Interval;
use crate::stats::sample::Sample;
use crate::trace::cost::Costs;
use crate::trace::replay::Totals;

/// One row per prompt, and what was counted of their rounds.
#[derive(Debug)]
pub struct Measured<'a> {
    /// The first repeat of each prompt: counts do not change from repeat to repeat.
    pub rows: Vec<&'a GenerationRecord>,
    /// Wall time of each prompt, the median of its repeats; a prediction when replayed.
    pub prompt_ns: Vec<f64>,
    /// The same without prefill.
    pub decode_ns: Vec<f64>,
    pub n_repeats: usize,
    /// Rounds by draft length, from 0 tokens on.
    pub draft_lens: Vec<u64>,
    /// Seconds that the rounds of each prompt would take on the profile's machine, prefill not
    /// included; empty without a profile.
    pub projected_seconds: Vec<f64>,
    /// Replayed: the error of the cost model alone, as an interval around the predicted speedup.
    pub calibration: Option<Interval>,
}

impl<'a> Measured<'a> {
    /// The generations of a trial that ran here.
    ///
    /// # Errors
    /// The error of a generation that failed, or that there is none.
    pub fn live(entries: &[&'a Entry], profile: Option<&HardwareProfile>) -> Result<Self, String> {
        let failed = entries
            .iter()
            .find_map(|entry| entry.generation.error.clone());
        if let Some(error) = failed {
            return Err(error);
        }
        let mut by_prompt: BTreeMap<usize, Vec<&'a Entry>> = BTreeMap::new();
        for &entry in entries {
            let repeats = by_prompt.entry(entry.generation.prompt).or_default();
            repeats.push(entry);
        }
        if by_prompt.is_empty() {
            return Err("not run".to_string());
        }
        let mut measured = Self {
            rows: Vec::new(),
            prompt_ns: Vec::new(),
            decode_ns: Vec::new(),
            n_repeats: by_prompt.values().map(Vec::len).max().unwrap_or(0),
            draft_lens: Vec::new(),
            projected_seconds: Vec::new(),
            calibration: None,
        };
        for repeats in by_prompt.values() {
            let median = |ns: fn(&GenerationRecord) -> u64| {
                let times = repeats.iter().map(|entry| ns(&entry.generation) as f64);
                Sample::new(times.collect()).map_or(f64::NAN, |times| times.median())
            };
            measured.prompt_ns.push(median(|row| row.wall_ns));
            measured.decode_ns.push(median(decode_ns));
            let first = repeats.iter().min_by_key(|entry| entry.generation.repeat);
            let first = first.expect("a prompt has at least one generation");
            measured.rows.push(&first.generation);
            for round in &first.rounds {
                add(&mut measured.draft_lens, round.draft_len, 1);
            }
            measured.projected_seconds.extend(profile.map(|profile| {
                let rounds = first.rounds.iter();
                rounds
                    .map(|round| {
                        let forwards = round.drafter_forwards;
                        profile.round_seconds(forwards, round.n_rows, round.context_len)
                    })
                    .sum::<f64>()
            }));
        }
        Ok(measured)
    }

    /// The part of the sweep that ran it.
    pub fn shard(&self) -> Option<Shard> {
        self.rows.first().and_then(|row| row.shard)
    }

    /// The rows of a replayed trial with the totals of their rounds. `profile` holds the costs of the
    /// hardware profile.
    pub fn replayed(
        rows: &'a [GenerationRecord],
        totals: &[Totals],
        profile: Option<&Costs>,
        calibration: Interval,
    ) -> Self {
        let mut draft_lens = Vec::new();
        for totals in totals {
            for (len, n) in totals.draft_lens().enumerate() {
                add(&mut draft_lens, len, n);
            }
        }
        let projected = |costs: &Costs| totals.iter().map(|totals| costs.seconds(totals)).collect();
        Self {
            rows: rows.iter().collect(),
            prompt_ns: rows.iter().map(|row| row.wall_ns as f64).collect(),
            decode_ns: rows.iter().map(|row| decode_ns(row) as f64).collect(),
            n_repeats: 0,
            draft_lens,
            projected_seconds: profile.map(projected).unwrap_or_default(),
            calibration: Some(calibration),
        }
    }
}

/// Wall time behind the prefill.
fn decode_ns(row: &GenerationRecord) -> u64 {
    row.wall_ns.saturating_sub(row.prefill_ns)
}

fn add(counts: &mut Vec<u64>, index: usize, n: u64) {
    if counts.len() <= index {
        counts.resize(index + 1, 0);
    }
    counts[index] += n;
}

/// What trials are compared with: autoregressive decoding of the same prompts.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    by_prompt: HashMap<usize, BaselinePrompt>,
}

/// One prompt of a baseline.
#[derive(Debug, Clone)]
pub struct BaselinePrompt {
    /// Wall time.
    pub ns: f64,
    /// The same without prefill.
    pub decode_ns: f64,
    pub committed: u64,
    projected_seconds: Option<f64>,
    text_hash: String,
}

impl Baseline {
    pub fn of(measured: &Measured<'_>) -> Self {
        let prompts = measured.rows.iter().enumerate().map(|(index, row)| {
            let prompt = BaselinePrompt {
                ns: measured.prompt_ns[index],
                decode_ns: measured.decode_ns[index],
                committed: row.committed,
                projected_seconds: measured.projected_seconds.get(index).copied(),
                text_hash: row.text_hash.clone(),
            };
            (row.prompt, prompt)
        });
        Self {
            by_prompt: prompts.collect(),
        }
    }

    /// None for a prompt that the baseline lacks.
    pub fn prompt(&self, prompt: usize) -> Option<&BaselinePrompt> {
        self.by_prompt.get(&prompt)
    }

    /// Wall times of the baseline and of the trial, on the prompts that both have.
    pub fn paired_ns(&self, own: &Measured<'_>) -> (Vec<f64>, Vec<f64>) {
        let both = own
            .rows
            .iter()
            .zip(&own.prompt_ns)
            .filter_map(|(row, &ns)| {
                let theirs = self.by_prompt.get(&row.prompt)?;
                Some((theirs.ns, ns))
            });
        both.unzip()
    }

    /// Wall times of the trial as if it had run where `elsewhere` did: as many times longer on each prompt
    /// as that baseline is. Prompts that a baseline lacks are left out.
    pub fn carried_over(&self, own: &Measured<'_>, elsewhere: &Self) -> Vec<f64> {
        let times = own.rows.iter().zip(&own.prompt_ns);
        times
            .filter_map(|(row, ns)| {
                let there = elsewhere.by_prompt.get(&row.prompt)?;
                Some(ns * there.ns / self.by_prompt.get(&row.prompt)?.ns)
            })
            .collect()
    }

    /// Projected seconds of the baseline over those of the trial, on the prompts that both have.
    pub fn projected_speedup(&self, own: &Measured<'_>) -> Option<f64> {
        let both = own.rows.iter().zip(&own.projected_seconds);
        let (theirs, own): (Vec<f64>, Vec<f64>) = both
            .filter_map(|(row, &own)| {
                let theirs = self.by_prompt.get(&row.prompt)?;
                Some((theirs.projected_seconds?, own))
            })
            .unzip();
        let (theirs, own): (f64, f64) = (theirs.iter().sum(), own.iter().sum());
        (own > 0.0).then_some(theirs / own)
    }

    /// Whether the text of the row is the baseline's; none for a prompt that the baseline lacks.
    pub fn has_same_text(&self, row: &GenerationRecord) -> Option<bool> {
        let theirs = self.by_prompt.get(&row.prompt)?;
        Some(theirs.text_hash == row.text_hash)
    }
}
