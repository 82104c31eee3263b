//! Velu can be read back: a text and its translation determine each other.

use std::collections::{HashMap, HashSet};

use super::grammar::{Mood, Phrase, Place, Sentence, Subject};
use super::lexicon::{
    ADJECTIVES, BEINGS, NOT, PAST, PLACES, PLURAL, PREPOSITIONS, QUESTION, THINGS, VERBS, Word,
};
use crate::workload::synthetic::vocabulary::{N_PEOPLE, person};
use crate::workload::synthetic::{Family, Problem, Split, problems};

/// The words of a text that are not read yet.
struct Reader<'a> {
    words: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            words: text.split(' ').rev().collect(),
        }
    }

    /// Takes the next word where `read` understands it.
    fn take<T>(&mut self, read: impl Fn(&'a str) -> Option<T>) -> Option<T> {
        let found = read(self.words.last()?)?;
        self.words.pop();
        Some(found)
    }
}

fn root(words: &[Word], text: &str) -> Option<Word> {
    words.iter().copied().find(|word| word.velu == text)
}

fn read_phrase(reader: &mut Reader) -> Option<Phrase> {
    let nouns = [&BEINGS[..], &THINGS[..]].concat();
    let (noun, is_plural) = reader.take(|text| {
        root(&nouns, text)
            .map(|noun| (noun, false))
            .or_else(|| Some((root(&nouns, text.strip_suffix(PLURAL)?)?, true)))
    })?;
    Some(Phrase {
        noun,
        is_plural,
        adjective: reader.take(|text| root(&ADJECTIVES, text)),
    })
}

fn read_place(reader: &mut Reader) -> Option<Place> {
    reader.take(|text| {
        PREPOSITIONS.iter().find_map(|&preposition| {
            let noun = root(&PLACES, text.strip_suffix(preposition.velu)?)?;
            Some(Place { preposition, noun })
        })
    })
}

fn read_sentence(text: &str) -> Option<Sentence> {
    let mut reader = Reader::new(text);
    let place = read_place(&mut reader);
    let name = reader.take(|text| {
        let mut people = (0..N_PEOPLE).map(person);
        people.find(|person| person.name == text)
    });
    let subject = match name {
        Some(person) => Subject::Named(person.name),
        None => Subject::Phrase(read_phrase(&mut reader)?),
    };
    let object = read_phrase(&mut reader)?;
    let denial = reader.take(|text| (text == NOT).then_some(Mood::Denial));
    let (verb, is_past) = reader.take(|text| {
        let verb = |root: &str| VERBS.iter().copied().find(|verb| verb.velu == root);
        verb(text)
            .map(|verb| (verb, false))
            .or_else(|| Some((verb(text.strip_suffix(PAST)?)?, true)))
    })?;
    let question = reader.take(|text| (text == QUESTION).then_some(Mood::Question));
    assert!(reader.words.is_empty(), "{text}");
    Some(Sentence {
        subject,
        verb,
        is_past,
        mood: denial.or(question).unwrap_or(Mood::Statement),
        object,
        place,
    })
}

fn drawn() -> Vec<Problem> {
    problems(Family::Translation.into(), Split::Train, 41, 8_000).unwrap()
}

/// English and Velu of a problem.
fn pair(problem: &Problem) -> (&str, &str) {
    match problem.question.strip_prefix("Translate into Velu: ") {
        Some(english) => (english, &problem.answer),
        None => (
            &problem.answer,
            problem
                .question
                .strip_prefix("Translate into English: ")
                .unwrap(),
        ),
    }
}

#[test]
fn sentences_read_back_from_velu_give_the_english_and_the_velu_again() {
    let mut n_read = 0;
    for problem in drawn() {
        if !problem.template().starts_with("sentences") {
            continue;
        }
        let (english, velu) = pair(&problem);
        let sentences: Vec<Sentence> = velu
            .split_terminator('.')
            .map(|text| read_sentence(text.trim_start()).unwrap())
            .collect();
        let again: Vec<String> = sentences.iter().map(Sentence::english).collect();
        assert_eq!(again.join(" "), english);
        let again: Vec<String> = sentences.iter().map(Sentence::velu).collect();
        assert_eq!(again.join(" "), velu);
        n_read += sentences.len();
    }
    assert!(n_read > 10_000);
}

#[test]
fn phrases_read_back_from_velu_give_the_english_again() {
    for problem in drawn() {
        if !problem.template().starts_with("phrases") {
            continue;
        }
        let (english, velu) = pair(&problem);
        let again: Vec<String> = velu
            .split(", ")
            .map(|text| {
                let mut reader = Reader::new(text);
                let place = read_place(&mut reader);
                let phrase = read_phrase(&mut reader).unwrap().english();
                match place {
                    Some(place) => format!("{phrase} {}", place.english()),
                    None => phrase,
                }
            })
            .collect();
        assert_eq!(again.join(", "), english);
    }
}

#[test]
fn no_two_english_texts_share_a_translation_nor_two_velu_texts() {
    let (mut to_velu, mut to_english) = (HashMap::new(), HashMap::new());
    for problem in drawn() {
        let (english, velu) = pair(&problem);
        let (english, velu) = (english.to_owned(), velu.to_owned());
        let known = to_velu.entry(english.clone()).or_insert(velu.clone());
        assert_eq!(*known, velu);
        let known = to_english.entry(velu).or_insert(english.clone());
        assert_eq!(*known, english);
    }
}

#[test]
fn no_form_of_a_word_is_a_form_of_another() {
    let mut forms = Vec::new();
    for noun in BEINGS.iter().chain(&THINGS) {
        forms.extend([noun.velu.to_owned(), format!("{}{PLURAL}", noun.velu)]);
    }
    for place in &PLACES {
        let form = |preposition: &Word| format!("{}{}", place.velu, preposition.velu);
        forms.extend(PREPOSITIONS.iter().map(form));
    }
    forms.extend(ADJECTIVES.map(|word| word.velu.to_owned()));
    for verb in &VERBS {
        forms.extend([verb.velu.to_owned(), format!("{}{PAST}", verb.velu)]);
    }
    forms.extend([NOT, QUESTION].map(str::to_owned));
    let distinct: HashSet<&String> = forms.iter().collect();
    assert_eq!(distinct.len(), forms.len());
    let n_words = BEINGS.len() + THINGS.len() + PLACES.len() + ADJECTIVES.len() + VERBS.len();
    assert_eq!(n_words, 66);
}

#[test]
fn the_example_of_the_documentation_is_said_as_documented() {
    let noun = |english: &str| *BEINGS.iter().find(|word| word.english == english).unwrap();
    let sentence = Sentence {
        subject: Subject::Phrase(Phrase {
            noun: noun("cat"),
            is_plural: true,
            adjective: Some(ADJECTIVES[0]),
        }),
        verb: VERBS[0],
        is_past: true,
        mood: Mood::Denial,
        object: Phrase {
            noun: noun("bird"),
            is_plural: false,
            adjective: None,
        },
        place: Some(Place {
            preposition: PREPOSITIONS[1],
            noun: PLACES[10],
        }),
    };
    assert_eq!(
        sentence.english(),
        "The red cats did not see the bird near the bridge."
    );
    assert_eq!(sentence.velu(), "pontesu mirori ruxa selu mu videta.");
}
