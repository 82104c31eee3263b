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

/// Compares subjects 0 and 1 by the number that facts of a kind give them.
fn compare(
    draw: &mut Draw,
    world: &World,
    kind: Kind,
    ask: String,
    wanted: Wanted,
    values: [u32; 2],
    conclusions: [(String, &str); 2],
) -> Exchange {
    let [one, other] = [kind.fact(world, 0), kind.fact(world, 1)];
    let is_more = values[0] > values[1];
    let relation = if is_more { "more" } else { "less" };
    let is_first = is_more == (wanted == Wanted::More);
    let (conclusion, word) = &conclusions[usize::from(!is_first)];
    let answer = format!(
        "The text says: \"{one}\" It also says: \"{other}\" {} is {relation} than {}, so \
         {conclusion}.\n#### {word}",
        values[0], values[1]
    );
    exchange(draw, world, &[(kind, 0), (kind, 1)], ask, answer)
}

fn ages(draw: &mut Draw, wanted: Wanted, word: &str) -> Exchange {
    let w = World::draw(draw);
    let [p, q, ..] = w.people;
    let conclusions = [p, q].map(|person| (format!("{person} is {word}"), person.name));
    let ask = format!("Who is {word}, {p} or {q}?");
    let values = [w.ages[0], w.ages[1]];
    compare(draw, &w, Kind::Age, ask, wanted, values, conclusions)
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
    let conclusions = [a, b].map(|thing| (format!("the {thing} costs {word}"), thing));
    let ask = format!("Which costs {word}, the {a} or the {b}?");
    let values = [w.prices[0], w.prices[1]];
    compare(draw, &w, Kind::Price, ask, wanted, values, conclusions)
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
    let conclusions = [a, b].map(|place| (format!("the {place} is {word}"), place));
    let ask = format!("Which is {word}, the {a} or the {b}?");
    let values = [w.miles[0], w.miles[1]];
    compare(draw, &w, Kind::Distance, ask, wanted, values, conclusions)
}

fn which_is_nearer(draw: &mut Draw) -> Exchange {
    distances(draw, Wanted::Less, "nearer")
}

fn which_is_farther(draw: &mut Draw) -> Exchange {
    distances(draw, Wanted::More, "farther")
}
