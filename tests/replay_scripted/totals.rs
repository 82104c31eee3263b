//! The sums of a replay are the sums over its rounds.

use wedlm_bench::analysis::flops::{Flops, FlopsPerPrompt, ModelShape, Shapes};
use wedlm_bench::engine::speculative::SpeculativeRule;
use wedlm_bench::engine::step::{Counts, DraftStop, Generation};
use wedlm_bench::trace::replay::{Forwards, Replay, Totals};

use super::rules::{ORDERS, STOP_RULES, rule};
use super::{BOUNDS, STREAM_RULES, live, prompts, requests, stop_strings, trace_of};

/// Of no model: numbers that cannot be taken for each other.
const SHAPES: Shapes = Shapes {
    verifier: ModelShape {
        n_parameters: 1_000,
        attention_width: 10,
    },
    drafter: Some(ModelShape {
        n_parameters: 100,
        attention_width: 1,
    }),
};

/// Rows and contexts of the first drafter forwards of the rounds, of the later ones, and of the verifier's,
/// as the rounds of a generation tell them. The drafter's cache is followed token by token.
fn forwards(generation: &Generation, prompt_len: usize) -> [Vec<(usize, usize)>; 3] {
    let (mut first, mut later, mut verifier) = (Vec::new(), Vec::new(), Vec::new());
    let mut cached = prompt_len - 1;
    for round in &generation.rounds {
        verifier.push((round.draft.len() + 1, round.context_len));
        for forward in 0..round.drafter_forwards {
            let n_rows = round.context_len + forward - cached;
            let drafter = if forward == 0 { &mut first } else { &mut later };
            drafter.push((n_rows, round.context_len));
            cached += n_rows;
        }
        cached = cached.min(round.context_len + round.accepted);
    }
    [first, later, verifier]
}

/// (rows, forwards, sum of contexts) of the sizes that occur.
fn by_rows(forwards: &[(usize, usize)]) -> Vec<(usize, Forwards)> {
    let most = forwards
        .iter()
        .map(|&(n_rows, _)| n_rows)
        .max()
        .unwrap_or(0);
    let sizes = (0..=most).map(|size| {
        let of_size = forwards.iter().filter(|&&(n_rows, _)| n_rows == size);
        let contexts: Vec<u64> = of_size
            .map(|&(_, context_len)| context_len as u64)
            .collect();
        let forwards = Forwards {
            n: contexts.len() as u64,
            context_sum: contexts.iter().sum(),
        };
        (size, forwards)
    });
    sizes.filter(|(_, forwards)| forwards.n > 0).collect()
}

fn occurring(forwards: &[Forwards]) -> Vec<(usize, Forwards)> {
    let by_rows = forwards.iter().copied().enumerate();
    by_rows.filter(|(_, forwards)| forwards.n > 0).collect()
}

fn assert_are_sums(totals: &Totals, generation: &Generation, prompt_len: usize) {
    let rounds = &generation.rounds;
    assert_eq!(totals.counts, generation.counts);
    let [first, later, verifier] = forwards(generation, prompt_len);
    assert_eq!(occurring(&totals.draft_starts), by_rows(&first));
    assert_eq!(
        occurring(&[Forwards::default(), totals.drafter]),
        by_rows(&later)
    );
    assert_eq!(occurring(&totals.verifier), by_rows(&verifier));
    let fed: usize = first.iter().chain(&later).map(|&(n_rows, _)| n_rows).sum();
    assert_eq!(fed as u64, generation.counts.drafter_token_instances);
    for (len, n) in totals.draft_lens().enumerate() {
        let of_len = rounds.iter().filter(|round| round.draft.len() == len);
        assert_eq!(n, of_len.count() as u64);
    }
    let stopped_by = |reason| {
        let stopped = rounds.iter().filter(|round| round.stopped_by == reason);
        stopped.count() as u64
    };
    assert_eq!(totals.stops.rule, stopped_by(DraftStop::Rule));
    assert_eq!(totals.stops.eos, stopped_by(DraftStop::Eos));
    assert_eq!(
        totals.stops.max_draft_len,
        stopped_by(DraftStop::MaxDraftLen)
    );
    let rejected: usize = rounds.iter().map(|r| r.draft.len() - r.accepted).sum();
    assert_eq!(totals.wasted(), rejected as u64);
}

#[test]
fn totals_and_operations_of_a_prompt_are_those_of_its_live_rounds() {
    let (prompts, stop_strings) = (prompts(), stop_strings());
    let requests = requests(&prompts, &stop_strings, 0.0, 3);
    let trace = trace_of(&requests);
    for json in STOP_RULES.iter().chain(&STREAM_RULES) {
        for (order, (min_draft_len, max_draft_len)) in ORDERS.into_iter().zip(BOUNDS) {
            let rule = SpeculativeRule {
                order,
                min_draft_len,
                max_draft_len,
                ..rule(json)
            };
            let replay = Replay::new(&trace, &rule).unwrap();
            let mut flops = FlopsPerPrompt::new(SHAPES, &trace);
            replay.run(&mut flops);
            let mut flops = flops.flops();
            let per_prompt = replay.totals();
            let live = live(&rule, &requests);
            assert_eq!(per_prompt.len(), live.len());
            let mut sum = Totals::default();
            for ((totals, live), prompt) in per_prompt.iter().zip(&live).zip(&prompts) {
                assert_are_sums(totals, live, prompt.len());
                let of_live = Flops::of_rounds(&SHAPES, prompt.len(), &live.rounds);
                assert_eq!(flops.next(), Some(of_live), "{rule:?}");
                sum += totals;
            }
            let mut all = Totals::default();
            replay.run(&mut all);
            assert_eq!(all, sum, "{rule:?}");
        }
    }
}

#[test]
fn drafts_of_no_token_are_the_autoregressive_baseline() {
    let (prompts, stop_strings) = (prompts(), stop_strings());
    let requests = requests(&prompts, &stop_strings, 0.0, 3);
    let trace = trace_of(&requests);
    let rule = SpeculativeRule {
        min_draft_len: 0,
        max_draft_len: 0,
        ..rule(r#"{"kind": "fixed"}"#)
    };
    let totals = Replay::new(&trace, &rule).unwrap().totals();
    for (prompt, totals) in totals.iter().enumerate() {
        let text_len = trace.text(prompt).len() as u64;
        let expected = Counts {
            rounds: text_len,
            committed: text_len,
            verifier_forwards: text_len,
            token_instances: text_len,
            ..Counts::default()
        };
        assert_eq!(totals.counts, expected);
        let forwards = totals.verifier.get(1).copied().unwrap_or_default();
        let first = prompts[prompt].len() as u64;
        let contexts: u64 = (first..first + text_len).sum();
        assert_eq!((forwards.n, forwards.context_sum), (text_len, contexts));
    }
}
