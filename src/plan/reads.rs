//! What a rule looks at, for the parameters that it makes no use of.

use crate::policy::accept::AcceptRule;
use crate::policy::select::SelectRule;
use crate::policy::stop::StopRule;

/// Whether it matters where a draft may end: not to rules that end none while it is drafted. A rule
/// that is wrongly thought to read a parameter costs a trial; the reverse would merge what differs.
pub(super) fn reads_order(stop: &StopRule, accept: &AcceptRule) -> bool {
    let ends_no_draft = matches!(stop, StopRule::Fixed {} | StopRule::Oracle {});
    // Some acceptance rules end drafts themselves.
    !ends_no_draft || accept.fallback_threshold().is_some()
}

/// Whether a stopping rule looks at entropies.
pub fn reads_entropy(stop: &StopRule) -> bool {
    match stop {
        StopRule::Absolute { .. }
        | StopRule::Relative { .. }
        | StopRule::Window { .. }
        | StopRule::Adaptive { .. }
        | StopRule::PositionDependent { .. }
        | StopRule::Svip { .. }
        | StopRule::Adaedl(_)
        | StopRule::SchmittGate(_) => true,
        StopRule::Combined(combination) => combination.rules().iter().any(reads_entropy),
        StopRule::Fixed {}
        | StopRule::Random(_)
        | StopRule::Oracle {}
        | StopRule::DraftVerify(_)
        | StopRule::Confidence { .. }
        | StopRule::ConfidenceRoc(_)
        | StopRule::PMin { .. }
        | StopRule::Kangaroo { .. }
        | StopRule::CumulativeProbability { .. }
        | StopRule::Margin { .. }
        | StopRule::HfHeuristic(_)
        | StopRule::Gammatune(_)
        | StopRule::SglangEma(_)
        | StopRule::Goodput(_)
        | StopRule::CostawareHazard(_) => false,
    }
}

pub(super) fn accept_reads_entropy(accept: &AcceptRule) -> bool {
    match accept {
        AcceptRule::EntropyAligned { .. } => true,
        AcceptRule::Greedy {}
        | AcceptRule::Rejection {}
        | AcceptRule::Block {}
        | AcceptRule::Gumbel {}
        | AcceptRule::Typical { .. }
        | AcceptRule::Backtrack { .. }
        | AcceptRule::Lenient { .. }
        | AcceptRule::Threshold { .. }
        | AcceptRule::Relaxed { .. } => false,
    }
}

/// Whether a selection rule looks at entropies.
pub fn select_reads_entropy(select: &SelectRule) -> bool {
    match select {
        SelectRule::Entropy { .. }
        | SelectRule::Greedy { .. }
        | SelectRule::Hybrid { .. }
        | SelectRule::WindowScaled { .. }
        | SelectRule::EntropyBound { .. }
        | SelectRule::EbCumulative { .. } => true,
        SelectRule::LeftToRight { .. }
        | SelectRule::ConfidenceThreshold { .. }
        | SelectRule::ConfidenceFactor { .. }
        | SelectRule::Frechet { .. }
        | SelectRule::TopkConfidence { .. }
        | SelectRule::Margin { .. }
        | SelectRule::Klass { .. }
        | SelectRule::Slowfast { .. }
        | SelectRule::Credit { .. }
        | SelectRule::Random { .. } => false,
    }
}
