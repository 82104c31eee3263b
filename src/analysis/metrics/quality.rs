//! How good the text is: its score, and how likely the verifier finds it.

use serde::{Deserialize, Serialize};

use super::{light, ratio};
use crate::analysis::rates::exact_match;
use crate::record::schema::GenerationRecord;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;
use crate::stats::sample::Sample;

/// Intervals are over prompts; each is none where no prompt has the number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Mean score, 0 to 1, of the prompts that have one.
    pub score: Option<Interval>,
    /// Share of right answers among the prompts that are right or wrong; Wilson's interval.
    pub exact_match: Option<Interval>,
    /// exp(−Σ ln p / Σ tokens) of all texts under the verifier.
    pub perplexity: Option<Interval>,
}

pub fn quality(rows: &[&GenerationRecord], bootstrap: &Bootstrap) -> Quality {
    let scores = Sample::new(rows.iter().filter_map(|row| row.score).collect()).ok();
    let mean = |sample: Sample| light(bootstrap, sample.len()).mean(&sample);
    let surprise = rows.iter().filter_map(|row| {
        let log_prob = row.log_prob_nats.filter(|value| value.is_finite())?;
        Some((-log_prob, row.committed as f64))
    });
    Quality {
        score: scores.map(mean),
        exact_match: exact_match(rows),
        perplexity: ratio(surprise, bootstrap).map(exponential),
    }
}

/// exp of mean nats a token: the ends grow with it.
fn exponential(nats: Interval) -> Interval {
    Interval {
        estimate: nats.estimate.exp(),
        low: nats.low.exp(),
        high: nats.high.exp(),
        ..nats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(score: Option<f64>, log_prob_nats: Option<f64>, committed: u64) -> GenerationRecord {
        GenerationRecord {
            score,
            log_prob_nats,
            committed,
            is_correct: score.map(|score| score == 1.0),
            ..GenerationRecord::default()
        }
    }

    #[test]
    fn the_perplexity_of_a_trial_weighs_tokens_not_texts() {
        // Ten tokens of chance 1/2 and thirty of chance 1/8: 2^−(10·1 + 30·3)/40 = 2^−2.5.
        let ln2 = 2.0f64.ln();
        let rows = [
            row(Some(1.0), Some(-10.0 * ln2), 10),
            row(Some(0.5), Some(-90.0 * ln2), 30),
            row(None, None, 99),
        ];
        let quality = quality(&rows.iter().collect::<Vec<_>>(), &Bootstrap::default());
        let perplexity = quality.perplexity.unwrap();
        assert!((perplexity.estimate - 2.0f64.powf(2.5)).abs() < 1e-9);
        assert!(perplexity.low >= 2.0 - 1e-9 && perplexity.high <= 8.0 + 1e-9);
        assert_eq!(quality.score.unwrap().estimate, 0.75);
        assert_eq!(quality.exact_match.unwrap().estimate, 0.5);
    }

    #[test]
    fn a_workload_without_answers_has_no_score() {
        let rows = [row(None, None, 10)];
        let quality = quality(&rows.iter().collect::<Vec<_>>(), &Bootstrap::default());
        assert_eq!(quality, Quality::default());
    }
}
