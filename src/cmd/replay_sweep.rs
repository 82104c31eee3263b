//! The part of a sweep that is read off a trace: record once, replay every rule, check some of them live.

use std::ops::Range;
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
use crate::model::lm::LanguageModel;
use crate::plan::Trial;
use crate::policy::sample::Sampling;
use crate::record::folder::write_whole;
use crate::record::journal::Entry;
use crate::record::manifest::ReplayCounts;
use crate::record::schema::Mode;
use crate::record::trace_files::{read_trace, write_trace};
use crate::stats::bootstrap::Bootstrap;
use crate::trace::cost::{CostModel, TimingSample};
use crate::trace::record::{RecordSetting, record, record_batched};
use crate::trace::replay::Replay;
use crate::trace::timing::time_rounds;
use crate::trace::{Trace, TraceHeader};

/// Name of the trace's folder in a run folder.
pub const TRACE: &str = "trace";
/// Timings behind the cost model, in a run folder.
const CALIBRATION: &str = "calibration.json";
/// Rows of which a forward returns logits while a text is read.
const PIECE_LEN: usize = 64;
/// Most texts that are recorded at a time, and what their caches may take.
const MOST_RECORDED: u64 = 8;
const RECORDING_BYTES: u64 = 1 << 30;
/// Passes over all draft lengths before the trials that run live, and all of them: the others are spread
/// over these trials, since a machine changes in the meantime, and live trials are what the cost model is
/// compared with.
const N_FIRST: usize = 2;
pub const N_PASSES: usize = 12;

/// A trace with what its rounds cost here.
#[derive(Debug)]
pub struct Recorded {
    pub trace: Trace,
    pub costs: CostModel,
    /// What the costs are fitted to.
    pub samples: Vec<TimingSample>,
}

/// Records the trace of all prompts and times the forwards a first time, or reads both from `folder` where an
/// earlier run of the same sweep left them.
///
/// # Errors
/// When a model fails or a file cannot be used.
pub fn recorded(
    folder: &Path,
    header: &TraceHeader,
    prompts: &[Prompt],
    settings: &Settings,
    models: &mut LoadedModels,
) -> Result<Recorded, Failure> {
    let place = folder.join(TRACE);
    let trace = if place.join("trace.json").is_file() {
        read_trace(&place)?
    } else {
        let trace = record_trace(header, prompts, settings, models)?;
        write_trace(&place, &trace)?;
        trace
    };
    let mut samples = earlier_timings(folder)?;
    time_up_to(N_FIRST, &mut samples, folder, (prompts, settings), models)?;
    let costs = fit(&samples)?;
    Ok(Recorded {
        trace,
        costs,
        samples,
    })
}

impl Recorded {
    /// Takes the passes that are due when this share of the live trials, from 0 to 1, is done, but for
    /// those of an earlier run.
    ///
    /// # Errors
    /// When a model fails or a file cannot be used.
    pub fn go_on(
        &mut self,
        share: f64,
        folder: &Path,
        prompts: &[Prompt],
        settings: &Settings,
        models: &mut LoadedModels,
    ) -> Result<(), Failure> {
        let n_due = N_FIRST + ((N_PASSES - N_FIRST) as f64 * share) as usize;
        let samples = &mut self.samples;
        if time_up_to(n_due, samples, folder, (prompts, settings), models)? {
            self.costs = fit(samples)?;
        }
        Ok(())
    }
}

/// The costs that timings of this machine give.
///
/// # Errors
/// When they do not make a cost model.
pub fn fit(samples: &[TimingSample]) -> Result<CostModel, Failure> {
    CostModel::fit(samples).map_err(|error| Failure::Other(error.to_string()))
}

/// The timings that an earlier run left in the folder.
fn earlier_timings(folder: &Path) -> Result<Vec<TimingSample>, Failure> {
    let place = folder.join(CALIBRATION);
    if !place.is_file() {
        return Ok(Vec::new());
    }
    let text = std::fs::read(&place).map_err(|error| Failure::file(&place, &error))?;
    serde_json::from_slice(&text).map_err(|error| Failure::file(&place, &error))
}

/// Adds the passes that `samples` lacks of the first `n_passes`, and writes all to the folder. Whether it
/// lacked any.
fn time_up_to(
    n_passes: usize,
    samples: &mut Vec<TimingSample>,
    folder: &Path,
    (prompts, settings): (&[Prompt], &Settings),
    models: &mut LoadedModels,
) -> Result<bool, Failure> {
    let n_done = samples.iter().map(|sample| sample.pass + 1).max();
    let n_done = n_done.unwrap_or(0);
    if n_done >= n_passes {
        return Ok(false);
    }
    samples.extend(calibration(n_done..n_passes, prompts, settings, models)?);
    let place = folder.join(CALIBRATION);
    let text = serde_json::to_vec(samples).map_err(|error| Failure::file(&place, &error))?;
    write_whole(&place, &text)?;
    Ok(true)
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

/// Times what the rounds of this pair are made of, on the workload's own prompts, in these of the passes over
/// all draft lengths.
///
/// # Errors
/// When a model is missing or fails.
pub fn calibration(
    passes: Range<usize>,
    prompts: &[Prompt],
    settings: &Settings,
    models: &mut LoadedModels,
) -> Result<Vec<TimingSample>, Failure> {
    if prompts.is_empty() {
        return Err(Failure::Usage(
            "workload: there is no prompt, so there is nothing to time".into(),
        ));
    }
    let requests: Vec<Request<'_>> = prompts
        .iter()
        .map(|prompt| Request {
            // What is timed are forwards, and the draft lengths that are asked for: greedy ones.
            sampling: Sampling::default(),
            ..settings.request(prompt)
        })
        .collect();
    models.awake(|models| {
        let (drafter, verifier) = models.pair()?;
        let samples = time_rounds(&mut drafter.lm, &mut verifier.lm, &requests, passes)?;
        drafter.lm.truncate(0);
        verifier.lm.truncate(0);
        Ok(samples)
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
        let Recorded { trace, costs, .. } = self.recorded;
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
