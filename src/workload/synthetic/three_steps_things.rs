//! Templates of three steps about things that are counted, packed and shared.

use super::arithmetic::{add, div, mul, sub};
use super::draw::{Division, Draw, Factors};
use super::template::{Story, Template, held_out, train};
use super::vocabulary::Person;

pub(super) const TEMPLATES: &[Template] = &[
    train("times_then_fewer", 3, times_then_fewer),
    train("farm_legs", 3, farm_legs),
    train("class_teams", 3, class_teams),
    train("library_shelves", 3, library_shelves),
    train("tulip_rows", 3, tulip_rows),
    train("half_then_more", 3, half_then_more),
    train("colors_compare", 3, colors_compare),
    held_out("broken_eggs_boxes", 3, broken_eggs_boxes),
];

fn times_then_fewer(draw: &mut Draw) -> Story {
    let ([p, q, r], i) = (draw.people(), draw.noun());
    let (a, k) = (draw.number(3..=12), draw.number(2..=9));
    let many = mul(k, a);
    let c = draw.part_of(many);
    let fewer = sub(many, c);
    let all = add(a, fewer);
    let question = format!(
        "{p} has {a} {i}. {q} has {k} times as many {i} as {p}. {r} has {c} fewer {i} than {q}. \
         How many {i} do {p} and {r} have together?"
    );
    let lines = [
        format!("{q} has {many} {i}."),
        format!("{r} has {fewer} {i}."),
        format!("Together {p} and {r} have {all} {i}."),
    ];
    Story::new(question, lines, all)
}

fn farm_legs(draw: &mut Draw) -> Story {
    let p = draw.person();
    let (a, b) = (draw.number(2..=12), draw.number(2..=12));
    let (cows, hens) = (mul(a, 4u32), mul(b, 2u32));
    let all = add(cows, hens);
    let question = if draw.coin() {
        format!(
            "{p} has a farm with {a} cows and {b} hens. Each cow has 4 legs and each hen has 2 legs. \
             How many legs do the animals have in all?"
        )
    } else {
        format!(
            "A cow has 4 legs and a hen has 2 legs. On a farm {p} keeps {a} cows and {b} hens. \
             How many legs do the animals have in all?"
        )
    };
    let lines = [
        format!("The cows have {cows} legs."),
        format!("The hens have {hens} legs."),
        format!("The animals have {all} legs."),
    ];
    Story::new(question, lines, all)
}

fn class_teams(draw: &mut Draw) -> Story {
    let Division {
        dividend,
        divisor: d,
        ..
    } = draw.division_in(8..=90);
    let ill = draw.number(2..=10);
    let (a, b) = draw.split(dividend + ill);
    let all = add(a, b);
    let here = sub(all, ill);
    let teams = div(here, d);
    let question = if draw.coin() {
        format!(
            "A school club has {a} girls and {b} boys. Today {ill} of the children are ill. \
             The others form teams of {d}. How many teams are there?"
        )
    } else {
        format!(
            "There are {a} girls and {b} boys in a school club, but {ill} children are ill. \
             The rest form teams of {d}. How many teams do they form?"
        )
    };
    let lines = [
        format!("The club has {all} children."),
        format!("Today {here} children are there."),
        format!("They form {teams} teams."),
    ];
    Story::new(question, lines, teams)
}

fn library_shelves(draw: &mut Draw) -> Story {
    let Factors { left: a, right: b } = draw.factors();
    let books = mul(a, b);
    let out = draw.part_of(books);
    let rest = sub(books, out);
    let back = draw.addend(rest);
    let now = add(rest, back);
    let question = format!(
        "A library has {a} shelves with {b} books on each shelf. People take {out} books home. \
         Then the school gives the library {back} books. How many books does the library have now?"
    );
    let lines = [
        format!("The shelves hold {books} books."),
        format!("After {out} are taken {rest} books stay."),
        format!("In the end there are {now} books."),
    ];
    Story::new(question, lines, now)
}

fn tulip_rows(draw: &mut Draw) -> Story {
    let [p, q] = draw.people();
    let Factors { left: a, right: b } = draw.factors_in(4..=75);
    let first = mul(a, b);
    let c = draw.part_of(first);
    let second = sub(first, c);
    let all = add(first, second);
    let question = format!(
        "{p} plants {a} rows with {b} tulips in each row. {q} plants {c} fewer tulips than {p}. \
         How many tulips do they plant together?"
    );
    let lines = [
        format!("{p} plants {first} tulips."),
        format!("{q} plants {second} tulips."),
        format!("Together they plant {all} tulips."),
    ];
    Story::new(question, lines, all)
}

fn half_then_more(draw: &mut Draw) -> Story {
    let ([p, q, r], i) = (draw.people(), draw.noun());
    let Person { he, cap_he, .. } = p;
    let total = 2 * draw.number(4..=12);
    let half = div(total, 2u32);
    let rest = sub(total, half);
    let c = draw.part_of(rest);
    let end = sub(rest, c);
    let question = format!(
        "{p} has {total} {i}. {cap_he} gives half of the {i} to {q}. Then {he} gives {c} {i} to \
         {r}. How many {i} does {p} have left?"
    );
    let lines = [
        format!("{q} gets {half} {i}."),
        format!("{p} still has {rest} {i}."),
        format!("After giving {c} to {r} {he} has {end} {i}."),
    ];
    Story::new(question, lines, end)
}

fn colors_compare(draw: &mut Draw) -> Story {
    let (p, i) = (draw.person(), draw.noun());
    let cap_he = p.cap_he;
    let (a, b) = (draw.number(2..=45), draw.number(2..=40));
    let blue = add(a, b);
    let c = draw.part_of(blue);
    let green = sub(blue, c);
    let all = add(a, green);
    let question = format!(
        "{p} has {a} red {i}. {cap_he} has {b} more blue {i} than red ones and {c} fewer green \
         {i} than blue ones. How many red and green {i} does {p} have together?"
    );
    let lines = [
        format!("{p} has {blue} blue {i}."),
        format!("{p} has {green} green {i}."),
        format!("Red and green together are {all} {i}."),
    ];
    Story::new(question, lines, all)
}

fn broken_eggs_boxes(draw: &mut Draw) -> Story {
    let p = draw.person();
    let Person { he, cap_he, .. } = p;
    let Division {
        dividend,
        divisor: d,
        ..
    } = draw.division_in(4..=96);
    let Factors { left: a, right: b } = draw.factors_in(dividend + 2..=dividend + 60);
    let eggs = mul(a, b);
    let broken = u32::from(eggs) - dividend;
    let rest = sub(eggs, broken);
    let boxes = div(rest, d);
    let question = format!(
        "{p} fills {a} baskets with {b} eggs each, but {broken} eggs break. {cap_he} packs the \
         rest into boxes of {d}. How many boxes does {p} fill?"
    );
    let lines = [
        format!("{p} has {eggs} eggs."),
        format!("After {broken} break {he} has {rest} eggs."),
        format!("They fill {boxes} boxes."),
    ];
    Story::new(question, lines, boxes)
}
