//! How much a row of logits changed from one forward to the next.

/// Added to both probabilities before the logarithm, as KLASS does.
const GUARD: f64 = 1e-12;

/// KL(p ‖ q) in nats of two rows of raw logits with their log-normalisers `ln Σ exp(logit)`.
///
/// `Σ pᵢ·(ln(pᵢ + 1e-12) − ln(qᵢ + 1e-12))`, the guarded form of KLASS (`dream_klass.py`).
///
/// # Panics
/// When the rows differ in length.
pub fn kl(p: &[f32], p_log_normaliser: f64, q: &[f32], q_log_normaliser: f64) -> f64 {
    assert_eq!(p.len(), q.len());
    p.iter()
        .zip(q)
        .map(|(&p_logit, &q_logit)| {
            let p = (f64::from(p_logit) - p_log_normaliser).exp();
            let q = (f64::from(q_logit) - q_log_normaliser).exp();
            p * ((p + GUARD).ln() - (q + GUARD).ln())
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(probabilities: &[f64]) -> Vec<f32> {
        probabilities.iter().map(|p| p.ln() as f32).collect()
    }

    #[test]
    fn equal_rows_do_not_diverge() {
        let p = row(&[0.5, 0.3, 0.2]);
        assert_eq!(kl(&p, 0.0, &p, 0.0), 0.0);
    }

    #[test]
    fn the_divergence_of_two_coins_is_the_textbook_value() {
        // 0.5·ln(0.5/0.9) + 0.5·ln(0.5/0.1) = 0.5108
        let value = kl(&row(&[0.5, 0.5]), 0.0, &row(&[0.9, 0.1]), 0.0);
        assert!((value - 0.510_825_6).abs() < 1e-6, "{value}");
    }

    #[test]
    fn a_shift_of_all_logits_changes_nothing() {
        let p = row(&[0.5, 0.5]);
        let shifted: Vec<f32> = p.iter().map(|logit| logit + 3.0).collect();
        assert!(kl(&shifted, 3.0, &p, 0.0).abs() < 1e-6);
    }

    #[test]
    fn ids_outside_the_vocabulary_add_nothing() {
        let p = [0.0, f32::NEG_INFINITY];
        assert_eq!(kl(&p, 0.0, &p, 0.0), 0.0);
    }
}
