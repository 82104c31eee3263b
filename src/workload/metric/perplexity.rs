//! Perplexity from log-probabilities.

/// `exp(−mean ln p)` over the tokens of a text, from their log-probabilities in nats; None for no
/// token. A token of probability 0 (`−∞`) makes it infinite.
///
/// Perplexities of models with different tokenizers are not comparable.
pub fn perplexity(log_probs: &[f64]) -> Option<f64> {
    let n = log_probs.len();
    (n > 0).then(|| (-log_probs.iter().sum::<f64>() / n as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_chances_among_eight_tokens_are_a_perplexity_of_eight() {
        let log_probs = [(1.0f64 / 8.0).ln(); 5];
        assert!((perplexity(&log_probs).unwrap() - 8.0).abs() < 1e-12);
        assert_eq!(perplexity(&[]), None);
        assert_eq!(perplexity(&[0.0, f64::NEG_INFINITY]), Some(f64::INFINITY));
    }
}
