//! The endless, reproducible stream of problems of a split.

use std::fmt;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::family::{Families, Family};
use super::problem::Problem;
use super::task::Task;
use super::template::{Template, templates};
use super::{code, counting, qa, story, summary, translation};
use crate::workload::error::WorkloadError;

/// One question in this many belongs to [`Split::HeldOutSeed`].
const HELD_OUT_SHARE: u64 = 16;
const N_SPLITS: u64 = 3;

/// Which problems may be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// The training templates, without the questions of `HeldOutSeed`.
    Train,
    /// The training templates with the one question in sixteen that training never draws,
    /// whatever the seeds: a hash of the question's text decides.
    HeldOutSeed,
    /// Four templates of word problems, one per number of steps, that training never draws from;
    /// the other families have none.
    HeldOutTemplate,
}

impl Split {
    fn admits_template(self, template: &Template) -> bool {
        match self {
            Self::Train | Self::HeldOutSeed => !template.is_held_out,
            Self::HeldOutTemplate => template.is_held_out,
        }
    }

    fn admits_question(self, question: &str) -> bool {
        let is_held_out = hash(question).is_multiple_of(HELD_OUT_SHARE);
        match self {
            Self::Train => !is_held_out,
            Self::HeldOutSeed => is_held_out,
            Self::HeldOutTemplate => true,
        }
    }

    fn index(self) -> u64 {
        match self {
            Self::Train => 0,
            Self::HeldOutSeed => 1,
            Self::HeldOutTemplate => 2,
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::HeldOutSeed => "held-out-seed",
            Self::HeldOutTemplate => "held-out-template",
        })
    }
}

/// An infinite iterator over the problems of a split; each template of a family is equally likely.
///
/// The same families, split and seed give the same problems on every platform. The problems change
/// when a template, the vocabulary or the order of a table of templates changes. A mix draws each
/// family's own problems: every seventh of them is the family's next one.
#[derive(Clone, Debug)]
pub struct ProblemStream {
    /// One per family.
    streams: Vec<FamilyStream>,
    /// Indices of streams, over and over.
    turn: Vec<usize>,
    next: usize,
}

impl ProblemStream {
    /// # Errors
    ///
    /// [`Split::HeldOutTemplate`] of anything but word problems: no other family holds templates
    /// back.
    pub fn new(families: Families, split: Split, seed: u64) -> Result<Self, WorkloadError> {
        if split == Split::HeldOutTemplate && families != Families::Only(Family::Gsm8k) {
            return Err(WorkloadError::NoNewTemplates {
                families: families.to_string(),
            });
        }
        Ok(Self {
            streams: families
                .in_turn()
                .iter()
                .map(|&family| FamilyStream::new(family, split, seed))
                .collect(),
            turn: (0..families.in_turn().len()).collect(),
            next: 0,
        })
    }

    /// The same stream with as many problems of a family in each turn as `n_in_turn` says, one after
    /// the other.
    #[must_use]
    pub fn weighted(mut self, n_in_turn: impl Fn(Family) -> usize) -> Self {
        let places = self.streams.iter().enumerate();
        self.turn = places
            .flat_map(|(place, stream)| vec![place; n_in_turn(stream.family)])
            .collect();
        self
    }
}

impl Iterator for ProblemStream {
    type Item = Problem;

    fn next(&mut self) -> Option<Problem> {
        let stream = *self.turn.get(self.next)?;
        self.next = (self.next + 1) % self.turn.len();
        Some(self.streams[stream].draw())
    }
}

#[derive(Clone, Debug)]
struct FamilyStream {
    family: Family,
    split: Split,
    sources: Vec<ProblemSource>,
    rng: ChaCha8Rng,
}

impl FamilyStream {
    fn new(family: Family, split: Split, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // Families and splits of equal seed share no random numbers.
        rng.set_stream(N_SPLITS * (family as u64) + split.index());
        Self {
            family,
            split,
            sources: sources(family, split),
            rng,
        }
    }

