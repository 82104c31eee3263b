//! Questions that one fact answers, or two in a row.

use super::facts::{Kind, World, exchange};
use crate::workload::synthetic::draw::Draw;
use crate::workload::synthetic::task::{Exchange, Task, task};

pub(super) const TASKS: &[Task] = &[
    task("owner_of", owner_of),
    task("color_of", color_of),
    task("home_of", home_of),
    task("who_lives", who_lives),
    task("place_of", place_of),
    task("pet_of", pet_of),
    task("who_keeps", who_keeps),
    task("age_of", age_of),
    task("price_of", price_of),
    task("distance_of", distance_of),
    task("place_of_possession", place_of_possession),
];

/// A question that the fact of one kind about subject 0 answers. Which subject that is, is random:
/// all of a world's lists are drawn in random order.
fn recall(
    draw: &mut Draw,
    kind: Kind,
    ask: impl Fn(&World) -> String,
    conclusion: impl Fn(&World) -> String,
    word: impl Fn(&World) -> String,
) -> Exchange {
    let world = World::draw(draw);
    let answer = format!(
        "The text says: {} So {}\n#### {}",
        kind.fact(&world, 0),
        conclusion(&world),
        word(&world)
    );
    exchange(draw, &world, &[(kind, 0)], ask(&world), answer)
}

fn owner_of(draw: &mut Draw) -> Exchange {
    recall(
        draw,
        Kind::Owner,
        |w| format!("Who has the {}?", w.things[0].one),
        |w| format!("the {} belongs to {}.", w.things[0].one, w.people[0]),
        |w| w.people[0].to_string(),
    )
}

fn color_of(draw: &mut Draw) -> Exchange {
    recall(
        draw,
        Kind::Owner,
        |w| {
            format!(
                "What color is the {} that {} has?",
                w.things[0].one, w.people[0]
            )
        },
        |w| format!("the {} is {}.", w.things[0].one, w.colors[0]),
        |w| w.colors[0].to_owned(),
    )
}

fn home_of(draw: &mut Draw) -> Exchange {
    recall(
        draw,
        Kind::Home,
        |w| format!("Where does {} live?", w.people[0]),
        |w| format!("{} home is near the {}.", w.people[0].his, w.homes[0]),
        |w| w.homes[0].to_owned(),
    )
}

fn who_lives(draw: &mut Draw) -> Exchange {
    recall(
        draw,
        Kind::Home,
        |w| format!("Who lives near the {}?", w.homes[0]),
        |w| {
            format!(
                "the home near the {} is that of {}.",
                w.homes[0], w.people[0]
            )
        },
        |w| w.people[0].to_string(),
    )
}

fn place_of(draw: &mut Draw) -> Exchange {
    recall(
        draw,
        Kind::ThingPlace,
        |w| format!("Where is the {}?", w.things[0].one),
        |w| {
            format!(
                "the place of the {} is the {}.",
                w.things[0].one, w.places[0]
            )
        },
        |w| w.places[0].to_owned(),
    )
}

fn pet_of(draw: &mut Draw) -> Exchange {
    recall(
        draw,
        Kind::Pet,
        |w| format!("Which animal does {} have?", w.people[0]),
        |w| format!("the animal of {} is a {}.", w.people[0], w.animals[0]),
        |w| w.animals[0].to_owned(),
    )
}

fn who_keeps(draw: &mut Draw) -> Exchange {
    recall(
        draw,
        Kind::Pet,
        |w| format!("Whose animal is the {}?", w.animals[0]),
        |w| format!("the {} belongs to {}.", w.animals[0], w.people[0]),
        |w| w.people[0].to_string(),
    )
}

fn age_of(draw: &mut Draw) -> Exchange {
    recall(
        draw,
        Kind::Age,
        |w| format!("How old is {}?", w.people[0]),
        |w| format!("the age of {} is {}.", w.people[0], w.ages[0]),
        |w| w.ages[0].to_string(),
    )
}

fn price_of(draw: &mut Draw) -> Exchange {
    recall(
        draw,
        Kind::Price,
        |w| format!("How many dollars does the {} cost?", w.things[0].one),
        |w| {
            format!(
                "the price of the {} is {} dollars.",
                w.things[0].one, w.prices[0]
            )
        },
        |w| w.prices[0].to_string(),
    )
}

fn distance_of(draw: &mut Draw) -> Exchange {
    recall(
        draw,
        Kind::Distance,
        |w| format!("How many miles is it to the {}?", w.places[0]),
        |w| format!("it is {} miles to the {}.", w.miles[0], w.places[0]),
        |w| w.miles[0].to_string(),
    )
}

fn place_of_possession(draw: &mut Draw) -> Exchange {
    let w = World::draw(draw);
    let needed = [(Kind::Owner, 0), (Kind::ThingPlace, 0)];
    let [owner, place] = needed.map(|(kind, index)| kind.fact(&w, index));
    let person = w.people[0];
    let ask = format!("In which place is the thing that belongs to {person}?");
    let answer = format!(
        "The text says: {owner} It also says: {place} So it is at the {}.\n#### {}",
        w.places[0], w.places[0]
    );
    exchange(draw, &w, &needed, ask, answer)
}
