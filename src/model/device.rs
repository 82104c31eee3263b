//! Where a model runs.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{DType, Device};
use serde::{Deserialize, Serialize};

/// A device by name: `cpu`, `cuda`, `cuda:1` or `wgpu`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceSpec {
    #[default]
    Cpu,
    Cuda(usize),
    Wgpu,
}

/// The number format of the weights and of the arithmetic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    #[default]
    F32,
    F16,
    Bf16,
}

impl Dtype {
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Bf16];

    /// Whether an open device computes in it, where others only store it or do not know it: what they
    /// compute would have no meaning.
    pub fn is_computed_by(self, device: &Device) -> bool {
        device.supports_dtype(DType::from(self))
    }

    pub fn n_bytes(self) -> u64 {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::Bf16 => 2,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dtype::F32 => "f32",
            Dtype::F16 => "f16",
            Dtype::Bf16 => "bf16",
        })
    }
}

impl From<Dtype> for DType {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::Bf16 => DType::BF16,
        }
    }
}

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("unknown device '{0}', expected cpu, cuda, cuda:N or wgpu")]
    Unknown(String),
    #[error(
        "device {device}: this binary was built without it; rebuild with `cargo build --release --features {feature}`, or use `device: cpu`"
    )]
    NotCompiled {
        device: DeviceSpec,
        feature: &'static str,
    },
    #[error(
        "device {device}: no driver found ({library}); install the GPU driver, or use `device: cpu`"
    )]
    NoDriver {
        device: DeviceSpec,
        library: &'static str,
    },
    #[error(
        "device {device}: it could not be opened; check the index and the driver, or use `device: cpu`"
    )]
    CannotOpen { device: DeviceSpec },
    #[error("device {device}: it does not compute in {dtype}; use `dtype: f32`, or another device")]
    Dtype { device: DeviceSpec, dtype: Dtype },
}

impl FromStr for DeviceSpec {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "wgpu" => Ok(Self::Wgpu),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|index| index.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| DeviceError::Unknown(text.to_string())),
        }
    }
}

impl TryFrom<String> for DeviceSpec {
    type Error = DeviceError;

    fn try_from(text: String) -> Result<Self, DeviceError> {
        text.parse()
    }
}

impl From<DeviceSpec> for String {
    fn from(device: DeviceSpec) -> String {
        device.to_string()
    }
}

impl fmt::Display for DeviceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(0) => f.write_str("cuda"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Wgpu => f.write_str("wgpu"),
        }
    }
}

impl DeviceSpec {
    /// Opens the device.
    ///
    /// # Errors
    /// When the backend is not compiled in, its driver is missing, or it refuses the device.
    pub fn open(self) -> Result<Device, DeviceError> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Cuda(index) => open_cuda(self, index),
            Self::Wgpu => open_wgpu(self),
        }
    }

    /// Opens the device for weights and arithmetic of a dtype.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when the device does not compute in the dtype.
    pub fn open_for(self, dtype: Dtype) -> Result<Device, DeviceError> {
        let device = self.open()?;
        if dtype.is_computed_by(&device) {
            Ok(device)
        } else {
            Err(DeviceError::Dtype {
                device: self,
                dtype,
            })
        }
    }
}

/// Backends report a missing device by a panic; this turns it into our error.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn probe(spec: DeviceSpec, device: Device) -> Result<Device, DeviceError> {
    use burn::tensor::Tensor;
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let sum: f32 = Tensor::<1>::ones([2], &device).sum().into_scalar();
        assert_eq!(sum, 2.0);
    }))
    .map(|()| device)
    .map_err(|_| DeviceError::CannotOpen { device: spec })
}

#[cfg(feature = "cuda")]
fn open_cuda(spec: DeviceSpec, index: usize) -> Result<Device, DeviceError> {
    if !crate::model::native::has_library(&["libcuda.so.1", "libcuda.so", "nvcuda.dll"]) {
        return Err(DeviceError::NoDriver {
            device: spec,
            library: "libcuda.so.1",
        });
    }
    probe(spec, Device::cuda(index))
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(spec: DeviceSpec, _index: usize) -> Result<Device, DeviceError> {
    Err(DeviceError::NotCompiled {
        device: spec,
        feature: "cuda",
    })
}

#[cfg(feature = "wgpu")]
fn open_wgpu(spec: DeviceSpec) -> Result<Device, DeviceError> {
    match std::panic::catch_unwind(|| Device::wgpu(Default::default())) {
        Ok(device) => probe(spec, device),
        Err(_) => Err(DeviceError::CannotOpen { device: spec }),
    }
}

#[cfg(not(feature = "wgpu"))]
fn open_wgpu(spec: DeviceSpec) -> Result<Device, DeviceError> {
    Err(DeviceError::NotCompiled {
        device: spec,
        feature: "wgpu",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_print_alike() {
        for name in ["cpu", "cuda", "cuda:1", "wgpu"] {
            assert_eq!(name.parse::<DeviceSpec>().unwrap().to_string(), name);
        }
        assert!(
            "gpu"
                .parse::<DeviceSpec>()
                .unwrap_err()
                .to_string()
                .contains("cpu, cuda")
        );
    }

    #[test]
    fn the_cpu_computes_in_every_dtype() {
        for dtype in Dtype::ALL {
            assert!(DeviceSpec::Cpu.open_for(dtype).is_ok(), "{dtype}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_is_not_compiled_in_names_the_feature() {
        let error = DeviceSpec::Cuda(1).open().unwrap_err().to_string();
        assert!(
            error.contains("cuda:1") && error.contains("--features cuda"),
            "{error}"
        );
    }
}
