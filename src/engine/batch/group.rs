//! Which sequences share a verifier forward.

/// Groups of sequences whose numbers of rows round up to the same power of two, so that less than half
/// of a padded forward is padding.
///
/// Input and output name a sequence by its number; groups come with their shortest first, and the
/// sequences of a group in the order given.
pub(super) fn by_similar_len(rows: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut groups: Vec<(usize, Vec<usize>)> = Vec::new();
    for &(sequence, n_rows) in rows {
        let size = n_rows.next_power_of_two();
        match groups.binary_search_by_key(&size, |group| group.0) {
            Ok(index) => groups[index].1.push(sequence),
            Err(index) => groups.insert(index, (size, vec![sequence])),
        }
    }
    groups.into_iter().map(|(_, sequences)| sequences).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_two_and_up_to_four_rows_are_three_groups() {
        let rows = [(0, 4), (1, 1), (5, 3), (2, 2), (7, 1)];
        assert_eq!(by_similar_len(&rows), [vec![1, 7], vec![2], vec![0, 5]]);
    }

    proptest! {
        #[test]
        fn every_sequence_is_in_one_group_that_is_less_than_half_padding(
            lens in prop::collection::vec(1_usize..40, 0..12),
        ) {
            let rows: Vec<(usize, usize)> = lens.iter().copied().enumerate().collect();
            let groups = by_similar_len(&rows);
            let mut named: Vec<usize> = groups.concat();
            named.sort_unstable();
            prop_assert_eq!(named, (0..lens.len()).collect::<Vec<_>>());
            for group in groups {
                let of_group = || group.iter().map(|&sequence| lens[sequence]);
                let padded = group.len() * of_group().max().unwrap();
                prop_assert!(padded < 2 * of_group().sum::<usize>());
            }
        }
    }
}
