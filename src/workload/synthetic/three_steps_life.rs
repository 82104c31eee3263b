//! Templates of three steps about money, journeys and time.

use super::arithmetic::{add, div, mul, sub};
use super::draw::{Division, Draw, Factors};
use super::template::{Story, Template, train};
use super::vocabulary::Person;

pub(super) const TEMPLATES: &[Template] = &[
    train("two_kinds_cost", 3, two_kinds_cost),
    train("buy_and_one_more", 3, buy_and_one_more),
    train("save_for_bike", 3, save_for_bike),
    train("gallons_cost", 3, gallons_cost),
    train("trays_bags_sale", 3, trays_bags_sale),
    train("runner_compare", 3, runner_compare),
    train("film_tickets_distractor", 3, film_tickets_distractor),
    train("pizza_share", 3, pizza_share),
];

fn two_kinds_cost(draw: &mut Draw) -> Story {
    let (p, [i, j]) = (draw.person(), draw.nouns());
    let he = p.he;
    let Factors { left: a, right: b } = draw.factors_in(4..=72);
    let Factors { left: c, right: d } = draw.factors_in(4..=72);
    let (first, second) = (mul(a, b), mul(c, d));
    let all = add(first, second);
    let question = if draw.coin() {
        format!(
            "{p} buys {a} {i} for {b} dollars each and {c} {j} for {d} dollars each. \
             How many dollars does {he} spend in all?"
        )
    } else {
        format!(
            "In a shop {p} gets {a} {i} at {b} dollars each and {c} {j} at {d} dollars each. \
             How many dollars must {he} pay?"
        )
    };
    let lines = [
        format!("The {i} cost {first} dollars."),
        format!("The {j} cost {second} dollars."),
        format!("{p} pays {all} dollars."),
    ];
    Story::new(question, lines, all)
}

fn buy_and_one_more(draw: &mut Draw) -> Story {
    let (p, [i, j]) = (draw.person(), draw.nouns());
    let (Person { he, cap_he, .. }, one) = (p, j.one);
    let Factors { left: a, right: b } = draw.factors_in(4..=80);
    let cost = mul(a, b);
    let c = draw.number(2..=30);
    let spent = add(cost, c);
    let money = u32::from(spent) + draw.number(2..=40);
    let rest = sub(money, spent);
    let question = format!(
        "{p} has {money} dollars. {cap_he} buys {a} {i} for {b} dollars each and one {one} for \
         {c} dollars. How many dollars does {p} have left?"
    );
    let lines = [
        format!("The {i} cost {cost} dollars."),
        format!("{p} spends {spent} dollars."),
        format!("Now {he} has {rest} dollars left."),
    ];
    Story::new(question, lines, rest)
}

fn save_for_bike(draw: &mut Draw) -> Story {
    let p = draw.person();
    let Person {
        he,
        cap_he,
        his,
        him,
        ..
    } = p;
    let Factors { left: a, right: b } = draw.factors_in(4..=90);
    let saved = mul(a, b);
    let c = draw.addend(saved);
    let all = add(saved, c);
    let price = draw.part_of(all);
    let rest = sub(all, price);
    let thing = if draw.coin() { "bike" } else { "coat" };
    let question = format!(
        "{p} saves {a} dollars a week for {b} weeks. Then {his} aunt gives {him} {c} dollars. \
         {cap_he} buys a {thing} for {price} dollars. How many dollars does {p} have left?"
    );
    let lines = [
        format!("{p} saves {saved} dollars."),
        format!("With the gift {he} has {all} dollars."),
        format!("After buying the {thing} {he} has {rest} dollars."),
    ];
    Story::new(question, lines, rest)
}

