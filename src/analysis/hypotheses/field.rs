//! Tasks, halves of their prompts, and the best of a group chosen on one half for the other.
//!
//! The best of many settings, read off the prompts that it was chosen on, is partly the luckiest. So
//! each task's prompts are split by the sweep's seed; the best on one half is what counts on the other,
//! and the other way round. Candidates and baselines both pay for their tuning.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::analysis::hypotheses::data::{Arm, Figures, Prompt, RunData};
use crate::analysis::hypotheses::paired::{Part, part, value};
use crate::config::experiment::{Group, Metric, Tasks, Tuning};
use crate::record::schema::Mode;

/// Some prompts of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub name: String,
    /// Index of the run.
    pub run: usize,
    /// The two halves, as indices of prompts.
    pub halves: [Vec<usize>; 2],
}

impl Task {
    /// All prompts, the first half first.
    pub fn prompts(&self) -> impl Iterator<Item = usize> {
        self.halves.iter().flatten().copied()
    }

    pub fn n_prompts(&self) -> usize {
        self.halves[0].len() + self.halves[1].len()
    }
}

/// The runs, tasks and trials of one question.
#[derive(Debug)]
pub struct Field<'d> {
    pub runs: Vec<&'d RunData>,
    pub tasks: Vec<Task>,
    /// Where the figures of its trials come from.
    pub mode: Mode,
}

/// What a group does on a task when it may choose.
#[derive(Debug, Clone)]
pub struct Choice<'d> {
    /// What was chosen on the second half for the first, and the other way round.
    pub arms: [&'d Arm; 2],
    /// By prompt of the task, in its order.
    pub figures: Vec<&'d Figures>,
}

impl Choice<'_> {
    /// One label, or two where the halves chose differently.
    pub fn labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = self.arms.iter().map(|arm| arm.label.clone()).collect();
        labels.dedup();
        labels
    }
}

impl<'d> Field<'d> {
    /// # Errors
    /// Why the groups cannot be compared: a group without trials, or times of two kinds.
    pub fn new(data: &'d [RunData], groups: &[&Group], tasks: Tasks) -> Result<Self, String> {
        let runs: Vec<&RunData> = data
            .iter()
            .filter(|run| groups.iter().any(|group| group.names_sweep(&run.sweep)))
            .collect();
        let mut arms: Vec<&Arm> = Vec::new();
        for group in groups {
            let of_group: Vec<&Arm> = runs.iter().flat_map(|run| run.select(group)).collect();
            if of_group.is_empty() {
                return Err(format!(
                    "no trial of {} ran on all prompts",
                    in_words(group)
                ));
            }
            arms.extend(of_group);
        }
        let mode = mode_of(&arms)?;
        let tasks = runs
            .iter()
            .enumerate()
            .flat_map(|(index, run)| tasks_of(run, index, tasks, runs.len() > 1))
            .collect();
        Ok(Self { runs, tasks, mode })
    }

    /// The trials of a group in a run.
    pub fn arms(&self, run: usize, group: &Group) -> Vec<&'d Arm> {
        let run: &'d RunData = self.runs[run];
        run.select(group)
    }

    pub fn prompt(&self, task: &Task, index: usize) -> &'d Prompt {
        let run: &'d RunData = self.runs[task.run];
        &run.prompts[index]
    }

    /// A trial on a prompt of a run.
    pub fn figures(&self, arm: &'d Arm, prompt: usize) -> Option<&'d Figures> {
        arm.figures(self.mode)?.get(prompt)
    }

    /// The best of `arms` on some prompts by Σn / Σd; none where nothing was observed.
    pub fn best(&self, arms: &[&'d Arm], prompts: &[usize], by: Metric) -> Option<&'d Arm> {
        let mut best: Option<(&'d Arm, f64)> = None;
        for &arm in arms {
            let Some(own) = self.value(arm, prompts, by) else {
                continue;
            };
            let signed = if by.rises() { own } else { -own };
            if best.is_none_or(|(_, so_far)| signed > so_far) {
                best = Some((arm, signed));
            }
        }
        best.map(|(arm, _)| arm)
    }

    /// Σn / Σd of a trial on some prompts.
    pub fn value(&self, arm: &'d Arm, prompts: &[usize], metric: Metric) -> Option<f64> {
        value(
            prompts
                .iter()
                .filter_map(|&prompt| part(metric, self.figures(arm, prompt)?)),
        )
    }

    /// What the group does on the task, each half with the choice of the other half.
    pub fn choose(&self, group: &Group, task: &Task, by: Metric) -> Option<Choice<'d>> {
        let arms = self.arms(task.run, group);
        let chosen_on = |half: usize| match (arms.as_slice(), group.tune) {
            ([lone], _) => Some(*lone),
            (_, Tuning::Task) => self.best(&arms, &task.halves[half], by),
            (_, Tuning::All) => {
                let of_run = self.tasks.iter().filter(|one| one.run == task.run);
                let prompts: Vec<usize> = of_run
                    .flat_map(|one| one.halves[half].iter().copied())
                    .collect();
                self.best(&arms, &prompts, by)
            }
        };
        let arms = [chosen_on(1)?, chosen_on(0)?];
        let mut figures = Vec::with_capacity(task.n_prompts());
        for (arm, half) in arms.iter().zip(&task.halves) {
            for &prompt in half {
                figures.push(self.figures(arm, prompt)?);
            }
        }
        Some(Choice { arms, figures })
    }

    /// Whether times were measured, in words.
    pub fn times(&self) -> &'static str {
        match self.mode {
            Mode::Live => "measured",
            Mode::Replay => "predicted from a trace",
        }
    }
}

/// The parts of a metric that both choices have.
pub fn parts<'d>(
    one: &Choice<'d>,
    other: &Choice<'d>,
    metric: Metric,
) -> impl Iterator<Item = (Part, Part)> {
    let pairs = one.figures.iter().zip(&other.figures);
    pairs.filter_map(move |(one, other)| Some((part(metric, one)?, part(metric, other)?)))
}

