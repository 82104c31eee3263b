//! The names of functions and arguments.

use crate::workload::synthetic::draw::Draw;

const VERBS: [&str; 8] = [
    "get", "find", "make", "check", "show", "read", "take", "run",
];
const SUBJECTS: [&str; 10] = [
    "total", "value", "number", "amount", "cost", "points", "level", "part", "rest", "step",
];
/// None of them is a name that a function's body uses.
const ARGUMENTS: [&str; 12] = [
    "width", "height", "price", "speed", "hours", "score", "weight", "age", "size", "rate", "days",
    "miles",
];
const TEXTS: [&str; 6] = ["text", "name", "word", "title", "line", "label"];
const OPENINGS: [&str; 4] = [
    "Write a Python function",
    "Write the function",
    "Define a Python function",
    "Write a function",
];

pub(super) fn opening(draw: &mut Draw) -> &'static str {
    draw.pick(&OPENINGS)
}

/// A function of numbers.
pub(super) struct Function<const N: usize> {
    pub opening: &'static str,
    pub name: String,
    pub arguments: [&'static str; N],
}

pub(super) fn function<const N: usize>(draw: &mut Draw) -> Function<N> {
    Function {
        opening: opening(draw),
        name: format!("{}_{}", draw.pick(&VERBS), draw.pick(&SUBJECTS)),
        arguments: draw.pick_distinct(&ARGUMENTS),
    }
}

/// A function of a list, which is named after the things in it.
pub(super) struct ListFunction {
    pub opening: &'static str,
    pub name: String,
    /// The argument: `pens`.
    pub list: String,
    /// The loop's variable: `pen`.
    pub item: &'static str,
}

pub(super) fn list_function(draw: &mut Draw) -> ListFunction {
    let noun = draw.noun();
    ListFunction {
        opening: opening(draw),
        name: format!("{}_{noun}", draw.pick(&VERBS)),
        list: noun.to_string(),
        item: noun.one,
    }
}

/// A function of a text.
pub(super) struct TextFunction {
    pub opening: &'static str,
    pub name: String,
    pub text: &'static str,
}

pub(super) fn text_function(draw: &mut Draw) -> TextFunction {
    let text = draw.pick(&TEXTS);
    TextFunction {
        opening: opening(draw),
        name: format!("{}_{}_{text}", draw.pick(&VERBS), draw.pick(&SUBJECTS)),
        text,
    }
}
