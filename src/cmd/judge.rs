//! Unit tests of generated programs, run only where the user allows it.

use crate::cmd::Failure;
use crate::record::schema::GenerationRecord;
#[cfg(unix)]
use crate::workload::execute::{Executor, Limits};
use crate::workload::{Item, ScoreRule};

/// Completes the score of generations that only a run of them tells.
#[derive(Debug, Default)]
pub struct Judge {
    /// None where running programs is not allowed, or no item asks for it.
    #[cfg(unix)]
    executor: Option<Executor>,
}

impl Judge {
    /// `python`: the interpreter, if programs may run.
    ///
    /// # Errors
    /// The interpreter does not run under the limits.
    #[cfg(unix)]
    pub fn open<'i>(
        python: Option<&str>,
        mut items: impl Iterator<Item = &'i Item>,
    ) -> Result<Self, Failure> {
        let executor = match python {
            Some(name) if items.any(needs_run) => {
                let executor = Executor::new(name, Limits::default());
                Some(executor.map_err(|error| Failure::Usage(format!("--python: {error}")))?)
            }
            Some(_) | None => None,
        };
        Ok(Self { executor })
    }

    /// # Errors
    /// Programs may run, and an item asks for it: here they cannot.
    #[cfg(not(unix))]
    pub fn open<'i>(
        python: Option<&str>,
        mut items: impl Iterator<Item = &'i Item>,
    ) -> Result<Self, Failure> {
        if python.is_some() && items.any(needs_run) {
            let reason = "--allow-code-execution: programs run on Unix systems only";
            return Err(Failure::Usage(reason.into()));
        }
        Ok(Self {})
    }

    /// Runs the text of a generation that has unit tests, and writes down whether it passed.
    ///
    /// # Errors
    /// The system refuses the process; a program that fails is no error.
    #[cfg(unix)]
    pub fn complete(&mut self, item: &Item, row: &mut GenerationRecord) -> Result<(), Failure> {
        let (Some(executor), None) = (&mut self.executor, &row.error) else {
            return Ok(());
        };
        if let ScoreRule::UnitTests { tests } = &item.score {
            let program = tests.program(&item.prompt, &row.text);
            let outcome = executor
                .outcome(&program)
                .map_err(|error| Failure::Other(error.to_string()))?;
            row.is_correct = Some(outcome.has_passed());
            row.score = Some(if outcome.has_passed() { 1.0 } else { 0.0 });
        }
        Ok(())
    }

    /// Nothing: [`open`](Self::open) allowed no program.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn complete(&mut self, _item: &Item, _row: &mut GenerationRecord) -> Result<(), Failure> {
        Ok(())
    }
}

fn needs_run(item: &Item) -> bool {
    matches!(item.score, ScoreRule::UnitTests { .. })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::workload::public::UnitTests;

    fn item() -> Item {
        let tests = UnitTests {
            test: "def check(candidate):\n    assert candidate(2) == 4\n".into(),
            entry_point: "double".into(),
        };
        Item {
            id: "1".into(),
            category: "humaneval".into(),
            prompt: "def double(n):\n".into(),
            reference: "    return 2 * n\n".into(),
            answer: None,
            score: ScoreRule::UnitTests { tests },
        }
    }

    fn row(text: &str) -> GenerationRecord {
        GenerationRecord {
            text: text.into(),
            ..GenerationRecord::default()
        }
    }

    #[test]
    fn without_leave_no_program_runs_and_none_is_scored() {
        let mut judge = Judge::open(None, [&item()].into_iter()).unwrap();
        let mut row = row("    return 2 * n\n");
        judge.complete(&item(), &mut row).unwrap();
        assert_eq!((row.is_correct, row.score), (None, None));
    }

    #[test]
    fn with_leave_a_program_is_as_right_as_its_tests_say() {
        let item = item();
        if std::process::Command::new("python3")
            .arg("-V")
            .output()
            .is_err()
        {
            println!("skipped: no python3 on the path");
            return;
        }
        let mut judge = Judge::open(Some("python3"), [&item].into_iter()).unwrap();
        for (text, is_right) in [
            ("    return 2 * n\n\nprint()", true),
            ("    return n\n", false),
        ] {
            let mut row = row(text);
            judge.complete(&item, &mut row).unwrap();
            assert_eq!(row.is_correct, Some(is_right), "{text}");
            assert_eq!(row.score, Some(if is_right { 1.0 } else { 0.0 }));
        }
        let mut failed = row("    return 2 * n\n");
        failed.error = Some("out of memory".into());
        judge.complete(&item, &mut failed).unwrap();
        assert_eq!(failed.is_correct, None);
    }
}
