//! What can be checked of a function without running it.

use std::collections::HashSet;

use super::TASKS;
use crate::workload::synthetic::{Family, Problem, Split, problems};

fn functions() -> Vec<Problem> {
    problems(Family::Code.into(), Split::Train, 6, 5_000).unwrap()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The identifiers of a line, texts in quotes left out.
fn identifiers(line: &str) -> Vec<&str> {
    line.split('\'')
        .step_by(2)
        .flat_map(|code| code.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()))
        .collect()
}

#[test]
fn brackets_are_closed_and_blocks_are_indented_by_four_spaces() {
    for Problem { answer, .. } in functions() {
        for (open, close) in [('(', ')'), ('[', ']')] {
            let mut depth = 0;
            for letter in answer.chars() {
                depth += i32::from(letter == open) - i32::from(letter == close);
                assert!(depth >= 0, "{answer}");
            }
            assert_eq!(depth, 0, "{answer}");
        }
        assert_eq!(answer.matches('\'').count() % 2, 0, "{answer}");
        let lines: Vec<&str> = answer.lines().collect();
        for pair in lines.windows(2) {
            let [before, after] = [pair[0], pair[1]].map(indent);
            if pair[0].ends_with(':') {
                assert_eq!(after, before + 4, "{answer}");
            } else {
                assert!(after <= before && after % 4 == 0, "{answer}");
            }
        }
    }
}

#[test]
fn the_first_line_and_the_call_name_the_function_as_the_question_does() {
    for Problem {
        question, answer, ..
    } in functions()
    {
        let first = answer.lines().next().unwrap();
        let signature = first
            .strip_prefix("def ")
            .unwrap()
            .strip_suffix(':')
            .unwrap();
        assert!(question.contains(signature), "{question}\n{answer}");
        let (name, _) = signature.split_once('(').unwrap();
        let last = answer.lines().last().unwrap();
        assert!(last.starts_with(&format!("print({name}(")), "{answer}");
        assert!(answer.contains("return "), "{answer}");
    }
}

#[test]
fn a_name_is_an_argument_or_assigned_before_it_is_used() {
    const KNOWN: &str = "def for in if elif else while not and return range len sum abs min print \
                         True False append join upper split replace strip";
    for Problem { answer, .. } in functions() {
        let mut known: HashSet<&str> = KNOWN.split(' ').collect();
        for line in answer.lines() {
            let code = line.trim_start();
            if code.starts_with("def ") || code.starts_with("for ") {
                let head = code.split(" in ").next().unwrap();
                known.extend(identifiers(head));
            }
            if let Some((name, value)) = code.split_once(" = ") {
                for word in identifiers(value) {
                    assert!(known.contains(word), "{word} in\n{answer}");
                }
                known.insert(name);
            }
            for word in identifiers(code) {
                assert!(known.contains(word), "{word} in\n{answer}");
            }
        }
    }
}

#[test]
fn every_constant_of_a_function_comes_from_its_question() {
    // 0, 1, 2 and 3 are the constants of loops, ends and levels; 60 and 100 those of minutes and
    // percents.
    const OWN: [&str; 6] = ["0", "1", "2", "3", "60", "100"];
    let numbers = |text: &str| -> HashSet<String> {
        text.split(|c: char| !c.is_ascii_digit())
            .filter(|digits| !digits.is_empty())
            .map(str::to_owned)
            .collect()
    };
    for Problem {
        question, answer, ..
    } in functions()
    {
        let asked = numbers(&question);
        for number in numbers(&answer) {
            let is_known = asked.contains(&number) || OWN.contains(&number.as_str());
            assert!(is_known, "{number}: {question}\n{answer}");
        }
        for number in asked {
            assert!(
                numbers(&answer).contains(&number),
                "{number}: {question}\n{answer}"
            );
        }
    }
}

#[test]
fn there_are_46_kinds_of_functions() {
    assert_eq!(TASKS.iter().map(|table| table.len()).sum::<usize>(), 46);
}
