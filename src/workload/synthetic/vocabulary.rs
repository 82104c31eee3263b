//! The names and things that the templates speak of.

use std::fmt;

/// A person; displays as the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Person {
    pub name: &'static str,
    /// `he` or `she`.
    pub he: &'static str,
    /// `He` or `She`.
    pub cap_he: &'static str,
    /// `his` or `her`.
    pub his: &'static str,
    /// `him` or `her`.
    pub him: &'static str,
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A countable thing with a regular plural; displays as the plural.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noun {
    pub one: &'static str,
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.one)
    }
}

/// The first half takes `he`, the second `she`.
const NAMES: [&str; 32] = [
    "Tom", "Ben", "Sam", "Max", "Leo", "Jack", "Paul", "Mark", "Adam", "Carl", "Eric", "Hugo",
    "Ivan", "John", "Luke", "Omar", "Ana", "Mia", "Eva", "Zoe", "Amy", "Lucy", "Emma", "Rosa",
    "Nina", "Sara", "Jane", "Kate", "Lisa", "Mary", "Ruth", "Tina",
];

/// Things that can be bought, boxed, shared and lost.
const NOUNS: [&str; 24] = [
    "pen", "book", "apple", "pencil", "marble", "sticker", "card", "ball", "cup", "plate",
    "orange", "cookie", "candle", "coin", "stamp", "toy", "shell", "flower", "lemon", "ribbon",
    "button", "magnet", "bead", "balloon",
];

pub(super) const N_PEOPLE: u32 = NAMES.len() as u32;
pub(super) const N_NOUNS: u32 = NOUNS.len() as u32;

pub(super) fn person(index: u32) -> Person {
    let name = NAMES[index as usize];
    if index < N_PEOPLE / 2 {
        Person {
            name,
            he: "he",
            cap_he: "He",
            his: "his",
            him: "him",
        }
    } else {
        Person {
            name,
            he: "she",
            cap_he: "She",
            his: "her",
            him: "her",
        }
    }
}

pub(super) fn noun(index: u32) -> Noun {
    Noun {
        one: NOUNS[index as usize],
    }
}
