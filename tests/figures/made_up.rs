//! A made-up sweep of realistic size and shape. No number here was measured.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wedlm_bench::analysis::bins::ENTROPY_EDGES;
use wedlm_bench::analysis::details::{
    Category, CategoryTrial, Details, DraftEntropies, Hazard, Latency,
};
use wedlm_bench::analysis::hazard::HazardSlot;
use wedlm_bench::analysis::metrics::Quality;
use wedlm_bench::analysis::view::{
    CheckedTrial, CostCurve, CostPoint, DraftRule, Measures, ReplayCheck, SweepView, TrialKind,
    TrialView,
};
use wedlm_bench::record::schema::Mode;
use wedlm_bench::stats::bootstrap::Bootstrap;
use wedlm_bench::stats::interval::{Confidence, Interval};
use wedlm_bench::stats::proportion::wilson;
use wedlm_bench::stats::sample::Pairs;

const N_PROMPTS: usize = 60;

pub fn bootstrap() -> Bootstrap {
    Bootstrap {
        n_resamples: 300.try_into().unwrap(),
        ..Bootstrap::default()
    }
}

/// 60 prompts; fixed, random and oracle drafts, an EBSD grid of 5 thresholds × 3 entropy types,
/// a combined rule, a lossy rule, two window decoders, one failed trial.
pub fn sweep() -> SweepView {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let baseline_ns: Vec<f64> = (0..N_PROMPTS)
        .map(|_| random.random_range(0.8e9..1.6e9))
        .collect();
    let mut maker = Maker {
        baseline_ns,
        random,
        trials: vec![],
    };
    maker.speculative_trials();
    maker.window_trials();
    let mut baseline = maker.trial(
        "autoregressive",
        TrialKind::Autoregressive,
        &[],
        1.0,
        None,
        vec![N_PROMPTS as u64 * 80],
    );
    if let Ok(measures) = &mut baseline.result {
        measures.speedup = Some(Interval::exact(1.0));
    }
    let mut view = SweepView {
        name: "gsm8k".to_owned(),
        command: "wedlm-bench sweep configs/gsm8k.yaml --set workload.limit=60".to_owned(),
        version: "0.1.0 (git 1a2b3c4)".to_owned(),
        date: "2026-11-21".to_owned(),
        device: "AMD EPYC 9B14, 2 threads, f32".to_owned(),
        provenance: vec![
            ("config hash".to_owned(), "5e884898da28".to_owned()),
            ("verifier".to_owned(), "embedded:verifier".to_owned()),
        ],
        n_prompts: N_PROMPTS,
        repeats: 3,
        baseline: Some(baseline),
        trials: maker.trials,
        cost_curves: vec![
            cost_curve("verifier on this device", 0.14, 0.05),
            cost_curve("drafter on this device", 0.31, 0.09),
            cost_curve("profile h100-8b", 0.004, 0.0),
        ],
        replay: None,
        hardware_profile: Some("h100-8b".to_owned()),
        details: Details::default(),
        ..SweepView::default()
    };
    view.replay = Some(replay_check(&view));
    view.details = details(&view);
    view
}

/// Predictions 5 % above what was measured.
fn replay_check(view: &SweepView) -> ReplayCheck {
    let of_grid = |trial: &&TrialView| trial.family == "ebsd-absolute-threshold";
    let trials = view.trials.iter().filter(of_grid).step_by(3);
    let trials: Vec<CheckedTrial> = trials
        .map(|trial| {
            let measured = trial.speedup().unwrap();
            CheckedTrial {
                label: trial.label.clone(),
                predicted: around(1.05 * measured.estimate, 0.04),
                measured,
            }
        })
        .collect();
    ReplayCheck {
        n_replayed: 15,
        n_generations: 300,
        n_rounds: 4000,
        median_error: Some(0.05),
        largest_error: Some(0.05),
        rank_correlation: Some(1.0),
        trials,
        ..ReplayCheck::default()
    }
}

