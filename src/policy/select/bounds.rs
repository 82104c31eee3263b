//! The ranges in which the parameters of a selection rule make sense.

use super::SelectRule;
use crate::policy::{OutOfRange, require};

#[derive(Clone, Copy)]
enum Bound {
    NonNegative,
    Probability,
    AtLeastOne,
    AtLeastTwo,
    Finite,
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::NonNegative => value.is_finite() && value >= 0.0,
            Self::Probability => (0.0..=1.0).contains(&value),
            Self::AtLeastOne => value >= 1.0,
            Self::AtLeastTwo => value >= 2.0,
            Self::Finite => value.is_finite(),
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::NonNegative => "0 or more, and finite",
            Self::Probability => "in [0, 1]",
            Self::AtLeastOne => "at least 1",
            Self::AtLeastTwo => "at least 2",
            Self::Finite => "finite",
        }
    }
}

impl SelectRule {
    /// # Errors
    /// [`OutOfRange`] for the first parameter that makes no sense.
    pub fn validate(&self) -> Result<(), OutOfRange> {
        if let Self::TopkConfidence {
            k: Some(_),
            steps: Some(steps),
            ..
        } = self
        {
            require(
                false,
                "select.steps",
                steps,
                "left out when select.k is given",
            )?;
        }
        for (field, value, bound) in self.parameters() {
            require(bound.holds(value), field, value, bound.in_words())?;
        }
        if let Self::Hybrid { min, max, .. } = self {
            require(min <= max, "select.min", min, "at most select.max")?;
        }
        Ok(())
    }

    /// Every parameter with its range; absent ones count as 1, which all ranges hold.
    fn parameters(&self) -> Vec<(&'static str, f64, Bound)> {
        use Bound::{AtLeastOne, AtLeastTwo, Finite, NonNegative, Probability};
        let count = |n: Option<usize>| n.map_or(1.0, |n| n as f64);
        let mut all = match self {
            Self::Entropy {
                entropy_threshold,
                cap,
                ..
            } => vec![
                (
                    "select.entropy_threshold",
                    entropy_threshold.unwrap_or(1.0),
                    NonNegative,
                ),
                ("select.cap", count(*cap), AtLeastOne),
            ],
            Self::Greedy { .. } => vec![],
            Self::LeftToRight { k } | Self::Random { k, .. } => {
                vec![("select.k", *k as f64, AtLeastOne)]
            }
            Self::Hybrid {
                base,
                step,
                target,
                min,
                max,
                recent,
                cap,
                ..
            } => vec![
                ("select.base", *base, NonNegative),
                ("select.step", *step, NonNegative),
                ("select.target", *target, Probability),
                ("select.min", *min, NonNegative),
                ("select.max", *max, NonNegative),
                ("select.recent", *recent as f64, AtLeastOne),
                ("select.cap", count(*cap), AtLeastOne),
            ],
            Self::WindowScaled {
                entropy_threshold, ..
            } => vec![("select.entropy_threshold", *entropy_threshold, NonNegative)],
            Self::ConfidenceThreshold { theta, cap, .. } => vec![
                ("select.theta", *theta, NonNegative),
                ("select.cap", count(*cap), AtLeastOne),
            ],
            Self::ConfidenceFactor { factor, cap, .. } => vec![
                ("select.factor", *factor, NonNegative),
                ("select.cap", count(*cap), AtLeastOne),
            ],
            Self::Frechet { m, cap, .. } => {
                vec![
                    ("select.m", *m, Finite),
                    ("select.cap", count(*cap), AtLeastOne),
                ]
            }
            Self::TopkConfidence { k, steps, .. } => vec![
                ("select.k", count(*k), AtLeastOne),
                ("select.steps", count(*steps), AtLeastOne),
            ],
            Self::Margin { theta, cap, .. } => vec![
                ("select.theta", *theta, NonNegative),
                ("select.cap", count(*cap), AtLeastOne),
            ],
            Self::EntropyBound { gamma, cap, .. } => vec![
                ("select.gamma", *gamma, NonNegative),
                ("select.cap", count(*cap), AtLeastOne),
            ],
            Self::EbCumulative { threshold, cap, .. } => vec![
                ("select.threshold", *threshold, NonNegative),
                ("select.cap", count(*cap), AtLeastOne),
            ],
            Self::Klass {
                theta,
                epsilon,
                history,
                cap,
                ..
            } => vec![
                ("select.theta", *theta, NonNegative),
                ("select.epsilon", *epsilon, NonNegative),
                ("select.history", *history as f64, AtLeastOne),
                ("select.cap", count(*cap), AtLeastOne),
            ],
            Self::Slowfast {
                exploration_steps,
                far_theta,
                stable_window,
                stable_std,
                theta,
                cap,
            } => vec![
                (
                    "select.exploration_steps",
                    *exploration_steps as f64,
                    AtLeastOne,
                ),
                ("select.far_theta", *far_theta, Probability),
                ("select.stable_window", *stable_window as f64, AtLeastTwo),
                ("select.stable_std", *stable_std, NonNegative),
                ("select.theta", *theta, NonNegative),
                ("select.cap", count(*cap), AtLeastOne),
            ],
            Self::Credit {
                theta,
                alpha,
                gamma,
                beta,
                cap,
                ..
            } => vec![
                ("select.theta", *theta, NonNegative),
                ("select.alpha", *alpha, NonNegative),
                ("select.gamma", *gamma, NonNegative),
                ("select.beta", *beta, Probability),
                ("select.cap", count(*cap), AtLeastOne),
            ],
        };
        all.push(("select.pos_penalty", self.pos_penalty(), NonNegative));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(json: &str) -> String {
        let rule: SelectRule = serde_json::from_str(json).unwrap();
        rule.validate().unwrap_err().to_string()
    }

    #[test]
    fn a_parameter_out_of_range_is_named_with_its_range() {
        assert_eq!(
            complaint(r#"{"kind":"entropy","pos_penalty":-0.1}"#),
            "select.pos_penalty is -0.1: it must be 0 or more, and finite"
        );
        assert_eq!(
            complaint(r#"{"kind":"left_to_right","k":0}"#),
            "select.k is 0: it must be at least 1"
        );
        assert_eq!(
            complaint(r#"{"kind":"credit","beta":1.5}"#),
            "select.beta is 1.5: it must be in [0, 1]"
        );
    }

    #[test]
    fn k_and_steps_exclude_each_other() {
        assert_eq!(
            complaint(r#"{"kind":"topk_confidence","k":2,"steps":4}"#),
            "select.steps is 4: it must be left out when select.k is given"
        );
    }

    #[test]
    fn a_hybrid_range_must_not_be_empty() {
        assert_eq!(
            complaint(r#"{"kind":"hybrid","min":0.7}"#),
            "select.min is 0.7: it must be at most select.max"
        );
    }

    #[test]
    fn a_confidence_threshold_above_one_is_allowed_and_means_one_by_one() {
        let rule: SelectRule =
            serde_json::from_str(r#"{"kind":"confidence_threshold","theta":1.1}"#).unwrap();
        assert_eq!(rule.validate(), Ok(()));
    }
}
