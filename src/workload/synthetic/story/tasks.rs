//! The forms of stories: what is asked for, and in which order things happen.

use super::grammar::{Cast, expand};
use crate::workload::synthetic::draw::Draw;
use crate::workload::synthetic::task::{Exchange, Task, task};

pub(super) const TASKS: &[Task] = &[
    task("visit", visit),
    task("loss", loss),
    task("friends", friends),
    task("secret", secret),
    task("journey", journey),
    task("beginning", beginning),
];

fn story(draw: &mut Draw, question: &str, plan: &str) -> Exchange {
    let cast = Cast::draw(draw);
    Exchange::new(expand(draw, &cast, question), expand(draw, &cast, plan))
}

fn visit(draw: &mut Draw) -> Exchange {
    story(
        draw,
        "Write a story about [p], who visits the [place] with a [look] [thing].",
        "[start] [event] [event] [talk] [end]",
    )
}

fn loss(draw: &mut Draw) -> Exchange {
    story(
        draw,
        "Tell how [p] lost the [look] [thing] near the [place] and what [q] did.",
        "[start] [event] [talk] [turn] [end]",
    )
}

fn friends(draw: &mut Draw) -> Exchange {
    story(
        draw,
        "Write a story in which [p] and [q] become friends. There is a [look] [thing] in it.",
        "[start] [talk] [event] [talk] [end]",
    )
}

fn secret(draw: &mut Draw) -> Exchange {
    story(
        draw,
        "What is the secret of the [look] [thing] at the [place]? Tell a story with [p].",
        "[event] [talk] [turn] [turn] [end]",
    )
}

fn journey(draw: &mut Draw) -> Exchange {
    story(
        draw,
        "Tell a story about the way of [p] to the [place] with a [color] [thing] and [q].",
        "[start] [event] [turn] [event] [end]",
    )
}

fn beginning(draw: &mut Draw) -> Exchange {
    story(
        draw,
        "Write a story with [p], a [color] [thing] and a [look] [animal] at the [place].",
        "[start] [turn] [talk] [event] [end]",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use crate::workload::synthetic::{Family, Problem, Split, problems};

    fn drawn() -> Vec<Problem> {
        problems(Family::Story.into(), Split::Train, 61, 6_000).unwrap()
    }

    #[test]
    fn every_symbol_is_expanded_and_every_sentence_ends() {
        for problem in drawn() {
            for text in [&problem.question, &problem.answer] {
                assert!(!text.contains(['[', ']']), "{text}");
                assert!(text.ends_with(['.', '?']), "{text}");
            }
            let is_capital = |c: char| c.is_ascii_uppercase() || c == '"';
            assert!(problem.answer.starts_with(is_capital), "{problem:?}");
        }
    }

    #[test]
    fn the_first_sentence_of_a_story_has_an_entropy_of_at_least_five_nats() {
        let drawn = drawn();
        let mut counts: HashMap<String, f64> = HashMap::new();
        for problem in &drawn {
            // The names that the question fixes are no choice.
            let first = problem.answer.split_inclusive(". ").next().unwrap();
            let free: Vec<&str> = first
                .split(' ')
                .filter(|word| !problem.question.contains(word.trim_matches(['.', ','])))
                .collect();
            *counts.entry(free.join(" ")).or_default() += 1.0;
        }
        let n = drawn.len() as f64;
        let entropy: f64 = counts.values().map(|c| -(c / n) * (c / n).ln()).sum();
        assert!(entropy > 5.0, "{entropy}");
    }

    #[test]
    fn no_two_of_six_thousand_stories_are_the_same() {
        let stories: HashSet<String> = drawn().into_iter().map(|problem| problem.answer).collect();
        assert!(stories.len() >= 5_990, "{}", stories.len());
    }
}
