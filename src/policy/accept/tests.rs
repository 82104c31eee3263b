use std::collections::BTreeMap;

use super::evidence::Evidence;
use super::ratio::{JudgedDraft, cut_distribution, next_distribution};
use super::*;
use crate::policy::noise::Noise;

/// A random model: a distribution for each text, some tokens impossible.
struct Toy {
    noise: Noise,
    vocab_len: usize,
}

impl Toy {
    fn new(seed: u64, vocab_len: usize) -> Self {
        Self {
            noise: Noise::new(seed),
            vocab_len,
        }
    }

    fn row(&self, text: &[TokenId]) -> Vec<f64> {
        let state = text
            .iter()
            .fold(1, |state, &token| state * 7 + u64::from(token) + 1);
        let weights: Vec<f64> = (0..self.vocab_len as u64)
            .map(|token| -self.noise.uniform(state * 16 + token).ln())
            .map(|weight| if weight < 0.1 { 0.0 } else { weight })
            .collect();
        let sum: f64 = weights.iter().sum();
        if sum == 0.0 {
            return vec![1.0 / self.vocab_len as f64; self.vocab_len];
        }
        weights.into_iter().map(|weight| weight / sum).collect()
    }

    /// Each text of `len` tokens with its probability.
    fn texts(&self, len: usize) -> BTreeMap<Vec<TokenId>, f64> {
        let mut texts = BTreeMap::from([(Vec::new(), 1.0)]);
        for _ in 0..len {
            texts = texts
                .into_iter()
                .flat_map(|(text, probability)| extensions(&self.row(&text), &text, probability))
                .collect();
        }
        texts
    }
}

/// Each possible next token with the probability of the longer text.
fn extensions(row: &[f64], text: &[TokenId], probability: f64) -> Vec<(Vec<TokenId>, f64)> {
    let possible = row.iter().enumerate().filter(|(_, p)| **p > 0.0);
    possible
        .map(|(token, p)| ([text, &[token as TokenId]].concat(), probability * p))
        .collect()
}

/// Exact distribution of the first γ + 1 tokens when a draft of γ is judged and the verifier goes on
/// alone, and the expected number of accepted tokens.
fn enumerate(
    rule: &RatioRule,
    verifier: &Toy,
    drafter: &Toy,
    draft_len: usize,
) -> (BTreeMap<Vec<TokenId>, f64>, f64) {
    let (mut output, mut expected_accepted) = (BTreeMap::new(), 0.0);
    for (tokens, drafted) in drafter.texts(draft_len) {
        let drafter_rows: Vec<_> = (0..draft_len).map(|k| drafter.row(&tokens[..k])).collect();
        let verifier_rows: Vec<_> = (0..=draft_len)
            .map(|k| verifier.row(&tokens[..k]))
            .collect();
        let draft = JudgedDraft {
            tokens: &tokens,
            drafter: &drafter_rows,
            verifier: &verifier_rows,
        };
        for (accepted, cut) in cut_distribution(rule, &draft).into_iter().enumerate() {
            expected_accepted += drafted * cut * accepted as f64;
            let next = next_distribution(rule, &draft, accepted);
            let mut texts = extensions(&next, &tokens[..accepted], drafted * cut);
            for _ in accepted..draft_len {
                texts = texts
                    .into_iter()
                    .flat_map(|(text, p)| extensions(&verifier.row(&text), &text, p))
                    .collect();
            }
            for (text, p) in texts {
                *output.entry(text).or_insert(0.0) += p;
            }
        }
    }
    (output, expected_accepted)
}

/// Every pair of toy models with vocabularies of 2 to 4 tokens and drafts of 1 to 3.
fn for_every_pair(mut check: impl FnMut(&Toy, &Toy, usize)) {
    for vocab_len in 2..=4 {
        for draft_len in 1..=3 {
            for seed in 0..20 {
                let verifier = Toy::new(2 * seed, vocab_len);
                let drafter = Toy::new(2 * seed + 1, vocab_len);
                check(&verifier, &drafter, draft_len);
            }
        }
    }
}

fn largest_error(rule: &RatioRule, verifier: &Toy, drafter: &Toy, draft_len: usize) -> f64 {
    let (output, _) = enumerate(rule, verifier, drafter, draft_len);
    let exact = verifier.texts(draft_len + 1);
    let texts = exact.keys().chain(output.keys());
    let of = |map: &BTreeMap<Vec<TokenId>, f64>, text| map.get(text).copied().unwrap_or(0.0);
    texts
        .map(|text| (of(&exact, text) - of(&output, text)).abs())
        .fold(0.0, f64::max)
}

