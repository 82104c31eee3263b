use super::*;
use crate::policy::noise::Noise;

/// Normal-like logits of the given scale.
fn row(seed: u64, len: usize, scale: f64) -> Vec<f32> {
    let noise = Noise::new(seed);
    (0..len as u64)
        .map(|i| (0..4).map(|j| noise.uniform(4 * i + j) - 0.5).sum::<f64>())
        .map(|x| (scale * x) as f32)
        .collect()
}

fn one_entropy(row: &[f32], rule: EntropyRule) -> f64 {
    RowStats::read(row, &[rule]).entropies[0]
}

fn shannon() -> EntropyRule {
    EntropyRule::default()
}

fn renyi(alpha: f64) -> EntropyRule {
    EntropyRule::Renyi {
        alpha,
        temperature: 1.0,
    }
}

fn tsallis(q: f64) -> EntropyRule {
    EntropyRule::Tsallis {
        q,
        temperature: 1.0,
    }
}

fn topk(k: usize, renormalize: bool) -> EntropyRule {
    EntropyRule::Topk {
        k,
        renormalize,
        temperature: 1.0,
    }
}

fn min() -> EntropyRule {
    EntropyRule::Min { temperature: 1.0 }
}

fn varentropy() -> EntropyRule {
    EntropyRule::Varentropy { temperature: 1.0 }
}

fn every_kind() -> [EntropyRule; 10] {
    [
        shannon(),
        renyi(2.0),
        renyi(0.5),
        renyi(1.05),
        tsallis(2.0),
        tsallis(3.0),
        topk(10, true),
        topk(10, false),
        min(),
        varentropy(),
    ]
}

