//! From a replay to rows with predicted times.

use std::collections::HashMap;

use crate::analysis::flops::{FlopsPerPrompt, Shapes};
use crate::analysis::measured::Measured;
use crate::cmd::measure::Prompt;
use crate::cmd::rows::{finish_name, note_flops};
use crate::engine::speculative::SpeculativeRule;
use crate::plan::Trial;
use crate::record::journal::Entry;
use crate::record::schema::{GenerationRecord, Mode};
use crate::stats::interval::Interval;
use crate::stats::sample::Sample;
use crate::trace::Trace;
use crate::trace::cost::{CostModel, Costs};
use crate::trace::replay::{Replay, ReplayRefusal, Totals, TotalsPerPrompt};

/// What all replays of a run have in common.
#[derive(Debug)]
pub struct Predictor<'r> {
    trace: &'r Trace,
    costs: &'r CostModel,
    /// Costs of the hardware profile that speedups are projected to.
    pub profile: Option<Costs>,
    /// By the prompts of the trace.
    prompts: Vec<PromptFacts>,
    /// Of the pair; none where the models are not known.
    shapes: Option<Shapes>,
    /// Autoregressive decoding of all prompts.
    baseline_sum: Totals,
}

/// What a replay cannot tell of a prompt, from generations that ran here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PromptFacts {
    pub item_id: String,
    pub category: String,
    pub text_hash: String,
    pub is_correct: Option<bool>,
    pub score: Option<f64>,
    pub log_prob_nats: Option<f64>,
    pub perplexity: Option<f64>,
    /// Prefill of the verifier alone, and of both models.
    pub verifier_prefill_ns: u64,
    pub pair_prefill_ns: u64,
}

/// The rows of a replayed trial.
#[derive(Debug)]
pub struct Predicted {
    pub rows: Vec<GenerationRecord>,
    pub totals: Vec<Totals>,
    /// The error of the cost model alone, around the predicted speedup without prefill.
    calibration: Interval,
}

impl Predicted {
    pub fn measured(&self, profile: Option<&Costs>) -> Measured<'_> {
        Measured::replayed(&self.rows, &self.totals, profile, self.calibration)
    }
}

impl<'r> Predictor<'r> {
    /// # Errors
    /// When the trace has no entropy, so that it tells no rule.
    pub fn new(
        trace: &'r Trace,
        costs: &'r CostModel,
        profile: Option<Costs>,
        prompts: Vec<PromptFacts>,
    ) -> Result<Self, ReplayRefusal> {
        let mut baseline_sum = Totals::default();
        Replay::new(trace, &without_drafts(trace))?.run(&mut baseline_sum);
        Ok(Self {
            trace,
            costs,
            profile,
            prompts,
            shapes: None,
            baseline_sum,
        })
    }

    /// Lets the rows say what models of these shapes compute.
    #[must_use]
    pub fn with_shapes(mut self, shapes: Option<Shapes>) -> Self {
        self.shapes = shapes;
        self
    }

    /// Autoregressive decoding: one verifier forward of one row per token.
    ///
    /// # Errors
    /// When the trace has no entropy, so that it tells no rule.
    pub fn baseline(&self, trial: &Trial) -> Result<Predicted, ReplayRefusal> {
        let alone = self.shapes.map(|shapes| Shapes {
            drafter: None,
            ..shapes
        });
        let rule = without_drafts(self.trace);
        let (totals, rows) =
            self.replayed(trial, &rule, alone, |facts| facts.verifier_prefill_ns)?;
        Ok(Predicted {
            rows,
            totals,
            calibration: Interval::exact(1.0),
        })
    }

    /// # Errors
    /// When the trace does not determine the rule.
    pub fn trial(&self, trial: &Trial, rule: &SpeculativeRule) -> Result<Predicted, ReplayRefusal> {
        let (totals, rows) =
            self.replayed(trial, rule, self.shapes, |facts| facts.pair_prefill_ns)?;
        let calibration = self.costs.speedup(&self.baseline_sum, &sum(&totals));
        Ok(Predicted {
            rows,
            totals,
            calibration,
        })
    }

    /// The totals of every prompt, and its row.
    fn replayed(
        &self,
        trial: &Trial,
        rule: &SpeculativeRule,
        shapes: Option<Shapes>,
        prefill_ns: impl Fn(&PromptFacts) -> u64,
    ) -> Result<(Vec<Totals>, Vec<GenerationRecord>), ReplayRefusal> {
        let replay = Replay::new(self.trace, rule)?;
        let Some(shapes) = shapes else {
            let totals = replay.totals();
            let rows = self.rows(trial, &totals, prefill_ns);
            return Ok((totals, rows));
        };
        let flops = FlopsPerPrompt::new(shapes, self.trace);
        let mut both = (TotalsPerPrompt::default(), flops);
        replay.run(&mut both);
        let (totals, flops) = (both.0.0, both.1);
        let mut rows = self.rows(trial, &totals, prefill_ns);
        for (row, flops) in rows.iter_mut().zip(flops.flops()) {
            note_flops(row, &shapes, &flops);
        }
        Ok((totals, rows))
    }

