//! External programs.
#![allow(missing_docs)]

mod kit;

use std::time::Duration;

use aioprocessing::{OutputStream, Program, ProgramError, ProgramEvent, ProgramOutput, Programs};
use kit::Watchdog;
use kit::either::either;
use kit::sides::Side;

aioprocessing::test_support!();

type Outcome = Result<ProgramOutput, ProgramError>;

/// Runs the body in each face, with a function that collects what becomes of programs.
fn each_face(test: &str, mut body: impl FnMut(&dyn Fn(usize, Vec<Program>) -> Vec<Outcome>)) {
    for &side in Side::ALL {
        let watchdog = Watchdog::new(test);
        watchdog.step(format!("{side:?}"));
        body(&|parallel, programs| {
            let mut run = Programs::new(parallel).run(programs);
            let mut all = Vec::new();
            while let Some(outcome) = either!(side, run.next(), run.coro_next()) {
                all.push(outcome);
            }
            assert!(run.next().is_none(), "it has an end, and stays there");
            all
        });
    }
    #[cfg(feature = "tokio")]
    body(&|parallel, programs| {
        let _watchdog = Watchdog::new(test);
        let programs = Listed(programs.into_iter().collect());
        kit::runtime().block_on(async move {
            let mut run = Programs::new(parallel).run_stream(programs);
            let mut all = Vec::new();
            while let Some(outcome) = run.coro_next().await {
                all.push(outcome);
            }
            all
        })
    });
}

/// A stream that is not ready every second time.
#[cfg(feature = "tokio")]
struct Listed(std::collections::VecDeque<Program>);

#[cfg(feature = "tokio")]
impl futures_core::Stream for Listed {
    type Item = Program;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Program>> {
        static TURN: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        if TURN.fetch_add(1, std::sync::atomic::Ordering::Relaxed).is_multiple_of(2) {
            cx.waker().wake_by_ref();
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(self.0.pop_front())
    }
}

fn sh(script: &str) -> Program {
    Program::new("sh").arg("-c").arg(script)
}

fn one(run: &dyn Fn(usize, Vec<Program>) -> Vec<Outcome>, program: Program) -> Outcome {
    let mut all = run(1, vec![program]);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn a_program_gets_what_it_is_given_and_all_it_writes_comes_back() {
    each_face("one program", |run| {
        let done = one(
            run,
            sh("cat; echo $A; pwd; echo wrong >&2; exit 3").env("A", "b").current_dir("/").stdin("in\n"),
        );
        let done = done.unwrap();
        assert_eq!((done.index, &*done.name, done.status.code()), (0, "sh", Some(3)));
        assert_eq!((&*done.stdout, &*done.stderr), (&b"in\nb\n/\n"[..], &b"wrong\n"[..]));
        let done = one(run, sh("kill -9 $$").name("victim")).unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&done.status), Some(9));
        assert_eq!(done.name, "victim");
        let done = one(run, Program::new("env").env_clear().env("ONLY", "this")).unwrap();
        assert_eq!(done.stdout, b"ONLY=this\n");
        // A program of std's, and one without input: it finds the end at once.
        let done = one(run, std::process::Command::new("cat").into()).unwrap();
        assert!(done.status.success() && done.stdout.is_empty());
    });
}

#[test]
fn output_and_input_of_any_size_and_any_bytes_come_through() {
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|i| (i ^ (i >> 8)) as u8).collect();
    each_face("sizes", |run| {
        let all = run(2, vec![Program::new("cat").stdin(bytes.clone()), sh("cat >&2").stdin(bytes.clone())]);
        for done in all {
            let done = done.unwrap();
            let written = if done.index == 0 { done.stdout } else { done.stderr };
            assert!(written == bytes, "{} bytes came back", written.len());
        }
        // It reads a part and leaves.
        let done = one(run, Program::new("head").arg("-c3").stdin(bytes.clone())).unwrap();
        assert_eq!(done.stdout, bytes[..3]);
    });
}

