//! A stopping rule at work: the rule and what it remembers.

use super::gate::Gate;
use super::hazard::Bin;
use super::ladder::Ladder;
use super::roc::RocSamples;
use super::slot_test::{SlotView, Test};
use super::threshold::Controlled;
use super::{
    AdaEdl, Combination, ConfidenceRoc, CostawareHazard, DraftVerify, GammaTune, Goodput,
    HfHeuristic, MemoryScope, RandomLength, SchmittGate, SglangEma, StopRule,
};
use crate::policy::noise::{Noise, mix};

/// What became of a draft.
#[derive(Debug, Clone, Copy)]
pub struct RoundOutcome<'a> {
    pub drafted: usize,
    pub accepted: usize,
    /// The decoder's `max_draft_len`, whatever the budget left of it in this round.
    pub max_draft_len: usize,
    /// Entropies of all slots looked at, refused ones included.
    pub entropies: &'a [f64],
    /// Drafter probability of each drafted token, at least `drafted` of them.
    pub probabilities: &'a [f64],
}

impl RoundOutcome<'_> {
    /// Drafted tokens that were compared up to the first rejection.
    pub(super) fn tested(&self) -> usize {
        self.drafted.min(self.accepted + 1)
    }

    /// accepted / drafted; None without a draft.
    pub(super) fn acceptance(&self) -> Option<f64> {
        (self.drafted > 0).then(|| self.accepted as f64 / self.drafted as f64)
    }
}

/// A rule and its memory. It decides from what it is told alone, so the same calls give the same
/// drafts in a live run and in a replay.
#[derive(Debug, Clone, PartialEq)]
pub struct StopState {
    rule: StopRule,
    controller: Controller,
}

impl StopState {
    pub(super) fn new(rule: &StopRule, seed: u64) -> Self {
        Self {
            rule: rule.clone(),
            controller: Controller::new(rule, seed),
        }
    }

    /// Starts the next prompt: forgets everything but what rules of scope `stream` learned.
    pub fn begin_prompt(&mut self, seed: u64) {
        if let Controller::Any(members) | Controller::All(members) = &mut self.controller {
            for (index, member) in members.iter_mut().enumerate() {
                member.begin_prompt(member_seed(seed, index));
            }
        } else if self.rule.scope() == MemoryScope::Prompt {
            *self = Self::new(&self.rule, seed);
        }
    }

    /// Starts a round and returns the most tokens that the rule wants drafted, in
    /// 1..=`max_draft_len` (0 when that is 0). The caller keeps to `min_draft_len` and the budget.
    pub fn begin_round(&mut self, max_draft_len: usize) -> usize {
        self.controller.begin_round(max_draft_len)
    }

    /// Does the rule want the draft to end at this slot?
    ///
    /// # Panics
    /// When the view holds no slot.
    pub fn fires(&self, slot: SlotView<'_>) -> bool {
        self.controller.fires(slot)
    }

    /// Learns from a round.
    pub fn end_round(&mut self, outcome: RoundOutcome<'_>) {
        self.controller.end_round(&outcome);
    }
}

/// One variant per kind of memory.
#[derive(Debug, Clone, PartialEq)]
enum Controller {
    Memoryless(Test),
    Any(Vec<StopState>),
    All(Vec<StopState>),
    Random {
        noise: Noise,
        round: u64,
        length: usize,
    },
    AdaEdl(AdaEdl, Controlled),
    DraftVerify(DraftVerify, Controlled),
    ConfidenceRoc {
        rule: ConfidenceRoc,
        threshold: f64,
        samples: RocSamples,
    },
    HfHeuristic(HfHeuristic, usize),
    GammaTune {
        rule: GammaTune,
        acceptance: Option<f64>,
        length: usize,
    },
    SglangEma(SglangEma, Ladder),
    Goodput {
        rule: Goodput,
        noise: Noise,
        round: u64,
        acceptance: Vec<f64>,
        length: usize,
    },
    CostawareHazard(CostawareHazard, Vec<Bin>),
    SchmittGate(SchmittGate, Gate),
}

