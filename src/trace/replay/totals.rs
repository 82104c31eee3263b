//! A replay in sums.

use std::ops::AddAssign;

use super::{Observer, ReplayedRound};
use crate::engine::step::{Counts, DraftStop};

/// Forwards of one size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forwards {
    pub n: u64,
    /// Sum over the forwards of the tokens committed when their round began, the prompt included. What
    /// is cached at each is not more than a draft away.
    pub context_sum: u64,
}

/// Counts of rounds, and all that a cost model needs to tell their time. They add up over prompts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    pub counts: Counts,
    /// First drafter forwards of the rounds, by the rows fed, from 0 rows on; empty without a draft.
    pub draft_starts: Vec<Forwards>,
    /// Later drafter forwards: each has one row.
    pub drafter: Forwards,
    /// Forwards of the verifier by the rows fed, from 0 rows on: a draft of k tokens is fed as k + 1.
    pub verifier: Vec<Forwards>,
    pub stops: Stops,
}

/// Rounds by what ended their drafts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stops {
    pub max_draft_len: u64,
    pub rule: u64,
    pub eos: u64,
}

impl Totals {
    /// Drafted tokens that were not accepted.
    pub fn wasted(&self) -> u64 {
        self.counts.drafted - self.counts.accepted
    }

    /// Rounds by draft length, from 0 tokens on.
    pub fn draft_lens(&self) -> impl Iterator<Item = u64> {
        self.verifier.iter().skip(1).map(|forwards| forwards.n)
    }

    /// All rounds, whatever they verified.
    pub fn steps(&self) -> Forwards {
        let mut steps = Forwards::default();
        for &forwards in &self.verifier {
            steps += forwards;
        }
        steps
    }

    /// Adds a round.
    pub fn add(&mut self, round: &ReplayedRound) {
        let (counts, context_len) = (round.counts, round.context_len);
        self.counts += Counts::from(counts);
        match round.stopped_by {
            DraftStop::MaxDraftLen => self.stops.max_draft_len += 1,
            DraftStop::Rule => self.stops.rule += 1,
            DraftStop::Eos => self.stops.eos += 1,
        }
        of_size(&mut self.verifier, counts.drafted + 1).add(1, context_len);
        if counts.drafter_forwards > 0 {
            of_size(&mut self.draft_starts, round.first_fed).add(1, context_len);
            self.drafter.add(counts.drafter_forwards - 1, context_len);
        }
    }
}

impl Forwards {
    fn add(&mut self, n: usize, context_len: usize) {
        self.n += n as u64;
        self.context_sum += (n * context_len) as u64;
    }
}

/// Those that fed `n_rows` rows.
fn of_size(by_rows: &mut Vec<Forwards>, n_rows: usize) -> &mut Forwards {
    if by_rows.len() <= n_rows {
        by_rows.resize(n_rows + 1, Forwards::default());
    }
    &mut by_rows[n_rows]
}

impl AddAssign for Forwards {
    fn add_assign(&mut self, other: Self) {
        self.n += other.n;
        self.context_sum += other.context_sum;
    }
}

impl AddAssign<&Self> for Totals {
    fn add_assign(&mut self, other: &Self) {
        self.counts += other.counts;
        self.drafter += other.drafter;
        for (own, other) in [
            (&mut self.draft_starts, &other.draft_starts),
            (&mut self.verifier, &other.verifier),
        ] {
            for (n_rows, &forwards) in other.iter().enumerate() {
                *of_size(own, n_rows) += forwards;
            }
        }
        self.stops.max_draft_len += other.stops.max_draft_len;
        self.stops.rule += other.stops.rule;
        self.stops.eos += other.stops.eos;
    }
}

/// Adds up each prompt apart.
#[derive(Debug, Default)]
pub struct TotalsPerPrompt(pub Vec<Totals>);

impl Observer for TotalsPerPrompt {
    fn begin_prompt(&mut self, _: usize) {
        self.0.push(Totals::default());
    }

    fn round(&mut self, round: &ReplayedRound) {
        let totals = self.0.last_mut().expect("a prompt has begun");
        totals.add(round);
    }
}

/// Adds up all prompts.
impl Observer for Totals {
    fn begin_prompt(&mut self, _: usize) {}

    fn round(&mut self, round: &ReplayedRound) {
        self.add(round);
    }
}
