//! What a finished run tells an experiment: per trial and prompt, counts and times.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use crate::analysis::generations::Generations;
use crate::analysis::hypotheses::select::{plain, selects};
use crate::config::decoder::DecoderSpec;
use crate::config::experiment::Group;
use crate::plan::{Trial, is_duplicate};
use crate::policy::entropy::EntropyRule;
use crate::record::manifest::Manifest;
use crate::record::read::{TableError, read_positions, read_trials};
use crate::record::schema::{GenerationRecord, Mode};
use crate::stats::sample::Sample;

/// A run as experiments see it.
#[derive(Debug, Clone, Default)]
pub struct RunData {
    /// Name of the sweep.
    pub sweep: String,
    /// Splits the prompts in halves.
    pub seed: u64,
    pub prompts: Vec<Prompt>,
    pub arms: Vec<Arm>,
}

/// What is the same of a prompt for all trials.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prompt {
    /// Unique within its category.
    pub item_id: String,
    pub category: String,
    /// Tokens of the autoregressive answer.
    pub answer_len: f64,
    /// Mean entropy of the drafter in nats over its tested slots, and how many these are.
    pub drafter_entropy: Option<(f64, usize)>,
    /// Σ −ln p of the autoregressive answer under the verifier, in nats.
    pub verifier_nats: Option<f64>,
}

/// A trial that ran on all prompts.
#[derive(Debug, Clone, Default)]
pub struct Arm {
    /// See [`Trial::id`].
    pub id: String,
    /// The resolved decoder as JSON.
    pub config: String,
    pub label: String,
    /// The label, then those of the equal points that were merged into this one.
    pub names: Vec<String>,
    pub axes: Vec<(String, String)>,
    /// One per prompt of the run, where it was decoded here.
    pub live: Option<Vec<Figures>>,
    /// One per prompt, where it was read off a trace: times are predictions.
    pub replay: Option<Vec<Figures>>,
}

/// What a trial did on one prompt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Wall time, the median of the repeats.
    pub ns: f64,
    /// That of autoregressive decoding, measured or predicted as the own one is.
    pub baseline_ns: Option<f64>,
    pub drafted: f64,
    pub accepted: f64,
    pub committed: f64,
    pub forwards: f64,
    pub is_correct: Option<bool>,
    pub score: Option<f64>,
    /// Whether the text is the autoregressive one.
    pub same_text: Option<bool>,
    /// Σ −ln p of the committed tokens under the verifier.
    pub nats: Option<f64>,
}

impl Arm {
    pub fn figures(&self, mode: Mode) -> Option<&[Figures]> {
        match mode {
            Mode::Live => self.live.as_deref(),
            Mode::Replay => self.replay.as_deref(),
        }
    }

    /// Whether the group selects it, the sweep aside.
    pub(super) fn is_in(&self, group: &Group) -> bool {
        selects(group, &self.names, &self.axes)
    }
}

impl Prompt {
    /// What makes it the same prompt in another run of the same workload.
    pub fn key(&self) -> (&str, &str) {
        (&self.category, &self.item_id)
    }
}

