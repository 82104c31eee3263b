//! Window decoders that share forwards, on models without weights: what they write, run and are charged.

#[path = "shared_scripted/grouped.rs"]
mod grouped;

use std::time::Duration;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use wedlm_bench::config::decoder::{DecoderSpec, Ending, WindowVariant};
use wedlm_bench::engine::session::{EngineError, Models, Request, decode};
use wedlm_bench::engine::shared::{self, SharedForwards};
use wedlm_bench::engine::step::{Durations, Generation};
use wedlm_bench::model::lm::{LanguageModel, ModelError, TokenId};
use wedlm_bench::model::scripted::ScriptedModel;
use wedlm_bench::policy::entropy::EntropyRule;
use wedlm_bench::policy::sample::Sampling;

use grouped::GroupedModel;

const VOCAB_LEN: usize = 12;
const MASK: TokenId = 11;
const VARIANTS: [WindowVariant; 4] = [
    WindowVariant::Engine,
    WindowVariant::Paper,
    WindowVariant::Block,
    WindowVariant::Notebook,
];
/// Every kind that YAML can name, those with τ and λ more than once.
const SELECTS: [&str; 24] = [
    r#"{"kind":"entropy","entropy_threshold":null}"#,
    r#"{"kind":"entropy","entropy_threshold":0.4}"#,
    r#"{"kind":"entropy","entropy_threshold":0.9}"#,
    r#"{"kind":"entropy","entropy_threshold":1.5}"#,
    r#"{"kind":"entropy","entropy_threshold":1.5,"pos_penalty":0}"#,
    r#"{"kind":"entropy","entropy_threshold":1.5,"pos_penalty":0.1}"#,
    r#"{"kind":"entropy","entropy_threshold":1.5,"pos_penalty":1.0}"#,
    r#"{"kind":"entropy","entropy_threshold":5,"cap":2}"#,
    r#"{"kind":"greedy"}"#,
    r#"{"kind":"left_to_right","k":3}"#,
    r#"{"kind":"hybrid","base":1.5,"step":0.5,"min":0.5,"max":2,"target":0.3}"#,
    r#"{"kind":"hybrid"}"#,
    r#"{"kind":"window_scaled","entropy_threshold":2}"#,
    r#"{"kind":"confidence_threshold","theta":0.5}"#,
    r#"{"kind":"confidence_factor","factor":2}"#,
    r#"{"kind":"frechet","m":-0.5}"#,
    r#"{"kind":"topk_confidence","steps":3}"#,
    r#"{"kind":"margin","theta":0.3}"#,
    r#"{"kind":"entropy_bound","gamma":2}"#,
    r#"{"kind":"eb_cumulative","threshold":3}"#,
    r#"{"kind":"klass","theta":0.3,"epsilon":5}"#,
    r#"{"kind":"slowfast","theta":0.4}"#,
    r#"{"kind":"credit","theta":0.5}"#,
    r#"{"kind":"random","k":2,"seed":4}"#,
];

fn window(variant: WindowVariant, window_size: usize, select: &str) -> DecoderSpec {
    DecoderSpec::Window {
        variant,
        window_size,
        ending: Ending::Cache,
        select: serde_json::from_str(select).unwrap(),
        entropy: EntropyRule::default(),
    }
}

/// Every variant with every rule.
fn trials() -> Vec<DecoderSpec> {
    let rules = |variant| SELECTS.map(|select| window(variant, 6, select));
    VARIANTS.into_iter().flat_map(rules).collect()
}

fn request(prompt: &[TokenId]) -> Request<'_> {
    Request {
        prompt,
        max_new_tokens: 20,
        stop_ids: &[0],
        mask_id: Some(MASK),
        ..Request::default()
    }
}

fn prompts(n: usize) -> Vec<Vec<TokenId>> {
    let mut lots = StdRng::seed_from_u64(5);
    let mut prompt = || {
        let len = lots.random_range(1..9);
        (0..len).map(|_| lots.random_range(1..MASK)).collect()
    };
    (0..n).map(|_| prompt()).collect()
}

fn history() -> ScriptedModel {
    ScriptedModel::history(1, VOCAB_LEN, 8.0)
}

