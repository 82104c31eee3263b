use super::*;
use crate::engine::step::Counts;
use crate::policy::noise::Noise;

const SIZES: [usize; 4] = [1, 2, 5, 9];
const CONTEXTS: [usize; 3] = [32, 128, 512];

fn forwards(n: u64, context_len: u64) -> Forwards {
    Forwards {
        n,
        context_sum: n * context_len,
    }
}

/// Ten rounds of five drafted tokens at a context of 200 tokens.
fn ten_rounds() -> Totals {
    let mut totals = Totals {
        counts: Counts {
            rounds: 10,
            ..Counts::default()
        },
        draft_starts: vec![Forwards::default(); 3],
        drafter: forwards(40, 200),
        verifier: vec![Forwards::default(); 7],
        ..Totals::default()
    };
    totals.draft_starts[1] = forwards(3, 200);
    totals.draft_starts[2] = forwards(7, 200);
    totals.verifier[6] = forwards(10, 200);
    totals
}

/// Sixty autoregressive rounds at a context of 200 tokens.
fn sixty_steps() -> Totals {
    let mut totals = Totals {
        counts: Counts {
            rounds: 60,
            ..Counts::default()
        },
        verifier: vec![Forwards::default(); 2],
        ..Totals::default()
    };
    totals.verifier[1] = forwards(60, 200);
    totals
}

/// The true cost of a part: linear in the context, and in the rows.
fn truth(part: Part, n_rows: usize, context_len: usize) -> f64 {
    let (rows, context) = (n_rows as f64, context_len as f64);
    match part {
        Part::Step => 7e-3 + 3e-6 * context,
        Part::DraftStart => 2e-3 + 5e-5 * rows + 2e-7 * context,
        Part::Drafter => 1e-3 + 2e-7 * context,
        Part::Verifier => 8e-3 + 4e-4 * rows + (3e-6 + 1e-7 * rows) * context,
        Part::Round => 2e-4 + 1e-5 * rows,
    }
}

fn true_seconds(totals: &Totals) -> f64 {
    let of = |part: Part, n_rows: usize, forwards: Forwards| -> f64 {
        // Linear in the context, so the mean context tells the sum.
        let mean = forwards.context_sum.checked_div(forwards.n).unwrap_or(0);
        forwards.n as f64 * truth(part, n_rows, mean as usize)
    };
    let by_rows = |part: Part, by_rows: &[Forwards]| -> f64 {
        let sizes = by_rows.iter().enumerate();
        sizes
            .map(|(n_rows, &forwards)| of(part, n_rows, forwards))
            .sum()
    };
    if totals.draft_starts.is_empty() {
        return of(Part::Step, 1, totals.verifier[1]);
    }
    by_rows(Part::DraftStart, &totals.draft_starts)
        + of(Part::Drafter, 1, totals.drafter)
        + by_rows(Part::Verifier, &totals.verifier)
        + by_rows(Part::Round, &totals.verifier)
}

/// About normal, with standard deviation 1.
fn normal(noise: &Noise, index: u64) -> f64 {
    let sum: f64 = (0..12).map(|part| noise.uniform(12 * index + part)).sum();
    sum - 6.0
}

/// Timings of everything in each pass: the truth times a drift of the pass, times an error of each
/// timing; both are lognormal with these standard deviations.
fn timings(seed: u64, n_passes: usize, drift: f64, error: f64) -> Vec<TimingSample> {
    let noise = Noise::new(seed);
    let mut samples = Vec::new();
    for pass in 0..n_passes {
        let slowness = (drift * normal(&noise, pass as u64)).exp();
        let mut time = |part, n_rows, context_len| {
            let index = 1_000 + samples.len() as u64;
            let factor = slowness * (error * normal(&noise, index)).exp();
            samples.push(TimingSample {
                part,
                n_rows,
                context_len,
                pass,
                seconds: factor * truth(part, n_rows, context_len),
            });
        };
        for context_len in CONTEXTS {
            time(Part::Step, 1, context_len);
            time(Part::Drafter, 1, context_len);
            for n_rows in SIZES {
                time(Part::DraftStart, n_rows, context_len);
                time(Part::Verifier, n_rows, context_len);
                time(Part::Round, n_rows, context_len);
            }
        }
    }
    samples
}

fn assert_close(found: f64, expected: f64, relative: f64) {
    assert!(
        (found / expected - 1.0).abs() < relative,
        "{found} against {expected}"
    );
}

