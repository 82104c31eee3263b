//! The matrices of a model: burn's, or packed for products of few rows on the CPU.

use std::sync::Arc;

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
    Param,
};
use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::model::panels::{PanelMatrix, has_vectors};

/// A weight `[in, out]` and the product with it.
#[derive(Debug, Clone)]
pub enum Linear {
    /// On any device, in any dtype, with gradients where the tensor has them.
    Dense(Param<Tensor<2>>),
    /// In f32 on the CPU, for inference: no parameters are left to visit, map or record. Clones share
    /// the weights.
    Packed(Arc<PanelMatrix>),
}

impl From<Param<Tensor<2>>> for Linear {
    fn from(weight: Param<Tensor<2>>) -> Self {
        Self::Dense(weight)
    }
}

impl Linear {
    /// # Shapes
    /// `[n, in]` → `[n, out]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Dense(weight) => x.matmul(weight.val()),
            Self::Packed(matrix) => {
                let (n, device) = (x.dims()[0], x.device());
                let rows = x.into_data();
                let rows = rows
                    .as_slice::<f32>()
                    .expect("a packed weight is used with rows in f32");
                let data = TensorData::new(matrix.multiply(rows), [n, matrix.out_len()]);
                Tensor::from_data(data, &device)
            }
        }
    }

    /// Packs a weight in f32 on the CPU, where its processor has vector instructions; leaves any other
    /// as it is. Of the dense weight nothing stays, unless another clone of it does.
    #[must_use]
    pub fn packed(self) -> Self {
        match self {
            Self::Dense(weight) if is_packable(&weight.val()) => {
                let weight = weight.into_value();
                let [in_len, out_len] = weight.dims();
                let data = weight.into_data();
                let values = data.as_slice::<f32>().expect("the dtype was f32");
                Self::Packed(Arc::new(PanelMatrix::pack(values, in_len, out_len)))
            }
            Self::Dense(_) | Self::Packed(_) => self,
        }
    }

    /// The weight `[in, out]` as a tensor; unpacked to the CPU if it was packed.
    pub fn matrix(&self) -> Tensor<2> {
        match self {
            Self::Dense(weight) => weight.val(),
            Self::Packed(matrix) => {
                let shape = [matrix.in_len(), matrix.out_len()];
                Tensor::from_data(TensorData::new(matrix.unpack(), shape), &Device::flex())
            }
        }
    }

    /// Values of a packed weight; those of a dense one are parameters, which burn counts.
    pub fn n_packed(&self) -> usize {
        match self {
            Self::Dense(_) => 0,
            Self::Packed(matrix) => matrix.in_len() * matrix.out_len(),
        }
    }

    pub fn is_packed(&self) -> bool {
        match self {
            Self::Dense(_) => false,
            Self::Packed(_) => true,
        }
    }

    fn dense(self) -> Param<Tensor<2>> {
        match self {
            Self::Dense(weight) => weight,
            Self::Packed(_) => Param::from_tensor(self.matrix()),
        }
    }
}

fn is_packable(weight: &Tensor<2>) -> bool {
    has_vectors()
        && weight.dtype() == DType::F32
        && !weight.is_autodiff()
        && weight.device() == Device::flex()
}

/// A dense weight is its parameter, under the name of the field that holds it; what burn moves to a
/// device or trains is dense again.
impl Module for Linear {
    fn collect_devices(&self, devices: Devices) -> Devices {
        match self {
            Self::Dense(weight) => weight.collect_devices(devices),
            Self::Packed(_) => devices,
        }
    }

    fn fork(self, device: &Device) -> Self {
        Self::Dense(self.dense().fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        Self::Dense(self.dense().to_device(device))
    }

    fn train(self) -> Self {
        Self::Dense(self.dense().train())
    }

    fn valid(&self) -> Self {
        match self {
            Self::Dense(weight) => Self::Dense(weight.valid()),
            Self::Packed(matrix) => Self::Packed(Arc::clone(matrix)),
        }
    }

    fn materialize(self) -> Self {
        match self {
            Self::Dense(weight) => Self::Dense(weight.materialize()),
            Self::Packed(_) => self,
        }
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        match self {
            Self::Dense(weight) => weight.visit(visitor),
            Self::Packed(_) => {}
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        match self {
            Self::Dense(weight) => Self::Dense(Module::map(weight, mapper)),
            Self::Packed(_) => self,
        }
    }
}

impl ModuleDisplayDefault for Linear {
    fn content(&self, content: Content) -> Option<Content> {
        match self {
            Self::Dense(weight) => weight.content(content),
            Self::Packed(matrix) => {
                let shape = format!("packed [{}, {}]", matrix.in_len(), matrix.out_len());
                content.add_formatted(&shape).optional()
            }
        }
    }

    fn num_params(&self) -> usize {
        match self {
            Self::Dense(weight) => Module::num_params(weight),
            Self::Packed(matrix) => matrix.in_len() * matrix.out_len(),
        }
    }
}

impl ModuleDisplay for Linear {}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(device: &Device) -> Linear {
        let values = (0..6_u8).map(f32::from).collect();
        let data = TensorData::new::<f32, _>(values, [2, 3]);
        Linear::from(Param::from_tensor(Tensor::from_data(data, device)))
    }

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec::<f32>().unwrap()
    }

    #[test]
    fn packed_and_dense_weights_multiply_alike() {
        let device = Device::flex();
        let (dense, packed) = (weight(&device), weight(&device).packed());
        assert!(matches!(packed, Linear::Packed(_)) || !has_vectors());
        let x = Tensor::<2>::from_data([[1.0, 2.0], [0.5, -1.0]], &device);
        let expected = [6.0, 9.0, 12.0, -3.0, -3.5, -4.0];
        assert_eq!(values(dense.forward(x.clone())), expected);
        assert_eq!(values(packed.forward(x.clone())), expected);
        let first_row = x.narrow(0, 1, 1);
        assert_eq!(values(packed.forward(first_row)), expected[3..]);
    }

    #[test]
    fn packing_keeps_the_weights_but_leaves_no_parameters() {
        let device = Device::flex();
        let (dense, packed) = (weight(&device), weight(&device).packed());
        assert_eq!(values(packed.matrix()), values(dense.matrix()));
        let n_parameters = |weight: &Linear| Module::num_params(weight) + weight.n_packed();
        assert_eq!(Module::num_params(&dense), 6);
        assert_eq!(n_parameters(&packed), 6);
        let trained = packed.train();
        assert_eq!(Module::num_params(&trained), 6);
        assert!(trained.matrix().is_autodiff());
    }

    #[test]
    fn weights_with_gradients_or_in_half_precision_stay_dense() {
        let device = Device::flex();
        let with_gradients = weight(&device).train().packed();
        assert!(matches!(with_gradients, Linear::Dense(_)));
        let half = Tensor::<2>::zeros([2, 3], (&device, DType::F16));
        let half = Linear::from(Param::from_tensor(half)).packed();
        assert!(matches!(half, Linear::Dense(_)));
    }
}
