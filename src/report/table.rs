//! The table that a sweep prints in the terminal when it ends.

use crate::analysis::view::{DraftRule, ReplayCheck, SweepView, TrialKind, TrialView};
use crate::report::number::{
    NOTHING, number, optional_interval, optional_number, printable, shortened,
};
use crate::report::verdict::{Call, ebsd_against_fixed, projected_best};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;

/// Widest line in characters.
pub const WIDTH: usize = 100;

const GAP: &str = "  ";
const N_COLUMNS: usize = 7;
const HEADERS: [[&str; N_COLUMNS]; 2] = [
    ["", "", "tokens", "speedup", "accept-", "tokens/", "exact"],
    [
        "",
        "decoder",
        "per s",
        "over baseline",
        "ance",
        "forward",
        "match",
    ],
];
/// The column that is shortened when the table is too wide.
const DECODER: usize = 1;
/// From here on columns hold numbers and are right-aligned.
const FIRST_NUMBER: usize = 2;

struct Row {
    cells: [String; N_COLUMNS],
    is_lossy: bool,
}

/// Baseline, best fixed k and the best trial of every decoder entry, with a verdict below. Lines
/// have at most [`WIDTH`] characters; `is_coloured` adds ANSI colours, for terminals only.
pub fn terminal(view: &SweepView, bootstrap: &Bootstrap, is_coloured: bool) -> String {
    let paint = Paint { is_coloured };
    let rows = rows(view);
    let mut lines = vec![
        one_line(&format!(
            "{} · {} · {}",
            view.name,
            view.size(),
            view.device
        )),
        String::new(),
    ];
    lines.extend(laid_out(&rows, paint));
    lines.push(String::new());
    lines.extend(notes(view, &rows));
    lines.extend(verdict(view, bootstrap, paint));
    lines.join("\n") + "\n"
}

fn rows(view: &SweepView) -> Vec<Row> {
    let best_fixed = view.best_fixed();
    let mut rows = Vec::new();
    rows.extend(view.baseline.as_ref().map(|trial| row("baseline", trial)));
    rows.extend(best_fixed.map(|trial| row("best fixed k", trial)));
    for family in view.families() {
        let of_family = |trial: &TrialView| trial.family == family;
        let measured = |trial: &&TrialView| of_family(trial) && trial.measures().is_some();
        let best = view
            .best(of_family)
            .or_else(|| view.trials.iter().find(measured));
        match best {
            Some(best) if best_fixed.is_some_and(|fixed| std::ptr::eq(fixed, best)) => {}
            Some(best) => rows.push(row(&role(view, best), best)),
            None => rows.extend(
                view.trials
                    .iter()
                    .find(|trial| of_family(trial))
                    .map(failed),
            ),
        }
    }
    rows
}

/// What the best trial of its decoder entry stands for.
fn role(view: &SweepView, best: &TrialView) -> String {
    match best.kind {
        TrialKind::Speculative(DraftRule::Reference) => return "reference".to_owned(),
        TrialKind::Duplicate => return "noise floor".to_owned(),
        TrialKind::Autoregressive | TrialKind::Speculative(_) | TrialKind::Window => {}
    }
    let n = view.n_trials(&best.family);
    if n == 1 {
        "single".to_owned()
    } else {
        format!("best of {n}")
    }
}

fn row(role: &str, trial: &TrialView) -> Row {
    let Some(measures) = trial.measures() else {
        return failed(trial);
    };
    let name = if trial.lossless {
        printable(&trial.label)
    } else {
        format!("~{}", printable(&trial.label))
    };
    let share =
        |interval: Option<Interval>| optional_number(interval.map(|interval| interval.estimate), 2);
    Row {
        cells: [
            role.to_owned(),
            name,
            number(measures.tokens_per_second, 1),
            optional_interval(measures.speedup, 2),
            share(measures.acceptance_rate),
            number(measures.tokens_per_forward, 2),
            share(measures.exact_match),
        ],
        is_lossy: !trial.lossless,
    }
}

fn failed(trial: &TrialView) -> Row {
    let nothing = || NOTHING.to_owned();
    Row {
        cells: [
            "failed".to_owned(),
            printable(&trial.label),
            nothing(),
            nothing(),
            nothing(),
            nothing(),
            nothing(),
        ],
        is_lossy: false,
    }
}

