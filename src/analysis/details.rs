//! What a comparison of the fastest trials needs beyond their totals: categories of prompts, latencies,
//! slots and entropies.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use serde::Serialize;

use crate::analysis::fills::fills;
use crate::analysis::read_back::{Generations, ReadBack};
use crate::analysis::view::{SweepView, TrialKind, TrialView};
use crate::record::read::{TableError, read_positions, read_rounds};
use crate::record::schema::{GenerationRecord, Mode, PositionRecord, RoundRecord};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::{Confidence, Interval};
use crate::stats::proportion::wilson;
use crate::stats::sample::{Pairs, Sample};

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
    /// Σ baseline wall time / Σ own, over the prompts of the category.
    pub speedup: Option<Interval>,
    /// Σ wall time of the best fixed draft length / Σ own; none of that trial itself.
    pub against_fixed: Option<Interval>,
    /// Window decoders: agreement.
    pub acceptance_rate: Option<Interval>,
    pub exact_match: Option<Interval>,
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

/// How often the draft is rejected at a slot, given that the verifier reached it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hazard {
    pub label: String,
    pub family: String,
    /// From slot 0 on.
    pub slots: Vec<HazardSlot>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HazardSlot {
    /// Rounds in which the verifier tested the slot: the exposure.
    pub reached: u64,
    pub rejected: u64,
    /// rejected / reached, with an interval over prompts.
    pub share: Interval,
}

/// Tested draft tokens by the drafter's entropy at their slot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DraftEntropies {
    pub label: String,
    pub family: String,
    /// Counts by the bins of [`ENTROPY_EDGES`], one bin more than edges.
    pub accepted: Vec<u64>,
    pub rejected: Vec<u64>,
}

/// Name of the category that holds every prompt.
pub const ALL_PROMPTS: &str = "all prompts";

/// Where entropy bins of [`DraftEntropies`] meet, in nats; a bin holds its lower edge. About three
/// steps a decade, because most tokens of a draft are nearly certain.
pub const ENTROPY_EDGES: [f64; 10] = [0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.8, 1.2, 1.6, 2.4];

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
                details.hazards.extend(hazard(trial, own, bootstrap));
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
                TrialKind::Autoregressive => {}
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

fn grouped<'r, R>(rows: &'r [R], id: impl Fn(&R) -> &str) -> HashMap<String, Vec<&'r R>> {
    let mut groups: HashMap<String, Vec<&R>> = HashMap::new();
    for row in rows {
        groups.entry(id(row).to_owned()).or_default().push(row);
    }
    groups
}

struct OfPrompts<'a> {
    view: &'a SweepView,
    back: &'a ReadBack,
    chosen: &'a Chosen<'a>,
    bootstrap: &'a Bootstrap,
}

/// Nanoseconds and first generation by prompt.
type ByPrompt<'a> = BTreeMap<usize, (f64, &'a GenerationRecord)>;

