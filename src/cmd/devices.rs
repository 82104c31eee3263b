//! `devices`: what can be used here, and why the rest cannot.

use crate::cmd::Failure;
use crate::model::device::{DeviceSpec, Dtype};

pub fn run() -> Result<(), Failure> {
    for device in [DeviceSpec::Cpu, DeviceSpec::Cuda(0), DeviceSpec::Wgpu] {
        match device.open() {
            Ok(opened) => {
                let dtypes = Dtype::ALL.into_iter();
                let usable = dtypes.filter(|dtype| dtype.is_computed_by(&opened));
                let names: Vec<String> = usable.map(|dtype| dtype.to_string()).collect();
                println!("{device}: usable with {}", names.join(", "));
            }
            Err(error) => println!("{device}: not usable: {error}"),
        }
    }
    Ok(())
}
