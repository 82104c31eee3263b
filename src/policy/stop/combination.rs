use serde::{Deserialize, Serialize};

use super::StopRule;
use crate::policy::{OutOfRange, require};

/// Several rules as one. YAML gives exactly one of `any:` and `all:`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "CombinationSpec", into = "CombinationSpec")]
pub enum Combination {
    /// Fires when one of the rules fires.
    Any(Vec<StopRule>),
    /// Fires when every rule fires.
    All(Vec<StopRule>),
}

impl Combination {
    pub fn rules(&self) -> &[StopRule] {
        match self {
            Self::Any(rules) | Self::All(rules) => rules,
        }
    }

    pub(super) fn validate(&self) -> Result<(), OutOfRange> {
        require(
            !self.rules().is_empty(),
            "stop.any or stop.all",
            "[]",
            "a list with a rule",
        )?;
        for rule in self.rules() {
            require(
                !rule.is_oracle(),
                "stop.kind inside combined",
                "oracle",
                "a rule that decides while drafting",
            )?;
            rule.validate()?;
        }
        Ok(())
    }
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CombinationSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    any: Option<Vec<StopRule>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    all: Option<Vec<StopRule>>,
}

impl TryFrom<CombinationSpec> for Combination {
    type Error = &'static str;

    fn try_from(spec: CombinationSpec) -> Result<Self, Self::Error> {
        match (spec.any, spec.all) {
            (Some(rules), None) => Ok(Self::Any(rules)),
            (None, Some(rules)) => Ok(Self::All(rules)),
            (Some(_), Some(_)) | (None, None) => {
                Err("a combined rule lists its rules under exactly one of `any` and `all`")
            }
        }
    }
}

impl From<Combination> for CombinationSpec {
    fn from(rules: Combination) -> Self {
        match rules {
            Combination::Any(rules) => Self {
                any: Some(rules),
                all: None,
            },
            Combination::All(rules) => Self {
                any: None,
                all: Some(rules),
            },
        }
    }
}