#[test]
fn results_come_as_each_ends_and_no_more_run_than_may() {
    each_face("parallel", |run| {
        // Each waits for those before it: the last of three lets the others go.
        let dir = tempfile::tempdir().unwrap();
        let wait = |i: usize| {
            let most = "test $(ls run | wc -l) -le 3 || exit 9";
            let script = if i < 2 {
                format!("touch run/{i}; {most}; until test -e go; do sleep 0.01; done; rm run/{i}")
            } else {
                format!("touch run/{i}; {most}; test {i} -lt 5 || touch go; rm run/{i}")
            };
            sh(&script).current_dir(dir.path())
        };
        std::fs::create_dir(dir.path().join("run")).unwrap();
        let all = run(3, (0..6).map(wait).collect());
        let order: Vec<_> = all.iter().map(|done| done.as_ref().unwrap().index).collect();
        assert!(all.iter().all(|done| done.as_ref().unwrap().status.success()), "{all:?}");
        assert_eq!(order.len(), 6);
        assert_eq!(order[..3], [2, 3, 4], "those that wait for nobody, as they end");
        assert!(run(3, Vec::new()).is_empty());
    });
}

#[test]
fn inputs_are_taken_as_results_leave() {
    let _watchdog = Watchdog::new("laziness");
    let mut taken = 0;
    let mut run = Programs::new(2).run((0..100).map(|_| {
        taken += 1;
        Program::new("true")
    }));
    for _ in 0..5 {
        run.next().unwrap().unwrap();
    }
    drop(run);
    assert!((5..=5 + 3 + 2).contains(&taken), "{taken}");
}

#[test]
fn what_cannot_be_started_fails_alone() {
    each_face("start", |run| {
        let all = run(
            1,
            vec![Program::new("/no/such/program"), Program::new("true"), sh("true").current_dir("/no/such")],
        );
        assert_eq!(all.len(), 3);
        for done in all {
            match done {
                Err(ProgramError::Start { index, source, .. }) => {
                    assert!(index != 1);
                    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
                }
                done => assert_eq!(done.unwrap().index, 1),
            }
        }
    });
}

#[test]
fn a_program_that_overruns_is_killed_with_what_it_started() {
    each_face("timeout", |run| {
        // The shell waits for a child of its own, which is to go, too.
        let script = "sleep 1000 & echo $!; wait";
        let begun = std::time::Instant::now();
        let error = one(run, sh(script).timeout(Duration::from_millis(200))).unwrap_err();
        assert!(error.is_timeout() && error.index() == Some(0));
        assert!(begun.elapsed() >= Duration::from_millis(200));
        let output = error.into_output().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(9));
        let sleeper: u32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        kit::until("the death of what it started", || kit::is_dead(sleeper));
        let done = one(run, Program::new("true").timeout(kit::LONG)).unwrap();
        assert!(done.status.success());
    });
}

#[test]
fn a_grandchild_that_holds_the_output_holds_up_nobody() {
    each_face("grandchild", |run| {
        let dir = tempfile::tempdir().unwrap();
        let script = "(until test -e go; do sleep 0.01; done; touch gone) & echo mine";
        let done = one(run, sh(script).current_dir(dir.path())).unwrap();
        assert_eq!(done.stdout, b"mine\n");
        std::fs::write(dir.path().join("go"), "").unwrap();
        // It has not been killed: its parent had let it go.
        kit::until("its end", || dir.path().join("gone").exists());
        // One that writes without end, too.
        let script = "yes & echo $! >&2; sleep 0.1";
        let done = one(run, sh(script).linger(Duration::ZERO)).unwrap();
        kit::kill(String::from_utf8(done.stderr).unwrap().trim().parse().unwrap());
        assert!(done.stdout.starts_with(b"y\ny\n"));
        // What comes soon after the end is still read.
        let script = "(while kill -0 $$ 2>/dev/null && ! grep -q '^State:.Z' /proc/$$/status; do :; done; echo late) & echo soon";
        let done = one(run, sh(script).linger(kit::LONG)).unwrap();
        assert_eq!(done.stdout, b"soon\nlate\n");
    });
}

#[test]
fn lines_come_as_they_are_written() {
    for &side in Side::ALL {
        let _watchdog = Watchdog::new("lines");
        let dir = tempfile::tempdir().unwrap();
        // It goes on only when its first lines have been seen.
        let script =
            "echo one; echo two >&2; until test -e go; do sleep 0.01; done; echo; printf 'the \\377 end'";
        let program = sh(script).current_dir(dir.path()).lines(true);
        let mut events = Programs::new(1).events([program]);
        let mut next = || either!(side, events.next(), events.coro_next()).unwrap().unwrap();
        assert!(matches!(next(), ProgramEvent::Started { index: 0, .. }));
        let mut lines = Vec::new();
        loop {
            match next() {
                ProgramEvent::Line { index: 0, stream, line, .. } => lines.push((stream, line)),
                ProgramEvent::Ended(done) => {
                    assert!(done.stdout.is_empty() && done.stderr.is_empty());
                    break;
                }
                other => panic!("{other:?}"),
            }
            if lines.len() == 2 {
                std::fs::write(dir.path().join("go"), "").unwrap();
            }
        }
        let of = |wanted| lines.iter().filter(move |(stream, _)| *stream == wanted).map(|(_, line)| &**line);
        assert_eq!(of(OutputStream::Stdout).collect::<Vec<_>>(), [&b"one"[..], b"", b"the \xff end"]);
        assert_eq!(of(OutputStream::Stderr).collect::<Vec<_>>(), [b"two"]);
    }
}

