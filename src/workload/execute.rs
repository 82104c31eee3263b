//! Runs a Python program that a model wrote, to learn whether it passes its tests.
//!
//! Each program runs in a process of its own: an empty temporary folder, a cleared environment,
//! closed standard input, limits on time, memory and file size, and an end for the whole process
//! group. This guards against accidents. It is no sandbox: the program may use the network, read
//! what its user can read, and start processes that leave the group. Run untrusted models in a
//! container or a virtual machine.

mod folder;
mod process;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use thiserror::Error;

use process::{Ended, PASSED, SIGNAL_CPU_TIME};

/// What one program may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From start to end, by the clock. The processor time is limited to the next whole second.
    pub wall: Duration,
    /// Address space, in bytes.
    pub memory: u64,
    /// Size of any one file it writes, its error output included, in bytes.
    pub file: u64,
}

impl Default for Limits {
    /// Three seconds, as in HumanEval's own evaluation, 1 GiB and 1 MiB.
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(3),
            memory: 1 << 30,
            file: 1 << 20,
        }
    }
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end without an exception.
    Passed {},
    /// It raised an exception, does not parse, or left early; `reason` is the last line it said.
    Failed { reason: String },
    /// It met the limit of clock or processor time.
    TimedOut {},
    /// It asked for more memory than its limit.
    OutOfMemory {},
}

impl Outcome {
    pub fn has_passed(&self) -> bool {
        *self == Self::Passed {}
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed {} => f.write_str("passed"),
            Self::Failed { reason } => write!(f, "failed: {reason}"),
            Self::TimedOut {} => f.write_str("timed out"),
            Self::OutOfMemory {} => f.write_str("out of memory"),
        }
    }
}

/// Programs cannot be run here; says nothing about any program.
#[derive(Debug, Error)]
pub enum ExecutionError {
    #[error("cannot start the Python interpreter '{name}': {reason}; name one that runs")]
    NoInterpreter { name: String, reason: String },

    #[error(
        "a program that does nothing {outcome} under {interpreter}: \
         this system does not take the limits, or they are too small for the interpreter"
    )]
    NothingPasses {
        interpreter: String,
        outcome: Outcome,
    },

    #[error("cannot run a program: {0}")]
    System(#[from] std::io::Error),
}

/// A Python interpreter under limits, which remembers the outcomes of programs.
///
/// A lossless decoder writes the same text in every trial, so most programs of a sweep are repeats.
#[derive(Debug)]
pub struct Executor {
    interpreter: PathBuf,
    limits: Limits,
    known: HashMap<String, Outcome>,
}

impl Executor {
    /// `name`: a program on the path, e.g. `python3`, or a path.
    ///
    /// # Errors
    ///
    /// There is no such interpreter, or not even an empty program passes under the limits.
    pub fn new(name: &str, limits: Limits) -> Result<Self, ExecutionError> {
        let interpreter = real_path(name)?;
        let mut executor = Self {
            interpreter,
            limits,
            known: HashMap::new(),
        };
        match executor.outcome("pass\n")? {
            Outcome::Passed {} => Ok(executor),
            outcome @ (Outcome::Failed { .. } | Outcome::TimedOut {} | Outcome::OutOfMemory {}) => {
                Err(ExecutionError::NothingPasses {
                    interpreter: executor.interpreter.display().to_string(),
                    outcome,
                })
            }
        }
    }

    /// Runs a program, unless it ran before.
    ///
    /// # Errors
    ///
    /// The system refuses the folder or the process.
    pub fn outcome(&mut self, program: &str) -> Result<Outcome, ExecutionError> {
        if let Some(outcome) = self.known.get(program) {
            return Ok(outcome.clone());
        }
        let ended = process::run(&self.interpreter, program, &self.limits)?;
        let outcome = outcome_of(&ended);
        self.known.insert(program.to_owned(), outcome.clone());
        Ok(outcome)
    }
}

/// The interpreter's own executable: the name may be of a script that needs the environment, which
/// programs do not get.
fn real_path(name: &str) -> Result<PathBuf, ExecutionError> {
    let failed = |reason: String| ExecutionError::NoInterpreter {
        name: name.to_owned(),
        reason,
    };
    let output = Command::new(name)
        .args(["-I", "-c", "import sys; print(sys.executable)"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !path.is_empty() {
        Ok(path.into())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(failed(format!("{} {said}", output.status)))
    }
}

fn outcome_of(ended: &Ended) -> Outcome {
    let last_line = ended.last_line.as_str();
    if ended.is_past_deadline || ended.signal == Some(SIGNAL_CPU_TIME) {
        return Outcome::TimedOut {};
    }
    if ended.code == Some(PASSED) {
        return Outcome::Passed {};
    }
    if last_line.starts_with("MemoryError") {
        return Outcome::OutOfMemory {};
    }
    let reason = match (ended.code, ended.signal) {
        (_, Some(signal)) => format!("ended by signal {signal}"),
        (Some(0), None) => "left before its tests ended".to_owned(),
        (Some(code), None) if last_line.is_empty() => format!("left with status {code}"),
        (Some(_) | None, None) => last_line.to_owned(),
    };
    Outcome::Failed { reason }
}
