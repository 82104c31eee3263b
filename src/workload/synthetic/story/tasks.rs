//! The forms of stories: what is asked for, and in which order things happen.

use super::grammar::{Cast, expand};
use crate::workload::synthetic::draw::Draw;
use crate::workload::synthetic::task::{Exchange, Task, task};

pub(super) const TASKS: &[Task] = &[
    task("visit", visit),
    task("loss", loss),
    task("friends", friends),
    task("secret", secret),
    task("journey", journey),
    task("beginning", beginning),
];

fn story(draw: &mut Draw, question: &str, plan: &str) -> Exchange {
    let cast = Cast::draw(draw);
    Exchange::new(expand(draw, &cast, question), expand(draw, &cast, plan))
}

fn visit(draw: &mut Draw) -> Exchange {
    story(
        draw,
        "Write a story about [p], who visits the [place] with a [look] [thing].",
        "[start] [event] [event] [talk] [end]",
    )
}

fn loss(draw: &mut Draw) -> Exchange {
    story(
        draw,
        "Tell how [p] lost the [look] [thing] near the [place] and what [q] did.",
        "[start] [event] [talk] [turn] [end]",
    )
}

fn friends(draw: &mut Draw) -> Exchange {
    story(
        draw,
        "Write a story in which [p] and [q] become friends. There is a [look] [thing] in it.",
        "[start] [talk] [event] [talk] [end]",
    )
}

fn secret(draw: &mut Draw) -> Exchange {
    story(
        draw,
        "What is the secret of the [look] [thing] at the [place]? Tell a story with [p].",
        "[event] [talk] [turn] [turn] [end]",
    )
}

fn journey(draw: &mut Draw) -> Exchange {
    story(
        draw,
        "Tell a story about the way of [p] to the [place] with a [color] [thing] and [q].",
        "[start] [event] [turn] [event] [end]",
    )
}

fn beginning(draw: &mut Draw) -> Exchange {
    story(
        draw,
        "Write a story with [p], a [color] [thing] and a [look] [animal] at the [place].",
        "[start] [turn] [talk] [event] [end]",
    )
}
