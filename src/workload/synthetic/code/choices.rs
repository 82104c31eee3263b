//! Functions that decide by a threshold.

use super::call::call_with_numbers;
use super::names::{Function, function};
use crate::workload::synthetic::draw::Draw;
use crate::workload::synthetic::task::{Exchange, Task, lines, task};
use crate::workload::synthetic::words::COLORS;

pub(super) const TASKS: &[Task] = &[
    task("either", either),
    task("three_levels", three_levels),
    task("clamp", clamp),
    task("say_color", say_color),
    task("larger_plus", larger_plus),
    task("both_above", both_above),
    task("extra_above", extra_above),
];

fn either(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let c = draw.number(2..=60);
    let d = draw.number(2..=60);
    let e = draw.number(2..=60);
    let question =
        format!("{opening} {name}({a}) that returns {d} if {a} is above {c} and {e} if not.");
    let answer = lines!(
        "def {name}({a}):",
        "    if {a} > {c}:",
        "        return {d}",
        "    return {e}",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}

fn three_levels(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let c = draw.number(2..=60);
    let high = c + draw.number(2..=40);
    let question = format!(
        "{opening} {name}({a}) that returns 1 if {a} is below {c}, 2 if it is below {high}, and \
         3 if not."
    );
    let answer = lines!(
        "def {name}({a}):",
        "    if {a} < {c}:",
        "        return 1",
        "    elif {a} < {high}:",
        "        return 2",
        "    else:",
        "        return 3",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}

fn clamp(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let c = draw.number(2..=60);
    let high = c + draw.number(2..=40);
    let question = format!("{opening} {name}({a}) that keeps {a} between {c} and {high}.");
    let answer = lines!(
        "def {name}({a}):",
        "    if {a} < {c}:",
        "        return {c}",
        "    if {a} > {high}:",
        "        return {high}",
        "    return {a}",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}

fn say_color(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let c = draw.number(2..=60);
    let [one, other] = draw.pick_distinct(&COLORS);
    let question = format!(
        "{opening} {name}({a}) that returns 'all {one}' if {a} is at least {c} and 'all {other}' if not."
    );
    let answer = lines!(
        "def {name}({a}):",
        "    if {a} >= {c}:",
        "        return 'all {one}'",
        "    else:",
        "        return 'all {other}'",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}

fn larger_plus(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a, b],
    } = function(draw);
    let c = draw.number(2..=60);
    let question =
        format!("{opening} {name}({a}, {b}) that returns the larger of {a} and {b} plus {c}.");
    let answer = lines!(
        "def {name}({a}, {b}):",
        "    if {a} > {b}:",
        "        larger = {a}",
        "    else:",
        "        larger = {b}",
        "    return larger + {c}",
    );
    call_with_numbers::<2>(draw, &name, question, answer)
}

fn both_above(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a, b],
    } = function(draw);
    let c = draw.number(2..=60);
    let d = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({a}, {b}) that returns whether {a} is above {c} and {b} is above {d}."
    );
    let answer = lines!(
        "def {name}({a}, {b}):",
        "    is_first = {a} > {c}",
        "    is_second = {b} > {d}",
        "    return is_first and is_second",
    );
    call_with_numbers::<2>(draw, &name, question, answer)
}

fn extra_above(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a, b],
    } = function(draw);
    let c = draw.number(2..=60);
    let k = draw.number(2..=9);
    let question = format!(
        "{opening} {name}({a}, {b}) that returns {a} times {b}, and {k} times as much if {a} is \
         above {c}."
    );
    let answer = lines!(
        "def {name}({a}, {b}):",
        "    result = {a} * {b}",
        "    if {a} > {c}:",
        "        result = result * {k}",
        "    return result",
    );
    call_with_numbers::<2>(draw, &name, question, answer)
}
