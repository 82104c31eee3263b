//! One program in one process group, under limits that the shell sets.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::Limits;
use super::folder::Folder;

/// The exit status that only the line after the tests asks for: a program that calls `exit(0)`
/// before does not pass.
pub(super) const PASSED: i32 = 77;

/// SIGXCPU, on Linux and macOS alike.
pub(super) const SIGNAL_CPU_TIME: i32 = 24;

const SHELL: &str = "/bin/sh";

/// Seconds of processor time (soft, hard), KiB of address space, blocks of 512 bytes in a file; no
/// core files. Limits are set without unsafe code, and hold for the children as well.
const LIMIT_AND_RUN: &str = "ulimit -S -t \"$1\" && ulimit -H -t \"$2\" && ulimit -v \"$3\" && \
     ulimit -f \"$4\" && ulimit -c 0 || exit 1; shift 4; exec \"$@\"";

const KILL_GROUP: &str = "kill -s KILL -- \"-$1\"";

const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Of the error output, only the end is read.
const TAIL_BYTES: u64 = 4096;
const MAX_LINE_CHARS: usize = 200;

/// How a process ended, and the last line of its error output.
pub(super) struct Ended {
    pub is_past_deadline: bool,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub last_line: String,
}

/// Runs the program until it ends or its time is up, then ends what is left of its group.
pub(super) fn run(interpreter: &Path, program: &str, limits: &Limits) -> io::Result<Ended> {
    let folder = Folder::new()?;
    let (program_file, errors_file) = (
        folder.path().join("program.py"),
        folder.path().join("errors"),
    );
    let work = folder.path().join("work");
    fs::create_dir(&work)?;
    fs::write(
        &program_file,
        format!("{program}\nraise SystemExit({PASSED})\n"),
    )?;
    let mut child = command(interpreter, limits)
        .arg(&program_file)
        .current_dir(&work)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", &work)
        .env("TMPDIR", &work)
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&errors_file)?)
        .process_group(0)
        .spawn()?;
    let ended = wait(&mut child, limits.wall);
    // Also after an orderly end: the program may have left children behind.
    let is_group_killed = kill_group(child.id());
    let in_time = ended?;
    let status = match in_time {
        Some(status) => status,
        None => {
            if !is_group_killed? {
                child.kill()?;
            }
            child.wait()?
        }
    };
    Ok(Ended {
        is_past_deadline: in_time.is_none(),
        code: status.code(),
        signal: status.signal(),
        last_line: last_line(&errors_file)?,
    })
}

fn command(interpreter: &Path, limits: &Limits) -> Command {
    let cpu_seconds = limits.wall.as_secs() + 1;
    let mut command = Command::new(SHELL);
    command
        .args(["-c", LIMIT_AND_RUN, "limits"])
        .arg(cpu_seconds.to_string())
        .arg((cpu_seconds + 1).to_string())
        .arg((limits.memory / 1024).to_string())
        .arg((limits.file / 512).to_string())
        .arg(interpreter)
        // Isolated: no user packages, no modules from the folder; and no bytecode written.
        .args(["-I", "-B"]);
    command
}

/// The status, or None where the time is up first.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        std::thread::sleep(pause.min(left));
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

/// Ends every process of the group; false where none is left.
fn kill_group(leader: u32) -> io::Result<bool> {
    let status = Command::new(SHELL)
        .args(["-c", KILL_GROUP, "kill", &leader.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(status.success())
}

fn last_line(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    let tail = String::from_utf8_lossy(&tail);
    let line = tail.lines().rfind(|line| !line.trim().is_empty());
    Ok(line
        .unwrap_or("")
        .trim()
        .chars()
        .take(MAX_LINE_CHARS)
        .collect())
}
