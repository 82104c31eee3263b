//! The line behind a function that calls it, and the words that ask for it.

use crate::workload::synthetic::draw::Draw;
use crate::workload::synthetic::task::Exchange;
use crate::workload::synthetic::words::{ANIMALS, COLORS};

pub(super) fn call_with_numbers<const N: usize>(
    draw: &mut Draw,
    name: &str,
    question: String,
    answer: String,
) -> Exchange {
    let numbers = [(); N].map(|()| draw.number(2..=60).to_string());
    let asked = numbers.join(" and ");
    called(name, &asked, &numbers.join(", "), question, answer)
}

pub(super) fn call_with_list(
    draw: &mut Draw,
    name: &str,
    question: String,
    answer: String,
) -> Exchange {
    let numbers: Vec<String> = (0..draw.number(3..=6))
        .map(|_| draw.number(2..=60).to_string())
        .collect();
    let list = numbers.join(", ");
    called(name, &list, &format!("[{list}]"), question, answer)
}

pub(super) fn call_with_text(
    draw: &mut Draw,
    name: &str,
    question: String,
    answer: String,
) -> Exchange {
    let text = format!("'the {} {}'", draw.pick(&COLORS), draw.pick(&ANIMALS));
    called(name, &text, &text, question, answer)
}

fn called(name: &str, asked: &str, arguments: &str, question: String, answer: String) -> Exchange {
    Exchange::new(
        format!("{question} Print its value for {asked}."),
        format!("{answer}\nprint({name}({arguments}))"),
    )
}
