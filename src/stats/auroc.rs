//! How well a score tells yes from no: the area under the receiver operating characteristic.
//!
//! The area is the probability that a random positive has a greater score than a random negative,
//! equal scores counting one half: 0.5 for a score that knows nothing, 1 for a perfect one. With
//! the drafter's entropy as the score and rejection as the label it says whether entropy can steer
//! a draft at all, before any threshold is chosen.
//!
//! Pitfalls: positions of a prompt are not independent, so DeLong's interval over positions is too
//! narrow; [`Bootstrap::auroc`] resamples prompts. Only slots that were tested have a label, and
//! the first rejection hides the rest, so the labels belong to the policy that made the drafts. The
//! area weighs all thresholds alike, also those that nobody would use.

use statrs::distribution::{ContinuousCDF, Normal};

use super::bootstrap::Bootstrap;
use super::interval::{Confidence, Interval};
use super::sample::SampleError;

/// One scored position of a prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Identity of the prompt, any number.
    pub prompt: u64,
    pub score: f64,
    /// What the score is to find; greater scores should mean `true`.
    pub label: bool,
}

/// Scored positions in rising order of score, ready for areas under any weights of the prompts.
#[derive(Debug, Clone)]
pub struct Predictions {
    positions: Vec<Position>,
    /// Identities in rising order.
    prompts: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Position {
    /// Index of the prompt among all prompts, in rising order of their identities.
    prompt: u32,
    is_positive: bool,
    /// Whether the next position has a greater score.
    ends_tie: bool,
}

impl Predictions {
    /// # Errors
    /// [`SampleError::Empty`], [`SampleError::NotFinite`] for a score.
    ///
    /// # Panics
    /// With 2³² prompts or more.
    pub fn new(mut scored: Vec<Scored>) -> Result<Self, SampleError> {
        if scored.is_empty() {
            return Err(SampleError::Empty);
        }
        if let Some(index) = scored.iter().position(|one| !one.score.is_finite()) {
            let value = scored[index].score;
            return Err(SampleError::NotFinite { index, value });
        }
        let mut prompts: Vec<u64> = scored.iter().map(|one| one.prompt).collect();
        prompts.sort_unstable();
        prompts.dedup();
        scored.sort_by(|one, other| one.score.total_cmp(&other.score));
        let positions = scored
            .iter()
            .enumerate()
            .map(|(index, one)| {
                let prompt = prompts.partition_point(|&prompt| prompt < one.prompt);
                Position {
                    prompt: u32::try_from(prompt).expect("fewer than 2³² prompts"),
                    is_positive: one.label,
                    ends_tie: scored
                        .get(index + 1)
                        .is_none_or(|next| next.score != one.score),
                }
            })
            .collect();
        Ok(Self { positions, prompts })
    }

    /// Number of different prompts, at least 1.
    pub fn n_prompts(&self) -> usize {
        self.prompts.len()
    }

    /// The area, exact with ties: the Mann–Whitney statistic over the number of pairs (Hanley and
    /// McNeil 1982). `None` without a positive or without a negative.
    pub fn auroc(&self) -> Option<f64> {
        self.weighted(&vec![1; self.n_prompts()])
    }

    /// The area with DeLong's interval for independent positions: normal around the area, cut to
    /// 0..=1, with the variance of DeLong, DeLong and Clarke-Pearson (1988) by the mid-ranks of Sun
    /// and Xu (2014). `None` without a positive or without a negative; unbounded with only one of
    /// either.
    ///
    /// Right for one position per prompt; with several see [`Bootstrap::auroc`].
    pub fn delong(&self, confidence: Confidence) -> Option<Interval> {
        let estimate = self.auroc()?;
        let Some(variance) = self.delong_variance() else {
            return Some(Interval::unbounded(estimate, confidence));
        };
        let half_width = Normal::standard().inverse_cdf(1.0 - confidence.tail()) * variance.sqrt();
        Some(Interval {
            estimate,
            low: (estimate - half_width).max(0.0),
            high: (estimate + half_width).min(1.0),
            confidence: confidence.level(),
        })
    }