/// Three categories; everything else differs from trial to trial by its place.
fn details(view: &SweepView) -> Details {
    let chosen = view.chosen();
    let label = |trial: &TrialView| trial.label.clone();
    let family = |trial: &TrialView| trial.family.clone();
    let speculative: Vec<&TrialView> = chosen
        .iter()
        .copied()
        .filter(|trial| trial.kind != TrialKind::Window)
        .collect();
    let category = |name: &str, n_prompts: usize, shift: f64| Category {
        name: name.to_owned(),
        n_prompts,
        trials: chosen
            .iter()
            .enumerate()
            .map(|(place, trial)| CategoryTrial {
                label: label(trial),
                family: family(trial),
                lossless: trial.lossless,
                speedup: trial.speedup().map(|one| around(one.estimate + shift, 0.1)),
                against_fixed: (place > 0).then(|| around(1.0 + shift - 0.02 * place as f64, 0.06)),
                acceptance_rate: trial.acceptance_rate(),
                quality: Quality {
                    exact_match: wilson(n_prompts as u64 - 3, n_prompts as u64, Confidence::P95),
                    ..Quality::default()
                },
            })
            .collect(),
    };
    let seconds = |place: usize| {
        let time = |n: usize| 0.4 + 0.01 * n as f64 * (1.0 + 0.1 * place as f64);
        (0..N_PROMPTS).map(time).collect()
    };
    let latency = |place: usize, label: String, family: Option<String>| Latency {
        label,
        family,
        mode: Mode::Live,
        seconds: seconds(place),
    };
    let others = chosen.iter().enumerate();
    let slot = |place: usize| {
        let reached = 900 >> place;
        let rejected = reached / (3 + place as u64);
        HazardSlot {
            slot: place,
            reached,
            rejected,
            share: around(
                rejected as f64 / reached as f64,
                0.03 * (1.0 + place as f64),
            ),
        }
    };
    Details {
        missing_tables: vec![],
        categories: vec![
            category("all prompts", N_PROMPTS, 0.04),
            category("2-step", 20, 0.1),
            category("3-step", 25, 0.02),
            category("4-step", 15, -0.04),
        ],
        latencies: std::iter::once(latency(20, "autoregressive".to_owned(), None))
            .chain(others.map(|(place, one)| latency(place, label(one), Some(family(one)))))
            .collect(),
        hazards: speculative
            .iter()
            .map(|trial| Hazard {
                label: label(trial),
                family: family(trial),
                slots: (0..8).map(slot).collect(),
            })
            .collect(),
        entropies: speculative
            .iter()
            .map(|trial| DraftEntropies {
                label: label(trial),
                family: family(trial),
                accepted: (0..=ENTROPY_EDGES.len() as u64)
                    .map(|bin| 500 >> bin)
                    .collect(),
                rejected: (0..=ENTROPY_EDGES.len() as u64)
                    .map(|bin| 4 + 3 * bin)
                    .collect(),
            })
            .collect(),
    }
}

struct Maker {
    baseline_ns: Vec<f64>,
    random: ChaCha8Rng,
    trials: Vec<TrialView>,
}

impl Maker {
    fn speculative_trials(&mut self) {
        let fixed = TrialKind::Speculative(DraftRule::FixedLength);
        for k in [4, 6, 8, 10] {
            let mut histogram = vec![0; k + 1];
            histogram[k] = 800;
            histogram[k / 2] = 40;
            let acceptance = 0.86 - 0.035 * k as f64;
            let speedup = 1.28 - 0.03 * (k as f64 - 5.0).powi(2) / 4.0;
            let axes = [("max_draft_len", k.to_string())];
            let trial = self.trial(
                "fixed-k",
                fixed,
                &axes,
                speedup,
                Some(acceptance),
                histogram,
            );
            self.trials.push(trial);
        }
        let reference = TrialKind::Speculative(DraftRule::Reference);
        let uniform = self.trial(
            "random-k",
            reference,
            &[],
            1.12,
            Some(0.69),
            vec![0, 90, 95, 88, 91, 92, 89, 90, 93],
        );
        let oracle = self.trial(
            "oracle",
            reference,
            &[],
            1.62,
            Some(1.0),
            vec![200, 180, 150, 120, 90, 70, 50, 40, 160],
        );
        self.trials.extend([uniform, oracle]);

        let entropy = TrialKind::Speculative(DraftRule::Entropy);
        for (index, kind) in ["shannon", "renyi", "topk"].into_iter().enumerate() {
            for theta in [0.5, 1.0, 1.5, 2.0, 2.5] {
                let acceptance = 0.93 - 0.09 * theta - 0.02 * index as f64;
                let speedup = 1.36 - 0.12 * (theta - 1.2f64).powi(2) - 0.02 * index as f64;
                let axes = [
                    ("stop.theta_abs", theta.to_string()),
                    ("entropy.kind", kind.to_owned()),
                ];
                let histogram = (0..=12)
                    .map(|len| (900.0 * (-f64::from(len) / (1.0 + 1.5 * theta)).exp()) as u64)
                    .collect();
                let trial = self.trial(
                    "ebsd-absolute-threshold",
                    entropy,
                    &axes,
                    speedup,
                    Some(acceptance),
                    histogram,
                );
                self.trials.push(trial);
            }
        }
        for theta in [1.2, 1.5, 2.0, 3.0] {
            let axes = [
                ("stop.theta_rel", theta.to_string()),
                (
                    "max_draft_len",
                    if theta < 2.0 { "6" } else { "8" }.to_owned(),
                ),
            ];
            let histogram = vec![0, 400, 260, 170, 110, 80, 50, 30, 60];
            let acceptance = 0.84 - 0.05 * theta;
            let trial = self.trial(
                "ebsd-relative",
                entropy,
                &axes,
                1.3 - 0.04 * theta,
                Some(acceptance),
                histogram,
            );
            self.trials.push(trial);
        }
        let signal = TrialKind::Speculative(DraftRule::OtherSignal);
        for p_min in [0.4, 0.6, 0.8] {
            let axes = [("stop.p_min", p_min.to_string())];
            let histogram = vec![50, 300, 280, 210, 170, 130, 90, 70, 60];
            let trial = self.trial(
                "p-min",
                signal,
                &axes,
                1.1 + 0.3 * p_min,
                Some(0.6 + 0.35 * p_min),
                histogram,
            );
            self.trials.push(trial);
        }
        let axes = [("accept.kind", "typical".to_owned())];
        let mut lossy = self.trial(
            "typical-acceptance",
            entropy,
            &axes,
            1.71,
            Some(0.91),
            vec![0, 20, 40, 60, 80, 100, 120, 140, 500],
        );
        lossy.lossless = false;
        let failed = TrialView {
            label: "svip theta=0.3".to_owned(),
            family: "svip".to_owned(),
            result: Err("the logits hold NaN at cache row 7: the checkpoint is broken".to_owned()),
            ..lossy.clone()
        };
        self.trials.extend([lossy, failed]);
    }