impl OfPrompts<'_> {
    fn generations(&self) -> &Generations {
        &self.back.generations
    }

    /// The prompts of a trial with their times, when it has a time of each.
    fn by_prompt(&self, id: &str, trial: &TrialView) -> ByPrompt<'_> {
        let mut first: BTreeMap<usize, &GenerationRecord> = BTreeMap::new();
        for row in self.generations().of(id, trial.mode) {
            first.entry(row.prompt).or_insert(row);
        }
        let times = trial.measures().map_or(&[][..], |one| &one.prompt_ns);
        if times.len() != first.len() {
            return BTreeMap::new();
        }
        let timed = first.into_iter().zip(times);
        timed
            .map(|((prompt, row), ns)| (prompt, (*ns, row)))
            .collect()
    }

    /// What a trial is compared with: autoregressive decoding of its batch size, predicted where the
    /// trial is.
    fn baseline_ns(&self, trial: &TrialView) -> BTreeMap<usize, f64> {
        let baseline = self
            .view
            .baseline
            .iter()
            .chain(&self.view.trials)
            .find(|one| {
                one.kind == TrialKind::Autoregressive && one.batch_size == trial.batch_size
            });
        let Some((baseline, id)) =
            baseline.and_then(|baseline| Some((baseline, self.back.id(baseline)?)))
        else {
            return BTreeMap::new();
        };
        if trial.mode == baseline.mode {
            let timed = self.by_prompt(id, baseline).into_iter();
            return timed.map(|(prompt, (ns, _))| (prompt, ns)).collect();
        }
        let rows = self.generations().of(id, trial.mode);
        rows.map(|row| (row.prompt, row.wall_ns as f64)).collect()
    }

    fn categories(&self) -> Vec<Category> {
        let mut prompts: BTreeMap<&str, HashSet<usize>> = BTreeMap::new();
        let mut all = HashSet::new();
        for (id, trial) in &self.chosen.trials {
            for row in self.generations().of(id, trial.mode) {
                prompts.entry(&row.category).or_default().insert(row.prompt);
                all.insert(row.prompt);
            }
        }
        if prompts.len() < 2 {
            prompts.clear();
        }
        let all = Some((ALL_PROMPTS, all)).filter(|(_, all)| !all.is_empty());
        let fixed = self.view.best_fixed().and_then(|fixed| {
            let id = self.back.id(fixed)?;
            let timed = self.by_prompt(id, fixed).into_iter();
            let times: BTreeMap<usize, f64> = timed.map(|(prompt, (ns, _))| (prompt, ns)).collect();
            Some((fixed, times))
        });
        let trials: Vec<_> = self
            .chosen
            .trials
            .iter()
            .map(|(id, trial)| (*trial, self.by_prompt(id, trial), self.baseline_ns(trial)))
            .collect();
        all.into_iter()
            .chain(prompts)
            .map(|(name, prompts)| Category {
                name: name.to_owned(),
                n_prompts: prompts.len(),
                trials: trials
                    .iter()
                    .map(|(trial, own, baseline)| {
                        let own: ByPrompt<'_> = own
                            .iter()
                            .filter(|(prompt, _)| prompts.contains(prompt))
                            .map(|(prompt, both)| (*prompt, *both))
                            .collect();
                        let against = fixed
                            .as_ref()
                            .filter(|(fixed, _)| !std::ptr::eq(*fixed, *trial));
                        CategoryTrial {
                            label: trial.label.clone(),
                            family: trial.family.clone(),
                            lossless: trial.lossless,
                            speedup: self.ratio(baseline, &own),
                            against_fixed: against.and_then(|(_, times)| self.ratio(times, &own)),
                            acceptance_rate: self.acceptance_rate(trial, &own),
                            exact_match: exact_match(&own),
                        }
                    })
                    .collect(),
            })
            .collect()
    }

    /// Σ their time / Σ own over the prompts that both have.
    fn ratio(&self, theirs: &BTreeMap<usize, f64>, own: &ByPrompt<'_>) -> Option<Interval> {
        let both = own
            .iter()
            .filter_map(|(prompt, (ns, _))| Some((*theirs.get(prompt)?, *ns)));
        let (theirs, own) = both.unzip();
        let pairs = Pairs::new(theirs, own).ok()?;
        Some(self.bootstrap.ratio_of_sums(&pairs))
    }

    fn acceptance_rate(&self, trial: &TrialView, own: &ByPrompt<'_>) -> Option<Interval> {
        let is_window = trial.kind == TrialKind::Window;
        let counts = own.values().filter_map(|(_, row)| match is_window {
            true => Some((row.agreed? as f64, row.committed as f64)),
            false => Some((row.accepted as f64, row.drafted as f64)),
        });
        let (numerator, denominator) = counts.unzip();
        let pairs = Pairs::new(numerator, denominator).ok()?;
        Some(self.bootstrap.ratio_of_sums(&pairs))
    }

    fn latencies(&self) -> Vec<Latency> {
        let baseline = self.view.baseline.iter().filter_map(|baseline| {
            let id = self.back.id(baseline)?;
            Some((id, baseline, None))
        });
        let others = self.chosen.trials.iter();
        let others = others.map(|(id, trial)| (*id, *trial, Some(trial.family.clone())));
        baseline
            .chain(others)
            .filter_map(|(id, trial, family)| {
                let mut by_prompt: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
                for row in self.generations().of(id, trial.mode) {
                    let repeats = by_prompt.entry(row.prompt).or_default();
                    repeats.push(row.latency_ns as f64 / 1e9);
                }
                let mut seconds: Vec<f64> = by_prompt
                    .into_values()
                    .filter_map(|repeats| Some(Sample::new(repeats).ok()?.median()))
                    .collect();
                seconds.sort_by(f64::total_cmp);
                (!seconds.is_empty()).then(|| Latency {
                    label: trial.label.clone(),
                    family,
                    mode: trial.mode,
                    seconds,
                })
            })
            .collect()
    }
}

fn exact_match(own: &ByPrompt<'_>) -> Option<Interval> {
    let answers: Vec<bool> = own.values().filter_map(|(_, row)| row.is_correct).collect();
    let right = answers.iter().filter(|answer| **answer).count() as u64;
    wilson(right, answers.len() as u64, Confidence::P95)
}

