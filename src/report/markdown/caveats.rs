//! What a reader must know before believing a number.

use crate::analysis::view::{CostPoint, DraftRule, SweepView, TrialKind, TrialView, finite};
use crate::report::number;

use super::escaped;

/// A forward of several tokens counts as dearer than one of a single token from here on.
const NOTICEABLE: f64 = 1.1;

pub fn section(view: &SweepView) -> String {
    let paragraphs: Vec<String> = [
        Some(speed(view)),
        shared(view),
        cost(view),
        projection(view),
        Some(quality(view)),
        broken_promises(view),
        Some(selection(view)),
    ]
    .into_iter()
    .flatten()
    .collect();
    format!("## How to read the numbers\n\n{}", paragraphs.join("\n\n"))
}

fn speed(view: &SweepView) -> String {
    let few = if view.n_prompts < 2 {
        " One prompt has no interval at all."
    } else {
        ""
    };
    format!(
        "**Speed.** A speedup is the wall time of autoregressive decoding over that of the trial: the \
         same prompts, engine, device and token budget. The prompt is the unit of resampling, so an \
         interval speaks about other prompts of the same kind, not about other models, machines or \
         tasks.{few}"
    )
}

/// Times that trials have in common.
fn shared(view: &SweepView) -> Option<String> {
    let measures = view.trials.iter().filter_map(TrialView::measures);
    let n: u64 = measures.map(|one| one.shared_forwards).sum();
    (n > 0).then(|| {
        format!(
            "**Shared forwards.** {n} forwards of window trials (in the first repeat) had run for another \
             trial on the same rows and were not run again: each trial is charged the time that the \
             forward took, so the noise of these times is common to the trials \
             (`timing.share_forwards: false` runs every forward)."
        )
    })
}

fn cost(view: &SweepView) -> Option<String> {
    let mut items = Vec::new();
    let mut is_dear = false;
    for curve in &view.cost_curves {
        let Some(point) = telling_point(&curve.points) else {
            continue;
        };
        items.push(format!(
            "- {}: a forward of {} tokens takes {} times as long as one of 1.",
            escaped(&curve.label),
            point.n_tokens,
            number::interval(&point.ratio, 2)
        ));
        is_dear |= point.ratio.estimate >= NOTICEABLE;
    }
    if items.is_empty() {
        return None;
    }
    let lesson = if is_dear {
        "Where a verifier forward of m tokens costs more than a forward of 1, which is the rule for \
         a small model on a CPU, drafted tokens are not free: a measured speedup can be under 1 even \
         where acceptance is high. Such a run can show how rules compare in drafts, acceptance and \
         forwards; it cannot show the wall time of a large model on an accelerator."
    } else {
        "Here a few more tokens in a forward cost almost nothing, the case in which speculative \
         decoding pays."
    };
    Some(format!(
        "**What a forward costs.**\n\n{}\n\n{lesson}",
        items.join("\n")
    ))
}

/// The point nearest to five tokens: a usual draft of four and the verifier's own.
fn telling_point(points: &[CostPoint]) -> Option<&CostPoint> {
    points
        .iter()
        .filter(|point| point.n_tokens > 1 && point.ratio.estimate.is_finite())
        .min_by_key(|point| point.n_tokens.abs_diff(5))
}

fn projection(view: &SweepView) -> Option<String> {
    let has_any = view.trials.iter().any(|trial| {
        let projected = trial.measures().and_then(|one| one.speedup_projected);
        projected.is_some()
    });
    has_any.then(|| {
        let profile = view.hardware_profile.as_deref().unwrap_or("unnamed");
        format!(
            "**Projected speedups** replace the forward times of this device by those of the hardware \
             profile *{}*. They are a model: the counts of rounds and tokens are measured, the times \
             are not.",
            escaped(profile)
        )
    })
}

fn quality(view: &SweepView) -> String {
    let mut text = "**Quality beside speed.** *Lossless*: the output distribution is provably the \
                    verifier's. **Lossy**: it is not, so its speed counts only together with its \
                    quality."
        .to_owned();
    let exact_match = |trial: &TrialView| finite(trial.measures()?.exact_match);
    let lossy = view.best(|trial| !trial.lossless);
    let baseline = view.baseline.as_ref();
    if let (Some(lossy), Some(baseline)) = (lossy, baseline)
        && let (Some(own), Some(reference)) = (exact_match(lossy), exact_match(baseline))
    {
        text += &format!(
            " The fastest lossy trial, {}, has an exact match of {} where the baseline has {}.",
            escaped(&lossy.label),
            number::interval(&own, 2),
            number::interval(&reference, 2)
        );
    }
    text
}

/// Lossless trials whose text is not the baseline's.
fn broken_promises(view: &SweepView) -> Option<String> {
    let differs = |trial: &&TrialView| {
        let same_text = trial.measures().and_then(|one| finite(one.same_text));
        trial.lossless && same_text.is_some_and(|share| share.estimate < 1.0)
    };
    let differing: Vec<&TrialView> = view.trials.iter().filter(differs).collect();
    let first = differing.first()?;
    let noun = if differing.len() == 1 {
        "trial"
    } else {
        "trials"
    };
    Some(format!(
        "**Warning.** {} lossless {noun} gave another text than the baseline on some prompt, the first \
         is {}. At temperature 0 this is a near-tie of two logits or a defect; above, only the \
         distribution is preserved.",
        differing.len(),
        escaped(&first.label)
    ))
}

fn selection(view: &SweepView) -> String {
    let count = |rule: DraftRule| {
        let kind = TrialKind::Speculative(rule);
        view.trials
            .iter()
            .filter(|trial| trial.kind == kind)
            .count()
    };
    format!(
        "**The best of many** is picked on the prompts on which it is measured, which flatters it, and \
         more so the more trials compete ({} EBSD, {} fixed k). A claim needs fresh prompts for the \
         chosen setting.",
        count(DraftRule::Entropy),
        count(DraftRule::FixedLength)
    )
}
