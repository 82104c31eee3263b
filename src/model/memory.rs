//! What a model takes in memory, and what there is.

use crate::model::arch::Architecture;
use crate::model::checkpoint::Checkpoint;
use crate::model::device::{DeviceSpec, Dtype};
use crate::model::panels::has_vectors;
use crate::model::tensors;

/// Whether a model on this device runs on packed weights, see [`crate::model::cpu`].
fn is_packed(device: DeviceSpec) -> bool {
    device == DeviceSpec::Cpu && has_vectors()
}

/// Weights, a tied head counted once.
pub fn n_parameters(checkpoint: &Checkpoint) -> u64 {
    let shapes = tensors::expected(checkpoint).into_values();
    shapes.map(|shape| n_values(&shape)).sum()
}

/// Bytes of the weights. In tensors a tied head has a matrix of its own; packed, it has none.
pub fn weight_bytes(checkpoint: &Checkpoint, device: DeviceSpec, dtype: Dtype) -> u64 {
    let arch = &checkpoint.arch;
    let head_copy = if arch.tied_head && !is_packed(device) {
        n_values(&[arch.vocab_len, arch.hidden_len])
    } else {
        0
    };
    n_parameters(checkpoint)
        .saturating_add(head_copy)
        .saturating_mul(dtype.n_bytes())
}

/// Bytes of the keys and values of so many rows; beside packed weights they are in f32.
pub fn cache_bytes(
    arch: &Architecture,
    device: DeviceSpec,
    (context_len, dtype): (usize, Dtype),
) -> u64 {
    let dtype = if is_packed(device) { Dtype::F32 } else { dtype };
    n_values(&[
        2,
        arch.n_layers,
        arch.n_kv_heads,
        arch.head_len,
        context_len,
    ])
    .saturating_mul(dtype.n_bytes())
}

fn n_values(shape: &[usize]) -> u64 {
    let factors = shape.iter().map(|&n| n as u64);
    factors.fold(1, u64::saturating_mul)
}

/// Bytes that this machine can still give; none where it does not say.
pub fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib.saturating_mul(1024))
}

/// Bytes in binary units, for people.
pub fn readable(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, None);
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = Some(next);
    }
    match unit {
        Some(unit) => format!("{value:.1} {unit}"),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        assert_eq!(readable(1023), "1023 B");
        assert_eq!(readable(1536), "1.5 KiB");
        assert_eq!(readable(3 << 40), "3.0 TiB");
        assert_eq!(readable(u64::MAX), "16777216.0 TiB");
    }
}