/// The definitions, in double precision.
fn defined(row: &[f32], rule: &EntropyRule) -> f64 {
    let scaled = row.iter().map(|&x| f64::from(x) / rule.temperature());
    let largest = scaled.clone().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scaled.map(|x| (x - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let mut p: Vec<f64> = weights
        .iter()
        .map(|w| w / sum)
        .filter(|p| *p > 0.0)
        .collect();
    let shannon = |p: &[f64]| -> f64 { p.iter().map(|p| -p * p.ln()).sum() };
    let powers = |order: f64| -> f64 { p.iter().map(|p| p.powf(order)).sum() };
    match *rule {
        EntropyRule::Shannon { .. } => shannon(&p),
        EntropyRule::Renyi { alpha, .. } => powers(alpha).ln() / (1.0 - alpha),
        EntropyRule::Tsallis { q, .. } => (1.0 - powers(q)) / (q - 1.0),
        EntropyRule::Min { .. } => -p.iter().copied().fold(0.0, f64::max).ln(),
        EntropyRule::Varentropy { .. } => {
            let mean = shannon(&p);
            p.iter().map(|p| p * (-p.ln() - mean).powi(2)).sum()
        }
        EntropyRule::Topk { k, renormalize, .. } => {
            p.sort_by(|a, b| b.total_cmp(a));
            p.truncate(k);
            let mass: f64 = if renormalize { p.iter().sum() } else { 1.0 };
            let head: Vec<f64> = p.iter().map(|p| p / mass).collect();
            shannon(&head)
        }
    }
}

#[test]
fn every_entropy_is_within_1e_5_of_its_definition_in_double_precision() {
    for (seed, len, scale) in [
        (1, 512, 1.0),
        (2, 512, 20.0),
        (3, 151_936, 4.0),
        (4, 151_936, 0.01),
        (5, 1_000, 100.0),
        (6, 17, 3.0),
        (7, 2, 1.0),
    ] {
        let row = row(seed, len, scale);
        for rule in every_kind() {
            let (found, exact) = (one_entropy(&row, rule), defined(&row, &rule));
            // The variance is a difference of sums of squares.
            let is_variance = rule == varentropy();
            let tolerance = if is_variance { 1e-4 } else { 1e-5 };
            assert!(
                (found - exact).abs() <= tolerance,
                "{}: {found} for {exact} at length {len}, scale {scale}",
                rule.label()
            );
        }
    }
}

#[test]
fn a_uniform_row_of_n_tokens_has_entropy_ln_n_of_every_order() {
    for len in [2, 16, 1000] {
        let row = vec![0.7; len];
        let n = len as f64;
        for rule in [shannon(), renyi(2.0), renyi(0.3), min(), topk(len, true)] {
            assert!(
                (one_entropy(&row, rule) - n.ln()).abs() < 1e-6,
                "{}",
                rule.label()
            );
        }
        assert!((one_entropy(&row, tsallis(2.0)) - (1.0 - 1.0 / n)).abs() < 1e-6);
        assert!(one_entropy(&row, varentropy()).abs() < 1e-6);
    }
    // The ten likeliest of a thousand equal tokens: ln 10 renormalised, 10 · (ln 1000)/1000 raw.
    let row = vec![0.0; 1000];
    assert!((one_entropy(&row, topk(10, true)) - 10.0_f64.ln()).abs() < 1e-6);
    assert!((one_entropy(&row, topk(10, false)) - 0.01 * 1000.0_f64.ln()).abs() < 1e-6);
}

#[test]
fn a_one_hot_row_has_no_entropy_of_any_kind() {
    let mut row = vec![f32::NEG_INFINITY; 37];
    row[20] = 3.0;
    for rule in every_kind() {
        assert_eq!(one_entropy(&row, rule), 0.0, "{}", rule.label());
    }
    let stats = RowStats::read(&row, &[]);
    assert_eq!((stats.top1_token, stats.top1, stats.top2), (20, 1.0, 0.0));
    assert_eq!(stats.log_normalizer, 3.0);
}

#[test]
fn two_tokens_of_probability_one_and_three_quarters_have_the_entropies_of_the_textbook() {
    let row = [0.0, 3.0_f32.ln()];
    let expect = |rule, value: f64| {
        let found = one_entropy(&row, rule);
        assert!((found - value).abs() < 1e-6, "{}: {found}", rule.label());
    };
    expect(shannon(), 0.562_335_145);
    expect(renyi(2.0), (16.0_f64 / 10.0).ln());
    expect(tsallis(2.0), 0.375);
    expect(min(), (4.0_f64 / 3.0).ln());
    expect(topk(1, true), 0.0);
    expect(topk(1, false), 0.75 * (4.0_f64 / 3.0).ln());
    // p(1 − p)·(ln 3)².
    expect(varentropy(), 0.1875 * 3.0_f64.ln().powi(2));
}

#[test]
fn huge_logits_neither_overflow_nor_lose_the_differences() {
    let row = [1e4, 1e4, 1e4 - 1.0, -1e4];
    let shifted = [0.0, 0.0, -1.0, -2e4];
    for rule in every_kind() {
        let (huge, small) = (one_entropy(&row, rule), one_entropy(&shifted, rule));
        assert!((huge - small).abs() < 1e-6, "{}", rule.label());
        assert!(huge.is_finite());
    }
}

#[test]
fn impossible_tokens_change_nothing_wherever_they_stand() {
    let plain = row(9, 40, 5.0);
    let mut padded = vec![f32::NEG_INFINITY; 100];
    padded[30..70].copy_from_slice(&plain);
    for rule in every_kind() {
        let difference = one_entropy(&plain, rule) - one_entropy(&padded, rule);
        assert!(difference.abs() < 1e-6, "{}", rule.label());
    }
}

#[test]
fn renyi_and_tsallis_approach_shannon_as_their_order_approaches_one() {
    let row = row(11, 300, 6.0);
    let exact = defined(&row, &shannon());
    for order in [1.0, 1.0 + 1e-12, 1.0 - 1e-9, 1.0 + 1e-7, 1.0 - 1e-6] {
        for rule in [renyi(order), tsallis(order)] {
            let found = one_entropy(&row, rule);
            assert!(
                (found - exact).abs() < 1e-5,
                "{}: {found} for {exact}",
                rule.label()
            );
        }
    }
    // Not by a constant answer: half a unit away they differ.
    assert!(one_entropy(&row, renyi(1.5)) < exact - 0.01);
}

#[test]
fn a_temperature_is_a_division_of_the_logits() {
    let row = row(12, 300, 6.0);
    let halved: Vec<f32> = row.iter().map(|x| x / 2.0).collect();
    for (warm, plain) in [
        (EntropyRule::Shannon { temperature: 2.0 }, shannon()),
        (
            EntropyRule::Renyi {
                alpha: 3.0,
                temperature: 2.0,
            },
            renyi(3.0),
        ),
        (
            EntropyRule::Renyi {
                alpha: 1.01,
                temperature: 2.0,
            },
            renyi(1.01),
        ),
        (
            EntropyRule::Tsallis {
                q: 2.0,
                temperature: 2.0,
            },
            tsallis(2.0),
        ),
        (
            EntropyRule::Topk {
                k: 5,
                renormalize: false,
                temperature: 2.0,
            },
            topk(5, false),
        ),
        (EntropyRule::Min { temperature: 2.0 }, min()),
        (EntropyRule::Varentropy { temperature: 2.0 }, varentropy()),
    ] {
        let (found, exact) = (one_entropy(&row, warm), one_entropy(&halved, plain));
        assert!(
            (found - exact).abs() < 1e-5,
            "{}: {found} for {exact}",
            warm.label()
        );
    }
}

#[test]
fn the_largest_two_probabilities_and_the_normaliser_are_those_of_the_raw_softmax() {
    let mut row = row(13, 1000, 5.0);
    (row[400], row[900]) = (11.0, 10.5);
    let stats = RowStats::read(&row, &[]);
    let sum: f64 = row.iter().map(|&x| f64::from(x).exp()).sum();
    assert_eq!(stats.top1_token, 400);
    assert!((stats.log_normalizer - sum.ln()).abs() < 1e-6);
    assert!((stats.top1 - 11.0_f64.exp() / sum).abs() < 1e-6);
    assert!((stats.top2 - 10.5_f64.exp() / sum).abs() < 1e-6);
    assert!((stats.probability(row[3]) - f64::from(row[3]).exp() / sum).abs() < 1e-6);
    assert!((stats.margin() - (stats.top1 - stats.top2)).abs() < 1e-12);
}

#[test]
fn of_two_largest_tokens_the_first_is_named_and_the_margin_is_zero() {
    let mut row = vec![0.0; 50];
    (row[21], row[37]) = (4.0, 4.0);
    let stats = RowStats::read(&row, &[]);
    assert_eq!((stats.top1_token, stats.margin()), (21, 0.0));
    assert_eq!(RowStats::read(&[5.0], &[]).top2, 0.0);
}

#[test]
fn a_row_that_is_no_distribution_gives_nan_and_says_so() {
    for broken in [f32::NAN, f32::INFINITY] {
        for at in [0, 15, 16, 40] {
            let mut row = vec![1.0; 41];
            row[at] = broken;
            let stats = RowStats::read(&row, &every_kind());
            assert!(stats.is_nan(), "{broken} at {at}");
            assert!(stats.top1.is_nan());
            assert!(stats.entropies.iter().all(|entropy| entropy.is_nan()));
        }
    }
    assert!(RowStats::read(&[f32::NEG_INFINITY; 5], &[]).is_nan());
    assert!(!RowStats::read(&[0.0; 5], &[]).is_nan());
}

#[test]
fn a_kind_alone_is_a_rule_with_its_defaults_and_a_wrong_key_is_refused() {
    let parse = |json: &str| serde_json::from_str::<EntropyRule>(json);
    assert_eq!(parse(r#"{"kind": "shannon"}"#).unwrap(), shannon());
    assert_eq!(parse(r#"{"kind": "renyi"}"#).unwrap(), renyi(2.0));
    assert_eq!(parse(r#"{"kind": "tsallis"}"#).unwrap(), tsallis(2.0));
    assert_eq!(parse(r#"{"kind": "topk"}"#).unwrap(), topk(50, true));
    assert_eq!(parse(r#"{"kind": "min"}"#).unwrap(), min());
    assert_eq!(parse(r#"{"kind": "varentropy"}"#).unwrap(), varentropy());
    let error = parse(r#"{"kind": "renyi", "k": 3}"#)
        .unwrap_err()
        .to_string();
    assert!(error.contains("unknown field `k`"), "{error}");
    for rule in every_kind() {
        let json = serde_json::to_string(&rule).unwrap();
        assert_eq!(parse(&json).unwrap(), rule);
    }
}

#[test]
fn labels_are_names_of_columns_and_tell_the_rules_apart() {
    let labels = every_kind().map(|rule| rule.label());
    assert_eq!(
        labels,
        [
            "shannon",
            "renyi_2",
            "renyi_0_5",
            "renyi_1_05",
            "tsallis_2",
            "tsallis_3",
            "topk_10",
            "topk_10_raw",
            "min",
            "varentropy"
        ]
    );
    assert_eq!(
        EntropyRule::Shannon { temperature: 0.5 }.label(),
        "shannon_t0_5"
    );
}

#[test]
fn parameters_out_of_range_are_named() {
    let message = |rule: EntropyRule| rule.validate().unwrap_err().to_string();
    assert_eq!(
        message(renyi(-1.0)),
        "entropy.alpha is -1: it must be positive and finite"
    );
    assert_eq!(
        message(tsallis(f64::NAN)),
        "entropy.q is NaN: it must be positive and finite"
    );
    assert_eq!(
        message(topk(0, true)),
        "entropy.k is 0: it must be at least 1"
    );
    let cold = EntropyRule::Min { temperature: 0.0 };
    assert_eq!(
        message(cold),
        "entropy.temperature is 0: it must be positive and finite"
    );
    assert!(every_kind().iter().all(|rule| rule.validate().is_ok()));
}
