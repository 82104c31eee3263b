//! Times what rounds are made of, while real generations run.
//!
//! A forward takes longer or shorter by what ran before it: threads that a wide forward has woken, caches
//! that the other model has filled. So forwards are timed where they happen, in generations of every
//! draft length and in autoregressive ones, all of them in each pass.

use std::ops::Range;
use std::time::Instant;

use super::cost::{Part, TimingSample};
use crate::engine::autoregressive;
use crate::engine::session::{EngineError, Request};
use crate::engine::speculative::{self, SpeculativeRule};
use crate::model::lm::{LanguageModel, Logits, ModelError, TokenId};
use crate::policy::accept::AcceptRule;
use crate::policy::entropy::EntropyRule;
use crate::policy::stop::{DraftOrder, StopRule};

/// Lengths of drafts that are timed; between them costs are interpolated.
const DRAFT_LENS: [usize; 10] = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20];
/// So many of them come behind each generation without drafts, with which all others are compared.
const LENS_PER_STEPS: usize = 3;
/// Passes before the first that counts.
const N_WARMUP: usize = 1;

/// The parts of rounds over greedy generations of `requests`, in these of the passes of a run: each decodes
/// once with every draft length and several times without drafts, and the requests go round. Before the
/// first pass of the run is one that does not count.
///
/// # Errors
/// Those of the models, and of requests that do not fit.
///
/// # Panics
/// When there is no request.
pub fn time_rounds(
    drafter: &mut dyn LanguageModel,
    verifier: &mut dyn LanguageModel,
    requests: &[Request<'_>],
    passes: Range<usize>,
) -> Result<Vec<TimingSample>, EngineError> {
    assert!(!requests.is_empty(), "timing needs a text to decode");
    let mut samples = Vec::new();
    let first = match passes.start {
        0 => 0,
        n => N_WARMUP + n,
    };
    let per_pass = DRAFT_LENS.len() + DRAFT_LENS.len().div_ceil(LENS_PER_STEPS);
    let mut requests = requests.iter().cycle().skip(first * per_pass);
    for pass in first..N_WARMUP + passes.end {
        let mut timed = Vec::new();
        let mut request = || requests.next().expect("a cycle has no end");
        for (place, draft_len) in DRAFT_LENS.into_iter().enumerate() {
            if place.is_multiple_of(LENS_PER_STEPS) {
                time_steps(verifier, request(), &mut timed)?;
            }
            time_drafts(drafter, verifier, request(), draft_len, &mut timed)?;
        }
        if let Some(pass) = pass.checked_sub(N_WARMUP) {
            let of_pass = timed.into_iter();
            samples.extend(of_pass.map(|sample| TimingSample { pass, ..sample }));
        }
    }
    Ok(samples)
}

/// Whole steps of autoregressive decoding.
fn time_steps(
    verifier: &mut dyn LanguageModel,
    request: &Request<'_>,
    samples: &mut Vec<TimingSample>,
) -> Result<(), EngineError> {
    let mut verifier = Stopwatch::new(verifier);
    autoregressive::decode(&mut verifier, request)?;
    let ended = Instant::now();
    let starts = verifier.laps.iter().map(|lap| lap.started);
    let ends = starts.skip(1).chain([ended]);
    for (lap, end) in verifier.laps.iter().zip(ends) {
        samples.push(TimingSample {
            part: Part::Step,
            n_rows: 1,
            context_len: lap.cached_len + 1,
            pass: 0,
            seconds: (end - lap.started).as_secs_f64(),
        });
    }
    Ok(())
}

/// Forwards of rounds with drafts of `draft_len`, and what is between them.
fn time_drafts(
    drafter: &mut dyn LanguageModel,
    verifier: &mut dyn LanguageModel,
    request: &Request<'_>,
    draft_len: usize,
    samples: &mut Vec<TimingSample>,
) -> Result<(), EngineError> {
    let rule = SpeculativeRule::new(
        &StopRule::Fixed {},
        DraftOrder::default(),
        (1, draft_len),
        EntropyRule::default(),
        AcceptRule::Greedy {},
    );
    let mut drafter = Stopwatch::new(drafter);
    let mut verifier = Stopwatch::new(verifier);
    speculative::decode(&mut drafter, &mut verifier, &rule, request)?;
    let ended = Instant::now();
    let mut drafted = drafter.laps.iter().peekable();
    let mut verified = verifier.laps.iter().peekable();
    while let Some(verification) = verified.next() {
        let context_len = verification.cached_len + 1;
        let mut add = |part, n_rows, seconds| {
            samples.push(TimingSample {
                part,
                n_rows,
                context_len,
                pass: 0,
                seconds,
            });
        };
        let mut started = verification.started;
        let mut inside = verification.seconds;
        let mut part = Part::DraftStart;
        while let Some(lap) = drafted.next_if(|lap| lap.started < verification.started) {
            started = started.min(lap.started);
            inside += lap.seconds;
            add(part, lap.n_rows, lap.seconds);
            part = Part::Drafter;
        }
        add(Part::Verifier, verification.n_rows, verification.seconds);
        let next = [drafted.peek(), verified.peek()].into_iter().flatten();
        let end = next.map(|lap| lap.started).min().unwrap_or(ended);
        let seconds = (end - started).as_secs_f64() - inside;
        // A clock too coarse to see anything between the forwards has seen nothing.
        add(
            Part::Round,
            verification.n_rows,
            seconds.max(f64::MIN_POSITIVE),
        );
    }
    Ok(())
}

/// A model whose forwards are timed, but for those that return nothing: prefills.
struct Stopwatch<'m> {
    lm: &'m mut dyn LanguageModel,
    laps: Vec<Lap>,
}

