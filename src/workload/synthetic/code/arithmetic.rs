//! Functions that calculate with their arguments.

use super::call::call_with_numbers;
use super::names::{Function, function};
use crate::workload::synthetic::draw::Draw;
use crate::workload::synthetic::task::{Exchange, Task, lines, task};

pub(super) const TASKS: &[Task] = &[
    task("scaled_sum", scaled_sum),
    task("scaled_difference", scaled_difference),
    task("mean_of_two", mean_of_two),
    task("product_less", product_less),
    task("percent_off", percent_off),
    task("groups_and_rest", groups_and_rest),
    task("hours_to_minutes", hours_to_minutes),
    task("polynomial", polynomial),
    task("distance_plus", distance_plus),
];

fn scaled_sum(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a, b],
    } = function(draw);
    let k = draw.number(2..=9);
    let m = draw.number(2..=9);
    let question =
        format!("{opening} {name}({a}, {b}) that returns {k} times {a} plus {m} times {b}.");
    let answer = lines!(
        "def {name}({a}, {b}):",
        "    first = {k} * {a}",
        "    second = {m} * {b}",
        "    return first + second",
    );
    call_with_numbers::<2>(draw, &name, question, answer)
}

fn scaled_difference(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a, b],
    } = function(draw);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({a}, {b}) that subtracts {b} from {a} and returns {c} times the \
         difference."
    );
    let answer = lines!(
        "def {name}({a}, {b}):",
        "    difference = {a} - {b}",
        "    return difference * {c}",
    );
    call_with_numbers::<2>(draw, &name, question, answer)
}

fn mean_of_two(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a, b],
    } = function(draw);
    let c = draw.number(2..=60);
    let question =
        format!("{opening} {name}({a}, {b}) that returns the mean of {a} and {b} plus {c}.");
    let answer = lines!(
        "def {name}({a}, {b}):",
        "    total = {a} + {b}",
        "    mean = total / 2",
        "    return mean + {c}",
    );
    call_with_numbers::<2>(draw, &name, question, answer)
}

fn product_less(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a, b],
    } = function(draw);
    let c = draw.number(2..=60);
    let question =
        format!("{opening} {name}({a}, {b}) that returns the product of {a} and {b} minus {c}.");
    let answer = lines!(
        "def {name}({a}, {b}):",
        "    product = {a} * {b}",
        "    return product - {c}",
    );
    call_with_numbers::<2>(draw, &name, question, answer)
}

fn percent_off(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let c = draw.number(2..=60);
    let d = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({a}) that takes {c} percent off {a}, adds {d} and returns the result."
    );
    let answer = lines!(
        "def {name}({a}):",
        "    discount = {a} * {c} / 100",
        "    reduced = {a} - discount",
        "    return reduced + {d}",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}

fn groups_and_rest(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({a}) that divides {a} into groups of {c} and returns the number of \
         groups and the rest."
    );
    let answer = lines!(
        "def {name}({a}):",
        "    groups = {a} // {c}",
        "    rest = {a} % {c}",
        "    return groups, rest",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}

fn hours_to_minutes(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a, b],
    } = function(draw);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({a}, {b}) that turns {a} hours and {b} minutes into minutes and \
         returns them plus {c}."
    );
    let answer = lines!(
        "def {name}({a}, {b}):",
        "    minutes = {a} * 60",
        "    total = minutes + {b}",
        "    return total + {c}",
    );
    call_with_numbers::<2>(draw, &name, question, answer)
}

fn polynomial(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let k = draw.number(2..=9);
    let m = draw.number(2..=9);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({a}) that returns {k} times the square of {a} plus {m} times {a} plus \
         {c}."
    );
    let answer = lines!(
        "def {name}({a}):",
        "    square = {a} * {a}",
        "    return {k} * square + {m} * {a} + {c}",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}

fn distance_plus(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a, b],
    } = function(draw);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({a}, {b}) that returns the distance between {a} and {b} plus {c}."
    );
    let answer = lines!(
        "def {name}({a}, {b}):",
        "    difference = {a} - {b}",
        "    distance = abs(difference)",
        "    return distance + {c}",
    );
    call_with_numbers::<2>(draw, &name, question, answer)
}
