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

/// Reads its bytes and finds that it does not like them.
#[derive(Debug)]
struct Unreadable;

impl serde::Serialize for Unreadable {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(1)
    }
}

impl<'de> serde::Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        u8::deserialize(from)?;
        Err(serde::de::Error::custom("unreadable"))
    }
}

/// Can't be written.
#[derive(Debug, serde::Deserialize)]
struct Unwritable;

impl serde::Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("unwritable"))
    }
}

#[test]
fn arguments_that_cannot_be_sent_or_read() {
    each_face("arguments", |face| {
        let error = AioProcess::spawn(|_: Unwritable| (), (Unwritable,)).unwrap_err();
        assert!(matches!(error, SpawnError::Arguments(EncodeError::Value { .. })), "{error:?}");

        let child = AioProcess::spawn(|_: Unreadable| (), (Unreadable,)).unwrap();
        let error = face.join(&child).unwrap_err();
        assert!(matches!(error, JoinError::Bootstrap(BootstrapError::Arguments { .. })), "{error:?}");
        assert!(error.to_string().contains("arguments"), "{error}");
    });
}

#[test]
fn values_that_cannot_be_sent_or_read() {
    each_face("values", |face| {
        let child = AioProcess::spawn(|| Unwritable, ()).unwrap();
        let error = face.join(&child).unwrap_err();
        assert!(matches!(error, JoinError::Bootstrap(BootstrapError::Output { .. })), "{error:?}");

        let child = AioProcess::spawn(|| Unreadable, ()).unwrap();
        let error = face.join(&child).unwrap_err();
        assert!(matches!(error, JoinError::Bootstrap(BootstrapError::Output { .. })), "{error:?}");
        assert_eq!(child.exit_code(), Some(0));
    });
}

/// The text is found by programs that are nobody's child, and means nothing to them.
#[test]
fn a_bootstrap_text_that_does_not_fit_is_ignored() {
    let _watchdog = Watchdog::new("texts");
    let me = std::process::id();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata("/proc/self").unwrap());
    let texts = [
        String::new(),
        "x".into(),
        "3".into(),
        format!("3:{inode}:{me}"),
        format!("0:1:{me}"),
        format!("-1:1:{me}:"),
    ];
    for text in texts {
        let listed = std::process::Command::new("/proc/self/exe")
            .args(["--list", "--format=terse"])
            .env("AIOPROCESSING_BOOTSTRAP", &text)
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&listed.stdout).contains("case_22"), "{text}: {listed:?}");
    }
    drop((ours, theirs));
}

/// A program that a child starts inherits the environment, and nothing else.
#[test]
fn what_a_child_starts_is_no_child_of_its_parent() {
    fn list_tests() -> bool {
        let listed = std::process::Command::new("/proc/self/exe").args(["--list", "--format=terse"]).output();
        String::from_utf8_lossy(&listed.unwrap().stdout).contains("case_22")
    }
    let _watchdog = Watchdog::new("programs of a child");
    assert!(AioProcess::spawn(list_tests, ()).unwrap().join().unwrap());
}

#[test]
fn no_descriptor_left_for_a_spawn_is_an_error_that_leaves_nothing() {
    fn without_descriptors() -> Vec<String> {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let before = kit::descriptors().len();
        let maximum = getrlimit(Resource::Nofile).maximum;
        let mut errors = Vec::new();
        for room in 0..8_u64 {
            let limit = Rlimit { current: Some(before as u64 + room), maximum };
            setrlimit(Resource::Nofile, limit).unwrap();
            match AioProcess::builder().daemon(true).stdin(Stdio::piped()).spawn(nothing, ()) {
                Err(error) => errors.push(error.to_string()),
                Ok(child) => drop(child.join()),
            }
        }
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
        aioprocessing::active_children();
        assert_eq!(kit::descriptors().len(), before);
        assert!(
            !std::fs::read_to_string("/proc/thread-self/children").is_ok_and(|list| !list.trim().is_empty())
        );
        errors
    }
    each_face("no descriptors", |face| {
        let errors = face.join(&AioProcess::spawn(without_descriptors, ()).unwrap()).unwrap();
        assert!(errors.len() >= 3, "{errors:?}");
        assert!(errors.iter().all(|error| error.contains("cannot start a process")), "{errors:?}");
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
