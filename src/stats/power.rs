//! What a number of prompts can and cannot show.
//!
//! Before a run: the smallest difference that a paired test finds with a given probability. After a
//! run without a significant difference: the same number says which differences were out of reach.
//!
//! The power is that of the paired t test with normal differences, by the noncentral t distribution
//! (Cohen 1988; as `TTestPower` of statsmodels and `power.t.test(strict = TRUE)` of R), not by the
//! normal approximation. For permutation and bootstrap tests it is a good guide from about 20
//! prompts on.
//!
//! Pitfalls: the standard deviation is that of the differences, known from an earlier run, not from
//! the one judged. "Observed power", computed from the difference found, only repeats the p-value.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::gamma::ln_gamma;

use super::significance::Alpha;

/// A paired comparison that is planned: two decoders on the same prompts, tested two-sided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PairedDesign {
    /// Number of prompts, at least 2.
    pub n: usize,
    /// Standard deviation of the differences between prompts, positive, in their unit; of
    /// ln(first / second) where a ratio is to be detected.
    pub sd: f64,
    pub alpha: Alpha,
}

impl PairedDesign {
    /// Probability that the test finds a true mean difference of `effect`, in the unit of `sd`.
    /// `None` for fewer than two prompts or a standard deviation that is not a positive number.
    pub fn power(&self, effect: f64) -> Option<f64> {
        Some(self.standardized()?.power(effect / self.sd))
    }