/// In a process of its own: all its children are this run's.
fn drop_a_run(is_async: bool) {
    let side = if is_async { Side::ALL[Side::ALL.len() - 1] } else { Side::Blocking };
    let before = kit::descriptors().len();
    // A child of a child, too.
    let script = "sh -c 'sleep 1000 & echo $!; wait' & wait";
    let mut events = Programs::new(2).events([sh(script).lines(true), sh("exec sleep 1000")]);
    let mut pids = Vec::new();
    while pids.len() < 3 {
        match either!(side, events.next(), events.coro_next()).unwrap().unwrap() {
            ProgramEvent::Started { pid, .. } => pids.push(pid),
            ProgramEvent::Line { line, .. } => pids.push(String::from_utf8(line).unwrap().parse().unwrap()),
            other => panic!("{other:?}"),
        }
    }
    assert!(!pids.iter().any(|&pid| kit::is_dead(pid)));
    drop(events);
    let zombies = rustix::process::waitpid(None, rustix::process::WaitOptions::NOHANG);
    assert!(zombies.is_err(), "no child, dead or alive, is left: {zombies:?}");
    for pid in pids {
        kit::until("the death of all", || kit::is_dead(pid));
    }
    assert_eq!(kit::descriptors().len(), before);
}

#[test]
fn nothing_is_left_after_a_drop() {
    for is_async in [false, true] {
        let _watchdog = Watchdog::new("drop");
        let child = aioprocessing::AioProcess::builder().daemon(true).spawn(drop_a_run, (is_async,)).unwrap();
        child.join_timeout(kit::LONG).unwrap();
    }
}

#[test]
fn case_18_a_status_taken_elsewhere_is_an_error_and_no_hang() {
    let child = aioprocessing::AioProcess::builder().daemon(true).spawn(
        || {
            kit::ignore_sigchld();
            let lost = Programs::new(1).run([Program::new("true")]).next().unwrap().unwrap_err();
            assert!(matches!(lost, ProgramError::StatusLost { index: 0, .. }), "{lost}");
        },
        (),
    );
    child.unwrap().join_timeout(kit::LONG).unwrap();
}

#[test]
fn without_descriptors_there_is_an_error() {
    let child = aioprocessing::AioProcess::builder().daemon(true).spawn(
        || {
            let limit = rustix::process::Rlimit { current: Some(16), maximum: Some(16) };
            rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
            let mut run = Programs::new(50)
                .run((0..20).map(|_| sh("read line").stdin(std::fs::File::open("/dev/null").unwrap())));
            let failed = run.by_ref().filter(|done| matches!(done, Err(ProgramError::Start { .. }))).count();
            assert!(failed > 0 && failed < 20, "{failed}");
            drop(run);
            let held: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
            let mut run = Programs::new(1).run([Program::new("true")]);
            assert!(matches!(run.next(), Some(Err(ProgramError::Io(_)))));
            assert!(run.next().is_none());
            drop(held);
        },
        (),
    );
    child.unwrap().join_timeout(kit::LONG).unwrap();
}

#[cfg(feature = "tokio")]
#[test]
fn a_wait_that_is_dropped_loses_nothing() {
    let _watchdog = Watchdog::new("cancel");
    kit::runtime().block_on(async {
        let mut run = Programs::new(3).run((0..60).map(|i| sh(&format!("sleep 0.00{}; echo {i}", i % 10))));
        let mut seen = Vec::new();
        loop {
            match tokio::time::timeout(Duration::from_micros(300), run.coro_next()).await {
                Err(_) => {}
                Ok(None) => break,
                Ok(Some(done)) => seen.push(done.unwrap().index),
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..60).collect::<Vec<_>>());
    });
}
