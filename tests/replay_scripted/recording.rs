//! What a trace holds, and that it does not matter how the models were fed.

use wedlm_bench::engine::autoregressive;
use wedlm_bench::engine::session::{EngineError, Request};
use wedlm_bench::model::lm::{LanguageModel, ModelError, TokenId};
use wedlm_bench::model::scripted::{ScriptedBatch, ScriptedModel};
use wedlm_bench::policy::entropy::{EntropyRule, RowStats};
use wedlm_bench::trace::record::{RecordError, RecordSetting, record, record_batched};
use wedlm_bench::trace::{Slots, Trace, TraceError, TracedPrompt};

use super::rules::{VOCAB_LEN, drafter, verifier};
use super::{MAX_DRAFT_LEN, entropies, prompt, prompts, requests, setting, stop_strings, trace_of};

#[test]
fn the_text_is_that_of_the_autoregressive_decoder_greedy_and_sampled() {
    let (prompts, stop_strings) = (prompts(), stop_strings());
    for temperature in [0.0, 0.8] {
        let requests = requests(&prompts, &stop_strings, temperature, 1);
        let trace = trace_of(&requests);
        for (number, request) in requests.iter().enumerate() {
            let reference = autoregressive::decode(&mut verifier(), request).unwrap();
            assert_eq!(trace.text(number), reference.ids);
            let expected = TracedPrompt {
                id: number,
                prompt_len: request.prompt.len(),
                max_new_tokens: request.max_new_tokens,
                text_len: reference.ids.len(),
                finished_by: reference.finished_by,
                seed: request.seed,
            };
            assert_eq!(trace.prompts()[number], expected);
        }
    }
}

#[test]
fn every_slot_holds_what_the_drafter_says_behind_the_tokens_before_it() {
    let (prompts, stop_strings) = (prompts(), stop_strings());
    let requests = requests(&prompts, &stop_strings, 0.0, 1);
    let trace = trace_of(&requests);
    let slots = trace.slots();
    let mut wrong_text: Vec<TokenId> = Vec::new();
    let mut n_off = 0;
    for row in 0..slots.len() {
        let prompt = slots.prompt[row] as usize;
        let (position, depth) = (slots.position[row] as usize, slots.depth[row] as usize);
        let text = [requests[prompt].prompt, &trace.text(prompt)].concat();
        if depth == 0 {
            assert_eq!(slots.verifier_token[row], Some(text[position]));
            wrong_text = text[..position].to_vec();
        } else if depth == 1 {
            n_off += 1;
            let origin =
                trace.text_rows(prompt).start + position - 1 - requests[prompt].prompt.len();
            wrong_text = [&text[..position - 1], &[slots.token[origin]]].concat();
        } else {
            wrong_text.push(slots.token[row - 1]);
        }
        assert_eq!(wrong_text.len(), position);
        let mut model = drafter();
        let positions: Vec<u32> = (0..position as u32).collect();
        let logits = model.forward(&wrong_text, &positions, 1).unwrap();
        for (column, &entropy) in entropies().iter().enumerate() {
            // Asked alone, as a live run asks.
            let stats = RowStats::read(logits.last(), &[entropy]);
            assert_eq!(slots.entropies[column][row], stats.entropies[0]);
            assert_eq!((slots.top1[row], slots.top2[row]), (stats.top1, stats.top2));
            let logit = logits.last()[slots.token[row] as usize];
            assert_eq!(slots.probability[row], stats.probability(logit));
        }
    }
    assert!(n_off > 100, "{n_off} drafts leave the text");
}

#[test]
fn a_lead_is_the_gap_between_the_two_best_logits_and_a_tie_is_counted() {
    let prompts = [vec![1, 2]];
    let requests = requests(&prompts, &[], 0.0, 0);
    let trace = trace_of(&requests);
    let text = [&prompts[0][..], &trace.text(0)].concat();
    let mut least = f64::INFINITY;
    for row in trace.text_rows(0) {
        let position = trace.slots().position[row] as usize;
        let positions: Vec<u32> = (0..position as u32).collect();
        let logits = verifier()
            .forward(&text[..position], &positions, 1)
            .unwrap();
        let mut sorted = logits.last().to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let gap = f64::from(sorted[0]) - f64::from(sorted[1]);
        assert_eq!(trace.slots().verifier_lead[row], Some(gap));
        least = least.min(gap);
    }
    assert!(least > 0.0);
    assert_eq!(trace.near_ties(least), 0);
    assert_eq!(trace.near_ties(least * 1.000_001), 1);
}