#[test]
fn lossless_rules_keep_the_verifier_distribution_exactly() {
    for rule in [
        RatioRule::Rejection { lenience: 1.0 },
        RatioRule::Block,
        RatioRule::Threshold {
            single: 1.0,
            acc: 1.0,
        },
    ] {
        for_every_pair(|verifier, drafter, draft_len| {
            let error = largest_error(&rule, verifier, drafter, draft_len);
            assert!(error <= 1e-12, "{rule:?}: {error:e}");
        });
    }
}

#[test]
fn lossy_rules_do_not_keep_it() {
    for rule in [
        RatioRule::Rejection { lenience: 0.5 },
        RatioRule::Threshold {
            single: 0.3,
            acc: 1.0,
        },
        RatioRule::Threshold {
            single: 1.0,
            acc: 0.5,
        },
    ] {
        let mut worst = 0.0;
        for_every_pair(|verifier, drafter, draft_len| {
            worst = f64::max(worst, largest_error(&rule, verifier, drafter, draft_len));
        });
        assert!(worst > 0.05, "{rule:?}: {worst}");
    }
}

#[test]
fn one_drafted_token_is_accepted_with_the_overlap_of_the_two_distributions() {
    for_every_pair(|verifier, drafter, draft_len| {
        if draft_len == 1 {
            let (p, q) = (verifier.row(&[]), drafter.row(&[]));
            let overlap: f64 = p.iter().zip(&q).map(|(p, q)| p.min(*q)).sum();
            for rule in [RatioRule::Rejection { lenience: 1.0 }, RatioRule::Block] {
                let (_, accepted) = enumerate(&rule, verifier, drafter, 1);
                assert!((accepted - overlap).abs() < 1e-12);
            }
        }
    });
}

#[test]
fn block_verification_accepts_at_least_as_many_tokens_as_rejection_and_sometimes_more() {
    let mut gained = 0.0;
    for_every_pair(|verifier, drafter, draft_len| {
        let rejection = RatioRule::Rejection { lenience: 1.0 };
        let (_, by_token) = enumerate(&rejection, verifier, drafter, draft_len);
        let (_, by_block) = enumerate(&RatioRule::Block, verifier, drafter, draft_len);
        assert!(by_block >= by_token - 1e-12, "{by_block} < {by_token}");
        gained = f64::max(gained, by_block - by_token);
    });
    assert!(gained > 0.05, "{gained}");
}

#[test]
fn a_draft_may_stop_where_its_own_tokens_say_so_without_a_loss() {
    // Length 1 if the first token is 0, else 2.
    for rule in [RatioRule::Rejection { lenience: 1.0 }, RatioRule::Block] {
        for seed in 0..20 {
            let (verifier, drafter) = (Toy::new(2 * seed, 3), Toy::new(2 * seed + 1, 3));
            let mut output: BTreeMap<Vec<TokenId>, f64> = BTreeMap::new();
            let drafts = drafter.texts(1).into_iter().flat_map(|(text, p)| {
                if text == [0] {
                    vec![(text, p)]
                } else {
                    extensions(&drafter.row(&text), &text, p)
                }
            });
            for (tokens, drafted) in drafts {
                let n = tokens.len();
                let drafter_rows: Vec<_> = (0..n).map(|k| drafter.row(&tokens[..k])).collect();
                let verifier_rows: Vec<_> = (0..=n).map(|k| verifier.row(&tokens[..k])).collect();
                let draft = JudgedDraft {
                    tokens: &tokens,
                    drafter: &drafter_rows,
                    verifier: &verifier_rows,
                };
                for (accepted, cut) in cut_distribution(&rule, &draft).into_iter().enumerate() {
                    let next = next_distribution(&rule, &draft, accepted);
                    let mut texts = extensions(&next, &tokens[..accepted], drafted * cut);
                    for _ in accepted..2 {
                        texts = texts
                            .into_iter()
                            .flat_map(|(text, p)| extensions(&verifier.row(&text), &text, p))
                            .collect();
                    }
                    for (text, p) in texts {
                        *output.entry(text).or_insert(0.0) += p;
                    }
                }
            }
            for (text, exact) in verifier.texts(3) {
                assert!((output[&text] - exact).abs() <= 1e-12, "{rule:?} {text:?}");
            }
        }
    }
}