struct Lap {
    started: Instant,
    seconds: f64,
    n_rows: usize,
    /// Rows cached before.
    cached_len: usize,
}

impl<'m> Stopwatch<'m> {
    fn new(lm: &'m mut dyn LanguageModel) -> Self {
        Self {
            lm,
            laps: Vec::new(),
        }
    }
}

impl LanguageModel for Stopwatch<'_> {
    fn vocab_len(&self) -> usize {
        self.lm.vocab_len()
    }

    fn context_len(&self) -> usize {
        self.lm.context_len()
    }

    fn cached_len(&self) -> usize {
        self.lm.cached_len()
    }

    fn forward(
        &mut self,
        tokens: &[TokenId],
        positions: &[u32],
        n_logits: usize,
    ) -> Result<Logits, ModelError> {
        let cached_len = self.lm.cached_len();
        let started = Instant::now();
        let logits = self.lm.forward(tokens, positions, n_logits)?;
        if n_logits > 0 {
            self.laps.push(Lap {
                started,
                seconds: started.elapsed().as_secs_f64(),
                n_rows: tokens.len(),
                cached_len,
            });
        }
        Ok(logits)
    }

    fn truncate(&mut self, len: usize) {
        self.lm.truncate(len);
    }

    fn n_parameters(&self) -> usize {
        self.lm.n_parameters()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scripted::ScriptedModel;
    use crate::trace::cost::CostModel;

    fn request(prompt: &[TokenId]) -> Request<'_> {
        Request {
            prompt,
            max_new_tokens: 60,
            ..Request::default()
        }
    }

    fn count(samples: &[TimingSample], part: Part) -> u64 {
        samples.iter().filter(|sample| sample.part == part).count() as u64
    }

    #[test]
    fn every_forward_of_every_round_is_timed_once() {
        let mut verifier = ScriptedModel::history(3, 50, 4.0);
        let mut drafter = ScriptedModel::history(3, 50, 4.0).perturbed(5, 1.0);
        let prompt = [7, 8, 9];
        let mut samples = Vec::new();
        time_drafts(
            &mut drafter,
            &mut verifier,
            &request(&prompt),
            4,
            &mut samples,
        )
        .unwrap();
        let rule = SpeculativeRule::new(
            &StopRule::Fixed {},
            DraftOrder::default(),
            (1, 4),
            EntropyRule::default(),
            AcceptRule::Greedy {},
        );
        let generation =
            speculative::decode(&mut drafter, &mut verifier, &rule, &request(&prompt)).unwrap();
        let counts = generation.counts;
        assert_eq!(count(&samples, Part::Verifier), counts.rounds);
        assert_eq!(count(&samples, Part::Round), counts.rounds);
        assert_eq!(
            count(&samples, Part::DraftStart) + count(&samples, Part::Drafter),
            counts.drafter_forwards
        );
        let verified = samples
            .iter()
            .filter(|sample| sample.part == Part::Verifier);
        for (sample, round) in verified.zip(&generation.rounds) {
            assert_eq!(sample.n_rows, round.draft.len() + 1);
            assert_eq!(sample.context_len, round.context_len);
        }
        let fed: usize = samples
            .iter()
            .filter(|sample| matches!(sample.part, Part::DraftStart | Part::Drafter))
            .map(|sample| sample.n_rows)
            .sum();
        assert_eq!(fed as u64, counts.drafter_token_instances);
    }

    #[test]
    fn the_timings_of_a_few_passes_make_a_cost_model() {
        let mut verifier = ScriptedModel::history(3, 50, 4.0);
        let mut drafter = ScriptedModel::history(3, 50, 4.0).perturbed(5, 1.0);
        let prompts = [[7, 8, 9], [1, 2, 3]];
        let requests: Vec<Request<'_>> = prompts.iter().map(|prompt| request(prompt)).collect();
        let samples = time_rounds(&mut drafter, &mut verifier, &requests, 0..3).unwrap();
        assert_eq!(count(&samples, Part::Step), 3 * 4 * 60);
        assert!(samples.iter().all(|sample| sample.pass < 3));
        let model = CostModel::fit(&samples).unwrap();
        let sizes: Vec<usize> = model
            .fits()
            .iter()
            .filter(|fit| fit.part == Part::Verifier)
            .map(|fit| fit.n_rows)
            .collect();
        for draft_len in DRAFT_LENS {
            assert!(sizes.contains(&(draft_len + 1)), "{sizes:?}");
        }
    }

    #[test]
    fn passes_in_pieces_are_those_of_one_run() {
        let prompts: Vec<Vec<TokenId>> = (1..=17).map(|len| vec![7; len]).collect();
        let requests: Vec<Request<'_>> = prompts.iter().map(|prompt| request(prompt)).collect();
        let parts = |passes| {
            let mut verifier = ScriptedModel::history(3, 50, 4.0);
            let mut drafter = ScriptedModel::history(3, 50, 4.0).perturbed(5, 1.0);
            let samples = time_rounds(&mut drafter, &mut verifier, &requests, passes).unwrap();
            let of_sample = |one: TimingSample| (one.pass, one.part, one.n_rows, one.context_len);
            samples.into_iter().map(of_sample).collect::<Vec<_>>()
        };
        let whole = parts(0..3);
        let pieces = [parts(0..1), parts(1..2), parts(2..3)];
        assert!(!pieces[2].is_empty());
        assert_eq!(pieces.concat(), whole);
    }
}
