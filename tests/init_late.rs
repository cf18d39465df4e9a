//! What can go wrong between the start of a child and its `init`, made to happen: a `main` of its own waits there.
//!
//! Its variable says for what: that the parent is dead, or nothing.

mod kit;

use std::io::Read;

use aioprocessing::{AioProcess, JoinError, Stdio};

const WAIT: &str = "AIO_TEST_WAIT";

fn main() {
    match std::env::var(WAIT).as_deref() {
        Ok("for orphanhood") => {
            let parent = std::os::unix::process::parent_id();
            let spawner: u32 = std::env::var("AIO_TEST_PARENT").unwrap().parse().unwrap();
            if parent == spawner {
                kit::until("the parent's death", || std::os::unix::process::parent_id() != spawner);
            }
        }
        Ok("for ever") => kit::sleep_for_ever(),
        Ok("and exit") => std::process::exit(5),
        Ok("and abort") => std::process::abort(),
        Ok("and leave a process") => {
            // It inherits what this one does, and so holds the child's end of the socket open. Ends with its input.
            std::process::Command::new("cat").spawn().unwrap();
            std::process::exit(5)
        }
        _ => {}
    }
    aioprocessing::init();
    if std::env::var_os(WAIT).is_some() {
        println!("the main of a child went on");
        return;
    }
    let tests: [(&str, fn()); 3] = [
        ("case_16_a_parent_killed_before_its_daemon_arms", a_parent_killed_before_its_daemon_arms),
        ("a_parent_killed_before_its_other_child_begins", a_parent_killed_before_its_other_child_begins),
        ("case_24_a_child_that_dies_before_its_init", a_child_that_dies_before_its_init),
    ];
    let lists = std::env::args().any(|arg| arg == "--list");
    for (name, test) in tests {
        if lists {
            println!("{name}: test");
            continue;
        }
        let _watchdog = kit::Watchdog::new(name);
        test();
        println!("test {name} ... ok");
    }
}

/// Spawns a child that begins once this process is dead, and dies.
fn die_before_the_child_begins(is_daemon: bool) {
    let builder = AioProcess::builder().daemon(is_daemon).env(WAIT, "for orphanhood");
    let builder = builder.env("AIO_TEST_PARENT", std::process::id().to_string());
    let child = builder.spawn(|| println!("ran"), ()).unwrap();
    assert!(child.is_alive());
    kit::kill(std::process::id());
}

fn output_of_the_orphan(is_daemon: bool) -> String {
    let parent = AioProcess::builder()
        .stdout(Stdio::piped())
        .spawn(die_before_the_child_begins, (is_daemon,))
        .unwrap();
    let mut text = String::new();
    // Ends when the orphan does.
    parent.take_stdout().unwrap().read_to_string(&mut text).unwrap();
    assert!(matches!(parent.join(), Err(JoinError::Signaled { signal: 9, .. })));
    text
}

/// The parent's end is told by nobody: the one look after arming sees it.
fn a_parent_killed_before_its_daemon_arms() {
    assert_eq!(output_of_the_orphan(true), "");
}

/// All that it needs lies ready: it does its work, and does not take itself for the first of a family.
fn a_parent_killed_before_its_other_child_begins() {
    assert_eq!(output_of_the_orphan(false), "ran\n");
}

fn a_child_that_dies_before_its_init() {
    for &face in kit::Face::ALL {
        let waiting =
            |how| AioProcess::builder().env(WAIT, how).stderr(Stdio::null()).spawn(|| (), ()).unwrap();
        let child = waiting("for ever");
        assert!(child.try_join().unwrap_err().is_timeout());
        child.kill().unwrap();
        assert!(matches!(face.join(&child), Err(JoinError::Signaled { signal: 9, .. })));
        assert!(matches!(face.join(&waiting("and abort")), Err(JoinError::Signaled { signal: 6, .. })));
        assert!(matches!(face.join(&waiting("and exit")), Err(JoinError::NotInitialised)));
        let builder = AioProcess::builder().env(WAIT, "and leave a process").stdin(Stdio::piped());
        let child = builder.spawn(|| (), ()).unwrap();
        let held = child.take_stdin();
        assert!(matches!(face.join(&child), Err(JoinError::NotInitialised)));
        drop(held);
        // With arguments that lie unread, and a file of them.
        let builder = AioProcess::builder().env(WAIT, "and exit");
        let child = builder.spawn(|text: String| text, ("x".repeat(1 << 20),)).unwrap();
        assert!(matches!(face.join(&child), Err(JoinError::NotInitialised)));
    }
}