impl RunData {
    /// Reads the tables of a run folder. `trials` are those of its sweep, for their names and axes.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub fn read(
        folder: &Path,
        manifest: &Manifest,
        sweep: &str,
        trials: &[Trial],
    ) -> Result<Self, TableError> {
        let rows = read_trials(&folder.join("trials.parquet"))?;
        let generations = Generations::read(folder)?;
        let planned: HashMap<&str, &Trial> = trials
            .iter()
            .map(|trial| (trial.id.as_str(), trial))
            .collect();
        let baseline = rows.iter().find(|row| {
            let decoder = serde_json::from_str(&row.config);
            matches!(decoder, Ok(DecoderSpec::Autoregressive { batch_size: 1 }))
                && !is_duplicate(&row.trial_id)
        });
        let Some(baseline) = baseline else {
            return Ok(Self {
                sweep: sweep.to_owned(),
                ..Self::default()
            });
        };
        let texts: BTreeMap<usize, &GenerationRecord> =
            first_repeats(&generations, &baseline.trial_id, Mode::Live);
        let entropies = drafter_entropies(folder, &rows)?;
        let prompts: Vec<(usize, Prompt)> = texts
            .iter()
            .map(|(&index, row)| {
                let prompt = Prompt {
                    item_id: row.item_id.clone(),
                    category: row.category.clone(),
                    answer_len: row.committed as f64,
                    drafter_entropy: entropies.get(&index).copied(),
                    verifier_nats: row.log_prob_nats.map(|log| -log),
                };
                (index, prompt)
            })
            .collect();
        let baseline_ns = |mode| medians(&generations, &baseline.trial_id, mode);
        let (live_ns, replay_ns) = (baseline_ns(Mode::Live), baseline_ns(Mode::Replay));
        let mut arms: Vec<Arm> = Vec::new();
        let mut seen = HashSet::new();
        for row in &rows {
            if !seen.insert(row.trial_id.as_str()) {
                continue;
            }
            let figures = |mode| {
                let baseline_ns = match mode {
                    Mode::Live => &live_ns,
                    Mode::Replay => &replay_ns,
                };
                figures(
                    &generations,
                    &row.trial_id,
                    mode,
                    &prompts,
                    &texts,
                    baseline_ns,
                )
            };
            let trial = planned.get(row.trial_id.as_str());
            arms.push(Arm {
                id: row.trial_id.clone(),
                config: row.config.clone(),
                label: row.label.clone(),
                names: row.names.split(" | ").map(str::to_owned).collect(),
                axes: match trial {
                    Some(trial) => trial
                        .axes
                        .iter()
                        .map(|(name, value)| (name.clone(), plain(value)))
                        .collect(),
                    None => row
                        .axes
                        .iter()
                        .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
                        .collect(),
                },
                live: figures(Mode::Live),
                replay: figures(Mode::Replay),
            });
        }
        Ok(Self {
            sweep: sweep.to_owned(),
            seed: manifest.seed,
            prompts: prompts.into_iter().map(|(_, prompt)| prompt).collect(),
            arms,
        })
    }

    /// Median over trials that were replayed and ran live of |predicted / measured speedup − 1|, and how
    /// many these are.
    pub fn prediction_error(&self) -> Option<(f64, usize)> {
        let speedup = |figures: &[Figures]| {
            let own: f64 = figures.iter().map(|one| one.ns).sum();
            let theirs: Option<f64> = figures.iter().map(|one| one.baseline_ns).sum();
            theirs.filter(|_| own > 0.0).map(|theirs| theirs / own)
        };
        let is_checked = |arm: &&Arm| arm.config != self.baseline_config();
        let errors = self.arms.iter().filter(is_checked).filter_map(|arm| {
            let predicted = speedup(arm.replay.as_deref()?)?;
            Some((predicted / speedup(arm.live.as_deref()?)? - 1.0).abs())
        });
        let errors = Sample::new(errors.collect()).ok()?;
        Some((errors.median(), errors.len()))
    }

    /// The first trial is the baseline, whose speedup is 1 by definition.
    fn baseline_config(&self) -> &str {
        self.arms.first().map_or("", |arm| arm.config.as_str())
    }

    /// The trials of a group that ran on every prompt in one mode or the other.
    pub fn select(&self, group: &Group) -> Vec<&Arm> {
        if !group.names_sweep(&self.sweep) {
            return Vec::new();
        }
        let arms = self.arms.iter();
        arms.filter(|arm| arm.is_in(group) && (arm.live.is_some() || arm.replay.is_some()))
            .collect()
    }
}

/// The first repeat of each prompt.
fn first_repeats<'g>(
    generations: &'g Generations,
    trial_id: &str,
    mode: Mode,
) -> BTreeMap<usize, &'g GenerationRecord> {
    let mut first = BTreeMap::new();
    for row in generations.of(trial_id, mode) {
        first.entry(row.prompt).or_insert(row);
    }
    first
}

