//! Two groups on the same prompts, compared by the ratio or the difference of their Σn / Σd.

use crate::analysis::hypotheses::data::Figures;
use crate::config::experiment::Metric;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::effect::hedges_gz;
use crate::stats::interval::{Confidence, Interval};
use crate::stats::power::PairedDesign;
use crate::stats::sample::Sample;
use crate::stats::significance::Alpha;

/// Numerator and denominator of a metric on one prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Part {
    pub n: f64,
    pub d: f64,
}

/// A metric on one prompt; none where it was not observed.
pub fn part(metric: Metric, figures: &Figures) -> Option<Part> {
    let of = |n: f64, d: f64| Some(Part { n, d });
    let share = |holds: bool| of(f64::from(u8::from(holds)), 1.0);
    match metric {
        Metric::Speedup => of(figures.baseline_ns?, figures.ns),
        Metric::Acceptance => of(figures.accepted, figures.drafted),
        Metric::BlockEfficiency => of(figures.committed, figures.forwards),
        Metric::ExactMatch => share(figures.is_correct?),
        Metric::Score => of(figures.score?, 1.0),
        Metric::SameText => share(figures.same_text?),
        Metric::NatsPerToken => of(figures.nats?, figures.committed),
    }
}

/// Σn / Σd; none without a denominator.
pub fn value(parts: impl Iterator<Item = Part>) -> Option<f64> {
    let (n, d) = parts.fold((0.0, 0.0), |(n, d), part| (n + part.n, d + part.d));
    (d > 0.0).then(|| n / d)
}

/// The same prompts under two choices of a decoder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Paired {
    pub one: Vec<Part>,
    pub other: Vec<Part>,
}

impl Paired {
    pub fn push(&mut self, one: Part, other: Part) {
        self.one.push(one);
        self.other.push(other);
    }

    pub fn extend(&mut self, more: &Self) {
        self.one.extend(&more.one);
        self.other.extend(&more.other);
    }

    /// Number of prompts.
    pub fn n(&self) -> usize {
        self.one.len()
    }

    fn at(&self, indices: &[usize]) -> Option<(f64, f64)> {
        let of = |side: &[Part]| value(indices.iter().map(|&index| side[index]));
        Some((of(&self.one)?, of(&self.other)?))
    }

    fn values(&self) -> Option<(f64, f64)> {
        Some((
            value(self.one.iter().copied())?,
            value(self.other.iter().copied())?,
        ))
    }

    /// One's value over the other's, with the interval of a bootstrap over prompts. None without prompts
    /// or where a value is not positive.
    pub fn ratio(&self, alpha: Alpha) -> Option<Interval> {
        let ratio = |(one, other): (f64, f64)| (one > 0.0 && other > 0.0).then(|| one / other);
        let estimate = ratio(self.values()?)?;
        Some(bootstrap(alpha).around(estimate, self.n(), |indices| {
            self.at(indices).and_then(ratio)
        }))
    }

    /// A value per prompt whose mean is ln(one / other): that logarithm plus what the prompt adds to it
    /// in the first order (the delta method; its influence function). None as [`Self::ratio`].
    pub fn log_ratios(&self) -> Option<Sample> {
        let (one, other) = self
            .values()
            .filter(|(one, other)| *one > 0.0 && *other > 0.0)?;
        let center = (one / other).ln();
        let influence = |parts: &[Part]| -> Vec<f64> {
            let (n, d) = means(parts);
            parts.iter().map(|part| part.n / n - part.d / d).collect()
        };
        let (one, other) = (influence(&self.one), influence(&self.other));
        Sample::new(
            one.iter()
                .zip(&other)
                .map(|(one, other)| center + one - other)
                .collect(),
        )
        .ok()
    }