fn gallons_cost(draw: &mut Draw) -> Story {
    let p = draw.person();
    let he = p.he;
    let Division {
        dividend,
        divisor: d,
        ..
    } = draw.division_in(8..=120);
    let (a, b) = draw.split(dividend);
    let miles = add(a, b);
    let gallons = div(miles, d);
    let price = draw.multiplier_of(gallons);
    let cost = mul(gallons, price);
    let question = format!(
        "{p} drives {a} miles on Friday and {b} miles on Sunday. The car uses one gallon of gas \
         every {d} miles. Each gallon costs {price} dollars. How many dollars does {he} pay for gas?"
    );
    let lines = [
        format!("{p} drives {miles} miles."),
        format!("The car uses {gallons} gallons."),
        format!("The gas costs {cost} dollars."),
    ];
    Story::new(question, lines, cost)
}

fn trays_bags_sale(draw: &mut Draw) -> Story {
    let p = draw.person();
    let Person { he, cap_he, .. } = p;
    let Factors { left: a, right: b } = draw.factors();
    let rolls = mul(a, b);
    let d = draw.divisor_of(rolls);
    let bags = div(rolls, d);
    let price = draw.multiplier_of(bags);
    let money = mul(bags, price);
    let question = format!(
        "{p} bakes {a} trays of rolls with {b} rolls on each tray. {cap_he} puts the rolls into \
         bags of {d} and sells each bag for {price} dollars. How many dollars does {he} get?"
    );
    let lines = [
        format!("{p} bakes {rolls} rolls."),
        format!("They fill {bags} bags."),
        format!("The bags bring {money} dollars."),
    ];
    Story::new(question, lines, money)
}

fn runner_compare(draw: &mut Draw) -> Story {
    let [p, q] = draw.people();
    // A week has six days before Sunday.
    let (a, days) = (draw.number(2..=9), draw.number(2..=6));
    let workdays = mul(a, days);
    let c = draw.number(2..=20);
    let all = add(workdays, c);
    let other = draw.part_of(all);
    let more = sub(all, other);
    let question = format!(
        "{p} runs {a} miles a day for {days} days and then {c} miles on Sunday. {q} runs {other} \
         miles in all. How many more miles does {p} run than {q}?"
    );
    let lines = [
        format!("In {days} days {p} runs {workdays} miles."),
        format!("With Sunday {p} runs {all} miles."),
        format!("{p} runs {more} more miles than {q}."),
    ];
    Story::new(question, lines, more)
}

/// The length of the film does not matter.
fn film_tickets_distractor(draw: &mut Draw) -> Story {
    let p = draw.person();
    let Person { he, cap_he, .. } = p;
    let Factors { left: a, right: b } = draw.factors_in(4..=90);
    let tickets = mul(a, b);
    let c = draw.number(2..=15);
    let cost = add(tickets, c);
    let paid = u32::from(cost) + draw.number(2..=40);
    let change = sub(paid, cost);
    let minutes = draw.number(70..=99);
    let question = format!(
        "{p} buys {a} film tickets for {b} dollars each and a drink for {c} dollars. The film \
         lasts {minutes} minutes. {cap_he} pays with {paid} dollars. \
         How many dollars does {he} get back?"
    );
    let lines = [
        format!("The tickets cost {tickets} dollars."),
        format!("With the drink {p} pays {cost} dollars."),
        format!("Then {he} gets {change} dollars back."),
    ];
    Story::new(question, lines, change)
}

fn pizza_share(draw: &mut Draw) -> Story {
    let Division {
        dividend,
        divisor: d,
        ..
    } = draw.division_in(8..=120);
    let Factors { left: a, right: b } = draw.factors_in(4..=dividend - 2);
    let pizzas = mul(a, b);
    let c = dividend - u32::from(pizzas);
    let all = add(pizzas, c);
    let each = div(all, d);
    let question = format!(
        "A group of {d} friends buys {a} pizzas for {b} dollars each and drinks for {c} dollars. \
         They share the cost equally. How many dollars does each friend pay?"
    );
    let lines = [
        format!("The pizzas cost {pizzas} dollars."),
        format!("With the drinks they pay {all} dollars."),
        format!("Each friend pays {each} dollars."),
    ];
    Story::new(question, lines, each)
}
