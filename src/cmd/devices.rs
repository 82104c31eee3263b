//! `devices`: what can be used here, and why the rest cannot.

use crate::cmd::Failure;
use crate::model::device::{DeviceSpec, Dtype};

pub fn run() -> Result<(), Failure> {
    for device in [DeviceSpec::Cpu, DeviceSpec::Cuda(0), DeviceSpec::Wgpu] {
        if let Err(error) = device.open() {
            println!("{device}: not usable: {error}");
            continue;
        }
        let dtypes = [Dtype::F32, Dtype::F16, Dtype::Bf16].into_iter();
        let usable: Vec<String> = dtypes
            .filter(|&dtype| device.open_for(dtype).is_ok())
            .map(|dtype| dtype.to_string())
            .collect();
        println!("{device}: usable with {}", usable.join(", "));
    }
    Ok(())
}