#[test]
fn judging_draws_from_the_two_distributions() {
    let (p, q) = (vec![0.5, 0.3, 0.2], vec![0.2, 0.2, 0.6]);
    let (rows, bonus) = ([q], [p, vec![0.0, 1.0, 0.0]]);
    let judge = |token: TokenId, u_cut: f64, u_next: f64| {
        let draft = JudgedDraft {
            tokens: &[token],
            drafter: &rows,
            verifier: &bonus,
        };
        let verdict = ratio::accept(
            &RatioRule::Rejection { lenience: 1.0 },
            &draft,
            u_cut,
            u_next,
        );
        (verdict.accepted, verdict.next)
    };
    // Token 0 is likelier under p: always kept, and the bonus row has token 1 alone.
    assert_eq!(judge(0, 0.0, 0.5), (1, 1));
    // Token 2 is kept with probability 1/3; the residual is 0.3 : 0.1 for tokens 0 and 1.
    assert_eq!(judge(2, 0.66, 0.74), (0, 0));
    assert_eq!(judge(2, 0.66, 0.76), (0, 1));
    assert_eq!(judge(2, 0.67, 0.0), (1, 1));
}

fn evidence(p: &[f64], token: TokenId) -> Evidence {
    Evidence::from_probabilities(p, &[0.5, 0.5], token)
}

#[test]
fn evidence_from_logits_and_from_probabilities_is_the_same() {
    let p = [0.1, 0.4, 0.4, 0.1];
    let logits: Vec<f32> = p.iter().map(|p| f64::ln(*p) as f32 + 3.0).collect();
    for token in 0..4 {
        let a = evidence(&p, token);
        let b = Evidence::from_logits(&logits, token, 2.0_f64.ln());
        assert_eq!(a.rank, b.rank);
        assert_eq!(a.rank, [2, 0, 1, 3][token as usize]);
        for (a, b) in [
            (a.probability, b.probability),
            (a.top1, b.top1),
            (a.verifier_entropy, b.verifier_entropy),
            (a.drafter_entropy, b.drafter_entropy),
        ] {
            assert!((a - b).abs() < 1e-6);
        }
    }
}

#[test]
fn typical_acceptance_lowers_its_bar_where_the_verifier_is_unsure() {
    let rule = EvidenceRule::Typical {
        epsilon: 0.09,
        delta: 0.3,
    };
    // A certain verifier: the bar is min(0.09, 0.3·e^−0.2) = 0.09.
    assert!(!rule.accepts(&evidence(&[0.96, 0.04], 1)));
    assert!(rule.accepts(&evidence(&[0.9, 0.1], 1)));
    // Twenty equal tokens: the bar is 0.3/20 = 0.015.
    assert!(rule.accepts(&evidence(&[0.05; 20], 7)));
}

#[test]
fn entropy_alignment_wants_similar_entropies_and_a_likely_token() {
    let p = [0.4, 0.3, 0.2, 0.1];
    // H(p) = 1.280, H(q) = ln 2 = 0.693.
    let accepts = |delta, top_m, token| {
        EvidenceRule::EntropyAligned { delta, top_m }.accepts(&evidence(&p, token))
    };
    assert!(accepts(0.6, 2, 1));
    assert!(!accepts(0.6, 2, 2));
    assert!(!accepts(0.58, 2, 0));
}

#[test]
fn backtracking_keeps_tokens_of_at_most_five_nats_and_the_argmax_always() {
    let rule = EvidenceRule::Backtrack { alpha_rb: 5.0 };
    // e^−5 = 0.0067.
    assert!(rule.accepts(&evidence(&[0.993, 0.007], 1)));
    assert!(!rule.accepts(&evidence(&[0.994, 0.006], 1)));
    let strict = EvidenceRule::Backtrack { alpha_rb: 0.0 };
    assert!(strict.accepts(&evidence(&[0.6, 0.4], 0)));
}

#[test]
fn relaxed_and_lenient_acceptance_at_their_strictest_keep_the_argmax_alone() {
    let tie = [0.1, 0.45, 0.45];
    for rule in [
        EvidenceRule::Relaxed {
            top_n: 1,
            delta: 0.0,
        },
        EvidenceRule::Relaxed {
            top_n: 1,
            delta: 1.0,
        },
        EvidenceRule::RelativeTo { lenience: 1.0 },
    ] {
        assert_eq!(
            [0, 1, 2].map(|t| rule.accepts(&evidence(&tie, t))),
            [false, true, false]
        );
    }
    let relaxed = EvidenceRule::Relaxed {
        top_n: 2,
        delta: 0.2,
    };
    assert!(relaxed.accepts(&evidence(&[0.5, 0.35, 0.15], 1)));
    assert!(!relaxed.accepts(&evidence(&[0.6, 0.35, 0.05], 1)));
    assert!(!relaxed.accepts(&evidence(&[0.35, 0.35, 0.3], 2)));
    let lenient = EvidenceRule::RelativeTo { lenience: 0.5 };
    assert!(lenient.accepts(&evidence(&[0.6, 0.3, 0.1], 1)));
    assert!(!lenient.accepts(&evidence(&[0.6, 0.29, 0.11], 1)));
}

