//! Every answer follows from the facts of its question.

use crate::workload::synthetic::{Family, Problem, Split, problems};

fn drawn() -> Vec<Problem> {
    problems(Family::Qa.into(), Split::Train, 31, 6_000).unwrap()
}

/// The facts, and the question behind them.
fn parts(question: &str) -> (Vec<&str>, &str) {
    let (facts, ask) = question.rsplit_once(". ").unwrap();
    (facts.split(". ").collect(), ask)
}

/// The facts that an answer quotes.
fn quotes(answer: &str) -> Vec<&str> {
    let parts = answer.split(" says: ").skip(1);
    parts.map(|part| part.split('.').next().unwrap()).collect()
}

fn word(answer: &str) -> &str {
    answer.rsplit_once("\n#### ").unwrap().1
}

fn number(text: &str) -> u32 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn quoted_facts_are_in_the_context_in_their_order_and_one_of_them_holds_the_word() {
    for Problem {
        question, answer, ..
    } in drawn()
    {
        let (facts, ask) = parts(&question);
        assert!((4..=6).contains(&facts.len()), "{question}");
        assert!(ask.ends_with('?'), "{question}");
        let quotes = quotes(&answer);
        assert!((1..=2).contains(&quotes.len()), "{answer}");
        let places: Vec<usize> = quotes
            .iter()
            .map(|quote| facts.iter().position(|fact| fact == quote).unwrap())
            .collect();
        assert!(places.is_sorted(), "{question}\n{answer}");
        let has_word = |quote: &&str| quote.split(' ').any(|w| w == word(&answer));
        assert!(quotes.iter().any(has_word), "{question}\n{answer}");
    }
}

/// What a fact says of its subject, without names, things and numbers.
fn kind(fact: &str) -> &'static str {
    let marks = [
        "lives near",
        "is at the",
        "has a ",
        "has the",
        "years old",
        "costs",
        "miles away",
    ];
    let mut found = marks.into_iter().filter(|mark| fact.contains(mark));
    let mark = found.next().unwrap();
    assert_eq!(found.next(), None, "{fact}");
    mark
}

#[test]
fn each_kind_of_fact_is_told_once_but_for_two_that_are_compared() {
    for Problem {
        question, answer, ..
    } in drawn()
    {
        let (facts, _) = parts(&question);
        let quotes = quotes(&answer);
        for (place, fact) in facts.iter().enumerate() {
            for other in &facts[..place] {
                let are_compared = quotes.contains(fact) && quotes.contains(other);
                assert!(are_compared || kind(fact) != kind(other), "{question}");
            }
        }
    }
}

#[test]
fn no_other_fact_of_the_kind_speaks_of_what_is_asked() {
    let mut n_ages = 0;
    for problem in drawn()
        .iter()
        .filter(|problem| problem.template() == "age_of")
    {
        let (facts, ask) = parts(&problem.question);
        let name = ask
            .strip_prefix("How old is ")
            .unwrap()
            .trim_end_matches('?');
        let ages: Vec<&&str> = facts
            .iter()
            .filter(|fact| fact.starts_with(name) && fact.ends_with("years old"))
            .collect();
        assert_eq!(ages.len(), 1, "{problem:?}");
        assert_eq!(number(ages[0]), number(word(&problem.answer)));
        n_ages += 1;
    }
    assert!(n_ages > 200);
}

#[test]
fn a_comparison_names_the_side_whose_number_is_larger_or_smaller() {
    let mut n_compared = 0;
    for Problem {
        question, answer, ..
    } in drawn()
    {
        let (_, ask) = parts(&question);
        let wants_more = ["older", "more", "farther"].iter().any(|w| ask.contains(w));
        let wants_less = ["younger", "less", "nearer"]
            .iter()
            .any(|w| ask.contains(w));
        if !(wants_more || wants_less) {
            continue;
        }
        let quotes = quotes(&answer);
        let [a, b] = [quotes[0], quotes[1]].map(number);
        assert_ne!(a, b, "{question}");
        let chosen = quotes[usize::from((a > b) != wants_more)];
        assert!(chosen.contains(word(&answer)), "{question}\n{answer}");
        n_compared += 1;
    }
    assert!(n_compared > 1_500);
}
