//! Templates of four steps.

use super::arithmetic::{add, div, mul, sub};
use super::draw::{Division, Draw, Factors};
use super::template::{Story, Template, held_out, train};
use super::vocabulary::Person;

pub(super) const TEMPLATES: &[Template] = &[
    train("garden_rows", 4, garden_rows),
    train("two_kinds_change", 4, two_kinds_change),
    train("three_children", 4, three_children),
    train("rolls_after_flour", 4, rolls_after_flour),
    train("trip_gas_and_food", 4, trip_gas_and_food),
    train("weeks_to_bike", 4, weeks_to_bike),
    train("team_balls", 4, team_balls),
    train("fruit_stand_distractor", 4, fruit_stand_distractor),
    held_out("lose_find_box", 4, lose_find_box),
];

fn garden_rows(draw: &mut Draw) -> Story {
    let Factors { left: a, right: b } = draw.factors_in(4..=72);
    let Factors { left: c, right: d } = draw.factors_in(4..=72);
    let (roses, tulips) = (mul(a, b), mul(c, d));
    let all = add(roses, tulips);
    let dead = draw.part_of(all);
    let rest = sub(all, dead);
    let p = draw.person();
    let question = if draw.coin() {
        format!(
            "{p} plants {a} rows of {b} roses and {c} rows of {d} tulips in a garden. \
             In the cold {dead} of the flowers die. How many flowers are left?"
        )
    } else {
        format!(
            "In a garden {p} has {a} rows of {b} roses and {c} rows of {d} tulips. \
             Then {dead} flowers die. How many flowers are left in the garden?"
        )
    };
    let lines = [
        format!("There are {roses} roses."),
        format!("There are {tulips} tulips."),
        format!("{p} plants {all} flowers."),
        format!("In the end {rest} flowers are left."),
    ];
    Story::new(question, lines, rest)
}

fn two_kinds_change(draw: &mut Draw) -> Story {
    let (p, [i, j]) = (draw.person(), draw.nouns());
    let Person { he, cap_he, .. } = p;
    let Factors { left: a, right: b } = draw.factors_in(4..=55);
    let Factors { left: c, right: d } = draw.factors_in(4..=55);
    let (first, second) = (mul(a, b), mul(c, d));
    let spent = add(first, second);
    let money = u32::from(spent) + draw.number(2..=40);
    let rest = sub(money, spent);
    let question = if draw.coin() {
        format!(
            "{p} has {money} dollars. {cap_he} buys {a} {i} for {b} dollars each and {c} {j} for \
             {d} dollars each. How many dollars does {p} have left?"
        )
    } else {
        format!(
            "{p} takes {money} dollars to a shop and buys {a} {i} at {b} dollars each and {c} {j} \
             at {d} dollars each. How many dollars are left?"
        )
    };
    let lines = [
        format!("The {i} cost {first} dollars."),
        format!("The {j} cost {second} dollars."),
        format!("{p} pays {spent} dollars."),
        format!("Now {he} has {rest} dollars left."),
    ];
    Story::new(question, lines, rest)
}

fn three_children(draw: &mut Draw) -> Story {
    let ([p, q, r], i) = (draw.people(), draw.noun());
    let Factors { left: k, right: a } = draw.factors_in(4..=54);
    let many = mul(k, a);
    let c = draw.number(2..=28);
    let more = add(many, c);
    let two = add(a, many);
    let all = add(two, more);
    let question = format!(
        "{p} has {a} {i}. {q} has {k} times as many {i} as {p}. {r} has {c} more {i} than {q}. \
         How many {i} do all three have together?"
    );
    let lines = [
        format!("{q} has {many} {i}."),
        format!("{r} has {more} {i}."),
        format!("{p} and {q} have {two} {i}."),
        format!("All three have {all} {i}."),
    ];
    Story::new(question, lines, all)
}

fn rolls_after_flour(draw: &mut Draw) -> Story {
    let p = draw.person();
    let Person { he, cap_he, .. } = p;
    let Factors { left: a, right: b } = draw.factors();
    let rolls = mul(a, b);
    let d = draw.divisor_of(rolls);
    let bags = div(rolls, d);
    let price = draw.multiplier_of(bags);
    let money = mul(bags, price);
    let flour = draw.number(2..=20.min(u32::from(money) - 2));
    let rest = sub(money, flour);
    let question = format!(
        "{p} bakes {a} trays of rolls with {b} rolls on each tray. {cap_he} puts them into bags \
         of {d} and sells each bag for {price} dollars. {cap_he} pays {flour} dollars for flour. \
         How many dollars does {he} keep?"
    );
    let lines = [
        format!("{p} bakes {rolls} rolls."),
        format!("They fill {bags} bags."),
        format!("The bags bring {money} dollars."),
        format!("After the flour {he} keeps {rest} dollars."),
    ];
    Story::new(question, lines, rest)
}