fn alone(
    model: &mut dyn LanguageModel,
    trial: &DecoderSpec,
    request: &Request<'_>,
) -> Result<Generation, EngineError> {
    let mut models = Models {
        window: Some(model),
        ..Models::default()
    };
    decode(trial, &mut models, request)
}

/// Everything but durations and the number of shared forwards.
fn content(mut generation: Generation) -> Generation {
    generation.durations = Durations::default();
    generation.counts.shared_forwards = 0;
    for round in &mut generation.rounds {
        round.durations = Durations::default();
    }
    generation
}

/// Decodes with each trial in turn and compares with the trial alone. Returns how many forwards the trials
/// asked for, and how many of them were shared.
fn compare<M: LanguageModel>(
    forwards: &mut SharedForwards<M>,
    mut model: impl FnMut() -> M,
    trials: &[DecoderSpec],
    request: &Request<'_>,
) -> (u64, u64) {
    let (mut n_asked, mut n_shared) = (0, 0);
    for trial in trials {
        let ours = shared::decode(trial, forwards, request).unwrap();
        let n_prefills = u64::from(is_prefilled(trial, request));
        n_asked += ours.counts.verifier_forwards + n_prefills;
        n_shared += ours.counts.shared_forwards;
        let theirs = alone(&mut model(), trial, request).unwrap();
        assert_eq!(content(ours), content(theirs), "{trial:?}");
    }
    (n_asked, n_shared)
}

/// The notebook leaves the last prompt token to the first round.
fn is_prefilled(trial: &DecoderSpec, request: &Request<'_>) -> bool {
    let is_notebook = matches!(
        trial,
        DecoderSpec::Window {
            variant: WindowVariant::Notebook,
            ..
        }
    );
    !is_notebook || request.prompt.len() > 1
}

#[test]
fn trials_that_share_forwards_give_the_texts_and_rounds_of_trials_that_run_alone() {
    let mut forwards = SharedForwards::new(history());
    let mut lots = StdRng::seed_from_u64(3);
    let (mut n_asked, mut n_shared) = (0, 0);
    for prompt in prompts(30) {
        let mut trials = trials();
        trials.shuffle(&mut lots);
        forwards.forget();
        let (asked, shared) = compare(&mut forwards, history, &trials, &request(&prompt));
        n_asked += asked;
        n_shared += shared;
    }
    let runs = forwards.runs();
    assert_eq!(runs.asked, n_asked - n_shared);
    assert!(
        runs.asked + runs.restored < n_asked,
        "{runs:?} of {n_asked}"
    );
    // 96 trials start alike in four ways or fewer.
    assert!(5 * n_shared > n_asked, "{n_shared} of {n_asked} are shared");
}

#[test]
fn a_trial_that_runs_twice_runs_no_forward_the_second_time() {
    let prompt = [1, 2, 3];
    for trial in trials() {
        let mut forwards = SharedForwards::new(history());
        let first = shared::decode(&trial, &mut forwards, &request(&prompt)).unwrap();
        let n_forwards = first.counts.verifier_forwards + 1;
        assert_eq!(
            (first.counts.shared_forwards, forwards.runs().asked),
            (0, n_forwards)
        );
        let second = shared::decode(&trial, &mut forwards, &request(&prompt)).unwrap();
        assert_eq!(second.counts.shared_forwards, n_forwards);
        assert_eq!(
            (forwards.runs().asked, forwards.runs().restored),
            (n_forwards, 0)
        );
        assert_eq!(content(first), content(second));
    }
}

#[test]
fn the_time_of_a_forward_is_that_of_the_call_that_ran_it() {
    let mut forwards = SharedForwards::new(history());
    for _ in 0..3 {
        forwards.truncate(0);
        forwards.forward(&[1, 2, 3], &[0, 1, 2], 3).unwrap();
    }
    let times = forwards.take_times();
    let flags: Vec<bool> = times.iter().map(|time| time.is_shared).collect();
    assert_eq!(flags, [false, true, true]);
    assert!(times.iter().all(|time| time.charged == times[0].charged));
    assert!(times[0].charged > Duration::ZERO && times[0].spent >= times[0].charged);
    assert_eq!(forwards.take_times(), []);
}

