//! A generated problem.

use serde::Serialize;

use super::family::Family;

/// A question with its answer; serialises as one line of a GSM8K file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub question: String,
    /// The reference answer; that of a word problem has one line per step, then `#### N`.
    pub answer: String,
    #[serde(skip)]
    family: Family,
    #[serde(skip)]
    template: &'static str,
}

impl Problem {
    pub(super) fn new(
        family: Family,
        question: String,
        answer: String,
        template: &'static str,
    ) -> Self {
        Self {
            question,
            answer,
            family,
            template,
        }
    }

    pub fn family(&self) -> Family {
        self.family
    }

    /// The name of the template that the problem was drawn from.
    pub fn template(&self) -> &'static str {
        self.template
    }

    /// How many calculations the answer shows; none but word problems show any.
    pub fn n_steps(&self) -> usize {
        self.answer.matches("<<").count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_serialises_to_gsm8k_s_two_fields_and_nothing_else() {
        let problem = Problem::new(
            Family::Gsm8k,
            "Q?".into(),
            "A.\n#### 7".into(),
            "boxes_then_gift",
        );
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            r#"{"question":"Q?","answer":"A.\n#### 7"}"#
        );
    }
}
