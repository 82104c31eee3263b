//! Does the best entropy rule beat the best fixed draft length?

use std::fmt;

use crate::analysis::view::{DraftRule, SweepView, TrialKind, TrialView};
use crate::report::number;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;
use crate::stats::sample::{Pairs, SampleError};

/// One trial against another on the same prompts.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub challenger: String,
    pub incumbent: String,
    /// Σ incumbent's wall time / Σ challenger's; above 1 the challenger is faster.
    pub ratio: Interval,
    pub call: Call,
    pub n_prompts: usize,
}

/// What the interval of the ratio allows to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Faster,
    Slower,
    NotDistinguishable,
    /// Fewer than [`MIN_PROMPTS`]: an interval over so few says nothing.
    TooFewPrompts,
}

/// Prompts below which nothing is called faster or slower.
pub const MIN_PROMPTS: usize = 10;

/// Why there is nothing to compare.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NoVerdict {
    #[error("no lossless {0} trial has a measured speedup")]
    MissingSide(&'static str),
    #[error("the prompts of the two trials do not pair up: {0}")]
    Unpaired(#[from] SampleError),
}

/// Compares the fastest lossless entropy rule with the fastest lossless fixed draft length, at the
/// smallest batch size that has both or either.
///
/// Both are picked on the prompts that they are compared on, which flatters the side with more
/// trials; a report says so beside the verdict.
///
/// # Errors
/// [`NoVerdict`].
pub fn ebsd_against_fixed(view: &SweepView, bootstrap: &Bootstrap) -> Result<Verdict, NoVerdict> {
    let competes = |trial: &TrialView, rule: DraftRule| {
        trial.lossless && trial.kind == TrialKind::Speculative(rule)
    };
    let batch_size = view
        .trials
        .iter()
        .filter(|trial| {
            competes(trial, DraftRule::Entropy) || competes(trial, DraftRule::FixedLength)
        })
        .map(|trial| trial.batch_size)
        .min();
    let fastest = |rule: DraftRule, name: &'static str| {
        view.best(|trial| competes(trial, rule) && Some(trial.batch_size) == batch_size)
            .ok_or(NoVerdict::MissingSide(name))
    };
    let challenger = fastest(DraftRule::Entropy, "EBSD")?;
    let incumbent = fastest(DraftRule::FixedLength, "fixed-k")?;
    compare(challenger, incumbent, bootstrap)
}

/// Paired bootstrap over prompts of the ratio of the summed wall times.
///
/// # Errors
/// [`NoVerdict::Unpaired`] when the trials did not measure the same number of prompts.
pub fn compare(
    challenger: &TrialView,
    incumbent: &TrialView,
    bootstrap: &Bootstrap,
) -> Result<Verdict, NoVerdict> {
    let times = |trial: &TrialView| {
        let measures = trial.measures();
        measures.map_or(Vec::new(), |measures| measures.prompt_ns.clone())
    };
    let pairs = Pairs::new(times(incumbent), times(challenger))?;
    let ratio = bootstrap.ratio_of_sums(&pairs);
    let call = if pairs.len() < MIN_PROMPTS {
        Call::TooFewPrompts
    } else if ratio.low > 1.0 {
        Call::Faster
    } else if ratio.high < 1.0 {
        Call::Slower
    } else {
        Call::NotDistinguishable
    };
    Ok(Verdict {
        challenger: challenger.label.clone(),
        incumbent: incumbent.label.clone(),
        ratio,
        call,
        n_prompts: pairs.len(),
    })
}

/// Largest projected speedups of the two sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProjectedBest {
    pub ebsd: f64,
    pub fixed: f64,
}

/// `None` unless both sides have a lossless trial with a projected speedup.
pub fn projected_best(view: &SweepView) -> Option<ProjectedBest> {
    let largest = |rule: DraftRule| {
        view.trials
            .iter()
            .filter(|trial| trial.dropped_after.is_none())
            .filter(|trial| trial.lossless && trial.kind == TrialKind::Speculative(rule))
            .filter_map(|trial| trial.measures()?.speedup_projected)
            .filter(|speedup| speedup.is_finite())
            .reduce(f64::max)
    };
    Some(ProjectedBest {
        ebsd: largest(DraftRule::Entropy)?,
        fixed: largest(DraftRule::FixedLength)?,
    })
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::NotDistinguishable => "not distinguishable",
            Self::TooFewPrompts => "too few prompts to tell",
        })
    }
}