#[test]
fn shared_forwards_are_charged_as_if_they_had_run() {
    const FORWARD: Duration = Duration::from_millis(200);
    let model = ScriptedModel::new(VOCAB_LEN, 64, |rows| {
        // The first mask behind two prompt tokens.
        if rows.len() == 3 {
            std::thread::sleep(FORWARD);
        }
        let mut logits = vec![0.0; VOCAB_LEN];
        logits[rows.len() % 10] = 9.0;
        logits
    });
    let mut forwards = SharedForwards::new(model);
    let trial = window(WindowVariant::Engine, 1, SELECTS[0]);
    let prompt = [1, 2];
    let first = shared::decode(&trial, &mut forwards, &request(&prompt)).unwrap();
    let started = std::time::Instant::now();
    let second = shared::decode(&trial, &mut forwards, &request(&prompt)).unwrap();
    let elapsed = started.elapsed();
    assert!(elapsed < FORWARD, "nothing runs: {elapsed:?}");
    assert_eq!(
        second.counts.shared_forwards,
        first.counts.verifier_forwards + 1
    );
    for generation in [first, second] {
        let Durations { wall, verify, .. } = generation.durations;
        assert!(
            verify >= FORWARD && wall >= verify,
            "{verify:?} of {wall:?}"
        );
        assert!(generation.rounds[0].durations.verify >= FORWARD);
        assert!(generation.rounds[0].durations.wall >= FORWARD);
    }
}

#[test]
fn cached_rows_are_computed_by_the_forwards_that_computed_them_when_a_trial_runs_alone() {
    let mut forwards = SharedForwards::new(GroupedModel::new(1));
    let mut lots = StdRng::seed_from_u64(8);
    let (mut n_asked, mut n_shared) = (0, 0);
    for prompt in prompts(10) {
        let mut trials = trials();
        trials.shuffle(&mut lots);
        forwards.forget();
        let model = || GroupedModel::new(1);
        let (asked, shared) = compare(&mut forwards, model, &trials, &request(&prompt));
        n_asked += asked;
        n_shared += shared;
    }
    let runs = forwards.runs();
    assert!(runs.restored > 0 && n_shared > 0, "{runs:?}, {n_shared}");
    // A row is restored for a forward that was shared on the way to it, at the most.
    assert!(runs.asked + runs.restored <= n_asked);
}

#[test]
fn restored_rows_are_fed_in_the_shapes_in_which_a_trial_alone_feeds_them() {
    let prompt = [1, 2, 3];
    let trials = trials();
    let mut shapes_alone = Vec::new();
    for trial in &trials {
        let mut model = GroupedModel::new(1);
        alone(&mut model, trial, &request(&prompt)).unwrap();
        shapes_alone.extend(model.shapes);
    }
    let mut forwards = SharedForwards::new(GroupedModel::new(1));
    for trial in &trials {
        shared::decode(trial, &mut forwards, &request(&prompt)).unwrap();
    }
    let runs = forwards.runs();
    let shapes = &forwards.model().shapes;
    assert_eq!(shapes.len() as u64, runs.asked + runs.restored);
    assert!(shapes.iter().all(|shape| shapes_alone.contains(shape)));
    assert!(shapes.len() < shapes_alone.len());
}

#[test]
fn without_room_for_logits_every_forward_runs_and_nothing_else_changes() {
    let trials = trials();
    let prompt = [4, 5];
    let mut shares = Vec::new();
    // A forward of these trials returns 0 to 144 values.
    for room in [0, 100, 5_000, 1 << 28] {
        let mut forwards = SharedForwards::with_room(history(), room);
        let (asked, shared) = compare(&mut forwards, history, &trials, &request(&prompt));
        assert_eq!(forwards.runs().asked, asked - shared);
        shares.push(shared);
    }
    assert!(shares.is_sorted(), "{shares:?}");
    assert!(shares[0] < shares[3] / 2, "{shares:?}");
}

#[test]
fn a_sweep_that_goes_on_after_an_interruption_gives_what_it_would_have_given() {
    let mut lots = StdRng::seed_from_u64(6);
    for prompt in prompts(10) {
        let trials = trials();
        let n_done = lots.random_range(0..trials.len());
        let (done, left) = trials.split_at(n_done);
        // The forwards of the trials that are done are not there any more.
        for part in [done, left] {
            compare(
                &mut SharedForwards::new(history()),
                history,
                part,
                &request(&prompt),
            );
        }
    }
}