impl Controller {
    fn new(rule: &StopRule, seed: u64) -> Self {
        let memoryless = Self::Memoryless;
        match rule {
            // The engine cuts an oracle's draft once the verifier has judged it.
            StopRule::Fixed {} | StopRule::Oracle {} => memoryless(Test::Never),
            StopRule::Absolute { theta_abs } => memoryless(Test::Entropy { above: *theta_abs }),
            StopRule::Relative { theta_rel } => memoryless(Test::Relative {
                theta_rel: *theta_rel,
            }),
            StopRule::Window {
                window_size,
                theta_window,
            } => memoryless(Test::Window {
                size: *window_size,
                above: *theta_window,
            }),
            StopRule::Adaptive { theta_base, alpha } => memoryless(Test::Adaptive {
                theta_base: *theta_base,
                alpha: *alpha,
            }),
            StopRule::PositionDependent { thetas } => memoryless(Test::ByPosition {
                thetas: thetas.clone(),
            }),
            StopRule::Svip { h } => memoryless(Test::Svip { h: *h }),
            StopRule::Confidence { theta } => memoryless(Test::TokenProbability { below: *theta }),
            StopRule::PMin { p_min: below } | StopRule::Kangaroo { theta: below } => {
                memoryless(Test::TopProbability { below: *below })
            }
            StopRule::CumulativeProbability { threshold } => {
                memoryless(Test::Product { below: *threshold })
            }
            StopRule::Margin { m } => memoryless(Test::Margin { below: *m }),
            StopRule::Combined(rules) => {
                // Each member draws from its own stream.
                let members = rules.rules().iter().enumerate();
                let members = members
                    .map(|(index, rule)| StopState::new(rule, member_seed(seed, index)))
                    .collect();
                match rules {
                    Combination::Any(_) => Self::Any(members),
                    Combination::All(_) => Self::All(members),
                }
            }
            StopRule::Random(rule) => Self::Random {
                noise: draws(rule.seed.unwrap_or(seed)),
                round: 0,
                length: 0,
            },
            StopRule::Adaedl(rule) => Self::AdaEdl(
                *rule,
                Controlled {
                    threshold: rule.lambda,
                    acceptance: 0.0,
                },
            ),
            StopRule::DraftVerify(rule) => Self::DraftVerify(
                *rule,
                Controlled {
                    threshold: rule.theta,
                    acceptance: 0.0,
                },
            ),
            StopRule::ConfidenceRoc(rule) => Self::ConfidenceRoc {
                rule: *rule,
                threshold: rule.theta,
                samples: RocSamples::default(),
            },
            StopRule::HfHeuristic(rule) => Self::HfHeuristic(*rule, rule.start),
            StopRule::Gammatune(rule) => Self::GammaTune {
                rule: *rule,
                acceptance: None,
                length: rule.start,
            },
            StopRule::SglangEma(rule) => Self::SglangEma(rule.clone(), rule.ladder()),
            StopRule::Goodput(rule) => Self::Goodput {
                rule: *rule,
                noise: draws(seed),
                round: 0,
                acceptance: Vec::new(),
                length: 0,
            },
            StopRule::CostawareHazard(rule) => {
                Self::CostawareHazard(*rule, vec![Bin::default(); rule.bins])
            }
            StopRule::SchmittGate(rule) => Self::SchmittGate(*rule, Gate::default()),
        }
    }

    fn begin_round(&mut self, max_draft_len: usize) -> usize {
        let wanted = match self {
            Self::Memoryless(_)
            | Self::AdaEdl(..)
            | Self::DraftVerify(..)
            | Self::ConfidenceRoc { .. }
            | Self::CostawareHazard(..)
            | Self::SchmittGate(..) => max_draft_len,
            Self::Any(members) => members
                .iter_mut()
                .map(|member| member.begin_round(max_draft_len))
                .fold(max_draft_len, usize::min),
            Self::All(members) => members
                .iter_mut()
                .map(|member| member.begin_round(max_draft_len))
                .fold(0, usize::max),
            Self::Random {
                noise,
                round,
                length,
            } => {
                *length = RandomLength::draw(noise, *round, max_draft_len);
                *round += 1;
                *length
            }
            Self::Goodput {
                rule,
                noise,
                round,
                acceptance,
                length,
            } => {
                let u = [noise.uniform(2 * *round), noise.uniform(2 * *round + 1)];
                *length = rule.choose(acceptance, max_draft_len, u);
                *round += 1;
                *length
            }
            Self::HfHeuristic(_, length) | Self::GammaTune { length, .. } => *length,
            Self::SglangEma(rule, ladder) => rule.steps[ladder.step],
        };
        wanted.min(max_draft_len)
    }

    fn fires(&self, slot: SlotView<'_>) -> bool {
        match self {
            Self::Memoryless(test) => test.fires(slot),
            Self::Any(members) => members.iter().any(|member| member.fires(slot)),
            Self::All(members) => members.iter().all(|member| member.fires(slot)),
            Self::Random { length, .. }
            | Self::Goodput { length, .. }
            | Self::HfHeuristic(_, length)
            | Self::GammaTune { length, .. } => slot.draft_len_if_stopped >= *length,
            Self::SglangEma(rule, ladder) => slot.draft_len_if_stopped >= rule.steps[ladder.step],
            Self::AdaEdl(rule, state) => rule.fires(state.threshold, slot.entropy()),
            Self::DraftVerify(_, state) => slot.token_probability() < state.threshold,
            Self::ConfidenceRoc { threshold, .. } => slot.token_probability() < *threshold,
            Self::CostawareHazard(rule, bins) => rule.fires(bins, slot.probabilities),
            Self::SchmittGate(_, gate) => gate.is_shut,
        }
    }

    fn end_round(&mut self, outcome: &RoundOutcome<'_>) {
        match self {
            Self::Memoryless(_) | Self::Random { .. } => {}
            Self::Any(members) | Self::All(members) => {
                for member in members {
                    member.end_round(*outcome);
                }
            }
            Self::AdaEdl(rule, state) => *state = rule.next(*state, outcome),
            Self::DraftVerify(rule, state) => *state = rule.next(*state, outcome),
            Self::ConfidenceRoc {
                rule,
                threshold,
                samples,
            } => *threshold = rule.next(*threshold, samples, outcome),
            Self::HfHeuristic(_, length) => *length = HfHeuristic::next(*length, outcome),
            Self::GammaTune {
                rule,
                acceptance,
                length,
            } => (*acceptance, *length) = rule.next(*acceptance, *length, outcome),
            Self::SglangEma(rule, ladder) => *ladder = rule.next(*ladder, outcome),
            Self::Goodput {
                rule, acceptance, ..
            } => rule.learn(acceptance, outcome),
            Self::CostawareHazard(rule, bins) => rule.learn(bins, outcome),
            Self::SchmittGate(rule, gate) => *gate = rule.next(*gate, outcome),
        }
    }
}

/// Apart from the stream from which the engine draws tokens with the same seed.
fn draws(seed: u64) -> Noise {
    Noise::new(seed).substream(1)
}

/// Members of a combination draw from streams of their own.
fn member_seed(seed: u64, index: usize) -> u64 {
    mix(seed ^ mix(index as u64))
}
