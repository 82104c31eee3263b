//! Whether two quantities rise together.
//!
//! [`pearson`] asks for a straight line, [`spearman`] for any rising or falling relation and is not
//! moved by outliers; [`point_biserial`] is Pearson with a yes or no (accepted, rejected) as the
//! second quantity. For "how well does the score tell yes from no" see [`auroc`](super::auroc).
//!
//! Pitfalls: the p-value and the Fisher intervals hold for independent pairs. Positions of one
//! prompt are not independent: average within the prompt first, or use the bootstrap over prompts.
//! A correlation over pooled prompts may come from the prompts alone.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::bootstrap::Bootstrap;
use super::interval::{Confidence, Interval};
use super::sample::Sample;

/// Pearson's product-moment correlation. None for fewer than two pairs, or when one side does not
/// vary.
///
/// # Panics
/// When the samples differ in length.
pub fn pearson(one: &Sample, other: &Sample) -> Option<f64> {
    assert_eq!(one.len(), other.len(), "correlation is over pairs");
    pearson_of(one.values(), other.values())
}

/// Spearman's rank correlation: Pearson's correlation of the ranks, equal values sharing the mean
/// of their ranks. None for fewer than two pairs, or when one side does not vary.
///
/// # Panics
/// When the samples differ in length.
pub fn spearman(one: &Sample, other: &Sample) -> Option<f64> {
    assert_eq!(one.len(), other.len(), "correlation is over pairs");
    pearson_of(&ranks(one.values()), &ranks(other.values()))
}

/// Pearson's correlation of `values` with `labels` as 1 and 0: positive when the true ones have the
/// greater mean. None when all labels agree or no value differs.
///
/// # Panics
/// When the two differ in length.
pub fn point_biserial(values: &Sample, labels: &[bool]) -> Option<f64> {
    assert_eq!(values.len(), labels.len(), "correlation is over pairs");
    let labels: Vec<f64> = labels
        .iter()
        .map(|&label| f64::from(u8::from(label)))
        .collect();
    pearson_of(values.values(), &labels)
}

/// Two-sided p-value of a correlation of `n` independent pairs against none: t = r·√((n−2)/(1−r²))
/// with n − 2 degrees of freedom. Exact for Pearson and point-biserial of normal data, an
/// approximation for Spearman (as scipy's `spearmanr`). None for fewer than three pairs.
///
/// # Panics
/// When `correlation` is not in −1..=1.
pub fn p_value(correlation: f64, n: usize) -> Option<f64> {
    assert_correlation(correlation);
    if n < 3 {
        return None;
    }
    let freedom = (n - 2) as f64;
    let t = StudentsT::new(0.0, 1.0, freedom).expect("at least one degree of freedom");
    let rest = (1.0 - correlation) * (1.0 + correlation);
    Some(if rest > 0.0 {
        2.0 * t.sf(correlation.abs() * (freedom / rest).sqrt())
    } else {
        0.0
    })
}

/// Interval of a Pearson correlation by Fisher's z: artanh r is about normal with standard error
/// 1/√(n−3) (Fisher 1921). Unbounded within −1..=1 for fewer than four pairs.
///
/// # Panics
/// When `correlation` is not in −1..=1.
pub fn fisher_interval(correlation: f64, n: usize, confidence: Confidence) -> Interval {
    fisher(correlation, n, 1.0, confidence)
}

/// Interval of a Spearman correlation by Fisher's z with the standard error √((1+r²/2)/(n−3)) of
/// Bonett and Wright (2000). Unbounded within −1..=1 for fewer than four pairs.
///
/// # Panics
/// When `correlation` is not in −1..=1.
pub fn spearman_interval(correlation: f64, n: usize, confidence: Confidence) -> Interval {
    fisher(
        correlation,
        n,
        1.0 + correlation * correlation / 2.0,
        confidence,
    )
}

impl Bootstrap {
    /// [`pearson`] with its interval over resampled pairs. None as there.
    pub fn pearson(&self, one: &Sample, other: &Sample) -> Option<Interval> {
        self.correlation(one, other, pearson_of)
    }

