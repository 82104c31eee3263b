//! What a model takes in memory, and what there is.

use crate::model::arch::Architecture;
use crate::model::checkpoint::Checkpoint;
use crate::model::device::Dtype;
use crate::model::tensors;

/// Weights, a tied head counted once.
pub fn n_parameters(checkpoint: &Checkpoint) -> u64 {
    let shapes = tensors::expected(checkpoint).into_values();
    shapes.map(|shape| n_values(&shape)).sum()
}

/// Bytes of the weights on a device, where a tied head has a matrix of its own.
pub fn weight_bytes(checkpoint: &Checkpoint, dtype: Dtype) -> u64 {
    let arch = &checkpoint.arch;
    let head_copy = if arch.tied_head {
        n_values(&[arch.vocab_len, arch.hidden_len])
    } else {
        0
    };
    n_parameters(checkpoint)
        .saturating_add(head_copy)
        .saturating_mul(dtype.n_bytes())
}

/// Bytes of the keys and values of `context_len` rows.
pub fn cache_bytes(arch: &Architecture, context_len: usize, dtype: Dtype) -> u64 {
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
