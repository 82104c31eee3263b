//! Whether two quantities rise together.

use super::sample::Sample;

/// Spearman's rank correlation: Pearson's correlation of the ranks, equal values sharing the mean of
/// their ranks. None for fewer than two pairs, or when one side does not vary.
///
/// # Panics
/// When the samples differ in length.
pub fn spearman(one: &Sample, other: &Sample) -> Option<f64> {
    assert_eq!(one.len(), other.len(), "correlation is over pairs");
    pearson(&ranks(one.values()), &ranks(other.values()))
}

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

fn pearson(one: &[f64], other: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (center_one, center_other) = (mean(one), mean(other));
    let sum = |term: &dyn Fn(f64, f64) -> f64| -> f64 {
        let pairs = one.iter().zip(other);
        pairs
            .map(|(a, b)| term(a - center_one, b - center_other))
            .sum()
    };
    let scale = (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    (scale > 0.0).then(|| sum(&|a, b| a * b) / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
