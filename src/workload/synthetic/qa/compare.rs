//! Questions that compare the numbers of two facts.

use super::facts::{Kind, World, exchange};
use crate::workload::synthetic::draw::Draw;
use crate::workload::synthetic::task::{Exchange, Task, task};

pub(super) const TASKS: &[Task] = &[
    task("who_is_older", who_is_older),
    task("who_is_younger", who_is_younger),
    task("what_costs_more", what_costs_more),
    task("what_costs_less", what_costs_less),
    task("which_is_nearer", which_is_nearer),
    task("which_is_farther", which_is_farther),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    More,
    Less,
}

/// A question about subjects 0 and 1, by the number that facts of a kind give them.
struct Comparison<'a> {
    kind: Kind,
    wanted: Wanted,
    ask: String,
    values: [u32; 2],
    /// How the conclusion names the subjects, and their words.
    subjects: [(String, &'a str); 2],
    /// What the subject of the larger number does, and that of the smaller one.
    verbs: [&'static str; 2],
}

impl Comparison<'_> {
    fn exchange(self, draw: &mut Draw, world: &World) -> Exchange {
        let [one, other] = [0, 1].map(|index| self.kind.fact(world, index));
        let [value, other_value] = self.values;
        let is_more = value > other_value;
        let relation = if is_more { "more" } else { "less" };
        let [first, second] = &self.subjects;
        let (larger, smaller) = if is_more {
            (first, second)
        } else {
            (second, first)
        };
        let [more, less] = self.verbs;
        let word = match self.wanted {
            Wanted::More => larger.1,
            Wanted::Less => smaller.1,
        };
        let answer = format!(
            "The text says: {one} It also says: {other} {value} is {relation} than {other_value}, so \
             {} {more} and {} {less}.\n#### {word}",
            larger.0, smaller.0
        );
        let needed = [(self.kind, 0), (self.kind, 1)];
        exchange(draw, world, &needed, self.ask, answer)
    }
}

fn ages(draw: &mut Draw, wanted: Wanted, word: &str) -> Exchange {
    let w = World::draw(draw);
    let [p, q, ..] = w.people;
    let comparison = Comparison {
        kind: Kind::Age,
        wanted,
        ask: format!("Who is {word}, {p} or {q}?"),
        values: [w.ages[0], w.ages[1]],
        subjects: [p, q].map(|person| (person.to_string(), person.name)),
        verbs: ["is older", "is younger"],
    };
    comparison.exchange(draw, &w)
}

fn who_is_older(draw: &mut Draw) -> Exchange {
    ages(draw, Wanted::More, "older")
}

fn who_is_younger(draw: &mut Draw) -> Exchange {
    ages(draw, Wanted::Less, "younger")
}

fn prices(draw: &mut Draw, wanted: Wanted, word: &str) -> Exchange {
    let w = World::draw(draw);
    let [a, b] = [w.things[0].one, w.things[1].one];
    let comparison = Comparison {
        kind: Kind::Price,
        wanted,
        ask: format!("Which costs {word}, the {a} or the {b}?"),
        values: [w.prices[0], w.prices[1]],
        subjects: [a, b].map(|thing| (format!("the {thing}"), thing)),
        verbs: ["costs more", "costs less"],
    };
    comparison.exchange(draw, &w)
}

fn what_costs_more(draw: &mut Draw) -> Exchange {
    prices(draw, Wanted::More, "more")
}

fn what_costs_less(draw: &mut Draw) -> Exchange {
    prices(draw, Wanted::Less, "less")
}

fn distances(draw: &mut Draw, wanted: Wanted, word: &str) -> Exchange {
    let w = World::draw(draw);
    let [a, b, ..] = w.places;
    let comparison = Comparison {
        kind: Kind::Distance,
        wanted,
        ask: format!("Which is {word}, the {a} or the {b}?"),
        values: [w.miles[0], w.miles[1]],
        subjects: [a, b].map(|place| (format!("the {place}"), place)),
        verbs: ["is farther", "is nearer"],
    };
    comparison.exchange(draw, &w)
}

fn which_is_nearer(draw: &mut Draw) -> Exchange {
    distances(draw, Wanted::Less, "nearer")
}

fn which_is_farther(draw: &mut Draw) -> Exchange {
    distances(draw, Wanted::More, "farther")
}
