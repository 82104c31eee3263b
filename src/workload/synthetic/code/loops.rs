//! Functions that make a list or count in a loop.

use super::call::{call_with_list, call_with_numbers};
use super::names::{Function, ListFunction, function, list_function};
use crate::workload::synthetic::draw::Draw;
use crate::workload::synthetic::task::{Exchange, Task, lines, task};

pub(super) const TASKS: &[Task] = &[
    task("keep_above", keep_above),
    task("scale_all", scale_all),
    task("cap_all", cap_all),
    task("divisible", divisible),
    task("sum_of_multiples", sum_of_multiples),
    task("count_doublings", count_doublings),
    task("table_row", table_row),
    task("step_down", step_down),
];

fn keep_above(draw: &mut Draw) -> Exchange {
    let ListFunction {
        opening,
        name,
        list,
        item,
    } = list_function(draw);
    let c = draw.number(2..=60);
    let question = format!("{opening} {name}({list}) that returns a list of the {list} above {c}.");
    let answer = lines!(
        "def {name}({list}):",
        "    result = []",
        "    for {item} in {list}:",
        "        if {item} > {c}:",
        "            result.append({item})",
        "    return result",
    );
    call_with_list(draw, &name, question, answer)
}

fn scale_all(draw: &mut Draw) -> Exchange {
    let ListFunction {
        opening,
        name,
        list,
        item,
    } = list_function(draw);
    let k = draw.number(2..=9);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({list}) that returns a list with {k} times each of the {list} plus \
         {c}."
    );
    let answer = lines!(
        "def {name}({list}):",
        "    result = []",
        "    for {item} in {list}:",
        "        result.append({k} * {item} + {c})",
        "    return result",
    );
    call_with_list(draw, &name, question, answer)
}

fn cap_all(draw: &mut Draw) -> Exchange {
    let ListFunction {
        opening,
        name,
        list,
        item,
    } = list_function(draw);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({list}) that returns a list of the {list} with each value above {c} \
         set to {c}."
    );
    let answer = lines!(
        "def {name}({list}):",
        "    result = []",
        "    for {item} in {list}:",
        "        result.append(min({item}, {c}))",
        "    return result",
    );
    call_with_list(draw, &name, question, answer)
}

fn divisible(draw: &mut Draw) -> Exchange {
    let ListFunction {
        opening,
        name,
        list,
        item,
    } = list_function(draw);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({list}) that returns a list of the {list} that are divisible by {c}."
    );
    let answer = lines!(
        "def {name}({list}):",
        "    result = []",
        "    for {item} in {list}:",
        "        if {item} % {c} == 0:",
        "            result.append({item})",
        "    return result",
    );
    call_with_list(draw, &name, question, answer)
}

fn sum_of_multiples(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let c = draw.number(2..=60);
    let k = draw.number(2..=9);
    let question = format!(
        "{opening} {name}({a}) that returns the sum of the numbers from {c} to {a} that are \
         divisible by {k}."
    );
    let answer = lines!(
        "def {name}({a}):",
        "    total = 0",
        "    for number in range({c}, {a} + 1):",
        "        if number % {k} == 0:",
        "            total += number",
        "    return total",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}

fn count_doublings(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let c = draw.number(2..=60);
    let question =
        format!("{opening} {name}({a}) that counts how often {a} must be doubled to be above {c}.");
    let answer = lines!(
        "def {name}({a}):",
        "    count = 0",
        "    while {a} <= {c}:",
        "        {a} *= 2",
        "        count += 1",
        "    return count",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}

fn table_row(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({a}) that returns a list of {a} times each number from 1 to {c}."
    );
    let answer = lines!(
        "def {name}({a}):",
        "    result = []",
        "    for number in range(1, {c} + 1):",
        "        result.append({a} * number)",
        "    return result",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}

fn step_down(draw: &mut Draw) -> Exchange {
    let Function {
        opening,
        name,
        arguments: [a],
    } = function(draw);
    let k = draw.number(2..=9);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({a}) that lists the values from {a} down to {c} in steps of {k}."
    );
    let answer = lines!(
        "def {name}({a}):",
        "    result = []",
        "    while {a} >= {c}:",
        "        result.append({a})",
        "        {a} -= {k}",
        "    return result",
    );
    call_with_numbers::<1>(draw, &name, question, answer)
}
