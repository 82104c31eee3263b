//! What replay saves, in one run: the experiment plan's grid read off a trace, against one live trial of
//! the same prompts and against decoding every point.
//!
//! `cargo bench --bench grid [-- PROMPTS]` prints a table; it measures, so nothing else should run. The
//! three are interleaved over rounds, and each figure is the median with the least and the most.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use wedlm_bench::cmd::measure::{Prompt, Settings};
use wedlm_bench::cmd::measure_all::settings;
use wedlm_bench::cmd::models::{LoadedModels, ModelNames};
use wedlm_bench::cmd::replay_sweep::record_trace;
use wedlm_bench::cmd::replayable::{Split, header};
use wedlm_bench::config::load_sweep;
use wedlm_bench::config::replay::SweepMode;
use wedlm_bench::engine::speculative::{self, SpeculativeRule};
use wedlm_bench::model::device::{DeviceSpec, Dtype};
use wedlm_bench::model::loaded::Placement;
use wedlm_bench::plan::{Trial, plan};
use wedlm_bench::trace::TraceHeader;
use wedlm_bench::trace::replay::{Replay, Totals};
use wedlm_bench::workload;

const N_ROUNDS: usize = 3;
const N_LIVE_POINTS: usize = 20;
/// Points of the grid before equal ones are merged: what a loop over settings would run.
const N_POINTS: usize = 6480;
const DEFAULT_N_PROMPTS: usize = 50;

struct Bench {
    models: LoadedModels,
    prompts: Vec<Prompt>,
    settings: Settings,
    header: TraceHeader,
    trials: Vec<(Trial, SpeculativeRule)>,
}

fn main() {
    // Cargo adds flags of its own.
    let asked = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok());
    let mut bench = Bench::open(asked.unwrap_or(DEFAULT_N_PROMPTS));
    let longest = bench.longest_fixed();
    let mut points: Vec<SpeculativeRule> =
        bench.trials.iter().map(|(_, rule)| rule.clone()).collect();
    points.shuffle(&mut ChaCha8Rng::seed_from_u64(17));
    points.truncate(N_LIVE_POINTS);
    bench.live(&longest);
    let (mut record, mut replay, mut fixed, mut naive) = (vec![], vec![], vec![], vec![]);
    for _ in 0..N_ROUNDS {
        let started = Instant::now();
        let trace = record_trace(
            &bench.header,
            &bench.prompts,
            &bench.settings,
            &mut bench.models,
        )
        .expect("the embedded pair records a trace");
        record.push(started.elapsed().as_secs_f64());
        let started = Instant::now();
        for (_, rule) in &bench.trials {
            let mut totals = Totals::default();
            let replay = Replay::new(&trace, rule).expect("the trace tells every rule of the grid");
            replay.run(&mut totals);
            black_box(totals);
        }
        replay.push(started.elapsed().as_secs_f64());
        fixed.push(bench.live(&longest));
        let live: f64 = points.iter().map(|rule| bench.live(rule)).sum();
        naive.push(live / N_LIVE_POINTS as f64 * N_POINTS as f64);
    }
    let answered: Vec<f64> = record.iter().zip(&replay).map(|(a, b)| a + b).collect();
    let ratios = |over: &[f64], under: &[f64]| -> Vec<f64> {
        over.iter().zip(under).map(|(a, b)| a / b).collect()
    };
    let n_prompts = bench.prompts.len();
    let n_trials = bench.trials.len();
    println!("{n_trials} trials of {N_POINTS} points, {n_prompts} prompts, {N_ROUNDS} rounds");
    for (name, values, unit) in [
        ("record one trace per prompt", &record, "s"),
        ("replay every trial", &replay, "s"),
        ("both", &answered, "s"),
        ("one live trial, fixed k = 20", &fixed, "s"),
        ("every point live, from 20 points", &naive, "s"),
        ("both / one live trial", &ratios(&answered, &fixed), "×"),
        ("every point live / both", &ratios(&naive, &answered), "×"),
    ] {
        println!("{name:<34} {}", spread(values, unit));
    }
    let rate: Vec<f64> = replay
        .iter()
        .map(|s| (n_trials * n_prompts) as f64 / s)
        .collect();
    println!(
        "{:<34} {}",
        "replay alone",
        spread(&rate, "trial-prompts/s")
    );
}

impl Bench {
    fn open(n_prompts: usize) -> Self {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/ebsd-grid.yaml");
        let overrides = [format!("workload.limit={n_prompts}")];
        let sweep = load_sweep(config, &overrides).expect("the grid's file is valid");
        let plan = plan(&sweep).expect("the grid can be planned");
        let header = header(&plan.trials, sweep.sampling).expect("the grid drafts");
        let split = Split::new(&plan, SweepMode::Auto, Some(&header));
        let spec = &sweep.workload;
        let items = workload::load(&spec.source, n_prompts, spec.seed).expect("generated");
        let longest = items
            .iter()
            .map(|item| item.prompt.len())
            .max()
            .unwrap_or(0);
        let names = ModelNames {
            verifier: Some("embedded:verifier".to_owned()),
            drafter: Some("embedded:drafter-10".to_owned()),
            window: None,
        };
        let placement = Placement {
            device: DeviceSpec::default(),
            dtype: Dtype::default(),
            context_len: longest + spec.max_new_tokens + 64,
        };
        let models = LoadedModels::open(&names, |_| placement).expect("the embedded models load");
        let prompts = items.into_iter().enumerate().map(|(index, item)| Prompt {
            index,
            ids: models
                .tokenizer()
                .encode(&item.prompt)
                .expect("text encodes"),
            item,
        });
        Self {
            prompts: prompts.collect(),
            settings: settings(&sweep, &models).expect("there are no stop strings"),
            header,
            trials: split
                .replayed
                .into_iter()
                .map(|(trial, rule)| (trial.clone(), rule))
                .collect(),
            models,
        }
    }

    /// The fixed draft length of 20.
    fn longest_fixed(&self) -> SpeculativeRule {
        let is_it = |trial: &Trial| trial.label == "fixed-k max=20";
        let trial = self.trials.iter().find(|(trial, _)| is_it(trial));
        trial.expect("the grid has it").1.clone()
    }

    /// Seconds that all prompts take when they are decoded.
    fn live(&mut self, rule: &SpeculativeRule) -> f64 {
        let (drafter, verifier) = self.models.pair().expect("both are loaded");
        let started = Instant::now();
        for prompt in &self.prompts {
            let request = self.settings.request(prompt);
            let decoded = speculative::decode(&mut drafter.lm, &mut verifier.lm, rule, &request);
            black_box(decoded.expect("the embedded pair decodes"));
        }
        started.elapsed().as_secs_f64()
    }
}

/// Median, least and most.
fn spread(values: &[f64], unit: &str) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (least, median, most) = (
        sorted[0],
        sorted[sorted.len() / 2],
        sorted[sorted.len() - 1],
    );
    format!("{median:.2} [{least:.2}, {most:.2}] {unit}")
}