#[test]
fn timings_without_noise_give_back_every_parameter() {
    let model = CostModel::fit(&timings(1, 3, 0.0, 0.0)).unwrap();
    let costs = model.costs();
    for n_rows in [1, 2, 3, 5, 7, 9, 12] {
        for context_len in [0, 32, 100, 2_000] {
            for (part, line) in [
                (Part::Step, costs.step),
                (Part::DraftStart, costs.draft_start.line(n_rows)),
                (Part::Drafter, costs.drafter),
                (Part::Verifier, costs.verifier.line(n_rows)),
                (Part::Round, costs.round.line(n_rows)),
            ] {
                let found =
                    line.fixed_seconds + context_len as f64 * line.seconds_per_context_token;
                assert_close(found, truth(part, n_rows, context_len), 1e-8);
            }
        }
    }
    assert!(model.fits().iter().all(|fit| fit.residual < 1e-6));
    for totals in [ten_rounds(), sixty_steps()] {
        let seconds = model.seconds(&totals);
        assert_close(seconds.estimate, true_seconds(&totals), 1e-8);
        assert_close(seconds.low, seconds.high, 1e-8);
    }
}

#[test]
fn the_interval_covers_the_truth_as_often_as_it_says() {
    let truth = true_seconds(&ten_rounds());
    let n_covered = (0..60)
        .filter(|&seed| {
            let model = CostModel::fit(&timings(seed, 15, 0.02, 0.03)).unwrap();
            let seconds = model.seconds(&ten_rounds());
            assert_close(seconds.estimate, truth, 0.03);
            seconds.contains(truth)
        })
        .count();
    println!("{n_covered} of 60");
    // Nominally 57, with a standard deviation of 1.7.
    assert!(n_covered >= 52, "{n_covered} of 60");
}

#[test]
fn a_machine_that_drifts_blurs_seconds_but_not_speedups() {
    let model = CostModel::fit(&timings(3, 25, 0.1, 0.001)).unwrap();
    let width = |interval: Interval| (interval.high - interval.low) / interval.estimate;
    let (baseline, trial) = (sixty_steps(), ten_rounds());
    let speedup = model.speedup(&baseline, &trial);
    assert!(width(model.seconds(&baseline)) > 0.03);
    assert!(width(speedup) < 0.003);
    assert_close(
        speedup.estimate,
        true_seconds(&baseline) / true_seconds(&trial),
        0.002,
    );
}

#[test]
fn more_passes_tell_more_and_one_tells_nothing_of_the_error() {
    let width = |n_passes: usize| {
        let model = CostModel::fit(&timings(5, n_passes, 0.05, 0.05)).unwrap();
        let seconds = model.seconds(&ten_rounds());
        seconds.high - seconds.low
    };
    assert!(width(100) < 0.6 * width(10));
    let model = CostModel::fit(&timings(5, 1, 0.0, 0.0)).unwrap();
    assert!(!model.seconds(&ten_rounds()).is_bounded());
    let is_unknown = |fit: &SizeFit| fit.relative_standard_error.is_nan();
    assert!(model.fits().iter().all(is_unknown));
}

#[test]
fn a_cost_that_is_no_line_shows_in_the_residual_of_its_size() {
    let mut samples = timings(7, 5, 0.0, 0.0);
    let slow = |sample: &&mut TimingSample| {
        (sample.part, sample.n_rows, sample.context_len) == (Part::Verifier, 5, 128)
    };
    for sample in samples.iter_mut().filter(slow) {
        sample.seconds *= 1.5;
    }
    let model = CostModel::fit(&samples).unwrap();
    for fit in model.fits() {
        let is_slow = (fit.part, fit.n_rows) == (Part::Verifier, 5);
        assert_eq!(fit.residual > 0.1, is_slow, "{fit:?}");
        assert_eq!((fit.n_samples, fit.n_left_out), (15, 0), "{fit:?}");
    }
}

#[test]
fn an_interrupted_timing_is_left_out_and_counted() {
    let mut samples = timings(9, 5, 0.0, 0.0);
    // The first context of the second pass.
    let n_per_pass = samples.len() / 5;
    for sample in &mut samples[n_per_pass..n_per_pass + 14] {
        sample.seconds *= 100.0;
    }
    let model = CostModel::fit(&samples).unwrap();
    assert!(model.fits().iter().all(|fit| fit.n_left_out == 1));
    assert_close(
        model.seconds(&ten_rounds()).estimate,
        true_seconds(&ten_rounds()),
        1e-8,
    );
}

