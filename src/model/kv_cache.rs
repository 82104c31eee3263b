//! Keys and values of the rows seen so far, in physical order.

use burn::tensor::{DType, Device, Tensor};

/// Preallocated cache of one layer.
///
/// Keys lie transposed, so that `query · keys` reads rows of consecutive positions and nothing is
/// copied to attend. Rows are written in place: the tensors are taken out of their slots for the
/// write, because an update in place needs the only handle.
#[derive(Debug)]
pub struct LayerCache {
    keys: Option<Tensor<3>>,
    values: Option<Tensor<3>>,
}

/// The part of a layer's cache that a forward attends to.
#[derive(Debug)]
pub struct KeysValues {
    /// `[n_kv_heads, head_len, len]`
    pub keys: Tensor<3>,
    /// `[n_kv_heads, len, head_len]`
    pub values: Tensor<3>,
}

impl LayerCache {
    pub fn new(
        n_kv_heads: usize,
        head_len: usize,
        capacity: usize,
        dtype: DType,
        device: &Device,
    ) -> Self {
        Self {
            keys: Some(Tensor::zeros(
                [n_kv_heads, head_len, capacity],
                (device, dtype),
            )),
            values: Some(Tensor::zeros(
                [n_kv_heads, capacity, head_len],
                (device, dtype),
            )),
        }
    }

    /// Writes new rows behind the first `len` and returns all rows up to them.
    ///
    /// # Shapes
    /// - `keys`: `[n_kv_heads, head_len, n]`
    /// - `values`: `[n_kv_heads, n, head_len]`
    ///
    /// # Panics
    /// When a forward failed in the middle of an earlier write.
    pub fn append(&mut self, len: usize, new: KeysValues) -> KeysValues {
        let [n_kv_heads, head_len, n] = new.keys.dims();
        let end = len + n;
        let keys = self.keys.take().expect("no other handle on the keys");
        let values = self.values.take().expect("no other handle on the values");
        let keys = keys.slice_assign([0..n_kv_heads, 0..head_len, len..end], new.keys);
        let values = values.slice_assign([0..n_kv_heads, len..end, 0..head_len], new.values);
        let view = KeysValues {
            keys: keys.clone().narrow(2, 0, end),
            values: values.clone().narrow(1, 0, end),
        };
        self.keys = Some(keys);
        self.values = Some(values);
        view
    }
}