impl fmt::Display for Verdict {
    /// `best EBSD against best fixed k: +3.0 % [−1.0, +7.0], n = 60 prompts: not distinguishable`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gain = number::gain(&self.ratio);
        write!(
            formatter,
            "best EBSD against best fixed k: {gain}, n = {} prompts: {}",
            self.n_prompts, self.call
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::small_view::{trial, view};

    /// 40 prompts of different length.
    fn lengths() -> Vec<f64> {
        (1..=40).map(|i| f64::from(100 + 7 * i)).collect()
    }

    fn times(factor: impl Fn(usize) -> f64) -> Vec<f64> {
        let scaled = |(index, length)| length * factor(index);
        lengths().into_iter().enumerate().map(scaled).collect()
    }

    #[test]
    fn a_rule_that_saves_a_tenth_on_every_prompt_is_faster() {
        let view = view(vec![
            trial("fixed", DraftRule::FixedLength, 1.5, times(|_| 1.0)),
            trial("ebsd", DraftRule::Entropy, 1.65, times(|_| 1.0 / 1.1)),
        ]);
        let verdict = ebsd_against_fixed(&view, &Bootstrap::default()).unwrap();
        assert_eq!(verdict.call, Call::Faster);
        assert_eq!(
            verdict.to_string(),
            "best EBSD against best fixed k: +10.0 % [+10.0, +10.0], n = 40 prompts: faster"
        );
    }

    #[test]
    fn a_rule_that_helps_half_of_the_prompts_and_hurts_the_others_is_not_distinguishable() {
        let alternating = |index: usize| if index.is_multiple_of(2) { 0.8 } else { 1.2 };
        let view = view(vec![
            trial("fixed", DraftRule::FixedLength, 1.5, times(|_| 1.0)),
            trial("ebsd", DraftRule::Entropy, 1.5, times(alternating)),
        ]);
        let verdict = ebsd_against_fixed(&view, &Bootstrap::default()).unwrap();
        assert_eq!(verdict.call, Call::NotDistinguishable);
        assert!(verdict.ratio.contains(1.0));
    }

    #[test]
    fn nine_prompts_are_too_few_to_call() {
        let few = |factor: f64| vec![factor; MIN_PROMPTS - 1];
        let view = view(vec![
            trial("fixed", DraftRule::FixedLength, 1.0, few(1.0)),
            trial("ebsd", DraftRule::Entropy, 2.0, few(0.5)),
        ]);
        let verdict = ebsd_against_fixed(&view, &Bootstrap::default()).unwrap();
        assert_eq!(verdict.call, Call::TooFewPrompts);
    }

    #[test]
    fn trials_of_larger_batches_compete_among_themselves() {
        let mut batched = trial("ebsd batch=4", DraftRule::Entropy, 3.0, times(|_| 0.1));
        batched.batch_size = 4;
        let view = view(vec![
            trial("fixed", DraftRule::FixedLength, 1.5, times(|_| 1.0)),
            trial("ebsd", DraftRule::Entropy, 1.6, times(|_| 0.9)),
            batched,
        ]);
        let verdict = ebsd_against_fixed(&view, &Bootstrap::default()).unwrap();
        assert_eq!(verdict.challenger, "ebsd");
    }

    #[test]
    fn the_oracle_and_lossy_trials_do_not_compete() {
        let mut lossy = trial("lossy", DraftRule::Entropy, 9.0, times(|_| 0.1));
        lossy.lossless = false;
        let view = view(vec![
            trial("fixed", DraftRule::FixedLength, 1.5, times(|_| 1.0)),
            trial("oracle", DraftRule::Reference, 3.0, times(|_| 0.5)),
            lossy,
            trial("ebsd", DraftRule::Entropy, 1.4, times(|_| 1.07)),
        ]);
        let verdict = ebsd_against_fixed(&view, &Bootstrap::default()).unwrap();
        assert_eq!(verdict.challenger, "ebsd");
        assert_eq!(verdict.call, Call::Slower);
    }

    #[test]
    fn a_missing_side_or_a_missing_prompt_is_said_in_words() {
        let fixed = trial("fixed", DraftRule::FixedLength, 1.5, times(|_| 1.0));
        let alone = view(vec![fixed.clone()]);
        let error = ebsd_against_fixed(&alone, &Bootstrap::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no lossless EBSD trial has a measured speedup"
        );
        let short = trial("ebsd", DraftRule::Entropy, 1.5, vec![1.0; 39]);
        let error = compare(&short, &fixed, &Bootstrap::default()).unwrap_err();
        assert!(error.to_string().contains("not 40 and 39"), "{error}");
    }
}
