//! The families of generated problems, and which of them a source mixes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::workload::error::WorkloadError;

/// The name of all families in turn.
const MIX: &str = "mix";

/// A kind of problem; the kinds differ in how predictable their answers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Word problems with worked steps; the answer ends in `#### N`.
    Gsm8k,
    /// Small Python functions asked for in words.
    Code,
    /// Sequences and repetitions: almost no entropy.
    Counting,
    /// A question about some facts; the answer quotes the fact and ends in `#### WORD`.
    Qa,
    /// Between English and Velu, a regular language made for this family.
    Translation,
    /// Extracts of a report in a fixed form.
    Summary,
    /// Open-ended stories without a right answer: high entropy.
    Story,
}

impl Family {
    /// Every family, in the order in which a mix takes them.
    pub const ALL: [Self; 7] = [
        Self::Gsm8k,
        Self::Code,
        Self::Counting,
        Self::Qa,
        Self::Translation,
        Self::Summary,
        Self::Story,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gsm8k => "gsm8k",
            Self::Code => "code",
            Self::Counting => "counting",
            Self::Qa => "qa",
            Self::Translation => "translation",
            Self::Summary => "summary",
            Self::Story => "story",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Family {
    type Err = WorkloadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|family| family.name() == text)
            .ok_or_else(|| WorkloadError::UnknownFamily {
                given: text.to_owned(),
            })
    }
}

/// One family, or all of them in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Families {
    Only(Family),
    /// Problem i is of family i mod 7, in the order of [`Family::ALL`]: any number of problems is
    /// balanced.
    Mix,
}

impl Families {
    /// The families of one turn.
    pub(super) fn in_turn(&self) -> &[Family] {
        match self {
            Self::Only(family) => std::slice::from_ref(family),
            Self::Mix => &Family::ALL,
        }
    }
}

impl From<Family> for Families {
    fn from(family: Family) -> Self {
        Self::Only(family)
    }
}

impl fmt::Display for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only(family) => family.fmt(f),
            Self::Mix => f.write_str(MIX),
        }
    }
}

impl FromStr for Families {
    type Err = WorkloadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == MIX {
            Ok(Self::Mix)
        } else {
            text.parse().map(Self::Only)
        }
    }
}

impl TryFrom<String> for Families {
    type Error = WorkloadError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Families> for String {
    fn from(families: Families) -> Self {
        families.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_one_name_in_yaml_display_and_parsing() {
        for family in Family::ALL {
            let name = family.to_string();
            assert_eq!(serde_json::to_value(family).unwrap(), name.as_str());
            assert_eq!(name.parse::<Family>().unwrap(), family);
            assert_eq!(name.parse::<Families>().unwrap(), family.into());
        }
        assert_eq!("mix".parse::<Families>().unwrap(), Families::Mix);
    }

    #[test]
    fn an_unknown_family_is_refused_with_the_known_ones() {
        let message = "poetry".parse::<Family>().unwrap_err().to_string();
        assert_eq!(
            message,
            "unknown family 'poetry', expected 'gsm8k', 'code', 'counting', 'qa', 'translation', \
             'summary' or 'story'"
        );
    }
}