#[test]
fn a_forward_that_fails_fails_for_every_trial_and_spoils_none() {
    let broken = || {
        ScriptedModel::new(VOCAB_LEN, 4096, |rows| {
            let mut row = history_row(rows);
            if rows.len() > 14 {
                row[3] = f32::NAN;
            }
            row
        })
    };
    let prompt = [1, 2, 3];
    let mut forwards = SharedForwards::new(broken());
    for trial in trials().iter().chain(&trials()) {
        let ours = shared::decode(trial, &mut forwards, &request(&prompt));
        let theirs = alone(&mut broken(), trial, &request(&prompt));
        assert_eq!(
            ours.map(content).map_err(|error| error.to_string()),
            theirs.map(content).map_err(|error| error.to_string())
        );
    }
    // A model that refuses in the middle keeps its cache, and a smaller request is served as ever.
    let mut forwards = SharedForwards::new(history().with_context_len(9));
    let rows = |n: u32| {
        (0..n)
            .map(|row| (row % 5, row))
            .unzip::<_, _, Vec<_>, Vec<_>>()
    };
    let feed = |forwards: &mut SharedForwards<ScriptedModel>, n| {
        let (tokens, positions) = rows(n);
        forwards.forward(&tokens, &positions, 1)
    };
    let prefill = feed(&mut forwards, 6).unwrap();
    let error = feed(&mut forwards, 4).unwrap_err();
    assert!(matches!(
        error,
        ModelError::ContextOverflow {
            cached: 6,
            new: 4,
            ..
        }
    ));
    assert_eq!(forwards.cached_len(), 6);
    let window = feed(&mut forwards, 3).unwrap();
    forwards.truncate(0);
    assert_eq!(feed(&mut forwards, 6).unwrap(), prefill);
    assert_eq!(feed(&mut forwards, 3).unwrap(), window);
    assert_eq!(forwards.runs().asked, 2);
}

fn history_row(rows: &[(TokenId, u32)]) -> Vec<f32> {
    let (tokens, positions): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
    let logits = history().forward(&tokens, &positions, 1).unwrap();
    logits.last().to_vec()
}

#[test]
fn a_prompt_is_forgotten_whole() {
    let trial = window(WindowVariant::Engine, 4, SELECTS[2]);
    let prompt = [1, 2, 3];
    let mut forwards = SharedForwards::new(history());
    for _ in 0..3 {
        forwards.forget();
        let generation = shared::decode(&trial, &mut forwards, &request(&prompt)).unwrap();
        assert_eq!(generation.counts.shared_forwards, 0);
    }
}

#[test]
fn decoders_of_other_kinds_find_no_model_to_share() {
    let error = shared::decode(
        &DecoderSpec::Autoregressive { batch_size: 1 },
        &mut SharedForwards::new(history()),
        &request(&[1]),
    );
    assert!(matches!(
        error,
        Err(EngineError::MissingModel { role: "verifier" })
    ));
}

fn any_trial() -> impl Strategy<Value = DecoderSpec> {
    let variant = prop::sample::select(VARIANTS.to_vec());
    let select = prop::sample::select(SELECTS.to_vec());
    (variant, 1_usize..9, select)
        .prop_map(|(variant, window_size, select)| window(variant, window_size, select))
}

fn any_sampling() -> impl Strategy<Value = Sampling> {
    let drawn = Sampling {
        temperature: 0.7,
        top_k: 5,
        top_p: 0.9,
    };
    prop::sample::select(vec![Sampling::default(), drawn])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn sharing_changes_no_text_whatever_the_trials_their_order_the_room_and_the_model(
        trials in prop::collection::vec(any_trial(), 1..12),
        prompt in prop::collection::vec(0..MASK, 1..6),
        max_new_tokens in 1_usize..20,
        sampling in any_sampling(),
        model_seed in any::<u64>(),
        seed in any::<u64>(),
        room in prop::sample::select(vec![0, 500, 5_000, usize::MAX]),
    ) {
        let request = Request { max_new_tokens, sampling, seed, ..request(&prompt) };
        let model = || GroupedModel::new(model_seed);
        let mut forwards = SharedForwards::with_room(model(), room);
        let (asked, shared) = compare(&mut forwards, model, &trials, &request);
        let runs = forwards.runs();
        prop_assert_eq!(runs.asked, asked - shared);
        prop_assert!(runs.restored <= shared);
    }
}