    fn draw(&mut self) -> Problem {
        // The template is drawn once and kept over rejections, so that a rejected question cannot
        // shift the shares of the templates.
        let index = self.rng.random_range(0..self.sources.len() as u32);
        let source = self.sources[index as usize];
        loop {
            let problem = source.draw(&mut self.rng);
            if self.split.admits_question(&problem.question) {
                return problem;
            }
        }
    }
}

/// What a problem is drawn from.
#[derive(Clone, Copy, Debug)]
enum ProblemSource {
    WordProblem(&'static Template),
    Task(Family, &'static Task),
}

impl ProblemSource {
    fn draw(self, rng: &mut ChaCha8Rng) -> Problem {
        match self {
            Self::WordProblem(template) => template.draw(rng),
            Self::Task(family, task) => task.draw(family, rng),
        }
    }
}

/// In the order on which the random streams depend.
fn sources(family: Family, split: Split) -> Vec<ProblemSource> {
    let of = |tasks: &[&'static [Task]]| -> Vec<ProblemSource> {
        tasks
            .iter()
            .flat_map(|table| table.iter())
            .map(|task| ProblemSource::Task(family, task))
            .collect()
    };
    match family {
        Family::Gsm8k => templates()
            .filter(|template| split.admits_template(template))
            .map(ProblemSource::WordProblem)
            .collect(),
        Family::Code => of(code::TASKS),
        Family::Counting => of(counting::TASKS),
        Family::Qa => of(qa::TASKS),
        Family::Translation => of(translation::TASKS),
        Family::Summary => of(summary::TASKS),
        Family::Story => of(story::TASKS),
    }
}

/// The first `n` problems of a stream.
///
/// # Errors
///
/// As [`ProblemStream::new`].
pub fn problems(
    families: Families,
    split: Split,
    seed: u64,
    n: usize,
) -> Result<Vec<Problem>, WorkloadError> {
    Ok(ProblemStream::new(families, split, seed)?.take(n).collect())
}

/// FNV-1a, 64 bit (offset basis and prime from the FNV specification), folded to its halves' xor:
/// FNV's low bits alone depend only on the low bits of the text's bytes.
///
/// Written here because the standard hasher may change between Rust versions.
pub(super) fn hash(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash >> 32) ^ (hash & 0xffff_ffff)
}

/// The names of a family's templates, in the order of its tables.
#[cfg(test)]
pub(super) fn template_names(family: Family, split: Split) -> Vec<&'static str> {
    sources(family, split)
        .into_iter()
        .map(|source| match source {
            ProblemSource::WordProblem(template) => template.name,
            ProblemSource::Task(_, task) => task.name,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const GSM8K: Families = Families::Only(Family::Gsm8k);

    fn problems(split: Split, seed: u64, n: usize) -> Vec<Problem> {
        super::problems(GSM8K, split, seed, n).unwrap()
    }

    const SPLITS: [Split; 3] = [Split::Train, Split::HeldOutSeed, Split::HeldOutTemplate];

    /// The value of `12-5`, or `None` where it is not such an expression with an exact value.
    fn evaluate(expression: &str) -> Option<u32> {
        let at = expression.find(['+', '-', '*', '/'])?;
        let left: u32 = expression[..at].parse().ok()?;
        let right: u32 = expression[at + 1..].parse().ok()?;
        match expression.as_bytes()[at] {
            b'+' => Some(left + right),
            b'-' => left.checked_sub(right),
            b'*' => Some(left * right),
            b'/' if left.is_multiple_of(right) => Some(left / right),
            _ => None,
        }
    }

    #[test]
    fn equal_seeds_give_equal_problems_and_other_seeds_or_splits_others() {
        for split in SPLITS {
            assert_eq!(problems(split, 5, 300), problems(split, 5, 300));
            assert_ne!(problems(split, 5, 300), problems(split, 6, 300));
        }
        assert_ne!(
            problems(Split::Train, 5, 300),
            problems(Split::HeldOutSeed, 5, 300)
        );
    }

    #[test]
    fn every_calculation_is_right_and_the_last_one_is_the_answer() {
        for problem in SPLITS.into_iter().flat_map(|s| problems(s, 3, 10_000)) {
            let (body, last) = problem.answer.rsplit_once("\n#### ").unwrap();
            let mut value = 0;
            for line in body.lines() {
                let (before, rest) = line.split_once("=<<").unwrap();
                let (inside, after) = rest.split_once(">>").unwrap();
                let (expression, result) = inside.split_once('=').unwrap();
                value = result.parse().unwrap();
                assert_eq!(evaluate(expression), Some(value), "{line}");
                assert!((1..=200).contains(&value), "{line}");
                assert!(before.ends_with(expression), "{line}");
                assert!(after.starts_with(result), "{line}");
                assert!(after.ends_with('.'), "{line}");
            }
            assert_eq!(last.parse(), Ok(value), "{}", problem.answer);
        }
    }

    #[test]
    fn every_number_in_a_question_is_at_most_200() {
        for problem in SPLITS.into_iter().flat_map(|s| problems(s, 4, 5_000)) {
            let numbers = problem.question.split(|c: char| !c.is_ascii_digit());
            for number in numbers.filter(|digits| !digits.is_empty()) {
                let number: u32 = number.parse().unwrap();
                assert!((2..=200).contains(&number), "{}", problem.question);
            }
        }
    }

    #[test]
    fn training_and_the_held_out_seed_share_no_question_whatever_the_seeds() {
        let questions = |split, seed| -> HashSet<String> {
            ProblemStream::new(GSM8K, split, seed)
                .unwrap()
                .take(20_000)
                .map(|problem| problem.question)
                .collect()
        };
        let held_out = questions(Split::HeldOutSeed, 9);
        assert!(questions(Split::Train, 9).is_disjoint(&held_out));
        assert!(questions(Split::Train, 10).is_disjoint(&held_out));
    }

    #[test]
    fn one_question_in_sixteen_is_held_out() {
        let train = templates().find(|template| !template.is_held_out).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let n_held_out = (0..16_000)
            .filter(|_| Split::HeldOutSeed.admits_question(&train.draw(&mut rng).question))
            .count();
        // 1000 expected, standard deviation 31.
        assert!((850..=1150).contains(&n_held_out), "{n_held_out}");
    }

    #[test]
    fn held_out_templates_never_appear_in_training_and_all_others_do() {
        let names = |split| -> HashSet<&str> {
            let drawn = problems(split, 8, 5_000);
            drawn.iter().map(Problem::template).collect()
        };
        let (train, held_out) = (names(Split::Train), names(Split::HeldOutTemplate));
        assert_eq!((train.len(), held_out.len()), (40, 4));
        assert!(train.is_disjoint(&held_out));
        assert_eq!(names(Split::HeldOutSeed), train);
    }

    /// The embedded models were trained on these problems: whoever changes them trains again.
    #[test]
    fn the_problems_of_a_seed_stay_the_same() {
        let text: String = SPLITS
            .into_iter()
            .flat_map(|split| problems(split, 1, 1_000))
            .map(|problem| format!("{}\n{}\n", problem.question, problem.answer))
            .collect();
        assert_eq!(hash(&text), 1_876_723_370);
    }

    #[test]
    fn the_hash_is_folded_fnv_1a() {
        // FNV-1a of "a" is 0xaf63dc4c8601ec8c, from the FNV specification's test vectors.
        assert_eq!(hash("a"), 0xaf63_dc4c ^ 0x8601_ec8c);
    }

    #[test]
    fn one_question_has_one_answer() {
        let mut answers = std::collections::HashMap::new();
        for problem in problems(Split::Train, 12, 50_000) {
            let known = answers
                .entry(problem.question)
                .or_insert(problem.answer.clone());
            assert_eq!(*known, problem.answer);
        }
    }
}
