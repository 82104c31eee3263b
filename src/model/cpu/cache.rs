//! Keys and values of one sequence, laid out for products of queries with them.

use crate::model::panels::{Geometry, Panels};

/// Size of a cache.
#[derive(Debug, Clone, Copy)]
pub struct CacheShape {
    pub n_layers: usize,
    pub n_kv_heads: usize,
    pub head_len: usize,
    /// Rows.
    pub capacity: usize,
}

/// Rows of all layers; the first `len` of them are valid.
///
/// Per layer and head, keys are the columns of a matrix `[head_len, capacity]` and values the rows of
/// one `[capacity, head_len]`, both in panels: the scores of queries are a product with the first, and
/// what they attend to one with the second.
#[derive(Debug)]
pub struct CpuCache {
    shape: CacheShape,
    geometry: Geometry,
    keys: Vec<f32>,
    values: Vec<f32>,
    len: usize,
}

/// Keys and values of one head in one layer.
#[derive(Debug)]
pub struct HeadCache<'a> {
    shape: CacheShape,
    geometry: Geometry,
    keys: &'a mut [f32],
    values: &'a mut [f32],
}

impl CpuCache {
    pub fn new(shape: CacheShape) -> Self {
        let geometry = Geometry::here();
        let mut cache = Self {
            shape,
            geometry,
            keys: Vec::new(),
            values: Vec::new(),
            len: 0,
        };
        let n_heads = shape.n_layers * shape.n_kv_heads;
        cache.keys = vec![0.0; n_heads * cache.key_len()];
        cache.values = vec![0.0; n_heads * cache.value_len()];
        cache
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Counts `n` rows that every layer has written.
    ///
    /// # Panics
    /// When there is no room for them.
    pub fn grow(&mut self, n: usize) {
        self.len += n;
        assert!(self.len <= self.shape.capacity, "more rows than room");
    }

    /// The key heads of a layer.
    pub fn heads(&mut self, layer: usize) -> impl Iterator<Item = HeadCache<'_>> {
        let (shape, geometry) = (self.shape, self.geometry);
        let (key_len, value_len) = (self.key_len(), self.value_len());
        let first = layer * shape.n_kv_heads;
        let keys = self.keys[first * key_len..].chunks_exact_mut(key_len);
        let values = self.values[first * value_len..].chunks_exact_mut(value_len);
        keys.zip(values)
            .take(shape.n_kv_heads)
            .map(move |(keys, values)| HeadCache {
                shape,
                geometry,
                keys,
                values,
            })
    }

    /// Values of the keys of one head.
    fn key_len(&self) -> usize {
        self.shape.capacity.div_ceil(self.geometry.width) * key_stride(&self.shape, self.geometry)
    }

    /// Values of the values of one head.
    fn value_len(&self) -> usize {
        self.shape.head_len.div_ceil(self.geometry.width) * value_stride(&self.shape, self.geometry)
    }
}

fn key_stride(shape: &CacheShape, geometry: Geometry) -> usize {
    shape.head_len * geometry.width
}

fn value_stride(shape: &CacheShape, geometry: Geometry) -> usize {
    shape.capacity * geometry.width
}

impl HeadCache<'_> {
    /// Keys as columns: `[head_len, capacity]`.
    pub(super) fn keys(&self) -> Panels<'_, f32> {
        Panels {
            values: self.keys,
            stride: key_stride(&self.shape, self.geometry),
            in_len: self.shape.head_len,
            geometry: self.geometry,
        }
    }

    /// Values of the first `len` rows: `[len, head_len]`.
    pub(super) fn values(&self, len: usize) -> Panels<'_, f32> {
        Panels {
            values: self.values,
            stride: value_stride(&self.shape, self.geometry),
            in_len: len,
            geometry: self.geometry,
        }
    }

    pub fn set_key(&mut self, row: usize, key: &[f32]) {
        assert!(row < self.shape.capacity, "more rows than room");
        let width = self.geometry.width;
        let start = row / width * key_stride(&self.shape, self.geometry) + row % width;
        let column = self.keys[start..].iter_mut().step_by(width);
        for (to, from) in column.zip(key) {
            *to = *from;
        }
    }

    pub fn set_value(&mut self, row: usize, value: &[f32]) {
        assert!(row < self.shape.capacity, "more rows than room");
        let width = self.geometry.width;
        let stride = value_stride(&self.shape, self.geometry);
        for (panel, part) in value.chunks(width).enumerate() {
            let start = row * width + panel * stride;
            self.values[start..][..part.len()].copy_from_slice(part);
        }
    }
}
