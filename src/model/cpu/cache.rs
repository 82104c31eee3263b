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

/// One layer, to read.
#[derive(Debug, Clone, Copy)]
pub struct LayerView<'a> {
    cache: &'a CpuCache,
    layer: usize,
}

/// One layer, to write.
#[derive(Debug)]
pub struct LayerMut<'a> {
    cache: &'a mut CpuCache,
    layer: usize,
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

    pub fn layer(&self, layer: usize) -> LayerView<'_> {
        LayerView { cache: self, layer }
    }

    pub fn layer_mut(&mut self, layer: usize) -> LayerMut<'_> {
        LayerMut { cache: self, layer }
    }

    /// Values of the keys of one head.
    fn key_len(&self) -> usize {
        self.shape.capacity.div_ceil(self.geometry.width) * self.key_stride()
    }

    /// Values of the values of one head.
    fn value_len(&self) -> usize {
        self.shape.head_len.div_ceil(self.geometry.width) * self.value_stride()
    }

    fn key_stride(&self) -> usize {
        self.shape.head_len * self.geometry.width
    }

    fn value_stride(&self) -> usize {
        self.shape.capacity * self.geometry.width
    }

    fn head(&self, layer: usize, head: usize) -> usize {
        layer * self.shape.n_kv_heads + head
    }
}

impl<'a> LayerView<'a> {
    /// Keys as columns: `[head_len, capacity]`.
    pub(super) fn keys(self, head: usize) -> Panels<'a, f32> {
        let cache = self.cache;
        Panels {
            values: &cache.keys[cache.head(self.layer, head) * cache.key_len()..],
            stride: cache.key_stride(),
            in_len: cache.shape.head_len,
            geometry: cache.geometry,
        }
    }

    /// Values of the first `len` rows: `[len, head_len]`.
    pub(super) fn values(self, head: usize, len: usize) -> Panels<'a, f32> {
        let cache = self.cache;
        Panels {
            values: &cache.values[cache.head(self.layer, head) * cache.value_len()..],
            stride: cache.value_stride(),
            in_len: len,
            geometry: cache.geometry,
        }
    }
}

impl LayerMut<'_> {
    pub fn set_key(&mut self, head: usize, row: usize, key: &[f32]) {
        let cache = &mut *self.cache;
        assert!(row < cache.shape.capacity, "more rows than room");
        let width = cache.geometry.width;
        let start = cache.head(self.layer, head) * cache.key_len()
            + row / width * cache.key_stride()
            + row % width;
        let column = cache.keys[start..].iter_mut().step_by(width);
        for (to, from) in column.zip(key) {
            *to = *from;
        }
    }

    pub fn set_value(&mut self, head: usize, row: usize, value: &[f32]) {
        let cache = &mut *self.cache;
        assert!(row < cache.shape.capacity, "more rows than room");
        let (width, stride) = (cache.geometry.width, cache.value_stride());
        let start = cache.head(self.layer, head) * cache.value_len() + row * width;
        for (panel, part) in value.chunks(width).enumerate() {
            cache.values[start + panel * stride..][..part.len()].copy_from_slice(part);
        }
    }
}
