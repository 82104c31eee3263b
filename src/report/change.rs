//! Two runs side by side, for a terminal.

use crate::analysis::change::{Change, Changed, Changes};
use crate::record::schema::Mode;
use crate::report::number::{NOTHING, gain, interval, number, shortened};

/// Widest label in a line.
const LABEL_WIDTH: usize = 38;

/// A line per trial: each figure before and after, its change with the interval, p adjusted.
pub fn terminal(changes: &Changes) -> String {
    let mut lines = vec![format!(
        "{:<LABEL_WIDTH$}  {:>44}  {:>32}  {:>32}  {:>30}",
        "trial", "tokens/s", "speedup", "acceptance", "exact match"
    )];
    for one in &changes.trials {
        lines.push(line(one));
    }
    for (labels, whose) in [
        (&changes.only_before, "first"),
        (&changes.only_after, "second"),
    ] {
        if !labels.is_empty() {
            lines.push(format!("in the {whose} run alone: {}", labels.join(", ")));
        }
    }
    if let Some(first) = changes.trials.first() {
        lines.push(match first.is_paired {
            true => format!(
                "{} prompts, paired; [ ] 95 % intervals over prompts, p by Holm",
                first.n_after
            ),
            false => format!(
                "{} and {} prompts, not the same ones; [ ] 95 % intervals over prompts, p by Holm",
                first.n_before, first.n_after
            ),
        });
    }
    lines.join("\n")
}

fn line(one: &Change) -> String {
    let label = match one.mode {
        Mode::Live => one.label.clone(),
        Mode::Replay => format!("{} (replayed)", one.label),
    };
    let ratio = |figure: &Option<Changed>| {
        figure.as_ref().map_or(NOTHING.to_owned(), |figure| {
            format!(
                "{} p={}",
                gain(&figure.change),
                number(figure.p_adjusted, 3)
            )
        })
    };
    let speed = one
        .tokens_per_second
        .as_ref()
        .map_or(NOTHING.to_owned(), |figure| {
            format!(
                "{} → {}, {}",
                number(figure.before, 0),
                number(figure.after, 0),
                ratio(&one.tokens_per_second)
            )
        });
    let points = one
        .exact_match
        .as_ref()
        .map_or(NOTHING.to_owned(), |figure| {
            let p = number(figure.p_adjusted, 3);
            format!("{} p={p}", interval(&figure.change, 2))
        });
    format!(
        "{:<LABEL_WIDTH$}  {speed:>44}  {:>32}  {:>32}  {points:>30}",
        shortened(&label, LABEL_WIDTH),
        ratio(&one.speedup),
        ratio(&one.acceptance_rate)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::interval::Interval;

    #[test]
    fn a_line_has_before_after_and_the_change_with_its_interval() {
        let change = Interval {
            estimate: 0.9,
            low: 0.85,
            high: 0.94,
            confidence: 0.95,
        };
        let figure = Changed {
            before: 100.0,
            after: 90.0,
            change,
            p: 0.001,
            p_adjusted: 0.004,
        };
        let one = Change {
            label: "ebsd".into(),
            mode: Mode::Live,
            is_paired: true,
            n_before: 12,
            n_after: 12,
            tokens_per_second: Some(figure),
            speedup: None,
            acceptance_rate: None,
            exact_match: None,
        };
        let changes = Changes {
            trials: vec![one],
            only_before: vec!["old".into()],
            only_after: vec![],
        };
        let text = terminal(&changes);
        assert!(
            text.contains("100 → 90, −10.0 % [−15.0, −6.0] p=0.004"),
            "{text}"
        );
        assert!(text.contains("in the first run alone: old"), "{text}");
        assert!(text.contains("12 prompts, paired"), "{text}");
    }
}
