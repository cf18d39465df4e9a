//! A program whose `main` forgets `init`, always or in its children, says so: no hang, and no fork bomb (case 26).
//!
//! A `main` of its own: what it does is chosen by a variable.

mod kit;

use std::process::{Command, Output};

use aioprocessing::{AioProcess, JoinError};

const ROLE: &str = "AIO_TEST_ROLE";

fn main() {
    match std::env::var(ROLE).as_deref() {
        Ok("never") => never(),
        Ok("not in children") => not_in_children(),
        Ok("too late") => too_late(),
        _ if std::env::args().any(|arg| arg == "--list") => println!("case_26_init_is_missing: test"),
        _ => case_26_init_is_missing(),
    }
}

fn run(role: &str) -> Output {
    Command::new("/proc/self/exe").env(ROLE, role).output().unwrap()
}

fn case_26_init_is_missing() {
    let watchdog = kit::Watchdog::new("case 26");
    for (role, expected) in
        [("never", "SPAWN"), ("not in children", "JOIN JOIN JOIN"), ("too late", "SPAWN fine")]
    {
        watchdog.step(role);
        let output = run(role);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{role}");
    }
    println!("test case_26_init_is_missing ... ok");
}

fn says_what_to_do(error: &dyn std::error::Error) {
    let text = error.to_string();
    assert!(text.contains("aioprocessing::init()") && text.contains("first line of main"), "{text}");
}

/// Would be a fork bomb, if the children's `main` got as far as this spawn and it went through.
fn never() {
    let error = AioProcess::spawn(|| (), ()).unwrap_err();
    assert!(error.is_not_initialised());
    says_what_to_do(&error);
    println!("SPAWN");
}

/// A `main` that comes to `init` on some ways only.
fn not_in_children() {
    if std::env::var_os("AIO_TEST_CHILD").is_some() {
        // Its own spawn is refused, and that is the end of it.
        let error = AioProcess::spawn(|| (), ()).unwrap_err();
        std::process::exit(if error.is_not_initialised() { 3 } else { 4 });
    }
    aioprocessing::init();
    for &face in kit::Face::ALL {
        let child = AioProcess::builder().env("AIO_TEST_CHILD", "1").spawn(|| (), ()).unwrap();
        let error = face.join(&child).unwrap_err();
        assert!(matches!(error, JoinError::NotInitialised) && error.is_not_initialised(), "{error:?}");
        says_what_to_do(&error);
        assert_eq!(child.exit_code(), Some(3));
        println!("JOIN");
    }
    #[cfg(not(feature = "tokio"))]
    println!("JOIN");
}

/// What stands before `init` can't spawn; what stands behind it can.
fn too_late() {
    if let Err(error) = AioProcess::spawn(|| (), ()) {
        says_what_to_do(&error);
        // Also in the child: but its output is nobody's.
        println!("SPAWN");
    }
    aioprocessing::init();
    let child =
        AioProcess::builder().stdout(aioprocessing::Stdio::null()).spawn(|| "fine".to_owned(), ()).unwrap();
    println!("{}", child.join().unwrap());
}