    /// DeLong's variance of the area, for independent positions. `None` with fewer than two
    /// positives or negatives.
    pub fn delong_variance(&self) -> Option<f64> {
        let n_positive = self.positions.iter().filter(|one| one.is_positive).count();
        let n_negative = self.positions.len() - n_positive;
        if n_positive < 2 || n_negative < 2 {
            return None;
        }
        // The share of the other class that a position beats; ties count one half.
        let (mut beaten_by_positives, mut beaten_by_negatives) =
            (Spread::default(), Spread::default());
        let (mut positives, mut negatives) = (0, 0);
        for tie in self.positions.chunk_by(|one, _| !one.ends_tie) {
            let tied_positives = tie.iter().filter(|one| one.is_positive).count();
            let tied_negatives = tie.len() - tied_positives;
            let share = |below: usize, tied: usize, all: usize| {
                (below as f64 + tied as f64 / 2.0) / all as f64
            };
            let beaten = share(negatives, tied_negatives, n_negative);
            beaten_by_positives.add(beaten, tied_positives);
            let beaten = share(positives, tied_positives, n_positive);
            beaten_by_negatives.add(beaten, tied_negatives);
            positives += tied_positives;
            negatives += tied_negatives;
        }
        Some(
            beaten_by_positives.variance() / n_positive as f64
                + beaten_by_negatives.variance() / n_negative as f64,
        )
    }

    /// The area when the positions of prompt i count `weights[i]` times: one pass, in whole
    /// numbers.
    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        // Twice the pairs won, so that a tie is a whole number.
        let (mut won, mut positives, mut negatives) = (0u128, 0u64, 0u64);
        let (mut tied_positives, mut tied_negatives) = (0u64, 0u64);
        for position in &self.positions {
            let weight = u64::from(weights[position.prompt as usize]);
            let positive = u64::from(position.is_positive);
            tied_positives += weight * positive;
            tied_negatives += weight * (1 - positive);
            if position.ends_tie {
                won += u128::from(tied_positives) * u128::from(2 * negatives + tied_negatives);
                positives += tied_positives;
                negatives += tied_negatives;
                (tied_positives, tied_negatives) = (0, 0);
            }
        }
        let pairs = positives as f64 * negatives as f64;
        (pairs > 0.0).then(|| won as f64 / (2.0 * pairs))
    }
}

impl Bootstrap {
    /// The area with an interval over prompts: a resample takes whole prompts with all their
    /// positions. Resamples without a positive or without a negative are left out. `None` when the
    /// data have none; unbounded with a single prompt.
    ///
    /// Every resampled area is exact, ties included; only the choice of resamples is random. The
    /// positions are sorted once, and a resample is one pass over them with the number of times
    /// that each prompt was drawn as the weight: 100,000 positions and 1,000 resamples take a
    /// quarter of a second. The jackknife of [`Method::Bca`](super::bootstrap::Method) is one pass
    /// more per prompt.
    pub fn auroc(&self, predictions: &Predictions) -> Option<Interval> {
        let n_prompts = predictions.n_prompts();
        let estimate = predictions.auroc()?;
        Some(self.around(estimate, n_prompts, |drawn| {
            predictions.weighted(&times_drawn(drawn, n_prompts))
        }))
    }

    /// The area of one score minus that of another on the same prompts, with an interval over
    /// prompts; what the prompts do to both scores cancels. `None` when either has no area.
    ///
    /// # Panics
    /// When the two were scored on different prompts.
    pub fn auroc_difference(&self, one: &Predictions, other: &Predictions) -> Option<Interval> {
        assert_eq!(one.prompts, other.prompts, "scores are of the same prompts");
        let n_prompts = one.n_prompts();
        let estimate = one.auroc()? - other.auroc()?;
        Some(self.around(estimate, n_prompts, |drawn| {
            let weights = times_drawn(drawn, n_prompts);
            Some(one.weighted(&weights)? - other.weighted(&weights)?)
        }))
    }
}

/// How often each prompt was drawn.
fn times_drawn(drawn: &[usize], n_prompts: usize) -> Vec<u32> {
    let mut times = vec![0; n_prompts];
    for &prompt in drawn {
        times[prompt] += 1;
    }
    times
}

/// Mean and spread of values with repetitions, by Welford's recurrence.
#[derive(Default)]
struct Spread {
    n: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    fn add(&mut self, value: f64, times: usize) {
        if times == 0 {
            return;
        }
        let times = times as f64;
        let distance = value - self.mean;
        self.n += times;
        self.mean += distance * times / self.n;
        self.squares += times * distance * (value - self.mean);
    }

    /// With n − 1.
    fn variance(&self) -> f64 {
        self.squares / (self.n - 1.0)
    }
}

#[cfg(test)]
#[path = "auroc_tests.rs"]
mod tests;
