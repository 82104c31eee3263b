//! The facts that a context is made of.

use crate::workload::synthetic::draw::Draw;
use crate::workload::synthetic::task::Exchange;
use crate::workload::synthetic::vocabulary::{Noun, Person};
use crate::workload::synthetic::words::{ANIMALS, COLORS, PLACES};

/// What the facts of one context speak of: facts of one kind never share a subject or a value.
pub(super) struct World {
    pub people: [Person; 4],
    pub things: [Noun; 4],
    pub colors: [&'static str; 4],
    pub places: [&'static str; 4],
    /// Where people live, if a context says it.
    pub homes: [&'static str; 4],
    pub animals: [&'static str; 4],
    pub ages: [u32; 4],
    pub prices: [u32; 4],
    pub miles: [u32; 4],
}

impl World {
    pub fn draw(draw: &mut Draw) -> Self {
        let [a, b, c, d, e, f, g, h] = draw.pick_distinct(&PLACES);
        Self {
            people: draw.people(),
            things: draw.nouns(),
            colors: draw.pick_distinct(&COLORS),
            places: [a, b, c, d],
            homes: [e, f, g, h],
            animals: draw.pick_distinct(&ANIMALS),
            ages: numbers(draw, 4..=79),
            prices: numbers(draw, 2..=60),
            miles: numbers(draw, 2..=40),
        }
    }
}

fn numbers(draw: &mut Draw, range: std::ops::RangeInclusive<u32>) -> [u32; 4] {
    draw.pick_distinct(&range.collect::<Vec<u32>>())
}

/// The kinds of facts; each has one sentence per index in 0..4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Owner,
    Home,
    ThingPlace,
    Pet,
    Age,
    Price,
    Distance,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Owner,
        Self::Home,
        Self::ThingPlace,
        Self::Pet,
        Self::Age,
        Self::Price,
        Self::Distance,
    ];

    pub fn fact(self, world: &World, index: usize) -> String {
        let person = world.people[index];
        let thing = world.things[index].one;
        let color = world.colors[index];
        let place = world.places[index];
        match self {
            Self::Owner => format!("{person} has the {color} {thing}."),
            Self::Home => format!("{person} lives near the {}.", world.homes[index]),
            Self::ThingPlace => format!("The {color} {thing} is at the {place}."),
            Self::Pet => format!("{person} has a {}.", world.animals[index]),
            Self::Age => format!("{person} is {} years old.", world.ages[index]),
            Self::Price => format!("The {thing} costs {} dollars.", world.prices[index]),
            Self::Distance => format!("The {place} is {} miles away.", world.miles[index]),
        }
    }
}

/// The facts that are needed, in this order, and three or four of further kinds between them; then
/// the question.
///
/// No two facts are of one kind, but for those that a question compares: what is asked for can be
/// found by its kind.
pub(super) fn exchange(
    draw: &mut Draw,
    world: &World,
    needed: &[(Kind, usize)],
    ask: String,
    answer: String,
) -> Exchange {
    let kinds: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| needed.iter().all(|(other, _)| other != kind))
        .collect();
    let mut chosen = needed.to_vec();
    let n_further = draw.number(3..=4) as usize;
    for kind in draw.pick_some(&kinds, n_further) {
        chosen.push((kind, draw.number(0..=3) as usize));
    }
    let mut told = draw.shuffled(chosen);
    let mut quoted = needed.iter();
    for fact in told.iter_mut().filter(|fact| needed.contains(fact)) {
        *fact = *quoted.next().expect("each needed fact is told once");
    }
    let facts: Vec<String> = told
        .into_iter()
        .map(|(kind, index)| kind.fact(world, index))
        .collect();
    Exchange::new(format!("{} {ask}", facts.join(" ")), answer)
}