    /// [`spearman`] with its interval over resampled pairs. None as there.
    pub fn spearman(&self, one: &Sample, other: &Sample) -> Option<Interval> {
        self.correlation(one, other, |one, other| {
            pearson_of(&ranks(one), &ranks(other))
        })
    }

    fn correlation(
        &self,
        one: &Sample,
        other: &Sample,
        statistic: impl Fn(&[f64], &[f64]) -> Option<f64>,
    ) -> Option<Interval> {
        assert_eq!(one.len(), other.len(), "correlation is over pairs");
        let at = |sample: &Sample, indices: &[usize]| -> Vec<f64> {
            indices
                .iter()
                .map(|&index| sample.values()[index])
                .collect()
        };
        let estimate = statistic(one.values(), other.values())?;
        Some(self.around(estimate, one.len(), |indices| {
            statistic(&at(one, indices), &at(other, indices))
        }))
    }
}

fn fisher(correlation: f64, n: usize, variance_factor: f64, confidence: Confidence) -> Interval {
    assert_correlation(correlation);
    let half_width = if n < 4 {
        f64::INFINITY
    } else {
        let z = Normal::standard().inverse_cdf(1.0 - confidence.tail());
        z * (variance_factor / (n - 3) as f64).sqrt()
    };
    let end = |shift: f64| {
        // At ±1 the transform is infinite, and infinity − infinity no number: nothing varies there.
        if correlation.abs() == 1.0 && n >= 4 {
            correlation
        } else {
            (correlation.clamp(-LARGEST, LARGEST).atanh() + shift).tanh()
        }
    };
    Interval {
        estimate: correlation,
        low: end(-half_width),
        high: end(half_width),
        confidence: confidence.level(),
    }
}

/// The greatest correlation with a finite transform.
const LARGEST: f64 = 1.0 - f64::EPSILON;

fn assert_correlation(correlation: f64) {
    assert!(
        (-1.0..=1.0).contains(&correlation),
        "{correlation} is not a correlation"
    );
}

/// Ranks from 0, equal values sharing the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + (group.len() - 1) as f64 / 2.0;
        for &index in group {
            ranks[index] = rank;
        }
        first += group.len();
    }
    ranks
}