#[test]
fn a_pass_that_was_interrupted_throughout_keeps_its_fastest_timing() {
    let mut samples = timings(9, 5, 0.0, 0.0);
    for sample in samples.iter_mut().filter(|sample| sample.pass == 1) {
        sample.seconds *= 100.0 + sample.context_len as f64;
    }
    let model = CostModel::fit(&samples).unwrap();
    let fits = model.fits();
    assert!(!fits.is_empty() && fits.iter().all(|fit| fit.n_left_out > 0));
}

#[test]
fn a_size_that_one_pass_lacks_is_read_off_its_neighbours() {
    let mut samples = timings(1, 2, 0.0, 0.0);
    samples.retain(|sample| (sample.part, sample.n_rows, sample.pass) != (Part::Verifier, 5, 1));
    let model = CostModel::fit(&samples).unwrap();
    assert!(
        model
            .fits()
            .iter()
            .all(|fit| (fit.part, fit.n_rows) != (Part::Verifier, 5))
    );
    let seconds = model.seconds(&ten_rounds());
    assert_close(seconds.estimate, true_seconds(&ten_rounds()), 1e-8);
}

#[test]
fn timings_that_do_not_suffice_are_refused_with_the_reason() {
    let good = timings(1, 2, 0.0, 0.0);
    let refusal = |samples: &[TimingSample]| CostModel::fit(samples).unwrap_err().to_string();
    let missing = "was not timed with the same number of rows in every pass";
    assert_eq!(refusal(&[]), format!("Step {missing}"));
    for part in [Part::DraftStart, Part::Drafter, Part::Verifier, Part::Round] {
        let others = good.iter().copied().filter(|sample| sample.part != part);
        assert_eq!(
            refusal(&others.collect::<Vec<_>>()),
            format!("{part:?} {missing}")
        );
    }
    let mut broken = good.clone();
    broken[3].seconds = 0.0;
    assert_eq!(
        refusal(&broken),
        "timing 3 is 0 seconds, not a positive number"
    );
}

/// The constants of `configs/hardware/llama-3.1-8b-h100.yaml`.
fn h100(is_charged_per_draft: bool) -> CostModel {
    let verifier = Line {
        fixed_seconds: 5.885_907_13e-3,
        seconds_per_context_token: 3.926_456_79e-8,
    };
    let launch = Line {
        fixed_seconds: 2.135_261_75e-3,
        seconds_per_context_token: 2.377_684_93e-9,
    };
    let per_token = 8.414_296_03e-7;
    let (draft, forward) = if is_charged_per_draft {
        (launch, Line::default())
    } else {
        (Line::default(), launch)
    };
    // The profile counts the tokens of a draft, one per forward, whatever the rows fed.
    let drafter = Line {
        fixed_seconds: forward.fixed_seconds + per_token,
        ..forward
    };
    let verifier = ForwardCost::linear(verifier, 2.101_031_29e-5);
    let overhead = Line {
        fixed_seconds: 1.206_839_46e-3,
        ..Line::default()
    };
    CostModel::given(Costs {
        step: verifier.line(1) + overhead,
        draft_start: ForwardCost::new(vec![(1, draft + drafter)]),
        drafter,
        verifier,
        round: ForwardCost::new(vec![(1, overhead)]),
    })
}

#[test]
fn a_hardware_profile_costs_what_its_formula_says() {
    // One round at a context of 1000: three drafter forwards, of 2, 1 and 1 rows, five rows verified.
    let mut totals = Totals {
        counts: Counts {
            rounds: 1,
            ..Counts::default()
        },
        draft_starts: vec![Forwards::default(); 3],
        drafter: forwards(2, 1_000),
        verifier: vec![Forwards::default(); 6],
        ..Totals::default()
    };
    totals.draft_starts[2] = forwards(1, 1_000);
    totals.verifier[5] = forwards(1, 1_000);
    // 5.88590713e-3 + 5 · 2.10103129e-5 + 1000 · 3.92645679e-8, and the overhead.
    let rest = 6.030_223_262e-3 + 1.206_839_46e-3;
    // 3 · (2.13526175e-3 + 1000 · 2.37768493e-9 + 8.41429603e-7)
    let per_forward = h100(false).seconds(&totals);
    assert!((per_forward.estimate - rest - 6.415_442_593_6e-3).abs() < 1e-12);
    assert_eq!(per_forward, Interval::exact(per_forward.estimate));
    // 2.13526175e-3 + 1000 · 2.37768493e-9 + 3 · 8.41429603e-7
    let per_draft = h100(true).seconds(&totals);
    assert!((per_draft.estimate - rest - 2.140_163_723_739e-3).abs() < 1e-12);
}