/// Predicted times go with predicted times, measured ones with measured ones.
fn mode_of(arms: &[&Arm]) -> Result<Mode, String> {
    if arms.iter().all(|arm| arm.replay.is_some()) {
        return Ok(Mode::Replay);
    }
    match arms.iter().find(|arm| arm.live.is_none()) {
        None => Ok(Mode::Live),
        Some(replayed) => {
            let measured = arms.iter().find(|arm| arm.replay.is_none());
            Err(format!(
                "the times of '{}' are predicted and those of '{}' measured, so they are not compared; \
                 run the sweep in mode live",
                replayed.label,
                measured.map_or("others", |arm| arm.label.as_str())
            ))
        }
    }
}

fn tasks_of(run: &RunData, index: usize, by: Tasks, is_one_of_many: bool) -> Vec<Task> {
    let groups: BTreeMap<String, Vec<usize>> = match by {
        Tasks::Category {} => by_category(run),
        Tasks::Sweep {} => [(run.sweep.clone(), (0..run.prompts.len()).collect())].into(),
        Tasks::AnswerLen { n } => by_answer_len(run, n),
    };
    let is_named = is_one_of_many && by != Tasks::Sweep {};
    groups
        .into_iter()
        .filter(|(_, prompts)| !prompts.is_empty())
        .map(|(name, prompts)| Task {
            name: if is_named {
                format!("{}: {name}", run.sweep)
            } else {
                name
            },
            run: index,
            halves: halves(run, &prompts),
        })
        .collect()
}

fn by_category(run: &RunData) -> BTreeMap<String, Vec<usize>> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (prompt, of_prompt) in run.prompts.iter().enumerate() {
        groups
            .entry(of_prompt.category.clone())
            .or_default()
            .push(prompt);
    }
    groups
}

/// Ranks cut into `n` parts; a name holds the lengths that are in it.
fn by_answer_len(run: &RunData, n: usize) -> BTreeMap<String, Vec<usize>> {
    let mut order: Vec<usize> = (0..run.prompts.len()).collect();
    let len = |prompt: usize| run.prompts[prompt].answer_len;
    order.sort_by(|&a, &b| len(a).total_cmp(&len(b)).then(a.cmp(&b)));
    let n_prompts = order.len();
    (0..n)
        .map(|place| {
            let mut part = order[place * n_prompts / n..(place + 1) * n_prompts / n].to_vec();
            let ends = part
                .first()
                .zip(part.last())
                .map(|(&first, &last)| (len(first), len(last)));
            let (low, high) = ends.unwrap_or_default();
            part.sort_unstable();
            (
                format!("{}. answers of {low} to {high} tokens", place + 1),
                part,
            )
        })
        .collect()
}

/// By lot, each category as evenly as it goes.
fn halves(run: &RunData, prompts: &[usize]) -> [Vec<usize>; 2] {
    let mut by_category: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &prompt in prompts {
        let category = run.prompts[prompt].category.as_str();
        by_category.entry(category).or_default().push(prompt);
    }
    let mut halves = [Vec::new(), Vec::new()];
    for mut prompts in by_category.into_values() {
        prompts.shuffle(&mut ChaCha8Rng::seed_from_u64(run.seed));
        let second = prompts.split_off(prompts.len() / 2);
        // An odd one goes to the half that is behind.
        let shorter = usize::from(halves[0].len() > halves[1].len());
        halves[1 - shorter].extend(prompts);
        halves[shorter].extend(second);
    }
    halves
}

