//! Templates of two steps about money, journeys and time.

use super::arithmetic::{add, div, mul, sub};
use super::draw::{Division, Draw, Factors};
use super::template::{Story, Template, train};
use super::vocabulary::Person;

pub(super) const TEMPLATES: &[Template] = &[
    train("price_and_change", 2, price_and_change),
    train("wage_and_gift", 2, wage_and_gift),
    train("bus_stop", 2, bus_stop),
    train("pages_left", 2, pages_left),
    train("age_later", 2, age_later),
    train("steady_speed", 2, steady_speed),
];

fn price_and_change(draw: &mut Draw) -> Story {
    let (p, i) = (draw.person(), draw.noun());
    let (Person { he, cap_he, .. }, one) = (p, i.one);
    let Factors { left: a, right: b } = draw.factors();
    let cost = mul(a, b);
    let paid = u32::from(cost) + draw.number(2..=40);
    let change = sub(paid, cost);
    let question = if draw.coin() {
        format!(
            "{p} buys {a} {i}. Each {one} costs {b} dollars. {cap_he} pays with {paid} dollars. \
             How many dollars does {he} get back?"
        )
    } else {
        format!(
            "{p} has {paid} dollars and buys {a} {i} that cost {b} dollars each. \
             How many dollars does {he} have after that?"
        )
    };
    let lines = [
        format!("The {i} cost {cost} dollars."),
        format!("{p} keeps {change} dollars."),
    ];
    Story::new(question, lines, change)
}

fn wage_and_gift(draw: &mut Draw) -> Story {
    let p = draw.person();
    let Person { he, his, him, .. } = p;
    let Factors { left: a, right: b } = draw.factors_in(4..=100);
    let wage = mul(a, b);
    let c = draw.addend(wage);
    let all = add(wage, c);
    let question = format!(
        "{p} earns {a} dollars an hour and works {b} hours. Then {his} uncle gives {him} {c} \
         dollars. How many dollars does {p} have in all?"
    );
    let lines = [
        format!("{p} earns {wage} dollars."),
        format!("With the gift {he} has {all} dollars."),
    ];
    Story::new(question, lines, all)
}

fn bus_stop(draw: &mut Draw) -> Story {
    let a = draw.number(10..=80);
    let off = draw.part_of(a);
    let stay = sub(a, off);
    let on = draw.addend(stay);
    let now = add(stay, on);
    let vehicle = if draw.coin() { "bus" } else { "train" };
    let question = format!(
        "A {vehicle} leaves the station with {a} people. At the first stop {off} people get off \
         and {on} people get on. How many people are on the {vehicle} now?"
    );
    let lines = [
        format!("At the stop {stay} people stay on the {vehicle}."),
        format!("With the new people there are {now} people."),
    ];
    Story::new(question, lines, now)
}

fn pages_left(draw: &mut Draw) -> Story {
    let p = draw.person();
    let he = p.he;
    let Factors { left: a, right: b } = draw.factors();
    let read = mul(a, b);
    let pages = u32::from(read) + draw.number(2..=40);
    let rest = sub(pages, read);
    let question = format!(
        "{p} reads {a} pages a day for {b} days. The book has {pages} pages. \
         How many pages does {p} still have to read?"
    );
    let lines = [
        format!("{p} reads {read} pages."),
        format!("Now {he} has {rest} pages left."),
    ];
    Story::new(question, lines, rest)
}

fn age_later(draw: &mut Draw) -> Story {
    let [p, q] = draw.people();
    let (a, b, c) = (
        draw.number(4..=40),
        draw.number(2..=30),
        draw.number(2..=20),
    );
    let now = add(a, b);
    let later = add(now, c);
    let question = format!(
        "{p} is {a} years old. {q} is {b} years older than {p}. How old will {q} be in {c} years?"
    );
    let lines = [
        format!("Now {q} is {now} years old."),
        format!("In {c} years {q} will be {later}."),
    ];
    Story::new(question, lines, later)
}

fn steady_speed(draw: &mut Draw) -> Story {
    let p = draw.person();
    let he = p.he;
    let Division {
        dividend,
        divisor: d,
        ..
    } = draw.division();
    let speed = div(dividend, d);
    let hours = draw.multiplier_of(speed);
    let miles = mul(speed, hours);
    let question = if draw.coin() {
        format!(
            "{p} rides {dividend} miles in {d} hours at a steady speed. \
             How many miles does {he} ride in {hours} hours at the same speed?"
        )
    } else {
        format!(
            "At a steady speed {p} rides {dividend} miles in {d} hours. \
             How many miles does {he} ride at this speed in {hours} hours?"
        )
    };
    let lines = [
        format!("{p} rides {speed} miles an hour."),
        format!("In {hours} hours {he} rides {miles} miles."),
    ];
    Story::new(question, lines, miles)
}