fn laid_out(rows: &[Row], paint: Paint) -> Vec<String> {
    let widest = |column: usize| {
        let cells = rows.iter().map(|row| row.cells[column].chars().count());
        let headers = HEADERS.map(|header| header[column].chars().count());
        cells.chain(headers).max().unwrap_or(0)
    };
    let mut widths: [usize; N_COLUMNS] = std::array::from_fn(widest);
    let gaps = GAP.len() * (N_COLUMNS - 1);
    let others: usize = widths.iter().sum::<usize>() - widths[DECODER];
    widths[DECODER] = widths[DECODER].min(WIDTH.saturating_sub(others + gaps));

    let line = |cells: &[&str]| {
        let padded: Vec<String> = cells
            .iter()
            .enumerate()
            .map(|(column, cell)| {
                let width = widths[column];
                let cell = shortened(cell, width);
                if column < FIRST_NUMBER {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            })
            .collect();
        padded.join(GAP).trim_end().to_owned()
    };
    let total = widths.iter().sum::<usize>() + gaps;
    let mut lines: Vec<String> = HEADERS
        .iter()
        .map(|header| paint.bold(&line(header)))
        .collect();
    lines.push("─".repeat(total));
    for row in rows {
        let cells: Vec<&str> = row.cells.iter().map(String::as_str).collect();
        let text = line(&cells);
        lines.push(if row.is_lossy { paint.dim(&text) } else { text });
    }
    lines
}

fn notes(view: &SweepView, rows: &[Row]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut intervals = view.trials.iter().filter_map(TrialView::speedup);
    if let Some(interval) = intervals.find(|interval| interval.confidence < 1.0) {
        let percent = (interval.confidence * 1000.0).round() / 10.0;
        notes.push(format!(
            "[ ] holds the {percent} % interval of the speedup for other prompts of the same kind."
        ));
    }
    if rows.iter().any(|row| row.is_lossy) {
        notes.push("~ is lossy: the text may differ from the verifier's.".to_owned());
    }
    let dropped = view
        .trials
        .iter()
        .filter(|trial| trial.dropped_after.is_some());
    match dropped.count() {
        0 => {}
        n => notes.push(format!(
            "{n} of {} trials were dropped before the last prompt; they are not among the best.",
            view.trials.len()
        )),
    }
    if let Some(check) = &view.replay {
        notes.extend(replayed(check));
    }
    let mut failures = view
        .trials
        .iter()
        .filter_map(|trial| Some((trial, trial.result.as_ref().err()?)));
    if let Some((trial, error)) = failures.next() {
        let n = 1 + failures.count();
        let note = format!(
            "{n} of {} trials failed, first {}: {error}",
            view.trials.len(),
            trial.label
        );
        notes.push(one_line(&note));
    }
    notes
}

/// How many trials were replayed, and what checking some of them live gave.
fn replayed(check: &ReplayCheck) -> Vec<String> {
    let percent = |share: f64| (share * 1000.0).round() / 10.0;
    let mut lines = vec![one_line(&format!(
        "{} trials are replayed: exact counts, predicted times.",
        check.n_replayed
    ))];
    lines.push(one_line(&format!(
        "Checked live: {} of {} generations differ, {} rounds.",
        check.n_different, check.n_generations, check.n_rounds
    )));
    if let (Some(median), Some(largest)) = (check.median_error, check.largest_error) {
        lines.push(one_line(&format!(
            "Predicted against measured speedup: median error {} %, largest {} %, rank correlation {}.",
            percent(median),
            percent(largest),
            optional_number(check.rank_correlation, 3),
        )));
    }
    lines
}

fn verdict(view: &SweepView, bootstrap: &Bootstrap, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    match ebsd_against_fixed(view, bootstrap) {
        Ok(verdict) => {
            lines.push(paint.call(&verdict.to_string(), verdict.call));
            lines.push(one_line(&format!("  EBSD     {}", verdict.challenger)));
            lines.push(one_line(&format!("  fixed k  {}", verdict.incumbent)));
        }
        Err(reason) => lines.push(one_line(&format!(
            "no verdict on EBSD against fixed k: {reason}"
        ))),
    }
    if let Some(best) = projected_best(view) {
        let profile = view
            .hardware_profile
            .as_deref()
            .unwrap_or("an unnamed profile");
        lines.push(one_line(&format!(
            "projected for {profile} (a model, not measured): best EBSD {}×, best fixed k {}×",
            number(best.ebsd, 2),
            number(best.fixed, 2)
        )));
    }
    lines
}

fn one_line(text: &str) -> String {
    shortened(&printable(text), WIDTH)
}

/// ANSI colours, or none.
#[derive(Clone, Copy)]
struct Paint {
    is_coloured: bool,
}

impl Paint {
    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn call(self, text: &str, call: Call) -> String {
        match call {
            Call::Faster => self.with("1;32", text),
            Call::Slower => self.with("1;31", text),
            Call::NotDistinguishable | Call::TooFewPrompts => self.with("1;33", text),
        }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.is_coloured {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::small_view::{failed, trial, twelve, view};

    fn table(view: &SweepView) -> String {
        terminal(view, &Bootstrap::default(), false)
    }

    fn fixed_and_ebsd() -> SweepView {
        view(vec![
            trial("fixed-k k=4", DraftRule::FixedLength, 1.5, twelve(1.0)),
            trial("ebsd theta=1", DraftRule::Entropy, 1.65, twelve(1.1)),
        ])
    }

    #[test]
    fn a_small_sweep_prints_this_table() {
        let expected = "\
smoke · 12 prompts × 1 repeat · cpu

                            tokens            speedup  accept-  tokens/  exact
              decoder        per s      over baseline     ance  forward  match
──────────────────────────────────────────────────────────────────────────────
best fixed k  fixed-k k=4     75.0  1.50 [1.45, 1.55]     0.75     3.00   0.80
single        ebsd theta=1    82.5  1.65 [1.60, 1.70]     0.75     3.00   0.80

[ ] holds the 95 % interval of the speedup for other prompts of the same kind.
best EBSD against best fixed k: +10.0 % [+10.0, +10.0], n = 12 prompts: faster
  EBSD     ebsd theta=1
  fixed k  fixed-k k=4
";
        assert_eq!(table(&fixed_and_ebsd()), expected);
    }

    #[test]
    fn no_line_is_wider_than_a_terminal_however_long_the_labels_are() {
        let mut view = fixed_and_ebsd();
        view.name = "name".repeat(60);
        for trial in &mut view.trials {
            trial.label = trial.label.repeat(40);
        }
        view.trials
            .push(failed(&"label".repeat(50), &"error".repeat(50)));
        view.trials[1].lossless = false;
        view.hardware_profile = Some("profile".repeat(30));
        for line in table(&view).lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn colours_are_for_terminals_only() {
        let view = fixed_and_ebsd();
        assert!(!table(&view).contains('\x1b'));
        let coloured = terminal(&view, &Bootstrap::default(), true);
        assert!(coloured.contains("\x1b[1;32mbest EBSD against"));
    }

    #[test]
    fn a_lossy_trial_is_marked_and_the_mark_explained() {
        let mut view = fixed_and_ebsd();
        view.trials[1].lossless = false;
        let table = table(&view);
        assert!(table.contains("~ebsd theta=1"));
        assert!(table.contains("~ is lossy"));
        assert!(table.contains("no lossless EBSD trial has a measured speedup"));
    }

    #[test]
    fn a_failed_trial_is_a_row_and_its_error_is_told() {
        let mut view = fixed_and_ebsd();
        view.trials.push(failed("svip", "the logits\nhold NaN"));
        let table = table(&view);
        assert!(table.contains("failed        svip"));
        assert!(table.contains("1 of 3 trials failed, first svip: the logits hold NaN"));
    }

    #[test]
    fn a_dropped_trial_is_counted_and_never_the_best() {
        let mut view = fixed_and_ebsd();
        let mut dropped = trial("ebsd theta=9", DraftRule::Entropy, 9.0, vec![9.0]);
        dropped.family.clone_from(&view.trials[1].family);
        dropped.dropped_after = Some(1);
        view.trials.push(dropped);
        let table = table(&view);
        assert!(table.contains("best of 2     ebsd theta=1 "), "{table}");
        assert!(
            table.contains("1 of 3 trials were dropped before the last prompt"),
            "{table}"
        );
    }

    #[test]
    fn the_oracle_is_a_reference_and_not_the_best_of_one() {
        let mut view = fixed_and_ebsd();
        let oracle = trial("oracle", DraftRule::Reference, 3.0, vec![50.0, 90.0, 150.0]);
        view.trials.push(oracle);
        assert!(table(&view).contains("reference     oracle"));
    }

    #[test]
    fn an_empty_sweep_still_prints() {
        let table = table(&view(vec![]));
        assert!(table.contains("no verdict on EBSD against fixed k"));
    }
}
