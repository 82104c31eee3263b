//! What was replayed, and how far the replay can be trusted.

use crate::analysis::view::{ReplayCheck, SweepView};
use crate::report::number::{number, optional_interval};

use super::{escaped, percent};

/// Empty when nothing was replayed.
pub fn section(view: &SweepView) -> String {
    let Some(check) = &view.replay else {
        return String::new();
    };
    let mut text = format!(
        "## Replay\n\n\
         {} trials were read off one trace per prompt instead of being decoded: which tokens they draft, \
         accept and commit is exact, their times are predictions of a cost model that was calibrated on this \
         device (intervals include its error). {}",
        check.n_replayed,
        rounds(check),
    );
    if !check.trials.is_empty() {
        text += &format!("\n\n{}\n\n{}", times(check), table(check));
    }
    text
}

fn rounds(check: &ReplayCheck) -> String {
    if check.n_generations == 0 && !check.trials.is_empty() {
        return "Some of them ran live as well; the run does not hold how many of their rounds differ."
            .to_owned();
    }
    if check.n_generations == 0 {
        return "None of them ran live, so nothing was checked here.".to_owned();
    }
    let compared = format!(
        "Checked live, round by round: {} generations, {} rounds",
        check.n_generations, check.n_rounds
    );
    match check.n_different {
        0 => format!("{compared}, no difference."),
        n => format!(
            "{compared}. **{n} generations differ**, {} of them on prompts where the verifier is near a tie.",
            check.n_near_ties
        ),
    }
}

fn times(check: &ReplayCheck) -> String {
    let share = |error: Option<f64>| {
        error.map_or("–".to_owned(), |error| format!("{} %", percent(error)))
    };
    format!(
        "Predicted against measured speedup over the autoregressive baseline: median error {}, largest {}, \
         rank correlation {}, n = {} trials.",
        share(check.median_error),
        share(check.largest_error),
        check
            .rank_correlation
            .map_or("–".to_owned(), |rho| number(rho, 3)),
        check.trials.len(),
    )
}

fn table(check: &ReplayCheck) -> String {
    let mut lines = vec![
        "| trial | predicted speedup | measured speedup |".to_owned(),
        "|---|--:|--:|".to_owned(),
    ];
    lines.extend(check.trials.iter().map(|trial| {
        format!(
            "| {} | {} | {} |",
            escaped(&trial.label),
            optional_interval(Some(trial.predicted), 2),
            optional_interval(Some(trial.measured), 2),
        )
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::view::CheckedTrial;
    use crate::report::small_view::view;
    use crate::stats::interval::Interval;

    #[test]
    fn differences_and_errors_are_said_in_words() {
        let mut view = view(vec![]);
        assert_eq!(section(&view), "");
        view.replay = Some(ReplayCheck {
            n_replayed: 9,
            n_generations: 4,
            n_rounds: 80,
            ..ReplayCheck::default()
        });
        assert!(section(&view).contains("4 generations, 80 rounds, no difference."));
        view.replay = Some(ReplayCheck {
            n_different: 2,
            n_near_ties: 1,
            trials: vec![CheckedTrial {
                label: "ebsd".to_owned(),
                predicted: Interval::exact(1.5),
                measured: Interval::exact(1.6),
            }],
            median_error: Some(0.0625),
            largest_error: Some(0.0625),
            ..view.replay.unwrap()
        });
        let text = section(&view);
        assert!(
            text.contains("**2 generations differ**, 1 of them"),
            "{text}"
        );
        assert!(text.contains("median error 6.3"), "{text}");
        assert!(text.contains("| ebsd | 1.50 | 1.60 |"), "{text}");
    }
}
