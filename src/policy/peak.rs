//! The largest value of a row, found at the speed of memory: loops that carry one value from entry to
//! entry do not vectorise, loops over blocks do.

const BLOCK: usize = 32;

/// Largest entry; −∞ for an empty row. A NaN is passed over.
pub(super) fn largest(row: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut best = [f32::NEG_INFINITY; BLOCK];
    let (blocks, rest) = row.as_chunks::<BLOCK>();
    for block in blocks {
        for (best, &x) in best.iter_mut().zip(block) {
            *best = larger(*best, x);
        }
    }
    best.iter()
        .chain(rest)
        .copied()
        .fold(f32::NEG_INFINITY, larger)
}

/// Index of the first entry that equals `value`.
#[inline(always)]
pub(super) fn first_index_of(row: &[f32], value: f32) -> Option<usize> {
    let holds = |block: &&[f32]| block.iter().fold(false, |found, &x| found | (x == value));
    let n_before = row.chunks(BLOCK).take_while(|block| !holds(block)).count() * BLOCK;
    let rest = row.get(n_before..)?;
    let offset = rest.iter().position(|&x| x == value)?;
    Some(n_before + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_entry_and_its_first_place_are_found_wherever_they_are() {
        for len in [1, 31, 32, 33, 100] {
            for at in 0..len {
                let mut row = vec![-1.0; len];
                row[at] = 2.0;
                row[len - 1] = 2.0;
                assert_eq!(largest(&row), 2.0);
                assert_eq!(first_index_of(&row, 2.0), Some(at));
                assert_eq!(first_index_of(&row, 3.0), None);
            }
        }
        assert_eq!(largest(&[f32::NAN, 1.0, f32::NAN]), 1.0);
        assert_eq!(largest(&[]), f32::NEG_INFINITY);
        assert_eq!(first_index_of(&[], 0.0), None);
    }
}