fn pearson_of(one: &[f64], other: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (center_one, center_other) = (mean(one), mean(other));
    let sum = |term: &dyn Fn(f64, f64) -> f64| -> f64 {
        let pairs = one.iter().zip(other);
        pairs
            .map(|(a, b)| term(a - center_one, b - center_other))
            .sum()
    };
    let scale = (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    // Rounding may leave 1e-16 beyond the ends.
    (scale > 0.0).then(|| (sum(&|a, b| a * b) / scale).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::fixture::{self, assert_close};

    fn rho(one: &[f64], other: &[f64]) -> Option<f64> {
        spearman(
            &Sample::new(one.to_vec()).unwrap(),
            &Sample::new(other.to_vec()).unwrap(),
        )
    }

    #[test]
    fn any_rising_function_gives_1_and_any_falling_one_minus_1() {
        let x = [0.1, 3.0, 2.0, 9.0, 4.5];
        assert_eq!(rho(&x, &x.map(f64::exp)), Some(1.0));
        assert_eq!(rho(&x, &x.map(|v| -v * v)), Some(-1.0));
    }

    #[test]
    fn a_textbook_example_and_one_with_ties() {
        // IQ against hours of television (Wikipedia, "Spearman's rank correlation coefficient").
        let iq = [
            106.0, 100.0, 86.0, 101.0, 99.0, 103.0, 97.0, 113.0, 112.0, 110.0,
        ];
        let hours = [7.0, 27.0, 2.0, 50.0, 28.0, 29.0, 20.0, 12.0, 6.0, 17.0];
        assert!((rho(&iq, &hours).unwrap() + 29.0 / 165.0).abs() < 1e-12);
        // Ranks 0.5, 0.5, 2, 3 against 0, 1, 2, 3: 4.5 / √(4.5 · 5).
        let tied = rho(&[1.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert!((tied - (0.9f64).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn without_variation_there_is_no_correlation() {
        assert_eq!(rho(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(rho(&[1.0], &[2.0]), None);
    }

    #[test]
    fn correlations_p_values_and_intervals_are_those_of_scipy() {
        for case in fixture::cases("correlation") {
            let (one, other) = (case.sample("one"), case.sample("other"));
            let n = one.len();
            let (r, rho) = (
                pearson(&one, &other).unwrap(),
                spearman(&one, &other).unwrap(),
            );
            assert_close(r, case.number("pearson"), 1e-12);
            assert_close(p_value(r, n).unwrap(), case.number("pearson_p"), 1e-10);
            assert_close(rho, case.number("spearman"), 1e-12);
            assert_close(p_value(rho, n).unwrap(), case.number("spearman_p"), 1e-10);
            for (interval, key) in [
                (fisher_interval(r, n, Confidence::P95), "fisher_95"),
                (
                    spearman_interval(rho, n, Confidence::P95),
                    "bonett_wright_95",
                ),
            ] {
                let expected = case.numbers(key);
                assert_close(interval.low, expected[0], 1e-9);
                assert_close(interval.high, expected[1], 1e-9);
            }
            let labels = case.labels("labels");
            let biserial = point_biserial(&one, &labels).unwrap();
            assert_close(biserial, case.number("point_biserial"), 1e-12);
            assert_close(
                p_value(biserial, n).unwrap(),
                case.number("point_biserial_p"),
                1e-10,
            );
        }
    }

    #[test]
    fn a_perfect_line_has_no_doubt_and_three_points_have_no_interval() {
        assert_eq!(p_value(1.0, 10), Some(0.0));
        let line = fisher_interval(-1.0, 10, Confidence::P95);
        assert_eq!((line.low, line.high), (-1.0, -1.0));
        let three = fisher_interval(0.5, 3, Confidence::P95);
        assert_eq!((three.low, three.high), (-1.0, 1.0));
        assert_eq!(p_value(0.5, 2), None);
    }

    #[test]
    fn p_values_are_uniform_when_nothing_is_related() {
        let mut random = fixture::random(11);
        let mut draw = || Sample::new(fixture::normals(25, &mut random)).unwrap();
        let (linear, ranked) = (0..1500)
            .map(|_| {
                let (one, other) = (draw(), draw());
                let p = |r: Option<f64>| p_value(r.unwrap(), 25).unwrap();
                (p(pearson(&one, &other)), p(spearman(&one, &other)))
            })
            .unzip();
        // Kolmogorov's 0.1 % point at 1,500 values is 1.95/√1500 = 0.050.
        assert!(fixture::distance_from_uniform(linear) < 0.05);
        assert!(fixture::distance_from_uniform(ranked) < 0.055);
    }

    #[test]
    fn bootstrap_and_fisher_agree_on_many_normal_pairs() {
        let mut random = fixture::random(12);
        let one = fixture::normals(300, &mut random);
        let noise = fixture::normals(300, &mut random);
        let other = one.iter().zip(noise).map(|(a, b)| a + b).collect();
        let (one, other) = (Sample::new(one).unwrap(), Sample::new(other).unwrap());
        let bootstrap = fixture::bootstrap(1_000);
        let by_pairs = bootstrap.pearson(&one, &other).unwrap();
        let by_z = fisher_interval(by_pairs.estimate, 300, Confidence::P95);
        assert!(
            (by_pairs.low - by_z.low).abs() < 0.02,
            "{by_pairs:?} {by_z:?}"
        );
        assert!((by_pairs.high - by_z.high).abs() < 0.02);
        let ranked = bootstrap.spearman(&one, &other).unwrap();
        let by_ranks = spearman_interval(ranked.estimate, 300, Confidence::P95);
        assert!(
            (ranked.low - by_ranks.low).abs() < 0.03,
            "{ranked:?} {by_ranks:?}"
        );
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_correlation(r in -1.0..=1.0f64, n in 3usize..200) {
            for interval in [
                fisher_interval(r, n, Confidence::P95),
                spearman_interval(r, n, Confidence::P95),
            ] {
                prop_assert!(interval.low <= r + 1e-12 && r <= interval.high + 1e-12);
                prop_assert!(-1.0 <= interval.low && interval.high <= 1.0);
            }
        }
    }
}
