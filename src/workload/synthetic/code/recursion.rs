//! Functions that call themselves.

use super::call::call_with_numbers;
use super::names::{Function, function};
use crate::workload::synthetic::draw::Draw;
use crate::workload::synthetic::task::{Exchange, Task, lines, task};

pub(super) const TASKS: &[Task] = &[
    task("recursive_sum", recursive_sum),
    task("recursive_power", recursive_power),
    task("recursive_countdown", recursive_countdown),
    task("recursive_halving", recursive_halving),
    task("recursive_pair", recursive_pair),
];

fn recursive_sum(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let c = draw.number(2..=60);
    let k = draw.number(2..=9);
    let question = format!(
        "{opening} {name}({a}) that returns {c} if {a} is below {k}, and {a} plus its own value \
         for {a} minus {k} if not."
    );
    let answer = lines!(
        "def {name}({a}):",
        "    if {a} < {k}:",
        "        return {c}",
        "    rest = {name}({a} - {k})",
        "    return {a} + rest",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}

fn recursive_power(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let c = draw.number(2..=60);
    let k = draw.number(2..=9);
    let question = format!(
        "{opening} {name}({a}) that calls itself and returns {c} times {k} to the power {a}."
    );
    let answer = lines!(
        "def {name}({a}):",
        "    if {a} == 0:",
        "        return {c}",
        "    rest = {name}({a} - 1)",
        "    return {k} * rest",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}

fn recursive_countdown(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let c = draw.number(2..=60);
    let k = draw.number(2..=9);
    let question = format!(
        "{opening} {name}({a}) that calls itself and lists the values from {a} down to {c} in \
         steps of {k}."
    );
    let answer = lines!(
        "def {name}({a}):",
        "    if {a} < {c}:",
        "        return []",
        "    rest = {name}({a} - {k})",
        "    return [{a}] + rest",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}

fn recursive_halving(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let c = draw.number(2..=60);
    let k = draw.number(2..=9);
    let question = format!(
        "{opening} {name}({a}) that calls itself and counts how often {a} can be divided by {k} \
         until it is below {c}."
    );
    let answer = lines!(
        "def {name}({a}):",
        "    if {a} < {c}:",
        "        return 0",
        "    rest = {name}({a} // {k})",
        "    return 1 + rest",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}

fn recursive_pair(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let c = draw.number(2..=60);
    let k = draw.number(2..=9);
    let question = format!(
        "{opening} {name}({a}) that returns {c} if {a} is below {k}, and the sum of its two \
         values before {a} if not."
    );
    let answer = lines!(
        "def {name}({a}):",
        "    if {a} < {k}:",
        "        return {c}",
        "    first = {name}({a} - 1)",
        "    second = {name}({a} - 2)",
        "    return first + second",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}
