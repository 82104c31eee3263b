//! A batch of sequences on the reference checkpoints gives what each sequence gives alone.

mod common;

use burn::module::Param;
use burn::tensor::{DType, Tensor};
use common::{device, fixture, load, read_json};
use serde::Deserialize;
use wedlm_bench::engine::autoregressive;
use wedlm_bench::engine::batch::{self, Batching};
use wedlm_bench::engine::session::Request;
use wedlm_bench::engine::speculative::{self, SpeculativeRule};
use wedlm_bench::engine::step::Generation;
use wedlm_bench::model::batched_lm::BatchedLm;
use wedlm_bench::model::burn_lm::{BurnLm, LoadOptions};
use wedlm_bench::model::checkpoint::Checkpoint;
use wedlm_bench::model::device::Dtype;
use wedlm_bench::model::lm::{
    BatchedLanguageModel, LanguageModel, Logits, ModelError, SequenceRows, TokenId,
};
use wedlm_bench::model::load::{Head, load_transformer};
use wedlm_bench::policy::accept::AcceptRule;
use wedlm_bench::policy::entropy::EntropyRule;
use wedlm_bench::policy::stop::{DraftOrder, StopRule};

/// Plain, with a sliding window, with biases, with norms of queries and keys.
const FAMILIES: [&str; 4] = ["llama", "mistral", "qwen2", "qwen3"];

/// New tokens of one sequence in a step, after a rollback to some length.
struct Feed {
    sequence: usize,
    keep: usize,
    tokens: Vec<TokenId>,
    n_logits: usize,
}

fn feed(sequence: usize, keep: usize, tokens: &[TokenId], n_logits: usize) -> Feed {
    Feed {
        sequence,
        keep,
        tokens: tokens.to_vec(),
        n_logits,
    }
}

fn positions(first: usize, len: usize) -> Vec<u32> {
    (first as u32..(first + len) as u32).collect()
}

fn forward(model: &mut BatchedLm, feeds: &[Feed]) -> Result<Vec<Logits>, ModelError> {
    for feed in feeds {
        model.truncate(feed.sequence, feed.keep);
    }
    let positions: Vec<Vec<u32>> = feeds
        .iter()
        .map(|feed| positions(model.cached_len(feed.sequence), feed.tokens.len()))
        .collect();
    let rows: Vec<SequenceRows<'_>> = feeds
        .iter()
        .zip(&positions)
        .map(|(feed, positions)| SequenceRows {
            sequence: feed.sequence,
            tokens: &feed.tokens,
            positions,
            n_logits: feed.n_logits,
        })
        .collect();
    model.forward(&rows)
}

fn largest_difference(one: &Logits, other: &Logits) -> f32 {
    assert_eq!(one.n_rows(), other.n_rows());
    one.rows()
        .zip(other.rows())
        .flat_map(|(one, other)| one.iter().zip(other))
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

fn tokens(start: u32, len: u32) -> Vec<TokenId> {
    (0..len).map(|i| 5 + (start + 11 * i) % 200).collect()
}

#[test]
fn ragged_logits_equal_those_of_one_sequence_after_rollbacks_and_in_any_slots() {
    const ALL: usize = usize::MAX;
    // 40 rows are more than the sliding window of the mistral fixture.
    let steps = [
        vec![
            feed(0, 0, &tokens(0, 40), 0),
            feed(1, 0, &tokens(3, 7), 0),
            feed(3, 0, &tokens(9, 1), 1),
        ],
        vec![
            feed(0, ALL, &[31], 1),
            feed(1, ALL, &[32, 33, 34], 3),
            feed(2, 0, &tokens(1, 12), 5),
        ],
        // Roll back, skip sequence 1, name the sequences out of order.
        vec![
            feed(3, ALL, &[41, 42], 2),
            feed(0, 36, &[43, 44, 45], 2),
            feed(2, 9, &[46], 1),
        ],
        vec![
            feed(0, ALL, &[51], 1),
            feed(1, ALL, &[52], 1),
            feed(2, ALL, &[53], 1),
            feed(3, ALL, &[54], 1),
        ],
        // A slot that starts anew beside a long one.
        vec![feed(1, 0, &[61], 1), feed(0, ALL, &[62, 63], 2)],
    ];
    for family in FAMILIES {
        let mut model = load(family);
        let mut batch = model.batched(4);
        let mut texts = vec![Vec::new(); 4];
        for (number, step) in steps.iter().enumerate() {
            let together = forward(&mut batch, step).unwrap();
            for (feed, logits) in step.iter().zip(&together) {
                let text = &mut texts[feed.sequence];
                text.truncate(feed.keep);
                text.extend(&feed.tokens);
                assert_eq!(batch.cached_len(feed.sequence), text.len());
                model.truncate(0);
                let alone = model
                    .forward(text, &positions(0, text.len()), feed.n_logits)
                    .unwrap();
                let error = largest_difference(logits, &alone);
                assert!(
                    error <= 1e-4,
                    "{family} step {number} sequence {}: {error}",
                    feed.sequence
                );
            }
        }
    }
}

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    prompt_ids: Vec<TokenId>,
}

/// Prompts of different lengths: those of the reference traces, and pieces of them.
fn prompts() -> Vec<Vec<TokenId>> {
    let golden: Golden = read_json("speculative.json");
    let mut prompts: Vec<Vec<TokenId>> = Vec::new();
    for (number, case) in golden.cases.iter().enumerate() {
        let len = case.prompt_ids.len();
        let prompt = case.prompt_ids[..len - number % 5 * len / 6].to_vec();
        if !prompts.contains(&prompt) {
            prompts.push(prompt);
        }
    }
    prompts.truncate(9);
    let mut lens: Vec<usize> = prompts.iter().map(Vec::len).collect();
    lens.sort_unstable();
    lens.dedup();
    assert!(prompts.len() >= 5 && lens.len() >= 4, "{lens:?}");
    prompts
}

