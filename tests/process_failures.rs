//! Every way in which a child can fail, and what its parent is told.

mod kit;

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use aioprocessing::{AioProcess, BootstrapError, EncodeError, JoinError, SpawnError, Stdio};
use kit::{Watchdog, each_face, sleep_for_ever};

aioprocessing::test_support!();

fn nothing() {}

#[test]
fn case_08_terminate_kill_and_interrupt_report_their_signals() {
    each_face("case 8", |face| {
        type Send = fn(&AioProcess<()>) -> Result<(), aioprocessing::SignalError>;
        let all: [(i32, &str, Send); 3] = [
            (15, "SIGTERM", AioProcess::terminate),
            (9, "SIGKILL", AioProcess::kill),
            (2, "SIGINT", AioProcess::interrupt),
        ];
        for (number, name, send) in all {
            let child = AioProcess::spawn(sleep_for_ever, ()).unwrap();
            send(&child).unwrap();
            let error = face.join(&child).unwrap_err();
            assert!(
                matches!(error, JoinError::Signaled { signal, core_dumped: false, .. } if signal == number),
                "{error:?}"
            );
            assert!(error.to_string().contains(name) && error.to_string().contains(child.name()), "{error}");
            assert_eq!(child.exit_code(), Some(-number));
            assert!(!child.is_alive());
            send(&child).unwrap();
        }
    });
}

#[test]
fn case_09_exit_codes() {
    each_face("case 9, exit", |face| {
        for code in [0, 1, 3, 70, 101, 255] {
            let child = AioProcess::spawn(|code: i32| std::process::exit(code), (code,)).unwrap();
            let child: AioProcess<()> = child;
            let error = face.join(&child).unwrap_err();
            assert!(matches!(error, JoinError::Exited { code: seen, .. } if seen == code), "{error:?}");
            assert_eq!(child.exit_code(), Some(code));
        }
    });
}

#[test]
fn case_09_a_panic_prints_and_arrives_with_its_place() {
    fn fail(why: String) {
        panic!("no {why}");
    }
    const FAIL_LINE: u32 = line!() - 2;
    each_face("case 9, panic", |face| {
        let builder = AioProcess::builder().stderr(Stdio::piped()).stdout(Stdio::piped());
        let child = builder
            .spawn(
                |why: String| {
                    print!("unflushed");
                    fail(why)
                },
                ("way".to_owned(),),
            )
            .unwrap();
        let mut printed = String::new();
        child.take_stderr().unwrap().read_to_string(&mut printed).unwrap();
        assert!(printed.contains("panicked") && printed.contains("no way"), "{printed}");
        let mut printed = String::new();
        child.take_stdout().unwrap().read_to_string(&mut printed).unwrap();
        assert_eq!(printed, "unflushed");
        match face.join(&child).unwrap_err() {
            JoinError::Panicked { message, location, pid, name, .. } => {
                assert_eq!(message, "no way");
                assert!(location.starts_with(&format!("{}:{FAIL_LINE}:", file!())), "{location}");
                assert_eq!((pid, name.as_str()), (child.pid(), child.name()));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(child.exit_code(), Some(101));
        assert!(face.join(&child).unwrap_err().is_panicked(), "a second join says the same");
    });
}

#[test]
fn panics_of_all_kinds() {
    fn in_drop() -> u8 {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("second thoughts");
            }
        }
        std::panic::panic_any(Bomb)
    }
    let _watchdog = Watchdog::new("panics");
    let quiet = || AioProcess::builder().stderr(Stdio::null());
    let told = |error: JoinError| match error {
        JoinError::Panicked { message, location, .. } => (message, location),
        other => panic!("{other:?}"),
    };

    let child = quiet().spawn(|| std::panic::resume_unwind(Box::new("again")), ());
    let child: AioProcess<u8> = child.unwrap();
    assert_eq!(told(child.join().unwrap_err()), ("again".to_owned(), String::new()));

    let child = quiet().spawn(
        || {
            std::panic::set_hook(Box::new(|_| ()));
            panic!("hook gone")
        },
        (),
    );
    let child: AioProcess<u8> = child.unwrap();
    assert_eq!(told(child.join().unwrap_err()), ("hook gone".to_owned(), String::new()));

    let (message, location) = told(quiet().spawn(in_drop, ()).unwrap().join().unwrap_err());
    assert!(message.contains("not text"), "{message}");
    assert!(location.contains(file!()), "{location}");

    // One that was caught is none.
    let child = quiet().spawn(|| std::panic::catch_unwind(|| panic!("caught")).is_err(), ()).unwrap();
    assert!(child.join().unwrap());

    // One of another thread is that thread's.
    let child = quiet().spawn(|| std::thread::spawn(|| panic!("elsewhere")).join().is_err(), ()).unwrap();
    assert!(child.join().unwrap());
}

