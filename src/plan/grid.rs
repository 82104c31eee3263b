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

/// The points of one decoder entry, or of `param_grid`.
pub(super) struct Entry {
    /// Its key in the sweep file.
    pub path: String,
    /// Values of each axis that points are numbered by.
    pub shape: Vec<usize>,
    pub candidates: Vec<Candidate>,
}

/// A point with its names.
pub(super) struct Candidate {
    pub family: String,
    pub label: String,
    pub decoder: DecoderSpec,
    /// Axes that the decoder reads.
    pub axes: Vec<(String, Value)>,
    /// See [`Point::number`].
    pub number: usize,
}

impl Candidate {
    fn new(family: &str, point: Point) -> Self {
        Self {
            family: family.to_owned(),
            label: label(family, &point.axes),
            decoder: point.decoder,
            axes: point.axes,
            number: point.number,
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
    let point = Point {
        decoder,
        axes,
        number: 0,
    };
    Candidate::new(BASELINE, point)
}

/// The points of `decoders`, then those of `param_grid`, in the order of the file.
pub(super) fn entries(sweep: &SweepSpec) -> Result<Vec<Entry>, Fault> {
    let mut entries = Vec::new();
    for (index, entry) in sweep.decoders.iter().enumerate() {
        let path = format!("decoders[{index}]");
        let points = entry.points().map_err(|fault| fault.below(&path))?;
        let candidates = points.into_iter().map(|mut point| {
            canonical::retain_read_axes(&mut point);
            Candidate::new(&entry.name, point)
        });
        entries.push(Entry {
            path,
            shape: entry.shape(),
            candidates: candidates.collect(),
        });
    }
    if let Some(grid) = &sweep.param_grid {
        let points = grid.points().map_err(|fault| fault.below("param_grid"))?;
        let candidates = points
            .into_iter()
            .map(|(strategy, point)| Candidate::new(strategy.name(), point));
        entries.push(Entry {
            path: "param_grid".to_owned(),
            shape: grid.shape(),
            candidates: candidates.collect(),
        });
    }
    Ok(entries)
}
