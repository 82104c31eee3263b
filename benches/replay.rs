//! How many prompts a replay decodes in a second, on texts of 75 tokens.
//!
//! Throughput is in trial-prompts: one prompt under one rule. `totals` is the path of a grid, counts
//! only; `generations` builds every round and slot. The drafter agrees with the verifier on about
//! three of four tokens, so a text takes twenty to forty rounds.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wedlm_bench::engine::session::Request;
use wedlm_bench::engine::speculative::SpeculativeRule;
use wedlm_bench::model::lm::TokenId;
use wedlm_bench::model::scripted::ScriptedModel;
use wedlm_bench::policy::accept::AcceptRule;
use wedlm_bench::policy::entropy::EntropyRule;
use wedlm_bench::policy::stop::DraftOrder;
use wedlm_bench::trace::Trace;
use wedlm_bench::trace::record::{RecordSetting, record};
use wedlm_bench::trace::replay::Replay;

const N_PROMPTS: u32 = 40;
const TEXT_LEN: usize = 75;
const VOCAB_LEN: usize = 12;
const MAX_DRAFT_LEN: usize = 10;

/// From the cheapest rule to those that learn or look back.
const RULES: [(&str, &str); 7] = [
    ("fixed", r#"{"kind": "fixed"}"#),
    ("absolute", r#"{"kind": "absolute", "theta_abs": 1.2}"#),
    (
        "window",
        r#"{"kind": "window", "window_size": 3, "theta_window": 1.2}"#,
    ),
    (
        "combined",
        r#"{"kind": "combined", "any": [{"kind": "absolute", "theta_abs": 1.6}, {"kind": "relative"}]}"#,
    ),
    ("adaedl", r#"{"kind": "adaedl", "lambda": 0.5}"#),
    ("confidence_roc", r#"{"kind": "confidence_roc"}"#),
    ("oracle", r#"{"kind": "oracle"}"#),
];

fn trace() -> Trace {
    let verifier = || ScriptedModel::history(1, VOCAB_LEN, 6.0);
    let mut drafter = verifier().perturbed(2, 1.0);
    let prompts: Vec<[TokenId; 2]> = (0..N_PROMPTS)
        .map(|number| [number % 12, (number / 12) % 12])
        .collect();
    let requests: Vec<Request<'_>> = prompts
        .iter()
        .map(|prompt| Request {
            prompt,
            max_new_tokens: TEXT_LEN,
            ..Request::default()
        })
        .collect();
    let setting = RecordSetting {
        max_draft_len: MAX_DRAFT_LEN,
        entropies: vec![EntropyRule::default()],
        piece_len: 64,
    };
    record(&mut drafter, &mut verifier(), &setting, &requests).expect("scripted models run")
}

fn replay(criterion: &mut Criterion) {
    let trace = trace();
    let mut group = criterion.benchmark_group("replay");
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(u64::from(N_PROMPTS)));
    for (name, json) in RULES {
        let rule = SpeculativeRule {
            stop: serde_json::from_str(json).expect("a rule"),
            order: DraftOrder::Before,
            min_draft_len: 1,
            max_draft_len: MAX_DRAFT_LEN,
            entropy: EntropyRule::default(),
            accept: AcceptRule::default(),
        };
        let replay = Replay::new(&trace, &rule).expect("the trace holds the rule");
        let committed: u64 = replay.totals().iter().map(|t| t.counts.committed).sum();
        assert_eq!(committed, u64::from(N_PROMPTS) * TEXT_LEN as u64);
        group.bench_function(BenchmarkId::new("totals", name), |bencher| {
            bencher.iter(|| black_box(&replay).totals());
        });
        group.bench_function(BenchmarkId::new("generations", name), |bencher| {
            bencher.iter(|| black_box(&replay).generations());
        });
    }
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);