    fn window_trials(&mut self) {
        for (index, family) in ["wedlm-eager", "wedlm-paper-algorithm-1"]
            .into_iter()
            .enumerate()
        {
            let shift = 0.03 * index as f64;
            for tau in [0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7] {
                let value = if tau == 0.0 {
                    "null".to_owned()
                } else {
                    tau.to_string()
                };
                let axes = [("select.entropy_threshold", value)];
                let speedup = if tau == 0.0 {
                    0.95
                } else {
                    1.05 + 1.4 * tau - shift
                };
                let agreement = 0.99 - 0.35 * tau * tau - shift;
                let mut trial = self.trial(
                    family,
                    TrialKind::Window,
                    &axes,
                    speedup,
                    Some(agreement),
                    vec![],
                );
                trial.lossless = false;
                if let Ok(measures) = &mut trial.result {
                    let filled = 1.0 + 5.0 * tau;
                    measures.filled_per_forward = Some(around(filled, 0.06 * filled));
                    measures.tokens_per_forward = 1.0 + 2.8 * tau;
                    let right = (47.0 - 22.0 * tau * tau) as u64;
                    measures.exact_match = wilson(right, N_PROMPTS as u64, Confidence::P95);
                    measures.same_text = wilson(right - 14, N_PROMPTS as u64, Confidence::P95);
                }
                self.trials.push(trial);
            }
        }
    }

    fn trial(
        &mut self,
        family: &str,
        kind: TrialKind,
        axes: &[(&str, String)],
        speedup: f64,
        acceptance: Option<f64>,
        draft_len_histogram: Vec<u64>,
    ) -> TrialView {
        let prompt_ns: Vec<f64> = self
            .baseline_ns
            .iter()
            .map(|time| time / speedup * self.random.random_range(0.85..1.15))
            .collect();
        let pairs = Pairs::new(self.baseline_ns.clone(), prompt_ns.clone()).unwrap();
        let values: Vec<String> = axes
            .iter()
            .map(|(path, value)| format!("{path}={value}"))
            .collect();
        let wall_ns: f64 = prompt_ns.iter().sum();
        let committed = N_PROMPTS as u64 * 80;
        TrialView {
            label: format!("{family} {}", values.join(" ")).trim().to_owned(),
            kind,
            family: family.to_owned(),
            axes: axes
                .iter()
                .map(|(path, value)| ((*path).to_owned(), value.clone()))
                .collect(),
            batch_size: 1,
            mode: Mode::Live,
            dropped_after: None,
            lossless: true,
            result: Ok(Measures {
                shared_forwards: 0,
                speedup: Some(bootstrap().ratio_of_sums(&pairs)),
                speedup_geometric: bootstrap().geometric_mean_ratio(&pairs).ok(),
                speedup_projected: Some(1.0 + 2.4 * (speedup - 0.9)),
                tokens_per_second: committed as f64 * 1e9 / wall_ns,
                acceptance_rate: acceptance.map(share),
                block_efficiency: 1.0 + 3.0 * acceptance.unwrap_or(0.0),
                tokens_per_forward: 1.0 + 3.0 * acceptance.unwrap_or(0.0),
                drafted: 6000,
                accepted: (6000.0 * acceptance.unwrap_or(0.0)) as u64,
                committed,
                filled_per_forward: None,
                fills: None,
                exact_match: wilson(47, N_PROMPTS as u64, Confidence::P95),
                same_text: wilson(60, N_PROMPTS as u64, Confidence::P95),
                draft_len_histogram,
                prompt_ns,
            }),
        }
    }
}

fn around(estimate: f64, half_width: f64) -> Interval {
    Interval {
        estimate,
        low: estimate - half_width,
        high: estimate + half_width,
        confidence: 0.95,
    }
}

fn share(estimate: f64) -> Interval {
    let interval = around(estimate, 0.018);
    Interval {
        high: interval.high.min(1.0),
        ..interval
    }
}

fn cost_curve(label: &str, slope: f64, noise: f64) -> CostCurve {
    let point = |n_tokens: usize| {
        let estimate = 1.0 + slope * (n_tokens as f64 - 1.0);
        CostPoint {
            n_tokens,
            ratio: around(estimate, noise * (estimate - 1.0)),
        }
    };
    CostCurve {
        label: label.to_owned(),
        points: [1, 2, 3, 4, 5, 6, 8, 10, 12, 16].map(point).to_vec(),
    }
}
