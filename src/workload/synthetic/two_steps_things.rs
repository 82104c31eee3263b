//! Templates of two steps about things that are counted, packed and shared.

use super::arithmetic::{add, div, mul, sub};
use super::draw::{Division, Draw, Factors};
use super::template::{Story, Template, held_out, train};
use super::vocabulary::Person;

pub(super) const TEMPLATES: &[Template] = &[
    train("boxes_then_gift", 2, boxes_then_gift),
    train("bags_and_home", 2, bags_and_home),
    train("collect_then_sell", 2, collect_then_sell),
    train("find_and_share", 2, find_and_share),
    train("pack_and_add", 2, pack_and_add),
    train("trays_to_bags", 2, trays_to_bags),
    train("more_and_together", 2, more_and_together),
    held_out("give_then_plates", 2, give_then_plates),
];

fn boxes_then_gift(draw: &mut Draw) -> Story {
    let ([p, q], i) = (draw.people(), draw.noun());
    let Person { he, cap_he, .. } = p;
    let Factors { left: a, right: b } = draw.factors();
    let total = mul(a, b);
    let c = draw.part_of(total);
    let rest = sub(total, c);
    let question = if draw.coin() {
        format!(
            "{p} has {a} boxes with {b} {i} in each box. {cap_he} gives {c} {i} to {q}. \
             How many {i} does {p} have left?"
        )
    } else {
        format!(
            "There are {b} {i} in each of the {a} boxes that {p} has. {cap_he} gives {c} {i} \
             to {q}. How many {i} does {p} still have?"
        )
    };
    let lines = [
        format!("{p} has {total} {i}."),
        format!("After giving {c} away {he} has {rest} {i}."),
    ];
    Story::new(question, lines, rest)
}

fn bags_and_home(draw: &mut Draw) -> Story {
    let (p, i) = (draw.person(), draw.noun());
    let cap_he = p.cap_he;
    let Factors { left: a, right: b } = draw.factors_in(4..=100);
    let bags = mul(a, b);
    let c = draw.addend(bags);
    let all = add(bags, c);
    let question = if draw.coin() {
        format!(
            "{p} buys {a} bags of {i}. Each bag holds {b} {i}. {cap_he} already had {c} {i} \
             at home. How many {i} does {p} have now?"
        )
    } else {
        format!(
            "{p} has {c} {i} at home. {cap_he} buys {a} bags with {b} {i} in each bag. \
             How many {i} does {p} have now?"
        )
    };
    let lines = [
        format!("The bags hold {bags} {i}."),
        format!("With {c} at home {p} has {all} {i}."),
    ];
    Story::new(question, lines, all)
}

fn collect_then_sell(draw: &mut Draw) -> Story {
    let (p, i) = (draw.person(), draw.noun());
    let Person { he, cap_he, .. } = p;
    let (a, b) = (draw.number(3..=60), draw.number(3..=60));
    let all = add(a, b);
    let c = draw.part_of(all);
    let rest = sub(all, c);
    let question = format!(
        "{p} collects {a} {i} in the morning and {b} {i} in the afternoon. {cap_he} sells {c} \
         of them. How many {i} does {p} have left?"
    );
    let lines = [
        format!("{p} collects {all} {i}."),
        format!("After selling {c} {he} has {rest} {i}."),
    ];
    Story::new(question, lines, rest)
}

fn find_and_share(draw: &mut Draw) -> Story {
    let ([p, q], i) = (draw.people(), draw.noun());
    let Division {
        dividend,
        divisor: d,
        ..
    } = draw.division();
    let (a, b) = draw.split(dividend);
    let all = add(a, b);
    let each = div(all, d);
    let question = if draw.coin() {
        format!(
            "{p} finds {a} {i} and {q} finds {b} {i}. They share all the {i} equally among {d} \
             friends. How many {i} does each friend get?"
        )
    } else {
        format!(
            "{p} and {q} share {i} equally among {d} friends. {p} brings {a} {i} and {q} brings \
             {b} {i}. How many {i} does each friend get?"
        )
    };
    let lines = [
        format!("Together they have {all} {i}."),
        format!("Each friend gets {each} {i}."),
    ];
    Story::new(question, lines, each)
}

fn pack_and_add(draw: &mut Draw) -> Story {
    let (p, i) = (draw.person(), draw.noun());
    let cap_he = p.cap_he;
    let Division {
        dividend,
        divisor: d,
        ..
    } = draw.division();
    let each = div(dividend, d);
    let c = draw.number(2..=30);
    let now = add(each, c);
    let question = format!(
        "{p} packs {dividend} {i} equally into {d} boxes. {cap_he} then adds {c} more {i} to \
         each box. How many {i} are in each box now?"
    );
    let lines = [
        format!("Each box first gets {each} {i}."),
        format!("After adding {c} each box has {now} {i}."),
    ];
    Story::new(question, lines, now)
}

fn trays_to_bags(draw: &mut Draw) -> Story {
    let p = draw.person();
    let cap_he = p.cap_he;
    let Factors { left: a, right: b } = draw.factors();
    let rolls = mul(a, b);
    let d = draw.divisor_of(rolls);
    let bags = div(rolls, d);
    let question = format!(
        "{p} bakes {a} trays of rolls with {b} rolls on each tray. {cap_he} puts the rolls into \
         bags of {d}. How many bags does {p} fill?"
    );
    let lines = [
        format!("{p} bakes {rolls} rolls."),
        format!("They fill {bags} bags."),
    ];
    Story::new(question, lines, bags)
}

fn more_and_together(draw: &mut Draw) -> Story {
    let ([p, q], i) = (draw.people(), draw.noun());
    let (a, b) = (draw.number(2..=55), draw.number(2..=40));
    let more = add(a, b);
    let all = add(a, more);
    let question = format!(
        "{p} has {a} {i} at home. {q} has {b} more {i} than {p}. \
         How many {i} do {p} and {q} have together?"
    );
    let lines = [
        format!("{q} has {more} {i}."),
        format!("Together they have {all} {i}."),
    ];
    Story::new(question, lines, all)
}

fn give_then_plates(draw: &mut Draw) -> Story {
    let p = draw.person();
    let Person { he, cap_he, .. } = p;
    let Division {
        dividend,
        divisor: d,
        ..
    } = draw.division();
    let given = draw.number(2..=30);
    let all = dividend + given;
    let rest = sub(all, given);
    let each = div(rest, d);
    let question = format!(
        "{p} has {all} cookies. {cap_he} gives {given} cookies away and puts the rest equally \
         on {d} plates. How many cookies are on each plate?"
    );
    let lines = [
        format!("After giving {given} away {he} has {rest} cookies."),
        format!("Each plate gets {each} cookies."),
    ];
    Story::new(question, lines, each)
}