#[test]
fn pieces_of_any_length_and_batches_of_any_size_give_the_same_trace() {
    let (prompts, stop_strings) = (prompts(), stop_strings());
    for temperature in [0.0, 0.8] {
        let requests = requests(&prompts, &stop_strings, temperature, 1);
        let expected = trace_of(&requests);
        for piece_len in [1, 3, 1000] {
            let setting = RecordSetting {
                piece_len,
                ..setting()
            };
            let trace = record(&mut drafter(), &mut verifier(), &setting, &requests).unwrap();
            assert_eq!(trace, expected);
        }
        for (n_drafters, n_verifiers) in [(1, 1), (3, 4), (8, 8), (64, 64)] {
            let batch_of = |n, model: fn() -> ScriptedModel| {
                ScriptedBatch::new((0..n).map(|_| model()).collect())
            };
            let (mut drafters, mut verifiers) = (
                batch_of(n_drafters, drafter),
                batch_of(n_verifiers, verifier),
            );
            let trace =
                record_batched(&mut drafters, &mut verifiers, &setting(), &requests).unwrap();
            assert_eq!(trace, expected);
        }
    }
}

#[test]
fn a_batch_takes_fewer_forwards_than_one_by_one() {
    let prompts = prompts();
    let requests = requests(&prompts, &[], 0.0, 1);
    let forwards = |n| {
        let batch_of =
            |model: fn() -> ScriptedModel| ScriptedBatch::new((0..n).map(|_| model()).collect());
        let (mut drafters, mut verifiers) = (batch_of(drafter), batch_of(verifier));
        record_batched(&mut drafters, &mut verifiers, &setting(), &requests).unwrap();
        drafters.n_forwards() + verifiers.n_forwards()
    };
    let (together, alone) = (forwards(16), forwards(1));
    assert!(5 * together < 2 * alone, "{together} {alone}");
}

