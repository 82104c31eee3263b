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

#[derive(Clone, Copy)]
enum Wanted {
    More,
    Less,
}

impl Wanted {
    /// The first of two if more is wanted.
    fn of<T>(self, [more, less]: [T; 2]) -> T {
        match self {
            Self::More => more,
            Self::Less => less,
        }
    }
}

/// A question about subjects 0 and 1, by the number that facts of a kind give them.
struct Comparison<'a> {
    kind: Kind,
    ask: String,
    values: [u32; 2],
    /// How the conclusion names the subjects, and their words.
    subjects: [(String, &'a str); 2],
    verb: &'static str,
    /// What the subject of the larger number is, and that of the smaller one.
    degrees: [&'static str; 2],
}

impl Comparison<'_> {
    fn exchange(self, draw: &mut Draw, world: &World, wanted: Wanted) -> Exchange {
        let [one, other] = [0, 1].map(|index| self.kind.fact(world, index));
        let [value, other_value] = self.values;
        let [first, second] = self.subjects;
        let (relation, ordered) = if value > other_value {
            ("more", [first, second])
        } else {
            ("less", [second, first])
        };
        let [(larger, _), (smaller, _)] = &ordered;
        let (verb, [more, less]) = (self.verb, self.degrees);
        let conclusion = format!("{larger} {verb} {more} and {smaller} {verb} {less}");
        let (_, word) = wanted.of(ordered);
        let answer = format!(
            "The text says: {one} It also says: {other} {value} is {relation} than {other_value}, so \
             {conclusion}.\n#### {word}"
        );
        let needed = [(self.kind, 0), (self.kind, 1)];
        exchange(draw, world, &needed, self.ask, answer)
    }
}

fn ages(draw: &mut Draw, wanted: Wanted) -> Exchange {
    let w = World::draw(draw);
    let [p, q, ..] = w.people;
    let degrees = ["older", "younger"];
    let comparison = Comparison {
        kind: Kind::Age,
        ask: format!("Who is {}, {p} or {q}?", wanted.of(degrees)),
        values: [w.ages[0], w.ages[1]],
        subjects: [p, q].map(|person| (person.to_string(), person.name)),
        verb: "is",
        degrees,
    };
    comparison.exchange(draw, &w, wanted)
}

fn who_is_older(draw: &mut Draw) -> Exchange {
    ages(draw, Wanted::More)
}

fn who_is_younger(draw: &mut Draw) -> Exchange {
    ages(draw, Wanted::Less)
}

fn prices(draw: &mut Draw, wanted: Wanted) -> Exchange {
    let w = World::draw(draw);
    let [a, b] = [w.things[0].one, w.things[1].one];
    let degrees = ["more", "less"];
    let comparison = Comparison {
        kind: Kind::Price,
        ask: format!("Which costs {}, the {a} or the {b}?", wanted.of(degrees)),
        values: [w.prices[0], w.prices[1]],
        subjects: [a, b].map(|thing| (format!("the {thing}"), thing)),
        verb: "costs",
        degrees,
    };
    comparison.exchange(draw, &w, wanted)
}

fn what_costs_more(draw: &mut Draw) -> Exchange {
    prices(draw, Wanted::More)
}

fn what_costs_less(draw: &mut Draw) -> Exchange {
    prices(draw, Wanted::Less)
}

fn distances(draw: &mut Draw, wanted: Wanted) -> Exchange {
    let w = World::draw(draw);
    let [a, b, ..] = w.places;
    let degrees = ["farther", "nearer"];
    let comparison = Comparison {
        kind: Kind::Distance,
        ask: format!("Which is {}, the {a} or the {b}?", wanted.of(degrees)),
        values: [w.miles[0], w.miles[1]],
        subjects: [a, b].map(|place| (format!("the {place}"), place)),
        verb: "is",
        degrees,
    };
    comparison.exchange(draw, &w, wanted)
}

fn which_is_nearer(draw: &mut Draw) -> Exchange {
    distances(draw, Wanted::Less)
}

fn which_is_farther(draw: &mut Draw) -> Exchange {
    distances(draw, Wanted::More)
}
