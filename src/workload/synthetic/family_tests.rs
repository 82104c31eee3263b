//! What holds for the problems of every family.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::stream::{hash, template_names};
use super::{Families, Family, Problem, ProblemStream, Split, problems};

/// The splits that every family has.
const SPLITS: [Split; 2] = [Split::Train, Split::HeldOutSeed];

fn drawn(family: Family, split: Split, seed: u64, n: usize) -> Vec<Problem> {
    problems(family.into(), split, seed, n).unwrap()
}

/// About as many tokens as a byte-pair tokenizer with single digits makes: one per digit, mark,
/// line break or short word, two per long word.
fn n_tokens(text: &str) -> usize {
    let mut n = 0;
    let mut word_len = 0;
    for letter in text.chars() {
        if letter.is_ascii_alphabetic() {
            word_len += 1;
            continue;
        }
        n += usize::from(word_len > 0) + usize::from(word_len > 7);
        word_len = 0;
        n += usize::from(letter != ' ');
    }
    n + usize::from(word_len > 0)
}

#[test]
fn equal_seeds_give_equal_problems_and_other_seeds_splits_or_families_others() {
    for family in Family::ALL {
        for split in SPLITS {
            let some = drawn(family, split, 5, 200);
            assert_eq!(some, drawn(family, split, 5, 200));
            assert_ne!(some, drawn(family, split, 6, 200));
            assert!(some.iter().all(|problem| problem.family() == family));
        }
    }
}

/// Models are trained on these problems: whoever changes them trains again.
#[test]
fn the_first_thousand_problems_of_each_family_stay_the_same() {
    let found = Family::ALL.map(|family| {
        let text: String = SPLITS
            .into_iter()
            .flat_map(|split| drawn(family, split, 1, 1_000))
            .map(|problem| format!("{}\n{}\n", problem.question, problem.answer))
            .collect();
        (family.to_string(), hash(&text))
    });
    let expected = PINS.map(|(name, hash)| (name.to_owned(), hash));
    assert_eq!(found, expected);
}

const PINS: [(&str, u64); 7] = [
    ("gsm8k", 1_430_568_644),
    ("code", 436_225_139),
    ("counting", 3_330_612_826),
    ("qa", 837_081_997),
    ("translation", 3_298_243_717),
    ("summary", 2_219_641_657),
    ("story", 2_601_498_298),
];

#[test]
fn training_and_the_held_out_seed_share_no_question_of_any_family() {
    for family in Family::ALL {
        let questions = |split, seed| -> HashSet<String> {
            let drawn = drawn(family, split, seed, 6_000);
            drawn.into_iter().map(|problem| problem.question).collect()
        };
        let held_out = questions(Split::HeldOutSeed, 9);
        assert!(
            questions(Split::Train, 9).is_disjoint(&held_out),
            "{family}"
        );
        assert!(
            questions(Split::Train, 10).is_disjoint(&held_out),
            "{family}"
        );
    }
}

#[test]
fn a_mix_takes_each_family_s_own_problems_in_turn() {
    let mix = problems(Families::Mix, Split::Train, 4, 70).unwrap();
    for (place, family) in Family::ALL.into_iter().enumerate() {
        let own: Vec<Problem> = mix.iter().skip(place).step_by(7).cloned().collect();
        assert_eq!(own, drawn(family, Split::Train, 4, 10));
    }
}

#[test]
fn a_weighted_mix_takes_more_of_a_family_and_still_its_own_problems() {
    let stream = ProblemStream::new(Families::Mix, Split::Train, 4).unwrap();
    let weighted = stream.weighted(|family| if family == Family::Gsm8k { 3 } else { 1 });
    let mix: Vec<Problem> = weighted.take(18).collect();
    let own = drawn(Family::Gsm8k, Split::Train, 4, 6);
    assert_eq!([&mix[0..3], &mix[9..12]].concat(), own);
    assert_eq!(mix[3], drawn(Family::Code, Split::Train, 4, 1)[0]);
}

#[test]
fn one_question_has_one_answer_but_a_story_has_many() {
    for family in Family::ALL {
        let mut answers: HashMap<String, HashSet<String>> = HashMap::new();
        for problem in drawn(family, Split::Train, 12, 20_000) {
            answers
                .entry(problem.question)
                .or_default()
                .insert(problem.answer);
        }
        let most = answers.values().map(HashSet::len).max().unwrap();
        match family {
            Family::Story => assert!(most > 1),
            Family::Gsm8k
            | Family::Code
            | Family::Counting
            | Family::Qa
            | Family::Translation
            | Family::Summary => assert_eq!(most, 1, "{family}"),
        }
    }
}

#[test]
fn six_thousand_draws_hold_at_least_five_thousand_questions_of_each_family() {
    for family in Family::ALL {
        let questions: HashSet<String> = drawn(family, Split::Train, 1, 6_000)
            .into_iter()
            .map(|problem| problem.question)
            .collect();
        assert!(questions.len() >= 5_000, "{family}: {}", questions.len());
    }
}

#[test]
fn every_template_occurs_about_equally_often_and_has_a_name_of_its_own() {
    for family in Family::ALL {
        let names = template_names(family, Split::Train);
        let mut counts: BTreeMap<&str, usize> = names.iter().map(|&name| (name, 0)).collect();
        assert_eq!(counts.len(), names.len(), "{family}");
        let n_each = 200;
        for problem in drawn(family, Split::Train, 3, n_each * names.len()) {
            *counts.get_mut(problem.template()).unwrap() += 1;
        }
        // 200 expected, standard deviation 14.
        for (name, count) in counts {
            assert!((130..=270).contains(&count), "{family} {name}: {count}");
        }
    }
    assert_eq!(template_names(Family::Code, Split::Train).len(), 46);
}

#[test]
fn problems_are_short_enough_to_train_on_and_answers_long_enough_to_time() {
    for family in Family::ALL {
        let mut lens: Vec<usize> = Vec::new();
        for problem in drawn(family, Split::Train, 7, 3_000) {
            let answer = n_tokens(&problem.answer);
            let all = n_tokens(&format!("Question: {}\nAnswer:", problem.question)) + answer;
            assert!((15..=150).contains(&answer), "{answer}: {problem:?}");
            assert!((36..=220).contains(&all), "{all}: {problem:?}");
            lens.push(answer);
        }
        lens.sort_unstable();
        let median = lens[lens.len() / 2];
        assert!((20..=110).contains(&median), "{family}: {median}");
    }
}

#[test]
fn texts_are_plain_and_carry_no_stray_white_space() {
    for problem in Family::ALL
        .into_iter()
        .flat_map(|family| drawn(family, Split::Train, 2, 1_000))
    {
        for text in [&problem.question, &problem.answer] {
            assert!(text.is_ascii(), "{text}");
            assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
            assert_eq!(text.trim(), text);
        }
    }
}