#[test]
fn case_10_abort_and_segfault_are_signals() {
    fn segfault() {
        let me = std::process::id().cast_signed();
        let me = rustix::process::Pid::from_raw(me).unwrap();
        rustix::process::kill_process(me, rustix::process::Signal::SEGV).unwrap();
    }
    fn overflow_the_stack(n: u64) -> u64 {
        if n == u64::MAX { 0 } else { std::hint::black_box(overflow_the_stack(n + 1)) + 1 }
    }
    each_face("case 10", |face| {
        let child = AioProcess::spawn(|| std::process::abort(), ());
        let child: AioProcess<()> = child.unwrap();
        assert!(matches!(face.join(&child), Err(JoinError::Signaled { signal: 6, .. })));
        assert_eq!(child.exit_code(), Some(-6));
        let child = AioProcess::spawn(segfault, ()).unwrap();
        assert!(matches!(face.join(&child), Err(JoinError::Signaled { signal: 11, .. })));
        let child = AioProcess::builder().stderr(Stdio::null()).spawn(overflow_the_stack, (0,)).unwrap();
        assert!(face.join(&child).unwrap_err().is_signaled());
    });
}

#[test]
fn a_child_killed_at_any_moment_of_its_start_is_an_error_at_once() {
    each_face("killed at its start", |face| {
        for turn in 0..200_u32 {
            let child = AioProcess::spawn(nothing, ()).unwrap();
            for _ in 0..turn * 100 {
                std::hint::spin_loop();
            }
            child.kill().unwrap();
            match face.join(&child) {
                Ok(()) | Err(JoinError::Signaled { signal: 9, .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
    });
}

/// A child that something else reaps is reported, and not alive for ever.
#[test]
fn case_18_a_foreign_waitpid() {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let steal = |pid: u32| {
        let pid = Pid::from_raw(pid.cast_signed()).unwrap();
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).unwrap();
    };
    each_face("case 18", |face| {
        let child = AioProcess::spawn(sleep_for_ever, ()).unwrap();
        child.kill().unwrap();
        steal(child.pid());
        assert!(!child.is_alive());
        assert_eq!(child.exit_code(), None);
        let error = face.join(&child).unwrap_err();
        assert!(matches!(error, JoinError::StatusLost { .. }), "{error:?}");
        child.kill().unwrap();

        let child = AioProcess::spawn(|| 5_u8, ()).unwrap();
        steal(child.pid());
        assert_eq!(face.join(&child).unwrap(), 5, "the value has arrived all the same");
    });
}

/// In a process of its own, as it holds for the whole of it: the system reaps its children at once.
#[test]
fn case_18_a_parent_that_ignores_sigchld() {
    fn parent() -> u32 {
        kit::ignore_sigchld();
        let mut sum = 0;
        for i in 0..50 {
            let child = AioProcess::spawn(|i: u32| i, (i,)).unwrap();
            sum += child.join().unwrap();
            assert_eq!(child.exit_code(), None);
            let child = AioProcess::spawn(sleep_for_ever, ()).unwrap();
            child.kill().unwrap();
            assert!(matches!(child.join(), Err(JoinError::StatusLost { .. })));
        }
        sum
    }
    each_face("case 18, ignored", |face| {
        assert_eq!(face.join(&AioProcess::spawn(parent, ()).unwrap()).unwrap(), 49 * 50 / 2);
    });
}

#[test]
fn case_19_a_signal_handler_does_not_break_a_join() {
    each_face("case 19", |face| {
        kit::handle_sigusr1();
        let me = kit::this_thread();
        let child = AioProcess::builder()
            .stdin(Stdio::piped())
            .spawn(|| std::io::read_to_string(std::io::stdin()).unwrap(), ())
            .unwrap();
        let mut stdin = child.take_stdin().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..50 {
                    kit::interrupt_thread(me);
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                stdin.write_all(b"whole").unwrap();
                drop(stdin);
            });
            assert_eq!(face.join(&child).unwrap(), "whole");
        });
        assert!(kit::sigusr1_seen() >= 1);
    });
}

