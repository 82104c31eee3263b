//! What is translated: a few sentences, or a list of phrases, in either direction.

use super::grammar::{Mood, Phrase, Place, Sentence, Subject};
use super::lexicon::{ADJECTIVES, BEINGS, PLACES, PREPOSITIONS, THINGS, VERBS, Word};
use crate::workload::synthetic::draw::Draw;
use crate::workload::synthetic::task::{Exchange, Task, task};

pub(super) const TASKS: &[Task] = &[
    task("sentences_to_velu", sentences_to_velu),
    task("sentences_to_english", sentences_to_english),
    task("phrases_to_velu", phrases_to_velu),
    task("phrases_to_english", phrases_to_english),
];

/// The same text in both languages.
struct Pair {
    english: String,
    velu: String,
}

impl Pair {
    fn join(parts: Vec<Self>, separator: &str) -> Self {
        let (english, velu): (Vec<_>, Vec<_>) = parts
            .into_iter()
            .map(|pair| (pair.english, pair.velu))
            .unzip();
        Self {
            english: english.join(separator),
            velu: velu.join(separator),
        }
    }

    fn into_velu(self) -> Exchange {
        Exchange::new(format!("Translate into Velu: {}", self.english), self.velu)
    }

    fn into_english(self) -> Exchange {
        Exchange::new(
            format!("Translate into English: {}", self.velu),
            self.english,
        )
    }
}

fn phrase(draw: &mut Draw, nouns: &[Word]) -> Phrase {
    Phrase {
        noun: draw.pick(nouns),
        is_plural: draw.coin(),
        adjective: draw.coin().then(|| draw.pick(&ADJECTIVES)),
    }
}

fn place(draw: &mut Draw) -> Place {
    Place {
        preposition: draw.pick(&PREPOSITIONS),
        noun: draw.pick(&PLACES),
    }
}

fn sentence(draw: &mut Draw) -> Sentence {
    let subject = if draw.number(0..=3) == 0 {
        Subject::Named(draw.person().name)
    } else {
        Subject::Phrase(phrase(draw, &BEINGS))
    };
    let objects: &[Word] = if draw.number(0..=3) == 0 {
        &BEINGS
    } else {
        &THINGS
    };
    Sentence {
        subject,
        verb: draw.pick(&VERBS),
        is_past: draw.coin(),
        mood: draw.pick(&[
            Mood::Statement,
            Mood::Statement,
            Mood::Denial,
            Mood::Question,
        ]),
        object: phrase(draw, objects),
        place: draw.coin().then(|| place(draw)),
    }
}

fn sentences(draw: &mut Draw) -> Pair {
    let parts = (0..4)
        .map(|_| {
            let sentence = sentence(draw);
            Pair {
                english: sentence.english(),
                velu: sentence.velu(),
            }
        })
        .collect();
    Pair::join(parts, " ")
}

fn phrases(draw: &mut Draw) -> Pair {
    let parts = (0..draw.number(8..=9))
        .map(|_| {
            let nouns: &[Word] = if draw.coin() { &BEINGS } else { &THINGS };
            let (phrase, place) = (phrase(draw, nouns), place(draw));
            if draw.coin() {
                Pair {
                    english: phrase.english(),
                    velu: phrase.velu(),
                }
            } else {
                Pair {
                    english: format!("{} {}", phrase.english(), place.english()),
                    velu: format!("{} {}", place.velu(), phrase.velu()),
                }
            }
        })
        .collect();
    Pair::join(parts, ", ")
}

fn sentences_to_velu(draw: &mut Draw) -> Exchange {
    sentences(draw).into_velu()
}

fn sentences_to_english(draw: &mut Draw) -> Exchange {
    sentences(draw).into_english()
}

fn phrases_to_velu(draw: &mut Draw) -> Exchange {
    phrases(draw).into_velu()
}

fn phrases_to_english(draw: &mut Draw) -> Exchange {
    phrases(draw).into_english()
}
