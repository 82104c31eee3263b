//! pass@k of generated programs.

/// The chance that at least one of `k` samples is right, estimated without bias from `n_correct`
/// right ones among `n_samples`: `1 − C(n − c, k) / C(n, k)` (Chen et al., 2021, equation 1).
///
/// None where it is not defined: `k` is 0 or more than `n_samples`, or `n_correct` is more than
/// `n_samples`. Over several problems, take the mean.
pub fn pass_at_k(n_samples: usize, n_correct: usize, k: usize) -> Option<f64> {
    if k == 0 || k > n_samples || n_correct > n_samples {
        return None;
    }
    let n_wrong = n_samples - n_correct;
    if n_wrong < k {
        return Some(1.0);
    }
    // The quotient of the two binomials as a product, which cannot overflow.
    let all_wrong: f64 = (n_wrong + 1..=n_samples)
        .map(|i| 1.0 - k as f64 / i as f64)
        .product();
    Some(1.0 - all_wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sample_passes_as_often_as_samples_are_right() {
        assert!((pass_at_k(10, 3, 1).unwrap() - 0.3).abs() < 1e-12);
        // Of the 10 pairs of 5 samples, 3 miss both right ones.
        assert!((pass_at_k(5, 2, 2).unwrap() - 0.7).abs() < 1e-12);
        assert_eq!(pass_at_k(5, 0, 5), Some(0.0));
        assert_eq!(pass_at_k(5, 1, 5), Some(1.0));
    }

    #[test]
    fn more_samples_than_there_are_have_no_estimate() {
        assert_eq!(pass_at_k(5, 1, 6), None);
        assert_eq!(pass_at_k(5, 6, 1), None);
        assert_eq!(pass_at_k(5, 1, 0), None);
    }
}