fn counts_of_draft_lens(rounds: &[&RoundRecord]) -> Vec<u64> {
    let mut counts = Vec::new();
    for round in rounds {
        if counts.len() <= round.draft_len {
            counts.resize(round.draft_len + 1, 0);
        }
        counts[round.draft_len] += 1;
    }
    counts
}

/// None when the verifier tested no slot.
fn hazard(trial: &TrialView, rounds: &[&RoundRecord], bootstrap: &Bootstrap) -> Option<Hazard> {
    let n_slots = rounds.iter().map(|round| round.tested).max()?;
    let slots = (0..n_slots)
        .filter_map(|slot| {
            let mut by_prompt: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
            for round in rounds.iter().filter(|round| round.tested > slot) {
                let (rejected, reached) = by_prompt.entry(round.prompt).or_default();
                *rejected += f64::from(u8::from(round.accepted == slot));
                *reached += 1.0;
            }
            let (rejected, reached): (Vec<f64>, Vec<f64>) = by_prompt.into_values().unzip();
            Some(HazardSlot {
                reached: reached.iter().sum::<f64>() as u64,
                rejected: rejected.iter().sum::<f64>() as u64,
                share: bootstrap.ratio_of_sums(&Pairs::new(rejected, reached).ok()?),
            })
        })
        .collect();
    (n_slots > 0).then(|| Hazard {
        label: trial.label.clone(),
        family: trial.family.clone(),
        slots,
    })
}

/// None when the verifier tested no draft token.
fn entropies(trial: &TrialView, slots: &[&PositionRecord]) -> Option<DraftEntropies> {
    let count = |outcome: &str| {
        let mut counts = vec![0; ENTROPY_EDGES.len() + 1];
        for slot in slots.iter().filter(|slot| slot.outcome == outcome) {
            let below = |edge: &&f64| slot.entropy_nats >= **edge;
            counts[ENTROPY_EDGES.iter().take_while(below).count()] += 1;
        }
        counts
    };
    let (accepted, rejected) = (count("accepted"), count("rejected"));
    let n_tested: u64 = accepted.iter().chain(&rejected).sum();
    (n_tested > 0).then(|| DraftEntropies {
        label: trial.label.clone(),
        family: trial.family.clone(),
        accepted,
        rejected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::view::DraftRule;

    fn trial() -> TrialView {
        TrialView {
            label: "ebsd θ=1".to_owned(),
            kind: TrialKind::Speculative(DraftRule::Entropy),
            family: "ebsd".to_owned(),
            axes: vec![],
            batch_size: 1,
            mode: Mode::Live,
            dropped_after: None,
            lossless: true,
            result: Err("not run".to_owned()),
        }
    }

    fn round(prompt: usize, tested: usize, accepted: usize) -> RoundRecord {
        RoundRecord {
            prompt,
            tested,
            accepted,
            draft_len: tested + 1,
            ..RoundRecord::default()
        }
    }

    #[test]
    fn the_hazard_of_a_slot_is_the_share_rejected_of_those_that_reached_it() {
        // Slot 0 is reached four times and rejected once; slot 1 three times, rejected twice.
        let rounds = [
            round(0, 2, 2),
            round(0, 1, 0),
            round(1, 2, 1),
            round(1, 2, 1),
        ];
        let rounds: Vec<&RoundRecord> = rounds.iter().collect();
        let hazard = hazard(&trial(), &rounds, &Bootstrap::default()).unwrap();
        let facts: Vec<(u64, u64)> = hazard
            .slots
            .iter()
            .map(|slot| (slot.rejected, slot.reached))
            .collect();
        assert_eq!(facts, [(1, 4), (2, 3)]);
        assert_eq!(hazard.slots[0].share.estimate, 0.25);
        assert_eq!(counts_of_draft_lens(&rounds), [0, 0, 1, 3]);
    }

    #[test]
    fn only_tested_tokens_are_counted_by_entropy() {
        let slot = |entropy_nats: f64, outcome: &str| PositionRecord {
            entropy_nats,
            outcome: outcome.to_owned(),
            ..PositionRecord::default()
        };
        let slots = [
            slot(0.0, "accepted"),
            slot(0.003, "accepted"),
            slot(5.0, "rejected"),
            slot(5.0, "untested"),
        ];
        let slots: Vec<&PositionRecord> = slots.iter().collect();
        let counted = entropies(&trial(), &slots).unwrap();
        assert_eq!(counted.accepted[..3], [1, 1, 0]);
        assert_eq!(counted.rejected.last(), Some(&1));
        assert_eq!(counted.rejected.iter().sum::<u64>(), 1);
    }
}
