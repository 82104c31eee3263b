//! Decoding goes on for as long as one likes in the memory that it took at first.
#![cfg(target_os = "linux")]

mod common;

use common::load;
use wedlm_bench::engine::batch::{self, Batching};
use wedlm_bench::engine::session::Request;
use wedlm_bench::engine::speculative::SpeculativeRule;
use wedlm_bench::model::lm::TokenId;
use wedlm_bench::policy::accept::AcceptRule;
use wedlm_bench::policy::entropy::EntropyRule;
use wedlm_bench::policy::stop::{DraftOrder, StopRule};

const N_ROUNDS: u64 = 10_000;

/// Bytes of this process that lie in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

#[test]
fn ten_thousand_rounds_of_a_batch_take_no_more_memory_than_the_first_thousand() {
    let mut drafter = load("llama-drafter").batched(4);
    let mut verifier = load("llama").batched(4);
    let rule = SpeculativeRule {
        stop: StopRule::Absolute { theta_abs: 2.0 },
        order: DraftOrder::Before,
        min_draft_len: 1,
        max_draft_len: 4,
        entropy: EntropyRule::default(),
        accept: AcceptRule::default(),
    };
    let prompts: Vec<Vec<TokenId>> = (1..=6u32).map(|n| (5..8 + 4 * n).collect()).collect();
    let requests: Vec<Request<'_>> = prompts
        .iter()
        .map(|prompt| Request {
            prompt,
            max_new_tokens: 100,
            ..Request::default()
        })
        .collect();
    let batching = Batching {
        batch_size: 4,
        group_by_draft_len: false,
    };
    let (mut n_rounds, mut at_first) = (0, 0);
    while n_rounds < N_ROUNDS {
        if n_rounds < N_ROUNDS / 10 {
            at_first = resident();
        }
        let generations =
            batch::decode(&mut drafter, &mut verifier, &rule, &requests, batching).unwrap();
        n_rounds += generations.iter().map(|one| one.counts.rounds).sum::<u64>();
    }
    let growth = resident().saturating_sub(at_first);
    println!("{n_rounds} rounds: {growth} bytes more than after the first thousand");
    assert!(growth < 4 << 20, "{growth} bytes over {n_rounds} rounds");
}