fn parse(json: &str) -> serde_json::Result<AcceptRule> {
    serde_json::from_str(json)
}

#[test]
fn a_kind_alone_is_a_rule_with_the_constants_of_its_source() {
    let expect = |json: &str, rule: AcceptRule| assert_eq!(parse(json).unwrap(), rule);
    expect(r#"{"kind": "greedy"}"#, AcceptRule::default());
    expect(
        r#"{"kind": "typical"}"#,
        AcceptRule::Typical {
            epsilon: 0.09,
            delta: 0.3,
        },
    );
    expect(
        r#"{"kind": "backtrack"}"#,
        AcceptRule::Backtrack {
            alpha_fb: 0.6,
            alpha_rb: 5.0,
        },
    );
    expect(
        r#"{"kind": "threshold"}"#,
        AcceptRule::Threshold {
            single: 1.0,
            acc: 1.0,
        },
    );
    expect(
        r#"{"kind": "relaxed"}"#,
        AcceptRule::Relaxed {
            top_n: 1,
            delta: 0.0,
        },
    );
    assert!(parse(r#"{"kind": "greedy", "theta": 1}"#).is_err());
    assert!(parse(r#"{"kind": "typical", "epsilonn": 1}"#).is_err());
}

#[test]
fn only_rules_that_are_lossless_at_every_temperature_say_so() {
    let lossless = |json: &str| {
        serde_json::from_str::<AcceptRule>(json)
            .unwrap()
            .is_lossless()
    };
    for kind in ["greedy", "rejection", "block", "gumbel", "threshold"] {
        assert!(lossless(&format!(r#"{{"kind": "{kind}"}}"#)), "{kind}");
    }
    for kind in [
        "typical",
        "entropy_aligned",
        "backtrack",
        "lenient",
        "relaxed",
    ] {
        assert!(!lossless(&format!(r#"{{"kind": "{kind}"}}"#)), "{kind}");
    }
    assert!(lossless(r#"{"kind": "lenient", "lenience": 1.0}"#));
    assert!(!lossless(r#"{"kind": "threshold", "single": 0.9}"#));
}

#[test]
fn the_argmax_rule_judges_no_draws_and_every_other_rule_judges_both() {
    for json in [
        r#"{"kind": "rejection"}"#,
        r#"{"kind": "block"}"#,
        r#"{"kind": "gumbel"}"#,
        r#"{"kind": "typical"}"#,
        r#"{"kind": "entropy_aligned"}"#,
        r#"{"kind": "backtrack"}"#,
        r#"{"kind": "lenient"}"#,
        r#"{"kind": "threshold"}"#,
        r#"{"kind": "relaxed"}"#,
    ] {
        let rule: AcceptRule = serde_json::from_str(json).unwrap();
        assert!(
            rule.judge(true).is_some() && rule.judge(false).is_some(),
            "{json}"
        );
        assert!(json.contains(rule.kind()));
        assert!(rule.validate().is_ok());
    }
    assert_eq!(AcceptRule::Greedy {}.judge(false), None);
    assert_eq!(
        AcceptRule::Greedy {}.judge(true),
        Some(Judge::Match { is_coupled: false })
    );
}

#[test]
fn parameters_out_of_range_are_named() {
    let message = |rule: AcceptRule| rule.validate().unwrap_err().to_string();
    let lenient = AcceptRule::Lenient { lenience: 0.0 };
    assert_eq!(
        message(lenient),
        "accept.lenience is 0: it must be in (0, 1]"
    );
    let relaxed = AcceptRule::Relaxed {
        top_n: 0,
        delta: 0.0,
    };
    assert_eq!(message(relaxed), "accept.top_n is 0: it must be at least 1");
    let typical = AcceptRule::Typical {
        epsilon: f64::NAN,
        delta: 0.3,
    };
    assert!(message(typical).starts_with("accept.epsilon is NaN"));
}
