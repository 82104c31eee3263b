//! The table of templates, and what one of them is.

use rand_chacha::ChaCha8Rng;

use super::arithmetic::Step;
use super::draw::Draw;
use super::family::Family;
use super::problem::Problem;
use super::{
    five_steps, four_steps, three_steps_life, three_steps_things, two_steps_life, two_steps_things,
};

/// One kind of story: the same sentences and the same calculations around drawn names and numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    pub name: &'static str,
    pub n_steps: usize,
    /// Kept from training, for [`Split::HeldOutTemplate`](super::Split).
    pub is_held_out: bool,
    pub make: fn(&mut Draw) -> Story,
}

/// A question and its worked answer, not yet attributed to a template.
pub(super) struct Story {
    question: String,
    answer: String,
}

impl Story {
    /// Joins the lines of the answer and ends them with the value of the last step.
    pub(super) fn new<const N: usize>(question: String, lines: [String; N], last: Step) -> Self {
        let value = u32::from(last);
        Self {
            question,
            answer: format!("{}\n#### {value}", lines.join("\n")),
        }
    }
}

impl Template {
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> Problem {
        let story = (self.make)(&mut Draw::new(rng));
        let problem = Problem::new(Family::Gsm8k, story.question, story.answer, self.name);
        assert_eq!(problem.n_steps(), self.n_steps, "steps of {}", self.name);
        problem
    }
}

/// A template that training draws from.
pub(super) const fn train(
    name: &'static str,
    n_steps: usize,
    make: fn(&mut Draw) -> Story,
) -> Template {
    Template {
        name,
        n_steps,
        is_held_out: false,
        make,
    }
}

/// A template that training never sees.
pub(super) const fn held_out(
    name: &'static str,
    n_steps: usize,
    make: fn(&mut Draw) -> Story,
) -> Template {
    Template {
        name,
        n_steps,
        is_held_out: true,
        make,
    }
}

/// Every template, in the order on which the random streams depend.
pub(super) fn templates() -> impl Iterator<Item = &'static Template> {
    [
        two_steps_things::TEMPLATES,
        two_steps_life::TEMPLATES,
        three_steps_things::TEMPLATES,
        three_steps_life::TEMPLATES,
        four_steps::TEMPLATES,
        five_steps::TEMPLATES,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use rand::SeedableRng;

    use super::*;

    #[test]
    fn there_are_44_templates_of_2_to_5_steps_and_one_of_each_length_is_held_out() {
        let mut counts = BTreeMap::new();
        for template in templates() {
            let (n_train, n_held_out) = counts.entry(template.n_steps).or_insert((0, 0));
            if template.is_held_out {
                *n_held_out += 1;
            } else {
                *n_train += 1;
            }
        }
        let expected = BTreeMap::from([(2, (13, 1)), (3, (15, 1)), (4, (8, 1)), (5, (4, 1))]);
        assert_eq!(counts, expected);
        let names: HashSet<_> = templates().map(|template| template.name).collect();
        assert_eq!(names.len(), 44);
    }

    #[test]
    fn every_template_writes_as_many_steps_as_it_declares_in_short_sentences() {
        for template in templates() {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            for _ in 0..2_000 {
                let problem = template.draw(&mut rng);
                assert_eq!(problem.answer.lines().count(), template.n_steps + 1);
                let n_words = problem.question.split_whitespace().count();
                assert!((20..=45).contains(&n_words), "{n_words}: {problem:?}");
                for line in problem.answer.lines() {
                    let n_words = line.split_whitespace().count();
                    assert!((2..=12).contains(&n_words), "{n_words}: {line}");
                }
                assert!(problem.question.ends_with('?'));
            }
        }
    }
}
