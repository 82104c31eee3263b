//! Phrases and sentences, and how each language says them.

use super::lexicon::{NOT, PAST, PLURAL, QUESTION, Verb, Word};

/// `the red cats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phrase {
    pub noun: Word,
    pub is_plural: bool,
    pub adjective: Option<Word>,
}

impl Phrase {
    pub fn english(&self) -> String {
        let adjective = self
            .adjective
            .map_or(String::new(), |word| format!(" {}", word.english));
        let plural = if self.is_plural { "s" } else { "" };
        format!("the{adjective} {}{plural}", self.noun.english)
    }

    pub fn velu(&self) -> String {
        let plural = if self.is_plural { PLURAL } else { "" };
        let adjective = self
            .adjective
            .map_or(String::new(), |word| format!(" {}", word.velu));
        format!("{}{plural}{adjective}", self.noun.velu)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Named(&'static str),
    Phrase(Phrase),
}

impl Subject {
    fn is_plural(&self) -> bool {
        match self {
            Self::Named(_) => false,
            Self::Phrase(phrase) => phrase.is_plural,
        }
    }

    fn english(&self) -> String {
        match self {
            Self::Named(name) => (*name).to_owned(),
            Self::Phrase(phrase) => phrase.english(),
        }
    }

    fn velu(&self) -> String {
        match self {
            Self::Named(name) => (*name).to_owned(),
            Self::Phrase(phrase) => phrase.velu(),
        }
    }
}

/// `near the river`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub preposition: Word,
    pub noun: Word,
}

impl Place {
    pub fn english(&self) -> String {
        format!("{} the {}", self.preposition.english, self.noun.english)
    }

    pub fn velu(&self) -> String {
        format!("{}{}", self.noun.velu, self.preposition.velu)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Statement,
    Denial,
    Question,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sentence {
    pub subject: Subject,
    pub verb: Verb,
    pub is_past: bool,
    pub mood: Mood,
    pub object: Phrase,
    pub place: Option<Place>,
}

impl Sentence {
    pub fn english(&self) -> String {
        let subject = self.subject.english();
        let plain = self.verb.english;
        let (auxiliary, form) = match (self.is_past, self.subject.is_plural()) {
            (true, _) => ("did", self.verb.past),
            (false, true) => ("do", plain),
            (false, false) => ("does", self.verb.third),
        };
        let (start, end) = match self.mood {
            Mood::Statement => (format!("{subject} {form}"), "."),
            Mood::Denial => (format!("{subject} {auxiliary} not {plain}"), "."),
            Mood::Question => (format!("{auxiliary} {subject} {plain}"), "?"),
        };
        let place = self
            .place
            .map_or(String::new(), |place| format!(" {}", place.english()));
        capitalised(&format!("{start} {}{place}{end}", self.object.english()))
    }

    pub fn velu(&self) -> String {
        let place = self
            .place
            .map_or(String::new(), |place| format!("{} ", place.velu()));
        let past = if self.is_past { PAST } else { "" };
        let verb = format!("{}{past}", self.verb.velu);
        let end = match self.mood {
            Mood::Statement => verb,
            Mood::Denial => format!("{NOT} {verb}"),
            Mood::Question => format!("{verb} {QUESTION}"),
        };
        let (subject, object) = (self.subject.velu(), self.object.velu());
        format!("{place}{subject} {object} {end}.")
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}", first.to_uppercase(), letters.as_str()),
        None => String::new(),
    }
}
