//! Times what the rounds of a pair are made of, in passes that are spread over a run and kept in its folder.

use std::path::{Path, PathBuf};

use crate::cmd::Failure;
use crate::cmd::measure::{Prompt, Settings};
use crate::cmd::models::LoadedModels;
use crate::engine::session::Request;
use crate::model::lm::LanguageModel;
use crate::policy::sample::Sampling;
use crate::record::folder::write_whole;
use crate::trace::cost::{CostModel, TimingSample};
use crate::trace::timing::time_rounds;

/// Name of the file in a run folder.
const CALIBRATION: &str = "calibration.json";
/// Passes over all draft lengths before the trials that run live, and all of them: the others are spread
/// over these trials, since a machine changes in the meantime, and live trials are what the cost model is
/// compared with.
const N_FIRST: usize = 2;
const N_PASSES: usize = 12;

/// The timings of the workload's own prompts, to which a cost model is fitted.
#[derive(Debug)]
pub struct RoundTimes<'r> {
    prompts: &'r [Prompt],
    settings: &'r Settings,
    /// Where they are kept.
    place: Option<PathBuf>,
    samples: Vec<TimingSample>,
}

impl<'r> RoundTimes<'r> {
    /// Timings that are not kept.
    pub fn new(prompts: &'r [Prompt], settings: &'r Settings) -> Self {
        Self {
            prompts,
            settings,
            place: None,
            samples: Vec::new(),
        }
    }

    /// Keeps them in a run folder, after those that an earlier run left there.
    ///
    /// # Errors
    /// When the file is there and cannot be used.
    pub fn kept_in(mut self, folder: &Path) -> Result<Self, Failure> {
        let place = folder.join(CALIBRATION);
        if place.is_file() {
            let text = std::fs::read(&place).map_err(|error| Failure::file(&place, &error))?;
            let samples = serde_json::from_slice(&text);
            self.samples = samples.map_err(|error| Failure::file(&place, &error))?;
        }
        self.place = Some(place);
        Ok(self)
    }

    /// Takes the passes that are due when this share of the live trials, from 0 to 1, is done, and are not
    /// there. Whether there were any.
    ///
    /// # Errors
    /// When a model is missing or fails, or a file cannot be written.
    pub fn take(&mut self, share: f64, models: &mut LoadedModels) -> Result<bool, Failure> {
        let n_due = N_FIRST + ((N_PASSES - N_FIRST) as f64 * share) as usize;
        let n_done = self.samples.iter().map(|sample| sample.pass + 1).max();
        let n_done = n_done.unwrap_or(0);
        if n_done >= n_due {
            return Ok(false);
        }
        if self.prompts.is_empty() {
            return Err(Failure::Usage(
                "workload: there is no prompt, so there is nothing to time".into(),
            ));
        }
        let prompts = self.prompts.iter();
        let requests: Vec<Request<'_>> = prompts
            .map(|prompt| Request {
                // What is timed are forwards, and the draft lengths that are asked for: greedy ones.
                sampling: Sampling::default(),
                ..self.settings.request(prompt)
            })
            .collect();
        let samples = models.awake(|models| -> Result<_, Failure> {
            let (drafter, verifier) = models.pair()?;
            let (drafter, verifier) = (&mut drafter.lm, &mut verifier.lm);
            let samples = time_rounds(drafter, verifier, &requests, n_done..n_due)?;
            drafter.truncate(0);
            verifier.truncate(0);
            Ok(samples)
        })?;
        self.samples.extend(samples);
        if let Some(place) = &self.place {
            let text = serde_json::to_vec(&self.samples);
            let text = text.map_err(|error| Failure::file(place, &error))?;
            write_whole(place, &text)?;
        }
        Ok(true)
    }

    /// The costs that they give.
    ///
    /// # Errors
    /// When they do not make a cost model.
    pub fn costs(&self) -> Result<CostModel, Failure> {
        CostModel::fit(&self.samples).map_err(|error| Failure::Other(error.to_string()))
    }
}