#[test]
fn recording_fits_into_the_context_that_a_live_run_needs_and_no_less() {
    let prompt = prompt(3);
    let request = [Request {
        prompt: &prompt,
        max_new_tokens: 30,
        ..Request::default()
    }];
    let needed = prompt.len() + 30 - 1;
    let run = |drafter_len, verifier_len| {
        record(
            &mut drafter().with_context_len(drafter_len),
            &mut verifier().with_context_len(verifier_len),
            &setting(),
            &request,
        )
    };
    run(needed, needed).unwrap();
    for (lens, expected) in [
        ((needed - 1, needed), "drafter"),
        ((needed, needed - 1), "verifier"),
    ] {
        match run(lens.0, lens.1).unwrap_err() {
            RecordError::Engine(EngineError::PromptTooLong { role, .. }) => {
                assert_eq!(role, expected);
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_row_that_is_not_a_number_is_an_error_of_its_cache_row() {
    let broken = |is_broken: fn(usize) -> bool| {
        ScriptedModel::new(VOCAB_LEN, 100, move |rows| {
            let mut row = vec![0.0; VOCAB_LEN];
            row[rows.len() % VOCAB_LEN] = if is_broken(rows.len()) { f32::NAN } else { 1.0 };
            row
        })
    };
    let (healthy, late) = (|| broken(|_| false), || broken(|n_rows| n_rows > 4));
    let prompt = [1, 2];
    let request = [Request {
        prompt: &prompt,
        max_new_tokens: 9,
        ..Request::default()
    }];
    for (mut drafter, mut verifier) in [(late(), healthy()), (healthy(), late())] {
        match record(&mut drafter, &mut verifier, &setting(), &request).unwrap_err() {
            RecordError::Engine(EngineError::Model(ModelError::NotANumber { row })) => {
                assert_eq!(row, 4);
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn what_cannot_be_recorded_is_refused_with_the_reason() {
    let prompts = [prompt(3), prompt(4)];
    let mut requests = requests(&prompts, &[], 0.0, 0);
    let run = |setting: &RecordSetting, requests: &[Request<'_>]| {
        let error = record(&mut drafter(), &mut verifier(), setting, requests).unwrap_err();
        error.to_string()
    };
    let no_piece = RecordSetting {
        piece_len: 0,
        ..setting()
    };
    assert_eq!(
        run(&no_piece, &requests),
        "piece_len is 0: it must be at least 1"
    );
    let no_entropy = RecordSetting {
        entropies: vec![EntropyRule::Min { temperature: 0.0 }],
        ..setting()
    };
    assert!(run(&no_entropy, &requests).starts_with("entropy.temperature is 0"));
    requests[1].sampling.temperature = 0.8;
    assert_eq!(
        run(&setting(), &requests),
        "request 1 has another sampling than request 0: record them apart"
    );
    requests[1] = Request {
        prompt: &[],
        ..requests[0]
    };
    assert!(run(&setting(), &requests).starts_with("the prompt is empty"));
    let nothing = record(&mut drafter(), &mut verifier(), &setting(), &[]).unwrap();
    assert!(nothing.prompts().is_empty() && nothing.slots().is_empty());
}

/// The message with which the tables are refused after `change`.
fn refusal(change: impl FnOnce(&mut Vec<TracedPrompt>, &mut Slots)) -> String {
    let prompts = [prompt(3), prompt(4)];
    let stop_strings = stop_strings();
    let trace = trace_of(&requests(&prompts, &stop_strings, 0.0, 0));
    let (mut prompts, mut slots) = (trace.prompts().to_vec(), trace.slots().clone());
    change(&mut prompts, &mut slots);
    let error: TraceError = Trace::new(trace.header().clone(), prompts, slots).unwrap_err();
    error.to_string()
}

#[test]
fn tables_that_contradict_each_other_are_refused_by_their_row() {
    let trace = {
        let prompts = [prompt(3), prompt(4)];
        let stop_strings = stop_strings();
        trace_of(&requests(&prompts, &stop_strings, 0.0, 0))
    };
    let (header, prompts, slots) = (trace.header(), trace.prompts(), trace.slots());
    assert_eq!(
        Trace::new(header.clone(), prompts.to_vec(), slots.clone()).unwrap(),
        trace
    );
    assert_eq!(MAX_DRAFT_LEN, header.max_draft_len);

    let message = refusal(|_, slots| slots.entropies.truncate(7));
    assert_eq!(
        message,
        "the header names 8 entropies, the table of slots has 7"
    );
    let message = refusal(|_, slots| slots.top2.truncate(9));
    assert!(message.starts_with("column 'top2' has 9 rows"), "{message}");
    let message = refusal(|_, slots| slots.position[1] += 1);
    let first = prompt(3).len();
    let expected = format!(
        "row 1 should be prompt 0, position {}, depth 0: the table has another row there",
        first + 1
    );
    assert_eq!(message, expected);
    let message = refusal(|_, slots| slots.verifier_token[0] = None);
    assert!(
        message.contains("belong to the rows of depth 0"),
        "{message}"
    );
    let message = refusal(|_, slots| {
        let is_match = |row: &usize| slots.verifier_token[*row] == Some(slots.token[*row]);
        let row = (0..slots.len()).find(is_match).unwrap();
        slots.is_end[row] = true;
    });
    assert!(message.contains("as 'is_end' says"), "{message}");
    let message = refusal(|prompts, _| prompts.truncate(1));
    assert!(message.ends_with("belongs to no text"), "{message}");
    let message = refusal(|prompts, _| prompts[0].text_len = 99);
    assert_eq!(message, "prompt 0 has a text longer than its budget");
    // A wrong token of a text with no draft behind it.
    let message = refusal(|_, slots| {
        let first_off = slots.depth.iter().position(|&depth| depth > 0).unwrap();
        let wrong = slots.token[slots.position[first_off] as usize - 1 - first];
        let row = (0..first_off).find(|&row| slots.verifier_token[row] == Some(slots.token[row]));
        slots.token[row.unwrap()] = (wrong + 1) % VOCAB_LEN as u32;
    });
    assert!(
        message.contains("the table has another row there"),
        "{message}"
    );
}