fn requests(prompts: &[Vec<TokenId>]) -> Vec<Request<'_>> {
    let request = |(number, prompt)| Request {
        prompt,
        max_new_tokens: 12 + 8 * (number % 3),
        ..Request::default()
    };
    prompts
        .iter()
        .map(Vec::as_slice)
        .enumerate()
        .map(request)
        .collect()
}

/// What a rounding error would change.
fn facts(generation: &Generation) -> (Vec<TokenId>, Vec<(Vec<TokenId>, usize)>) {
    let rounds = generation.rounds.iter();
    let rounds = rounds.map(|round| (round.draft.clone(), round.accepted));
    (generation.ids.clone(), rounds.collect())
}

#[test]
fn greedy_batches_of_1_2_and_4_decode_as_one_by_one() {
    let (mut drafter, mut verifier) = (load("llama-drafter"), load("llama"));
    let prompts = prompts();
    let requests = requests(&prompts);
    let stops = [
        StopRule::Fixed {},
        StopRule::Absolute { theta_abs: 2.0 },
        StopRule::Oracle {},
    ];
    for stop in stops {
        let rule = SpeculativeRule {
            stop,
            order: DraftOrder::Before,
            min_draft_len: 1,
            max_draft_len: 6,
            entropy: EntropyRule::default(),
            accept: AcceptRule::default(),
        };
        let mut decode =
            |request| speculative::decode(&mut drafter, &mut verifier, &rule, request).unwrap();
        let alone: Vec<Generation> = requests.iter().map(&mut decode).collect();
        for batch_size in [1, 2, 4] {
            for group_by_draft_len in [false, true] {
                let batching = Batching {
                    batch_size,
                    group_by_draft_len,
                };
                let mut models = (drafter.batched(batch_size), verifier.batched(batch_size));
                let together =
                    batch::decode(&mut models.0, &mut models.1, &rule, &requests, batching)
                        .unwrap();
                for (together, alone) in together.iter().zip(&alone) {
                    assert_eq!(facts(together), facts(alone), "{batching:?} {rule:?}");
                    assert_eq!(together.counts, alone.counts);
                }
            }
        }
    }
    let batching = Batching {
        batch_size: 4,
        group_by_draft_len: false,
    };
    let together =
        batch::decode_autoregressive(&mut verifier.batched(4), &requests, batching).unwrap();
    for (together, request) in together.iter().zip(&requests) {
        let alone = autoregressive::decode(&mut verifier, request).unwrap();
        assert_eq!(together.ids, alone.ids);
    }
}

#[test]
fn one_full_cache_refuses_the_call_and_leaves_every_cache_as_it_was() {
    let mut batch = load("llama").batched(2);
    forward(
        &mut batch,
        &[feed(0, 0, &tokens(0, 9), 0), feed(1, 0, &tokens(0, 510), 0)],
    )
    .unwrap();
    let error = forward(
        &mut batch,
        &[feed(0, 9, &[5], 1), feed(1, 510, &[5, 6, 7], 1)],
    );
    let message = error.unwrap_err().to_string();
    let expected = "510 cached + 3 new tokens exceed the context length of 512";
    assert!(message.contains(expected), "{message}");
    let error = forward(
        &mut batch,
        &[feed(1, 510, &[5], 1), feed(0, 9, &[60_000], 1)],
    );
    let message = error.unwrap_err().to_string();
    assert!(message.contains("60000"), "{message}");
    assert_eq!([batch.cached_len(0), batch.cached_len(1)], [9, 510]);
    forward(&mut batch, &[feed(1, 510, &[5, 6], 1)]).unwrap();
    assert_eq!(batch.cached_len(1), 512);
}

#[test]
fn rows_that_are_not_numbers_leave_no_trace_in_the_caches() {
    let checkpoint = Checkpoint::open(fixture("llama").to_str().unwrap()).unwrap();
    let options = LoadOptions {
        device: device(),
        dtype: Dtype::F32,
        context_len: 64,
        n_drawable: usize::MAX,
    };
    let mut model =
        load_transformer(&checkpoint, DType::F32, &options.device, Head::Materialized).unwrap();
    let width = checkpoint.arch.hidden_len;
    let nan = Tensor::<2>::full([1, width], f32::NAN, (&options.device, DType::F32));
    let broken = model.embedding.val().slice_assign([9..10, 0..width], nan);
    model.embedding = Param::from_tensor(broken);
    let mut batch = BurnLm::new(model, checkpoint.arch.clone(), &options).batched(2);
    let text = tokens(0, 20);
    assert!(!text.contains(&9));
    let error = forward(
        &mut batch,
        &[feed(0, 0, &text, 1), feed(1, 0, &[6, 7, 9], 3)],
    );
    // Its sequence is not a number from the first row on: 0 times NaN is NaN.
    assert!(matches!(error, Err(ModelError::NotANumber { row: 0 })));
    assert_eq!([batch.cached_len(0), batch.cached_len(1)], [0, 0]);
    // Sequence 1 is padded with the rows that the broken call wrote.
    let feeds = [feed(0, 0, &text, 1), feed(1, 0, &[6], 1)];
    let together = forward(&mut batch, &feeds).unwrap();
    let alone = load("llama").forward(&[6], &[0], 1).unwrap();
    assert!(largest_difference(&together[1], &alone) <= 1e-4);
}
