//! What a run leaves on disk: checkpoints that it can be resumed from, and the model.

use std::fs;
use std::path::PathBuf;

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::{Run, TrainError, TrainSummary, file_error};
use crate::config::train::TrainSpec;
use crate::model::export::{Companions, write_checkpoint, write_whole};
use crate::train::tokenizer::{END_TOKEN, MASK_TOKEN};

/// State beside the weights in a resumable checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub spec: TrainSpec,
    pub step: usize,
    pub n_rows: u64,
    pub seconds: f64,
    pub recent_loss: f32,
}

impl Run<'_> {
    fn folder(&self) -> PathBuf {
        self.spec.out.join("checkpoint")
    }

    /// Goes on from the newest checkpoint, if there is one.
    pub(super) fn resume(&mut self) -> Result<(), TrainError> {
        let place = self.folder().join("state.json");
        if !place.is_file() {
            return Ok(());
        }
        let text = fs::read_to_string(&place).map_err(|error| file_error(&place, error))?;
        let state: State =
            serde_json::from_str(&text).map_err(|error| file_error(&place, error))?;
        if state.spec != *self.spec {
            return Err(TrainError::OtherRun {
                place: self.folder(),
            });
        }
        let weights = self.folder().join(format!("{}.model.bpk", state.step));
        let moments = self.folder().join(format!("{}.optimizer.bpk", state.step));
        self.model = self
            .model
            .clone()
            .try_load_file(&weights)
            .map_err(|error| file_error(&weights, error))?;
        self.optimizer = self
            .optimizer
            .clone()
            .load(&moments)
            .map_err(|error| file_error(&moments, error))?;
        self.state = state;
        Ok(())
    }

    /// The state file is replaced last, so that a checkpoint is either whole or not there.
    pub(super) fn save(&self) -> Result<(), TrainError> {
        let folder = self.folder();
        fs::create_dir_all(&folder).map_err(|error| file_error(&folder, error))?;
        let step = self.state.step;
        let weights = folder.join(format!("{step}.model.bpk"));
        let moments = folder.join(format!("{step}.optimizer.bpk"));
        self.model
            .clone()
            .save_file(&weights)
            .map_err(|error| file_error(&weights, error))?;
        self.optimizer
            .save(&moments)
            .map_err(|error| file_error(&moments, error))?;
        let place = folder.join("state.json");
        let text =
            serde_json::to_vec_pretty(&self.state).map_err(|error| file_error(&place, error))?;
        write_whole(&place, &text).map_err(|error| file_error(&place, error))?;
        let keep = format!("{step}.");
        for entry in fs::read_dir(&folder)
            .map_err(|error| file_error(&folder, error))?
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".bpk") && !name.starts_with(&keep) {
                // An older checkpoint that stays behind costs space and nothing else.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Writes the model, and how it came about.
    pub(super) fn finish(self) -> Result<TrainSummary, TrainError> {
        write_checkpoint(
            &self.spec.out,
            &self.model.valid(),
            &self.arch,
            Companions {
                tokenizer_json: &self.tokenizer_json,
                end_token: END_TOKEN,
                mask_token: MASK_TOKEN,
            },
        )
        .map_err(|error| file_error(&self.spec.out, error))?;
        let summary = TrainSummary {
            n_parameters: self.model.num_params(),
            n_steps: self.state.step,
            n_documents: self.state.step * self.spec.schedule.batch_len,
            n_rows: self.state.n_rows,
            seconds: self.state.seconds,
            final_loss: self.state.recent_loss,
            workers: self.spec.workers,
        };
        let place = self.spec.out.join("training.json");
        let text = serde_json::to_vec_pretty(&serde_json::json!({
            "spec": self.spec,
            "summary": summary,
        }))
        .map_err(|error| file_error(&place, error))?;
        write_whole(&place, &text).map_err(|error| file_error(&place, error))?;
        Ok(summary)
    }
}
