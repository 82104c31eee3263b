//! Every point that a sweep names, before any is merged or refused.

use serde_json::Value;

use super::canonical;
use super::label::label;
use crate::config::decoder::DecoderSpec;
use crate::config::decoder_entry::Point;
use crate::config::error::Fault;
use crate::config::sweep::SweepSpec;

/// The name of the baseline and of its family.
const BASELINE: &str = "autoregressive";

/// A point with its names.
pub(super) struct Candidate {
    pub family: String,
    pub label: String,
    pub decoder: DecoderSpec,
    /// Axes that the decoder reads.
    pub axes: Vec<(String, Value)>,
}

impl Candidate {
    fn new(family: &str, point: Point) -> Self {
        Self {
            family: family.to_owned(),
            label: label(family, &point.axes),
            decoder: point.decoder,
            axes: point.axes,
        }
    }
}

/// One verifier forward per token, for `batch_size` prompts at a time.
pub(super) fn baseline(batch_size: usize) -> Candidate {
    let decoder = DecoderSpec::Autoregressive { batch_size };
    let axes = match batch_size {
        1 => Vec::new(),
        _ => vec![("batch_size".to_owned(), batch_size.into())],
    };
    Candidate::new(BASELINE, Point { decoder, axes })
}

/// The points of `decoders`, then those of `param_grid`, in the order of the file.
pub(super) fn candidates(sweep: &SweepSpec) -> Result<Vec<Candidate>, Fault> {
    let mut candidates = Vec::new();
    for (index, entry) in sweep.decoders.iter().enumerate() {
        let points = entry
            .points()
            .map_err(|fault| fault.below(&format!("decoders[{index}]")))?;
        candidates.extend(points.into_iter().map(|mut point| {
            canonical::retain_read_axes(&mut point);
            Candidate::new(&entry.name, point)
        }));
    }
    if let Some(grid) = &sweep.param_grid {
        let points = grid.points().map_err(|fault| fault.below("param_grid"))?;
        candidates.extend(
            points
                .into_iter()
                .map(|(strategy, point)| Candidate::new(strategy.name(), point)),
        );
    }
    Ok(candidates)
}
