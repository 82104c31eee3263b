//! Templates of five steps.

use super::arithmetic::{add, div, mul, sub};
use super::draw::{Division, Draw, Factors};
use super::template::{Story, Template, held_out, train};
use super::vocabulary::Person;

pub(super) const TEMPLATES: &[Template] = &[
    train("two_kinds_bag_change", 5, two_kinds_bag_change),
    train("egg_baskets", 5, egg_baskets),
    train("wage_shared", 5, wage_shared),
    train("trip_money_left", 5, trip_money_left),
    held_out("pack_and_sell", 5, pack_and_sell),
];

fn two_kinds_bag_change(draw: &mut Draw) -> Story {
    let (p, [i, j]) = (draw.person(), draw.nouns());
    let Person { he, cap_he, .. } = p;
    let Factors { left: a, right: b } = draw.factors_in(4..=50);
    let Factors { left: c, right: d } = draw.factors_in(4..=50);
    let (first, second) = (mul(a, b), mul(c, d));
    let both = add(first, second);
    let bag = draw.number(2..=20);
    let all = add(both, bag);
    let paid = u32::from(all) + draw.number(2..=30);
    let change = sub(paid, all);
    let question = format!(
        "{p} buys {a} {i} for {b} dollars each, {c} {j} for {d} dollars each and a bag for {bag} \
         dollars. {cap_he} pays with {paid} dollars. How many dollars does {he} get back?"
    );
    let lines = [
        format!("The {i} cost {first} dollars."),
        format!("The {j} cost {second} dollars."),
        format!("Together they cost {both} dollars."),
        format!("With the bag {p} pays {all} dollars."),
        format!("Then {he} gets {change} dollars back."),
    ];
    Story::new(question, lines, change)
}

fn egg_baskets(draw: &mut Draw) -> Story {
    let p = draw.person();
    let Person { he, cap_he, .. } = p;
    let Factors { left: a, right: b } = draw.factors_in(4..=72);
    let Factors { left: c, right: d } = draw.factors_in(4..=72);
    let (large, small) = (mul(a, b), mul(c, d));
    let all = add(large, small);
    // The largest dividend is 120, and a question takes away at most 60.
    let low = u32::from(all).saturating_sub(60).max(4);
    let Division {
        dividend, divisor, ..
    } = draw.division_in(low..=u32::from(all) - 2);
    let broken = u32::from(all) - dividend;
    let rest = sub(all, broken);
    let boxes = div(rest, divisor);
    let question = format!(
        "{p} fills {a} large baskets with {b} eggs each and {c} small baskets with {d} eggs each. \
         On the way {broken} eggs break. {cap_he} packs the rest into boxes of {divisor}. \
         How many boxes does {he} fill?"
    );
    let lines = [
        format!("The large baskets hold {large} eggs."),
        format!("The small baskets hold {small} eggs."),
        format!("Together they hold {all} eggs."),
        format!("After {broken} break {he} has {rest} eggs."),
        format!("They fill {boxes} boxes."),
    ];
    Story::new(question, lines, boxes)
}

fn wage_shared(draw: &mut Draw) -> Story {
    let p = draw.person();
    let Person { he, cap_he, .. } = p;
    let total = draw.number(4..=12);
    let (a, b) = draw.split(total);
    let hours = add(a, b);
    let pay = draw.number(4..=9);
    let wage = mul(hours, pay);
    let Division {
        dividend,
        divisor: d,
        ..
    } = draw.division_in(4..=u32::from(wage) - 4);
    let (food, hat) = draw.split(u32::from(wage) - dividend);
    let after_food = sub(wage, food);
    let rest = sub(after_food, hat);
    let each = div(rest, d);
    let question = format!(
        "{p} works {a} hours on Monday and {b} hours on Friday for {pay} dollars an hour. \
         {cap_he} pays {food} dollars for food and {hat} dollars for a hat and shares the rest \
         equally among {d} friends. How many dollars does each friend get?"
    );
    let lines = [
        format!("{p} works {hours} hours."),
        format!("{p} earns {wage} dollars."),
        format!("After the food {he} has {after_food} dollars."),
        format!("After the hat {he} has {rest} dollars."),
        format!("Each friend gets {each} dollars."),
    ];
    Story::new(question, lines, each)
}

fn trip_money_left(draw: &mut Draw) -> Story {
    let p = draw.person();
    let Person { he, cap_he, .. } = p;
    let Division {
        dividend,
        divisor: d,
        ..
    } = draw.division_in(8..=120);
    let (a, b) = draw.split(dividend);
    let miles = add(a, b);
    let gallons = div(miles, d);
    let price = draw.number(2..=9);
    let gas = mul(gallons, price);
    let food = draw.number(2..=20);
    let all = add(gas, food);
    let money = u32::from(all) + draw.number(2..=22);
    let rest = sub(money, all);
    let question = format!(
        "{p} has {money} dollars. {cap_he} drives {a} miles on Friday and {b} miles on Sunday. \
         The car uses one gallon of gas every {d} miles. A gallon costs {price} dollars. Food \
         costs {food} dollars. How many dollars does {p} have left?"
    );
    let lines = [
        format!("{p} drives {miles} miles."),
        format!("The car uses {gallons} gallons."),
        format!("The gas costs {gas} dollars."),
        format!("With the food {he} pays {all} dollars."),
        format!("Now {he} has {rest} dollars left."),
    ];
    Story::new(question, lines, rest)
}

fn pack_and_sell(draw: &mut Draw) -> Story {
    let (p, i) = (draw.person(), draw.noun());
    let Person { he, cap_he, .. } = p;
    let Division {
        dividend,
        divisor: d,
        ..
    } = draw.division_in(8..=120);
    let low = dividend.saturating_sub(60).max(4);
    let Factors { left: a, right: b } = draw.factors_in(low..=dividend - 2);
    let bags = mul(a, b);
    let home = dividend - u32::from(bags);
    let all = add(bags, home);
    let boxes = div(all, d);
    let price = draw.multiplier_of(boxes);
    let money = mul(boxes, price);
    let hat = draw.part_of(money);
    let rest = sub(money, hat);
    let question = format!(
        "{p} buys {a} bags with {b} {i} in each bag and has {home} {i} at home. {cap_he} packs \
         them all into boxes of {d} and sells each box for {price} dollars. Then {he} buys a hat \
         for {hat} dollars. How many dollars does {he} keep?"
    );
    let lines = [
        format!("The bags hold {bags} {i}."),
        format!("With {home} at home {p} has {all} {i}."),
        format!("They fill {boxes} boxes."),
        format!("The boxes bring {money} dollars."),
        format!("After buying the hat {he} keeps {rest} dollars."),
    ];
    Story::new(question, lines, rest)
}
