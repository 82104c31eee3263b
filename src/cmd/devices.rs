//! `devices`: what can be used here, and why the rest cannot.

use crate::cmd::Failure;
use crate::model::device::DeviceSpec;

pub fn run() -> Result<(), Failure> {
    for device in [DeviceSpec::Cpu, DeviceSpec::Cuda(0), DeviceSpec::Wgpu] {
        match device.open() {
            Ok(_) => println!("{device}: usable"),
            Err(error) => println!("{device}: not usable: {error}"),
        }
    }
    Ok(())
}