/// A group as a sentence names it.
pub fn in_words(group: &Group) -> String {
    let mut words: Vec<String> = Vec::new();
    for (key, names) in [
        ("entries", &group.entries),
        ("labels", &group.labels),
        ("sweeps", &group.sweeps),
    ] {
        if !names.is_empty() {
            words.push(format!("{key} {}", names.join(", ")));
        }
    }
    for (axis, values) in &group.axes {
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        words.push(format!("{axis} {}", values.join(", ")));
    }
    words.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::hypotheses::made_up::{arm, group, run};

    #[test]
    fn the_halves_hold_each_prompt_once_and_half_of_every_category() {
        let run = run(&["a", "b"], 10, vec![]);
        let field = tasks_of(&run, 0, Tasks::Sweep {}, false);
        let [first, second] = &field[0].halves;
        let mut all: Vec<usize> = first.iter().chain(second).copied().collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..20));
        let of_a = first
            .iter()
            .filter(|&&prompt| run.prompts[prompt].category == "a")
            .count();
        assert_eq!((first.len(), of_a), (10, 5));
    }

    #[test]
    fn answers_are_grouped_by_length_in_equal_numbers() {
        let run = run(&["a"], 9, vec![]);
        let groups = by_answer_len(&run, 3);
        let sizes: Vec<usize> = groups.values().map(Vec::len).collect();
        assert_eq!(sizes, [3, 3, 3]);
        assert!(groups.keys().next().unwrap().starts_with("1. answers of "));
    }

    #[test]
    fn luck_on_one_half_is_judged_on_the_other() {
        // Each of two arms is fast on one half alone; a third is steady.
        let mut data = run(&["a"], 12, vec![]);
        let halves = halves(&data, &(0..12).collect::<Vec<_>>());
        let lucky = |half: usize| {
            let fast = halves[half].clone();
            arm(
                &format!("ebsd {half}"),
                (0..12)
                    .map(|prompt| if fast.contains(&prompt) { 10.0 } else { 100.0 })
                    .collect(),
            )
        };
        data.arms = vec![lucky(0), lucky(1), arm("ebsd steady", vec![50.0; 12])];
        let data = [data];
        let ebsd = group(&["ebsd"]);
        let field = Field::new(&data, &[&ebsd], Tasks::Sweep {}).unwrap();
        let choice = field
            .choose(&ebsd, &field.tasks[0], Metric::Speedup)
            .unwrap();
        assert!(choice.figures.iter().all(|figures| figures.ns == 100.0));
        assert_eq!(choice.labels(), ["ebsd 1", "ebsd 0"]);
    }

    #[test]
    fn one_choice_for_all_tasks_may_differ_from_that_of_a_task() {
        // Prompts alternate between a and b.
        let times = |a: f64, b: f64| [a, b].into_iter().cycle().take(20).collect::<Vec<_>>();
        let data = [run(
            &["a", "b"],
            10,
            vec![arm("x 1", times(10.0, 99.0)), arm("x 2", times(50.0, 20.0))],
        )];
        let own = group(&["x"]);
        let shared = Group {
            tune: Tuning::All,
            ..own.clone()
        };
        let field = Field::new(&data, &[&own], Tasks::default()).unwrap();
        let on_a = |group| {
            field
                .choose(group, &field.tasks[0], Metric::Speedup)
                .unwrap()
                .labels()
        };
        assert_eq!(
            (on_a(&own), on_a(&shared)),
            (vec!["x 1".to_owned()], vec!["x 2".to_owned()])
        );
    }

    #[test]
    fn predicted_times_are_not_compared_with_measured_ones() {
        let mut predicted = arm("x", vec![1.0; 4]);
        predicted.replay = predicted.live.take();
        let data = [run(&["a"], 4, vec![predicted, arm("y", vec![1.0; 4])])];
        let error =
            Field::new(&data, &[&group(&["x"]), &group(&["y"])], Tasks::default()).unwrap_err();
        assert!(
            error.contains("'x' are predicted and those of 'y' measured"),
            "{error}"
        );
        let error = Field::new(&data, &[&group(&["z"])], Tasks::default()).unwrap_err();
        assert_eq!(error, "no trial of entries z ran on all prompts");
    }
}
