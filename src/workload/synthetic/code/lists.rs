//! Functions that go through a list for one value.

use super::call::call_with_list;
use super::names::{ListFunction, list_function};
use crate::workload::synthetic::draw::Draw;
use crate::workload::synthetic::task::{Exchange, Task, lines, task};

pub(super) const TASKS: &[Task] = &[
    task("sum_above", sum_above),
    task("count_below", count_below),
    task("largest_at_least", largest_at_least),
    task("smallest_at_most", smallest_at_most),
    task("product_from", product_from),
    task("sum_of_squares", sum_of_squares),
    task("mean_or_default", mean_or_default),
    task("any_above", any_above),
    task("first_index_above", first_index_above),
    task("sum_between", sum_between),
];

fn sum_above(draw: &mut Draw) -> Exchange {
    let ListFunction {
        opening,
        name,
        list,
        item,
    } = list_function(draw);
    let c = draw.number(2..=60);
    let question =
        format!("{opening} {name}({list}) that returns the sum of the {list} above {c}.");
    let answer = lines!(
        "def {name}({list}):",
        "    total = 0",
        "    for {item} in {list}:",
        "        if {item} > {c}:",
        "            total += {item}",
        "    return total",
    );
    call_with_list(draw, &name, question, answer)
}

fn count_below(draw: &mut Draw) -> Exchange {
    let ListFunction {
        opening,
        name,
        list,
        item,
    } = list_function(draw);
    let c = draw.number(2..=60);
    let question = format!("{opening} {name}({list}) that counts the {list} below {c}.");
    let answer = lines!(
        "def {name}({list}):",
        "    count = 0",
        "    for {item} in {list}:",
        "        if {item} < {c}:",
        "            count += 1",
        "    return count",
    );
    call_with_list(draw, &name, question, answer)
}

fn largest_at_least(draw: &mut Draw) -> Exchange {
    let ListFunction {
        opening,
        name,
        list,
        item,
    } = list_function(draw);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({list}) that returns the largest of the {list}, but at least {c}."
    );
    let answer = lines!(
        "def {name}({list}):",
        "    best = {c}",
        "    for {item} in {list}:",
        "        if {item} > best:",
        "            best = {item}",
        "    return best",
    );
    call_with_list(draw, &name, question, answer)
}

fn smallest_at_most(draw: &mut Draw) -> Exchange {
    let ListFunction {
        opening,
        name,
        list,
        item,
    } = list_function(draw);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({list}) that returns the smallest of the {list}, but at most {c}."
    );
    let answer = lines!(
        "def {name}({list}):",
        "    best = {c}",
        "    for {item} in {list}:",
        "        if {item} < best:",
        "            best = {item}",
        "    return best",
    );
    call_with_list(draw, &name, question, answer)
}

fn product_from(draw: &mut Draw) -> Exchange {
    let ListFunction {
        opening,
        name,
        list,
        item,
    } = list_function(draw);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({list}) that multiplies {c} by all the {list} and returns the product."
    );
    let answer = lines!(
        "def {name}({list}):",
        "    product = {c}",
        "    for {item} in {list}:",
        "        product *= {item}",
        "    return product",
    );
    call_with_list(draw, &name, question, answer)
}

fn sum_of_squares(draw: &mut Draw) -> Exchange {
    let ListFunction {
        opening,
        name,
        list,
        item,
    } = list_function(draw);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({list}) that returns {c} plus the sum of the squares of the {list}."
    );
    let answer = lines!(
        "def {name}({list}):",
        "    total = {c}",
        "    for {item} in {list}:",
        "        total += {item} * {item}",
        "    return total",
    );
    call_with_list(draw, &name, question, answer)
}

fn mean_or_default(draw: &mut Draw) -> Exchange {
    let ListFunction {
        opening,
        name,
        list,
        ..
    } = list_function(draw);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({list}) that returns the mean of the {list}, or {c} if there are none."
    );
    let answer = lines!(
        "def {name}({list}):",
        "    if not {list}:",
        "        return {c}",
        "    total = sum({list})",
        "    return total / len({list})",
    );
    call_with_list(draw, &name, question, answer)
}

fn any_above(draw: &mut Draw) -> Exchange {
    let ListFunction {
        opening,
        name,
        list,
        item,
    } = list_function(draw);
    let c = draw.number(2..=60);
    let question =
        format!("{opening} {name}({list}) that returns whether one of the {list} is above {c}.");
    let answer = lines!(
        "def {name}({list}):",
        "    for {item} in {list}:",
        "        if {item} > {c}:",
        "            return True",
        "    return False",
    );
    call_with_list(draw, &name, question, answer)
}

fn first_index_above(draw: &mut Draw) -> Exchange {
    let ListFunction {
        opening,
        name,
        list,
        ..
    } = list_function(draw);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({list}) that returns the index of the first of the {list} above {c}, \
         or -1."
    );
    let answer = lines!(
        "def {name}({list}):",
        "    for index in range(len({list})):",
        "        if {list}[index] > {c}:",
        "            return index",
        "    return -1",
    );
    call_with_list(draw, &name, question, answer)
}

fn sum_between(draw: &mut Draw) -> Exchange {
    let ListFunction {
        opening,
        name,
        list,
        item,
    } = list_function(draw);
    let c = draw.number(2..=60);
    let high = c + draw.number(2..=40);
    let question =
        format!("{opening} {name}({list}) that returns the sum of the {list} from {c} to {high}.");
    let answer = lines!(
        "def {name}({list}):",
        "    total = 0",
        "    for {item} in {list}:",
        "        if {c} <= {item} <= {high}:",
        "            total += {item}",
        "    return total",
    );
    call_with_list(draw, &name, question, answer)
}
