//! Programs that pass, fail, never end and take too much, run by the system's Python.

use std::time::Instant;

use super::super::item::ScoreRule;
use super::super::public::PublicSource;
use super::*;

/// None, with the reason printed, where there is no Python to run.
fn executor(limits: Limits) -> Option<Executor> {
    match Executor::new("python3", limits) {
        Ok(executor) => Some(executor),
        Err(error @ ExecutionError::NoInterpreter { .. }) => {
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Time enough for a busy machine: what is tested is how a program ends, not how soon.
fn patient() -> Option<Executor> {
    executor(Limits {
        wall: Duration::from_secs(60),
        ..Limits::default()
    })
}

fn failure(executor: &mut Executor, program: &str) -> String {
    match executor.outcome(program).unwrap() {
        Outcome::Failed { reason } => reason,
        outcome => panic!("{outcome}"),
    }
}

#[test]
fn each_canonical_solution_passes_and_an_empty_one_fails() {
    let Some(mut executor) = patient() else {
        return;
    };
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/workloads/humaneval.jsonl"
    );
    let source = PublicSource::parse(&format!("humaneval:{file}")).unwrap();
    for item in source.load(usize::MAX).unwrap() {
        let ScoreRule::UnitTests { tests } = item.score else {
            panic!("{:?}", item.score);
        };
        let right = tests.program(&item.prompt, &item.reference);
        assert_eq!(executor.outcome(&right).unwrap(), Outcome::Passed {});
        let empty = tests.program(&item.prompt, "    pass\n");
        assert_eq!(failure(&mut executor, &empty), "AssertionError");
    }
}

#[test]
fn a_failure_says_what_the_program_said_last() {
    let Some(mut executor) = patient() else {
        return;
    };
    let mut said = |program: &str| failure(&mut executor, program);
    assert_eq!(
        said("assert 1 + 1 == 3, 'one and one'"),
        "AssertionError: one and one"
    );
    let reason = said("def f(:\n    pass\n");
    assert!(reason.starts_with("SyntaxError"), "{reason}");
    assert_eq!(said("raise SystemExit(0)"), "left before its tests ended");
    assert_eq!(said("import os\nos._exit(5)"), "left with status 5");
    assert_eq!(said("import os\nos.abort()"), "ended by signal 6");
    assert!(said("raise ValueError('x' * 10_000)").chars().count() <= 200);
}

#[test]
fn an_endless_program_and_its_children_end_with_the_time() {
    let Some(mut executor) = executor(Limits {
        wall: Duration::from_secs(2),
        ..Limits::default()
    }) else {
        return;
    };
    let start = Instant::now();
    let idle = executor.outcome("import time\ntime.sleep(600)").unwrap();
    assert_eq!(idle, Outcome::TimedOut {});
    let busy = executor.outcome("while True:\n    pass").unwrap();
    assert_eq!(busy, Outcome::TimedOut {});
    let parent = executor
        .outcome("import subprocess\nsubprocess.run(['sleep', '600'])")
        .unwrap();
    assert_eq!(parent, Outcome::TimedOut {});
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_child_left_behind_ends_with_its_program() {
    let Some(mut executor) = patient() else {
        return;
    };
    let mark = format!("31{}", std::process::id());
    let program = format!("import subprocess\nsubprocess.Popen(['sleep', '{mark}'])");
    assert!(executor.outcome(&program).unwrap().has_passed());
    let is_alive = || {
        std::fs::read_dir("/proc").is_ok_and(|processes| {
            processes.flatten().any(|process| {
                std::fs::read(process.path().join("cmdline"))
                    .is_ok_and(|line| line == format!("sleep\0{mark}\0").as_bytes())
            })
        })
    };
    // The system takes a moment to remove a killed process.
    let start = Instant::now();
    while is_alive() && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!is_alive());
}

#[test]
fn children_that_share_the_work_end_with_the_clock() {
    let Some(mut executor) = executor(Limits {
        wall: Duration::from_secs(2),
        ..Limits::default()
    }) else {
        return;
    };
    // Four busy processes, of which none uses up its own processor time before the clock does.
    let program = "import os\nfor _ in range(2):\n    os.fork()\nwhile True:\n    pass";
    assert_eq!(executor.outcome(program).unwrap(), Outcome::TimedOut {});
}

#[test]
fn a_program_that_the_system_stops_for_its_processor_time_timed_out() {
    let Some(mut executor) = patient() else {
        return;
    };
    let own = |signal: &str| format!("import os, signal\nos.kill(os.getpid(), signal.{signal})");
    let stopped = executor.outcome(&own("SIGXCPU")).unwrap();
    assert_eq!(stopped, Outcome::TimedOut {});
    let reason = failure(&mut executor, &own("SIGKILL"));
    assert_eq!(reason, "ended by signal 9");
}

#[test]
fn a_program_that_takes_all_memory_is_told_apart() {
    let Some(mut executor) = patient() else {
        return;
    };
    let hog = "x = []\nwhile True:\n    x.append(bytearray(1 << 24))";
    assert_eq!(executor.outcome(hog).unwrap(), Outcome::OutOfMemory {});
    let caught = "try:\n    x = bytearray(1 << 40)\nexcept MemoryError:\n    pass";
    assert_eq!(executor.outcome(caught).unwrap(), Outcome::Passed {});
}

#[test]
fn a_program_sees_an_empty_folder_no_input_and_no_environment() {
    let Some(mut executor) = patient() else {
        return;
    };
    let program = "import os, sys\n\
                   assert os.listdir() == []\n\
                   assert sys.stdin.read() == ''\n\
                   assert 'CARGO_MANIFEST_DIR' not in os.environ\n\
                   print('x' * 10_000_000)\n\
                   open('left', 'w').write('behind')\n";
    assert_eq!(executor.outcome(program).unwrap(), Outcome::Passed {});
    let where_to = "import os\nraise ValueError(os.getcwd())";
    let reason = failure(&mut executor, where_to);
    let folder = reason.strip_prefix("ValueError: ").unwrap();
    assert!(!std::path::Path::new(folder).exists(), "{folder}");
}

#[test]
fn a_file_cannot_fill_the_disk() {
    let Some(mut executor) = patient() else {
        return;
    };
    let program = "f = open('big', 'wb')\nf.write(bytes(1 << 21))\nf.close()";
    let reason = failure(&mut executor, program);
    assert!(reason.contains("File too large"), "{reason}");
}

#[test]
fn a_missing_interpreter_and_limits_too_small_are_errors_of_ours() {
    let error = Executor::new("no-such-python", Limits::default()).unwrap_err();
    assert!(matches!(error, ExecutionError::NoInterpreter { .. }));
    assert!(error.to_string().contains("'no-such-python'"), "{error}");
    if patient().is_some() {
        let limits = Limits {
            memory: 1 << 20,
            ..Limits::default()
        };
        let error = Executor::new("python3", limits).unwrap_err();
        assert!(
            matches!(error, ExecutionError::NothingPasses { .. }),
            "{error}"
        );
    }
}
