//! Functions of texts.

use super::call::call_with_text;
use super::names::{TextFunction, text_function};
use crate::workload::synthetic::draw::Draw;
use crate::workload::synthetic::task::{Exchange, Task, lines, task};
use crate::workload::synthetic::words::COLORS;

/// Letters that are common in English.
const LETTERS: [char; 12] = ['a', 'e', 'i', 'o', 't', 'n', 's', 'r', 'l', 'd', 'm', 'p'];

pub(super) const TASKS: &[Task] = &[
    task("repeat_text", repeat_text),
    task("surround", surround),
    task("count_letter", count_letter),
    task("cut_text", cut_text),
    task("long_words", long_words),
    task("is_long", is_long),
    task("replace_letter", replace_letter),
];

fn repeat_text(draw: &mut Draw) -> Exchange {
    let TextFunction {
        opening,
        name,
        text,
    } = text_function(draw);
    let k = draw.number(2..=9);
    let question =
        format!("{opening} {name}({text}) that returns {text} {k} times with spaces between.");
    let answer = lines!(
        "def {name}({text}):",
        "    parts = []",
        "    for index in range({k}):",
        "        parts.append({text})",
        "    return ' '.join(parts)",
    );
    call_with_text(draw, &name, question, answer)
}

fn surround(draw: &mut Draw) -> Exchange {
    let TextFunction {
        opening,
        name,
        text,
    } = text_function(draw);
    let [one, other] = draw.pick_distinct(&COLORS);
    let question = format!(
        "{opening} {name}({text}) that returns {text} with 'a {one}' before it and 'a {other}' \
         behind it."
    );
    let answer = lines!(
        "def {name}({text}):",
        "    start = 'a {one} ' + {text}",
        "    return start + ' a {other}'",
    );
    call_with_text(draw, &name, question, answer)
}

fn count_letter(draw: &mut Draw) -> Exchange {
    let TextFunction {
        opening,
        name,
        text,
    } = text_function(draw);
    let letter = draw.pick(&LETTERS);
    let question =
        format!("{opening} {name}({text}) that counts how often '{letter}' occurs in {text}.");
    let answer = lines!(
        "def {name}({text}):",
        "    count = 0",
        "    for letter in {text}:",
        "        if letter == '{letter}':",
        "            count += 1",
        "    return count",
    );
    call_with_text(draw, &name, question, answer)
}

fn cut_text(draw: &mut Draw) -> Exchange {
    let TextFunction {
        opening,
        name,
        text,
    } = text_function(draw);
    let c = draw.number(2..=60);
    let question = format!(
        "{opening} {name}({text}) that returns the first {c} letters of {text} in capitals."
    );
    let answer = lines!(
        "def {name}({text}):",
        "    part = {text}[:{c}]",
        "    return part.upper()",
    );
    call_with_text(draw, &name, question, answer)
}

fn long_words(draw: &mut Draw) -> Exchange {
    let TextFunction {
        opening,
        name,
        text,
    } = text_function(draw);
    let k = draw.number(2..=9);
    let question = format!(
        "{opening} {name}({text}) that returns a list of the words of {text} that are longer \
         than {k}."
    );
    let answer = lines!(
        "def {name}({text}):",
        "    result = []",
        "    for part in {text}.split():",
        "        if len(part) > {k}:",
        "            result.append(part)",
        "    return result",
    );
    call_with_text(draw, &name, question, answer)
}

fn is_long(draw: &mut Draw) -> Exchange {
    let TextFunction {
        opening,
        name,
        text,
    } = text_function(draw);
    let c = draw.number(2..=60);
    let question =
        format!("{opening} {name}({text}) that returns whether {text} has more than {c} letters.");
    let answer = lines!(
        "def {name}({text}):",
        "    length = len({text})",
        "    if length > {c}:",
        "        return True",
        "    return False",
    );
    call_with_text(draw, &name, question, answer)
}

fn replace_letter(draw: &mut Draw) -> Exchange {
    let TextFunction {
        opening,
        name,
        text,
    } = text_function(draw);
    let [one, other] = draw.pick_distinct(&LETTERS);
    let question =
        format!("{opening} {name}({text}) that replaces each '{one}' in {text} by '{other}'.");
    let answer = lines!(
        "def {name}({text}):",
        "    result = {text}.replace('{one}', '{other}')",
        "    return result.strip()",
    );
    call_with_text(draw, &name, question, answer)
}