    /// Predicted speedup without prefill, and the acceptance rate; cheap enough for a ranking of
    /// every trial.
    ///
    /// # Errors
    /// When the trace does not determine the rule.
    pub fn glance(&self, rule: &SpeculativeRule) -> Result<(f64, f64), ReplayRefusal> {
        let mut totals = Totals::default();
        Replay::new(self.trace, rule)?.run(&mut totals);
        let costs = self.costs.costs();
        let baseline = costs.seconds(&self.baseline_sum);
        let counts = &totals.counts;
        let acceptance = counts.accepted as f64 / counts.drafted.max(1) as f64;
        Ok((baseline / costs.seconds(&totals), acceptance))
    }

    fn rows(
        &self,
        trial: &Trial,
        totals: &[Totals],
        prefill_ns: impl Fn(&PromptFacts) -> u64,
    ) -> Vec<GenerationRecord> {
        let costs = self.costs.costs();
        let prompts = self.trace.prompts().iter().zip(&self.prompts);
        prompts
            .zip(totals)
            .map(|((prompt, facts), totals)| {
                let counts = &totals.counts;
                let seconds = costs.seconds(totals);
                let prefill_ns = prefill_ns(facts);
                let wall_ns = prefill_ns + (seconds * 1e9).round() as u64;
                GenerationRecord {
                    trial_id: trial.id.clone(),
                    mode: Mode::Replay,
                    prompt: prompt.id,
                    item_id: facts.item_id.clone(),
                    category: facts.category.clone(),
                    prompt_len: prompt.prompt_len,
                    wall_ns,
                    latency_ns: wall_ns,
                    prefill_ns,
                    rounds: counts.rounds,
                    drafted: counts.drafted,
                    tested: counts.tested,
                    accepted: counts.accepted,
                    committed: counts.committed,
                    drafter_forwards: counts.drafter_forwards,
                    verifier_forwards: counts.verifier_forwards,
                    drafter_token_instances: counts.drafter_token_instances,
                    token_instances: counts.token_instances,
                    finished_by: finish_name(prompt.finished_by).to_string(),
                    is_correct: facts.is_correct,
                    score: facts.score,
                    log_prob_nats: facts.log_prob_nats,
                    perplexity: facts.perplexity,
                    text_hash: facts.text_hash.clone(),
                    ..GenerationRecord::default()
                }
            })
            .collect()
    }
}

/// The rule of a pair that is autoregressive.
fn without_drafts(trace: &Trace) -> SpeculativeRule {
    let recorded = trace.header().entropies.first().copied();
    SpeculativeRule::without_drafts(recorded.unwrap_or_default())
}

fn sum(totals: &[Totals]) -> Totals {
    let mut sum = Totals::default();
    for totals in totals {
        sum += totals;
    }
    sum
}

/// Facts of each traced prompt from what ran here: texts from the baseline, prefills as medians over
/// the generations of baseline and speculative trials. Prompts that did not run here have none.
pub fn prompt_facts(
    trace: &Trace,
    prompts: &[Prompt],
    entries: &[Entry],
    baseline: &str,
) -> Vec<PromptFacts> {
    let mut by_prompt: HashMap<usize, Vec<&GenerationRecord>> = HashMap::new();
    for entry in entries {
        let row = &entry.generation;
        by_prompt.entry(row.prompt).or_default().push(row);
    }
    let none = Vec::new();
    let traced = trace.prompts().iter();
    traced
        .map(|traced| {
            let rows = by_prompt.get(&traced.id).unwrap_or(&none);
            let median = |of_baseline: bool| {
                let wanted = rows.iter().filter(|row| {
                    let is_baseline = row.trial_id == baseline;
                    let is_pair = row.drafter_forwards > 0 && row.filled == 0;
                    row.error.is_none() && is_baseline == of_baseline && (is_baseline || is_pair)
                });
                let times = wanted.map(|row| row.prefill_ns as f64).collect();
                Sample::new(times).map_or(0, |times| times.median() as u64)
            };
            let of_baseline = rows.iter().filter(|row| row.trial_id == baseline);
            let text = of_baseline.min_by_key(|row| row.repeat);
            let item = prompts.iter().find(|prompt| prompt.index == traced.id);
            let (verifier, pair) = (median(true), median(false));
            PromptFacts {
                item_id: item
                    .map(|prompt| prompt.item.id.clone())
                    .unwrap_or_default(),
                category: item
                    .map(|prompt| prompt.item.category.clone())
                    .unwrap_or_default(),
                text_hash: text.map(|row| row.text_hash.clone()).unwrap_or_default(),
                is_correct: text.and_then(|row| row.is_correct),
                score: text.and_then(|row| row.score),
                log_prob_nats: text.and_then(|row| row.log_prob_nats),
                perplexity: text.and_then(|row| row.perplexity),
                verifier_prefill_ns: verifier,
                pair_prefill_ns: pair.max(verifier),
            }
        })
        .collect()
}
