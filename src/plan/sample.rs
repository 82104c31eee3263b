//! Some of the trials of a sweep in place of all.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use rand::seq::{SliceRandom, index};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::sobol::{MAX_DIMS, Sobol};
use crate::config::error::Fault;
use crate::config::reduce::{SampleKind, SampleSpec};

/// Points of the sequence to look at; cells that so many miss are drawn at random.
const MAX_POINTS: usize = 1 << 18;

/// One decoder entry, or `param_grid`, as a box of cells.
#[derive(Debug)]
pub(super) struct Cells {
    /// Its key in the sweep file.
    pub path: String,
    /// Values of each axis.
    pub shape: Vec<usize>,
    /// The trial of each cell, by the cell's number with the last axis fastest. Cells whose point is refused,
    /// left out or a trial of an earlier entry have none; cells with equal points share one.
    pub trials: HashMap<usize, usize>,
    /// The trials that the entry is the first to name.
    pub own: Range<usize>,
}

/// The indices of the trials to keep.
///
/// # Errors
/// For `sobol`: fewer trials than entries, or an entry with too many axes.
pub(super) fn choose(spec: &SampleSpec, entries: &[Cells]) -> Result<BTreeSet<usize>, Fault> {
    let trials: Vec<usize> = entries.iter().flat_map(|entry| entry.own.clone()).collect();
    if spec.n >= trials.len() {
        return Ok(trials.into_iter().collect());
    }
    let mut random = ChaCha8Rng::seed_from_u64(spec.seed);
    match spec.kind {
        SampleKind::Random => {
            let chosen = index::sample(&mut random, trials.len(), spec.n);
            Ok(chosen.into_iter().map(|place| trials[place]).collect())
        }
        SampleKind::Sobol => {
            let entries: Vec<&Cells> = entries
                .iter()
                .filter(|entry| !entry.own.is_empty())
                .collect();
            let sizes: Vec<usize> = entries.iter().map(|entry| entry.own.len()).collect();
            let mut chosen = BTreeSet::new();
            for (entry, share) in entries.into_iter().zip(shares(spec.n, &sizes)?) {
                chosen.extend(entry.spread(share, &mut random)?);
            }
            Ok(chosen)
        }
    }
}

impl Cells {
    /// `n` trials at the first points of the sequence that hit one not hit before.
    fn spread(&self, n: usize, random: &mut ChaCha8Rng) -> Result<BTreeSet<usize>, Fault> {
        let n_dims = self.shape.iter().filter(|n_values| **n_values > 1).count();
        if n_dims > MAX_DIMS {
            let reason = format!(
                "sobol has {MAX_DIMS} axes at most, and {} has {n_dims}: use random",
                self.path
            );
            return Err(Fault::new("sample.kind", reason));
        }
        let points = Sobol::new(n_dims).shifted(|| random.random());
        let hit = points
            .take(MAX_POINTS)
            .filter_map(|point| self.trials.get(&self.cell(&point)).copied());
        let mut chosen = BTreeSet::new();
        for trial in hit {
            chosen.insert(trial);
            if chosen.len() == n {
                return Ok(chosen);
            }
        }
        let mut missed: Vec<usize> = self
            .own
            .clone()
            .filter(|trial| !chosen.contains(trial))
            .collect();
        missed.shuffle(random);
        missed.truncate(n - chosen.len());
        chosen.extend(missed);
        Ok(chosen)
    }

    /// The number of the cell that a point lies in. Axes of one value take no coordinate.
    fn cell(&self, point: &[u32]) -> usize {
        let mut coordinates = point.iter();
        self.shape.iter().fold(0, |number, &n_values| {
            let place = match n_values {
                1 => 0,
                _ => coordinates.next().map_or(0, |x| {
                    ((u64::from(*x) * n_values as u64) >> u32::BITS) as usize
                }),
            };
            number * n_values + place
        })
    }
}