/// In a process of its own, as its streams are everybody's.
#[test]
fn case_22_closed_streams_in_the_parent() {
    fn parent(which: Vec<i32>) -> Vec<String> {
        which.iter().for_each(|&number| kit::close(number));
        let look = || -> Vec<String> {
            (0..3)
                .map(|number| {
                    let link = std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
                    link.display().to_string()
                })
                .collect()
        };
        let child = AioProcess::builder().kill_on_drop(true).daemon(true).spawn(look, ()).unwrap();
        println!("must not reach a socket");
        eprintln!("must not reach a socket");
        child.join().unwrap()
    }
    each_face("case 22", |face| {
        for which in [vec![0], vec![1], vec![2], vec![0, 1, 2]] {
            let builder =
                AioProcess::builder().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let child = builder.spawn(parent, (which,)).unwrap();
            assert_eq!(face.join(&child).unwrap(), ["/dev/null"; 3]);
        }
    });
}

#[test]
fn errors_are_errors() {
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_error::<SpawnError>();
    is_error::<JoinError>();
    is_error::<BootstrapError>();
    is_error::<aioprocessing::SignalError>();
    is_error::<aioprocessing::ProcessWaitError>();
    is_error::<EncodeError>();
    is_error::<aioprocessing::DecodeError>();
    // For users who keep what a child reads from.
    let _: fn(OwnedFd) -> Stdio = Stdio::from;
    let _ = std::io::stdin().as_fd();
}

/// A child that this process traces stops for it, and `waitid` would take that stop from the debugger that waits for it.
#[test]
#[allow(unsafe_code)]
fn a_look_for_the_end_takes_no_stop_of_a_traced_child() {
    let child = AioProcess::builder().daemon(true).spawn(kit::sleep_for_ever, ()).unwrap();
    let pid = child.pid().cast_signed();
    let trace = |request: libc::c_uint| {
        // SAFETY: these requests read and write no memory.
        unsafe { libc::ptrace(request, pid, 0, 0) }
    };
    let stopped = || {
        let mut status = 0;
        // SAFETY: the status is ours to be written to.
        let seen = unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL | libc::WNOHANG) };
        seen == pid && libc::WIFSTOPPED(status)
    };
    if trace(libc::PTRACE_SEIZE) != 0 {
        eprintln!("ptrace is not allowed here: {}", std::io::Error::last_os_error());
        child.kill().unwrap();
        return;
    }
    assert_eq!(trace(libc::PTRACE_INTERRUPT), 0);
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    kit::until("the stop", || state().rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('t')));
    assert!(child.try_join().unwrap_err().is_timeout());
    assert!(child.is_alive());
    assert!(stopped(), "somebody has taken the stop");
    child.kill().unwrap();
    assert!(matches!(child.join(), Err(JoinError::Signaled { signal: libc::SIGKILL, .. })));
}
