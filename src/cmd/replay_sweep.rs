//! The part of a sweep that is read off a trace: record once, replay every rule, check some of them live.

use std::path::Path;

use crate::analysis::cost::profile_costs;
use crate::analysis::flops::Shapes;
use crate::analysis::measured::Measured;
use crate::analysis::summary::{Summariser, Summary, by_trial};
use crate::cmd::Failure;
use crate::cmd::measure::{Prompt, Settings};
use crate::cmd::models::LoadedModels;
use crate::cmd::predict::{Predicted, Predictor, prompt_facts};
use crate::cmd::replay_check::{chosen, compare};
use crate::cmd::replayable::Split;
use crate::cmd::rows::add_rounds;
use crate::cmd::run_folder::Tables;
use crate::config::SweepSpec;
use crate::config::hardware::HardwareProfile;
use crate::engine::session::Request;
use crate::engine::speculative::SpeculativeRule;
use crate::plan::Trial;
use crate::record::journal::Entry;
use crate::record::manifest::ReplayCounts;
use crate::record::schema::Mode;
use crate::record::trace_files::{read_trace, write_trace};
use crate::stats::bootstrap::Bootstrap;
use crate::trace::cost::CostModel;
use crate::trace::record::{RecordSetting, record, record_batched};
use crate::trace::replay::Replay;
use crate::trace::{Trace, TraceHeader};

/// Name of the trace's folder in a run folder.
pub const TRACE: &str = "trace";
/// Rows of which a forward returns logits while a text is read.
const PIECE_LEN: usize = 64;
/// Most texts that are recorded at a time, and what their caches may take.
const MOST_RECORDED: u64 = 8;
const RECORDING_BYTES: u64 = 1 << 30;

/// A trace with what its rounds cost.
#[derive(Debug)]
pub struct Recorded {
    pub trace: Trace,
    pub costs: CostModel,
}

/// The trace of all prompts: the one that an earlier run of the same sweep left in `folder`, or a new one.
///
/// # Errors
/// When a model fails or a file cannot be used.
pub fn kept_trace(
    folder: &Path,
    header: &TraceHeader,
    prompts: &[Prompt],
    settings: &Settings,
    models: &mut LoadedModels,
) -> Result<Trace, Failure> {
    let place = folder.join(TRACE);
    if place.join("trace.json").is_file() {
        return Ok(read_trace(&place)?);
    }
    let trace = record_trace(header, prompts, settings, models)?;
    write_trace(&place, &trace)?;
    Ok(trace)
}

/// Decodes every prompt with the verifier and notes all that the drafter would say.
///
/// # Errors
/// When a model is missing or fails.
pub fn record_trace(
    header: &TraceHeader,
    prompts: &[Prompt],
    settings: &Settings,
    models: &mut LoadedModels,
) -> Result<Trace, Failure> {
    let setting = RecordSetting {
        max_draft_len: header.max_draft_len,
        entropies: header.entropies.clone(),
        piece_len: PIECE_LEN,
    };
    let requests: Vec<Request<'_>> = prompts
        .iter()
        .map(|prompt| settings.request(prompt))
        .collect();
    models.awake(|models| {
        let (drafter, verifier) = models.pair()?;
        let bytes_of_a_text = drafter.cache_bytes.saturating_add(verifier.cache_bytes);
        let n_texts = (RECORDING_BYTES / bytes_of_a_text.max(1)).clamp(1, MOST_RECORDED) as usize;
        let trace = if n_texts == 1 {
            record(&mut drafter.lm, &mut verifier.lm, &setting, &requests)
        } else {
            let (mut drafter, mut verifier) =
                (drafter.lm.batched(n_texts), verifier.lm.batched(n_texts));
            record_batched(&mut drafter, &mut verifier, &setting, &requests)
        };
        trace.map_err(|error| Failure::Other(error.to_string()))
    })
}