/// Median wall time of the repeats of each prompt.
fn medians(generations: &Generations, trial_id: &str, mode: Mode) -> HashMap<usize, f64> {
    let mut times: HashMap<usize, Vec<f64>> = HashMap::new();
    for row in generations.of(trial_id, mode) {
        times
            .entry(row.prompt)
            .or_default()
            .push(row.wall_ns as f64);
    }
    let median = |(prompt, times)| Some((prompt, Sample::new(times).ok()?.median()));
    times.into_iter().filter_map(median).collect()
}

/// None unless the trial has every prompt, without an error.
fn figures(
    generations: &Generations,
    trial_id: &str,
    mode: Mode,
    prompts: &[(usize, Prompt)],
    texts: &BTreeMap<usize, &GenerationRecord>,
    baseline_ns: &HashMap<usize, f64>,
) -> Option<Vec<Figures>> {
    if generations
        .of(trial_id, mode)
        .any(|row| row.error.is_some())
    {
        return None;
    }
    let own_ns = medians(generations, trial_id, mode);
    let first = first_repeats(generations, trial_id, mode);
    let of_prompt = |(index, _): &(usize, Prompt)| {
        let row = first.get(index)?;
        let theirs = texts.get(index)?;
        Some(Figures {
            ns: own_ns.get(index).copied()?,
            baseline_ns: baseline_ns.get(index).copied(),
            drafted: row.drafted as f64,
            accepted: row.accepted as f64,
            committed: row.committed as f64,
            forwards: row.verifier_forwards as f64,
            is_correct: row.is_correct,
            score: row.score,
            same_text: Some(row.text_hash == theirs.text_hash),
            nats: row.log_prob_nats.map(|log| -log),
        })
    };
    prompts.iter().map(of_prompt).collect()
}

/// Outcomes of slots that the verifier looked at, whose context is the committed text.
const TESTED: [&str; 2] = ["accepted", "rejected"];

/// Mean entropy of tested slots by prompt, over all trials whose rule reads the Shannon entropy.
fn drafter_entropies(
    folder: &Path,
    rows: &[crate::record::schema::TrialRecord],
) -> Result<HashMap<usize, (f64, usize)>, TableError> {
    let reads_shannon = |config: &str| match serde_json::from_str(config) {
        Ok(DecoderSpec::Speculative { entropy, .. }) => entropy == EntropyRule::default(),
        Ok(
            DecoderSpec::Autoregressive { .. }
            | DecoderSpec::Window { .. }
            | DecoderSpec::WindowDraft { .. },
        )
        | Err(_) => false,
    };
    let trials: HashSet<&str> = rows
        .iter()
        .filter(|row| reads_shannon(&row.config))
        .map(|row| row.trial_id.as_str())
        .collect();
    let place = folder.join("positions.parquet");
    let mut sums: HashMap<usize, (f64, usize)> = HashMap::new();
    if place.is_file() {
        for slot in read_positions(&place, &trials)? {
            if TESTED.contains(&slot.outcome.as_str()) && slot.entropy_nats.is_finite() {
                let (sum, n) = sums.entry(slot.prompt).or_default();
                *sum += slot.entropy_nats;
                *n += 1;
            }
        }
    }
    let mean = |(prompt, (sum, n)): (usize, (f64, usize))| (prompt, (sum / n as f64, n));
    Ok(sums.into_iter().map(mean).collect())
}

#[cfg(test)]
mod tests {
    use crate::analysis::hypotheses::data::RunData;
    use crate::analysis::hypotheses::made_up::{arm, run};

    #[test]
    fn the_error_of_predictions_is_that_of_trials_that_have_both_times() {
        // Measured twice as fast as the baseline of 100; predicted 2.5 and 1.8 times.
        let both = |label: &str, predicted: f64| {
            let mut one = arm(label, vec![50.0; 4]);
            one.replay = arm(label, vec![100.0 / predicted; 4]).live;
            one
        };
        let arms = vec![
            arm("autoregressive", vec![100.0; 4]),
            both("x", 2.5),
            both("y", 1.8),
            arm("z", vec![1.0; 4]),
        ];
        let (median, n) = run(&["a"], 4, arms).prediction_error().unwrap();
        assert!((median - 0.175).abs() < 1e-12, "{median}");
        assert_eq!(n, 2);
        assert_eq!(RunData::default().prediction_error(), None);
    }
}