/// One each, and the rest of `n` in proportion to what is left of the sizes, largest remainders first. With
/// `n` below their sum, no share is more than its size.
fn shares(n: usize, sizes: &[usize]) -> Result<Vec<usize>, Fault> {
    let Some(rest) = n.checked_sub(sizes.len()) else {
        let reason = format!(
            "{n} is too few for one trial of each of {} entries, expected {} or more",
            sizes.len(),
            sizes.len()
        );
        return Err(Fault::new("sample.n", reason));
    };
    let total = (sizes.iter().sum::<usize>() - sizes.len()).max(1);
    let mut shares: Vec<usize> = sizes
        .iter()
        .map(|size| 1 + rest * (size - 1) / total)
        .collect();
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|&place| std::cmp::Reverse(rest * (sizes[place] - 1) % total));
    let n_left = n - shares.iter().sum::<usize>();
    for &place in &by_remainder[..n_left] {
        shares[place] += 1;
    }
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A full grid of these axes, each cell a trial.
    fn grid(shape: &[usize], first: usize) -> Cells {
        let n_cells: usize = shape.iter().product();
        Cells {
            path: "decoders[0]".to_owned(),
            shape: shape.to_vec(),
            trials: (0..n_cells).map(|cell| (cell, first + cell)).collect(),
            own: first..first + n_cells,
        }
    }

    fn spec(kind: SampleKind, n: usize, seed: u64) -> SampleSpec {
        SampleSpec { kind, n, seed }
    }

    #[test]
    fn sixteen_of_a_grid_of_64_by_64_hit_every_sixteenth_of_both_axes() {
        // Where the points of Sobol's sequence are a net, so is the sample; 16 random ones miss some.
        for seed in 0..20 {
            let entries = [grid(&[64, 64], 1)];
            let chosen = choose(&spec(SampleKind::Sobol, 16, seed), &entries).unwrap();
            for axis in [|cell: usize| cell / 64, |cell: usize| cell % 64] {
                let mut strata: Vec<usize> = chosen.iter().map(|t| axis(t - 1) / 4).collect();
                strata.sort_unstable();
                assert!(strata.into_iter().eq(0..16), "seed {seed}");
            }
        }
    }

    #[test]
    fn an_entry_gets_its_share_and_a_small_one_at_least_one() {
        let entries = [grid(&[2], 1), grid(&[1], 3), grid(&[30, 10], 4)];
        let chosen = choose(&spec(SampleKind::Sobol, 30, 0), &entries).unwrap();
        let of = |own: &Range<usize>| chosen.iter().filter(|t| own.contains(t)).count();
        assert_eq!(entries.each_ref().map(|entry| of(&entry.own)), [1, 1, 28]);
    }

    #[test]
    fn cells_that_share_a_trial_count_once_and_holes_are_passed_over() {
        // Three cells in four are one trial, one cell in four is a hole.
        let mut entry = grid(&[8, 8], 0);
        entry.trials = (0..64)
            .filter(|cell| cell % 4 != 3)
            .map(|cell| (cell, cell / 4))
            .collect();
        entry.own = 0..16;
        let chosen = choose(&spec(SampleKind::Sobol, 15, 3), &[entry]).unwrap();
        assert_eq!(chosen.len(), 15);
    }

    #[test]
    fn what_the_sequence_does_not_reach_is_drawn() {
        let mut entry = grid(&[4], 0);
        entry.trials.remove(&2);
        entry.trials.remove(&3);
        let chosen = choose(&spec(SampleKind::Sobol, 3, 0), &[entry]).unwrap();
        assert!(chosen.len() == 3 && chosen.contains(&0) && chosen.contains(&1));
    }

    #[test]
    fn too_few_trials_and_too_many_axes_are_refused() {
        let entries = [grid(&[2], 0), grid(&[2], 2)];
        let fault = choose(&spec(SampleKind::Sobol, 1, 0), &entries).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "sample.n: 1 is too few for one trial of each of 2 entries, expected 2 or more"
        );
        let mut wide = grid(&[2], 0);
        wide.shape = vec![2; 22];
        let fault = choose(&spec(SampleKind::Sobol, 1, 0), &[wide]).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "sample.kind: sobol has 21 axes at most, and decoders[0] has 22: use random"
        );
    }

    #[test]
    fn a_random_sample_is_another_one_for_another_seed() {
        let entries = [grid(&[40, 40], 0)];
        let of = |seed| choose(&spec(SampleKind::Random, 20, seed), &entries).unwrap();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    proptest! {
        #[test]
        fn a_sample_has_the_size_asked_for_and_only_trials_of_the_plan(
            shapes in prop::collection::vec(prop::collection::vec(1_usize..5, 0..4), 1..5),
            n in 1_usize..200,
            seed: u64,
        ) {
            let mut first = 2;
            let entries: Vec<Cells> = shapes
                .iter()
                .map(|shape| {
                    let entry = grid(shape, first);
                    first = entry.own.end;
                    entry
                })
                .collect();
            let n_trials = first - 2;
            for kind in [SampleKind::Sobol, SampleKind::Random] {
                let n = n.max(entries.len());
                let chosen = choose(&spec(kind, n, seed), &entries).unwrap();
                prop_assert_eq!(chosen.len(), n.min(n_trials));
                prop_assert!(chosen.iter().all(|trial| (2..first).contains(trial)));
            }
        }

        #[test]
        fn shares_add_up_and_are_within_one_and_the_size(
            sizes in prop::collection::vec(1_usize..50, 1..10),
            excess in 0_usize..500,
        ) {
            let n = (sizes.len() + excess).min(sizes.iter().sum());
            let shares = shares(n, &sizes).unwrap();
            prop_assert_eq!(shares.iter().sum::<usize>(), n);
            prop_assert!(shares.iter().zip(&sizes).all(|(share, size)| (1..=*size).contains(share)));
        }
    }
}
