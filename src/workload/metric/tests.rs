//! The scores of the usual Python programs, on the examples of `tests/fixtures/scores`.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Expected {
    segments: Vec<Segment>,
    corpora: Vec<Corpus>,
    pass_at_k: Vec<PassAtK>,
    perplexity: Vec<Perplexity>,
}

#[derive(Deserialize)]
struct Segment {
    prediction: String,
    references: Vec<String>,
    exact: bool,
    f1: f64,
    rouge1: [f64; 3],
    rouge2: [f64; 3],
    #[serde(rename = "rougeL")]
    rouge_l: [f64; 3],
    #[serde(rename = "rougeLsum")]
    rouge_l_sum: [f64; 3],
    bleu: f64,
    chrf: f64,
    #[serde(rename = "chrf++")]
    chrf_plus_plus: f64,
}

#[derive(Deserialize)]
struct Corpus {
    segments: Vec<usize>,
    bleu: f64,
    chrf: f64,
    #[serde(rename = "chrf++")]
    chrf_plus_plus: f64,
}

#[derive(Deserialize)]
struct PassAtK {
    n: usize,
    c: usize,
    k: usize,
    value: f64,
}

#[derive(Deserialize)]
struct Perplexity {
    log_probs: Vec<f64>,
    value: f64,
}

fn expected() -> Expected {
    let text = include_str!("../../../tests/fixtures/scores/expected.json");
    serde_json::from_str(text).unwrap()
}

fn assert_equal(found: f64, expected: f64, what: &str) {
    assert!(
        (found - expected).abs() <= 1e-9,
        "{what}: {found}, expected {expected}"
    );
}

#[test]
fn short_answers_score_as_squad_scores_them() {
    for s in expected().segments {
        let exact = is_answer_exact(&s.prediction, &s.references);
        assert_eq!(exact, s.exact, "{:?}", s.prediction);
        assert_equal(answer_f1(&s.prediction, &s.references), s.f1, &s.prediction);
    }
}

#[test]
fn rouge_is_that_of_rouge_score() {
    for s in expected().segments {
        for (kind, [precision, recall, f_measure]) in [
            (RougeKind::One, s.rouge1),
            (RougeKind::Two, s.rouge2),
            (RougeKind::L, s.rouge_l),
            (RougeKind::LSum, s.rouge_l_sum),
        ] {
            let what = format!("{kind:?} of {:?}", s.prediction);
            let score = rouge(kind, &s.prediction, &s.references);
            assert_equal(score.precision, precision, &what);
            assert_equal(score.recall, recall, &what);
            assert_equal(score.f_measure, f_measure, &what);
        }
    }
}

#[test]
fn bleu_and_chrf_of_a_sentence_are_those_of_sacrebleu() {
    for s in expected().segments {
        let bleu = sentence_bleu(&s.prediction, &s.references);
        assert_equal(bleu, s.bleu, &format!("BLEU of {:?}", s.prediction));
        for (kind, score) in [
            (ChrfKind::Chrf, s.chrf),
            (ChrfKind::ChrfPlusPlus, s.chrf_plus_plus),
        ] {
            let found = sentence_chrf(kind, &s.prediction, &s.references);
            assert_equal(found, score, &format!("{kind:?} of {:?}", s.prediction));
        }
    }
}

#[test]
fn bleu_and_chrf_of_a_corpus_are_those_of_sacrebleu() {
    let Expected {
        segments, corpora, ..
    } = expected();
    assert_eq!(corpora.len(), 11);
    for c in corpora {
        let chosen = || c.segments.iter().map(|&place| &segments[place]);
        let what = format!("corpus {:?}", c.segments);
        let bleu = corpus_bleu(chosen().map(|s| BleuCounts::of(&s.prediction, &s.references)));
        assert_equal(bleu, c.bleu, &what);
        for (kind, score) in [
            (ChrfKind::Chrf, c.chrf),
            (ChrfKind::ChrfPlusPlus, c.chrf_plus_plus),
        ] {
            let counts = chosen().map(|s| ChrfCounts::of(kind, &s.prediction, &s.references));
            assert_equal(corpus_chrf(counts), score, &what);
        }
    }
}

#[test]
fn pass_at_k_is_the_exact_quotient_of_binomials() {
    for p in expected().pass_at_k {
        let what = format!("n {} c {} k {}", p.n, p.c, p.k);
        assert_equal(pass_at_k(p.n, p.c, p.k).unwrap(), p.value, &what);
    }
}

#[test]
fn perplexity_is_the_exponential_of_the_mean_surprise() {
    for p in expected().perplexity {
        // Relative: a perplexity has no upper bound.
        let found = perplexity(&p.log_probs).unwrap();
        assert_equal(found / p.value, 1.0, "perplexity");
    }
}
