//! One trial: a decoder on a workload, and what identifies it.

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::canonical;
use super::grid::Candidate;
use crate::config::decoder::DecoderSpec;
use crate::config::sweep::SweepSpec;

/// Hexadecimal digits of an id: 48 bits, so that two of 10,000 trials collide with a chance of 2e-7.
const ID_LEN: usize = 12;

/// Ends the id of a trial that runs a second time.
const AGAIN: &str = "-again";

/// Whether the id is of the baseline timed once more. Whatever its speedup over the baseline is, is noise.
pub fn is_duplicate(id: &str) -> bool {
    id.ends_with(AGAIN)
}

/// One distinct point of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// Hash of everything that decides what is decoded: decoder, models, workload, sampling, seed.
    /// Device, dtype and timing are not in it, so that runs on two machines can be compared.
    pub id: String,
    /// Name in tables and legends: the family and the axis values.
    pub label: String,
    /// Name of the decoder entry, or of the rule in `param_grid`, whose point comes first.
    pub family: String,
    /// The label, then the labels of the equal points that were merged into this one.
    pub names: Vec<String>,
    /// The decoder as the first of its points gave it.
    pub decoder: DecoderSpec,
    /// Dotted path (or name in `param_grid`) and value of each axis that the decoder reads.
    pub axes: Vec<(String, Value)>,
}

impl Trial {
    pub(super) fn new(id: String, candidate: Candidate) -> Self {
        Self {
            id,
            names: vec![candidate.label.clone()],
            label: candidate.label,
            family: candidate.family,
            decoder: candidate.decoder,
            axes: candidate.axes,
        }
    }

    /// The same once more, as a trial of its own.
    pub(super) fn again(&self) -> Self {
        let label = format!("{} again", self.label);
        Self {
            id: format!("{}{AGAIN}", self.id),
            names: vec![label.clone()],
            family: label.clone(),
            label,
            ..self.clone()
        }
    }
}

/// The identity of `decoder` in this sweep. It depends on values alone, not on their order or
/// spelling, nor on parameters that are not read.
pub(super) fn id(sweep: &SweepSpec, decoder: &DecoderSpec) -> String {
    let models: Map<String, Value> = decoder
        .roles()
        .iter()
        .map(|&role| (role.key().to_owned(), json!(sweep.models.get(role))))
        .collect();
    let identity = json!({
        "decoder": canonical::normal_form(decoder, &sweep.sampling),
        "models": models,
        "workload": sweep.workload,
        "sampling": sweep.sampling,
        "seed": sweep.seed,
    });
    let hash = Sha256::digest(canonical::text(&identity));
    let mut id: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    id.truncate(ID_LEN);
    id
}