    /// The smallest mean difference that the test finds with probability `power`, in the unit of
    /// `sd`. `None` where [`Self::power`] has none, and when `power` is not between α and 1:
    /// without any difference the test already fires with probability α.
    pub fn minimum_detectable_effect(&self, power: f64) -> Option<f64> {
        let standardized = self.standardized()?;
        if !(power > self.alpha.level() && power < 1.0) {
            return None;
        }
        let mut high = 1.0;
        while standardized.power(high) < power {
            high *= 2.0;
        }
        let mut low = 0.0;
        while high - low > 1e-13 * high {
            let middle = f64::midpoint(low, high);
            if middle == low || middle == high {
                break;
            }
            if standardized.power(middle) < power {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(high * self.sd)
    }

    /// The smallest ratio above 1 that the test of mean logarithms finds with probability `power`,
    /// where `sd` is that of ln(first / second); its inverse is as detectable. `None` as for
    /// [`Self::minimum_detectable_effect`].
    pub fn minimum_detectable_ratio(&self, power: f64) -> Option<f64> {
        self.minimum_detectable_effect(power).map(f64::exp)
    }

    fn standardized(&self) -> Option<TwoSidedT> {
        let is_valid = self.n >= 2 && self.sd > 0.0 && self.sd.is_finite();
        is_valid.then(|| TwoSidedT::new(self.n, self.alpha))
    }
}

/// Steps of a panel of the integral over the standard deviation; even, as Simpson's rule needs.
const N_STEPS: usize = 2_000;

/// Standard deviations beyond which a normal density is nothing beside rounding.
const REACH: f64 = 9.0;

/// The two-sided t test of n differences.
struct TwoSidedT {
    root_n: f64,
    critical: f64,
    freedom: f64,
    /// ln(2·(ν/2)^(ν/2) / Γ(ν/2)).
    log_scale: f64,
}

impl TwoSidedT {
    fn new(n: usize, alpha: Alpha) -> Self {
        let freedom = (n - 1) as f64;
        let half = freedom / 2.0;
        let t = StudentsT::new(0.0, 1.0, freedom).expect("at least one degree of freedom");
        Self {
            root_n: (n as f64).sqrt(),
            critical: t.inverse_cdf(1.0 - alpha.level() / 2.0),
            freedom,
            log_scale: std::f64::consts::LN_2 + half * half.ln() - ln_gamma(half),
        }
    }

    /// P(|T| > critical) for T noncentral t with noncentrality `effect`·√n. Given the ratio s of
    /// the estimated to the true standard deviation, T = (Z + noncentrality) / s with Z normal, so
    /// the probability is an integral over s. It is cut where the normal tails set in and end,
    /// which with few prompts happens on a much smaller scale than that of s.
    fn power(&self, effect: f64) -> f64 {
        let normal = Normal::standard();
        let noncentrality = effect * self.root_n;
        let integrand = |s: f64| {
            let threshold = self.critical * s;
            let beyond =
                normal.sf(threshold - noncentrality) + normal.cdf(-threshold - noncentrality);
            beyond * self.density(s)
        };
        // About 1/√(2ν) is the standard deviation of s; twice the reach, for with few degrees of
        // freedom its tail is longer than a normal one.
        let reach = 2.0 * REACH / (2.0 * self.freedom).sqrt();
        let (low, high) = ((1.0 - reach).max(0.0), 1.0 + reach);
        let tail = |z: f64| ((z / self.critical).abs()).clamp(low, high);
        let (start, end) = (noncentrality - REACH, noncentrality + REACH);
        let mut cuts = [low, tail(start), tail(end), high];
        cuts.sort_by(f64::total_cmp);
        let panels = cuts.windows(2).filter(|cut| cut[0] < cut[1]);
        panels.map(|cut| simpson(cut[0], cut[1], integrand)).sum()
    }

    /// The density of s = √(χ²_ν / ν): 2·(ν/2)^(ν/2) / Γ(ν/2) · s^(ν−1) · exp(−ν·s²/2).
    fn density(&self, s: f64) -> f64 {
        // 0 · ln 0 would be NaN; with one degree of freedom the power of s is 1.
        let power = if self.freedom > 1.0 {
            (self.freedom - 1.0) * s.ln()
        } else {
            0.0
        };
        (self.log_scale + power - self.freedom / 2.0 * s * s).exp()
    }
}

fn simpson(low: f64, high: f64, integrand: impl Fn(f64) -> f64) -> f64 {
    let step = (high - low) / N_STEPS as f64;
    let inner = (1..N_STEPS).map(|index| {
        let factor = if index % 2 == 1 { 4.0 } else { 2.0 };
        factor * integrand(low + step * index as f64)
    });
    step / 3.0 * (integrand(low) + inner.sum::<f64>() + integrand(high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture::{self, assert_close};
    use crate::stats::permutation::Permutation;
    use crate::stats::sample::Sample;

    fn design(n: usize, sd: f64) -> PairedDesign {
        PairedDesign {
            n,
            sd,
            alpha: Alpha::P05,
        }
    }

    #[test]
    fn power_and_detectable_effects_are_those_of_scipy_and_statsmodels() {
        for case in fixture::cases("power") {
            let design = PairedDesign {
                n: case.number("n") as usize,
                sd: 1.0,
                alpha: Alpha::new(case.number("alpha")).unwrap(),
            };
            let power = design.power(case.number("effect")).unwrap();
            assert_close(power, case.number("power"), 1e-9);
            let effect = design
                .minimum_detectable_effect(case.number("target"))
                .unwrap();
            assert_close(effect, case.number("detectable"), 1e-8);
        }
    }

    #[test]
    fn thirty_four_pairs_find_half_a_standard_deviation_and_thirty_three_do_not() {
        // As G*Power: d_z = 0.5, α = 0.05 two-sided, power 0.80 needs 34 pairs.
        assert!(design(34, 2.0).power(1.0).unwrap() > 0.8);
        assert!(design(33, 2.0).power(1.0).unwrap() < 0.8);
    }

    #[test]
    fn the_sign_flip_test_fires_about_as_often_as_the_formula_says() {
        let mut random = fixture::random(51);
        let test = Permutation::default();
        let found = (0..1000).filter(|_| {
            let noise = fixture::normals(12, &mut random);
            let differences = noise.iter().map(|noise| 0.9 + noise).collect();
            let p = test.mean_difference(&Sample::new(differences).unwrap()).p;
            p.two_sided <= 0.05
        });
        let share = found.count() as f64 / 1000.0;
        // The formula says 0.81; three standard errors of the share are 0.036.
        let expected = design(12, 1.0).power(0.9).unwrap();
        assert!((share - expected).abs() < 0.04, "{share} {expected}");
    }

    #[test]
    fn without_a_difference_the_test_fires_with_its_level() {
        for n in [2, 3, 10, 500] {
            assert_close(design(n, 1.0).power(0.0).unwrap(), 0.05, 1e-9);
        }
    }

    #[test]
    fn a_ratio_is_detected_on_the_log_scale() {
        // 20 % spread of the log ratios, 60 prompts: (1.96 + 0.84)·0.2/√60 is 7.2 %, t adds a bit.
        let ratio = design(60, 0.2).minimum_detectable_ratio(0.8).unwrap();
        assert!((1.072..1.080).contains(&ratio), "{ratio}");
    }

    #[test]
    fn four_times_the_prompts_halve_the_detectable_effect() {
        let effect = |n| design(n, 1.0).minimum_detectable_effect(0.8).unwrap();
        assert!((effect(400) / effect(1600) - 2.0).abs() < 0.01);
    }

    #[test]
    fn a_design_that_cannot_work_has_no_power() {
        assert_eq!(design(1, 1.0).power(1.0), None);
        assert_eq!(design(10, 0.0).power(1.0), None);
        assert_eq!(design(10, f64::NAN).power(1.0), None);
        assert_eq!(design(10, 1.0).minimum_detectable_effect(0.05), None);
        assert_eq!(design(10, 1.0).minimum_detectable_effect(1.0), None);
    }
}
