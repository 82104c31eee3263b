use super::SpeculativeRule;
use super::course::Terms;
use crate::engine::session::{EngineError, Request};
use crate::policy::accept::Judge;
use crate::policy::noise::Noise;

/// What stays the same over the rounds.
pub(in crate::engine) struct Setting<'a> {
    pub rule: &'a SpeculativeRule,
    pub request: &'a Request<'a>,
    pub judge: Judge,
}

impl<'a> Setting<'a> {
    pub fn new(rule: &'a SpeculativeRule, request: &'a Request<'a>) -> Result<Self, EngineError> {
        let temperature = request.sampling.temperature;
        let judge = rule.accept.judge(request.sampling.is_greedy());
        Ok(Self {
            rule,
            request,
            judge: judge.ok_or(EngineError::GreedyAcceptance { temperature })?,
        })
    }

    pub fn terms(&self) -> Terms<'a> {
        Terms {
            rule: self.rule,
            is_greedy: self.request.sampling.is_greedy(),
        }
    }

    /// Does anybody look at the drafter's distributions once the tokens are drafted?
    pub fn keeps_distributions(&self) -> bool {
        let is_judged = match self.judge {
            Judge::Match { .. } => false,
            Judge::Ratio(_) => true,
            Judge::Evidence(_) => !self.request.sampling.is_greedy(),
        };
        is_judged || self.request.record.overlap
    }

    pub fn is_coupled(&self) -> bool {
        self.judge == Judge::Match { is_coupled: true }
    }

    pub fn reads_drafter_shannon(&self) -> bool {
        match self.judge {
            Judge::Match { .. } | Judge::Ratio(_) => false,
            Judge::Evidence(rule) => rule.reads_drafter_entropy(),
        }
    }
}

/// Uniform draws in the order in which they are used.
pub(in crate::engine) struct Dice {
    pub noise: Noise,
    n_thrown: u64,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self {
            noise: Noise::new(seed),
            n_thrown: 0,
        }
    }

    pub fn throw(&mut self) -> f64 {
        self.n_thrown += 1;
        self.noise.uniform(self.n_thrown)
    }
}