/// The replayed trials that run live as well.
///
/// # Errors
/// When the trace does not determine a rule.
pub fn checked(
    sweep: &SweepSpec,
    recorded: &Recorded,
    split: &Split<'_>,
) -> Result<Vec<(Trial, SpeculativeRule)>, Failure> {
    let predictor = Predictor::new(&recorded.trace, &recorded.costs, None, Vec::new())?;
    let glances = split
        .replayed
        .iter()
        .map(|(_, rule)| predictor.glance(rule))
        .collect::<Result<Vec<_>, _>>()?;
    let places = chosen(&glances, sweep.replay.check, sweep.seed);
    Ok(places
        .into_iter()
        .map(|place| {
            let (trial, rule) = &split.replayed[place];
            ((*trial).clone(), rule.clone())
        })
        .collect())
}

/// Everything that a summary of a sweep with replays is made from.
#[derive(Debug)]
pub struct Replayed<'r> {
    pub sweep: &'r SweepSpec,
    pub split: &'r Split<'r>,
    pub checked: &'r [(Trial, SpeculativeRule)],
    pub recorded: &'r Recorded,
    pub prompts: &'r [Prompt],
    pub entries: &'r [Entry],
    pub profile: Option<&'r HardwareProfile>,
    /// Of the pair; none where no model was loaded.
    pub shapes: Option<Shapes>,
}

impl Replayed<'_> {
    /// Writes the rows of every trial and summarises: first what ran live, then the replayed trials, in
    /// the order of the plan.
    ///
    /// # Errors
    /// When a table cannot be written.
    pub fn summarise(
        &self,
        trials: &[Trial],
        tables: &mut Tables,
        bootstrap: &Bootstrap,
    ) -> Result<(Summary, ReplayCounts), Failure> {
        let baseline = &trials[0];
        let Recorded { trace, costs } = self.recorded;
        let facts = prompt_facts(trace, self.prompts, self.entries, &baseline.id);
        let predictor = Predictor::new(trace, costs, self.profile.map(profile_costs), facts)?
            .with_shapes(self.shapes);
        let mut summariser = Summariser::new(trials, bootstrap);
        let live = by_trial(self.entries);
        let measured = |trial: &Trial| {
            let own = live.get(trial.id.as_str());
            Measured::live(own.map_or(&[], Vec::as_slice), self.profile)
        };
        for trial in &self.split.live {
            let measured = measured(trial);
            summariser.add_live(trial, &measured);
        }
        for (trial, reason) in &self.split.refused {
            summariser.add(trial, Mode::Replay, &Err(reason.clone()));
        }
        let predicted = predictor.baseline(baseline)?;
        let profile = predictor.profile.as_ref();
        let measured_baseline = predicted.measured(profile);
        summariser.add_baseline(1, Mode::Replay, &measured_baseline);
        if self.split.live.is_empty() {
            summariser.add(baseline, Mode::Replay, &Ok(measured_baseline));
        }
        tables.add_rows(predicted.rows)?;
        for (trial, rule) in &self.split.replayed {
            let predicted = predictor.trial(trial, rule)?;
            summariser.add(trial, Mode::Replay, &Ok(predicted.measured(profile)));
            self.write(trial, rule, predicted, tables)?;
        }
        let check = self.check(&mut summariser, measured)?;
        Ok((summariser.finish(), check))
    }

    fn write(
        &self,
        trial: &Trial,
        rule: &SpeculativeRule,
        predicted: Predicted,
        tables: &mut Tables,
    ) -> Result<(), Failure> {
        let is_checked = self
            .checked
            .iter()
            .any(|(checked, _)| checked.id == trial.id);
        if !self.sweep.replay.rounds || is_checked {
            return Ok(tables.add_rows(predicted.rows)?);
        }
        let generations = Replay::new(&self.recorded.trace, rule)?.generations();
        for (row, generation) in predicted.rows.into_iter().zip(&generations) {
            let mut entry = Entry {
                generation: row,
                ..Entry::default()
            };
            add_rounds(&mut entry, generation, &Default::default());
            tables.add_entries(std::slice::from_ref(&entry))?;
        }
        Ok(())
    }

    fn check<'m>(
        &self,
        summariser: &mut Summariser<'_>,
        measured: impl Fn(&Trial) -> Result<Measured<'m>, String>,
    ) -> Result<ReplayCounts, Failure> {
        let n_replayed = self.split.replayed.len();
        let check = compare(&self.recorded.trace, self.checked, self.entries, n_replayed)?;
        for (trial, _) in self.checked {
            summariser.add_beside(trial, Mode::Live, &measured(trial));
        }
        Ok(check)
    }
}
