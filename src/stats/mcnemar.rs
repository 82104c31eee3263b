//! McNemar's test: did one decoder answer more prompts rightly than the other?
//!
//! Given that the two disagree on a prompt, either is equally likely to be the right one if they
//! are equally good. The exact test is the binomial test of that; it needs no minimum number of
//! disagreements. A lossless decoder gives the baseline's text, so there the test has nothing to
//! find; it is for lossy acceptance and for window decoding.
//!
//! Pitfalls: one answer per prompt (repeats of a prompt are not independent). A large p does not
//! show that nothing was lost: see [`equivalence`](super::equivalence).

use statrs::distribution::{Binomial, Discrete, DiscreteCDF};

use super::p_values::PValues;
use super::paired_outcomes::PairedOutcomes;

/// The exact conditional test (McNemar 1947 with binomial p-values); `greater` is against "the
/// first is right more often". Never above its nominal error rate, often far below it.
pub fn mcnemar(outcomes: &PairedOutcomes) -> PValues {
    let binomial = fair_coin(outcomes);
    let at_least = match outcomes.only_first.checked_sub(1) {
        Some(one_less) => binomial.sf(one_less),
        None => 1.0,
    };
    PValues::from_tails(at_least, binomial.cdf(outcomes.only_first))
}

/// The two-sided mid-p value of the same test: the data seen count half. Its error rate stays close
/// to the nominal one, rarely above it (Fagerland, Lydersen and Laake 2013).
pub fn mcnemar_mid_p(outcomes: &PairedOutcomes) -> f64 {
    let seen = fair_coin(outcomes).pmf(outcomes.only_first);
    if outcomes.only_first == outcomes.only_second {
        1.0 - seen / 2.0
    } else {
        mcnemar(outcomes).two_sided - seen
    }
}

fn fair_coin(outcomes: &PairedOutcomes) -> Binomial {
    Binomial::new(0.5, outcomes.disagreements()).expect("one half is a probability")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture::{self, assert_close};

    fn disagreements(only_first: u64, only_second: u64) -> PairedOutcomes {
        PairedOutcomes {
            both: 20,
            only_first,
            only_second,
            neither: 9,
        }
    }

    #[test]
    fn p_values_are_those_of_statsmodels() {
        for case in fixture::cases("paired_outcomes") {
            let p = mcnemar(&case.outcomes());
            assert_close(p.two_sided, case.number("mcnemar"), 1e-12);
            assert_close(p.greater, case.number("mcnemar_greater"), 1e-12);
            assert_close(p.less, case.number("mcnemar_less"), 1e-12);
        }
    }

    #[test]
    fn one_against_seven_by_counting_coins() {
        // Fagerland et al. 2013: exact 0.070, mid-p 0.039. P(≤ 1 of 8) = 9/256, P(1 of 8) = 8/256.
        let outcomes = disagreements(1, 7);
        assert_close(mcnemar(&outcomes).two_sided, 18.0 / 256.0, 1e-14);
        assert_close(mcnemar(&outcomes).greater, 255.0 / 256.0, 1e-14);
        assert_close(mcnemar_mid_p(&outcomes), 10.0 / 256.0, 1e-14);
    }

    #[test]
    fn an_even_split_is_no_evidence() {
        let outcomes = disagreements(3, 3);
        assert_eq!(mcnemar(&outcomes).two_sided, 1.0);
        assert_close(mcnemar_mid_p(&outcomes), 1.0 - 20.0 / 128.0, 1e-14);
    }

    #[test]
    fn decoders_that_never_disagree_give_a_p_of_1() {
        let p = mcnemar(&disagreements(0, 0));
        assert_eq!((p.two_sided, p.greater, p.less), (1.0, 1.0, 1.0));
    }

    #[test]
    fn the_exact_test_keeps_its_error_rate_for_every_number_of_disagreements() {
        for n in 1..60u64 {
            let coin = Binomial::new(0.5, n).unwrap();
            let rate: f64 = (0..=n)
                .filter(|&heads| mcnemar(&disagreements(heads, n - heads)).two_sided <= 0.05)
                .map(|heads| coin.pmf(heads))
                .sum();
            assert!(rate <= 0.05 + 1e-12, "{n}: {rate}");
        }
    }
}
