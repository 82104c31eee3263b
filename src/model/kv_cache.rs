//! Keys and values of the rows seen so far, in physical order.

use std::ops::Range;

use burn::tensor::{DType, Device, Tensor};

/// Preallocated cache of one layer, for one or more sequences.
///
/// Keys lie transposed, so that `query · keys` reads rows of consecutive positions and nothing is
/// copied to attend. Rows are written in place: the tensors are taken out of their slots for the
/// write, because an update in place needs the only handle.
///
/// Each sequence has `capacity` rows of its own, filled from the first on. So rolling back one of them
/// is a smaller length, at no cost and without rounding, and rows never move; the price is one write
/// per sequence where a physical offset common to all would need one in all, but also the removal of
/// the holes that rolled-back rows leave in it.
#[derive(Debug)]
pub struct LayerCache {
    n_kv_heads: usize,
    keys: Option<Tensor<3>>,
    values: Option<Tensor<3>>,
}

/// Keys and values of some sequences, `n` heads in all: `n_kv_heads` per sequence.
#[derive(Debug)]
pub struct KeysValues {
    /// `[n, head_len, len]`
    pub keys: Tensor<3>,
    /// `[n, len, head_len]`
    pub values: Tensor<3>,
}

/// Where the new rows of one sequence go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    pub sequence: usize,
    /// Rows that the sequence has cached.
    pub cached: usize,
    pub n_rows: usize,
}

impl Placement {
    pub fn end(&self) -> usize {
        self.cached + self.n_rows
    }
}

/// Size of a cache.
#[derive(Debug, Clone, Copy)]
pub struct CacheShape {
    pub n_sequences: usize,
    pub n_kv_heads: usize,
    pub head_len: usize,
    /// Rows per sequence.
    pub capacity: usize,
}

impl LayerCache {
    pub fn new(shape: CacheShape, dtype: DType, device: &Device) -> Self {
        let CacheShape {
            n_sequences,
            n_kv_heads,
            head_len,
            capacity,
        } = shape;
        let n = n_sequences * n_kv_heads;
        Self {
            n_kv_heads,
            keys: Some(Tensor::zeros([n, head_len, capacity], (device, dtype))),
            values: Some(Tensor::zeros([n, capacity, head_len], (device, dtype))),
        }
    }

    /// Writes new rows behind those of their sequences, and returns the caches of these sequences, in
    /// the order of `places`, up to the longest. Behind its own end, a sequence holds stale rows or
    /// zeros.
    ///
    /// # Shapes
    /// - `new.keys`: `[places.len() · n_kv_heads, head_len, n]`; a sequence with fewer than `n` new
    ///   rows has them first, and the rest is not written
    /// - `new.values`: `[places.len() · n_kv_heads, n, head_len]`
    ///
    /// # Panics
    /// When a forward failed in the middle of an earlier write.
    pub fn append(&mut self, places: &[Placement], new: KeysValues) -> KeysValues {
        let heads = self.n_kv_heads;
        let head_len = new.keys.dims()[1];
        let mut keys = self.keys.take().expect("no other handle on the keys");
        let mut values = self.values.take().expect("no other handle on the values");
        for (index, place) in places.iter().enumerate() {
            let piece = KeysValues {
                keys: new.keys.clone(),
                values: new.values.clone(),
            };
            let piece = piece.part(index * heads..(index + 1) * heads, place.n_rows);
            let to = place.sequence * heads..(place.sequence + 1) * heads;
            let rows = place.cached..place.end();
            keys = keys.slice_assign([to.clone(), 0..head_len, rows.clone()], piece.keys);
            values = values.slice_assign([to, rows, 0..head_len], piece.values);
        }
        let total = places.iter().map(Placement::end).max().unwrap_or(0);
        let runs = runs(places).into_iter().map(|run| {
            let cache = KeysValues {
                keys: keys.clone(),
                values: values.clone(),
            };
            cache.part(run.start * heads..run.end * heads, total)
        });
        let view = KeysValues::joined(runs.collect());
        self.keys = Some(keys);
        self.values = Some(values);
        view
    }
}

impl KeysValues {
    /// The first `len` rows of some heads.
    fn part(self, heads: Range<usize>, len: usize) -> Self {
        Self {
            keys: narrowed(narrowed(self.keys, 0, heads.clone()), 2, 0..len),
            values: narrowed(narrowed(self.values, 0, heads), 1, 0..len),
        }
    }

    /// One part as it is; several are copied.
    fn joined(mut parts: Vec<Self>) -> Self {
        if parts.len() == 1 {
            return parts.swap_remove(0);
        }
        let (keys, values) = parts
            .into_iter()
            .map(|part| (part.keys, part.values))
            .unzip();
        Self {
            keys: Tensor::cat(keys, 0),
            values: Tensor::cat(values, 0),
        }
    }
}

fn narrowed(tensor: Tensor<3>, dim: usize, range: Range<usize>) -> Tensor<3> {
    if range.len() == tensor.dims()[dim] {
        tensor
    } else {
        tensor.narrow(dim, range.start, range.len())
    }
}

/// Sequences that follow one another in the cache, which can be attended to in place.
fn runs(places: &[Placement]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for place in places {
        match runs.last_mut() {
            Some(run) if run.end == place.sequence => run.end += 1,
            Some(_) | None => runs.push(place.sequence..place.sequence + 1),
        }
    }
    runs
}