    /// A value per prompt whose mean is one − other, as [`Self::log_ratios`].
    pub fn differences(&self) -> Option<Sample> {
        let (one, other) = self.values()?;
        let influence = |parts: &[Part], value: f64| -> Vec<f64> {
            let (_, d) = means(parts);
            parts
                .iter()
                .map(|part| (part.n - value * part.d) / d)
                .collect()
        };
        let (ones, others) = (influence(&self.one, one), influence(&self.other, other));
        let center = one - other;
        Sample::new(
            ones.iter()
                .zip(&others)
                .map(|(one, other)| center + one - other)
                .collect(),
        )
        .ok()
    }
}

fn means(parts: &[Part]) -> (f64, f64) {
    let len = parts.len() as f64;
    let (n, d) = parts
        .iter()
        .fold((0.0, 0.0), |(n, d), part| (n + part.n, d + part.d));
    (n / len, d / len)
}

/// The bootstrap whose interval goes with a two-sided test at `alpha`.
pub fn bootstrap(alpha: Alpha) -> Bootstrap {
    Bootstrap {
        confidence: Confidence::new(1.0 - alpha.level()).unwrap_or(Confidence::P95),
        ..Bootstrap::default()
    }
}

/// Probability with which a detectable effect is found.
pub const POWER: f64 = 0.8;

/// The smallest mean of such values that a test of so many finds; none where they do not vary.
pub fn detectable(values: &Sample, alpha: Alpha) -> Option<f64> {
    let mean = values.mean();
    let squares: f64 = values
        .values()
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum();
    let freedom = values.len().checked_sub(1).filter(|freedom| *freedom > 0)?;
    let design = PairedDesign {
        n: values.len(),
        sd: (squares / freedom as f64).sqrt(),
        alpha,
    };
    design.minimum_detectable_effect(POWER)
}

/// Hedges' g_z of `values` against `null`; none for fewer than two or without variation.
pub fn effect_size(values: &Sample, null: f64) -> Option<f64> {
    let shifted = values.values().iter().map(|value| value - null).collect();
    hedges_gz(&Sample::new(shifted).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(values: &[f64]) -> Vec<Part> {
        values.iter().map(|&d| Part { n: 100.0, d }).collect()
    }

    #[test]
    fn the_values_per_prompt_have_the_logarithm_of_the_ratio_as_their_mean() {
        let paired = Paired {
            one: times(&[50.0, 80.0, 20.0]),
            other: times(&[100.0, 90.0, 30.0]),
        };
        let ratio = paired.ratio(Alpha::P05).unwrap();
        assert!((ratio.estimate - 220.0 / 150.0).abs() < 1e-12);
        let logs = paired.log_ratios().unwrap();
        assert!((logs.mean() - ratio.estimate.ln()).abs() < 1e-12);
        // The one that saves least holds the mean back.
        assert!(logs.values()[1] < logs.mean() && logs.values()[0] > logs.mean());
        let differences = paired.differences().unwrap();
        assert!((differences.mean() - (300.0 / 150.0 - 300.0 / 220.0)).abs() < 1e-12);
    }

    #[test]
    fn the_same_factor_on_every_prompt_leaves_no_doubt() {
        let other = [100.0, 250.0, 70.0, 90.0];
        let one: Vec<f64> = other.iter().map(|time| time / 1.25).collect();
        let paired = Paired {
            one: times(&one),
            other: times(&other),
        };
        let ratio = paired.ratio(Alpha::P05).unwrap();
        assert!((ratio.low - 1.25).abs() < 1e-9 && (ratio.high - 1.25).abs() < 1e-9);
        assert_eq!(
            paired
                .log_ratios()
                .map(|logs| detectable(&logs, Alpha::P05).is_some_and(|e| e > 1e-9)),
            Some(false)
        );
    }

    #[test]
    fn nothing_drafted_has_no_acceptance() {
        let nothing = Figures::default();
        assert_eq!(
            part(Metric::Acceptance, &nothing),
            Some(Part { n: 0.0, d: 0.0 })
        );
        assert_eq!(value([Part::default(); 3].into_iter()), None);
        assert_eq!(part(Metric::Score, &nothing), None);
    }
}
