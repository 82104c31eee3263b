//! What a sweep is about to do, before it does it.

use std::collections::HashSet;

use crate::cmd::replayable::Split;
use crate::config::SweepSpec;
use crate::plan::Plan;
use crate::plan::halving::Course;

/// Prints the trials, what became of the other points, and how much there is to run.
pub fn print_plan(plan: &Plan, sweep: &SweepSpec, split: &Split<'_>) {
    let replayed: HashSet<&str> = split
        .replayed
        .iter()
        .map(|(trial, _)| trial.id.as_str())
        .collect();
    for trial in &plan.trials {
        let is_replayed = replayed.contains(trial.id.as_str());
        let mode = if is_replayed { "  (replayed)" } else { "" };
        println!("{}  {}{mode}", trial.id, trial.label);
        for name in &trial.names[1..] {
            println!("              = {name}");
        }
    }
    for (trial, reason) in &split.refused {
        println!("not replayed  {}: {reason}", trial.label);
    }
    for refused in &plan.refused {
        println!("refused       {}: {}", refused.label, refused.reason);
    }
    let prompts = match sweep.workload.n_prompts_at_most() {
        usize::MAX => "all".to_string(),
        n => n.to_string(),
    };
    println!(
        "{} points: {} trials and {}, {} merged, {} refused; {prompts} prompts × {} repeats",
        plan.n_points(),
        plan.trials.len() - plan.n_baselines,
        match plan.n_baselines {
            1 => "the baseline".to_string(),
            n => format!("{n} baselines"),
        },
        plan.merged.unread + plan.merged.equal_rules,
        plan.refused.len(),
        sweep.timing.repeats,
    );
    for line in reductions(plan, sweep) {
        println!("{line}");
    }
    println!("{}\n", work(sweep, split));
}

/// Why fewer trials or prompts run than the sweep names.
fn reductions(plan: &Plan, sweep: &SweepSpec) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(sample) = &sweep.sample {
        let n_distinct = plan.n_distinct();
        lines.push(format!(
            "sample: {} of {n_distinct} trials ({}, seed {})",
            n_distinct - plan.n_left_out,
            sample.kind.name(),
            sample.seed
        ));
    }
    if plan.n_elsewhere > 0 {
        let n_own = plan.trials.len() - plan.n_baselines;
        let n_all = n_own + plan.n_elsewhere;
        lines.push(format!(
            "shard: {n_own} of {n_all} trials, and the baselines"
        ));
    }
    if let Some(halving) = &sweep.halving {
        lines.push(match sweep.workload.n_prompts_at_most() {
            usize::MAX => format!(
                "halving: one in {} of an entry's trials goes on after {} prompts, and so on",
                halving.eta, halving.min_prompts
            ),
            n => rungs(&Course::of(sweep, n), plan),
        });
    }
    lines
}

fn rungs(course: &Course, plan: &Plan) -> String {
    let rungs: Vec<String> = course
        .schedule(&plan.trials)
        .iter()
        .map(|rung| format!("{} up to prompt {}", rung.n_trials, rung.n_prompts))
        .collect();
    format!("halving: trials and baselines: {}", rungs.join(", "))
}

/// Generations that run live, on so many prompts. Which trials are checked is not known yet; there are none
/// where trials are dropped.
pub fn n_live_generations(sweep: &SweepSpec, split: &Split<'_>, n_prompts: usize) -> usize {
    let n_checked = sweep.replay.check.min(split.replayed.len());
    Course::of(sweep, n_prompts).n_generations(&split.live)
        + n_checked * n_prompts * sweep.timing.repeats
}

/// How many generations run live, and what is replayed beside them.
fn work(sweep: &SweepSpec, split: &Split<'_>) -> String {
    let n_checked = sweep.replay.check.min(split.replayed.len());
    let n_live = split.live.len() + n_checked;
    let live = match sweep.workload.n_prompts_at_most() {
        usize::MAX => format!("{n_live} trials run live"),
        n => format!(
            "{} generations of {n_live} trials run live",
            n_live_generations(sweep, split, n)
        ),
    };
    match split.replayed.len() {
        0 => live,
        n => format!("{live}, {n_checked} of them to check the replay of {n} trials"),
    }
}
