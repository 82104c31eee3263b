//! Expands symbols into text by random choice.

use super::rules::RULES;
use crate::workload::synthetic::draw::Draw;
use crate::workload::synthetic::vocabulary::{Noun, Person};
use crate::workload::synthetic::words::{ANIMALS, COLORS, PLACES};

/// What a story is about, fixed by its question.
pub(super) struct Cast {
    pub person: Person,
    pub friend: Person,
    pub thing: Noun,
    pub place: &'static str,
}

impl Cast {
    pub fn draw(draw: &mut Draw) -> Self {
        let [person, friend] = draw.people();
        Self {
            person,
            friend,
            thing: draw.noun(),
            place: draw.pick(&PLACES),
        }
    }

    fn value(&self, symbol: &str) -> Option<&'static str> {
        Some(match symbol {
            "p" => self.person.name,
            "he" => self.person.he,
            "He" => self.person.cap_he,
            "his" => self.person.his,
            "him" => self.person.him,
            "q" => self.friend.name,
            "thing" => self.thing.one,
            "place" => self.place,
            _ => return None,
        })
    }
}

/// Replaces each `[symbol]` of a text: by the cast, by a word list, or by one of the rule's
/// alternatives, which may hold symbols again.
///
/// # Panics
///
/// When a symbol has no rule, which a test rules out for every text of the table.
pub(super) fn expand(draw: &mut Draw, cast: &Cast, text: &str) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let (symbol, behind) = after.split_once(']').expect("a symbol ends in ']'");
        expanded.push_str(before);
        let choice = match symbol {
            "color" => draw.pick(&COLORS),
            "animal" => draw.pick(&ANIMALS),
            "other_place" => draw.pick(&PLACES),
            symbol => match cast.value(symbol) {
                Some(value) => value,
                None => draw.pick(alternatives(symbol)),
            },
        };
        expanded.push_str(&expand(draw, cast, choice));
        rest = behind;
    }
    expanded.push_str(rest);
    expanded
}

fn alternatives(symbol: &str) -> &'static [&'static str] {
    RULES
        .iter()
        .find(|(name, _)| *name == symbol)
        .map(|(_, alternatives)| *alternatives)
        .unwrap_or_else(|| panic!("no rule for '{symbol}'"))
}