fn trip_gas_and_food(draw: &mut Draw) -> Story {
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
    let price = draw.multiplier_of(gallons);
    let gas = mul(gallons, price);
    let food = draw.number(2..=40);
    let all = add(gas, food);
    let question = format!(
        "{p} drives {a} miles on Friday and {b} miles on Sunday. The car uses one gallon of gas \
         every {d} miles. A gallon costs {price} dollars. {cap_he} also pays {food} dollars for \
         food. How many dollars does {he} pay in all?"
    );
    let lines = [
        format!("{p} drives {miles} miles."),
        format!("The car uses {gallons} gallons."),
        format!("The gas costs {gas} dollars."),
        format!("With the food {he} pays {all} dollars."),
    ];
    Story::new(question, lines, all)
}

fn weeks_to_bike(draw: &mut Draw) -> Story {
    let p = draw.person();
    let Person {
        he,
        cap_he,
        his,
        him,
        ..
    } = p;
    let Factors { left: a, right: b } = draw.factors_in(4..=50);
    let Division {
        dividend,
        divisor: d,
        ..
    } = draw.division_in(4..=72);
    let saved = mul(a, b);
    let c = draw.number(2..=28);
    let all = add(saved, c);
    let price = u32::from(all) + dividend;
    let missing = sub(price, all);
    let weeks = div(missing, d);
    let question = format!(
        "{p} wants a bike for {price} dollars. {cap_he} has saved {a} dollars a week for {b} \
         weeks, and {his} aunt gives {him} {c} dollars. If {he} now saves {d} dollars a week, \
         how many more weeks does {he} need?"
    );
    let lines = [
        format!("{p} has saved {saved} dollars."),
        format!("With the gift {he} has {all} dollars."),
        format!("The bike costs {missing} dollars more."),
        format!("That takes {weeks} weeks."),
    ];
    Story::new(question, lines, weeks)
}

fn team_balls(draw: &mut Draw) -> Story {
    let Division {
        dividend,
        divisor: d,
        ..
    } = draw.division_in(8..=100);
    let (a, b) = draw.split(dividend);
    let children = add(a, b);
    let teams = div(children, d);
    let k = draw.multiplier_of(teams);
    let balls = mul(teams, k);
    let c = draw.part_of(balls);
    let missing = sub(balls, c);
    let question = format!(
        "A school has {a} girls and {b} boys. They form teams of {d}, and each team needs {k} \
         balls. The school has {c} balls. How many more balls does it need?"
    );
    let lines = [
        format!("The school has {children} children."),
        format!("They form {teams} teams."),
        format!("The teams need {balls} balls."),
        format!("The school needs {missing} more balls."),
    ];
    Story::new(question, lines, missing)
}

/// The hours of work do not matter.
fn fruit_stand_distractor(draw: &mut Draw) -> Story {
    let [p, q] = draw.people();
    let Person { he, cap_he, .. } = p;
    let Factors { left: a, right: b } = draw.factors_in(4..=72);
    let Factors { left: c, right: d } = draw.factors_in(4..=72);
    let (lemons, oranges) = (mul(a, b), mul(c, d));
    let all = add(lemons, oranges);
    let gift = draw.part_of(all);
    let rest = sub(all, gift);
    let hours = draw.number(2..=9);
    let question = format!(
        "{p} works {hours} hours and sells {a} bags of lemons for {b} dollars each and {c} bags \
         of oranges for {d} dollars each. {cap_he} gives {gift} dollars to {q}. \
         How many dollars does {he} keep?"
    );
    let lines = [
        format!("The lemons bring {lemons} dollars."),
        format!("The oranges bring {oranges} dollars."),
        format!("{p} gets {all} dollars."),
        format!("After giving {gift} away {he} keeps {rest} dollars."),
    ];
    Story::new(question, lines, rest)
}

fn lose_find_box(draw: &mut Draw) -> Story {
    let (p, i) = (draw.person(), draw.noun());
    let Person { he, cap_he, .. } = p;
    let Factors { left: a, right: b } = draw.factors();
    let all = mul(a, b);
    let lost = draw.part_of(all);
    let rest = sub(all, lost);
    let low = u32::from(rest) + 2;
    let Division {
        dividend,
        divisor: d,
        ..
    } = draw.division_in(low..=low + 40);
    let found = dividend - u32::from(rest);
    let now = add(rest, found);
    let each = div(now, d);
    let question = format!(
        "{p} has {a} bags with {b} {i} in each bag. {cap_he} loses {lost} {i} and then finds \
         {found} more. {cap_he} puts all {i} equally into {d} boxes. \
         How many {i} are in each box?"
    );
    let lines = [
        format!("The bags hold {all} {i}."),
        format!("After losing {lost} {he} has {rest} {i}."),
        format!("After finding {found} {he} has {now} {i}."),
        format!("Each box gets {each} {i}."),
    ];
    Story::new(question, lines, each)
}
